/*
 * tg_status_page_int.h - what the forms of llm_status' page have in common.
 */

#ifndef TG_STATUS_PAGE_INT_H
#define TG_STATUS_PAGE_INT_H

#include "tg_status_page.h"

/* A name has up to TG_STR_NAME_MAX bytes, none of which is escaped. */
#define TG_STATUS_LINE  512

typedef enum {
    TG_ROUTE_TAKEN = 0,
    TG_ROUTE_DRY,
    TG_ROUTE_FALLBACKS,
    TG_ROUTE_COUNTS
} tg_route_counted_t;

typedef struct {
    const char  *json;
    const char  *name;          /* Prometheus' */
    const char  *help;
} tg_route_counted_name_t;

extern const tg_route_counted_name_t  tg_route_counts[TG_ROUTE_COUNTS];

/* c may be NULL. */
int64_t tg_status_count(tg_route_count_t *c, tg_route_counted_t what);

/* False: calls avoid the provider. */
bool tg_status_closed(tg_breakers_t *b, const tg_provider_t *pr,
    int64_t mono_ms);

/* Prometheus' text format, or OpenMetrics. */
void tg_status_text(const tg_status_facts_t *facts, bool openmetrics,
    tg_page_t *pg);

/* Of it, what the ledger knows.  tg_status_quota.c. */
void tg_status_quotas(const tg_status_facts_t *facts, tg_page_t *pg);

/* A family of one sample without labels; a sample's value, behind what is there,
 * with the line's end. */
void tg_status_one(tg_page_t *pg, const char *name, const char *type,
    const char *help, int64_t v, unsigned scale);
void tg_status_number(tg_page_t *pg, int64_t v, unsigned scale);

#endif /* TG_STATUS_PAGE_INT_H */
