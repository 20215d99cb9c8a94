test_that("settings come from the environment", {
  local({
    Sys.setenv(SBW_PGHOST = "/run/pg", SBW_PGPORT = "6543")
    on.exit(Sys.unsetenv(c("SBW_PGHOST", "SBW_PGPORT")))
    found <- app_settings()
    expect_identical(found$host, "/run/pg")
    expect_identical(found$port, "6543")
  })
})

test_that("without an environment the socket of the same host is asked", {
  expect_identical(
    app_settings(),
    list(host = "/var/run/postgresql", port = "5432", database = "clickstream_dw",
         user = "dashboard_reader")
  )
})

test_that("a token is known only after it was issued", {
  book <- token_book()
  token <- book$issue()
  expect_match(token, "^[0-9a-f]{32}$")
  expect_true(book$knows(token))
  expect_false(book$knows(paste0(token, "0")))
  expect_false(book$knows(NULL))
  expect_false(book$knows(list(token)))
})

test_that("the oldest token is forgotten when the book is full", {
  book <- token_book(most = 2L)
  tokens <- replicate(3L, book$issue())
  expect_identical(vapply(tokens, book$knows, NA, USE.NAMES = FALSE), c(FALSE, TRUE, TRUE))
})
