test_that("a page without a query shows seven local days by the hour", {
  view <- some_view()
  expect_identical(view$preset, "7d")
  expect_identical(view$first_day, as.Date("2026-11-18"))
  expect_identical(view$last_day, as.Date("2026-11-24"))
  expect_identical(view$bucket, "hour")
  expect_identical(view$login, character())
})

test_that("today is the zone's today", {
  late <- at("2026-11-23 18:00:00")
  expect_identical(parse_view(list(range = "today"), late)$first_day, as.Date("2026-11-24"))
  utc <- parse_view(list(range = "today", zone = "UTC"), late)
  expect_identical(utc$first_day, as.Date("2026-11-23"))
})

test_that("whatever is unknown in the URL falls back to its default", {
  view <- some_view(range = "1; DROP TABLE", zone = "Mars/Olympus", bucket = "second",
                    measure = list("x"), login = c("guest", "root'--"))
  expect_identical(view$preset, "7d")
  expect_identical(view$zone, "Asia/Ho_Chi_Minh")
  expect_identical(view$bucket, "hour")
  expect_identical(view$measure, "visitors")
  expect_identical(view$login, "guest")
})

test_that("a custom range is taken when it is one", {
  view <- some_view(range = "custom", from = "2026-10-01", to = "2026-10-31")
  expect_identical(c(view$first_day, view$last_day), as.Date(c("2026-10-01", "2026-10-31")))
  expect_identical(view$days, 31L)
})

test_that("a custom range that is none becomes the default one", {
  expect_identical(some_view(range = "custom", from = "2026-10-31", to = "2026-10-01")$preset, "7d")
  expect_identical(some_view(range = "custom", from = "2026-02-30", to = "2026-03-01")$preset, "7d")
  expect_identical(some_view(range = "custom", from = "2026-10-01")$preset, "7d")
})

test_that("a range too long for its bucket gets the next that fits", {
  long <- list(range = "custom", from = "2024-01-01", to = "2026-10-01", bucket = "hour")
  expect_identical(do.call(some_view, long)$bucket, "week")
  expect_identical(some_view(range = "30d", bucket = "hour")$bucket, "hour")
  expect_identical(some_view(range = "90d", bucket = "hour")$bucket, "day")
})

test_that("a range is [from, to) in UTC, its filter JSON", {
  range <- view_range(some_view(range = "today", login = list("logged_in", "guest")))
  expect_identical(range$from, "2026-11-23T17:00:00.000Z")
  expect_identical(range$to, "2026-11-24T17:00:00.000Z")
  expect_identical(range$filter, "{\"login_state\":[\"logged_in\",\"guest\"]}")
  expect_identical(view_range(some_view())$filter, "")
})

test_that("one filter value is an array as well", {
  expect_identical(filter_json(list(login_state = "not set", brand = character())),
                   "{\"login_state\":[\"not set\"]}")
})

test_that("a day of 23 hours is a whole day", {
  day <- "2026-03-29"
  view <- some_view(range = "custom", from = day, to = day, zone = "Europe/Berlin")
  range <- view_range(view)
  expect_identical(range$from, "2026-03-28T23:00:00.000Z")
  expect_identical(range$to, "2026-03-29T22:00:00.000Z")
})

test_that("an unfinished range is compared at equal elapsed time", {
  before <- previous_range(some_view(range = "today"), seconds("2026-11-24 07:03:00"))
  expect_identical(before$from, "2026-11-22T17:00:00.000Z")
  expect_identical(before$to, "2026-11-23T07:03:00.000Z")
})

test_that("a finished range is compared with as many days just before", {
  view <- some_view(range = "yesterday")
  before <- previous_range(view, seconds("2026-11-24 07:03:00"))
  expect_identical(before$from, "2026-11-21T17:00:00.000Z")
  expect_identical(before$to, "2026-11-22T17:00:00.000Z")
  expect_identical(previous_range(view, NA), before)
})

test_that("a range that data has not reached has nothing to compare with", {
  before <- previous_range(some_view(range = "today"), seconds("2026-11-20 00:00:00"))
  expect_identical(before$from, before$to)
})

test_that("a chart begins on the first event's day when all before is empty", {
  hours <- seconds("2026-11-22 17:00:00") + 3600 * 0:47
  now <- data.frame(bucket_at = hours, events = c(rep(0, 30), rep(5, 18)))
  none <- data.frame(events = c(0, 0))
  expect_identical(first_drawn(now, none, "Asia/Ho_Chi_Minh"), 25L)
  expect_identical(first_drawn(now, data.frame(events = c(0, 3)), "Asia/Ho_Chi_Minh"), 1L)
  expect_identical(first_drawn(transform(now, events = 0), none, "Asia/Ho_Chi_Minh"), 1L)
})

test_that("a range in words names both ends, a day once", {
  expect_identical(range_words(some_view()), "18 Nov \u2013 24 Nov")
  expect_identical(range_words(some_view(range = "today")), "24 Nov")
})

test_that("every filter is part of the range, by the warehouse's names", {
  view <- some_view(category = "b\u00e0n ph\u00edm", brand = list("a", "b"), event = "x,y")
  range <- view_range(view)
  expect_identical(range$filter, paste0(
    "{\"category\":[\"b\u00e0n ph\u00edm\"],\"brand\":[\"a\",\"b\"],\"event_name\":[\"x,y\"]}"
  ))
})

test_that("values of a filter are text of a bearable length, each once, not endless", {
  expect_identical(sent_values(list("a", "a", "", strrep("x", 10000L))), "a")
  expect_identical(sent_values(list(1, 2)), character())
  expect_identical(sent_values(NULL), character())
  expect_identical(sent_values("\xff"), character())
  expect_length(sent_values(as.character(1:1000)), 50L)
})

test_that("values that no event has are left out and named; unknown when nobody can say", {
  sent <- some_view(category = c("mouse", "unicorn"), brand = "akko")
  view <- known_view(sent, function(field) if (field == "category") c("mouse", "keyboard"))
  expect_identical(view$category, "mouse")
  expect_identical(view$brand, "akko")
  expect_identical(unknown_values(sent, view), list(category = "unicorn"))
})

test_that("names of parameters that were left out are taken, other words are not", {
  expect_identical(some_view(dropped = list("zone", "from", "<b>"))$dropped, c("from", "zone"))
  expect_identical(some_view(lang = "vi")$lang, "vi")
  expect_identical(some_view(lang = "xx")$lang, "en")
})

test_that("a search needs no marks and no capitals", {
  expect_identical(fold("\u0110i\u1ec7n Tho\u1ea1i"), "dien thoai")
})
