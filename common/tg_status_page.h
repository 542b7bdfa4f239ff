/*
 * tg_status_page.h - what llm_status answers: docs/metrics.md.
 */

#ifndef TG_STATUS_PAGE_H
#define TG_STATUS_PAGE_H

#include "tg_breaker.h"
#include "tg_companion.h"
#include "tg_conf.h"
#include "tg_tally.h"
#include "tg_roster.h"
#include "tg_status.h"

/* What a server shows.  Any may be NULL but conf and tally. */
typedef struct {
    const tg_conf_t                *conf;
    tg_tally_t                     *tally;
    tg_breakers_t                  *breakers;
    tg_ledger_t                    *ledger;     /* only looked at */
    const tg_zone_t                *zone;       /* NULL: UTC */
    tg_roster_t                    *roster;     /* of llm_keys */
    const tg_price_book_t          *book;
    const tg_companion_upstream_t  *upstream;
    int64_t                         in_flight;  /* calls, in all processes */
    int64_t                         wall_ms;    /* since 1970 */
    int64_t                         mono_ms;    /* of the breakers' clock */
} tg_status_facts_t;

/* TG_OK, or TG_ERROR where out() said so. */
int tg_status_page(const tg_status_facts_t *facts, tg_status_format_t format,
    tg_out_t out, void *data);

#endif /* TG_STATUS_PAGE_H */
