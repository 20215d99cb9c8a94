# What the design's original does at each change of a filter: every row of the range into R, counted there.
# Usage: Rscript original.R PORT FROM TO CATEGORY; prints the seconds of three changes.
arguments <- commandArgs(trailingOnly = TRUE)
connection <- DBI::dbConnect(
  RPostgreSQL::PostgreSQL(),
  host = "127.0.0.1", port = as.integer(arguments[1]), dbname = "clickstream_dw", user = "postgres"
)

change <- function() {
  began <- proc.time()[["elapsed"]]
  rows <- DBI::dbGetQuery(connection, sprintf(
    "SELECT * FROM public.clickstream_events WHERE event_timestamp >= '%s' AND event_timestamp < '%s'",
    arguments[2], arguments[3]
  ))
  shown <- rows[!is.na(rows$context_product_category) & rows$context_product_category == arguments[4], ]
  hour <- as.integer(format(shown$event_timestamp, "%H"))
  counted <- list(
    rows = nrow(rows),
    events = nrow(shown),
    visitors = length(unique(shown$client_id)),
    sessions = length(unique(shown$session_id)),
    names = table(shown$event_name),
    logins = table(shown$user_login_state),
    days = table(as.Date(shown$event_timestamp)),
    hours = table(hour),
    products = head(sort(table(shown$context_product_name), decreasing = TRUE), 50L),
    funnel = vapply(
      c("product_view", "add_to_cart_click", "checkout_start", "checkout_complete"),
      function(step) length(unique(shown$session_id[shown$event_name == step])), 0L
    )
  )
  stopifnot(counted$rows > 0L)
  c(proc.time()[["elapsed"]] - began, counted$rows)
}

for (run in 1:3) cat(change(), "\n")
