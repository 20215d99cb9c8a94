# Every phrase of say() in Vietnamese, by its English text.
vietnamese <- c(
  "Search" = "T\u00ecm"
)
