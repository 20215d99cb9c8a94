recording <- function(answers = canned) {
  asked <- list()
  list(
    ask = function(name, ...) {
      asked[[length(asked) + 1L]] <<- list(name, ...)
      answers[[name]]
    },
    of = function(name) Filter(function(one) one[[1L]] == name, asked)
  )
}

products_args <- function(..., ask = canned_ask) list(view = reactive(some_view(...)), ask = ask)

test_that("a link's product, search, order and part are taken when they are some", {
  view <- some_view(product = "p/1 <b>", find = " chu\u1ed9t ", sort = "price", order = "asc",
                    part = "3")
  expect_identical(view$product, "p/1 <b>")
  expect_identical(view$find, "chu\u1ed9t")
  expect_identical(c(view$sort, view$order), c("price", "asc"))
  expect_identical(view$part, 3)
})

test_that("an odd product, search, order or part is the default one", {
  odd <- list(list("x"), 7, NULL, NA, strrep("x", 201L), c("a", "b"), "\xff")
  for (value in odd) {
    view <- some_view(product = value, find = value, sort = value, order = value, part = value)
    expect_identical(c(view$product, view$find, view$sort, view$order), c("", "", "views", "desc"))
    expect_identical(view$part, 1)
  }
  for (part in c("0", "-1", "1e3", "1.5", "100000", "; DROP")) {
    expect_identical(some_view(part = part)$part, 1)
  }
})

test_that("the list is asked for by search, column, order and the rows before its part", {
  record <- recording()
  args <- products_args(find = "ban", sort = "rate", order = "asc", part = "3", ask = record$ask)
  testServer(mod_products_server, args = args, {
    shown(output$products)
    asked <- record$of("product_list")
    expect_length(asked, 1L)
    expect_identical(asked[[1L]][-(1:2)], list("ban", "rate", "asc", 50, 25L))
  })
})

test_that("headlines sort, and say to a screen reader by what and how", {
  testServer(mod_products_server, args = products_args(sort = "adds", order = "asc"), {
    drawn <- shown(output$products)
    on <- "<th scope=\"col\" class=\"num\" aria-sort=\"ascending\">\\s*<button[^>]*adds"
    expect_match(drawn, on)
    expect_identical(lengths(regmatches(drawn, gregexpr("aria-sort", drawn))), 1L)
    sorts <- unlist(regmatches(drawn, gregexpr("data-sort=\"[a-z]+\"", drawn)))
    expect_identical(sorts, sprintf("data-sort=\"%s\"", names(product_sorts)))
  })
})

test_that("the pager says where it is and has no way off either end", {
  pages <- function(part, shown, total) html(part_pager(part, shown, total))
  expect_match(pages(1, 25, 61), "1\u201325 of 61", fixed = TRUE)
  expect_match(pages(1, 25, 61), "data-value=\"0\" disabled")
  expect_match(pages(1, 25, 61), "data-pick=\"part\" data-value=\"2\">Next", fixed = TRUE)
  expect_match(pages(3, 11, 61), "51\u201361 of 61", fixed = TRUE)
  expect_match(pages(3, 11, 61), "data-value=\"4\" disabled")
  expect_match(pages(1, 25, 25), "data-value=\"2\" disabled")
})

test_that("a part behind the list's end shows its first", {
  asked <- numeric()
  ask <- function(name, ...) {
    if (name != "product_list") return(canned[[name]])
    skipped <- list(...)[[5L]]
    asked <<- c(asked, skipped)
    if (skipped > 0) canned$product_list[0L, ] else canned$product_list
  }
  testServer(mod_products_server, args = products_args(part = "9", ask = ask), {
    expect_match(shown(output$products), "1\u20132 of 61", fixed = TRUE)
    expect_identical(asked, c(200, 0))
  })
})

test_that("a search that finds nothing says so, whatever was typed", {
  none <- canned
  none$product_list <- canned$product_list[0L, ]
  ask <- recording(none)$ask
  testServer(mod_products_server, args = products_args(find = "<script>", ask = ask), {
    drawn <- shown(output$products)
    expect_match(drawn, "has \u201c&lt;script&gt;\u201d in its name or id", fixed = TRUE)
    expect_no_match(drawn, "<script>", fixed = TRUE)
  })
  testServer(mod_products_server, args = products_args(ask = ask), {
    expect_match(shown(output$products), "No event was loaded for this range", fixed = TRUE)
  })
})

test_that("a name leads to its product, whatever its id; one too long for a link does not", {
  expect_match(product_link("a&b \"c", "x"), "product=a%26b%20%22c\"", fixed = TRUE)
  expect_match(product_link("a&b \"c", "x"), "data-product=\"a&amp;b &quot;c\"", fixed = TRUE)
  expect_match(product_link("\u0111", "x"), "product=%C4%91", fixed = TRUE)
  expect_identical(product_link(strrep("x", 201L), "x"), "x")
  expect_identical(product_link(c("p", strrep("x", 201L)), c("x", "y"))[2L], "y")
})

test_that("one product's page: its numbers against the period before, as text", {
  before <- transform(canned$product_totals, views = 200, adds = 0)
  ask <- function(name, range, ...) {
    if (name == "product_totals" && range$to < "2026-11-18") return(before)
    canned[[name]]
  }
  args <- products_args(product = "p/1 <b>", bucket = "day", ask = ask)
  testServer(mod_products_server, args = args, {
    drawn <- shown(output$products)
    expect_match(drawn, "<h2>&lt;script&gt;alert(1)&lt;/script&gt;</h2>", fixed = TRUE)
    expect_match(drawn, "p/1 &lt;b&gt;</dd>", fixed = TRUE)
    expect_no_match(drawn, "<script>", fixed = TRUE)
    expect_match(drawn, "data-testid=\"product-views\" data-value=\"401\"", fixed = TRUE)
    expect_match(drawn, "+100.5%", fixed = TRUE)
    expect_match(drawn, "was 200", fixed = TRUE)
    expect_match(drawn, "nothing to compare", fixed = TRUE)
    expect_match(drawn, "data-goto=\"products\" data-product=\"\"", fixed = TRUE)
    expect_identical(shown(output$categories), "")
    expect_identical(shown(output$brands), "")
  })
})

test_that("its course is drawn by bucket, with the same numbers as a table", {
  record <- recording()
  args <- products_args(product = "p1", range = "30d", bucket = "week", ask = record$ask)
  testServer(mod_products_server, args = args, {
    drawn <- shown(output$products)
    expect_identical(record$of("product_series")[[1L]][-(1:2)], list("week", "p1"))
    for (key in names(product_courses)) {
      total <- exact(sum(canned$product_series[[key]]))
      expect_match(drawn, sprintf("data-testid=\"course-%s\" data-value=\"%s\"", key, total),
                   fixed = TRUE)
    }
    row <- "<tr><td>week of 23 Nov</td><td>100</td><td>20</td><td>4</td><td>6</td></tr>"
    expect_match(drawn, row, fixed = TRUE)
    expect_match(drawn, "still open", fixed = TRUE)
  })
})

test_that("prices seen: the newest, the lowest and highest, and what can be none", {
  testServer(mod_products_server, args = products_args(product = "p1"), {
    drawn <- shown(output$products)
    expect_match(drawn, "1.790.000 \u20ab \u2013 1.890.000 \u20ab", fixed = TRUE)
    expect_match(drawn, "data-testid=\"product-implausible\" data-value=\"38\"", fixed = TRUE)
    expect_match(drawn, "data-testid=\"product-discounts\" data-value=\"40\"", fixed = TRUE)
    expect_match(drawn, "no price unless it is above 100 and below", fixed = TRUE)
    expect_match(drawn, "<dt>Brand</dt>\\s*<dd>Not set</dd>")
  })
  one <- transform(canned$product_prices, lowest = highest, discounts = 0)
  expect_match(html(product_facts(canned$product_labels, one)), "1.890.000 \u20ab, always")
  expect_no_match(html(product_facts(canned$product_labels, one)), "iscount prices")
  none <- transform(canned$product_prices, lowest = NA, highest = NA, priced = 0)
  expect_match(html(product_facts(canned$product_labels, none)), "price-spread[^>]*>\u2013</dd>")
})

test_that("prices of more than a month are not asked for", {
  record <- recording()
  long <- list(range = "custom", from = "2026-01-01", to = "2026-11-24", product = "p1")
  args <- do.call(products_args, c(long, ask = record$ask))
  testServer(mod_products_server, args = args, {
    expect_match(shown(output$products), "Choose at most 31 days.", fixed = TRUE)
    expect_length(record$of("product_prices"), 0L)
  })
})

test_that("a product without an event in the range says so beside what it is", {
  quiet <- canned
  quiet$product_series[names(product_courses)] <- 0
  ask <- recording(quiet)$ask
  testServer(mod_products_server, args = products_args(product = "p1", ask = ask), {
    expect_match(shown(output$products), "No event of this product is in this range", fixed = TRUE)
    expect_match(shown(output$products), "keyboard", fixed = TRUE)
  })
})

test_that("a product that no event has is left out of the view, with a note", {
  sent <- some_view(product = "<b>gone")
  view <- known_view(sent, function(field) NULL, function(id) FALSE)
  expect_identical(view$product, "")
  expect_identical(unknown_values(sent, view), list(product = "<b>gone"))
  note <- html(link_note(character(), unknown_values(sent, view)))
  expect_match(note, "Product: &lt;b&gt;gone", fixed = TRUE)
  expect_match(note, "[[&quot;product&quot;,&quot;&lt;b&gt;gone&quot;]]", fixed = TRUE)
  unknown <- known_view(sent, function(field) NULL, function(id) NULL)
  expect_identical(unknown$product, "<b>gone")
  expect_identical(known_view(sent, function(field) NULL, function(id) TRUE)$product, "<b>gone")
})

test_that("a database that is down is said on a product's page as well", {
  testServer(mod_products_server, args = products_args(product = "p1", ask = broken_ask), {
    expect_match(shown(output$products), "No answer from the database", fixed = TRUE)
  })
})
