# Why the loader put something into quarantine: what that means, and what to do. Pure.

# By the loader's code: a title, what it is, what to do. tests/unit/test_loader_reasons.py holds the
# codes against the loader's. One literal a sentence, so that the dictionary's test finds each.
reasons <- list(
  empty_file = c(
    "Empty file", "The object has no content.",
    "Nothing is lost if nothing was to be in it; else its sender writes it again."
  ),
  truncated_gzip = c(
    "Truncated gzip",
    "The compressed file breaks off before its end; whole records before that are loaded.",
    "Upload the whole file under the same key: the next run loads it."
  ),
  corrupt_gzip = c(
    "Corrupt gzip", "The compressed file is damaged and cannot be unpacked.",
    "Upload the whole file under the same key: the next run loads it."
  ),
  not_utf8 = c(
    "Not UTF-8", "It has bytes that are no UTF-8 text.",
    "Write it as UTF-8 under the same key: the next run loads it."
  ),
  not_json = c(
    "Not JSON", "It is no JSON: cut off, a page of HTML, or text of another kind.",
    "Mend the object under the same key: the next run loads it."
  ),
  not_an_object = c(
    "Not an object", "It is JSON, but a text, a number or a list where an event belongs.",
    "If an event was meant, mend its sender; what came stays here."
  ),
  not_an_event = c(
    "Not an event", "It has no event name, no event id, no client id and no session id.",
    "If an event was meant, mend its sender; what came stays here."
  ),
  too_deep = c(
    "Nested too deeply", "Its lists and objects lie deeper in each other than the loader reads.",
    "Mend its sender; or an operator raises ETL_NESTING and loads the quarantine again."
  ),
  record_too_large = c(
    "Record too large", "This record is larger than the loader takes; its neighbours are loaded.",
    "If it is an event, an operator raises ETL_RECORD_BYTES and loads the quarantine again."
  ),
  too_many_records = c(
    "Too many records", "The file has more records than the loader takes; the first are loaded.",
    "Split the file; or an operator raises ETL_RECORDS and loads the quarantine again."
  ),
  object_too_large = c(
    "Object too large", "It is larger than the loader takes, packed or unpacked; not read at all.",
    "Split it; or an operator raises ETL_OBJECT_BYTES and ETL_DECOMPRESSED_BYTES and reloads it."
  ),
  unreadable_key = c(
    "Unreadable key", "Its key has a part that cannot be asked for: an empty one, or dots.",
    "Copy it to a plain key of the same hour; an operator loads that hour: make backfill."
  ),
  archived = c(
    "Archived", "It lies in an archive class of S3, which cannot be read at once.",
    "Restore it in S3; then an operator loads the quarantine again."
  )
)

#' The title of each code; a code of a newer loader is its own
reason_title <- function(codes) {
  known <- unname(vapply(codes, function(code) c(reasons[[code]], NA_character_)[1L], ""))
  ifelse(is.na(known), gsub("_", " ", codes, fixed = TRUE), say(known))
}

#' A code in words: its title, what it is, what to do
reason_cell <- function(code) {
  found <- reasons[[code]]
  shiny::tagList(
    tags$b(reason_title(code)),
    if (!is.null(found)) {
      shiny::tagList(tags$span(class = "sub", say(found[2L])),
                     tags$span(class = "sub todo", say(found[3L])))
    }
  )
}
