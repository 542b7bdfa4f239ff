/*
 * tg_engine_int.h - what engines call their metrics; tg_engine_names.c.
 */

#ifndef TG_ENGINE_INT_H
#define TG_ENGINE_INT_H

#include "tg_engine.h"

typedef struct {
    tg_str_t   name;            /* not shorter than TG_PROM_HEAD */
    tg_fact_t  fact;
    uint8_t    rank;            /* 0: the newest name */
    bool       shared;          /* others may have it, too */
    tg_str_t   label;           /* has to be there, with that value; or empty */
    tg_str_t   value;
} tg_metric_t;

typedef struct {
    tg_str_t            name;
    tg_engine_pages_t   pages;
    const tg_metric_t  *metrics;
    size_t              nmetrics;
    tg_engine_t         inside;         /* AUTO: none */
} tg_engine_conf_t;

extern const tg_engine_conf_t  tg_engines[TG_ENGINES];

#endif /* TG_ENGINE_INT_H */
