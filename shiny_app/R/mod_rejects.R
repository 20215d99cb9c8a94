# What could not be loaded, one by one; and from an event to the object that brought it.

reject_rows <- 25L
mod_rejects_ui <- function(id) {
  ns <- shiny::NS(id)
  bslib::layout_columns(
    col_widths = bslib::breakpoints(sm = 12, lg = c(8, 4)),
    loading(ns("rejects"), 240L),
    shiny::tagList(tags$div(
      class = "card", tags$div(class = "card-header", tags$h2(say("From an event to its object"))),
      tags$div(
        class = "card-body",
        # No button of type submit: all of Shiny's inputs would wait for it.
        tags$div(
          class = "find", role = "search", "data-find" = ns("event"),
          tags$input(
            type = "text", class = "ctl mono", maxlength = "36", autocomplete = "off",
            spellcheck = "false", "aria-label" = say("Event id"), placeholder = say("Event id")
          ),
          tags$button(type = "button", class = "ctl", "data-look" = NA, say("Find"))
        ),
        shiny::uiOutput(ns("source"))
      )
    ))
  )
}

rejects_table <- function(rows, zone) {
  place <- ifelse(is.na(rows$object_position), say("the whole object"),
                  sayf("record %s", fmt_count(rows$object_position + 1)))
  sideways("Rejected records", tags$table(
    class = "table", "data-testid" = "rejects",
    tags$thead(tags$tr(lapply(say(c("Object", "Reason", "How it begins", "Since")), tags$th,
                              scope = "col"))),
    tags$tbody(markup(
      '<tr data-key="', exact(rows$quarantine_id), '" data-value="', exact(rows$run_id),
      '"><td class="mono wrap">', escape(rows$object_key), '<span class="sub">', escape(place),
      "</span></td><td>", escape(reason_title(rows$reason_code)), "</td>",
      '<td class="wrap"><pre class="sample">', escape(substr(rows$sample, 1L, 200L)),
      ifelse(nchar(rows$sample) > 200L, "\u2026", ""), "</pre></td><td>",
      fmt_instant(rows$quarantined_at, zone), "</td></tr>"
    ))
  ))
}

source_list <- function(rows, zone) {
  one <- function(row) {
    part <- function(term, ...) shiny::tagList(tags$dt(say(term)), tags$dd(...))
    tags$dl(
      class = "kv", "data-key" = row$object_key, "data-value" = row$object_position,
      part("Object", tags$code(row$object_key)),
      part("Place", sayf("record %s, %s bytes, ETag %s", fmt_count(row$object_position + 1),
                         fmt_count(row$size_bytes), row$etag)),
      part("Event time", fmt_moment(row$event_at, zone)),
      part("Loaded", sayf("%s by run %s", fmt_instant(row$loaded_at, zone),
                          fmt_count(row$run_id))),
      part("As", say(source_roles[[row$role]]))
    )
  }
  tags$div("data-testid" = "source", lapply(seq_len(nrow(rows)), function(i) one(rows[i, ])))
}
source_roles <- c(
  stored = "stored", duplicate = "a copy, not stored again",
  conflict = "a copy that differs, not stored"
)

is_uuid <- function(text) {
  grepl("^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$", text, ignore.case = TRUE)
}

mod_rejects_server <- function(id, view, ask) {
  stopifnot(shiny::is.reactive(view), is.function(ask))
  shiny::moduleServer(id, function(input, output, session) {
    output$rejects <- shiny::renderUI(drawn_again(view, function() {
      rows <- ask("rejects", "", reject_rows + 1L)
      title <- say("Rejected records")
      if (!nrow(rows)) {
        return(panel(title, state_words("Empty", "No record waits for a reload.")))
      }
      panel(
        title, term = "quarantine", folds = TRUE,
        rejects_table(utils::head(rows, reject_rows), view()$zone),
        footer = if (nrow(rows) > reject_rows) {
          sayf("The newest %s; the counts by reason have all.", fmt_count(reject_rows))
        }
      )
    }))
    output$source <- shiny::renderUI(drawn(view, function() {
      text <- trimws(one_text(input$event))
      if (!nzchar(text)) return(NULL)
      if (!is_uuid(text)) {
        return(tags$p(class = "muted", role = "status", say("That is no event id.")))
      }
      rows <- ask("event_source", text)
      if (!nrow(rows)) {
        return(tags$p(class = "muted", role = "status", say("No stored event has this id.")))
      }
      source_list(rows, view()$zone)
    }))
  })
}
