explored <- function(..., ask = canned_ask, export = NULL) {
  list(view = reactive(some_view(...)), ask = ask, export = export)
}

test_that("events are text whatever they hold, fifty a page, of how many", {
  testServer(mod_explore_server, args = explored(), {
    drawn <- shown(output$list)
    expect_match(drawn, "&lt;img src=x&gt;", fixed = TRUE)
    expect_no_match(drawn, "<img", fixed = TRUE)
    expect_match(drawn, "1\u201350 of 21,805", fixed = TRUE)
    expect_match(drawn, "24 Nov 14:00:00", fixed = TRUE)
    link <- "data-goto=\"sessions\" data-session=\"7-1795503600.000000\">s1</a>"
    expect_match(drawn, link, fixed = TRUE)
    expect_match(drawn, "data-session=\"8-1795503599.000000\">the session</a>", fixed = TRUE)
    expect_match(shown(output$csv_words), "CSV (21,805 rows)", fixed = TRUE)
  })
})

test_that("a page is asked for by the last event of the one before", {
  calls <- list()
  ask <- function(name, ...) {
    if (name == "event_list") calls[[length(calls) + 1L]] <<- list(...)
    canned[[name]]
  }
  testServer(mod_explore_server, args = explored(ask = ask), {
    shown(output$list)
    session$setInputs(turn = "older")
    expect_match(shown(output$list), "51\u2013100 of", fixed = TRUE)
    expect_identical(calls[[length(calls)]][[2L]], list(at = "2026-11-24 06:59:11+00", id = "e02"))
    session$setInputs(turn = "newer")
    expect_match(shown(output$list), "1\u201350 of", fixed = TRUE)
  })
})

test_that("columns are those chosen, in the menu's order; none or unknown ones are the default", {
  expect_identical(some_view(columns = list("user_id", "event_name", "x"))$columns,
                   c("event_name", "user_id"))
  expect_identical(some_view(columns = "'; DROP")$columns, default_columns)
  testServer(mod_explore_server, args = explored(columns = c("event_name", "user_id")), {
    drawn <- shown(output$list)
    expect_identical(lengths(regmatches(drawn, gregexpr("<th ", drawn))), 2L)
  })
})

test_that("a file is one COPY a local day, the newest first, with one head", {
  view <- some_view(range = "custom", from = "2026-03-28", to = "2026-03-29",
                    zone = "Europe/Berlin", brand = "x'; DROP TABLE y --")
  script <- export_script(view)
  copies <- grep("^COPY", script, value = TRUE)
  expect_length(copies, 2L)
  expect_match(copies[1L], "event_export('2026-03-28T23:00:00.000Z', '2026-03-29T22:00:00.000Z',",
               fixed = TRUE)
  expect_match(copies[1L], "HEADER", fixed = TRUE)
  expect_no_match(copies[2L], "HEADER", fixed = TRUE)
  expect_no_match(paste(script, collapse = ""), "DROP")
})

settle <- function(promise) {
  found <- NULL
  promises::then(promise, function(value) found <<- list(value = value),
                 function(error) found <<- list(error = conditionMessage(error)))
  until <- Sys.time() + 30
  while (is.null(found) && Sys.time() < until) later::run_now(0.05)
  found
}

test_that("a file that fails is no file, and says why", {
  nowhere <- list(host = "127.0.0.1", port = "1", database = "x", user = "x")
  file <- tempfile()
  found <- settle(export_events(nowhere, some_view(range = "today"), file))
  expect_match(found$error, "refused")
  expect_false(file.exists(file))
  expect_identical(exporting$count, 0L)
})

test_that("a third file at once has to wait", {
  exporting$count <- 2L
  on.exit(exporting$count <- 0L)
  expect_match(settle(export_events(list(), some_view(), tempfile()))$error, "wait for one")
})

test_that("the file's name says its range and whether it is filtered", {
  expect_identical(csv_name(some_view(range = "today", brand = "x")),
                   "events_2026-11-24_2026-11-24_filtered.csv")
})

test_that("how many events there are in each bucket stands above them, as a table too", {
  bucket_asked <- NULL
  ask <- function(name, ...) {
    if (name == "series") bucket_asked <<- list(...)[[2L]]
    canned[[name]]
  }
  view <- reactive(some_view(bucket = "day"))
  testServer(mod_explore_server, args = list(view = view, ask = ask), {
    drawn <- shown(output$when)
    expect_identical(bucket_asked, "day")
    expect_match(drawn, "Events by day", fixed = TRUE)
    expect_match(drawn, "data-testid=\"when\" data-value=\"21805\"", fixed = TRUE)
    expect_match(drawn, "<td>Tue 24 Nov</td><td>21,136</td>", fixed = TRUE)
  })
  none <- function(name, ...) {
    if (name == "series") transform(canned$series, events = 0) else canned[[name]]
  }
  testServer(mod_explore_server, args = list(view = view, ask = none), {
    expect_identical(shown(output$when), "")
  })
})
