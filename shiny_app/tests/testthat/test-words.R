test_that("counts have commas and no exponent", {
  expect_identical(fmt_count(c(0, 22060, 3e9, NA)), c("0", "22,060", "3,000,000,000", "\u2013"))
  expect_identical(exact(c(100000, 1764000000.25, NA)), c("100000", "1764000000.25", ""))
})

test_that("rates are percent; nothing divided by nothing is a dash", {
  expect_identical(fmt_rate(0.0454, 2L), "4.54%")
  expect_identical(fmt_rate(NA_real_), "\u2013")
})

test_that("prices are written as in Viet Nam", {
  expect_identical(fmt_vnd(c(1990000, NA)), c("1.990.000 \u20ab", "\u2013"))
})

test_that("times read as people say them", {
  expect_identical(fmt_seconds(c(1.5, 42, 205, NA)), c("1.5 s", "42 s", "3 min 25 s", "\u2013"))
  expect_identical(fmt_seconds(119.7), "2 min 00 s")
  expect_identical(fmt_instant(seconds("2026-11-08 17:30:00"), "Asia/Ho_Chi_Minh"), "9 Nov 00:30")
})

test_that("a change beyond chance is good or bad by its direction", {
  expect_identical(change_words(22060, 19968), list(text = "\u25b2 +10.5%", tone = "good"))
  expect_identical(change_words(100, 98)$tone, "flat")
  bounce <- change_words(0.30, 0.25, rate = TRUE, n = c(9000, 9000), good = -1)
  expect_identical(bounce, list(text = "\u25b2 +5.0 pp", tone = "bad"))
})

test_that("there is no change without something before", {
  expect_null(change_words(5, 0))
  expect_null(change_words(NA_real_, 0.1, rate = TRUE, n = c(0, 10)))
})

test_that("known events have a name for people, unknown ones their own", {
  expect_identical(event_label(c("add_to_cart_click", "spin_wheel"), c("x", "Spin_Wheel")),
                   c("Add to cart", "Spin_Wheel"))
})

test_that("axis words: every third hour of a day, midnights of a week, about eight days", {
  hours <- seconds("2026-11-23 17:00:00") + 3600 * 0:23
  day <- axis_marks(hours, "hour", "Asia/Ho_Chi_Minh")
  expect_identical(rev(day$words)[1:3], c("24 Nov", "03:00", "06:00"))
  week <- axis_marks(seconds("2026-11-16 17:00:00") + 3600 * 0:167, "hour", "Asia/Ho_Chi_Minh")
  expect_identical(rev(week$words), paste(17:23, "Nov"))
  month <- axis_marks(seconds("2026-10-25 17:00:00") + 86400 * 0:29, "day", "Asia/Ho_Chi_Minh")
  expect_length(month$words, 8L)
  expect_identical(month$words[1L], "24 Nov")
  expect_length(axis_marks(numeric(), "day", "UTC")$words, 0L)
})
