test_that("a page of sessions shows 25 rows as text, of how many, and turns", {
  calls <- list()
  ask <- function(name, ...) {
    if (name == "session_list") calls[[length(calls) + 1L]] <<- list(...)
    canned[[name]]
  }
  chosen <- reactiveVal(some_view(session = "29"))
  args <- list(view = reactive(chosen()), ask = ask)
  testServer(mod_sessions_server, args = args, {
    drawn <- shown(output$list)
    expect_identical(lengths(regmatches(drawn, gregexpr("data-pick=\"session\"", drawn))), 25L)
    expect_match(drawn, "=&lt;b&gt;c1", fixed = TRUE)
    expect_match(drawn, "1\u201325 of 5,139", fixed = TRUE)
    expect_match(drawn, "<tr class=\"sel\" aria-current=\"true\" data-key=\"29\"", fixed = TRUE)
    expect_null(calls[[1L]][[3L]])
    session$setInputs(turn = "older")
    expect_match(shown(output$list), "26\u201350 of 5,139", fixed = TRUE)
    expect_identical(calls[[length(calls)]][[3L]], list(at = "2026-11-24 06:36:00+00", no = "6"))
    chosen(some_view(session = "28"))
    session$flushReact()
    expect_match(shown(output$list), "26\u2013", fixed = TRUE)
    chosen(some_view(outcome = "left_add"))
    session$flushReact()
    expect_match(shown(output$list), "1\u201325 of 416", fixed = TRUE)
  })
})

test_that("one session is its events in order, with waits in words, everything as text", {
  args <- list(view = reactive(some_view(session = "7")), ask = canned_ask)
  testServer(mod_sessions_server, args = args, {
    one <- shown(output$one)
    expect_match(one, "&lt;i&gt;Akko \u00b7 1.890.000", fixed = TRUE)
    expect_match(one, "1 min 35 s later", fixed = TRUE)
    expect_match(shown(output$list), "<tr data-key=\"30\" data-value=\"3\"", fixed = TRUE)
    expect_match(one, "class=\"key1\" data-key=\"e2\"", fixed = TRUE)
  })
})

test_that("a session that is not there is said to be gone", {
  ask <- function(name, ...) canned[[name]][0L, ]
  args <- list(view = reactive(some_view(session = "7")), ask = ask)
  testServer(mod_sessions_server, args = args, {
    expect_match(shown(output$one), "it was erased, or is older", fixed = TRUE)
  })
})

test_that("how a session ended, in words", {
  rows <- canned$session_list[rep(2L, 6L), ]
  rows$is_engaged[1L] <- FALSE
  rows$has_add[3:6] <- TRUE
  rows$has_checkout_start[4:6] <- TRUE
  rows$is_open[5:6] <- TRUE
  rows$is_completed[6L] <- TRUE
  expect_identical(outcome_words(rows), c("bounced", "no cart", "left the cart",
                                          "left the checkout", "still open", "checkout complete"))
})

test_that("sessions by outcome are as many as the other pages say", {
  count <- function(outcome) outcome_count(outcome, canned$kpis, canned$funnel)
  expect_identical(vapply(names(outcomes), count, 0, USE.NAMES = FALSE),
                   c(5139, 248, 1274, 2910, 416, 130))
})

test_that("the funnel leads to the sessions that left", {
  left <- html(left_panel(canned$funnel))
  expect_match(left, "data-outcome=\"left_add\">416 sessions</a>", fixed = TRUE)
  expect_match(left, "data-key=\"left_view\" data-value=\"2910\"", fixed = TRUE)
})

test_that("only digits are a session", {
  expect_identical(some_view(session = "12")$session, 12)
  for (odd in list("1e5", "-1", "1;DROP", list("1", "2"), 7, strrep("1", 40L))) {
    expect_true(is.na(some_view(session = odd)$session))
  }
})
