steps_args <- function(..., ask = canned_ask) list(view = reactive(some_view(...)), ask = ask)

test_that("a link's steps are taken in their order, one twice", {
  chosen <- list("spin_wheel", "product_view", "product_view")
  expect_identical(some_view(step = chosen)$steps, unlist(chosen))
  expect_identical(some_view()$steps, character())
})

test_that("steps that no funnel has are the usual ones", {
  odd <- list("product_view", as.list(letters[1:7]), list(1, 2), list("a", ""), list("a", "\xff"),
              list("a", strrep("x", 201L)))
  for (steps in odd) expect_identical(some_view(step = steps)$steps, character())
})

test_that("a step that no event has is left out and named; of one alone there is no funnel", {
  known <- function(field) c("product_view", "checkout_start")
  sent <- some_view(step = list("product_view", "<b>gone", "checkout_start"))
  view <- known_view(sent, known)
  expect_identical(view$steps, c("product_view", "checkout_start"))
  note <- html(link_note(character(), unknown_values(sent, view)))
  expect_match(note, "Step: &lt;b&gt;gone", fixed = TRUE)
  expect_identical(known_view(some_view(step = list("gone", "product_view")), known)$steps,
                   character())
})

test_that("steps are bound as one array, whatever they hold", {
  sent <- sent_by(function() query_funnel(NULL, list("a", "b", "c", ""), c("a,b", "c\"d\\e")))
  expect_match(sent$sql, ", $5::text[])", fixed = TRUE)
  expect_identical(sent$values[[5L]], "{\"a,b\",\"c\\\"d\\\\e\"}")
  expect_length(sent_by(function() query_funnel(NULL, list("a", "b", "c", "")))$values, 4L)
})

test_that("each step has a menu with what it is, and a way out while two are left", {
  menu <- function(steps) html(step_editor(canned$choices, steps))
  of <- function(pattern, text) lengths(regmatches(text, gregexpr(pattern, text)))
  usual <- menu(usual_steps)
  expect_identical(of("<select", usual), 5L)
  expect_identical(of(" selected>", usual), 4L)
  expect_identical(of("data-step-off=\"[0-9]", usual), 4L)
  expect_no_match(usual, "Usual steps")
  expect_match(usual, "Spin &lt;b&gt;wheel&lt;/b&gt;", fixed = TRUE)
  expect_identical(of("data-step-off=\"[0-9]", menu(usual_steps[1:2])), 0L)
  expect_match(menu(usual_steps[1:2]), "data-step-off=\"all\"", fixed = TRUE)
  expect_no_match(menu(rep("product_view", 6L)), "Add a step", fixed = TRUE)
})

test_that("the funnel is asked for by the steps chosen; split and links are of the usual ones", {
  asked <- list()
  two <- canned$funnel[1:2, ]
  two$event_name <- c("spin_wheel", "product_view")
  two[2L, c("left_sessions", "still_open_sessions")] <- NA
  ask <- function(name, ...) {
    if (name == "funnel") asked[[length(asked) + 1L]] <<- list(...)[-1L]
    if (name == "funnel" && length(list(...)) > 1L) two else canned[[name]]
  }
  args <- steps_args(step = list("spin_wheel", "product_view"), ask = ask)
  testServer(mod_funnel_server, args = args, {
    expect_match(shown(output$funnel), "data-testid=\"funnel-closed\"", fixed = TRUE)
    expect_identical(asked[[1L]], list(c("spin_wheel", "product_view")))
    expect_no_match(shown(output$funnel), "sent by a timer", fixed = TRUE)
    expect_match(shown(output$split), "are of the usual four steps", fixed = TRUE)
    expect_match(shown(output$left), "data-key=\"1\" data-value=\"2910\"", fixed = TRUE)
    expect_no_match(shown(output$left), "data-goto", fixed = TRUE)
  })
  asked <- list()
  testServer(mod_funnel_server, args = steps_args(step = as.list(usual_steps), ask = ask), {
    expect_match(shown(output$left), "data-goto=\"sessions\"", fixed = TRUE)
    expect_identical(asked[[1L]], list())
  })
})

test_that("steps of choice are not asked for over more than a month, the usual ones are", {
  asked <- 0L
  ask <- function(name, ...) {
    if (name == "funnel") asked <<- asked + 1L
    canned[[name]]
  }
  args <- steps_args(range = "90d", step = list("spin_wheel", "product_view"), ask = ask)
  testServer(mod_funnel_server, args = args, {
    expect_match(shown(output$funnel), "for ranges of at most 31 days", fixed = TRUE)
    expect_identical(c(shown(output$split), shown(output$left)), c("", ""))
    expect_identical(asked, 0L)
  })
  testServer(mod_funnel_server, args = steps_args(range = "90d", ask = ask), {
    expect_match(shown(output$funnel), "funnel-closed", fixed = TRUE)
  })
})
