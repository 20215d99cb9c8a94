# The menus of the filter bar, the chips of what is chosen, and a note on a link that is odd.

menu_rows <- 50L
filter_titles <- c(login = "Login state", category = "Category", brand = "Brand", event = "Event")

#' The note and the chips, over all pages
mod_filters_ui <- function(id) {
  ns <- shiny::NS(id)
  shiny::tagList(
    shiny::uiOutput(ns("note"), class = "banner"), shiny::uiOutput(ns("chips"), class = "banner")
  )
}

#' A button that opens what can be chosen, and counts what is
drop_menu <- function(name, title, content, class = NULL) {
  tags$span(
    class = "menu", class = class, "data-menu" = name,
    tags$button(
      type = "button", class = "ctl drop", "data-open" = name, "aria-expanded" = "false",
      "aria-controls" = paste0("menu-", name), title, tags$b("data-count" = name)
    ),
    tags$div(class = "pop", id = paste0("menu-", name), role = "group", "aria-label" = title,
             hidden = NA, content,
             # Over the whole of a phone's width there is no place beside it to tap.
             tags$button(type = "button", class = "ctl primary close", "data-close" = NA,
                         say("Close")))
  )
}

#' One menu of the filter bar; what can be chosen comes from the warehouse when it is opened
filter_menu <- function(id, field) {
  title <- say(filter_titles[[field]])
  content <- if (field == "login") {
    tags$div(class = "options", "data-choice" = "login",
             menu_options(c("all", names(login_states)), say(c("All", login_states))))
  } else {
    shiny::tagList(
      tags$input(
        type = "search", class = "ctl", "data-search" = field, autocomplete = "off",
        maxlength = "100", placeholder = say("Search"),
        "aria-label" = paste0(title, ": ", say("Search"))
      ),
      shiny::uiOutput(shiny::NS(id, field))
    )
  }
  drop_menu(field, title, content, class = "f")
}

menu_options <- function(values, labels, chosen = character()) {
  markup('<button type="button" data-value="', escape(values), '" aria-pressed="',
         ifelse(values %in% chosen, "true", "false"), '">', escape(labels), "</button>")
}

#' The choices that a search leaves, chosen ones first
#'
#' @param choices A data frame: value, label. @param text What was typed.
#' @return Rows of `choices`, all that match.
matching <- function(choices, text, chosen) {
  wanted <- fold(text)
  hit <- vapply(fold(choices$label), grepl, NA, pattern = wanted, fixed = TRUE)
  hit <- if (nzchar(wanted)) hit | grepl(wanted, fold(choices$value), fixed = TRUE) else TRUE
  rows <- choices[hit, ]
  rows[order(!rows$value %in% chosen), ]
}

menu_list <- function(field, choices, text, chosen) {
  found <- matching(choices, text, chosen)
  if (!nrow(found)) {
    words <- if (nrow(choices)) say("Nothing matches.") else say("Nothing is loaded yet.")
    return(tags$p(class = "muted", words))
  }
  shown <- utils::head(found, menu_rows)
  shiny::tagList(
    tags$div(class = "options", "data-choice" = field,
             menu_options(shown$value, value_label(field, shown$value, shown$label), chosen)),
    if (nrow(found) > menu_rows) {
      tags$p(class = "muted", sayf("%s more: type a part of the name.",
                                   fmt_count(nrow(found) - menu_rows)))
    }
  )
}

value_label <- function(field, value, label) {
  if (field == "event") label <- event_label(value, label)
  ifelse(value == "not set", say("Not set"), label)
}

chip <- function(field, value, label) {
  words <- paste0(say(filter_titles[[field]]), ": ", label)
  tags$button(
    type = "button", class = "chip", "data-unpick" = field, "data-value" = value,
    "aria-label" = paste(say("Remove"), words), words, tags$span("aria-hidden" = "true", "\u00d7")
  )
}

chip_label <- function(field, value, known) {
  if (field == "login") return(say(login_states[[value]]))
  at <- match(value, known$value)
  value_label(field, value, if (is.na(at)) value else known$label[at])
}

#' What is chosen, each with a cross
#'
#' @param labels A list by field: data frames of value and label.
chip_row <- function(view, labels) {
  chips <- unlist(recursive = FALSE, lapply(names(filter_titles), function(field) {
    lapply(view[[field]], function(value) {
      chip(field, value, chip_label(field, value, labels[[field]]))
    })
  }))
  if (!length(chips)) return(NULL)
  of_events <- length(c(view$category, view$brand, view$event)) > 0
  tags$div(
    class = "chips", "data-testid" = "chips", chips,
    tags$button(type = "button", class = "ctl quiet", "data-clear" = NA, say("Clear filters")),
    if (of_events) info("How a filter counts", definitions[["filter"]])
  )
}

link_note <- function(dropped, unknown) {
  if (!length(dropped) && !length(unknown)) return(NULL)
  gone <- unlist(lapply(names(unknown), function(field) {
    title <- c(filter_titles, product = "Product", step = "Step")[[field]]
    paste0(say(title), ": ", substr(unknown[[field]], 1L, 60L))
  }))
  pairs <- unlist(recursive = FALSE, lapply(names(unknown), function(field) {
    lapply(unknown[[field]], function(value) c(field, value))
  }))
  tags$div(
    class = "callout note-line", role = "status", "data-testid" = "note",
    if (length(dropped)) {
      tags$span(sayf("Part of this link cannot be read and was left out: %s.",
                     paste(dropped, collapse = ", ")))
    },
    if (length(gone)) {
      tags$span(sayf("No event has this, so it was left out: %s.", paste(gone, collapse = "; ")))
    },
    tags$button(
      type = "button", class = "ctl", say("Dismiss"),
      "data-dismiss" = as.character(jsonlite::toJSON(if (length(pairs)) pairs else list()))
    )
  )
}

#' @param sent A reactive: the view as the link has it, values that no event has included.
#' @param view A reactive: what of it is known.
mod_filters_server <- function(id, sent, view, ask) {
  stopifnot(shiny::is.reactive(sent), shiny::is.reactive(view), is.function(ask))
  shiny::moduleServer(id, function(input, output, session) {
    lapply(names(list_fields), function(field) {
      output[[field]] <- shiny::renderUI(drawn(view, function() {
        text <- input[[paste0("search_", field)]]
        menu_list(field, ask("choices", list_fields[[field]]), one_text(text), view()[[field]])
      }))
    })
    output$chips <- shiny::renderUI(drawn(view, function() {
      chosen <- Filter(function(field) length(view()[[field]]), names(list_fields))
      labels <- lapply(stats::setNames(nm = chosen), function(field) {
        tryCatch(ask("choices", list_fields[[field]]), db_error = function(error) NULL)
      })
      chip_row(view(), labels)
    }))
    output$note <- shiny::renderUI(drawn(view, function() {
      link_note(sent()$dropped, unknown_values(sent(), view()))
    }))
  })
}
