# What is looked at and put into carts: products by any column, categories, brands; or one product.

product_rows <- 25L
group_rows <- 10L

# What the list can be sorted by: the function's word for it, and the column's title.
product_sorts <- c(
  name = "Product", views = "Views", adds = "Adds", removals = "Removed",
  wishlisted = "Wish list", rate = "Add-to-cart", bought = "Bought, at most", price = "Price seen"
)
orders <- c("desc", "asc")

mod_products_ui <- function(id) {
  ns <- shiny::NS(id)
  shiny::tagList(
    tags$h1(class = "visually-hidden", say("Products")),
    product_tools(),
    bslib::layout_columns(
      col_widths = bslib::breakpoints(sm = 12, lg = c(9, 3)),
      loading(ns("products"), 420L),
      tags$div(class = "stack", loading(ns("categories"), 240L), loading(ns("brands"), 240L))
    )
  )
}

#' The search, outside of what is drawn anew with each letter; a phone's rows have no headlines to
#' sort by, so there the columns are a menu
product_tools <- function() {
  tags$div(
    class = "product-tools", role = "search", "aria-label" = say("Products"),
    tags$input(
      type = "search", class = "ctl", id = "find", "data-text" = "find", autocomplete = "off",
      maxlength = longest_search, placeholder = say("Name or product id"),
      "aria-label" = say("Search by name or product id")
    ),
    tags$span(
      class = "phone-only",
      tags$label(class = "visually-hidden", "for" = "sort", say("Sort by")),
      tags$select(
        id = "sort", class = "ctl", "data-select" = "sort", "data-shiny-no-bind-input" = NA,
        lapply(names(product_sorts), function(key) {
          tags$option(value = key, say(product_sorts[[key]]))
        })
      ),
      tags$button(type = "button", class = "ctl", "data-flip" = NA,
                  "aria-label" = say("The other way round"), "\u21c5")
    )
  )
}

#' A headline that sorts
sort_head <- function(key, view) {
  on <- identical(view$sort, key)
  descending <- view$order == "desc"
  tags$th(
    scope = "col", class = if (key != "name") "num",
    "aria-sort" = if (on) if (descending) "descending" else "ascending",
    tags$button(
      type = "button", class = "sort", "data-sort" = key, .noWS = "inside",
      say(product_sorts[[key]]),
      if (on) tags$span("aria-hidden" = "true", if (descending) " \u2193" else " \u2191")
    )
  )
}

#' A link to a product's own page; an id that no link can hold is its name alone
#'
#' @param words Markup.
product_link <- function(id, words) {
  linked <- !is.na(id) & nzchar(id) & nchar(id) <= longest_value
  coded <- vapply(ifelse(linked, id, ""), utils::URLencode, "", reserved = TRUE, USE.NAMES = FALSE)
  ifelse(linked, paste0(
    '<a href="?page=products&amp;product=', escape(coded), '" data-goto="products" data-product="',
    escape(id), '">', words, "</a>"
  ), words)
}

product_table <- function(rows, view) {
  known <- function(text) ifelse(is.na(text), "", text)
  both <- known(rows$category) != "" & known(rows$brand) != ""
  under <- paste0(known(rows$category), ifelse(both, " \u00b7 ", ""), known(rows$brand))
  titles <- say(unname(product_sorts))
  # A phone has no room for columns: there each number stands under its own title.
  number <- function(k, words) {
    paste0('<td class="num" data-label="', escape(titles[k]), '">', words, "</td>")
  }
  bar <- paste0(
    '<span class="cell"><i style="--v:',
    sprintf("%.1f", 100 * rows$views / max(rows$views, 1)), '%"></i>', fmt_count(rows$views),
    "</span>"
  )
  words <- escape(ifelse(is.na(rows$name), rows$product_id, rows$name))
  name <- product_link(rows$product_id, words)
  sideways("Products", tags$table(
    class = "table table-hover stacks", "data-testid" = "products",
    tags$thead(tags$tr(lapply(names(product_sorts), sort_head, view = view))),
    tags$tbody(markup(
      '<tr data-key="', escape(rows$product_id), '" data-value="', exact(rows$views),
      '"><td class="wrap">', name, '<span class="sub">', escape(under), "</span></td>",
      number(2L, bar), number(3L, fmt_count(rows$adds)), number(4L, fmt_count(rows$removals)),
      number(5L, fmt_count(rows$wishlisted)), number(6L, fmt_rate(rows$add_to_cart_rate)),
      number(7L, fmt_count(rows$bought_sessions)), number(8L, fmt_vnd(rows$price_seen)), "</tr>"
    ))
  ))
}

#' Links to the part of the list before and after
part_pager <- function(part, shown, total) {
  first <- (part - 1) * product_rows + 1
  button <- function(label, to, off) {
    tags$button(type = "button", class = "ctl", "data-pick" = "part", "data-value" = exact(to),
                disabled = if (off) NA, label)
  }
  tags$div(
    class = "pager",
    tags$span(class = "sub", role = "status", sayf(
      "%s\u2013%s of %s", fmt_count(first), fmt_count(first + shown - 1), fmt_count(total)
    )),
    button(say("Previous"), part - 1, part == 1),
    button(say("Next"), part + 1, first + shown > total)
  )
}

# What the table's numbers leave out: no rate counts it, no price is taken from it.
products_footer <- function(kpis) {
  count <- function(id, value) {
    tags$b("data-testid" = id, "data-value" = exact(value), fmt_count(value), .noWS = "outside")
  }
  shiny::tagList(
    if (kpis$adds_without_view_sessions > 0) {
      tags$p(
        paste0(say("Sessions that added without a view"), ": "),
        count("unviewed", kpis$adds_without_view_sessions), ". ",
        info("Added without a view", definitions[["unviewed"]])
      )
    },
    if (kpis$discount_rows > 0) {
      tags$p(
        paste0(say("Discount prices that cannot be a price"), ": "),
        count("implausible", kpis$implausible_discounts), say(" of "),
        count("discounts", kpis$discount_rows), say(" events with one. "),
        info("Discount price", definitions[["discount"]])
      )
    }
  )
}

#' The list of a view: its part, or the first one where the list is shorter than the link says
list_panel <- function(view, ask) {
  range <- view_range(view)
  page <- function(part) {
    ask("product_list", range, view$find, view$sort, view$order, (part - 1) * product_rows,
        product_rows)
  }
  part <- view$part
  rows <- page(part)
  if (!nrow(rows) && part > 1) {
    part <- 1
    rows <- page(part)
  }
  if (!nrow(rows) && nzchar(view$find)) {
    words <- sayf("No product of this range has “%s” in its name or id.", view$find)
    return(panel("Products", term = "products",
                 state_words("Nothing here", words, id = "unfound")))
  }
  if (!nrow(rows)) return(panel("Products", empty_words(view)))
  total <- rows$products[1L]
  panel(
    "Products", term = "products",
    beside = tags$span(class = "sub", "data-testid" = "product-count", "data-value" = exact(total),
                       sayf("%s with an event in this range", fmt_count(total))),
    product_table(rows, view),
    footer = shiny::tagList(
      part_pager(part, nrow(rows), total), products_footer(ask("kpis", range))
    )
  )
}

#' @param total All product views in range and filter, of which these rows are the most
group_panel <- function(title, rows, total, id) {
  rest <- total - sum(rows$views)
  shown <- data.frame(
    key = rows$value, label = ifelse(rows$value == "not set", say("Not set"), rows$label),
    value = rows$views, words = fmt_rate(if (total > 0) rows$views / total else NA)
  )
  more <- if (rest > 0) sayf("Product views; %s more in the rest.", fmt_count(rest))
  panel(title, term = "value", folds = TRUE, bar_list(shown, id),
        footer = if (rest > 0) more else say("Product views."))
}

mod_products_server <- function(id, view, ask) {
  stopifnot(shiny::is.reactive(view), is.function(ask))
  shiny::moduleServer(id, function(input, output, session) {
    show <- function(question, rows, title, draw) {
      drawn(view, function() {
        # One product's page has no others beside it.
        if (nzchar(view()$product)) return(NULL)
        found <- ask(question, view_range(view()), rows)
        if (nrow(found)) draw(found) else panel(title, empty_words(view()))
      })
    }
    viewed <- function() {
      mix <- ask("event_mix", view_range(view()))
      sum(mix$events[mix$event_name == "product_view"])
    }
    before <- function() previous_range(view(), ask("freshness")$data_until)
    output$products <- shiny::renderUI(drawn(view, function() {
      if (nzchar(view()$product)) one_product(view(), ask, before()) else list_panel(view(), ask)
    }))
    output$categories <- shiny::renderUI({
      show("categories", group_rows, "Categories", function(found) {
        group_panel("Categories", found, viewed(), "categories")
      })
    })
    output$brands <- shiny::renderUI({
      show("brands", group_rows, "Brands", function(found) {
        group_panel("Brands", found, viewed(), "brands")
      })
    })
  })
}
