# What the reader asked for: checked, completed, and turned into ranges. Pure.

presets <- c(today = "Today", yesterday = "Yesterday", "7d" = "7 d", "30d" = "30 d", "90d" = "90 d")
login_states <- c(
  logged_in = "Logged in", anonymous = "Anonymous", guest = "Guest", other = "Other",
  "not set" = "Not set"
)
buckets <- c(hour = "Hour", day = "Day", week = "Week")
# The longest range that may be cut into each.
bucket_days <- c(hour = 31L, day = 731L, week = 3661L)
measures <- c(visitors = "Visitors", sessions = "Sessions", events = "Events")
default_zone <- "Asia/Ho_Chi_Minh"

one_of <- function(value, allowed, default) {
  if (is.character(value) && length(value) == 1L && value %in% allowed) value else default
}

as_day <- function(text) {
  if (!is.character(text) || length(text) != 1L || !grepl("^\\d{4}-\\d{2}-\\d{2}$", text)) {
    return(as.Date(NA))
  }
  as.Date(text, optional = TRUE)
}

#' The first and the last local day of a preset
#'
#' @param today The local date. @return Two dates, both inside the range.
preset_days <- function(preset, today) {
  switch(preset,
    today = c(today, today),
    yesterday = c(today - 1L, today - 1L),
    "7d" = c(today - 6L, today),
    "30d" = c(today - 29L, today),
    "90d" = c(today - 89L, today)
  )
}

#' Turn what the browser sent into a view
#'
#' Anything unknown or malformed falls back to its default; nothing raises.
#'
#' @param sent A list as sent by www/dashboard.js. @param now POSIXct.
#' @return A list: preset, first_day and last_day (Dates), zone, login, bucket, measure.
parse_view <- function(sent, now) {
  zone <- one_of(sent$zone, OlsonNames(), default_zone)
  today <- as.Date(format(now, tz = zone))
  preset <- one_of(sent$range, c(names(presets), "custom"), "7d")
  days <- c(as_day(sent$from), as_day(sent$to))
  if (preset == "custom" && !anyNA(days) && days[1L] <= days[2L] && diff(days) <= 3660) {
    days <- c(days[1L], days[2L])
  } else {
    if (preset == "custom") preset <- "7d"
    days <- preset_days(preset, today)
  }
  span <- as.integer(diff(days)) + 1L
  allowed <- names(buckets)[span <= bucket_days]
  list(
    preset = preset,
    first_day = days[1L],
    last_day = days[2L],
    days = span,
    zone = zone,
    login = names(login_states)[names(login_states) %in% unlist(sent$login)],
    bucket = one_of(sent$bucket, allowed, default_bucket(span)),
    measure = one_of(sent$measure, names(measures), "visitors")
  )
}

#' Hours up to a week, days up to half a year, else weeks
default_bucket <- function(days) {
  if (days <= 7L) "hour" else if (days <= 182L) "day" else "week"
}

midnight <- function(day, zone) as.POSIXct(format(day), tz = zone, format = "%Y-%m-%d")

as_instant <- function(epoch) as.POSIXct(epoch, origin = "1970-01-01", tz = "UTC")

iso <- function(instant) format(instant, "%Y-%m-%dT%H:%M:%OS3Z", tz = "UTC")

filter_json <- function(login) {
  if (!length(login)) return("")
  as.character(jsonlite::toJSON(list(login_state = login)))
}

#' The range of a view, [from, to), as the queries take it
view_range <- function(view) {
  list(
    from = iso(midnight(view$first_day, view$zone)),
    to = iso(midnight(view$last_day + 1L, view$zone)),
    zone = view$zone,
    filter = filter_json(view$login)
  )
}

#' As many local days just before; an unfinished range is compared at equal elapsed time
#'
#' @param data_until Seconds since 1970 or NA: up to where the data goes.
previous_range <- function(view, data_until) {
  range <- view_range(view)
  start <- as.numeric(midnight(view$first_day - view$days, view$zone))
  end <- as.numeric(midnight(view$first_day, view$zone))
  last <- as.numeric(midnight(view$last_day + 1L, view$zone))
  if (!is.na(data_until) && data_until < last) {
    until <- as_instant(data_until)
    day <- as.Date(format(until, tz = view$zone)) - view$days
    cut <- as.numeric(as.POSIXct(paste(day, format(until, "%H:%M:%S", tz = view$zone)),
                                 tz = view$zone))
    # Not a clock time that summer time leaves out.
    if (!is.na(cut)) end <- min(end, cut)
  }
  range$from <- iso(as_instant(start))
  range$to <- iso(as_instant(max(end, start)))
  range
}

#' The first bucket worth drawing
#'
#' A warehouse that began a day ago has nothing before: that is no line at zero. Buckets are left
#' out up to the start of the first event's local day, if the period before is empty as well.
#'
#' @param now,before Rows of the series. @return An index into `now`.
first_drawn <- function(now, before, zone) {
  first <- which(now$events > 0)[1L]
  if (is.na(first) || any(before$events > 0)) return(1L)
  day <- format(as_instant(now$bucket_at), "%Y-%m-%d", tz = zone)
  match(day[first], day)
}

#' A range in words, as "18 – 24 Nov"
range_words <- function(view) {
  short <- function(day) sub("^0", "", format(day, "%d %b"))
  if (view$first_day == view$last_day) return(short(view$first_day))
  paste(short(view$first_day), "\u2013", short(view$last_day))
}

#' Yesterday, and the same weekday a week before, as ranges of a view
yesterday_ranges <- function(view, now) {
  day <- as.Date(format(now, tz = view$zone)) - 1L
  of <- function(day) {
    view$first_day <- day
    view$last_day <- day
    view_range(view)
  }
  list(day = day, now = of(day), before = of(day - 7L))
}
