/*
 * tg_status_show.h - the parts of llm_status' page, for tg_status_*.c only.
 */

#ifndef TG_STATUS_SHOW_H
#define TG_STATUS_SHOW_H

#include "tg_html.h"
#include "tg_status_limits.h"
#include "tg_status_page_int.h"

/* Names of a dimension that are told one by one. */
#define TG_STATUS_TOP  12

/* tg_status_json.c: members of an object, each with a comma before it. */
void tg_status_json_facts(const tg_status_facts_t *facts, tg_page_t *pg);

/* What the upstream module has to tell, if it is there: see tg_companion.h.
 * False: nothing. */
bool tg_status_upstreams(const tg_status_facts_t *facts,
    tg_status_format_t format, tg_page_t *pg);

/* tg_status_json_limits.c: the same, of budgets, limits and who was refused. */
void tg_status_json_limits(const tg_status_facts_t *facts, tg_page_t *pg);

/* tg_status_html*.c: all of it, and its parts. */
void tg_status_html(const tg_status_facts_t *facts, tg_page_t *pg);
void tg_status_html_spend(const tg_status_facts_t *facts, tg_page_t *pg);
void tg_status_html_fleet(const tg_status_facts_t *facts, tg_page_t *pg);
void tg_status_html_limits(const tg_status_facts_t *facts, tg_page_t *pg);
void tg_status_html_traffic(const tg_status_facts_t *facts, tg_page_t *pg);
void tg_status_html_server(const tg_status_facts_t *facts, tg_page_t *pg);

/* The beginning of a table that can be scrolled sideways, up to its first row:
 * heads are columns' names, after the first those that begin with "#" of
 * numbers. */
void tg_html_table(tg_page_t *pg, const char *id, const char *caption,
    const char *const *heads, unsigned nheads);
void tg_html_table_end(tg_page_t *pg, unsigned ncolumns, const char *empty,
    bool any);

/* tg_status_asset.c */
extern const char  tg_status_style[];
extern const char  tg_status_script[];

/* "a month"; of a window that ends when nothing happens "until idle". */
const char *tg_status_window(const tg_window_spec_t *window);

#endif /* TG_STATUS_SHOW_H */
