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

test_that("a session is named by its number and the instant of an event", {
  expect_identical(session_name(c(7, 100000), c(1795503600.5, -1)),
                   c("7-1795503600.500000", "100000"))
  view <- some_view(session = "7-1795503600.500001")
  expect_identical(c(view$session, view$session_at), c(7, 1795503600.500001))
  expect_identical(some_view(session = "12")$session, 12)
  expect_true(is.na(some_view(session = "12")$session_at))
})

test_that("a link finds its session by an event when numbers have changed, or says it is old", {
  start <- seconds("2026-11-24 07:00:00")
  # Event e51 is at the start, in session 7; e50 a second before, in session 8.
  now <- function(link, events = canned$session_events) {
    session_now(some_view(session = link), function(name, ...) {
      if (name == "session_events") events else canned[[name]]
    })
  }
  expect_identical(now(session_name(3, start)), 3)
  expect_identical(now("3"), 3)
  other <- transform(canned$session_events, event_at = event_at + 0.5)
  expect_identical(now(session_name(3, start), other), 7)
  expect_identical(now(session_name(3, start - 1), other), 8)
  expect_identical(now(session_name(3, start - 2), other), NA_real_)
  gone <- list(
    view = reactive(some_view(session = session_name(3, start - 2))),
    ask = function(name, ...) if (name == "session_events") other else canned[[name]]
  )
  testServer(mod_sessions_server, args = gone, {
    expect_match(shown(output$one), "data-testid=\"stale-session\"", fixed = TRUE)
    expect_match(shown(output$one), "counted anew since it was made", fixed = TRUE)
  })
  moved <- list(view = reactive(some_view(session = session_name(3, start))), ask = gone$ask)
  testServer(mod_sessions_server, args = moved, {
    expect_match(shown(output$one), "data-testid=\"renumbered\"", fixed = TRUE)
    expect_match(shown(output$list), "<tr class=\"sel\" aria-current=\"true\" data-key=\"7\"",
                 fixed = TRUE)
  })
})

test_that("what is no name of a session is none", {
  for (odd in list("1e5", "-1", "7-", "7-1", "7-1.5", "7-1795503600.500000-",
                   "1;DROP", list("1", "2"), 7, strrep("1", 40L))) {
    expect_true(is.na(some_view(session = odd)$session))
  }
})
