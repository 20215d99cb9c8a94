some_choices <- data.frame(
  value = c("keyboard", "\u0111i\u1ec7n tho\u1ea1i", "not set"),
  label = c("Keyboard <b>", "\u0110i\u1ec7n tho\u1ea1i", "not set")
)
choosing <- function(name, ...) if (name == "choices") some_choices else canned[[name]]

filter_args <- function(...) {
  view <- some_view(...)
  list(sent = reactive(view), view = reactive(view), ask = choosing)
}

test_that("a menu offers the newest spellings as text, and marks what is chosen", {
  testServer(mod_filters_server, args = filter_args(category = "keyboard"), {
    menu <- shown(output$category)
    pressed <- "data-value=\"keyboard\" aria-pressed=\"true\">Keyboard &lt;b&gt;<"
    expect_match(menu, pressed, fixed = TRUE)
    expect_match(menu, ">Not set<", fixed = TRUE)
    session$setInputs(search_category = "dien")
    expect_match(shown(output$category), "\u0110i\u1ec7n tho\u1ea1i", fixed = TRUE)
    expect_no_match(shown(output$category), "Keyboard")
    session$setInputs(search_category = list(1))
    expect_match(shown(output$category), "Keyboard")
    session$setInputs(search_category = "unicorn")
    expect_match(shown(output$category), "Nothing matches.", fixed = TRUE)
  })
})

test_that("a menu shows fifty choices, the chosen first, and says how many more there are", {
  many <- data.frame(value = sprintf("v%03d", 1:120), label = sprintf("L%03d", 1:120))
  menu <- html(menu_list("brand", many, "", "v119"))
  expect_identical(lengths(regmatches(menu, gregexpr("data-value", menu))), 50L)
  expect_match(menu, "^<div[^>]*><button[^>]*data-value=\"v119\"")
  expect_match(menu, "70 more: type a part of the name.", fixed = TRUE)
})

test_that("each chosen value is a chip that says what it takes away", {
  args <- filter_args(login = "guest", category = "keyboard", event = "add_to_cart_click")
  testServer(mod_filters_server, args = args, {
    chips <- shown(output$chips)
    expect_match(chips, "data-unpick=\"category\" data-value=\"keyboard\"", fixed = TRUE)
    expect_match(chips, "aria-label=\"Remove Login state: Guest\"", fixed = TRUE)
    expect_match(chips, "Event: Add to cart", fixed = TRUE)
    expect_match(chips, "data-clear", fixed = TRUE)
    expect_match(chips, "its checkout, which carries no product, need not pass", fixed = TRUE)
  })
  testServer(mod_filters_server, args = filter_args(), {
    expect_identical(shown(output$chips), "")
  })
})

test_that("a link with odd parts is named, whatever it holds is text", {
  sent <- some_view(dropped = "from", category = "<script>")
  view <- known_view(sent, function(field) some_choices$value)
  args <- list(sent = reactive(sent), view = reactive(view), ask = choosing)
  testServer(mod_filters_server, args = args, {
    note <- shown(output$note)
    expect_match(note, "cannot be read and was left out: from.", fixed = TRUE)
    expect_match(note, "Category: &lt;script&gt;", fixed = TRUE)
    expect_no_match(note, "<script>", fixed = TRUE)
  })
})

test_that("an empty range names each filter that could be removed", {
  one <- html(empty_words(some_view(brand = "x")))
  expect_match(one, "the filter “Brand” in this range. Remove it", fixed = TRUE)
  two <- html(empty_words(some_view(brand = "x", login = "guest")))
  expect_match(two, "Login state, Brand", fixed = TRUE)
})
