/*
 * tg_status_page.h - what llm_status answers: docs/metrics.md.
 */

#ifndef TG_STATUS_PAGE_H
#define TG_STATUS_PAGE_H

#include "tg_breaker.h"
#include "tg_conf.h"
#include "tg_status.h"

/* wall_ms since 1970, mono_ms of the breakers' clock.  TG_OK, or TG_ERROR where
 * out() said so. */
int tg_status_page(const tg_metrics_t *m, tg_breakers_t *b,
    const tg_conf_t *conf, tg_status_format_t format, int64_t wall_ms,
    int64_t mono_ms, tg_out_t out, void *data);

#endif /* TG_STATUS_PAGE_H */
