/*
 * tg_usage_read.h - from the counters of an answer to one reading of them.
 *
 * A provider's fields are gathered as they come (TG_A_INPUT and so on, see
 * tg_dialect_int.h), then read by the few rules in which providers differ:
 * whether the prompt count includes the cache, whether the completion count
 * includes reasoning, what to do with a total alone.
 */

#ifndef TG_USAGE_READ_H
#define TG_USAGE_READ_H

#include "tg_dialect_int.h"

/*
 * Bytes of text (JSON strings as written) that are taken for one token where
 * nothing better is known: four is what the providers give as a rule of thumb
 * for English.
 */
#define TG_ESTIMATE_BYTES_PER_TOKEN  4

/* -1: the answer does not have it. Indexed by counter id. */
typedef struct {
    uint64_t  present;              /* bit i: v[i] is set */
    int64_t   v[TG_A_COUNTERS];
} tg_counts_t;

static inline void
tg_counts_clear(tg_counts_t *c)
{
    c->present = 0;
}

static inline bool
tg_counts_has(const tg_counts_t *c, unsigned id)
{
    return (c->present >> id) & 1;
}

/*
 * Sets a counter from a literal: an integer, or a decimal for seconds and cost.
 * What is not a number that is >= 0 is passed over.  Within a document two
 * fields of one meaning count as the larger.
 */
void tg_counts_read(tg_counts_t *c, unsigned id, tg_str_t literal);

/* The same from a number. */
void tg_counts_set(tg_counts_t *c, unsigned id, int64_t v);

/* Adds, saturating; what is absent is 0. */
void tg_counts_add(tg_counts_t *c, unsigned id, int64_t v);

/* All that `from` has goes to `to`; the rest stays. */
void tg_counts_override(tg_counts_t *to, const tg_counts_t *from);

/* True where no count is more than 0. */
bool tg_counts_zero(const tg_counts_t *c);

/* True where a count says that something was used, rather than just how. */
bool tg_counts_told(const tg_counts_t *c);

/*
 * quirks: TG_QUIRK_*, api_flags: TG_API_THOUGHTS and TG_API_TOTAL_ONLY.  Sets
 * all of u but extra; source is TG_USAGE_REPORTED where tg_counts_told().
 */
void tg_usage_read(const tg_counts_t *c, unsigned quirks, unsigned api_flags,
    tg_usage_t *u);

/* u += v, extra not included; v->source is u's where u has none. */
void tg_usage_sum(tg_usage_t *u, const tg_usage_t *v);

/* Tokens in so many bytes of text, 1000 of which have `milli` bytes (0: as
 * above): never 0 where there was any. */
int64_t tg_usage_estimate(uint64_t bytes, int64_t milli);

#endif /* TG_USAGE_READ_H */
