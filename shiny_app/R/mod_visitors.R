# Who comes, who comes back, and what their sessions are like.

cohorts <- c(day = "Day", week = "Week")
# Shorter ranges show this many cohorts all the same; longer ones at most so many.
cohort_rows <- list(day = c(14L, 31L), week = c(8L, 26L))

mod_visitors_ui <- function(id) {
  ns <- shiny::NS(id)
  shiny::tagList(
    tags$h1(class = "visually-hidden", say("Visitors")),
    loading(ns("strip"), 90L),
    bslib::layout_columns(
      col_widths = bslib::breakpoints(sm = 12, lg = c(5, 7)),
      loading(ns("fresh"), 280L), loading(ns("retention"), 280L)
    ),
    loading(ns("shapes"), 200L)
  )
}

visitor_strip <- function(facts, before, kpis, kpis_before) {
  count <- function(key, term, now, was) {
    small_cell(say(term), fmt_count(now), paste0("visitor-", key), now, definitions[[key]],
               change_tag(change_words(now, was)))
  }
  other <- function(key, term, value, words, was) {
    small_cell(say(term), words(value), paste0("visitor-", key), value, definitions[[key]],
               if (!is.na(was)) tags$span(class = "was", sayf("was %s", words(was))))
  }
  tags$section(
    class = "card kpis small", "aria-label" = say("Visitors against the period before"),
    count("visitors", "Visitors", kpis$visitors, kpis_before$visitors),
    count("new", "New visitors", facts$new_visitors, before$new_visitors),
    count("returning", "Returning visitors", facts$returning_visitors, before$returning_visitors),
    other("per_visitor", "Sessions per visitor", facts$sessions_per_visitor, fmt_ratio,
          before$sessions_per_visitor),
    other("length", "Session length (median)", facts$median_seconds, fmt_seconds,
          before$median_seconds),
    other("depth", "Views per session", facts$depth, fmt_ratio, before$depth)
  )
}

fresh_panel <- function(view, rows) {
  words <- bucket_words(rows$bucket_at, view$bucket, view$zone)
  tips <- paste0("<b>", escape(words), "</b><br>", say("new"), ": ", fmt_count(rows$new_visitors),
                 "<br>", say("returning"), ": ", fmt_count(rows$returning_visitors))
  table <- data.frame(
    words, fmt_count(rows$new_visitors), fmt_count(rows$returning_visitors),
    fmt_count(rows$new_sessions), fmt_count(rows$returning_sessions),
    fmt_count(rows$unset_sessions)
  )
  panel(
    "New and returning visitors", term = "new",
    end = bucket_switch(view),
    beside = tags$span(
      class = "keys", tags$span(class = "key s", say("new")),
      tags$span(class = "key s soft", say("returning")),
      if (any(rows$provisional)) tags$span(class = "key h", say("still open"))
    ),
    tags$div(
      "data-testid" = "new-returning",
      "data-value" = sum(rows$new_visitors),
      columns_chart(rows$new_visitors, rows$returning_visitors, rows$provisional,
                    axis_marks(rows$bucket_at, view$bucket, view$zone), tips,
                    say("New and returning visitors"))
    ),
    as_table(c("From", "New visitors", "Returning visitors", "New sessions",
               "Returning sessions", "Sessions without a client"), table),
    footer = if (any(rows$marked)) {
      say("Within 30 days of the first data old visitors look new.")
    }
  )
}

#' The range whose cohorts are shown: that of the view, but not too few and not too many
cohort_range <- function(view) {
  days <- if (view$cohort == "week") 7L else 1L
  rows <- pmin(pmax(view$days, cohort_rows[[view$cohort]][1L] * days),
               cohort_rows[[view$cohort]][2L] * days)
  view$first_day <- view$last_day - rows + 1L
  view_range(view)
}

cohort_words <- function(epoch, cohort, zone) {
  first <- local_day(epoch, zone)
  if (cohort == "day") short_day(first) else paste(short_day(first), dash, short_day(first + 6L))
}

#' Cohorts by rows, what came back by columns; future cells are blank, open ones hatched
retention_table <- function(rows, cohort, zone) {
  starts <- unique(rows$cohort_at)
  last <- max(rows$number)
  later <- rows[rows$number > 0 & !rows$provisional & !is.na(rows$rate), ]
  top <- max(later$rate, 0.001)
  lines <- vapply(starts, function(start) {
    mine <- rows[rows$cohort_at == start, ]
    size <- mine[match(0L, mine$number), ]
    cells <- mine[match(seq_len(last), mine$number), ]
    shade <- paste0("q", pmin(6, round(6 * cells$rate / top)))
    class <- ifelse(is.na(cells$number) | is.na(cells$rate), "none",
                    ifelse(cells$provisional, "part", shade))
    words <- ifelse(is.na(cells$number), "", fmt_rate(cells$rate))
    open <- ifelse(class == "part",
                   paste0('<span class="visually-hidden"> ', say("still open"), "</span>"), "")
    paste0(
      '<tr data-key="', exact(start), '" data-value="', exact(size$cohort), '"><th scope="row">',
      cohort_words(start, cohort, zone), '</th><td class="size', if (size$provisional) " part",
      '">', fmt_count(size$cohort), "</td>",
      paste0('<td class="', class, '" data-returned="', exact(cells$returned), '">', words, open,
             "</td>", collapse = ""), "</tr>"
    )
  }, "")
  sideways("Retention", tags$table(
    class = "tri", "data-testid" = "retention",
    tags$thead(tags$tr(
      tags$th(scope = "col", say(if (cohort == "week") "First week" else "First day")),
      tags$th(scope = "col", say("Visitors")), lapply(seq_len(last), tags$th, scope = "col")
    )),
    tags$tbody(markup(lines))
  ))
}

retention_panel <- function(view, rows) {
  panel(
    "Retention", term = "retention", folds = TRUE,
    end = segment("cohort", "Cohort", cohorts, class = "seg small", chosen = view$cohort),
    retention_table(rows, view$cohort, view$zone),
    footer = tags$span(
      if (view$cohort == "week") say("Weeks begin on Monday."), " ",
      tags$span(class = "key h", say("still open"))
    )
  )
}

shape_labels <- list(
  sessions = c("1" = "1 session", "2" = "2 sessions", "3" = "3 sessions", "4" = "4 sessions",
               "5" = "5 sessions", "6" = "6 sessions or more"),
  length = c("1" = "up to 10 s", "2" = "11\u201360 s", "3" = "1\u20135 min",
             "4" = "5\u201315 min", "5" = "15\u201330 min", "6" = "over 30 min"),
  depth = c("0" = "no view", "1" = "1 view", "2" = "2 views", "3" = "3\u20134 views",
            "4" = "5\u20139 views", "5" = "10\u201319 views", "6" = "20 views or more")
)

shape_panel <- function(rows, shape, title, term) {
  mine <- rows[rows$shape == shape, ]
  labels <- shape_labels[[shape]]
  amount <- mine$amount[match(names(labels), mine$place)]
  amount[is.na(amount)] <- 0
  total <- sum(amount)
  panel(say(title), term = term, folds = TRUE, bar_list(data.frame(
    key = names(labels), label = say(unname(labels)), value = amount,
    words = fmt_rate(if (total > 0) amount / total else NA)
  ), paste0("shape-", shape)))
}

mod_visitors_server <- function(id, view, ask) {
  stopifnot(shiny::is.reactive(view), is.function(ask))
  shiny::moduleServer(id, function(input, output, session) {
    output$strip <- shiny::renderUI(drawn(view, function() {
      range <- view_range(view())
      before <- previous_range(view(), ask("freshness")$data_until)
      visitor_strip(ask("visitor_facts", range), ask("visitor_facts", before), ask("kpis", range),
                    ask("kpis", before))
    }))
    output$fresh <- shiny::renderUI(drawn(view, function() {
      rows <- ask("new_returning", view_range(view()), view()$bucket)
      if (sum(rows$new_visitors, rows$returning_visitors) == 0) {
        return(panel("New and returning visitors", empty_words(view())))
      }
      fresh_panel(view(), rows)
    }))
    output$retention <- shiny::renderUI(drawn(view, function() {
      rows <- ask("retention", cohort_range(view()), view()$cohort)
      if (sum(rows$cohort) == 0) return(panel("Retention", empty_words(view())))
      # Not the days or weeks before the first visitor.
      retention_panel(view(), rows[rows$cohort_at >= min(rows$cohort_at[rows$cohort > 0]), ])
    }))
    output$shapes <- shiny::renderUI(drawn(view, function() {
      rows <- ask("session_shapes", view_range(view()))
      if (!nrow(rows)) return(NULL)
      tags$div(
        class = "thirds",
        shape_panel(rows, "sessions", "Sessions of a visitor", "per_visitor"),
        shape_panel(rows, "length", "Length of sessions", "length"),
        shape_panel(rows, "depth", "Views of sessions", "depth")
      )
    }))
  })
}
