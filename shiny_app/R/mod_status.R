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
    "data-testid" = "freshness", "data-value" = exact(fresh$data_until),
    title = say(definitions[["until"]]),
    tags$span(
      tags$span(class = "long", say("data until ")),
      tags$b(if (is.na(fresh$data_until)) dash else fmt_clock(fresh$data_until, zone)),
      tags$span(class = "long", sayf(" \u00b7 %d/%d hours complete", full, nrow(hours)))
    )
  )
}

# Over all pages while the database is down.
mod_status_banner <- function(id) {
  shiny::uiOutput(shiny::NS(id, "banner"), class = "banner")
}

down_banner <- function(fresh, zone) {
  shown <- if (is.null(fresh) || is.na(fresh$data_until)) {
    say("Nothing is lost.")
  } else {
    sayf("Nothing is lost; numbers shown are as of %s.", fmt_instant(fresh$data_until, zone))
  }
  tags$div(
    class = "callout bad", role = "alert", "data-testid" = "failed",
    tags$strong(say("The database does not answer.")), " ", shown, " ",
    say("This page asks again every second and comes back by itself.")
  )
}

mod_status_server <- function(id, view, ask, marker) {
  stopifnot(shiny::is.reactive(view), is.function(ask), is.function(marker))
  shiny::moduleServer(id, function(input, output, session) {
    output$pill <- shiny::renderUI(in_language(view()$lang, {
      if (marker() == "down") {
        return(tags$span(class = "pill down", "data-testid" = "freshness",
                         say("database down")))
      }
      shiny::invalidateLater(15000)
      tryCatch({
        now <- as.numeric(Sys.time())
        hour <- now %/% 3600 * 3600
        hours <- ask("completeness", iso(as_instant(hour - 24 * 3600)), iso(as_instant(hour)))
        status_pill(ask("freshness"), hours, view()$zone, now)
      }, db_error = function(error) {
        tags$span(class = "pill late", "data-testid" = "freshness", say("freshness unknown"))
      })
    }))
    output$banner <- shiny::renderUI(in_language(view()$lang, {
      if (marker() != "down") return(NULL)
      down_banner(tryCatch(ask("freshness"), db_error = function(error) NULL), view()$zone)
    }))
  })
}
