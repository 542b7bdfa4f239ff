#include "tg_breaker.h"

#include <stdatomic.h>


uint64_t
tg_breaker_key(tg_str_t provider, tg_str_t model)
{
    uint64_t  h = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < provider.len; i++) {
        h = (h ^ (unsigned char) provider.p[i]) * UINT64_C(1099511628211);
    }

    h = (h ^ 0xff) * UINT64_C(1099511628211);

    for (size_t i = 0; i < model.len; i++) {
        h = (h ^ (unsigned char) model.p[i]) * UINT64_C(1099511628211);
    }

    return h != 0 ? h : 1;
}


/* An entry never goes: whoever finds its key has it.  `make`: where it is not
 * there yet. */
static tg_breaker_t *
tg_breaker_find(tg_breakers_t *b, uint64_t key, bool make)
{
    uint64_t       found;
    tg_breaker_t  *t;

    for (unsigned i = 0; b != NULL && i < TG_BREAKERS; i++) {
        t = &b->targets[(key + i) % TG_BREAKERS];
        found = atomic_load(&t->key);

        if (found == 0) {
            if (!make) {
                return NULL;
            }

            if (atomic_compare_exchange_strong(&t->key, &found, key)) {
                return t;
            }
        }

        if (found == key) {
            return t;
        }
    }

    return NULL;
}


bool
tg_breaker_closed(tg_breakers_t *b, uint64_t key, int64_t now, bool take)
{
    int64_t        until, probe;
    tg_breaker_t  *t = tg_breaker_find(b, key, false);

    if (t == NULL) {
        return true;
    }

    until = atomic_load(&t->until);

    if (until == 0) {
        return true;
    }

    if (now < until) {
        return false;
    }

    probe = atomic_load(&t->probe);

    if (probe != 0 && now - probe < TG_BREAKER_PROBE_MS) {
        return false;
    }

    return !take || atomic_compare_exchange_strong(&t->probe, &probe, now);
}


/* How long, when it is for the n-th time in a row. */
static int64_t
tg_breaker_while(uint32_t n)
{
    int64_t  ms = TG_BREAKER_FIRST_MS;

    for ( ; n > 1 && ms < TG_BREAKER_MOST_MS; n--) {
        ms *= 2;
    }

    return ms < TG_BREAKER_MOST_MS ? ms : TG_BREAKER_MOST_MS;
}


void
tg_breaker_failed(tg_breakers_t *b, uint64_t key, int64_t now,
    int64_t retry_ms)
{
    bool           probe;
    int64_t        until;
    uint32_t       n;
    tg_breaker_t  *t = tg_breaker_find(b, key, true);

    if (t == NULL) {
        return;
    }

    probe = atomic_load(&t->until) != 0 && atomic_load(&t->until) <= now;
    n = atomic_fetch_add(&t->failures, 1) + 1;

    if (retry_ms >= 0) {
        until = now + (retry_ms < TG_BREAKER_RETRY_MS ? retry_ms
                                                      : TG_BREAKER_RETRY_MS);

    } else if (probe || n >= TG_BREAKER_FAILURES) {

        /* Calls that were under way when it opened fail, too, and say nothing
         * new. */

        if (atomic_load(&t->until) > now) {
            return;
        }

        until = now + tg_breaker_while(atomic_fetch_add(&t->opened, 1) + 1);

    } else {
        return;
    }

    atomic_store(&t->until, until != 0 ? until : 1);
    atomic_store(&t->probe, 0);
}


void
tg_breaker_worked(tg_breakers_t *b, uint64_t key, int64_t now)
{
    tg_breaker_t  *t = tg_breaker_find(b, key, false);

    /* Mostly there is nothing to write, and the line stays shared. */

    if (t == NULL
        || (atomic_load(&t->failures) == 0 && atomic_load(&t->until) == 0))
    {
        return;
    }

    atomic_store(&t->failures, 0);

    if (atomic_load(&t->until) > now) {
        return;
    }

    atomic_store(&t->opened, 0);
    atomic_store(&t->until, 0);
    atomic_store(&t->probe, 0);
}


int64_t
tg_retry_after(tg_str_t value)
{
    int64_t  s;

    value = tg_str_trim(value);
    s = value.len > 9 ? -1 : tg_str_int(value);

    return s < 0 ? -1 : s * 1000;
}
