# The pill in the navigation bar: how far the data goes, and whether it is all there.

mod_status_ui <- function(id) {
  shiny::uiOutput(shiny::NS(id, "pill"), inline = TRUE)
}

status_pill <- function(fresh, hours, zone, now) {
  age <- now - fresh$data_until
  late <- is.na(age) || age > 2 * 3600 || any(hours$state == "gap")
  full <- sum(hours$state %in% c("complete", "quarantined"))
  tags$a(
    class = paste("pill", if (late) "late"), href = "?page=pipeline", "data-goto" = "pipeline",
    "data-testid" = "freshness", "data-value" = fresh$data_until,
    title = "Start of the newest run that left nothing pending",
    tags$span(
      tags$span(class = "long", "data until "),
      tags$b(if (is.na(fresh$data_until)) dash else fmt_clock(fresh$data_until, zone)),
      tags$span(class = "long", sprintf(" \u00b7 %d/%d hours complete", full, nrow(hours)))
    )
  )
}

mod_status_server <- function(id, view, ask) {
  stopifnot(shiny::is.reactive(view), is.function(ask))
  shiny::moduleServer(id, function(input, output, session) {
    output$pill <- shiny::renderUI(tryCatch({
      now <- as.numeric(Sys.time())
      hour <- now %/% 3600 * 3600
      hours <- ask("completeness", iso(hour - 24 * 3600 + as.POSIXct(0)), iso(hour + as.POSIXct(0)))
      status_pill(ask("freshness"), hours, view()$zone, now)
    }, db_error = function(error) {
      tags$span(class = "pill down", "data-testid" = "freshness", tags$span("database down"))
    }))
  })
}
