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
pages <- c(
  overview = "Overview", funnel = "Funnel", products = "Products", visitors = "Visitors",
  sessions = "Sessions", explore = "Explore", pipeline = "Pipeline"
)
# Filters that take values from the warehouse: their name in the URL, and in the warehouse.
list_fields <- c(category = "category", brand = "brand", event = "event_name")
most_values <- 50L
longest_value <- 200L
longest_search <- 100L
url_keys <- c("page", "range", "from", "to", "login", "zone", "bucket", "measure",
              names(list_fields), "cohort", "heights", "split",
              "outcome", "session", "columns", "step", "product", "find", "sort", "order", "part",
              "lang")

one_of <- function(value, allowed, default) {
  if (is.character(value) && length(value) == 1L && value %in% allowed) value else default
}

#' Text of one line, or none
one_text <- function(value) if (is.character(value) && length(value) == 1L) value else ""

#' Distinct values of a filter, as keys of the warehouse: what is no such text is left out
sent_values <- function(values) {
  values <- unlist(values)
  if (!is.character(values)) return(character())
  values <- unique(values[validUTF8(values)])
  values <- values[nzchar(values) & nchar(values) <= longest_value]
  utils::head(values, most_values)
}

#' The first value of a link's, if it is one: no text else
sent_text <- function(value, longest) {
  text <- one_text(value)
  if (!is.na(text) && validUTF8(text) && nchar(text) <= longest) text else ""
}

#' The steps of a funnel, in their order and as often as they are meant; none: the usual ones
sent_steps <- function(values) {
  values <- unlist(values)
  if (!is.character(values) || !length(values) %in% step_counts) return(character())
  if (!all(validUTF8(values)) || !all(nchar(values) %in% seq_len(longest_value))) {
    return(character())
  }
  values
}

#' The number of a part of a list, from 1
sent_part <- function(value) {
  if (grepl("^[1-9][0-9]{0,4}$", one_text(value))) as.numeric(value) else 1
}

#' Letters without case and marks, for a search: "dien thoai" finds "\u0110i\u1ec7n tho\u1ea1i"
fold <- function(text) {
  text <- tolower(text)
  for (letter in names(marked)) text <- gsub(paste0("[", marked[[letter]], "]"), letter, text)
  text
}
marked <- c(
  a = "àáảãạăằắẳẵặâầấẩẫậ", e = "èéẻẽẹêềếểễệ", i = "ìíỉĩị", o = "òóỏõọôồốổỗộơờớởỡợ",
  u = "ùúủũụưừứửữự", y = "ỳýỷỹỵ", d = "đ"
)

#' Columns of events, in the order of the menu; none: the default ones
sent_columns <- function(values) {
  chosen <- names(event_columns)[names(event_columns) %in% unlist(values)]
  if (length(chosen)) chosen else default_columns
}

#' How a link names a session: its number, and the instant of an event of it to the microsecond
#'
#' A number may pass to nobody or to another session when the warehouse counts sessions anew; what
#' happened at an instant stays. Before 1970 there is the number alone.
session_name <- function(number, instant) {
  ifelse(instant < 0, exact(number), sprintf("%s-%.6f", exact(number), instant))
}

#' Number and instant of such a name, NA where there is none
as_session <- function(text) {
  text <- one_text(text)
  if (!grepl("^[0-9]{1,9}(-[0-9]{1,11}[.][0-9]{6})?$", text)) text <- "-"
  parts <- strsplit(paste0(text, "-"), "-", fixed = TRUE)[[1L]]
  as.numeric(c(parts, NA, NA)[1:2])
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
#' @return A list: preset, first_day and last_day (Dates), zone, login, category, brand, event,
#'   bucket, measure, cohort, heights, split, outcome, session, session_at, columns, steps,
#'   product, find, sort, order, part, lang, dropped (names of what could not be read).
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
    measure = one_of(sent$measure, names(measures), "visitors"),
    category = sent_values(sent$category),
    brand = sent_values(sent$brand),
    event = sent_values(sent$event),
    cohort = one_of(sent$cohort, names(cohorts), "week"),
    heights = one_of(sent$heights, names(heights), "first"),
    split = one_of(sent$split, names(splits), "login_state"),
    outcome = one_of(sent$outcome, names(outcomes), "all"),
    session = as_session(sent$session)[1L],
    session_at = as_session(sent$session)[2L],
    columns = sent_columns(sent$columns),
    steps = sent_steps(sent$step),
    product = sent_text(sent$product, longest_value),
    find = trimws(sent_text(sent$find, longest_search)),
    sort = one_of(sent$sort, names(product_sorts), "views"),
    order = one_of(sent$order, orders, "desc"),
    part = sent_part(sent$part),
    lang = one_of(sent$lang, names(languages), "en"),
    dropped = url_keys[url_keys %in% unlist(sent$dropped)]
  )
}

#' Hours up to a week, days up to half a year, else weeks
default_bucket <- function(days) {
  if (days <= 7L) "hour" else if (days <= 182L) "day" else "week"
}

midnight <- function(day, zone) as.POSIXct(format(day), tz = zone, format = "%Y-%m-%d")

as_instant <- function(epoch) as.POSIXct(epoch, origin = "1970-01-01", tz = "UTC")

iso <- function(instant) format(instant, "%Y-%m-%dT%H:%M:%OS3Z", tz = "UTC")

#' @param chosen A list by field of the warehouse: values, none of them where all pass.
filter_json <- function(chosen) {
  chosen <- chosen[lengths(chosen) > 0L]
  if (!length(chosen)) return("")
  as.character(jsonlite::toJSON(chosen))
}

#' Whether any filter is set
is_filtered <- function(view) length(unlist(view[c("login", names(list_fields))])) > 0L

#' A view without the values that no event has
#'
#' @param choices A function of a field of the warehouse: its values, or NULL when nobody knows.
#' @param is_product A function of a product's id: whether any event has it, NULL likewise.
known_view <- function(view, choices, is_product = function(id) NULL) {
  if (nzchar(view$product) && isFALSE(is_product(view$product))) view$product <- ""
  if (length(view$steps)) {
    known <- choices("event_name")
    if (!is.null(known)) view$steps <- view$steps[view$steps %in% known]
    if (length(view$steps) < min(step_counts)) view$steps <- character()
  }
  for (field in names(list_fields)) {
    if (!length(view[[field]])) next
    known <- choices(list_fields[[field]])
    if (!is.null(known)) view[[field]] <- intersect(view[[field]], known)
  }
  view
}

#' What known_view() left out, by field
unknown_values <- function(sent, view) {
  gone <- lapply(stats::setNames(nm = names(list_fields)), function(field) {
    setdiff(sent[[field]], view[[field]])
  })
  gone$step <- setdiff(sent$steps, view$steps)
  if (sent$product != view$product) gone$product <- sent$product
  gone[lengths(gone) > 0L]
}

#' The range of a view, [from, to), as the queries take it
view_range <- function(view) {
  list(
    from = iso(midnight(view$first_day, view$zone)),
    to = iso(midnight(view$last_day + 1L, view$zone)),
    zone = view$zone,
    filter = filter_json(list(
      login_state = view$login, category = view$category, brand = view$brand,
      event_name = view$event
    ))
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
  if (view$first_day == view$last_day) return(short_day(view$first_day))
  paste(short_day(view$first_day), "\u2013", short_day(view$last_day))
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
