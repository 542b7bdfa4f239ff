/*
 * tg_balance.h - which backend gets a call.
 *
 * least_load: the one at which the call's first token is expected soonest, by
 * what this server has under way there and what of it is not read yet
 * (tg_pace.h), how fast it writes, and how full its KV cache is.  A backend
 * whose scrape is stale is taken to be like the mean of the others; where all
 * are, what this server itself has under way decides.
 *
 * prefix_affinity: the same, less what is saved where the prompt's beginning
 * already is in a backend's cache; a beginning that is nowhere goes to a
 * backend that its hash says, unless that has more than load= times the mean of
 * calls, or of the expected time.
 *
 * Constants and their sources are in tg_balance.c.
 */

#ifndef TG_BALANCE_H
#define TG_BALANCE_H

#include "tg_backend.h"

#define TG_PREFIXES_MAX  8

/* The beginnings of a prompt, the longest last: hashes of its first 1, 2, 4 ...
 * 128 KiB (each of all up to there, with the model and the tenant), and the
 * tokens of each. */
typedef struct {
    unsigned  n;
    uint64_t  hash[TG_PREFIXES_MAX];
    uint32_t  tokens[TG_PREFIXES_MAX];
} tg_prefixes_t;

typedef struct {
    tg_backend_t  *backend;
    uint32_t       weight;      /* of the server; 1 and more */
} tg_candidate_t;

#define TG_CANDIDATES_MAX  256

typedef struct {
    tg_work_t      work;
    tg_prefixes_t  prefixes;    /* n 0: none */
} tg_balance_ask_t;

/*
 * The place of the best of n candidates, or -1 where none is usable. Candidates
 * are those that the server's own rules allow (not down, not tried, with room).
 * If none of them is usable because of checks, `any` gives the best of them all
 * the same: for the server's last resort.  seed: of a tie.
 */
int tg_balance_pick(tg_backends_t *t, tg_group_t *g, const tg_group_conf_t *gc,
    const tg_candidate_t *candidates, unsigned n, const tg_balance_ask_t *ask,
    bool any, uint64_t seed, int64_t now);

/* After tg_backend_begin() of any call: its prompt is being read there now, and
 * will be in that cache. */
void tg_balance_sent(tg_backends_t *t, tg_group_t *g, tg_backend_t *b,
    const tg_balance_ask_t *ask, int64_t now);

/* Hashes a prompt that comes in pieces of decoded text. seed: of the model and
 * the tenant. */
typedef struct {
    uint64_t       state;
    uint64_t       len;
    uint64_t       carry;
    tg_prefixes_t  prefixes;
} tg_prefix_hash_t;

/* The same of llm_balance key=: calls with one key belong together. */
void tg_prefix_key(tg_str_t key, const tg_work_t *work,
    tg_prefixes_t *prefixes);

void tg_prefix_begin(tg_prefix_hash_t *ph, tg_str_t model, tg_str_t tenant);
void tg_prefix_feed(tg_prefix_hash_t *ph, const char *p, size_t n);
void tg_prefix_end(tg_prefix_hash_t *ph, tg_prefixes_t *prefixes);

#endif /* TG_BALANCE_H */
