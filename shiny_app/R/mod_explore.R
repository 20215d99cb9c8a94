# Every event, the newest first, and all that the filters say as a file.

event_rows <- 50L
# Column of the warehouse, and what it is called here; the first nine stand there unless chosen.
event_columns <- c(
  event_timestamp = "Time", event_name = "Event", context_product_name = "Product",
  context_product_category = "Category", context_product_price = "Price seen",
  user_login_state = "Login state", client_id = "Client", session_id = "Session",
  event_id = "Event id", context_product_id = "Product id", context_product_brand = "Brand",
  context_product_discount_price = "Discount as sent", context_product_url_path = "Path",
  user_id = "Account", identity_source = "Identity source", is_first_visit = "First visit, as sent"
)
default_columns <- names(event_columns)[1:9]
most_exports <- 2L

mod_explore_ui <- function(id) {
  ns <- shiny::NS(id)
  shiny::tagList(
    tags$h1(class = "visually-hidden", say("Explore")),
    tags$div(
      class = "explore-tools",
      column_menu(),
      tags$a(
        id = ns("csv"), class = "shiny-download-link ctl primary", href = "", target = "_blank",
        download = NA, shiny::uiOutput(ns("csv_words"), inline = TRUE)
      )
    ),
    shiny::uiOutput(ns("csv_note"), class = "banner"),
    loading(ns("when"), 150L),
    loading(ns("list"), 420L)
  )
}

column_menu <- function() {
  drop_menu("columns", say("Columns"), tags$div(
    class = "options", "data-choice" = "columns",
    "data-default" = paste(default_columns, collapse = ","),
    menu_options(names(event_columns), say(unname(event_columns)))
  ))
}

event_cell <- function(column, rows, zone) {
  value <- rows[[column]]
  text <- switch(column,
    event_timestamp = fmt_moment(value, zone),
    context_product_price = fmt_vnd(value),
    ifelse(is.na(value) | value == "", dash, as.character(value))
  )
  known <- column == "session_id" & !is.na(rows$session_no)
  name <- session_name(rows$session_no, rows$event_timestamp)
  link <- ifelse(known, paste0(
    '<a href="?page=sessions&amp;session=', name, '" data-goto="sessions" data-session="', name,
    '">'
  ), "")
  # An event without a session id has a session as well.
  text[known & text == dash] <- say("the session")
  class <- if (grepl("_id$", column)) "mono cut" else "cut"
  if (column == "context_product_price") class <- "num"
  paste0('<td class="', class, '">', link, escape(text), ifelse(known, "</a>", ""), "</td>")
}

event_table <- function(rows, columns, zone) {
  cells <- lapply(columns, event_cell, rows = rows, zone = zone)
  sideways("Events", tags$table(
    class = "table table-hover", "data-testid" = "events",
    tags$thead(tags$tr(lapply(columns, function(column) {
      tags$th(scope = "col", class = if (column == "context_product_price") "num",
              title = column, say(event_columns[[column]]))
    }))),
    tags$tbody(markup(
      '<tr data-key="', escape(rows$event_id), '" data-value="1">',
      do.call(paste0, cells), "</tr>"
    ))
  ))
}

#' When the events are that the table lists: how many in each bucket
#'
#' @param rows Rows of the series: the rollups' answer, no event is read for it without need.
when_panel <- function(view, rows) {
  words <- bucket_words(rows$bucket_at, view$bucket, view$zone)
  tips <- paste0("<b>", escape(words), "</b><br>", fmt_count(rows$events), " ",
                 tolower(say("Events")))
  title <- sayf("%s by %s", say("Events"), tolower(say(buckets[[view$bucket]])))
  panel(
    title, term = "events", beside = tags$span(class = "sub", range_words(view)),
    end = bucket_switch(view),
    tags$div(
      "data-testid" = "when", "data-value" = exact(sum(rows$events)),
      columns_chart(rows$events, NULL, rows$provisional,
                    axis_marks(rows$bucket_at, view$bucket, view$zone), tips,
                    paste(title, range_words(view)), height = 72L, lines = 2)
    ),
    as_table(c("From", "Events"), data.frame(words, fmt_count(rows$events)))
  )
}

csv_name <- function(view) {
  paste0("events_", view$first_day, "_", view$last_day, if (is_filtered(view)) "_filtered", ".csv")
}

mod_explore_server <- function(id, view, ask, export = NULL) {
  stopifnot(shiny::is.reactive(view), is.function(ask))
  shiny::moduleServer(id, function(input, output, session) {
    asked <- shiny::reactive(view_range(view()))
    failed <- shiny::reactiveVal(NULL)
    pages <- page_turner(
      input, asked, event_rows,
      ask_page = function(cursor) ask("event_list", asked(), cursor, event_rows + 1L),
      cursor_at = function(row) list(at = row$event_text, id = row$event_id)
    )
    total <- function() ask("kpis", asked())$events
    output$list <- shiny::renderUI(drawn(view, function() {
      rows <- pages$found()
      if (!nrow(rows)) return(panel("Events", empty_words(view())))
      shown <- utils::head(rows, event_rows)
      panel(
        "Events", term = "events", beside = tags$span(class = "sub", say("newest first")),
        event_table(shown, view()$columns, view()$zone),
        footer = pager(session$ns, pages$place(), nrow(shown), total(), nrow(rows) > event_rows)
      )
    }))
    output$when <- shiny::renderUI(drawn(view, function() {
      rows <- ask("series", asked(), view()$bucket)
      # The table below says in words why there is nothing.
      if (sum(rows$events) > 0) when_panel(view(), rows)
    }))
    output$csv_words <- shiny::renderUI(drawn(view, function() {
      tags$span("data-testid" = "csv-rows", "data-value" = exact(total()),
                sayf("CSV (%s rows)", fmt_count(total())))
    }))
    output$csv_note <- shiny::renderUI(drawn(view, function() {
      if (is.null(failed())) return(NULL)
      tags$div(class = "callout bad", role = "alert", "data-testid" = "csv-failed", failed())
    }))
    output$csv <- shiny::downloadHandler(
      filename = function() csv_name(view()), contentType = "text/csv; charset=utf-8",
      content = function(file) {
        failed(NULL)
        promises::catch(export(view(), file), function(error) {
          message("dashboard: ", conditionMessage(error))
          failed(in_language(view()$lang, say(
            "The file could not be made whole, so nothing was saved. Try again, or a shorter range."
          )))
          stop(error)
        })
      }
    )
  })
}
