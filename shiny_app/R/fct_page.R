# The frame of the page and its small parts. Pure.

#' A definition behind an (i): by hover, focus and screen reader
info <- function(term, definition) {
  tags$button(
    type = "button", class = "i", "aria-label" = paste0(say(term), ": ", say(definition)),
    "data-def" = say(definition), "i"
  )
}

change_tag <- function(change) {
  if (is.null(change)) return(NULL)
  tags$span(class = paste("delta", change$tone), change$text, .noWS = "outside")
}

#' A card: a headline with its definition, and what is in it
#'
#' @param folds Whether a phone shows the headline alone, until it is asked for the rest.
panel <- function(title, ..., term = NULL, beside = NULL, end = NULL, footer = NULL,
                  folds = FALSE) {
  # Bootstrap's card without bslib's, which brings its scripts along with every answer.
  tags$div(
    class = "card", "data-fold" = if (folds) title, tags$div(
      class = "card-header", tags$h2(say(title)),
      if (!is.null(term)) info(title, definitions[[term]]),
      if (folds) {
        tags$button(type = "button", class = "fold", "data-unfold" = NA, "aria-expanded" = "false",
                    "aria-label" = paste0(say(title), ": ", say("Show or hide")))
      },
      beside, if (!is.null(end)) tags$span(class = "end", end)
    ),
    tags$div(class = "card-body", ...),
    if (!is.null(footer)) tags$div(class = "card-footer", footer)
  )
}

#' One number of a strip, with its definition
small_cell <- function(title, text, key, value, definition, under = NULL) {
  tags$div(
    class = "kpi", "data-testid" = key, "data-value" = exact(value),
    tags$div(class = "k", tags$span(title), info(title, definition)), tags$span(class = "x", text),
    if (!is.null(under)) tags$div(class = "d", under)
  )
}

state_words <- function(strong, text, class = NULL, id = NULL) {
  tags$div(
    class = paste("state", class), "data-testid" = id, role = "status",
    tags$strong(say(strong)), tags$p(say(text))
  )
}

empty_words <- function(view) {
  set <- names(filter_titles)[lengths(view[names(filter_titles)]) > 0L]
  text <- if (length(set) == 1L) {
    sayf("No event passes the filter “%s” in this range. Remove it, or choose a longer range.",
         say(filter_titles[[set]]))
  } else if (length(set)) {
    sayf("No event passes all filters in this range: %s. Remove one, or choose a longer range.",
         paste(say(filter_titles[set]), collapse = ", "))
  } else {
    say("No event was loaded for this range. Choose a longer range, or look at Pipeline.")
  }
  state_words("Nothing here", text, id = "empty")
}

failed_words <- function(reason) {
  slow <- grepl("statement timeout", reason, fixed = TRUE)
  state_words(
    if (slow) "This takes too long" else "No answer from the database",
    if (slow) {
      "The warehouse needs more than ten seconds for this range. Choose a shorter one."
    } else {
      "Nothing is lost. This page asks again and comes back by itself."
    },
    class = "card bad-line", id = "failed-part"
  )
}

retry_ms <- 5000

#' Draw, or say in words that the database failed
#'
#' @param view A reactive: its language is spoken. @param draw A function without arguments that
#'   returns tags.
drawn <- function(view, draw) {
  language <- view()$lang
  tryCatch(in_language(language, draw()), db_error = function(error) {
    message("dashboard: ", conditionMessage(error))
    # What failed while the database as a whole answers is asked again as well.
    shiny::invalidateLater(retry_ms)
    in_language(language, failed_words(conditionMessage(error)))
  })
}

loading <- function(id, height = 132L) {
  shiny::uiOutput(id, container = tags$div, class = "fade-in",
                  tags$span(class = "skel", style = sprintf("height:%dpx", height),
                            tags$span(class = "visually-hidden", say("Loading"))))
}

segment <- function(name, label, choices, class = "seg f", chosen = NULL) {
  tags$span(
    class = class, role = "group", "aria-label" = say(label), "data-choice" = name,
    lapply(names(choices), function(value) {
      tags$button(
        type = "button", "data-value" = value, say(choices[[value]]),
        "aria-pressed" = if (identical(value, chosen)) "true" else "false"
      )
    })
  )
}

#' Hour, day or week, of those that fit the range
bucket_switch <- function(view) {
  fits <- names(buckets)[view$days <= bucket_days]
  segment("bucket", "Bucket", buckets[fits], class = "seg small", chosen = view$bucket)
}

filter_bar <- function() {
  tags$div(
    class = "fbar", role = "search", "aria-label" = say("Filters"),
    tags$div(
      class = "fin",
      tags$button(
        type = "button", class = "ctl fopen", id = "filters", "aria-expanded" = "false",
        say("Filters")
      ),
      tags$span(class = "fwords", "data-words" = NA),
      tags$span(class = "fnote muted", say("The filters of the other pages do not apply here.")),
      segment("range", "Range", presets),
      tags$span(
        class = "ctl f",
        tags$label(class = "visually-hidden", "for" = "from", say("First day")),
        tags$input(type = "date", id = "from", "data-date" = "from"), " ", dash, " ",
        tags$label(class = "visually-hidden", "for" = "to", say("Last day")),
        tags$input(type = "date", id = "to", "data-date" = "to")
      ),
      lapply(names(filter_titles), function(field) filter_menu("filters", field)),
      tags$span(
        class = "end",
        tags$label(class = "visually-hidden", "for" = "zone", say("Time zone")),
        tags$select(
          id = "zone", class = "ctl", "data-select" = "zone", "data-shiny-no-bind-input" = NA,
          lapply(c(default_zone, "UTC", "Asia/Kathmandu", "Europe/Berlin", "America/New_York"),
                 function(zone) tags$option(value = zone, zone))
        ),
        tags$button(type = "button", class = "ctl", id = "copy",
                    "data-done" = say("Copied"), say("Copy link to this view"))
      )
    )
  )
}

nav_bar <- function() {
  tags$nav(
    class = "navbar sticky-top", "aria-label" = say("Pages"),
    tags$span(
      class = "navbar-brand",
      tags$svg(
        viewBox = "0 0 18 18", "aria-hidden" = "true", tags$path(d = "M2 15V9m5 6V3m5 12V7m5 8v-4")
      ),
      "Clickstream"
    ),
    tags$ul(class = "navbar-nav", "data-choice" = "page", lapply(names(pages), function(page) {
      tags$li(class = "nav-item", tags$a(
        class = "nav-link", href = paste0("?page=", page), "data-value" = page, say(pages[[page]])
      ))
    })),
    tags$div(
      class = "tools",
      mod_status_ui("status"),
      tags$span(
        class = "seg small", role = "group", "aria-label" = say("Language"),
        lapply(names(languages), function(language) {
          tags$button(
            type = "button", "data-lang" = language, languages[[language]], lang = language,
            "aria-pressed" = if (language == speaking$language) "true" else "false"
          )
        })
      ),
      tags$button(
        type = "button", class = "ctl quiet", id = "theme", "aria-label" = say("Dark or light"),
        tags$svg(
          width = 16, height = 16, viewBox = "0 0 16 16", fill = "none", stroke = "currentColor",
          "stroke-width" = "1.4", "aria-hidden" = "true",
          tags$circle(cx = 8, cy = 8, r = 6),
          tags$path(d = "M8 2a6 6 0 0 1 0 12z", fill = "currentColor")
        )
      )
    )
  )
}

#' What is the same in every visitor's page: made once, when the app starts
#'
#' @param contents A named list of the modules' pages; www/dashboard.js shows one of them.
#' @return Markup with its dependencies.
page_body <- function(contents) {
  body <- htmltools::renderTags(shiny::tagList(
    nav_bar(),
    filter_bar(),
    tags$main(
      id = "main", tabindex = "-1",
      mod_status_banner("status"),
      mod_filters_ui("filters"),
      lapply(names(contents), function(name) {
        tags$section(class = "page", "data-page" = name, hidden = NA, contents[[name]])
      })
    ),
    tags$div(id = "gone", class = "callout", hidden = NA, role = "alert",
             say("The connection to the dashboard was lost. It is opened again by itself.")),
    tags$footer(
      class = "page",
      say("Revenue is not shown: checkout events carry no order value."),
      say("Ranges are [from, to) in the time zone chosen."),
      say("Rates are sums divided by sums, not means of rates.")
    )
  ))
  htmltools::attachDependencies(htmltools::HTML(body$html), body$dependencies)
}

#' The whole page
#'
#' @param token Proves to the server that the session comes from this page.
#' @param bodies What page_body() gives, by language. @param query The query of the address.
page_frame <- function(token, bodies, query) {
  language <- one_of(shiny::parseQueryString(query)$lang, names(languages), "en")
  # By content: a deployment gives every file the same time.
  versioned <- function(file) {
    sprintf("%s?%s", file, substr(tools::md5sum(file.path("www", file)), 1L, 12L))
  }
  shiny::bootstrapPage(
    title = "Clickstream", lang = language,
    # Untouched, so that bslib takes its ready-made style sheet: one variable set here costs each
    # visitor half a second of Sass.
    theme = bslib::bs_theme(version = 5, preset = "bootstrap"),
    tags$head(
      tags$link(rel = "icon", href = "data:,"),
      tags$link(rel = "stylesheet", href = versioned("dashboard.css")),
      tags$script(src = versioned("dashboard.js"))
    ),
    tags$a(class = "visually-hidden-focusable", href = "#main",
           in_language(language, say("Skip to the numbers"))),
    tags$div(id = "view", class = "view-input", "data-token" = token, hidden = NA),
    bodies[[language]]
  )
}
