# The first page: headline numbers, their course, and what they are made of.

mod_overview_ui <- function(id) {
  ns <- shiny::NS(id)
  shiny::tagList(
    tags$h1(class = "visually-hidden", say("Overview")),
    loading(ns("yesterday"), 20L),
    loading(ns("kpis"), 116L),
    loading(ns("series"), 300L),
    bslib::layout_columns(
      col_widths = bslib::breakpoints(sm = 12, lg = c(4, 3, 5)),
      loading(ns("mix"), 260L),
      tags$div(class = "stack", loading(ns("login"), 120L), loading(ns("steps"), 120L)),
      loading(ns("heat"), 260L)
    )
  )
}

# Each headline: key, term of its definition, how it is counted, whether it is a rate, what is good.
headlines <- list(
  list(key = "visitors", title = "Visitors", rate = FALSE, good = 1),
  list(key = "sessions", title = "Sessions", rate = FALSE, good = 1,
       of = function(x) {
         robots <- x$robot_sessions
         if (robots > 0) apart("robots", robots, say("more by robots, left out"))
       }),
  list(key = "conversion", title = "Conversion rate", rate = TRUE, good = 1,
       column = "conversion_rate", base = "sessions", digits = 2L),
  list(key = "cart", title = "Add-to-cart rate", rate = TRUE, good = 1,
       column = "add_to_cart_rate", base = "product_view_sessions", digits = 1L,
       of = function(x) {
         unviewed <- x$adds_without_view_sessions
         shiny::tagList(
           sayf("%s of %s sessions that viewed", fmt_count(x$add_sessions),
                fmt_count(x$product_view_sessions)),
           if (unviewed > 0) apart("unviewed", unviewed, say("more added without a view"))
         )
       }),
  list(key = "bounce", title = "Bounce rate", rate = TRUE, good = -1,
       column = "bounce_rate", base = "sessions", digits = 1L,
       of = function(x) {
         sayf("%s of %s sessions", fmt_count(x$sessions - x$engaged_sessions),
              fmt_count(x$sessions))
       }),
  list(key = "events", title = "Events", rate = FALSE, good = 1)
)

# What a headline leaves out, in a line of its own.
apart <- function(key, count, words) {
  tags$span(class = "apart", "data-testid" = paste0("kpi-", key), "data-value" = exact(count),
            paste(fmt_count(count), words))
}

series_values <- function(rows, key) {
  if (key == "conversion") {
    return(ifelse(rows$sessions > 0, rows$converted_sessions / rows$sessions, 0))
  }
  if (key %in% names(measures)) rows[[key]] else NULL
}

headline_cell <- function(spec, now, before, series, series_before, chosen) {
  column <- if (is.null(spec$column)) spec$key else spec$column
  value <- now[[column]]
  was <- before[[column]]
  words <- function(x) if (spec$rate) fmt_rate(x, spec$digits) else fmt_count(x)
  change <- change_words(value, was, rate = spec$rate, good = spec$good,
                         n = if (spec$rate) c(now[[spec$base]], before[[spec$base]]))
  picks <- spec$key %in% names(measures)
  shape <- series_values(series, spec$key)
  of <- if (!is.null(spec$of)) spec$of(now)
  tags$div(
    class = "kpi", "aria-current" = if (picks && chosen == spec$key) "true",
    "data-testid" = paste0("kpi-", spec$key), "data-value" = exact(value),
    tags$div(
      class = "k",
      if (picks) {
        tags$a(href = paste0("#measure=", spec$key), "data-pick" = "measure",
               "data-value" = spec$key, say(spec$title))
      } else {
        tags$span(say(spec$title))
      },
      info(spec$title, definitions[[spec$key]])
    ),
    tags$span(class = "x", words(value)),
    tags$div(class = "d", change_tag(change),
             tags$span(class = "was", if (is.null(change)) {
               say("nothing to compare")
             } else {
               sayf("was %s", words(was))
             })),
    if (!is.null(shape) && any(shape > 0)) {
      sparkline(shape[!series$provisional], series_values(series_before, spec$key),
                sayf("%s of the complete buckets, and of the period before", say(spec$title)))
    },
    if (!is.null(of)) tags$span(class = "of sub", of)
  )
}

headline_strip <- function(now, before, series, series_before, view) {
  first <- first_drawn(series, series_before, view$zone)
  series <- series[seq(first, nrow(series)), ]
  if (sum(series_before$events) == 0) series_before <- series_before[0L, ]
  tags$section(
    class = "card kpis", "aria-label" = say("Headline numbers against the period before"),
    lapply(headlines, headline_cell, now = now, before = before, series = series,
           series_before = series_before, chosen = view$measure)
  )
}

series_tips <- function(view, now, was, words, states) {
  value <- now[[view$measure]]
  before <- if (is.null(was)) rep(NA, length(value)) else was[seq_along(value)]
  paste0(
    "<b>", escape(words), "</b><br>", fmt_count(value), " ",
    tolower(say(measures[[view$measure]])),
    ifelse(now$provisional, paste0(", ", say("still open")), ""),
    ifelse(is.na(before), "", paste0("<br>", say("before"), ": ", fmt_count(before))),
    ifelse(states %in% c("complete", "open"), "",
           paste0("<br>", say(unname(bucket_state_words[states]))))
  )
}

series_title <- function(view) {
  sayf("%s by %s", say(measures[[view$measure]]), tolower(say(buckets[[view$bucket]])))
}

#' @param hours A function of the buckets' starts: rows of bucket_hours.
series_panel <- function(view, now, before, hours) {
  first <- first_drawn(now, before, view$zone)
  now <- now[seq(first, nrow(now)), ]
  states <- bucket_states(hours(now$bucket_at), nrow(now))
  was <- if (sum(before$events) > 0) before[[view$measure]]
  words <- bucket_words(now$bucket_at, view$bucket, view$zone)
  title <- series_title(view)
  chart <- line_chart(
    now[[view$measure]], now$provisional, was, axis_marks(now$bucket_at, view$bucket, view$zone),
    series_tips(view, now, was, words, states), paste(title, range_words(view))
  )
  rows <- data.frame(words, fmt_count(now$events), fmt_count(now$visitors), fmt_count(now$sessions),
                     fmt_count(now$converted_sessions), say(unname(bucket_state_words[states])))
  panel(
    title, term = view$measure,
    beside = tags$span(
      class = "keys", tags$span(class = "key", range_words(view)),
      if (is.null(was)) {
        tags$span(class = "sub", if (first > 1L) {
          sayf("first events on %s", axis_day(now$bucket_at[1L], view$zone))
        } else {
          say("no events in the period before")
        })
      } else {
        tags$span(class = "key p", say("period before"))
      },
      if (any(now$provisional)) tags$span(class = "key h", say("still open"))
    ),
    end = bucket_switch(view),
    tags$div("data-testid" = "series", "data-value" = sum(now[[view$measure]]), chart),
    completeness_strip(states),
    as_table(c("From", "Events", "Visitors", "Sessions", "Converted", "Completeness"), rows),
    footer = tags$div(
      class = "strip-foot", strip_keys(states), info("Completeness", definitions[["complete"]]),
      if (any(states == "gap")) {
        tags$span(sayf("Data is missing in %s: an operator loads it, make backfill.",
                       paste(words[states == "gap"][1L],
                             if (sum(states == "gap") > 1L) {
                               sayf("and %d more", sum(states == "gap") - 1L)
                             })))
      }
    )
  )
}

# The first line: yesterday against the same weekday a week before.
yesterday_line <- function(day, now, before, view) {
  part <- function(name, words, change) {
    shiny::tagList(
      paste0(name, " "), tags$b(words, .noWS = "outside"), if (!is.null(change)) " ",
      change_tag(change)
    )
  }
  n <- c(now$sessions, before$sessions)
  compared <- before$events > 0
  tags$p(
    class = "yesterday", "data-testid" = "yesterday", "data-value" = now$visitors,
    tags$b(sayf("Yesterday, %s", week_day(day)), .noWS = "outside"),
    if (compared) say(", against the same day a week before: ") else ": ",
    part(say("visitors"), fmt_count(now$visitors),
         change_words(now$visitors, before$visitors)), ", ",
    part(say("sessions"), fmt_count(now$sessions),
         change_words(now$sessions, before$sessions)), ", ",
    part(say("conversion"), fmt_rate(now$conversion_rate, 2L),
         change_words(now$conversion_rate, before$conversion_rate, rate = TRUE, n = n)),
    ".", if (!compared) {
      tags$span(class = "sub", paste0(" ", say("Nothing is loaded of the same day a week before.")))
    }
  )
}

# The closed funnel in short; its page has the whole.
steps_panel <- function(rows) {
  first <- rows$closed_sessions[1L]
  panel(
    "Closed funnel", term = "funnel", folds = TRUE,
    end = tags$a(href = "?page=funnel", "data-goto" = "funnel", say("Open the funnel")),
    bar_list(data.frame(
      key = rows$event_name, label = event_label(rows$event_name), value = rows$closed_sessions,
      words = fmt_rate(if (first > 0) rows$closed_sessions / first else NA)
    ), "steps")
  )
}

mix_panel <- function(rows) {
  total <- sum(rows$events)
  shown <- data.frame(
    key = rows$event_name, label = event_label(rows$event_name, rows$label), value = rows$events,
    words = fmt_rate(rows$events / total)
  )
  panel("Events", term = "mix", bar_list(shown, "event-mix"), folds = TRUE)
}

# A state keeps its colour whatever its rank.
login_colours <- c(
  logged_in = "c1", anonymous = "soft", guest = "c3", other = "c5", "not set" = "c7"
)

login_panel <- function(rows) {
  total <- sum(rows$sessions)
  label <- state_label_of(rows$login_state)
  colour <- login_colours[rows$login_state]
  panel(
    "Login state", term = "login", folds = TRUE,
    tags$div(class = "split", "aria-hidden" = "true", lapply(seq_len(nrow(rows)), function(i) {
      tags$span(class = colour[i], style = sprintf("--v:%.1f%%", 100 * rows$sessions[i] / total))
    })),
    tags$table(
      class = "table flush", "data-testid" = "login-states",
      tags$thead(tags$tr(
        tags$th(scope = "col", tags$span(class = "visually-hidden", say("Login state"))),
        lapply(say(c("Sessions", "Of all", "Conversion")), tags$th, scope = "col", class = "num")
      )),
      tags$tbody(lapply(seq_len(nrow(rows)), function(i) {
        tags$tr(
          "data-key" = rows$login_state[i], "data-value" = rows$sessions[i],
          tags$th(scope = "row", tags$a(
            class = paste("key s login-link", colour[i]),
            href = paste0("?login=", rows$login_state[i]),
            "data-pick" = "login", "data-value" = rows$login_state[i], label[i]
          )),
          tags$td(class = "num", fmt_count(rows$sessions[i])),
          tags$td(class = "num muted", fmt_rate(rows$sessions[i] / total)),
          tags$td(class = "num", fmt_rate(rows$converted_sessions[i] / rows$sessions[i], 2L))
        )
      }))
    )
  )
}

heat_panel <- function(rows) {
  top <- max(rows$sessions_per_hour, na.rm = TRUE)
  panel(
    "Sessions by hour and weekday", term = "heat", folds = TRUE,
    end = tags$span(
      class = "sub ramp", "aria-hidden" = "true", tags$span("0"),
      lapply(0:6, function(step) tags$i(class = paste0("q", step))), tags$span(fmt_mean(top))
    ),
    heat_table(rows, top),
    footer = say("Sessions that start in an hour, per day; whole days only, today when it is over.")
  )
}

mod_overview_server <- function(id, view, ask) {
  stopifnot(shiny::is.reactive(view), is.function(ask))
  shiny::moduleServer(id, function(input, output, session) {
    before <- function() previous_range(view(), ask("freshness")$data_until)
    output$yesterday <- shiny::renderUI(drawn(view, function() {
      ranges <- yesterday_ranges(view(), Sys.time())
      yesterday_line(ranges$day, ask("kpis", ranges$now), ask("kpis", ranges$before), view())
    }))
    output$kpis <- shiny::renderUI(drawn(view, function() {
      range <- view_range(view())
      headline_strip(
        ask("kpis", range), ask("kpis", before()), ask("series", range, view()$bucket),
        ask("series", before(), view()$bucket), view()
      )
    }))
    output$series <- shiny::renderUI(drawn(view, function() {
      now <- ask("series", view_range(view()), view()$bucket)
      if (sum(now$events) == 0) {
        return(panel(series_title(view()), empty_words(view())))
      }
      series_panel(view(), now, ask("series", before(), view()$bucket), function(edges) {
        ask("bucket_hours", edges, view_range(view())$to)
      })
    }))
    # The headlines answer a click first; what lies below the chart follows in the next flush.
    below <- shiny::debounce(view, 10)
    output$mix <- shiny::renderUI(drawn(view, function() {
      rows <- ask("event_mix", view_range(below()))
      if (nrow(rows)) mix_panel(rows) else panel("Events", empty_words(below()))
    }))
    output$login <- shiny::renderUI(drawn(view, function() {
      rows <- ask("login_states", view_range(below()))
      if (nrow(rows)) login_panel(rows) else panel("Login state", empty_words(below()))
    }))
    output$heat <- shiny::renderUI(drawn(view, function() {
      rows <- ask("heatmap", view_range(below()))
      if (!nrow(rows) || sum(rows$sessions) == 0) {
        words <- say("No whole day of this range has a session that passes the filter.")
        return(panel("Sessions by hour and weekday", state_words("Nothing here", words)))
      }
      heat_panel(rows)
    }))
    output$steps <- shiny::renderUI(drawn(view, function() {
      rows <- ask("funnel", view_range(below()))
      if (sum(rows$closed_sessions) == 0) return(NULL)
      steps_panel(rows)
    }))
  })
}
