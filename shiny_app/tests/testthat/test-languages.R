# Every literal of say() and sayf(), and of the parts that say what they are given.
phrases <- function() {
  found <- character()
  spoken <- c("say", "sayf", "panel", "info", "state_words", "sideways", "as_table", "part",
              "segment", "count", "other", "cell", "shape_panel", "show", "group_panel")
  literals <- function(call) {
    if (is.character(call)) return(call)
    if (is.call(call) && identical(call[[1L]], quote(c))) {
      return(unlist(lapply(as.list(call[-1L]), literals)))
    }
    character()
  }
  walk <- function(code) {
    if (is.call(code) && is.name(code[[1L]]) && as.character(code[[1L]]) %in% spoken) {
      for (argument in as.list(code)[-1L]) found <<- c(found, literals(argument))
    }
    if (is.call(code) || is.pairlist(code)) {
      for (part in as.list(code)) if (!missing(part)) walk(part)
    }
  }
  for (file in list.files(file.path(app_home, "R"), full.names = TRUE)) {
    for (code in as.list(parse(file, encoding = "UTF-8"))) walk(code)
  }
  vectors <- list(definitions, presets, login_states, buckets, measures, pages, cohorts, heights,
                  splits, outcomes, product_sorts, product_courses, filter_titles,
                  event_columns, state_label, event_words,
                  source_roles, bucket_state_words,
                  unlist(shape_labels), unlist(reasons),
                  vapply(c(headlines, product_heads), function(one) one$title, ""),
                  c("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"),
                  unlist(lapply(names(definitions), function(name) definitions[[name]])))
  found <- unique(c(found, unlist(vectors, use.names = FALSE)))
  # Not the names of parts, tests and classes: a phrase has a space, a capital or a word of its own.
  found <- found[grepl("[A-Za-z]{2}", found)]
  found[!grepl("^[a-z]+([-_][a-z_]+)+$|^seg |^card |^[a-z_]+$", found)]
}

test_that("every phrase has its Vietnamese one, and none is there for nothing", {
  expect_gt(length(phrases()), 250L)
  expect_identical(setdiff(phrases(), names(dictionary())), character())
  expect_setequal(names(definitions_vietnamese), names(definitions))
  expect_false(anyDuplicated(names(dictionary())) > 0L)
  source <- paste(unlist(lapply(
    setdiff(list.files(file.path(app_home, "R"), full.names = TRUE),
            file.path(app_home, "R", "fct_words_vietnamese.R")), readLines
  )), collapse = "\n")
  written <- vapply(names(vietnamese_phrases), function(phrase) {
    grepl(encodeString(phrase), source, fixed = TRUE) || grepl(phrase, source, fixed = TRUE) ||
      grepl(gsub("\u2013", "\\\\u2013", gsub("\u00b7", "\\\\u00b7", phrase)), source,
            fixed = TRUE)
  }, NA)
  expect_identical(names(written)[!written], character())
})

test_that("a phrase in Vietnamese takes the same values as the English one", {
  places <- function(text) regmatches(text, gregexpr("%[0-9.]*[sdf]", text))
  expect_identical(unname(places(names(vietnamese_phrases))), unname(places(vietnamese_phrases)))
})

# What a reader sees and hears, without what events say.
attributes_heard <- "(aria-label|data-def|placeholder|title)=\"[^\"]*\""
seen <- function(html) {
  heard <- unlist(regmatches(html, gregexpr(attributes_heard, html)))
  text <- c(gsub("<[^>]*>", " ", html), sub("^[^=]*=", "", heard))
  unique(tolower(unlist(regmatches(text, gregexpr("[A-Za-z]{4,}", text)))))
}

test_that("no page says an English word in Vietnamese", {
  english <- unique(tolower(unlist(regmatches(names(dictionary()),
                                              gregexpr("[A-Za-z]{4,}", names(dictionary()))))))
  both <- unlist(regmatches(dictionary(), gregexpr("[A-Za-z]{4,}", dictionary())))
  english <- setdiff(english, tolower(both))
  pages <- list(
    mod_overview_server = c("yesterday", "kpis", "series", "mix", "login", "steps", "heat"),
    mod_funnel_server = c("steps", "funnel", "split", "left"),
    mod_products_server = c("products", "categories"),
    mod_visitors_server = c("strip", "fresh", "retention", "shapes"),
    mod_sessions_server = c("list", "one"), mod_explore_server = c("when", "list", "csv_words"),
    mod_pipeline_server = c("fresh", "runs", "quarantine"),
    mod_rejects_server = "rejects"
  )
  # Names of events, keys and data of the sample are as they are.
  data <- c("spin", "wheel", "akko", "keyboard", "event", "events", "product", "view",
            "product_view", "client", "session", "checkout", "category", "half", "anonymous",
            "loaded")
  for (module in names(pages)) {
    args <- list(view = reactive(some_view(lang = "vi", session = "7")), ask = canned_ask)
    testServer(get(module), args = args, {
      session$elapse(50)
      for (name in pages[[module]]) {
        left <- setdiff(intersect(seen(shown(output[[name]])), english), data)
        expect_identical(left, character(), info = paste(module, name))
      }
    })
  }
  testServer(mod_products_server, args = list(
    view = reactive(some_view(lang = "vi", product = "p1", bucket = "day")), ask = canned_ask
  ), {
    left <- setdiff(intersect(seen(shown(output$products)), english), c(data, "script", "alert"))
    expect_identical(left, character())
  })
  frame <- in_language("vi", html(page_body(list(x = mod_explore_ui("x")))))
  expect_identical(setdiff(intersect(seen(frame), english), c(data, "clickstream")), character())
})

test_that("numbers and dates are written as in Viet Nam; English is as before", {
  in_language("vi", {
    expect_identical(fmt_count(12431), "12.431")
    expect_identical(fmt_rate(0.045), "4,5%")
    expect_identical(fmt_vnd(1990000), "1.990.000 \u20ab")
    expect_identical(week_day(as.Date("2026-11-23")), "T2 23/11")
    expect_identical(fmt_seconds(c(79, 1.5)), c("1 ph\u00fat 19 gi\u00e2y", "1,5 gi\u00e2y"))
  })
  expect_identical(fmt_count(12431), "12,431")
})
