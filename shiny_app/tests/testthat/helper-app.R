# Loads the app's functions into the tests' environment; no package, no database, no browser.
library(shiny)

app_home <- file.path("..", "..")
home <- environment()
for (file in list.files(file.path(app_home, "R"), full.names = TRUE)) sys.source(file, home)

# The statement and the values that a query function would send.
sent_by <- function(call) {
  real <- get("db_query", home)
  on.exit(assign("db_query", real, home))
  assign("db_query", function(db, sql, values = list()) list(sql = sql, values = values), home)
  call()
}

html <- function(tag) as.character(tag)

at <- function(text) as.POSIXct(text, tz = "UTC", format = "%Y-%m-%d %H:%M:%S")

seconds <- function(text) as.numeric(at(text))

# What a module's `ask` answers in these tests, by the question's name.
canned <- list(
  freshness = data.frame(
    data_until = seconds("2026-11-24 07:03:00"), newest_event_at = seconds("2026-11-24 07:01:00"),
    last_run_at = seconds("2026-11-24 07:03:00"), last_run_result = "loaded", running = FALSE,
    objects_loaded = 19624, objects_quarantined = 12, objects_pending = 0, events_stored = 21805
  ),
  kpis = data.frame(
    events = 21805, visitors = 3171, sessions = 5139, converted_sessions = 248,
    engaged_sessions = 3865, product_view_sessions = 3722, add_sessions = 793, robot_sessions = 0,
    conversion_rate = 248 / 5139, bounce_rate = 1274 / 5139, add_to_cart_rate = 793 / 3722,
    abandonment_rate = 0.5, adds_without_view_sessions = 12, discount_rows = 5212,
    implausible_discounts = 4312
  ),
  series = data.frame(
    bucket_at = seconds(c("2026-11-22 17:00:00", "2026-11-23 17:00:00")), events = c(669, 21136),
    visitors = c(85, 3123), sessions = c(163, 4976), converted_sessions = c(6, 242),
    provisional = c(FALSE, TRUE)
  ),
  bucket_hours = data.frame(
    place = 1:2, hours = c(7, 24), gaps = 0, pending = 0, open = c(0, 10), quarantined = c(1, 0)
  ),
  event_mix = data.frame(
    event_name = c("product_view", "spin_wheel"), label = c("product_view", "Spin <b>wheel</b>"),
    events = c(11303, 7)
  ),
  login_states = data.frame(
    login_state = c("anonymous", "logged_in"), sessions = c(3748, 997),
    converted_sessions = c(162, 73)
  ),
  funnel = data.frame(
    step = 1:4,
    event_name = c("product_view", "add_to_cart_click", "checkout_start", "checkout_complete"),
    closed_sessions = c(3722, 790, 374, 244), open_sessions = c(3722, 793, 380, 248),
    median_seconds = c(NA, 65, 102, 1.5), left_sessions = c(2910, 416, 130, NA),
    still_open_sessions = c(22, 0, 0, NA)
  ),
  choices = data.frame(
    value = c("product_view", "add_to_cart_click", "checkout_start", "checkout_complete",
              "spin_wheel"),
    label = c("product_view", "add_to_cart_click", "checkout_start", "checkout_complete",
              "Spin <b>wheel</b>")
  ),
  funnel_split = data.frame(
    value = c("anonymous", "logged_in"), label = c("anonymous", "logged_in"),
    view_sessions = c(3000, 722), add_sessions = c(600, 190), start_sessions = c(250, 124),
    complete_sessions = c(150, 94)
  ),
  product_list = data.frame(
    product_id = c("p1", "p2"), name = c("B\u00e0n ph\u00edm <Akko> & 5075B", NA),
    category = c("keyboard", NA), brand = c("Akko", NA), price_seen = c(1890000, NA),
    views = c(401, 3), adds = c(28, 0), removals = c(4, 0), wishlisted = c(9, 0),
    bought_sessions = c(6, 0), add_to_cart_rate = c(0.08, NA), products = 61
  ),
  product_labels = data.frame(
    product_id = "p/1 <b>", name = "<script>alert(1)</script>", category = "keyboard", brand = NA,
    price_seen = 1890000
  ),
  product_totals = data.frame(
    views = 401, adds = 28, removals = 4, wishlisted = 9, view_sessions = 200, add_sessions = 16,
    bought_sessions = 6, add_to_cart_rate = 0.08
  ),
  product_series = data.frame(
    bucket_at = seconds(c("2026-11-22 17:00:00", "2026-11-23 17:00:00")), views = c(100, 301),
    adds = c(20, 8), removals = c(4, 0), bought_sessions = c(6, 0), provisional = c(FALSE, TRUE)
  ),
  product_prices = data.frame(
    lowest = 1790000, highest = 1890000, priced = 300, discounts = 40, implausible_discounts = 38
  ),
  categories = data.frame(
    value = c("keyboard", "not set"), label = c("keyboard", "not set"), views = c(11000, 300),
    adds = c(28, 0), bought_sessions = c(6, 0)
  ),
  runs = data.frame(
    run_id = c(9, 8), started_at = seconds(c("2026-11-24 07:03:00", "2026-11-24 06:03:00")),
    seconds = c(4.2, 3.9), result = "loaded", objects_loaded = c(810, 790),
    objects_quarantined = c(0, 6), events_stored = c(1311, 1290), events_duplicate = c(17, 20),
    records_quarantined = c(0, 1043), events_erased = c(3, 0), events_expired = c(0, 0),
    events_conflict = c(2, 0), error = NA_character_
  ),
  visitor_facts = data.frame(
    new_visitors = 2900, returning_visitors = 271, sessions = 5139, sessions_per_visitor = 1.62,
    median_seconds = 79, depth = 3.3
  ),
  new_returning = data.frame(
    bucket_at = seconds(c("2026-11-22 17:00:00", "2026-11-23 17:00:00")),
    new_visitors = c(80, 2820), returning_visitors = c(5, 303), new_sessions = c(80, 2820),
    returning_sessions = c(60, 1900), unset_sessions = c(23, 256), provisional = c(FALSE, TRUE),
    marked = TRUE
  ),
  retention = data.frame(
    cohort_at = seconds(rep(c("2026-11-08 17:00:00", "2026-11-15 17:00:00",
                              "2026-11-22 17:00:00"), 3:1)),
    number = c(0:2, 0:1, 0), cohort = c(200, 200, 200, 100, 100, 50),
    returned = c(200, 20, 1, 100, 2, 50), rate = c(1, 0.1, 0.005, 1, 0.02, 1),
    provisional = c(FALSE, FALSE, TRUE, FALSE, TRUE, TRUE)
  ),
  session_shapes = data.frame(
    shape = c("depth", "length", "sessions", "sessions"), place = c(0, 2, 1, 6),
    amount = c(10, 7, 30, 10)
  ),
  session_list = data.frame(
    session_no = 30:5, client_id = c("=<b>c1", rep("c2", 24), NA),
    started_at = seconds("2026-11-24 07:00:00") - 60 * 0:25,
    started_text = format(at("2026-11-24 07:00:00") - 60 * 0:25, "%Y-%m-%d %H:%M:%S+00"),
    ended_at = seconds("2026-11-24 07:01:00"), events = 3, views = 2, login_state = "guest",
    is_new = c(TRUE, rep(FALSE, 24), NA), is_engaged = TRUE, has_add = c(TRUE, rep(FALSE, 25)),
    has_checkout_start = FALSE, is_completed = FALSE, is_open = FALSE
  ),
  session_events = data.frame(
    event_at = seconds("2026-11-24 07:00:00") + c(0, 95), event_id = c("e1", "e2"),
    event_name = c("product_view", "add_to_cart_click"), product_id = c("p1", NA),
    product_name = c("<i>Akko", NA), category = "keyboard", brand = NA, price = c(1890000, NA)
  ),
  event_list = data.frame(
    event_id = sprintf("e%02d", 51:1), event_timestamp = seconds("2026-11-24 07:00:00") - 0:50,
    event_text = format(at("2026-11-24 07:00:00") - 0:50, "%Y-%m-%d %H:%M:%S+00"),
    event_name = "product_view", user_id = NA, user_login_state = "half <b>", identity_source = NA,
    client_id = "=c1", session_id = c("s1", rep(NA, 50)), is_first_visit = "true",
    context_product_id = "p1", context_product_name = "<img src=x>",
    context_product_category = "", context_product_brand = "Akko",
    context_product_price = 1890000, context_product_discount_price = "10",
    context_product_url_path = "/p", session_no = c(7, 8, rep(NA, 49))
  ),
  heatmap = data.frame(
    weekday = rep(1:2, each = 24L), hour = rep(0:23, 2L), sessions = c(0:23, rep(0, 24L)),
    occurrences = 2, sessions_per_hour = c(0:23 / 2, rep(0, 24L))
  ),
  rejects = data.frame(
    quarantine_id = 3:2, object_key = "events/2026/11/24/x<b>.json", object_position = c(NA, 4),
    reason_code = c("not_json", "not_an_event"), sample = c("<script>", strrep("y", 500L)),
    quarantined_at = seconds("2026-11-24 06:03:00"), run_id = 8
  ),
  event_source = data.frame(
    object_key = "events/2026/11/24/07/a.json", etag = "9b2c", object_position = c(0, 1),
    size_bytes = 812, last_modified = 0, event_at = seconds("2026-11-24 07:00:00"), run_id = 4182,
    loaded_at = seconds("2026-11-24 07:03:00"), role = c("stored", "conflict")
  ),
  quarantine = data.frame(
    reason_code = "not_an_event", objects = 6, records = 1043,
    newest_at = seconds("2026-11-24 06:03:00")
  )
)

canned_ask <- function(name, ...) canned[[name]]

broken_ask <- function(name, ...) stop(db_error("could not connect to server"))

some_view <- function(...) parse_view(list(...), now = at("2026-11-24 07:05:00"))

shown <- function(output) paste(output$html, collapse = "")
