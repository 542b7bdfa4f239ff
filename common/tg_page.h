/*
 * tg_page.h - text of any length that goes out in pieces.
 */

#ifndef TG_PAGE_H
#define TG_PAGE_H

#include "tg_out.h"
#include "tg_text.h"

#define TG_PAGE_SIZE  8192

typedef struct {
    tg_out_t   out;
    void      *data;
    bool       failed;          /* out() said so: the rest goes nowhere */
    bool       openmetrics;     /* OpenMetrics 1.0 where it differs from
                                   Prometheus' text format 0.0.4 */
    tg_text_t  text;            /* what is written next */
    char       buf[TG_PAGE_SIZE];
} tg_page_t;

void tg_page_init(tg_page_t *pg, tg_out_t out, void *data);

/* Makes room for n bytes, at most TG_PAGE_SIZE, in pg->text. */
void tg_page_room(tg_page_t *pg, size_t n);

/* What stands before the samples of a name in Prometheus' text format; at most
 * TG_PAGE_FAMILY bytes in all.  A counter's name ends in "_total". */
#define TG_PAGE_FAMILY  1024

void tg_page_family(tg_page_t *pg, const char *prefix, const char *name,
    const char *type, const char *help);

/* TG_OK, or TG_ERROR where out() said so. */
int tg_page_end(tg_page_t *pg);

#endif /* TG_PAGE_H */
