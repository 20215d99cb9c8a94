# From a product's page to a completed checkout: in order, and in any order.

mod_funnel_ui <- function(id) {
  shiny::tagList(
    tags$h1(class = "visually-hidden", "Funnel"),
    loading(shiny::NS(id, "funnel"), 420L)
  )
}

funnel_panels <- function(rows) {
  n <- nrow(rows)
  names <- event_label(rows$event_name)
  lost <- vapply(seq_len(n), function(i) {
    if (i == n) return(if (rows$closed_sessions[1L] > 0) "of those who began" else "")
    left <- rows$closed_sessions[i] - rows$closed_sessions[i + 1L]
    share <- if (rows$closed_sessions[i] > 0) left / rows$closed_sessions[i] else NA
    sprintf("%s left (%s), median %s to go on", fmt_count(left), fmt_rate(share),
            fmt_seconds(rows$median_seconds[i + 1L]))
  }, "")
  apart <- rows$open_sessions - rows$closed_sessions
  other <- ifelse(apart > 0, paste(fmt_count(apart), "not in order"), "all in order")
  table <- data.frame(
    names, fmt_count(rows$closed_sessions), fmt_count(rows$open_sessions),
    ifelse(rows$step == 1L, dash, fmt_seconds(rows$median_seconds))
  )
  shiny::tagList(
    panel(
      "Sessions in order", term = "funnel",
      funnel_chart(names, rows$closed_sessions, lost, TRUE,
                   "Sessions that reached each step in order", "funnel-closed"),
      as_table(c("Step", "In order", "Any order", "Median time from the step before"), table)
    ),
    panel(
      "Sessions in any order", term = "funnel",
      funnel_chart(names, rows$open_sessions, other, FALSE,
                   "Sessions that reached each step at all", "funnel-open")
    )
  )
}

mod_funnel_server <- function(id, view, ask) {
  stopifnot(shiny::is.reactive(view), is.function(ask))
  shiny::moduleServer(id, function(input, output, session) {
    output$funnel <- shiny::renderUI(drawn(function() {
      rows <- ask("funnel", view_range(view()))
      if (!nrow(rows) || sum(rows$open_sessions) == 0) return(panel("Funnel", empty_words(view())))
      funnel_panels(rows)
    }))
  })
}
