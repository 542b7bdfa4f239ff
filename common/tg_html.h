/*
 * tg_html.h - figures and names as HTML, in a page that goes out in pieces.
 *
 * All of these make room for themselves.  What is not the caller's own literal
 * is escaped.
 */

#ifndef TG_HTML_H
#define TG_HTML_H

#include "tg_page.h"
#include "tg_window.h"

/* Markup of ours. */
void tg_html_raw(tg_page_t *pg, const char *z);

/*
 * Text of others, in an element or between double quotes.  What is not UTF-8,
 * control characters and those that turn the direction of text are replaced by
 * U+FFFD.
 */
void tg_html_text(tg_page_t *pg, tg_str_t s);

/* A name, apart from the direction of what is around it; where it is empty
 * `none`, which is ours. */
void tg_html_name(tg_page_t *pg, tg_str_t s, const char *none);

/* Dollars, exact; what is below a cent small. */
void tg_html_usd(tg_page_t *pg, int64_t nusd);

/* Dollars of an estimate: exact for programs, rounded for people. */
void tg_html_usd_about(tg_page_t *pg, int64_t nusd);

/* "12,345". */
void tg_html_count(tg_page_t *pg, int64_t n);

/* Times are milliseconds since 1970, shown by the zone's clocks: "28 Nov
 * 14:05". */
void tg_html_time(tg_page_t *pg, const tg_zone_t *zone, int64_t t);

/* "5 d 3 h", "12 min", "40 s". */
void tg_html_span(tg_page_t *pg, int64_t ms);

/* part of whole, 0 to 100 %, as a bar that only eyes see; kind: its class. */
void tg_html_bar(tg_page_t *pg, int64_t part, int64_t whole,
    const char *kind);

#endif /* TG_HTML_H */
