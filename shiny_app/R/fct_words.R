# Numbers, dates and event names in words. Pure.

dash <- "\u2013"

fmt_count <- function(x) {
  marks <- if (is_vietnamese()) c(".", ",") else c(",", ".")
  words <- formatC(x, format = "f", digits = 0, big.mark = marks[1L], decimal.mark = marks[2L])
  ifelse(is.na(x), dash, words)
}

#' A number as the tests compare it: no separators, no exponent
exact <- function(x) ifelse(is.na(x), "", formatC(x, format = "fg", digits = 15, width = 1))

#' The decimal point of the language
point <- function(text) if (is_vietnamese()) sub(".", ",", text, fixed = TRUE) else text

fmt_rate <- function(x, digits = 1L) {
  ifelse(is.na(x), dash, point(sprintf(paste0("%.", digits, "f%%"), 100 * x)))
}

#' Prices in dong are written with points, in every language
fmt_vnd <- function(x) {
  points <- formatC(x, format = "f", digits = 0, big.mark = ".", decimal.mark = ",")
  ifelse(is.na(x), dash, paste(points, "\u20ab"))
}

fmt_seconds <- function(x) {
  whole <- round(x)
  ifelse(
    is.na(x), dash,
    ifelse(whole >= 60, sayf("%.0f min %02.0f s", whole %/% 60, whole %% 60),
           ifelse(x < 10, point(sayf("%.1f s", x)), sayf("%.0f s", whole)))
  )
}

#' A mean: a digit after the point while it is small
fmt_mean <- function(x) {
  ifelse(is.na(x), dash, ifelse(x < 10, point(formatC(x, format = "f", digits = 1)), fmt_count(x)))
}

fmt_ratio <- function(x) ifelse(is.na(x), dash, point(formatC(x, format = "f", digits = 2)))

#' Day, month and time to the second
fmt_moment <- function(epoch, zone) {
  paste(axis_day(epoch, zone), fmt_second(epoch, zone))
}

#' Day and month: 9 Nov, 9/11
short_day <- function(day) {
  sub("^0", "", format(day, if (is_vietnamese()) "%d/%m" else "%d %b"))
}

#' With the day of the week: Mon 9 Nov, T2 9/11
week_day <- function(day) {
  short <- c("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
  paste(say(short[as.POSIXlt(day)$wday + 1L]), short_day(day))
}

local_day <- function(epoch, zone) as.Date(format(as_instant(epoch), "%Y-%m-%d", tz = zone))

fmt_clock <- function(epoch, zone) format(as_instant(epoch), "%H:%M", tz = zone)

fmt_second <- function(epoch, zone) format(as_instant(epoch), "%H:%M:%S", tz = zone)

fmt_instant <- function(epoch, zone) {
  ifelse(
    is.na(epoch), dash,
    paste(axis_day(epoch, zone), fmt_clock(epoch, zone))
  )
}

bucket_words <- function(epoch, bucket, zone) {
  day <- local_day(epoch, zone)
  switch(bucket,
    hour = paste0(week_day(day), ", ", fmt_clock(epoch, zone)), day = week_day(day),
    week = sayf("week of %s", short_day(day))
  )
}

axis_day <- function(epoch, zone) {
  short_day(local_day(epoch, zone))
}

#' Which buckets get a word under the axis, and which word
#'
#' Hours: each third, or each midnight of more than two days; else about eight, from the newest.
#'
#' @return A list: at (indices), words.
axis_marks <- function(epoch, bucket, zone) {
  instant <- as.POSIXct(epoch, origin = "1970-01-01")
  hour <- as.integer(format(instant, "%H", tz = zone))
  day <- axis_day(epoch, zone)
  at <- rev(seq_along(epoch))
  words <- day
  if (bucket == "hour" && length(epoch) <= 48L) {
    step <- if (length(epoch) > 26L) 6L else 3L
    at <- at[hour[at] %% step == 0L]
    words <- ifelse(hour == 0L, day, format(instant, "%H:%M", tz = zone))
  } else if (bucket == "hour") {
    at <- at[hour[at] == 0L]
  }
  at <- at[(seq_along(at) - 1L) %% max(1L, ceiling(length(at) / 8)) == 0L]
  list(at = at, words = words[at])
}

event_words <- c(
  page_view = "Page view", click = "Click", home_view = "Home view",
  category_view = "Category view", product_view = "Product view",
  add_to_cart_click = "Add to cart", remove_from_cart_click = "Remove from cart",
  wishlist_toggle = "Wish list", share_click = "Share", login_open = "Login opened",
  login_success = "Logged in", logout = "Log out", checkout_start = "Checkout start",
  checkout_complete = "Checkout complete", unknown = "Unknown"
)

event_label <- function(name, label = name) {
  known <- unname(event_words[name])
  ifelse(is.na(known), label, say(known))
}

#' The change against the period before, in words and a tone
#'
#' Two standard errors decide whether it is more than chance: a count's is Poisson's, a rate's is
#' that of shares of `n` now and before.
#'
#' @param good 1 when more is better, -1 when less is.
#' @return A list: text, tone (good, bad, flat); NULL when there is nothing to compare with.
change_words <- function(now, before, rate = FALSE, n = NULL, good = 1) {
  if (is.na(now) || is.na(before) || (!rate && before <= 0)) return(NULL)
  if (rate) {
    size <- 100 * (now - before)
    error <- 100 * sqrt(now * (1 - now) / n[1L] + before * (1 - before) / n[2L])
  } else {
    size <- 100 * (now / before - 1)
    error <- 100 * sqrt(now + before) / before
  }
  sign <- if (abs(size) < 0.05) "\u00b1" else if (size > 0) "\u25b2 +" else "\u25bc \u2212"
  chance <- is.na(error) || abs(size) < 2 * error
  list(
    text = paste0(sign, point(sprintf("%.1f", abs(size))), if (rate) say(" pp") else "%"),
    tone = if (chance) "flat" else if (size * good > 0) "good" else "bad"
  )
}

# One sentence each, as METRICS has them: shown beside the number.
definitions <- c(
  visitors = "Distinct client_id of the events in range and filter. Exact, not estimated.",
  sessions = paste(
    "session_id where present; without it a visitor's gap of more than 30 minutes starts a new",
    "one. A session belongs to the instant of its first event. No split at midnight. Over 5,000",
    "events: a robot, left out."
  ),
  conversion = "Sessions with checkout_complete \u00f7 sessions.",
  cart = paste(
    "Sessions with a product view and an add to cart, in any order \u00f7 sessions with a product",
    "view. Sessions that added without a view are counted apart."
  ),
  bounce = paste(
    "1 \u2212 engaged sessions \u00f7 sessions. Engaged: longer than 10 s, or views over 5 s",
    "apart, or an add to cart, checkout start or checkout complete."
  ),
  events = "Stored events in range and filter; each event once.",
  mix = "Events by name. A filter on login state takes the event's own state.",
  login = "A session is logged in if any of its events is, else guest, anonymous, other, not set.",
  funnel = paste(
    "In order: each step the earliest other event not before the last step's, within a session,",
    "no time limit. Left: went no step further, of the sessions that are not still open there.",
    "Still open: last event under 30 minutes before data until. Any order: sessions that reached",
    "the step at all."
  ),
  split = paste(
    "Each value's funnel is what the filter by it gives, so sessions of two categories or brands",
    "count for both. Bars: share of the step before; the tick is that of all sessions."
  ),
  products = paste(
    "By product id, category_view left out. Name, labels and price seen: of the newest event that",
    "has one. Add-to-cart: sessions that viewed and added it, in any order \u00f7 sessions that",
    "viewed it. Bought: sessions that added it and completed a checkout later, an upper estimate."
  ),
  product_events = "Events of that name with this product id, in range and filter.",
  product_rate = paste(
    "Sessions that viewed and added this product, in any order \u00f7 sessions that viewed it."
  ),
  product_bought = paste(
    "Sessions that added this product and completed a checkout later: an upper estimate, as a",
    "checkout names no product. A session belongs to the instant of its first event."
  ),
  price_seen = paste(
    "Price seen: of the newest event that has one. In this range: the lowest and the highest of",
    "its events in range and filter. No price is taken from discountPrice."
  ),
  unviewed = "Sessions with an add to cart and no product view at all: in no add-to-cart rate.",
  discount = paste(
    "discountPrice is no price unless it is above 100 and below the event's price: the storefront",
    "puts a percentage there. No number here is made of it."
  ),
  value = "Product views by the event's own value, newest spelling; history is not rewritten.",
  heat = "Sessions started in that local hour \u00f7 times it occurred, complete days only.",
  new = paste(
    "New: first seen (the client's earliest event, whatever the filter) in the range or bucket;",
    "else returning. They add up to visitors."
  ),
  returning = "Visitors first seen before the range or bucket.",
  per_visitor = "Sessions \u00f7 their distinct clients.",
  length = "Median of last \u2212 first event, over sessions of two or more events.",
  depth = "Home, category, product and page views \u00f7 sessions.",
  retention = paste(
    "Clients first seen in that day or week with an event in it that passes the filter; each cell:",
    "how many of them have one in the nth day or week after. Not yet come: blank; still open:",
    "hatched."
  ),
  filter = paste(
    "Values of one filter: any of them. Filters: all of them. Events and visitors: the event",
    "passes all. Sessions: one event passes category, brand and event together; then the session",
    "counts whole: its checkout, which carries no product, need not pass."
  ),
  complete = paste(
    "For each hour of keys: every object ever listed is loaded, quarantined, pending or gone",
    "(deleted before it was loaded). Quarantined: its newest version has a record that could not",
    "be loaded.",
    "Gap: ended over 2 hours ago and not listed since, or pending over 2 hours."
  ),
  until = "Start of the newest run that left nothing pending.",
  newest = "Time of the newest stored event.",
  stored = paste(
    "Events stored since the warehouse began, each once; those gone since are among them."
  ),
  loaded = "Objects of the raw bucket that are loaded; one that was replaced counts again.",
  quarantined = "Objects whose newest version has a record that could not be loaded.",
  pending = "Objects whose newest version was listed and is not loaded yet.",
  runs = paste(
    "Records read = stored + duplicate + quarantined + erased + expired. Objects: loaded and",
    "quarantined. Duplicate: stored already; in conflict: a duplicate that differs in time, name,",
    "client or session. Erased: was erased before and came again. Expired: older than what is kept."
  ),
  quarantine = paste(
    "Records of each object's newest version that could not be loaded, by reason, until a reload",
    "takes them. An object that cannot be read at all counts as one."
  )
)
