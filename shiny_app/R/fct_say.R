# Which language the page speaks. Pure but for the language that the part being drawn asks for.
# A phrase is its English text; R/fct_words_vietnamese.R has each one in Vietnamese.

languages <- c(en = "EN", vi = "VI")

speaking <- new.env(parent = emptyenv())
speaking$language <- "en"

#' Evaluate something in a language: R draws one part at a time, from its start to its end
in_language <- function(language, code) {
  before <- speaking$language
  on.exit(speaking$language <- before)
  speaking$language <- language
  force(code)
}

is_vietnamese <- function() identical(speaking$language, "vi")

# Put together when first asked for: files of R/ are loaded in no order to rely on.
dictionary <- function() {
  if (is.null(speaking$words)) {
    speaking$words <- c(
      vietnamese_phrases,
      stats::setNames(definitions_vietnamese, definitions[names(definitions_vietnamese)])
    )
  }
  speaking$words
}

#' A phrase in the language spoken
#'
#' @param text The English phrase, a literal: the tests look for each in the dictionary. Values by
#'   name (of a vector of labels) keep their names.
#' @return Text; what the dictionary lacks stays as it is.
say <- function(text) {
  if (!is_vietnamese() || !is.character(text)) return(text)
  found <- dictionary()[text]
  text[!is.na(found)] <- unname(found[!is.na(found)])
  text
}

#' A phrase with places for values, as sprintf has them
sayf <- function(text, ...) sprintf(say(text), ...)
