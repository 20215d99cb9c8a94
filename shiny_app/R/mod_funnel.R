# From a product's page to a completed checkout: in order, and in any order.

# What the heights of the steps are shares of.
heights <- c(first = "Of the first step", before = "Of the step before")

# What the closed funnel is split by: a field of the warehouse's function.
splits <- c(
  login_state = "Login state", category = "Category", brand = "Brand",
  new_returning = "New / returning"
)
split_rows <- 6L
usual_steps <- c("product_view", "add_to_cart_click", "checkout_start", "checkout_complete")
# How many steps a funnel may have.
step_counts <- 2:6
# Other steps than the usual ones are read from the events of the range's sessions: everybody waits.
step_days <- 31L

mod_funnel_ui <- function(id) {
  ns <- shiny::NS(id)
  shiny::tagList(
    tags$h1(class = "visually-hidden", say("Funnel")),
    loading(ns("steps"), 34L), loading(ns("funnel"), 420L), loading(ns("split"), 190L),
    loading(ns("left"), 180L)
  )
}

#' Which steps: a menu for each, and one for one more
#'
#' @param choices Values and labels of event names. @param steps Names, those of the funnel shown.
step_editor <- function(choices, steps) {
  labels <- event_label(choices$value, choices$label)
  menu <- function(place, chosen, title, first = NULL) {
    tags$select(
      class = "ctl", "data-step" = place, "aria-label" = title, "data-shiny-no-bind-input" = NA,
      first, markup('<option value="', escape(choices$value), '"',
                    ifelse(choices$value %in% chosen, " selected", ""), ">", escape(labels),
                    "</option>")
    )
  }
  n <- length(steps)
  tags$div(
    class = "steps", role = "group", "aria-label" = say("Steps"), "data-testid" = "steps",
    "data-steps" = as.character(jsonlite::toJSON(steps)),
    "data-usual" = as.character(jsonlite::toJSON(usual_steps)),
    tags$span(class = "sub", say("Steps")),
    lapply(seq_len(n), function(i) {
      tags$span(
        class = "one-step", menu(i, steps[i], sayf("Step %d", i)),
        if (n > min(step_counts)) {
          tags$button(type = "button", class = "ctl quiet", "data-step-off" = i,
                      "aria-label" = sayf("Remove step %d", i), "\u00d7")
        }
      )
    }),
    if (n < max(step_counts)) {
      menu(n + 1L, NULL, say("Add a step"), tags$option(value = "", say("Add a step")))
    },
    if (!identical(steps, usual_steps)) {
      tags$button(type = "button", class = "ctl quiet", "data-step-off" = "all",
                  say("Usual steps"))
    }
  )
}

# Words under the closed funnel: who left between a step and the next, and who may still go on.
left_words <- function(rows) {
  # An open session has not left: it is missing above and below the line.
  rate <- rows$left_sessions / (rows$closed_sessions - rows$still_open_sessions)
  lapply(seq_len(nrow(rows)), function(i) {
    if (is.na(rows$left_sessions[i]) || rows$closed_sessions[i] == 0) return(NULL)
    open <- rows$still_open_sessions[i]
    shiny::tagList(
      tags$b("data-value" = exact(rate[i]),
             paste0(if (!is.na(rate[i])) "\u25bc \u2212", fmt_rate(rate[i]))),
      tags$span(sayf("%s left", fmt_count(rows$left_sessions[i]))),
      if (open > 0) tags$span(sayf("%s still open", fmt_count(open))),
      tags$span(sayf("median %s", fmt_seconds(rows$median_seconds[i + 1L])))
    )
  })
}

#' Who left where: of the usual steps each count is a link to those sessions
left_panel <- function(rows) {
  linked <- identical(rows$event_name, usual_steps)
  n <- nrow(rows) - 1L
  first <- rows$closed_sessions[1L]
  numbers <- say(c("Sessions", "Of the first step", "Still open", "Median to the next step"))
  number <- function(k, words) tags$td(class = "num", "data-label" = numbers[k], words)
  panel(
    "Who left where", term = "funnel", folds = TRUE,
    sideways("Who left where", tags$table(
      class = "table stacks", "data-testid" = "who-left",
      tags$thead(tags$tr(
        tags$th(scope = "col", say("Left after")),
        lapply(numbers, tags$th, scope = "col", class = "num"),
        if (linked) tags$th(scope = "col", say("Look at"))
      )),
      tags$tbody(lapply(seq_len(n), function(i) {
        left <- rows$left_sessions[i]
        tags$tr(
          "data-key" = if (linked) left_outcomes[i] else i, "data-value" = exact(left),
          tags$td(event_label(rows$event_name[i])), number(1L, fmt_count(left)),
          number(2L, fmt_rate(if (first > 0) left / first else NA)),
          number(3L, fmt_count(rows$still_open_sessions[i])),
          number(4L, fmt_seconds(rows$median_seconds[i + 1L])),
          if (linked) {
            tags$td("data-label" = say("Look at"), tags$a(
              href = paste0("?page=sessions&outcome=", left_outcomes[i]), "data-goto" = "sessions",
              "data-outcome" = left_outcomes[i], sayf("%s sessions", fmt_count(left))
            ))
          }
        )
      }))
    ))
  )
}
left_outcomes <- c("left_view", "left_add", "left_checkout")

order_words <- function(rows) {
  apart <- rows$open_sessions - rows$closed_sessions
  lapply(apart, function(count) {
    if (count == 0) return(shiny::tagList(tags$b("\u00b10"), tags$span(say("same as in order"))))
    shiny::tagList(tags$b(paste0("+", fmt_count(count))), tags$span(say("not in order")))
  })
}

#' @param of A name of `heights`.
funnel_panels <- function(rows, of) {
  n <- nrow(rows)
  names <- event_label(rows$event_name)
  first <- rows$closed_sessions[1L]
  table <- data.frame(
    names, fmt_count(rows$closed_sessions), fmt_count(rows$left_sessions),
    fmt_count(rows$still_open_sessions), fmt_count(rows$open_sessions),
    ifelse(rows$step == 1L, dash, fmt_seconds(rows$median_seconds)),
    fmt_rate(step_share(rows$closed_sessions, "first")),
    fmt_rate(step_share(rows$closed_sessions, "before")),
    fmt_rate(step_share(rows$open_sessions, "first")),
    fmt_rate(step_share(rows$open_sessions, "before"))
  )
  tags$div(
    class = "halves",
    panel(
      "Closed: every step in order", term = "funnel",
      end = segment("heights", "Heights", heights, class = "seg small", chosen = of),
      tags$p(class = "lead-line",
             tags$b(fmt_rate(if (first > 0) rows$closed_sessions[n] / first else NA, 2L)),
             sayf("of sessions with a %s complete every step in order", tolower(names[1L]))),
      funnel_chart(names, rows$closed_sessions, left_words(rows), TRUE,
                   say("Sessions that reached each step in order"), "funnel-closed", of),
      as_table(c("Step", "In order", "Left", "Still open", "Any order", "Median time",
                 "In order, of the first", "In order, of the step before",
                 "Any order, of the first", "Any order, of the step before"), table),
      footer = if ("checkout_complete" %in% rows$event_name) {
        say("Checkout complete is sent by a timer: its time says nothing about shoppers.")
      }
    ),
    panel(
      "Open: reached that step at all", term = "funnel",
      tags$p(class = "lead-line", tags$b(fmt_count(rows$open_sessions[n])),
             sayf("sessions with a %s, in whatever order", tolower(names[n]))),
      funnel_chart(names, rows$open_sessions, order_words(rows), FALSE,
                   say("Sessions that reached each step at all"), "funnel-open", of)
    )
  )
}

split_label <- function(split, rows) {
  switch(split,
    login_state = state_label_of(rows$value),
    new_returning = say(unname(c(new = "new", returning = "returning",
                                 "not set" = "not set")[rows$value])),
    ifelse(rows$value == "not set", say("Not set"), rows$label)
  )
}

#' One value's funnel: what share goes on at each step, ticked at that of all sessions
#'
#' @param counts,all Sessions by step, of this value and of all.
split_cell <- function(key, label, counts, all, steps) {
  n <- length(counts)
  went_on <- step_share(counts, "before")[-1L]
  of_all <- step_share(all, "before")[-1L]
  width <- function(share) sprintf("%.1f%%", 100 * pmin(ifelse(is.na(share), 0, share), 1))
  tags$div(
    "data-key" = key, "data-value" = exact(counts[n]),
    "data-counts" = paste(exact(counts), collapse = " "), tags$h3(title = label, label),
    tags$span(class = "big", fmt_rate(step_share(counts)[n], 2L)), " ",
    tags$span(class = "sub", sayf("of %s", fmt_count(counts[1L]))),
    lapply(seq_len(n - 1L), function(i) {
      tags$div(
        class = "rate", tags$span(paste(steps[i], "\u2192", steps[i + 1L])),
        tags$span(fmt_rate(went_on[i])),
        tags$span(class = "t",
                  style = sprintf("--v:%s;--avg:%s", width(went_on[i]), width(of_all[i])))
      )
    })
  )
}

split_panel <- function(view, rows, all) {
  steps <- say(c("View", "Cart", "Checkout", "Done"))
  counts <- as.matrix(rows[c("view_sessions", "add_sessions", "start_sessions",
                             "complete_sessions")])
  labels <- split_label(view$split, rows)
  table <- data.frame(labels, matrix(fmt_count(counts), nrow(counts)),
                      fmt_rate(counts[, 4L] / counts[, 1L], 2L))
  panel(
    "Closed funnel, split", term = "split", folds = TRUE,
    end = segment("split", "Split by", splits, class = "seg small wraps", chosen = view$split),
    if (nrow(rows)) {
      shiny::tagList(
        tags$div(class = "multi", "data-testid" = "funnel-split", lapply(
          seq_len(nrow(rows)),
          function(i) split_cell(rows$value[i], labels[i], counts[i, ], all, steps)
        )),
        as_table(c("Value", "Product view", "Add to cart", "Checkout start", "Checkout complete",
                   "All steps"), table)
      )
    } else {
      state_words("Nothing here", "No session of this range has a product view.")
    },
    footer = if (view$split %in% c("category", "brand")) {
      sayf("The %d most viewed; a session counts whole for each that it has.", split_rows)
    }
  )
}

mod_funnel_server <- function(id, view, ask) {
  stopifnot(shiny::is.reactive(view), is.function(ask))
  shiny::moduleServer(id, function(input, output, session) {
    # Only with steps of choice does the question name them: the usual ones are the rollups'.
    other_steps <- function() length(view()$steps) && !identical(view()$steps, usual_steps)
    too_long <- function() other_steps() && view()$days > step_days
    funnel <- function() {
      if (other_steps()) return(ask("funnel", view_range(view()), view()$steps))
      ask("funnel", view_range(view()))
    }
    output$steps <- shiny::renderUI(drawn(view, function() {
      steps <- view()$steps
      step_editor(ask("choices", "event_name"), if (length(steps)) steps else usual_steps)
    }))
    output$funnel <- shiny::renderUI(drawn(view, function() {
      if (too_long()) {
        words <- sayf("Steps of choice are for ranges of at most %d days.", step_days)
        return(panel("Funnel", state_words("This range is too long", words, id = "too-long")))
      }
      rows <- funnel()
      if (!nrow(rows) || sum(rows$open_sessions) == 0) return(panel("Funnel", empty_words(view())))
      funnel_panels(rows, view()$heights)
    }))
    output$split <- shiny::renderUI(drawn(view, function() {
      if (too_long()) return(NULL)
      range <- view_range(view())
      all <- funnel()
      if (!identical(all$event_name, usual_steps)) {
        words <- say("The split and the lists of sessions are of the usual four steps.")
        return(panel("Closed funnel, split", folds = TRUE, tags$p(class = "muted", words)))
      }
      if (!nrow(all) || sum(all$open_sessions) == 0) return(NULL)
      split_panel(view(), ask("funnel_split", range, view()$split, split_rows),
                  all$closed_sessions)
    }))
    output$left <- shiny::renderUI(drawn(view, function() {
      if (too_long()) return(NULL)
      rows <- funnel()
      if (nrow(rows) && sum(rows$open_sessions) > 0) left_panel(rows)
    }))
  })
}
