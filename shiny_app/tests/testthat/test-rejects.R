args <- list(view = reactive(some_view()), ask = canned_ask)

test_that("what was rejected is named: object, place, reason, how it begins, all as text", {
  testServer(mod_rejects_server, args = args, {
    drawn <- shown(output$rejects)
    expect_match(drawn, "x&lt;b&gt;.json<span class=\"sub\">the whole object<", fixed = TRUE)
    expect_match(drawn, "record 5", fixed = TRUE)
    expect_match(drawn, "&lt;script&gt;</pre>", fixed = TRUE)
    expect_match(drawn, paste0(strrep("y", 200L), "\u2026<"), fixed = TRUE)
  })
})

test_that("an event leads to its object and its copies; what is no id is said", {
  testServer(mod_rejects_server, args = args, {
    expect_identical(shown(output$source), "")
    session$setInputs(event = "'; DROP TABLE x")
    expect_match(shown(output$source), "That is no event id.", fixed = TRUE)
    session$setInputs(event = " 00000000-0000-4000-9000-000000000002 ")
    expect_match(shown(output$source), "record 1, 812 bytes, ETag 9b2c", fixed = TRUE)
    expect_match(shown(output$source), "a copy that differs, not stored", fixed = TRUE)
    expect_match(shown(output$source), "24 Nov 14:03 by run 4,182", fixed = TRUE)
  })
  nothing <- list(view = args$view, ask = function(name, ...) canned[[name]][0L, ])
  testServer(mod_rejects_server, args = nothing, {
    session$setInputs(event = "00000000-0000-4000-9000-000000000002")
    expect_match(shown(output$source), "No stored event has this id.", fixed = TRUE)
    expect_match(shown(output$rejects), "No record waits for a reload", fixed = TRUE)
  })
})

test_that("a reason says what it is and what to do; one that is not known is its own word", {
  cell <- html(reason_cell("not_json"))
  expect_match(cell, "<b>Not JSON</b>", fixed = TRUE)
  expect_match(cell, "It is no JSON: cut off, a page of HTML", fixed = TRUE)
  expect_match(cell, "Mend the object under the same key: the next run loads it.", fixed = TRUE)
  expect_match(in_language("vi", html(reason_cell("not_json"))), "Sửa đối tượng", fixed = TRUE)
  expect_identical(html(reason_cell("some_new_code")), "<b>some new code</b>")
  expect_identical(reason_title(c("archived", "x_y")), c("Archived", "x y"))
})

test_that("every reason has a title, what it is, and what to do", {
  expect_identical(unique(lengths(reasons)), 3L)
  expect_false(anyDuplicated(vapply(reasons, function(one) one[1L], "")) > 0L)
})

test_that("the quarantine's reasons stand in words, each with its remedy", {
  testServer(mod_pipeline_server, args = args, {
    expect_match(shown(output$quarantine), "no client id and no session id", fixed = TRUE)
    expect_match(shown(output$quarantine), "mend its sender", fixed = TRUE)
  })
})
