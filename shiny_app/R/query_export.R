# All events of a view as CSV, written by a psql of its own: R goes on answering meanwhile.

export_timeout_ms <- 300000L

#' The script of an export: one COPY a local day, the newest first, all of one snapshot
#'
#' Day by day, so that the server never holds more than a day's rows. Values come by environment.
#'
#' @param view A view. @return Lines for psql.
export_script <- function(view) {
  days <- seq(view$last_day, view$first_day, by = -1L)
  edge <- function(day) paste0("'", iso(midnight(day, view$zone)), "'")
  copy <- paste0(
    "COPY (SELECT * FROM dashboard.event_export(",
    vapply(days, function(day) edge(as.Date(day)), ""), ", ",
    vapply(days + 1L, function(day) edge(as.Date(day)), ""),
    ", :'zone', nullif(:'filter', '')::jsonb)) TO STDOUT (FORMAT csv",
    ifelse(seq_along(days) == 1L, ", HEADER", ""), ");"
  )
  c(
    "\\set ON_ERROR_STOP on", "\\getenv zone SBW_ZONE", "\\getenv filter SBW_FILTER",
    "SET timezone = :'zone';", "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;", copy, "COMMIT;"
  )
}

#' Start psql on a script
#'
#' @return A list of paths: csv, error, and status, which is there once psql has ended.
export_start <- function(settings, view) {
  folder <- tempfile("export-")
  dir.create(folder, mode = "0700")
  path <- function(name) file.path(folder, name)
  con <- file(path("script.sql"), open = "w", encoding = "UTF-8")
  writeLines(export_script(view), con)
  close(con)
  values <- c(
    PGHOST = settings$host, PGPORT = settings$port, PGDATABASE = settings$database,
    PGUSER = settings$user, PGCLIENTENCODING = "UTF8", SBW_ZONE = view$zone,
    SBW_FILTER = view_range(view)$filter,
    PGOPTIONS = sprintf("-c statement_timeout=%d -c default_transaction_read_only=on",
                        export_timeout_ms)
  )
  # The status is moved into its place: it is never seen half written.
  run <- sprintf(
    "cd %s; psql -XqAt -f script.sql >csv 2>error; echo $? >ended; mv ended status",
    shQuote(folder)
  )
  system2("sh", c("-c", shQuote(run)), env = paste0(names(values), "=", shQuote(values)),
          wait = FALSE)
  list(folder = folder, csv = path("csv"), error = path("error"), status = path("status"))
}

exporting <- new.env(parent = emptyenv())
exporting$count <- 0L

#' Write all events of a view into a file
#'
#' @param file Where to. @return A promise: of the file, whole; else rejected, and no file is there.
export_events <- function(settings, view, file, every = 0.1) {
  if (exporting$count >= most_exports) {
    return(promises::promise_reject(db_error("two files are being made: wait for one of them")))
  }
  exporting$count <- exporting$count + 1L
  child <- export_start(settings, view)
  done <- promises::promise(function(resolve, reject) {
    look <- function() {
      if (!file.exists(child$status)) return(later::later(look, every))
      if (readLines(child$status) == "0" && file.copy(child$csv, file, overwrite = TRUE)) {
        return(resolve(file))
      }
      reject(db_error(paste(readLines(child$error, warn = FALSE), collapse = " ")))
    }
    look()
  })
  promises::finally(done, function() {
    exporting$count <- exporting$count - 1L
    unlink(child$folder, recursive = TRUE)
  })
}
