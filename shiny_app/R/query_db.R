# The connection to the warehouse, and what to do when it is lost.

# A query that runs longer blocks every visitor: it is ended by the server instead.
timeout_ms <- 10000L

db_open <- function(settings) {
  db <- new.env(parent = emptyenv())
  db$settings <- settings
  db$connection <- NULL
  db
}

db_connect <- function(db) {
  with(db$settings, RPostgreSQL::dbConnect(
    RPostgreSQL::PostgreSQL(),
    host = host, port = port, dbname = database, user = user,
    options = sprintf(
      "-c timezone=UTC -c statement_timeout=%d -c default_transaction_read_only=on", timeout_ms
    )
  ))
}

db_forget <- function(db) {
  if (!is.null(db$connection)) {
    try(suppressWarnings(RPostgreSQL::dbDisconnect(db$connection)), silent = TRUE)
  }
  db$connection <- NULL
}

db_error <- function(message) {
  structure(class = c("db_error", "error", "condition"), list(message = message, call = NULL))
}

# What the driver says when the server has gone; no call of it tells beforehand.
lost_pattern <- paste(
  "terminating connection", "server closed the connection", "no connection to the server",
  "could not connect", "connection to server", "expired PostgreSQLConnection",
  sep = "|"
)

#' Run one statement and return its rows
#'
#' dbGetQuery only warns when a statement fails, so the result is taken step by step. Values are
#' text: the driver passes them through as.character. A lost connection is made anew, once.
#'
#' @param values A list of text values for $1, $2, ...
#' @return A data frame. Raises a condition of class db_error with the server's message.
db_query <- function(db, sql, values = list()) {
  attempt <- function() {
    if (is.null(db$connection)) db$connection <- db_connect(db)
    result <- if (length(values)) {
      DBI::dbSendQuery(db$connection, sql, values)
    } else {
      DBI::dbSendQuery(db$connection, sql)
    }
    on.exit(DBI::dbClearResult(result))
    mark_utf8(DBI::fetch(result, n = -1L))
  }
  fail <- function(error) {
    db_forget(db)
    stop(db_error(conditionMessage(error)))
  }
  withCallingHandlers(
    tryCatch(attempt(), error = function(error) {
      db_forget(db)
      if (!grepl(lost_pattern, conditionMessage(error))) fail(error)
      tryCatch(attempt(), error = fail)
    }),
    warning = function(warning) invokeRestart("muffleWarning")
  )
}

mark_utf8 <- function(rows) {
  text <- vapply(rows, is.character, logical(1L))
  rows[text] <- lapply(rows[text], enc2utf8)
  rows
}

#' The number that changes whenever a load commits
#'
#' @return Text: the marker, or "down" while the database does not answer. Never raises: an error in
#'   a reactivePoll would stop it for ever.
db_marker <- function(db) {
  tryCatch(
    format(db_query(db, "SELECT dashboard.load_marker()::float8 AS marker")$marker),
    error = function(error) "down"
  )
}
