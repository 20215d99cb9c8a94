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

test_that("the page is for requests to this machine's own names alone", {
  own <- function(host, origin = NULL) is_own_request(list(HTTP_HOST = host, HTTP_ORIGIN = origin))
  for (host in c("localhost:3838", "LOCALHOST", "127.0.0.1:40000", "[::1]:3838")) {
    expect_true(own(host))
    expect_true(own(host, "http://localhost:3838"))
  }
  for (host in list("rebound.example:3838", "localhost.example", "127.0.0.1.example:3838",
                    "localhost:3838@rebound.example", "", NULL, "10.0.0.5:3838", "[::1].example")) {
    expect_false(own(host))
  }
  for (origin in c("http://hostile.example", "null", "https://localhost.example", "file://")) {
    expect_false(own("localhost:3838", origin))
  }
})

test_that("who is refused is told so in both languages, and no token", {
  answer <- refusal()
  expect_identical(answer$status, 403L)
  expect_match(answer$content, "Session Manager tunnel", fixed = TRUE)
  expect_match(answer$content, "ch\u1ec9 tr\u1ea3 l\u1eddi cho localhost", fixed = TRUE)
})
