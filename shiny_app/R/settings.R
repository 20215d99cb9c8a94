#' Settings from the environment
#'
#' @return A list: host (socket directory or name), port, database, user, all text.
app_settings <- function() {
  list(
    host = Sys.getenv("SBW_PGHOST", "/var/run/postgresql"),
    port = Sys.getenv("SBW_PGPORT", "5432"),
    database = Sys.getenv("SBW_PGDATABASE", "clickstream_dw"),
    user = Sys.getenv("SBW_PGUSER", "dashboard_reader")
  )
}

#' Tokens that prove a session to come from a page of this app
#'
#' Any site can open a websocket to localhost; only a page served from here knows a token.
#'
#' @return A list of two functions: issue() gives a new token, knows(token) says whether it was
#'   issued.
token_book <- function(most = 10000L) {
  book <- new.env(parent = emptyenv())
  book$tokens <- character()
  random <- function() {
    source <- file("/dev/urandom", "rb", raw = TRUE)
    on.exit(close(source))
    paste(format(readBin(source, "raw", 16L)), collapse = "")
  }
  list(
    issue = function() {
      token <- random()
      book$tokens <- utils::head(c(token, book$tokens), most)
      token
    },
    knows = function(token) is.character(token) && length(token) == 1L && token %in% book$tokens
  )
}
