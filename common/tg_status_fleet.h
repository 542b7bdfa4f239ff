/*
 * tg_status_fleet.h - what llm_status tells of a fleet: the nodes, and what all of
 * them have spent.  docs/metrics.md.
 */

#ifndef TG_STATUS_FLEET_H
#define TG_STATUS_FLEET_H

#include "tg_status_page.h"

/* Hashes that nodes which are not away disagree on. */
typedef struct {
    bool  config, prices, keys;
} tg_fleet_drift_t;

void tg_status_drift(const tg_fleet_view_t *view, int64_t now,
    tg_fleet_drift_t *drift);

/* `,"fleet":{...}`; nothing of a node that is in none, or has not heard of it. */
void tg_status_fleet_json(tg_page_t *pg, const tg_status_facts_t *facts);

/* Prometheus' families, likewise. */
void tg_status_fleet_text(tg_page_t *pg, const tg_status_facts_t *facts);

#endif /* TG_STATUS_FLEET_H */
