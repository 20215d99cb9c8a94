# Whether the data is all there: freshness, completeness by hour, the last runs, quarantine.

mod_pipeline_ui <- function(id) {
  ns <- shiny::NS(id)
  shiny::tagList(
    tags$h1(class = "visually-hidden", say("Pipeline")),
    loading(ns("fresh"), 90L),
    loading(ns("hours"), 220L),
    bslib::layout_columns(
      col_widths = bslib::breakpoints(sm = 12, lg = c(7, 5)),
      loading(ns("runs"), 300L), loading(ns("quarantine"), 300L)
    ),
    mod_rejects_ui(ns("rejects"))
  )
}

fresh_strip <- function(fresh, zone) {
  cell <- function(title, text, key, value) {
    small_cell(say(title), text, paste0("fresh-", key), value, definitions[[key]])
  }
  count <- function(title, key, column) {
    cell(title, fmt_count(fresh[[column]]), key, fresh[[column]])
  }
  tags$section(
    class = "card kpis small", "aria-label" = say("How far the data goes"),
    cell("Data until", fmt_instant(fresh$data_until, zone), "until", fresh$data_until),
    cell("Newest event", fmt_instant(fresh$newest_event_at, zone), "newest",
         fresh$newest_event_at),
    small_cell(say("Events"), fmt_count(fresh$events_stored), "fresh-events", fresh$events_stored,
               definitions[["stored"]]),
    count("Loaded", "loaded", "objects_loaded"),
    count("Quarantined", "quarantined", "objects_quarantined"),
    count("Pending", "pending", "objects_pending")
  )
}

# What is seldom there and then matters, in one line under the run's result.
run_rest <- function(run) {
  counts <- c(run$events_erased, run$events_expired, run$events_conflict)
  names(counts) <- say(c("erased", "expired", "in conflict"))
  counts <- counts[counts > 0]
  if (length(counts)) {
    tags$span(class = "sub", paste(fmt_count(counts), names(counts), collapse = ", "))
  }
}

runs_table <- function(rows, zone) {
  tone <- c(loaded = "good", partial = "warn", busy = "", running = "accent", failed = "bad")
  sideways("Last runs", tags$table(
    class = "table", "data-testid" = "runs",
    tags$thead(tags$tr(
      lapply(say(c("Run", "Started", "Result")), tags$th, scope = "col"),
      lapply(say(c("Took", "Objects", "Stored", "Duplicate", "Quarantined")), tags$th,
             scope = "col", class = "num")
    )),
    tags$tbody(lapply(seq_len(nrow(rows)), function(i) {
      tags$tr(
        "data-key" = rows$run_id[i], "data-value" = rows$records_quarantined[i],
        tags$td(fmt_count(rows$run_id[i])), tags$td(fmt_instant(rows$started_at[i], zone)),
        tags$td(tags$span(class = paste("badge-s", tone[[rows$result[i]]]), say(rows$result[i])),
                run_rest(rows[i, ]),
                if (!is.na(rows$error[i])) tags$span(class = "sub", rows$error[i])),
        tags$td(class = "num", fmt_seconds(rows$seconds[i])),
        tags$td(class = "num", fmt_count(rows$objects_loaded[i] + rows$objects_quarantined[i])),
        tags$td(class = "num", fmt_count(rows$events_stored[i])),
        tags$td(class = "num", fmt_count(rows$events_duplicate[i])),
        tags$td(class = "num", fmt_count(rows$records_quarantined[i]))
      )
    }))
  ))
}

quarantine_table <- function(rows, zone) {
  sideways("Quarantine", tags$table(
    class = "table", "data-testid" = "quarantine",
    tags$thead(tags$tr(
      tags$th(scope = "col", say("Reason")),
      lapply(say(c("Objects", "Records")), tags$th, scope = "col", class = "num"),
      tags$th(scope = "col", class = "num hide-s", say("Newest"))
    )),
    tags$tbody(lapply(seq_len(nrow(rows)), function(i) {
      tags$tr(
        "data-key" = rows$reason_code[i], "data-value" = rows$objects[i],
        tags$td(class = "reason", reason_cell(rows$reason_code[i])),
        tags$td(class = "num", fmt_count(rows$objects[i])),
        tags$td(class = "num", fmt_count(rows$records[i])),
        tags$td(class = "num hide-s", fmt_instant(rows$newest_at[i], zone))
      )
    }))
  ))
}

hours_panel <- function(rows, zone) {
  gaps <- rows$state == "gap"
  panel(
    "Every hour of seven days", term = "complete",
    end = tags$span(
      class = "keys", tags$span(class = "key s l", say("complete")),
      tags$span(class = "key s w", say("quarantined")),
      tags$span(class = "key h", say("still open")),
      tags$span(class = "key s r", say("gap"))
    ),
    hours_table(rows, zone),
    footer = if (any(gaps)) {
      sayf("%d of %d hours have a gap, the newest %s. An operator loads them: make backfill.",
           sum(gaps), nrow(rows), fmt_instant(max(rows$hour_at[gaps]), zone))
    } else {
      sayf("No gap in %d hours; %s objects in quarantine.", nrow(rows),
           fmt_count(sum(rows$quarantined)))
    }
  )
}

# Runs fail and hours pass without any load.
drawn_again <- function(view, draw) {
  shiny::invalidateLater(15000)
  drawn(view, draw)
}

mod_pipeline_server <- function(id, view, ask) {
  stopifnot(shiny::is.reactive(view), is.function(ask))
  shiny::moduleServer(id, function(input, output, session) {
    mod_rejects_server("rejects", view, ask)
    output$fresh <- shiny::renderUI(drawn_again(view, function() {
      fresh_strip(ask("freshness"), view()$zone)
    }))
    output$hours <- shiny::renderUI(drawn_again(view, function() {
      hour <- as.numeric(Sys.time()) %/% 3600 * 3600
      # Whole local days: from the midnight six days ago.
      today <- as.Date(format(Sys.time(), tz = view()$zone))
      from <- midnight(today - 6L, view()$zone)
      rows <- ask("completeness", iso(from), iso(as_instant(hour + 3600)))
      hours_panel(rows, view()$zone)
    }))
    output$runs <- shiny::renderUI(drawn_again(view, function() {
      rows <- ask("runs", 12L)
      if (!nrow(rows)) {
        words <- state_words("No run yet", "The rule fires the loader every hour.")
        return(panel("Last runs", words))
      }
      panel("Last runs", term = "runs", folds = TRUE, runs_table(rows, view()$zone))
    }))
    output$quarantine <- shiny::renderUI(drawn_again(view, function() {
      rows <- ask("quarantine")
      if (!nrow(rows)) {
        words <- state_words("Empty", "No record waits for a reload.")
        return(panel("Quarantine", term = "quarantine", words))
      }
      panel("Quarantine", term = "quarantine", quarantine_table(rows, view()$zone),
            footer = say("What could not be loaded is kept with its reason and a sample."))
    }))
  })
}
