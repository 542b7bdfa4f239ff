/*
 * tg_breaker.h - which targets are not worth trying just now.
 *
 * A target that has failed TG_BREAKER_FAILURES times in a row is open for a while:
 * calls that have another target go there.  After that one call tries it; if it
 * fails, the next while is twice as long.  Where the provider says when to come
 * again (Retry-After) it is open until then, at once.  What worked closes it, but
 * not before its time: that is a call that was sent before.
 *
 * The table lies in memory that all processes of the server share, and all of it
 * is atomics: no locks, no owners, nothing to clean up after who dies.  A target
 * is told by a hash of its name, so that a reload with other targets in another
 * order finds its own.  Where the table is full, a target has no breaker.
 *
 * Times are milliseconds of a clock that all processes share and that never runs
 * backwards.
 */

#ifndef TG_BREAKER_H
#define TG_BREAKER_H

#include "tg_str.h"

#define TG_BREAKERS           256
#define TG_BREAKER_FAILURES   5
#define TG_BREAKER_FIRST_MS   5000
#define TG_BREAKER_MOST_MS    60000
#define TG_BREAKER_RETRY_MS   600000    /* a longer Retry-After is not obeyed in
                                           full */
#define TG_BREAKER_PROBE_MS   60000     /* a probe of which nothing was heard is
                                           not waited for any longer */

/* Of one target; see tg_breaker.c. */
typedef struct {
    _Atomic uint64_t  key;          /* 0: unused */
    _Atomic int64_t   until;        /* open before this; 0: closed */
    _Atomic int64_t   probe;        /* who tries it began then; 0: nobody */
    _Atomic uint32_t  failures;     /* in a row */
    _Atomic uint32_t  opened;       /* times in a row */
} tg_breaker_t;

/* Zeroed it is as new. */
typedef struct {
    tg_breaker_t      targets[TG_BREAKERS];
} tg_breakers_t;

/* The key of a provider (model empty), or of a model of it.  Never 0. */
uint64_t tg_breaker_key(tg_str_t provider, tg_str_t model);

/* True where the target is worth trying.  `take`: the caller will: of those who
 * could try an open one anew only one is told so.  b may be NULL, in all of
 * these. */
bool tg_breaker_closed(tg_breakers_t *b, uint64_t key, int64_t now, bool take);

/* retry_ms: what the provider said, -1 where it said nothing. */
void tg_breaker_failed(tg_breakers_t *b, uint64_t key, int64_t now,
    int64_t retry_ms);
void tg_breaker_worked(tg_breakers_t *b, uint64_t key, int64_t now);

/* Seconds of a Retry-After, in milliseconds; -1 where it is no number (a date is
 * of a clock that we do not know). */
int64_t tg_retry_after(tg_str_t value);

#endif /* TG_BREAKER_H */
