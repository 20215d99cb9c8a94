# The dashboard: wires the modules. Definitions are in schema `dashboard` of the warehouse;
# R/query_*.R is the only SQL here, R/fct_*.R is pure, each R/mod_*.R draws one page.
library(shiny)

options(shiny.sanitize.errors = TRUE)

settings <- app_settings()
tokens <- token_book()
db <- db_open(settings)
answers <- answer_book()
# One poll of a cheap number for all sessions; everything shown depends on it.
marker <- reactivePoll(1000, session = NULL, checkFunc = function() db_marker(db),
                       valueFunc = function() db_marker(db))

contents <- function() {
  list(
    overview = mod_overview_ui("overview"),
    funnel = mod_funnel_ui("funnel"),
    products = mod_products_ui("products"),
    visitors = mod_visitors_ui("visitors"),
    sessions = mod_sessions_ui("sessions"),
    explore = mod_explore_ui("explore"),
    pipeline = mod_pipeline_ui("pipeline")
  )
}
bodies <- lapply(stats::setNames(nm = names(languages)), function(language) {
  in_language(language, page_body(contents()))
})
ui <- function(req) {
  if (!is_own_request(req)) return(refusal())
  page_frame(tokens$issue(), bodies, req$QUERY_STRING)
}

server <- function(input, output, session) {
  sent <- reactive({
    # A page of another site can open the websocket, but it cannot read the token out of this page.
    req(input$view, tokens$knows(input$view$token), cancelOutput = TRUE)
    # Today becomes yesterday at midnight, of whichever zone: those lie on quarters of an hour.
    invalidateLater(1000 * (900 - as.numeric(Sys.time()) %% 900) + 50)
    parse_view(input$view, now = Sys.time())
  })
  ask <- function(name, ...) ask_cached(answers, db, marker(), name, list(...))
  view <- reactive(known_view(sent(), function(field) {
    tryCatch(ask("choices", field)$value, db_error = function(error) NULL)
  }, function(product) {
    tryCatch(nrow(ask("product_labels", product)) > 0L, db_error = function(error) NULL)
  }))

  mod_filters_server("filters", sent, view, ask)
  mod_overview_server("overview", view, ask)
  mod_funnel_server("funnel", view, ask)
  mod_products_server("products", view, ask)
  mod_visitors_server("visitors", view, ask)
  mod_sessions_server("sessions", view, ask)
  mod_explore_server("explore", view, ask, function(...) export_events(settings, ...))
  mod_pipeline_server("pipeline", view, ask)
  mod_status_server("status", view, ask, marker)
}

shinyApp(ui, server)
