/*
 * tg_quota_int.h - for tg_quota_*.c only.
 */

#ifndef TG_QUOTA_INT_H
#define TG_QUOTA_INT_H

#include "tg_quota.h"

/* printf("%.*s") of a word, cut so that a message stays readable. */
#define TG_ARG(s)   (int) ((s).len < 60 ? (s).len : 60), (s).p


/* Everything but the name into a zeroed *q; of a budget, per[] is set. */
int tg_quota_words(tg_mem_t *mem, tg_quota_t *q, const tg_str_t *words,
    unsigned n, tg_error_t *err);

/* tg_quota_key.c: a part of the call's subject, empty where it has none; and
 * the key of its bucket. */
tg_str_t tg_quota_part(const tg_quota_per_t *per, const tg_quota_call_t *call);
void tg_quota_key(const tg_quota_t *q, const tg_quota_limit_t *limit,
    const tg_quota_call_t *call, unsigned char *key);

#endif /* TG_QUOTA_INT_H */
