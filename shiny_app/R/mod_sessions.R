# Sessions, the newest first, by how they ended; and one of them, event by event.

session_rows <- 25L
trail_rows <- 500L
outcomes <- c(
  all = "All", converted = "Converted", bounced = "Bounced", left_view = "Left after a view",
  left_add = "Left the cart", left_checkout = "Left the checkout"
)

mod_sessions_ui <- function(id) {
  ns <- shiny::NS(id)
  shiny::tagList(
    tags$h1(class = "visually-hidden", say("Sessions")),
    bslib::layout_columns(
      col_widths = bslib::breakpoints(sm = 12, lg = c(8, 4)),
      loading(ns("list"), 420L), loading(ns("one"), 420L)
    )
  )
}

#' How many sessions there are of an outcome: the numbers of the other pages
outcome_count <- function(outcome, kpis, funnel) {
  switch(outcome,
    all = kpis$sessions,
    converted = kpis$converted_sessions,
    bounced = kpis$sessions - kpis$engaged_sessions,
    funnel$left_sessions[match(outcome, c("left_view", "left_add", "left_checkout"))]
  )
}

outcome_words <- function(rows) {
  words <- ifelse(rows$is_engaged, say("no cart"), say("bounced"))
  words[rows$has_add] <- say("left the cart")
  words[rows$has_checkout_start] <- say("left the checkout")
  words[rows$is_open] <- say("still open")
  words[rows$is_completed] <- say("checkout complete")
  words
}

session_table <- function(rows, zone, chosen) {
  name <- session_name(rows$session_no, rows$started_at)
  kind <- ifelse(is.na(rows$is_new), say("not set"), ifelse(rows$is_new, say("new"),
                                                            say("returning")))
  sideways("Sessions", tags$table(
    class = "table table-hover", "data-testid" = "sessions",
    tags$thead(tags$tr(
      lapply(say(c("Start", "Client", "Visitor", "Login state")), tags$th, scope = "col"),
      lapply(say(c("Events", "Length")), tags$th, scope = "col", class = "num"),
      tags$th(scope = "col", say("Outcome"))
    )),
    tags$tbody(markup(
      "<tr", ifelse(rows$session_no %in% chosen, ' class="sel" aria-current="true"', ""),
      ' data-key="', exact(rows$session_no), '" data-value="', exact(rows$events),
      '"><td><a href="?page=sessions&amp;session=', name, '" data-pick="session" data-value="',
      name, '">',
      fmt_moment(rows$started_at, zone), '</a></td><td class="mono cut">',
      escape(ifelse(is.na(rows$client_id), dash, rows$client_id)), "</td><td>", kind, "</td><td>",
      escape(state_label_of(rows$login_state)), '</td><td class="num">', fmt_count(rows$events),
      '</td><td class="num">', fmt_seconds(rows$ended_at - rows$started_at), "</td><td>",
      outcome_words(rows), "</td></tr>"
    ))
  ))
}

state_label_of <- function(state) {
  ifelse(state %in% names(login_states), say(unname(login_states[state])), state)
}

#' Buttons to the page before and after
#'
#' @param from The first row's place, from 1. @param total All rows, or NA.
pager <- function(ns, from, shown, total, more) {
  words <- sayf("%s\u2013%s of %s", fmt_count(from), fmt_count(from + shown - 1L), fmt_count(total))
  button <- function(name, label, off) {
    tags$button(type = "button", class = "ctl", "data-send" = ns("turn"), "data-value" = name,
                disabled = if (off) NA, label)
  }
  tags$div(
    class = "pager", tags$span(class = "sub", role = "status", words),
    button("newer", say("Newer"), from == 1L), button("older", say("Older"), !more)
  )
}

#' Turns pages of rows that are asked for by the last row of the page before
#'
#' @param input Of the module: its `turn` is newer or older. @param view A reactive: whatever
#'   changes in it begins at the first page. @param rows On a page.
#' @param ask_page A function of a cursor: rows, one more than on a page where there are more.
#' @param cursor_at A function of a row: the cursor of what comes after it.
#' @return A list of functions: found() of the page shown, as ask_page gives it, and place() of
#'   its first row.
page_turner <- function(input, view, rows, ask_page, cursor_at) {
  state <- shiny::reactiveVal(list())
  passed <- function() if (identical(state()$view, view())) state()$passed else list()
  found <- function() ask_page(if (length(passed())) passed()[[length(passed())]])
  shiny::observeEvent(input$turn, {
    page <- tryCatch(found(), db_error = function(error) NULL)
    if (is.null(page) || !nrow(page)) return()
    before <- passed()
    after <- if (input$turn == "older") {
      c(before, list(cursor_at(page[min(nrow(page), rows), ])))
    } else {
      utils::head(before, -1L)
    }
    state(list(view = view(), passed = after))
  })
  list(found = found, place = function() length(passed()) * rows + 1L)
}

trail_line <- function(row, zone) {
  carts <- c("add_to_cart_click", "checkout_start", "checkout_complete")
  price <- ifelse(is.na(row$price), "", paste0(" \u00b7 ", fmt_vnd(row$price)))
  product <- if (!is.na(row$product_name)) row$product_name else row$product_id
  tags$li(
    class = if (row$event_name %in% carts) "key1", "data-key" = row$event_id,
    tags$time(fmt_second(row$event_at, zone)), tags$span(class = "m"),
    tags$span(
      event_label(row$event_name),
      if (!is.na(product)) tags$span(class = "sub", paste0(product, price))
    )
  )
}

#' One session: its events in order, waits of more than a minute in words
trail <- function(rows, zone) {
  wait <- c(0, diff(rows$event_at))
  tags$ol(class = "trail", "data-testid" = "trail", lapply(seq_len(nrow(rows)), function(i) {
    shiny::tagList(
      if (wait[i] > 60) {
        tags$li(class = "gap", tags$span(), tags$span(class = "m"),
                tags$span(sayf("%s later", fmt_seconds(wait[i]))))
      },
      trail_line(rows[i, ], zone)
    )
  }))
}

#' The number that a link's session has now
#'
#' @param view A view: session as the link has it, session_at of an event of it.
#' @return A number; NA when no session, or more than one, has an event at that instant.
session_now <- function(view, ask) {
  at <- view$session_at
  same <- function(instants) abs(instants - at) < 1e-6
  if (is.na(at) || any(same(ask("session_events", view$session, trail_rows)$event_at))) {
    return(view$session)
  }
  around <- list(from = iso(as_instant(at - 0.002)), to = iso(as_instant(at + 0.002)),
                 zone = view$zone, filter = "")
  rows <- ask("event_list", around, NULL, 50L)
  found <- unique(rows$session_no[same(rows$event_timestamp) & !is.na(rows$session_no)])
  if (view$session %in% found) return(view$session)
  if (length(found) == 1L) found else NA_real_
}

one_panel <- function(view, ask, number) {
  title <- say("One session, in order")
  if (is.na(view$session)) {
    return(panel(title, state_words("No session chosen",
                                    "Choose the start of one in the list.")))
  }
  if (is.na(number)) {
    words <- say("Sessions were counted anew since it was made, and none has that event now.")
    return(panel(title, state_words("This link is out of date", words, id = "stale-session")))
  }
  rows <- ask("session_events", number, trail_rows)
  if (!nrow(rows)) {
    words <- say("Nothing is stored of this session: it was erased, or is older than what is kept.")
    return(panel(title, state_words("Nothing here", words, id = "no-session")))
  }
  day <- axis_day(rows$event_at[1L], view$zone)
  panel(
    title, end = tags$span(class = "sub", day), trail(rows, view$zone),
    footer = shiny::tagList(
      if (nrow(rows) == trail_rows) tags$p(sayf("The first %s events.", fmt_count(trail_rows))),
      if (number != view$session) {
        tags$p("data-testid" = "renumbered", say(
          "This session was counted anew since the link was made; its events are the same."
        ))
      }
    )
  )
}

mod_sessions_server <- function(id, view, ask) {
  stopifnot(shiny::is.reactive(view), is.function(ask))
  shiny::moduleServer(id, function(input, output, session) {
    asked <- shiny::reactive({
      of <- view()
      list(range = view_range(of), outcome = of$outcome)
    })
    pages <- page_turner(
      input, asked, session_rows,
      ask_page = function(cursor) {
        ask("session_list", asked()$range, asked()$outcome, cursor, session_rows + 1L)
      },
      cursor_at = function(row) list(at = row$started_text, no = exact(row$session_no))
    )
    now <- function() if (is.na(view()$session)) NA_real_ else session_now(view(), ask)
    output$list <- shiny::renderUI(drawn(view, function() {
      rows <- pages$found()
      head <- segment("outcome", "Outcome", outcomes, class = "seg small wraps",
                      chosen = view()$outcome)
      if (!nrow(rows)) return(panel("Sessions", end = head, empty_words(view())))
      shown <- utils::head(rows, session_rows)
      funnel <- if (grepl("^left", asked()$outcome)) ask("funnel", asked()$range)
      total <- outcome_count(asked()$outcome, ask("kpis", asked()$range), funnel)
      panel(
        "Sessions", term = "sessions", beside = tags$span(class = "sub", say("newest first")),
        end = head, session_table(shown, view()$zone, now()),
        footer = pager(session$ns, pages$place(), nrow(shown), total, nrow(rows) > session_rows)
      )
    }))
    output$one <- shiny::renderUI(drawn(view, function() one_panel(view(), ask, now())))
  })
}
