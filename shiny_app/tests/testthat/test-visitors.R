visitors_of <- function(..., ask = canned_ask) list(view = reactive(some_view(...)), ask = ask)

test_that("visitors show new against returning, and what sessions are like", {
  testServer(mod_visitors_server, args = visitors_of(bucket = "day"), {
    new <- "data-testid=\"visitor-new\" data-value=\"2900\""
    expect_match(shown(output$strip), new, fixed = TRUE)
    expect_match(shown(output$strip), "1 min 19 s", fixed = TRUE)
    expect_match(shown(output$strip), "Median of last", fixed = TRUE)
    fresh <- shown(output$fresh)
    expect_match(fresh, "<td>2,820</td><td>303</td><td>2,820</td><td>1,900</td><td>256</td>",
                 fixed = TRUE)
    expect_match(fresh, "soft faded", fixed = TRUE)
    expect_match(fresh, "old visitors look new", fixed = TRUE)
    expect_match(shown(output$shapes), "6 sessions or more", fixed = TRUE)
  })
})

test_that("new and returning visitors can be seen by hour, day or week, as far as that fits", {
  shown_for <- function(...) html(fresh_panel(some_view(...), canned$new_returning))
  pressed <- function(bucket) sprintf("data-value=\"%s\" aria-pressed=\"true\"", bucket)
  expect_match(shown_for(bucket = "week"), pressed("week"), fixed = TRUE)
  expect_match(shown_for(), pressed("hour"), fixed = TRUE)
  expect_no_match(shown_for(range = "90d"), "data-value=\"hour\"")
})

test_that("cohorts leave out week 0, hatch the open cell, and leave what has not come blank", {
  table <- html(retention_table(canned$retention, "week", "Asia/Ho_Chi_Minh"))
  expect_match(table, "9 Nov \u2013 15 Nov</th><td class=\"size\">200</td>", fixed = TRUE)
  expect_match(table, "class=\"q6\" data-returned=\"20\">10.0%<", fixed = TRUE)
  open <- "class=\"part\" data-returned=\"1\">0.5%<span class=\"visually-hidden\"> still open"
  expect_match(table, open, fixed = TRUE)
  blank <- "<td class=\"size part\">50</td><td class=\"none\" data-returned=\"\"></td>"
  expect_match(table, blank, fixed = TRUE)
  expect_no_match(table, "100.0%")
})

test_that("a short range shows some cohorts before it, a long one not endlessly many", {
  week <- cohort_range(some_view(range = "7d"))
  expect_identical(week$from, "2026-09-29T17:00:00.000Z")
  day <- cohort_range(some_view(range = "90d", cohort = "day"))
  expect_identical(day$from, "2026-10-24T17:00:00.000Z")
  expect_identical(day$to, view_range(some_view())$to)
})

test_that("a range without visitors says so", {
  ask <- function(name, ...) {
    zero <- c("cohort", "new_visitors", "returning_visitors")
    rows <- canned[[name]]
    rows[intersect(zero, names(rows))] <- 0
    rows
  }
  testServer(mod_visitors_server, args = visitors_of(ask = ask), {
    expect_match(shown(output$fresh), "data-testid=\"empty\"", fixed = TRUE)
    expect_match(shown(output$retention), "data-testid=\"empty\"", fixed = TRUE)
  })
})
