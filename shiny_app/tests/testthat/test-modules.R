test_that("the overview shows the headlines with their exact values", {
  args <- list(view = reactive(some_view(bucket = "day")), ask = canned_ask)
  testServer(mod_overview_server, args = args, {
    session$elapse(50)
    visitors <- "data-testid=\"kpi-visitors\" data-value=\"3171\""
    expect_match(shown(output$kpis), visitors, fixed = TRUE)
    expect_match(shown(output$kpis), "4.83%", fixed = TRUE)
    expect_match(shown(output$kpis), "793 of 3,722 sessions that viewed", fixed = TRUE)
    expect_match(shown(output$series), "Visitors by day", fixed = TRUE)
    expect_match(shown(output$mix), "Spin &lt;b&gt;wheel&lt;/b&gt;", fixed = TRUE)
    expect_match(shown(output$login), "data-key=\"logged_in\" data-value=\"997\"", fixed = TRUE)
  })
})

test_that("the series says of each bucket how complete it is, and where data is missing", {
  args <- list(view = reactive(some_view(bucket = "day")), ask = canned_ask)
  testServer(mod_overview_server, args = args, {
    drawn <- shown(output$series)
    expect_match(drawn, "Completeness: 1 still open, 1 some in quarantine", fixed = TRUE)
    expect_match(drawn, "<td>6</td><td>some in quarantine</td>", fixed = TRUE)
    expect_no_match(drawn, "Data is missing")
  })
  ask <- function(name, ...) {
    if (name == "bucket_hours") transform(canned[[name]], gaps = 1) else canned[[name]]
  }
  testServer(mod_overview_server, args = list(view = args$view, ask = ask), {
    expect_match(shown(output$series), "missing in Mon 23 Nov and 1 more: an operator",
                 fixed = TRUE)
  })
})

test_that("each headline stands beside its definition", {
  testServer(mod_overview_server, args = list(view = reactive(some_view()), ask = canned_ask), {
    expect_match(shown(output$kpis), "with checkout_complete \u00f7 sessions.", fixed = TRUE)
    expect_match(shown(output$kpis), "Distinct client_id", fixed = TRUE)
  })
})

test_that("an empty range says so and names the filter to remove", {
  empty_ask <- function(name, ...) {
    if (name == "series") return(transform(canned$series, events = 0))
    if (name %in% c("event_mix", "login_states")) return(canned[[name]][0L, ])
    canned[[name]]
  }
  view <- reactive(some_view(login = "guest"))
  testServer(mod_overview_server, args = list(view = view, ask = empty_ask), {
    expect_match(shown(output$series), "the filter “Login state” in this range", fixed = TRUE)
  })
})

test_that("a database that does not answer is said in words by every part", {
  testServer(mod_overview_server, args = list(view = reactive(some_view()), ask = broken_ask), {
    expect_message(answer <- shown(output$kpis), "could not connect")
    expect_match(answer, "data-testid=\"failed-part\"", fixed = TRUE)
  })
})

test_that("a query that took too long asks for a shorter range", {
  slow <- html(failed_words("ERROR: canceling statement due to statement timeout"))
  expect_match(slow, "Choose a shorter one", fixed = TRUE)
})

test_that("the funnel shows both ways and what is lost between", {
  testServer(mod_funnel_server, args = list(view = reactive(some_view()), ask = canned_ask), {
    drawn <- shown(output$funnel)
    expect_match(drawn, "2,910 left", fixed = TRUE)
    expect_match(drawn, "median 1 min 05 s", fixed = TRUE)
    expect_match(drawn, "+4", fixed = TRUE)
    expect_match(drawn, "6.56%", fixed = TRUE)
  })
})

test_that("the funnel's heights are a choice, in both funnels", {
  funnel <- function(...) {
    args <- list(view = reactive(some_view(...)), ask = canned_ask)
    testServer(mod_funnel_server, args = args, html_of <<- shown(output$funnel))
    html_of
  }
  html_of <- NULL
  expect_match(funnel(), "data-value=\"first\" aria-pressed=\"true\"", fixed = TRUE)
  before <- funnel(heights = "before")
  expect_match(before, "data-value=\"before\" aria-pressed=\"true\"", fixed = TRUE)
  # 374 of the 790 that added, in order; 380 of 793 in any.
  expect_match(before, "<span class=\"of\">47.3%</span>", fixed = TRUE)
  expect_match(before, "<span class=\"of\">47.9%</span>", fixed = TRUE)
  expect_no_match(before, "class=\"flow\"")
  expect_match(funnel(heights = "<b>"), "class=\"flow\"", fixed = TRUE)
})

test_that("the funnel is split: each value beside all, and what was asked for", {
  asked <- NULL
  ask <- function(name, ...) {
    if (name == "funnel_split") asked <<- list(...)[-1L]
    canned[[name]]
  }
  testServer(mod_funnel_server, args = list(view = reactive(some_view()), ask = ask), {
    drawn <- shown(output$split)
    expect_identical(asked, list("login_state", 6L))
    expect_match(drawn, "data-key=\"logged_in\" data-value=\"94\"", fixed = TRUE)
    expect_match(drawn, "13.02%", fixed = TRUE)
    # 190 of 722 went on from a view; of all sessions 790 of 3,722.
    expect_match(drawn, "--v:26.3%;--avg:21.2%", fixed = TRUE)
    expect_match(drawn, "<td>Anonymous</td><td>3,000</td><td>600</td>", fixed = TRUE)
    expect_no_match(drawn, "most viewed")
  })
  brand <- list(view = reactive(some_view(split = "brand")), ask = ask)
  testServer(mod_funnel_server, args = brand, {
    expect_match(shown(output$split), "The 6 most viewed", fixed = TRUE)
    expect_identical(asked, list("brand", 6L))
  })
})

test_that("a value's label is escaped, one that is not set is said so", {
  rows <- data.frame(value = c("<b>", "not set"), label = c("<b>", "not set"), view_sessions = 5,
                     add_sessions = 0, start_sessions = 0, complete_sessions = 0)
  drawn <- html(split_panel(some_view(split = "category"), rows, c(10, 5, 0, 0)))
  expect_match(drawn, "&lt;b&gt;</h3>", fixed = TRUE)
  expect_match(drawn, ">Not set</h3>", fixed = TRUE)
  expect_no_match(drawn, "NaN|NA%")
  none <- html(split_panel(some_view(split = "new_returning"), rows[0L, ], c(10, 5, 0, 0)))
  expect_match(none, "No session of this range has a product view.", fixed = TRUE)
})

test_that("a session still open has not left: it is missing from both sides of the rate", {
  under <- left_words(transform(canned$funnel[1:2, ], closed_sessions = c(100, 20),
                                left_sessions = c(30, NA), still_open_sessions = c(50, NA)))
  expect_match(html(under[[1L]]), "\u25bc \u221260.0%", fixed = TRUE)
  expect_match(html(under[[1L]]), "50 still open", fixed = TRUE)
  expect_null(under[[2L]])
})

test_that("where every session is still open, the rate of those that left is a dash", {
  under <- left_words(transform(canned$funnel[1:2, ], closed_sessions = c(5, 0),
                                left_sessions = c(0, NA), still_open_sessions = c(5, NA)))
  expect_match(html(under[[1L]]), "<b data-value=\"\">\u2013</b>", fixed = TRUE)
})

test_that("a funnel without open sessions does not speak of them", {
  expect_no_match(html(left_words(canned$funnel)[[2L]]), "still open")
})

test_that("the funnel's table says who left and who is still open", {
  testServer(mod_funnel_server, args = list(view = reactive(some_view()), ask = canned_ask), {
    cells <- "<td>3,722</td><td>2,910</td><td>22</td><td>3,722</td><td>\u2013</td>"
    expect_match(shown(output$funnel), cells, fixed = TRUE)
  })
})

test_that("products show Vietnamese names escaped, prices in dong, and gaps as dashes", {
  ask <- function(name, ...) if (name == "brands") canned$categories else canned[[name]]
  testServer(mod_products_server, args = list(view = reactive(some_view()), ask = ask), {
    drawn <- shown(output$products)
    expect_match(drawn, "B\u00e0n ph\u00edm &lt;Akko&gt; &amp; 5075B", fixed = TRUE)
    expect_match(drawn, "1.890.000 \u20ab", fixed = TRUE)
    expect_match(drawn, "data-key=\"p2\" data-value=\"3\"", fixed = TRUE)
    expect_match(shown(output$categories), "3 more in the rest", fixed = TRUE)
    expect_match(shown(output$brands), "Not set", fixed = TRUE)
  })
})

test_that("products say apart what no rate and no price counts", {
  testServer(mod_products_server, args = list(view = reactive(some_view()), ask = canned_ask), {
    drawn <- shown(output$products)
    expect_match(drawn, "data-testid=\"unviewed\" data-value=\"12\"", fixed = TRUE)
    expect_match(drawn, "data-value=\"4312\">4,312</b> of <b", fixed = TRUE)
    expect_match(drawn, "data-value=\"5212\">5,212</b> events with one.", fixed = TRUE)
    expect_match(drawn, "no price unless it is above 100 and below", fixed = TRUE)
  })
})

test_that("products say nothing of what is not there", {
  none <- transform(canned$kpis, adds_without_view_sessions = 0, discount_rows = 0,
                    implausible_discounts = 0)
  expect_no_match(html(products_footer(none)), "without|iscount")
})

test_that("headlines say apart what they leave out, where there is any", {
  cell <- function(key, now) {
    spec <- Find(function(one) one$key == key, headlines)
    html(headline_cell(spec, now, canned$kpis, canned$series, canned$series, "visitors"))
  }
  expect_match(cell("cart", canned$kpis), "12 more added without a view", fixed = TRUE)
  none <- transform(canned$kpis, adds_without_view_sessions = 0)
  expect_no_match(cell("cart", none), "more added")
  robots <- transform(canned$kpis, robot_sessions = 2)
  expect_match(cell("sessions", robots), "2 more by robots, left out", fixed = TRUE)
  expect_no_match(cell("sessions", canned$kpis), "class=\"of")
})

test_that("a run shows what it put to quarantine, and what is seldom only where there is any", {
  testServer(mod_pipeline_server, args = list(view = reactive(some_view()), ask = canned_ask), {
    drawn <- shown(output$runs)
    expect_match(drawn, "data-key=\"8\" data-value=\"1043\"", fixed = TRUE)
    expect_match(drawn, "<td class=\"num\">1,043</td>", fixed = TRUE)
    expect_match(drawn, "<span class=\"sub\">3 erased, 2 in conflict</span>", fixed = TRUE)
    expect_identical(lengths(regmatches(drawn, gregexpr("class=\"sub\"", drawn))), 1L)
    expect_match(drawn, "read = stored + duplicate + quarantined + erased + expired", fixed = TRUE)
  })
})

test_that("quarantine counts objects and records, and says so when it is empty", {
  testServer(mod_pipeline_server, args = list(view = reactive(some_view()), ask = canned_ask), {
    cells <- "<td class=\"num\">6</td>\\s*<td class=\"num\">1,043</td>"
    expect_match(shown(output$quarantine), cells)
  })
  ask <- function(name, ...) if (name == "quarantine") canned$quarantine[0L, ] else canned[[name]]
  testServer(mod_pipeline_server, args = list(view = reactive(some_view()), ask = ask), {
    expect_match(shown(output$quarantine), "No record waits for a reload", fixed = TRUE)
  })
})

hours <- data.frame(hour_at = seconds("2026-11-24 06:00:00"), keys = 5, quarantined = 0,
                    state = "complete")

test_that("the pill is late after two hours or with a gap", {
  pill <- function(hours, minutes) {
    html(status_pill(canned$freshness, hours, "Asia/Ho_Chi_Minh",
                     seconds("2026-11-24 07:03:00") + 60 * minutes))
  }
  expect_match(pill(hours, 5), "<b>14:03</b>", fixed = TRUE)
  expect_no_match(pill(hours, 5), "pill late")
  expect_match(pill(hours, 121), "pill late")
  expect_match(pill(transform(hours, state = "gap"), 5), "pill late")
})

test_that("the banner stands while the marker is down and goes by itself", {
  marker <- reactiveVal("down")
  ask <- function(name, ...) if (name == "completeness") hours else canned[[name]]
  args <- list(view = reactive(some_view()), ask = ask, marker = marker)
  testServer(mod_status_server, args = args, {
    expect_match(shown(output$banner), "numbers shown are as of 24 Nov 14:03", fixed = TRUE)
    expect_match(shown(output$pill), "database down", fixed = TRUE)
    marker("7")
    session$flushReact()
    expect_identical(shown(output$banner), "")
    expect_match(shown(output$pill), "data-testid=\"freshness\"", fixed = TRUE)
  })
})

test_that("a module refuses what is no reactive", {
  expect_error(mod_funnel_server("x", view = 1, ask = canned_ask))
})

test_that("a card that folds has a button that says what it shows or hides", {
  drawn <- html(panel("Events", "x", folds = TRUE))
  expect_match(drawn, "class=\"card\" data-fold=\"Events\"", fixed = TRUE)
  expect_match(drawn, "aria-expanded=\"false\" aria-label=\"Events: Show or hide\"", fixed = TRUE)
  expect_no_match(html(panel("Events", "x")), "fold")
})
