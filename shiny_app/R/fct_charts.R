# Charts as inline SVG in data units, stretched, strokes not scaled; words in HTML over them. Pure.
# One markup for every width, no script, and a table with the same numbers beside each.
# What comes by the hundred (rows, bars, tips) is text made by vectors, everything in it escaped: a
# tag object each costs a tenth of a millisecond of everybody's R.

escape <- function(text) htmltools::htmlEscape(text, attribute = TRUE)

markup <- function(...) htmltools::HTML(paste0(..., collapse = ""))

#' Ticks from 0 in round steps, at most about n of them
nice_ticks <- function(top, n = 4) {
  if (!is.finite(top) || top <= 0) return(c(0, 1))
  steps <- as.vector(outer(c(1, 2, 2.5, 4, 5), 10^(0:9)))
  steps <- sort(steps[steps %% 1 == 0])
  step <- steps[steps * n >= top][1L]
  seq(0, ceiling(top / step) * step, by = step)
}

svg_path <- function(y, top, low = 0) {
  if (!length(y)) return("")
  points <- sprintf("%g %.1f", seq_along(y) - 0.5, 100 - 100 * (y - low) / (top - low))
  paste0("M", paste(points, collapse = "L"))
}

svg_plot <- function(width, ..., class = NULL, label) {
  tags$svg(
    class = class, viewBox = sprintf("0 0 %g 100", width), preserveAspectRatio = "none",
    role = "img", "aria-label" = label, ...
  )
}

svg_line <- function(class, d) tags$path(class = class, d = d)

#' Shape of a measure: from its lowest to its highest value, complete buckets only
sparkline <- function(now, before, label) {
  low <- min(now, before)
  top <- max(now, before)
  if (!is.finite(top) || length(now) < 2L) return(NULL)
  if (top == low) top <- low + 1
  svg_plot(length(now), class = "spark", label = label,
    if (length(before)) svg_line("prev", svg_path(utils::head(before, length(now)), top, low)),
    svg_line("line", svg_path(now, top, low))
  )
}

#' A line of the period over the one before; buckets still open are hollow and hatched, never joined
#'
#' @param now Values. @param open Logical, whether a bucket is provisional. @param before Values of
#'   the period before, or NULL. @param marks Words under the axis, of axis_marks().
#' @param tips Markup when hovering, of series_tips().
line_chart <- function(now, open, before, marks, tips, label, height = 204L) {
  n <- length(now)
  ticks <- nice_ticks(max(c(now, before, 0)))
  top <- ticks[length(ticks)]
  closed <- utils::head(now, max(0L, n - sum(rev(cumprod(rev(open))))))
  first_open <- if (length(closed) < n) length(closed) + 1L else NA_integer_
  dot <- sprintf("M%g %.1fh0", first_open - 0.5, 100 - 100 * now[first_open] / top)
  plot_frame(
    n, ticks, n - length(closed), marks, tips, label, height,
    if (length(closed) > 1L) {
      svg_line("fill", sprintf("%sV100H.5Z", svg_path(closed, top)))
    },
    # Its last bucket was cut where the data ends: no more joined than the open one.
    if (length(before)) {
      svg_line("prev", svg_path(utils::head(before, length(closed)), top))
    },
    svg_line("line", svg_path(closed, top)),
    if (length(closed) == 1L) svg_line("dot", sprintf("M.5 %.1fh0", 100 - 100 * closed / top)),
    if (!is.na(first_open) && now[first_open] > 0) {
      list(svg_line("dot", dot), svg_line("dot hole", dot))
    }
  )
}

#' One series as columns, or two on each other; buckets still open are faded and hatched
#'
#' @param low,high Values of the lower and the upper series; no `high`: one series. @param open
#'   Logical. @param lines At most about so many over the ground.
columns_chart <- function(low, high, open, marks, tips, label, height = 190L, lines = 4) {
  n <- length(low)
  ticks <- nice_ticks(max(if (is.null(high)) low else low + high, 0), lines)
  top <- ticks[length(ticks)]
  bars <- function(from, size, class) {
    markup('<rect class="', class, ifelse(open, " faded", ""), '" x="',
           sprintf("%.2f", seq_len(n) - 0.9), '" width="0.8" y="',
           sprintf("%.2f", 100 - 100 * (from + size) / top), '" height="',
           sprintf("%.2f", 100 * size / top), '"/>')
  }
  plot_frame(n, ticks, sum(open), marks, tips, label, height,
             bars(0, low, "c1"), if (!is.null(high)) bars(low, high, "soft"))
}

#' What stands around a chart of n buckets: scale, grid, the band of open ones, tips, axis
#'
#' @param open How many of the last buckets are open. @param ... What is drawn, as SVG.
plot_frame <- function(n, ticks, open, marks, tips, label, height, ...) {
  at <- 100 * ticks / ticks[length(ticks)]
  tags$div(
    class = "plot", style = sprintf("--h:%dpx", height),
    tags$div(class = "y", "aria-hidden" = "true", lapply(seq_along(ticks), function(i) {
      tags$span(style = sprintf("bottom:%.2f%%", at[i]), fmt_count(ticks[i]))
    })),
    tags$div(
      class = "area",
      svg_plot(
        n, label = label,
        lapply(at, function(one) svg_line("grid", sprintf("M0 %.2fH%d", 100 - one, n))), ...
      ),
      if (open > 0) {
        tags$div(class = "open-band", style = sprintf("width:%.2f%%", 100 * open / n))
      },
      hover_tips(tips)
    ),
    axis_words(marks, n)
  )
}

hover_tips <- function(tips) {
  n <- length(tips)
  tags$div(class = "hits", "aria-hidden" = "true", markup(
    '<span class="hit', ifelse(seq_len(n) > n * 0.6, " end", ""), '"><span class="tip">', tips,
    "</span></span>"
  ))
}

axis_words <- function(marks, n) {
  tags$div(class = "x", "aria-hidden" = "true", lapply(seq_along(marks$at), function(k) {
    tags$span(
      class = if (k %% 2L == 0L) "alt",
      class = if (marks$at[k] > 0.95 * n) "edge",
      style = sprintf("left:%.2f%%", 100 * (marks$at[k] - 0.5) / n), marks$words[k]
    )
  }))
}

# How complete a bucket is, the worst first: what the worst of its hours is. Class of the strip.
bucket_classes <- c(gap = "g", pending = "w", open = "p", quarantined = "q", complete = "")
bucket_state_words <- c(
  gap = "gap", pending = "pending", open = "still open", quarantined = "some in quarantine",
  complete = "complete"
)

#' The state of each of n buckets
#'
#' @param rows Of bucket_hours: place of the bucket, and its hours by state.
bucket_states <- function(rows, n) {
  mine <- rows[match(seq_len(n), rows$place), ]
  has <- function(count) !is.na(count) & count > 0
  state <- ifelse(has(mine$quarantined), "quarantined", "complete")
  # What has no hour at all has not come yet.
  state[has(mine$open) | is.na(mine$hours)] <- "open"
  state[has(mine$pending)] <- "pending"
  state[has(mine$gaps)] <- "gap"
  state
}

#' Completeness under a chart: neighbours of one state are one piece, as long as its buckets
completeness_strip <- function(states) {
  runs <- rle(states)
  tags$div(
    class = "strip", role = "img", "data-testid" = "completeness-strip",
    "aria-label" = paste0(say("Completeness"), ": ", states_counted(states)),
    markup('<span class="', bucket_classes[runs$values], '" style="flex:', runs$lengths,
           '" data-key="', runs$values, '" data-value="', runs$lengths, '"></span>')
  )
}

states_counted <- function(states) {
  found <- names(bucket_classes)[names(bucket_classes) %in% states]
  counts <- vapply(found, function(state) sum(states == state), 0L)
  paste(fmt_count(counts), say(unname(bucket_state_words[found])), collapse = ", ")
}

#' What the colours of a strip say: of its states
strip_keys <- function(states) {
  found <- names(bucket_classes)[names(bucket_classes) %in% states]
  kind <- c(gap = "s r", pending = "pe", open = "h", quarantined = "s w", complete = "s l")
  tags$span(class = "keys", tags$span(say("Completeness")), lapply(found, function(state) {
    tags$span(class = paste("key", kind[[state]]), say(bucket_state_words[[state]]))
  }))
}

#' Ranked bars: a list, words over the bar
#'
#' @param rows A data frame: label, value, words, and key for tests.
bar_list <- function(rows, id) {
  share <- 100 * rows$value / max(rows$value, 1)
  tags$ul(class = "bars", "data-testid" = id, markup(
    '<li data-key="', escape(rows$key), '" data-value="', exact(rows$value), '"><span class="l">',
    escape(rows$label), '</span><span class="b" style="--v:', sprintf("%.1f", share),
    '%"></span><span class="v">', fmt_count(rows$value), "<small>", rows$words,
    "</small></span></li>"
  ))
}

#' Steps from left to right: heights in share of the first, slopes for what is lost; or in share of
#' the step before, which has no slopes
#'
#' @param closed Whether each step is a part of the one before; without that there are no slopes.
#' @param heights A name of `heights`: what each step is a share of.
funnel_chart <- function(names, counts, under, closed, label, id, heights = "first") {
  n <- length(counts)
  share <- step_share(counts, heights)
  # Of nothing there is nothing to draw; an open step may exceed the one it is a share of.
  height <- 100 * pmin(ifelse(is.na(share), 0, share), 1)
  width <- 0.36
  slopes <- closed && heights == "first"
  tags$div(
    class = if (closed) "funnel" else "funnel is-open", "data-testid" = id,
    "data-heights" = heights,
    tags$ol(class = "heads", lapply(seq_len(n), function(i) {
      tags$li(
        "data-value" = counts[i], "data-share" = exact(share[i]),
        tags$span(class = "n", names[i]), tags$strong(fmt_count(counts[i])),
        tags$span(class = "of", fmt_rate(share[i]))
      )
    })),
    svg_plot(n - 1 + width, label = label, lapply(seq_len(n), function(i) {
      x <- i - 1
      list(
        tags$rect(class = "lane", x = x, y = 0, width = width, height = 100),
        tags$rect(
          class = if (closed) "step" else "step o", x = x, y = sprintf("%.2f", 100 - height[i]),
          width = width, height = sprintf("%.2f", height[i])
        ),
        if (slopes && i < n) {
          svg_line("flow", sprintf(
            "M%g %.2fL%d %.2fV100H%gZ",
            x + width, 100 - height[i], i, 100 - height[i + 1L], x + width
          ))
        }
      )
    })),
    tags$ul(class = "under", lapply(under, function(words) tags$li(words)))
  )
}

#' Each step as a share of the first or of the step before, which of the first is itself
#'
#' @return Numbers, NA where there is nothing to be a share of.
step_share <- function(counts, heights = "first") {
  n <- length(counts)
  of <- if (heights == "before") c(counts[1L], counts[-n]) else rep(counts[1L], n)
  ifelse(of > 0, counts / of, NA_real_)
}

#' A table that may be wider than its card: scrolled by keys as well
sideways <- function(label, table) {
  tags$div(class = "scroll", tabindex = "0", role = "region", "aria-label" = say(label), table)
}

#' The same numbers as a table, folded
as_table <- function(head, rows) {
  cells <- lapply(rows, function(column) paste0("<td>", escape(column), "</td>"))
  tags$details(
    class = "as-table", tags$summary(say("Show as table")),
    sideways("The same numbers as a table", tags$table(
      class = "table table-sm", tags$thead(tags$tr(lapply(say(head), tags$th, scope = "col"))),
      tags$tbody(markup("<tr>", do.call(paste0, unname(cells)), "</tr>"))
    ))
  )
}

#' Weekdays by hours, the darker the more sessions; a table, so that it is read as one
#'
#' @param rows Rows of heatmap. @param top The largest of sessions_per_hour.
heat_table <- function(rows, top) {
  days <- say(c("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"))
  lines <- vapply(1:7, function(day) {
    mine <- rows[match(paste(day, 0:23), paste(rows$weekday, rows$hour)), ]
    mean <- mine$sessions_per_hour
    tip <- sayf("%s %02d:00: %s sessions", days[day], 0:23, fmt_mean(mean))
    class <- ifelse(is.na(mean), "none", paste0("q", pmin(6, ceiling(6 * mean / top))))
    cells <- paste0('<td class="', class, '" data-tip="', tip, '" data-key="', day, "-", 0:23,
                    '" data-value="', exact(mine$sessions), '"><span class="visually-hidden">',
                    fmt_mean(mean), "</span></td>", collapse = "")
    paste0('<tr><th scope="row">', days[day], "</th>", cells, "</tr>")
  }, "")
  sideways("Sessions by hour and weekday", tags$table(
    class = "heat", "data-testid" = "heatmap",
    tags$thead(tags$tr(tags$td(), markup('<th scope="col">', sprintf("%02d", 0:23), "</th>"))),
    tags$tbody(markup(lines))
  ))
}

#' Days by hours: what became of each hour's objects
#'
#' @param rows Rows of completeness, in the order of time. @param zone Days and hours are local.
hours_table <- function(rows, zone) {
  at <- as_instant(rows$hour_at)
  day <- format(at, "%Y-%m-%d", tz = zone)
  hour <- as.integer(format(at, "%H", tz = zone))
  # Where summer time ends, two hours share a cell: the worse one shows.
  worst <- order(match(rows$state, c("gap", "open", "quarantined", "complete")))
  kind <- c(complete = "", quarantined = "q", gap = "g", open = "now")[rows$state]
  tip <- escape(sprintf(
    say("%s: %s objects, %s"),
    fmt_instant(rows$hour_at, zone), fmt_count(rows$keys), say(unname(state_label[rows$state]))
  ))
  cells <- paste0(
    '<td class="', kind, '" data-tip="', tip, '"><span class="visually-hidden">', tip, "</span>",
    ifelse(rows$state == "gap", "!", ""), "</td>"
  )
  days <- rev(unique(day))
  line <- function(of_day) {
    mine <- worst[day[worst] == of_day]
    found <- cells[mine[match(0:23, hour[mine])]]
    found[is.na(found)] <- '<td class="none"></td>'
    paste(found, collapse = "")
  }
  sideways("Hours", tags$table(
    class = "heat hours", "data-testid" = "completeness",
    tags$thead(tags$tr(tags$td(), markup('<th scope="col">', sprintf("%02d", 0:23), "</th>"))),
    tags$tbody(markup(
      '<tr><th scope="row">', week_day(as.Date(days)), "</th>",
      vapply(days, line, ""), "</tr>"
    ))
  ))
}

state_label <- c(
  complete = "complete", quarantined = "some in quarantine", gap = "gap", open = "still open"
)
