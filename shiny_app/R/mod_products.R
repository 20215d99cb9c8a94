# What is looked at and put into carts: products, categories, brands.

product_rows <- 25L
group_rows <- 10L

mod_products_ui <- function(id) {
  ns <- shiny::NS(id)
  shiny::tagList(
    tags$h1(class = "visually-hidden", say("Products")),
    bslib::layout_columns(
      col_widths = bslib::breakpoints(sm = 12, lg = c(8, 4)),
      loading(ns("products"), 420L),
      tags$div(class = "stack", loading(ns("categories"), 240L), loading(ns("brands"), 240L))
    )
  )
}

product_table <- function(rows) {
  known <- function(text) ifelse(is.na(text), "", text)
  both <- known(rows$category) != "" & known(rows$brand) != ""
  under <- paste0(known(rows$category), ifelse(both, " \u00b7 ", ""), known(rows$brand))
  titles <- say(c("Views", "Adds", "Removed", "Add-to-cart", "Bought, at most", "Price seen"))
  # A phone has no room for columns: there each number stands under its own title.
  number <- function(k, words) {
    paste0('<td class="num" data-label="', escape(titles[k]), '">', words, "</td>")
  }
  bar <- paste0(
    '<span class="cell"><i style="--v:',
    sprintf("%.1f", 100 * rows$views / max(rows$views, 1)), '%"></i>', fmt_count(rows$views),
    "</span>"
  )
  sideways("Products", tags$table(
    class = "table table-hover stacks", "data-testid" = "products",
    tags$thead(tags$tr(
      tags$th(scope = "col", say("Product")),
      lapply(titles, tags$th, scope = "col", class = "num")
    )),
    tags$tbody(markup(
      '<tr data-key="', escape(rows$product_id), '" data-value="', exact(rows$views),
      '"><td class="wrap">', escape(ifelse(is.na(rows$name), rows$product_id, rows$name)),
      '<span class="sub">', escape(under), "</span></td>",
      number(1L, bar), number(2L, fmt_count(rows$adds)), number(3L, fmt_count(rows$removals)),
      number(4L, fmt_rate(rows$add_to_cart_rate)), number(5L, fmt_count(rows$bought_sessions)),
      number(6L, fmt_vnd(rows$price_seen)), "</tr>"
    ))
  ))
}

# What the table's numbers leave out: no rate counts it, no price is taken from it.
products_footer <- function(shown, kpis) {
  count <- function(id, value) {
    tags$b("data-testid" = id, "data-value" = exact(value), fmt_count(value), .noWS = "outside")
  }
  shiny::tagList(
    tags$p(sayf("The %d most viewed.", shown)),
    if (kpis$adds_without_view_sessions > 0) {
      tags$p(
        say("Sessions that added without a view"), ": ",
        count("unviewed", kpis$adds_without_view_sessions), ". ",
        info("Added without a view", definitions[["unviewed"]])
      )
    },
    if (kpis$discount_rows > 0) {
      tags$p(
        say("Discount prices that cannot be a price"), ": ",
        count("implausible", kpis$implausible_discounts), say(" of "),
        count("discounts", kpis$discount_rows), say(" events with one. "),
        info("Discount price", definitions[["discount"]])
      )
    }
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
        found <- ask(question, view_range(view()), rows)
        if (nrow(found)) draw(found) else panel(title, empty_words(view()))
      })
    }
    viewed <- function() {
      mix <- ask("event_mix", view_range(view()))
      sum(mix$events[mix$event_name == "product_view"])
    }
    output$products <- shiny::renderUI({
      show("products", product_rows, "Products", function(found) {
        panel("Products", term = "products", product_table(found),
              footer = products_footer(nrow(found), ask("kpis", view_range(view()))))
      })
    })
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
