range <- list(from = "2026-11-23T17:00:00.000Z", to = "2026-11-24T17:00:00.000Z",
              zone = "Asia/Ho_Chi_Minh", filter = "{\"login_state\":[\"x' OR 1=1 --\"]}")

test_that("values are bound, never part of the statement", {
  for (name in c("kpis", "event_mix", "login_states", "funnel")) {
    sent <- sent_by(function() queries[[name]](NULL, range))
    expect_no_match(sent$sql, "OR 1=1")
    expect_match(sent$sql, paste0("dashboard.", name, "($1::timestamptz"), fixed = TRUE)
    expect_identical(sent$values, unname(range))
  }
})

test_that("the bucket and the number of rows are bound as text", {
  expect_identical(sent_by(function() query_series(NULL, range, "day"))$values[[5L]], "day")
  sent <- sent_by(function() {
    query_product_list(NULL, range, "' OR 1=1 --", "price", "asc", 100000, 25L)
  })
  expect_identical(sent$values[5:9], list("' OR 1=1 --", "price", "true", "100000", "25"))
  expect_match(sent$sql, "$5, $6, $7::boolean, $8::integer, $9::integer", fixed = TRUE)
  expect_no_match(sent$sql, "OR 1=1")
  descending <- sent_by(function() query_product_list(NULL, range, "", "views", "desc", 0, 25L))
  expect_identical(descending$values[[7L]], "false")
})

test_that("every question is known and of schema dashboard alone", {
  arguments <- list(
    kpis = list(range), series = list(range, "day"), event_mix = list(range),
    login_states = list(range), funnel = list(range),
    funnel_split = list(range, "brand", 6L),
    product_list = list(range, "", "views", "desc", 0, 25L),
    product_labels = list("p1"), product_totals = list(range, "p1"),
    product_series = list(range, "day", "p1"), product_prices = list(range, "p1"),
    categories = list(range, 5L), brands = list(range, 5L), freshness = list(),
    completeness = list(range$from, range$to), bucket_hours = list(c(0, 3600), range$to),
    runs = list(5L), quarantine = list(),
    choices = list("brand"), visitor_facts = list(range), new_returning = list(range, "day"),
    retention = list(range, "week"), session_shapes = list(range),
    session_list = list(range, "all", NULL, 26L), session_events = list(7, 500L),
    event_list = list(range, NULL, 51L),
    rejects = list("", 26L), heatmap = list(range), event_source = list("x")
  )
  expect_setequal(names(arguments), names(queries))
  for (name in names(arguments)) {
    sent <- sent_by(function() do.call(queries[[name]], c(list(NULL), arguments[[name]])))
    expect_match(sent$sql, "FROM dashboard\\.[a-z_]+\\(")
  }
})

counting <- function() {
  asked <- new.env()
  asked$times <- 0L
  real <- get("queries", home)
  fake <- function(db, ...) {
    asked$times <- asked$times + 1L
    data.frame(n = asked$times)
  }
  assign("queries", list(kpis = fake, runs = fake), home)
  asked$restore <- function() assign("queries", real, home)
  asked
}

test_that("an answer is kept until the next load", {
  asked <- counting()
  on.exit(asked$restore())
  book <- answer_book()
  expect_identical(ask_cached(book, NULL, "1", "kpis", list(range))$n, 1L)
  expect_identical(ask_cached(book, NULL, "1", "kpis", list(range))$n, 1L)
  expect_identical(ask_cached(book, NULL, "2", "kpis", list(range))$n, 2L)
  other <- replace(range, "filter", "")
  expect_identical(ask_cached(book, NULL, "2", "kpis", list(other))$n, 3L)
})

test_that("what changes without a load is kept for seconds only", {
  asked <- counting()
  on.exit(asked$restore())
  book <- answer_book()
  expect_identical(ask_cached(book, NULL, "1", "runs", list(5L), now = 100)$n, 1L)
  expect_identical(ask_cached(book, NULL, "1", "runs", list(5L), now = 105)$n, 1L)
  expect_identical(ask_cached(book, NULL, "1", "runs", list(5L), now = 111)$n, 2L)
})

test_that("while the database is down, what was asked before is still answered", {
  asked <- counting()
  on.exit(asked$restore())
  book <- answer_book()
  ask_cached(book, NULL, "1", "kpis", list(range))
  expect_identical(ask_cached(book, NULL, "down", "kpis", list(range))$n, 1L)
  expect_error(ask_cached(book, NULL, "down", "kpis", list(replace(range, "zone", "UTC"))),
               class = "db_error")
})

test_that("a database that is not there is 'down', and never an error", {
  nowhere <- db_open(list(host = "127.0.0.1", port = "1", database = "x", user = "x"))
  expect_identical(db_marker(nowhere), "down")
  expect_error(db_query(nowhere, "SELECT 1"), class = "db_error")
})

test_that("a page of sessions is asked for by the last row of the one before", {
  first <- sent_by(function() query_session_list(NULL, range, "left_add", NULL, 26L))
  expect_identical(first$values[5:8], list("left_add", "", "", "26"))
  after <- list(at = "2026-11-24 07:00:00+00", no = "100000")
  second <- sent_by(function() query_session_list(NULL, range, "all", after, 26L))
  expect_identical(second$values[6:7], list("2026-11-24 07:00:00+00", "100000"))
})

test_that("a session's number is bound without an exponent", {
  expect_identical(sent_by(function() query_session_events(NULL, 100000, 5L))$values,
                   list("100000", "5"))
})

test_that("the hours of buckets are asked for by the buckets' starts", {
  sent <- sent_by(function() query_bucket_hours(NULL, c(0, 3600), range$to))
  expect_identical(sent$values[[1L]], "{1970-01-01T00:00:00.000Z,1970-01-01T01:00:00.000Z}")
})
