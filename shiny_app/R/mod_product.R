# One product's page: its numbers against the period before, its course, its prices. Drawn by
# mod_products in place of the list.

# Prices are read from the events themselves (docs/decisions/0043): everybody waits meanwhile.
price_days <- 31L

# Each number: column, title, term of its definition; a rate has what it is a share of.
product_heads <- list(
  list(key = "views", title = "Views", term = "product_events"),
  list(key = "adds", title = "Adds", term = "product_events"),
  list(key = "removals", title = "Removed", term = "product_events", good = -1),
  list(key = "wishlisted", title = "Wish list", term = "product_events"),
  list(key = "add_to_cart_rate", title = "Add-to-cart", term = "product_rate",
       base = "view_sessions"),
  list(key = "bought_sessions", title = "Bought, at most", term = "product_bought")
)

product_strip <- function(now, before) {
  cell <- function(spec) {
    rate <- !is.null(spec$base)
    value <- now[[spec$key]]
    was <- before[[spec$key]]
    words <- function(x) if (rate) fmt_rate(x) else fmt_count(x)
    change <- change_words(value, was, rate = rate, good = if (is.null(spec$good)) 1 else spec$good,
                           n = if (rate) c(now[[spec$base]], before[[spec$base]]))
    under <- tags$span(class = "was", if (is.null(change)) {
      say("nothing to compare")
    } else {
      sayf("was %s", words(was))
    })
    small_cell(say(spec$title), words(value), paste0("product-", spec$key), value,
               definitions[[spec$term]], shiny::tagList(change_tag(change), under))
  }
  tags$section(
    class = "card kpis small", "aria-label" = say("This product against the period before"),
    lapply(product_heads, cell)
  )
}

# What the course shows: column and title.
product_courses <- c(
  views = "Views", adds = "Adds", removals = "Removed", bought_sessions = "Bought, at most"
)

course_chart <- function(rows, key, view, words) {
  title <- say(product_courses[[key]])
  value <- rows[[key]]
  # Two beside each other have room for every other word under the axis.
  marks <- axis_marks(rows$bucket_at, view$bucket, view$zone)
  marks <- lapply(marks, function(one) one[c(TRUE, FALSE)])
  tips <- paste0("<b>", escape(words), "</b><br>", fmt_count(value), " ", tolower(title),
                 ifelse(rows$provisional, paste0(", ", say("still open")), ""))
  tags$figure(
    class = "course", "data-testid" = paste0("course-", key), "data-value" = exact(sum(value)),
    tags$figcaption(title, tags$span(class = "sub", fmt_count(sum(value)))),
    columns_chart(value, NULL, rows$provisional, marks, tips, paste(title, range_words(view)),
                  height = 110L, lines = 2)
  )
}

course_panel <- function(view, rows) {
  title <- sayf("%s by %s", say("This product"), tolower(say(buckets[[view$bucket]])))
  if (sum(rows[names(product_courses)]) == 0) {
    words <- say("No event of this product is in this range and passes the filters.")
    return(panel(title, end = bucket_switch(view),
                 state_words("Nothing here", words, id = "empty")))
  }
  words <- bucket_words(rows$bucket_at, view$bucket, view$zone)
  numbers <- lapply(names(product_courses), function(key) fmt_count(rows[[key]]))
  panel(
    title,
    beside = tags$span(
      class = "keys", tags$span(class = "sub", range_words(view)),
      if (any(rows$provisional)) tags$span(class = "key h", say("still open"))
    ),
    end = bucket_switch(view),
    tags$div(class = "courses", lapply(names(product_courses), function(key) {
      course_chart(rows, key, view, words)
    })),
    as_table(c("From", unname(product_courses)), data.frame(c(list(words), numbers)))
  )
}

known_words <- function(text) if (is.na(text) || !nzchar(text)) say("Not set") else text

#' What the product is, as its newest events say, and the prices seen
#'
#' @param prices A row of product_prices; NULL where the range is too long for it.
product_facts <- function(labels, prices) {
  fact <- function(title, ...) shiny::tagList(tags$dt(title), tags$dd(...))
  count <- function(id, value) {
    tags$b("data-testid" = id, "data-value" = exact(value), fmt_count(value), .noWS = "outside")
  }
  spread <- if (is.null(prices)) {
    sayf("Choose at most %d days.", price_days)
  } else if (prices$priced == 0) {
    dash
  } else if (prices$lowest == prices$highest) {
    sayf("%s, always", fmt_vnd(prices$lowest))
  } else {
    paste(fmt_vnd(prices$lowest), dash, fmt_vnd(prices$highest))
  }
  panel(
    "Price and labels", term = "price_seen",
    tags$dl(
      class = "kv",
      fact(say("Price seen"), "data-testid" = "price-newest", fmt_vnd(labels$price_seen)),
      fact(say("In this range"), "data-testid" = "price-spread",
           "data-lowest" = if (!is.null(prices)) exact(prices$lowest),
           "data-highest" = if (!is.null(prices)) exact(prices$highest), spread),
      fact(say("Category"), known_words(labels$category)),
      fact(say("Brand"), known_words(labels$brand)),
      fact(say("Product id"), class = "mono wrap", labels$product_id)
    ),
    footer = if (!is.null(prices) && prices$discounts > 0) {
      tags$p(
        paste0(say("Discount prices that cannot be a price"), ": "),
        count("product-implausible", prices$implausible_discounts), say(" of "),
        count("product-discounts", prices$discounts), say(" events with one. "),
        info("Discount price", definitions[["discount"]])
      )
    }
  )
}

#' @param before The range of the period before.
one_product <- function(view, ask, before) {
  id <- view$product
  range <- view_range(view)
  labels <- ask("product_labels", id)
  prices <- if (view$days <= price_days) ask("product_prices", range, id)
  tags$div(
    class = "one-product", "data-testid" = "one-product", "data-key" = id,
    tags$div(
      class = "product-head",
      tags$a(href = "?page=products", class = "ctl", "data-goto" = "products", "data-product" = "",
             "\u2190 ", say("All products")),
      tags$h2(if (is.na(labels$name)) id else labels$name)
    ),
    product_strip(ask("product_totals", range, id), ask("product_totals", before, id)),
    tags$div(
      class = "product-parts",
      course_panel(view, ask("product_series", range, view$bucket, id)),
      product_facts(labels, prices)
    )
  )
}
