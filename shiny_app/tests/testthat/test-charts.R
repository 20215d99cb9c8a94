marks <- list(at = 2L, words = "24 Nov")

test_that("ticks start at zero, are round and few", {
  expect_identical(nice_ticks(1530), c(0, 400, 800, 1200, 1600))
  expect_identical(nice_ticks(3), c(0, 1, 2, 3))
  expect_identical(nice_ticks(0), c(0, 1))
})

test_that("a path has a point in the middle of each bucket, from the bottom up", {
  expect_identical(svg_path(c(0, 5, 10), 10), "M0.5 100.0L1.5 50.0L2.5 0.0")
  expect_identical(svg_path(numeric(), 10), "")
})

test_that("an open bucket is a hollow dot in a hatched band, never part of the line", {
  drawn <- html(line_chart(c(10, 20, 5), c(FALSE, FALSE, TRUE), NULL, marks, letters[1:3], "x"))
  expect_match(drawn, "class=\"line\" d=\"M0.5 50.0L1.5 0.0\"", fixed = TRUE)
  expect_match(drawn, "class=\"dot hole\" d=\"M2.5 75.0h0\"", fixed = TRUE)
  expect_match(drawn, "open-band\" style=\"width:33.33%\"", fixed = TRUE)
})

test_that("a finished range has no band", {
  drawn <- html(line_chart(c(10, 20), c(FALSE, FALSE), NULL, marks, c("a", "b"), "x"))
  expect_no_match(drawn, "open-band")
})

test_that("the period before ends where the open buckets begin", {
  drawn <- html(line_chart(c(10, 20, 1), c(FALSE, FALSE, TRUE), c(20, 10, 0), marks, 1:3, "x"))
  expect_match(drawn, "class=\"prev\" d=\"M0.5 0.0L1.5 50.0\"", fixed = TRUE)
})

test_that("the period before is a line of its own, of the same length", {
  drawn <- html(line_chart(c(10, 20), c(FALSE, FALSE), c(20, 10, 5), marks, c("a", "b"), "x"))
  expect_match(drawn, "class=\"prev\" d=\"M0.5 0.0L1.5 50.0\"", fixed = TRUE)
})

test_that("bars carry key and exact value, and escape what events say", {
  rows <- data.frame(key = "a\"b", label = "<script>x</script>", value = 1234567, words = "1%")
  drawn <- html(bar_list(rows, "mix"))
  expect_match(drawn, "data-key=\"a&quot;b\" data-value=\"1234567\"", fixed = TRUE)
  expect_match(drawn, "&lt;script&gt;x&lt;/script&gt;", fixed = TRUE)
  expect_match(drawn, "--v:100.0%", fixed = TRUE)
})

test_that("a closed funnel has slopes, an open one has none", {
  draw <- function(closed) {
    html(funnel_chart(c("a", "b"), c(200, 50), list("x", "y"), closed, "l", "f"))
  }
  expect_match(draw(TRUE), "class=\"flow\"", fixed = TRUE)
  expect_no_match(draw(FALSE), "class=\"flow\"")
  expect_match(draw(TRUE), "height=\"25.00\"", fixed = TRUE)
})

test_that("a step of an open funnel may exceed the first without leaving the plot", {
  drawn <- html(funnel_chart(c("a", "b"), c(118, 200), list("", ""), FALSE, "l", "f"))
  expect_match(drawn, "height=\"100.00\"", fixed = TRUE)
  expect_match(drawn, "169.5%", fixed = TRUE)
})

test_that("heights of the step before are shares of it, without slopes", {
  draw <- function(closed) {
    counts <- c(200, 50, 40)
    html(funnel_chart(letters[1:3], counts, list("", "", ""), closed, "l", "f", "before"))
  }
  expect_match(draw(TRUE), "height=\"25.00\".*height=\"80.00\"")
  expect_match(draw(TRUE), "<span class=\"of\">80.0%</span>", fixed = TRUE)
  expect_no_match(draw(TRUE), "class=\"flow\"")
  expect_match(draw(FALSE), "data-share=\"0.8\"", fixed = TRUE)
})

test_that("a step is a share of what came before it; of nothing it is none", {
  expect_identical(step_share(c(200, 50, 40)), c(1, 0.25, 0.2))
  expect_identical(step_share(c(200, 50, 100), "before"), c(1, 0.25, 2))
  expect_identical(step_share(c(10, 0, 0), "before"), c(1, 0, NA))
  expect_identical(step_share(c(0, 0)), c(NA_real_, NA_real_))
})

test_that("hours are days by 24; the newest day is on top, what has not come is blank", {
  rows <- data.frame(
    hour_at = seconds("2026-11-22 17:00:00") + 3600 * 0:25, keys = 3, quarantined = 0,
    state = c(rep("complete", 24), "gap", "open")
  )
  drawn <- html(hours_table(rows, "Asia/Ho_Chi_Minh"))
  expect_match(drawn, "Tue 24 Nov.*Mon 23 Nov")
  expect_identical(lengths(regmatches(drawn, gregexpr("class=\"none\"", drawn))), 22L)
  expect_match(drawn, "class=\"g\" data-tip=\"24 Nov 00:00: 3 objects, gap\"", fixed = TRUE)
})

test_that("a table escapes its cells", {
  expect_match(html(as_table("x", data.frame(a = "<i>"))), "<td>&lt;i&gt;</td>", fixed = TRUE)
})

test_that("the heatmap is a table of seven days by 24 hours; days that were not are blank", {
  table <- html(heat_table(canned$heatmap, 11.5))
  expect_identical(lengths(regmatches(table, gregexpr("<td class", table))), 168L)
  peak <- paste0("<td class=\"q6\" data-tip=\"Mon 23:00: 12 sessions\" data-key=\"1-23\" ",
                 "data-value=\"23\">")
  expect_match(table, peak, fixed = TRUE)
  expect_match(table, "class=\"q0\" data-tip=\"Tue 05:00: 0.0 sessions\"", fixed = TRUE)
  expect_match(table, "class=\"none\" data-tip=\"Wed 00:00", fixed = TRUE)
})

test_that("a bucket is as complete as the worst of its hours; one without hours has not come", {
  rows <- data.frame(
    place = c(1, 2, 3, 4, 5), hours = 24, gaps = c(0, 0, 0, 0, 1), pending = c(0, 0, 0, 2, 2),
    open = c(0, 0, 1, 1, 1), quarantined = c(0, 3, 3, 3, 3)
  )
  expect_identical(bucket_states(rows, 6L),
                   c("complete", "quarantined", "open", "pending", "gap", "open"))
})

test_that("the strip joins neighbours of one state and says in words how many there are", {
  drawn <- html(completeness_strip(c("complete", "complete", "gap", "complete", "open")))
  pieces <- "data-key=\"complete\" data-value=\"2\".*data-key=\"gap\" data-value=\"1\""
  expect_match(drawn, pieces)
  expect_match(drawn, "class=\"g\" style=\"flex:1\"", fixed = TRUE)
  label <- "aria-label=\"Completeness: 1 gap, 1 still open, 3 complete\""
  expect_match(drawn, label, fixed = TRUE)
  expect_no_match(html(strip_keys(c("complete", "open"))), "gap")
})

test_that("columns of one series have no second one, and few lines when asked for few", {
  drawn <- html(columns_chart(c(4, 8), NULL, c(FALSE, TRUE), marks, c("a", "b"), "l", 72L, 2))
  expect_match(drawn, "class=\"c1\" x=\"0.10\" width=\"0.8\" y=\"50.00\"", fixed = TRUE)
  expect_match(drawn, "class=\"c1 faded\"", fixed = TRUE)
  expect_no_match(drawn, "soft")
  expect_identical(lengths(regmatches(drawn, gregexpr("class=\"grid\"", drawn))), 3L)
})
