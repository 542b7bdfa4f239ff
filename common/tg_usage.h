/*
 * tg_usage.h - what one call used, in one reading for all providers.
 *
 * Counts are inclusive, as OpenTelemetry's GenAI conventions have them: `input`
 * is every prompt token, cached or not, of any modality; `output` is every
 * generated token, reasoning included.  The others are parts of those two, or
 * things that are billed by themselves.
 *
 * https://opentelemetry.io/docs/specs/semconv/gen-ai/
 */

#ifndef TG_USAGE_H
#define TG_USAGE_H

#include "tg_mem.h"

typedef enum {
    TG_USAGE_NONE = 0,      /* nothing known, nothing to bill */
    TG_USAGE_REPORTED,      /* the provider said so */
    TG_USAGE_ESTIMATED,     /* counted from bytes that went by */
    TG_USAGE_CACHED,        /* answered by a cache of the server: costs nothing */
    TG_USAGE_RECOVERED      /* the server cut it off: billed what was held */
} tg_usage_source_t;

/* Something billed beside the top level, at its own model's price. */
typedef struct tg_usage_extra_s  tg_usage_extra_t;

struct tg_usage_extra_s {
    tg_usage_extra_t  *next;
    tg_str_t           type;        /* "compaction", "advisor_message" */
    tg_str_t           model;       /* empty: the call's own model */
    int64_t            input;       /* inclusive, as above */
    int64_t            cache_read;
    int64_t            cache_write;
    int64_t            cache_write_5m;
    int64_t            cache_write_1h;
    int64_t            output;
};

typedef struct {
    tg_usage_source_t  source;

    int64_t  input;             /* tokens, all of them */
    int64_t  cache_read;        /* part of input */
    int64_t  cache_write;       /* part of input; the sum of the two below, and
                                   of writes whose lifetime was not said */
    int64_t  cache_write_5m;
    int64_t  cache_write_1h;
    int64_t  audio_input;       /* part of input */
    int64_t  image_input;       /* part of input */

    int64_t  output;            /* tokens, all of them */
    int64_t  reasoning;         /* part of output */
    int64_t  audio_output;      /* part of output */
    int64_t  image_output;      /* part of output */

    int64_t  billed_input;      /* Cohere's billed_units; -1 if not said.  Where */
    int64_t  billed_output;     /* said, these are what is charged for */

    int64_t  web_searches;      /* requests to server-side tools with a fee */
    int64_t  web_fetches;
    int64_t  search_units;      /* rerank */
    int64_t  images;            /* pictures made, or embedded (Cohere) */
    int64_t  duration_ms;       /* audio billed by time, milliseconds */
    int64_t  characters;        /* billed by character */
    int64_t  pages;

    int64_t  provider_cost;     /* what the provider says it charged, in nano-
                                   dollars; -1 if it does not say */
    tg_usage_extra_t  *extra;
} tg_usage_t;

/* All zero, "not said" where zero would mean something. */
void tg_usage_init(tg_usage_t *u);

#endif /* TG_USAGE_H */
