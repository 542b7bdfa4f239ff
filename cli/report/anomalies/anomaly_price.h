/*
 * anomaly_price.h - what a token costs, by model and class: series of its own.
 */

#ifndef ANOMALY_PRICE_H
#define ANOMALY_PRICE_H

#include "anomaly.h"
#include "line/record.h"

/* Makes and counts series of a line's prices in a set of their own, whose kinds
 * are classes ("input", "output", ...).  False: no memory. */
bool price_add(series_set_t *prices, const record_t *r, tg_str_t model,
    int64_t hour);
void price_want(record_want_t *want);

/* Series i of them; the finding's series is `model` of the other set. */
bool anomaly_price(anomalies_t *all, series_set_t *prices, uint32_t i,
    uint32_t model, const anomaly_scope_t *scope);

/* Of a series' name. */
tg_str_t price_model(const series_t *s);

#endif /* ANOMALY_PRICE_H */
