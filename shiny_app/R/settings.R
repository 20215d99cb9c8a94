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

# Names by which the tunnel's end, on the analyst's own machine, can be called.
own_hosts <- c("localhost", "127.0.0.1", "[::1]")

host_name <- function(text) sub(":[0-9]*$", "", tolower(sub("^https?://", "", text)))

#' Whether a request for the page may come from the tunnel's own address
#'
#' Another site's page can have its own name resolve to this machine: to the browser that is its own
#' site then, which may read the page and the token in it. Such a request bears that name as Host.
#' One that a script of another site makes bears an Origin.
#'
#' @param req A Rook request.
is_own_request <- function(req) {
  host <- req$HTTP_HOST
  origin <- req$HTTP_ORIGIN
  !is.null(host) && host_name(host) %in% own_hosts &&
    (is.null(origin) || host_name(origin) %in% own_hosts)
}

refusal <- function() {
  shiny::httpResponse(403L, "text/plain; charset=utf-8", paste0(
    "This dashboard answers to localhost alone: open it through the Session Manager tunnel.\n",
    "Trang này chỉ trả lời cho localhost: hãy mở qua đường hầm Session Manager.\n"
  ))
}
