# Every question to the warehouse. A range is list(from, to, zone, filter), instants as ISO text.

range_values <- function(range) {
  list(range$from, range$to, range$zone, range$filter)
}

ranged <- function(select, name, more = "") {
  call <- "dashboard.%s($1::timestamptz, $2::timestamptz, $3, nullif($4, '')::jsonb%s)"
  paste("SELECT", select, "FROM", sprintf(call, name, more))
}

query_kpis <- function(db, range) {
  db_query(db, ranged(paste(
    "events::float8, visitors::float8, sessions::float8, converted_sessions::float8,",
    "engaged_sessions::float8, product_view_sessions::float8, add_sessions::float8,",
    "robot_sessions::float8, conversion_rate, bounce_rate, add_to_cart_rate, abandonment_rate,",
    "adds_without_view_sessions::float8, discount_rows::float8, implausible_discounts::float8"
  ), name = "kpis"), range_values(range))
}

query_series <- function(db, range, bucket) {
  db_query(db, ranged(paste(
    "extract(EPOCH FROM bucket_at)::float8 AS bucket_at, events::float8, visitors::float8,",
    "sessions::float8, converted_sessions::float8, provisional"
  ), name = "series", more = ", $5"), c(range_values(range), bucket))
}

query_event_mix <- function(db, range) {
  db_query(db, ranged("event_name, label, events::float8", name = "event_mix"), range_values(range))
}

query_login_states <- function(db, range) {
  db_query(db, ranged(
    "login_state, sessions::float8, converted_sessions::float8", name = "login_states"
  ), range_values(range))
}

#' Text values as one array of PostgreSQL's
text_array <- function(values) {
  paste0("{", paste0('"', gsub('(["\\\\])', "\\\\\\1", values), '"', collapse = ","), "}")
}

#' @param steps Event names, in order; none: the usual ones.
query_funnel <- function(db, range, steps = character()) {
  columns <- paste(
    "step, event_name, closed_sessions::float8, open_sessions::float8, median_seconds,",
    "left_sessions::float8, still_open_sessions::float8"
  )
  if (!length(steps)) return(db_query(db, ranged(columns, name = "funnel"), range_values(range)))
  db_query(db, ranged(columns, name = "funnel", more = ", $5::text[]"),
           c(range_values(range), text_array(steps)))
}

#' @param split A name of `splits`.
query_funnel_split <- function(db, range, split, rows) {
  db_query(db, ranged(paste(
    "value, label, view_sessions::float8, add_sessions::float8, start_sessions::float8,",
    "complete_sessions::float8"
  ), name = "funnel_split", more = ", $5, $6::integer"),
  c(range_values(range), split, as.character(rows)))
}

#' @param sort A name of `product_sorts`. @param order One of `orders`.
#' @param skipped How many rows lie before these.
query_product_list <- function(db, range, find, sort, order, skipped, rows) {
  db_query(db, ranged(paste(
    "product_id, name, category, brand, price_seen::float8, views::float8, adds::float8,",
    "removals::float8, wishlisted::float8, bought_sessions::float8, add_to_cart_rate,",
    "products::float8"
  ), name = "product_list", more = ", $5, $6, $7::boolean, $8::integer, $9::integer"),
  c(range_values(range), find, sort, if (order == "asc") "true" else "false", exact(skipped),
    exact(rows)))
}

query_product_labels <- function(db, product) {
  db_query(db, paste(
    "SELECT product_id, name, category, brand, price_seen::float8",
    "FROM dashboard.product_labels($1)"
  ), list(product))
}

query_product_totals <- function(db, range, product) {
  db_query(db, ranged(paste(
    "views::float8, adds::float8, removals::float8, wishlisted::float8, view_sessions::float8,",
    "add_sessions::float8, bought_sessions::float8, add_to_cart_rate"
  ), name = "product_totals", more = ", $5"), c(range_values(range), product))
}

query_product_series <- function(db, range, bucket, product) {
  db_query(db, ranged(paste(
    "extract(EPOCH FROM bucket_at)::float8 AS bucket_at, views::float8, adds::float8,",
    "removals::float8, bought_sessions::float8, provisional"
  ), name = "product_series", more = ", $5, $6"), c(range_values(range), bucket, product))
}

query_product_prices <- function(db, range, product) {
  db_query(db, ranged(paste(
    "lowest::float8, highest::float8, priced::float8, discounts::float8,",
    "implausible_discounts::float8"
  ), name = "product_prices", more = ", $5"), c(range_values(range), product))
}

query_categories <- function(db, range, rows) {
  db_query(db, ranged(
    "value, label, views::float8, adds::float8, bought_sessions::float8",
    name = "top_categories", more = ", $5::integer"
  ), c(range_values(range), as.character(rows)))
}

query_brands <- function(db, range, rows) {
  db_query(db, ranged(
    "value, label, views::float8, adds::float8, bought_sessions::float8",
    name = "top_brands", more = ", $5::integer"
  ), c(range_values(range), as.character(rows)))
}

query_freshness <- function(db) {
  db_query(db, paste(
    "SELECT extract(EPOCH FROM data_until)::float8 AS data_until,",
    "extract(EPOCH FROM newest_event_at)::float8 AS newest_event_at,",
    "extract(EPOCH FROM last_run_at)::float8 AS last_run_at, last_run_result, running,",
    "objects_loaded::float8, objects_quarantined::float8, objects_pending::float8,",
    "events_stored::float8 FROM dashboard.freshness()"
  ))
}

query_completeness <- function(db, from, to) {
  db_query(db, paste(
    "SELECT extract(EPOCH FROM hour_at)::float8 AS hour_at, keys::float8, loaded::float8,",
    "quarantined::float8, pending::float8, gone::float8, state",
    "FROM dashboard.completeness($1::timestamptz, $2::timestamptz)"
  ), list(from, to))
}

#' Hours by what became of their objects, for each bucket that they touch
#'
#' @param edges Starts of the buckets, seconds since 1970. @param to Where the last one ends, ISO.
query_bucket_hours <- function(db, edges, to) {
  array <- paste0("{", paste(iso(as_instant(edges)), collapse = ","), "}")
  db_query(db, paste(
    # An hour of the keys is of UTC; where the zone's are others it lies in two of them.
    "SELECT p.place::float8, count(*)::float8 AS hours,",
    "count(*) FILTER (WHERE c.state = 'gap')::float8 AS gaps,",
    "count(*) FILTER (WHERE c.state = 'open' AND c.pending > 0)::float8 AS pending,",
    "count(*) FILTER (WHERE c.state = 'open' AND c.pending = 0)::float8 AS open,",
    "count(*) FILTER (WHERE c.state = 'quarantined')::float8 AS quarantined",
    "FROM dashboard.completeness(($1::timestamptz[])[1], $2::timestamptz) AS c",
    "CROSS JOIN LATERAL (SELECT DISTINCT width_bucket(x.at, $1::timestamptz[]) AS place",
    "FROM (VALUES (c.hour_at), (c.hour_at + interval '3599.999999 s')) AS x (at)) AS p",
    "WHERE p.place > 0 GROUP BY p.place ORDER BY p.place"
  ), list(array, to))
}

query_runs <- function(db, rows) {
  db_query(db, paste(
    "SELECT run_id::float8, extract(EPOCH FROM started_at)::float8 AS started_at,",
    "extract(EPOCH FROM ended_at - started_at)::float8 AS seconds, result, objects_loaded::float8,",
    "objects_quarantined::float8, events_stored::float8, events_duplicate::float8,",
    "records_quarantined::float8, events_erased::float8, events_expired::float8,",
    "events_conflict::float8, error",
    "FROM dashboard.runs($1::integer)"
  ), list(as.character(rows)))
}

query_quarantine <- function(db) {
  db_query(db, paste(
    "SELECT reason_code, objects::float8, records::float8,",
    "extract(EPOCH FROM newest_at)::float8 AS newest_at FROM dashboard.quarantine_summary()"
  ))
}

query_heatmap <- function(db, range) {
  db_query(db, ranged("weekday, hour, sessions::float8, occurrences::float8, sessions_per_hour",
                      name = "heatmap"), range_values(range))
}

query_visitor_facts <- function(db, range) {
  db_query(db, ranged(paste(
    "new_visitors::float8, returning_visitors::float8, sessions::float8, sessions_per_visitor,",
    "median_seconds, depth"
  ), name = "visitor_facts"), range_values(range))
}

query_new_returning <- function(db, range, bucket) {
  db_query(db, ranged(paste(
    "extract(EPOCH FROM bucket_at)::float8 AS bucket_at, new_visitors::float8,",
    "returning_visitors::float8, new_sessions::float8, returning_sessions::float8,",
    "unset_sessions::float8, provisional, marked"
  ), name = "new_returning", more = ", $5"), c(range_values(range), bucket))
}

query_retention <- function(db, range, cohort) {
  db_query(db, ranged(paste(
    "extract(EPOCH FROM cohort_at)::float8 AS cohort_at, number, cohort::float8,",
    "returned::float8, rate, provisional"
  ), name = "retention", more = ", $5"), c(range_values(range), cohort))
}

query_session_shapes <- function(db, range) {
  db_query(db, ranged("shape, place, amount::float8", name = "session_shapes"),
           range_values(range))
}

#' @param cursor Of the page before: a list of at (ISO text) and no (text); NULL for the first.
query_session_list <- function(db, range, outcome, cursor, rows) {
  db_query(db, ranged(paste(
    "session_no, client_id, extract(EPOCH FROM started_at)::float8 AS started_at,",
    "started_at::text AS started_text, extract(EPOCH FROM ended_at)::float8 AS ended_at, events,",
    "views, login_state, is_new, is_engaged, has_add, has_checkout_start, is_completed, is_open"
  ), name = "session_list", more = paste(
    ", $5, nullif($6, '')::timestamptz, nullif($7, '')::integer, $8::integer"
  )), c(range_values(range), outcome, one_text(cursor$at), one_text(cursor$no),
        as.character(rows)))
}

query_session_events <- function(db, session, rows) {
  db_query(db, paste(
    "SELECT extract(EPOCH FROM event_at)::float8 AS event_at, event_id::text, event_name,",
    "product_id, product_name, category, brand, price::float8",
    "FROM dashboard.session_events($1::integer, $2::integer)"
  ), list(exact(session), as.character(rows)))
}

#' @param cursor Of the page before: a list of at (ISO text) and id; NULL for the first.
query_event_list <- function(db, range, cursor, rows) {
  db_query(db, ranged(paste(
    "event_id::text, extract(EPOCH FROM event_timestamp)::float8 AS event_timestamp,",
    "event_timestamp::text AS event_text, event_name, user_id, user_login_state, identity_source,",
    "client_id, session_id, is_first_visit::text, context_product_id, context_product_name,",
    "context_product_category, context_product_brand,",
    "context_product_price::float8, context_product_discount_price::text,",
    "context_product_url_path, session_no"
  ), name = "event_list", more = paste(
    ", nullif($5, '')::timestamptz, nullif($6, '')::uuid, $7::integer"
  )), c(range_values(range), one_text(cursor$at), one_text(cursor$id), as.character(rows)))
}

#' @param reason A reason, or "" for all.
query_rejects <- function(db, reason, rows) {
  db_query(db, paste(
    "SELECT quarantine_id::float8, object_key, object_position, reason_code, sample,",
    "extract(EPOCH FROM quarantined_at)::float8 AS quarantined_at, run_id::float8",
    "FROM dashboard.rejects(nullif($1, ''), $2::integer)"
  ), list(reason, as.character(rows)))
}

query_event_source <- function(db, id) {
  db_query(db, paste(
    "SELECT object_key, etag, object_position, size_bytes::float8,",
    "extract(EPOCH FROM last_modified)::float8 AS last_modified,",
    "extract(EPOCH FROM event_at)::float8 AS event_at, run_id::float8,",
    "extract(EPOCH FROM loaded_at)::float8 AS loaded_at, role",
    "FROM dashboard.event_source($1::uuid)"
  ), list(id))
}

query_choices <- function(db, field) {
  db_query(db, "SELECT value, label FROM dashboard.filter_values($1)", list(field))
}

queries <- list(
  kpis = query_kpis, series = query_series, event_mix = query_event_mix,
  login_states = query_login_states, funnel = query_funnel, funnel_split = query_funnel_split,
  product_list = query_product_list, product_labels = query_product_labels,
  product_totals = query_product_totals, product_series = query_product_series,
  product_prices = query_product_prices,
  categories = query_categories, brands = query_brands, freshness = query_freshness,
  completeness = query_completeness,
  bucket_hours = query_bucket_hours, runs = query_runs, quarantine = query_quarantine,
  choices = query_choices, visitor_facts = query_visitor_facts, new_returning = query_new_returning,
  retention = query_retention, session_shapes = query_session_shapes,
  session_list = query_session_list, session_events = query_session_events,
  event_list = query_event_list, heatmap = query_heatmap,
  rejects = query_rejects, event_source = query_event_source
)

# What changes without a load: a run that fails, an hour that passes. Kept for some seconds only.
live <- c("freshness", "completeness", "bucket_hours", "runs", "quarantine", "rejects",
          "event_source")
live_seconds <- 10

#' Answers that any session got, and the marker of the load that they belong to
answer_book <- function() {
  book <- new.env(parent = emptyenv())
  book$cache <- cachem::cache_mem(max_size = 64 * 1024^2, max_age = 3600)
  book$marker <- "down"
  book
}

#' Ask the warehouse, or take the answer that any session got since the last load
#'
#' Only answers are kept, no failures: what failed is asked again. While the database is down, what
#' was asked before is still answered, as of the last load; the status module says so on the page.
#'
#' @param marker The load marker, or "down".
#' @param now The time in seconds.
#' @return A data frame. Raises db_error.
ask_cached <- function(book, db, marker, name, arguments, now = as.numeric(Sys.time())) {
  if (marker != "down") book$marker <- marker
  key <- rlang::hash(list(book$marker, name, arguments))
  kept <- book$cache$get(key)
  known <- !cachem::is.key_missing(kept)
  if (known && (marker == "down" || !name %in% live || now - kept$at < live_seconds)) {
    return(kept$answer)
  }
  if (marker == "down") stop(db_error("the database does not answer"))
  answer <- do.call(queries[[name]], c(list(db), arguments))
  book$cache$set(key, list(at = now, answer = answer))
  answer
}
