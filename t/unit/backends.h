/*
 * backends.h - an upstream of n backends in memory of its own, for tests.
 */

#ifndef BACKENDS_H
#define BACKENDS_H

#include "tg_backend.h"

#define SECOND    (INT64_C(1000) * 1000000)
#define POOL_MAX  64

typedef struct {
    tg_backends_t    *t;
    tg_group_t       *g;
    tg_group_conf_t   gc;
    tg_backend_t     *b[POOL_MAX];
    unsigned          n;
    int               slot;
    int64_t           now;
} pool_t;


static inline void
pool_check(tg_check_conf_t *cc)
{
    memset(cc, 0, sizeof(*cc));
    cc->on = true;
    cc->interval = 1000;
    cc->rise = 2;
    cc->fall = 3;
    cc->max_ejected = 50;
    cc->stall = 120000;
    cc->loading = 1800000;
}


static inline void
pool(pool_t *p, unsigned n)
{
    char               name[32];
    tg_backend_conf_t  bc;

    memset(p, 0, sizeof(*p));
    memset(&bc, 0, sizeof(bc));
    bc.cost_nusd = INT64_C(3600000000);         /* $3.60: 1000 nano-dollars a ms */
    p->now = 1000 * SECOND;
    p->n = n;
    p->t = calloc(1, tg_backends_size());
    assert_non_null(p->t);
    pool_check(&p->gc.check);

    assert_int_equal(tg_backends_open(p->t, tg_backends_size(), 1, p->now,
                                      NULL),
                     TG_OK);

    p->g = tg_backends_group(p->t, tg_str("gpu"));
    assert_non_null(p->g);
    tg_backends_generation(p->t);

    for (unsigned i = 0; i < n; i++) {
        snprintf(name, sizeof(name), "10.0.0.%u:8000", i + 1);
        p->b[i] = tg_backends_backend(p->t, p->g, tg_strz(name), p->now);
        assert_non_null(p->b[i]);
        tg_backend_configured(p->t, p->b[i], &bc, p->now);
    }

    p->slot = tg_backends_join(p->t, 1000, 1);
    assert_true(p->slot >= 0);
}


/* Time passes, with its ticks. */
static inline void
pass(pool_t *p, int64_t ns)
{
    for (int64_t n = 0; ns > 0; ns -= n) {
        n = ns < TG_TICK_NS ? ns : TG_TICK_NS;
        p->now += n;
        tg_group_tick(p->t, p->g, &p->gc, p->now);
    }
}


static inline tg_backend_view_t
view(pool_t *p, unsigned i)
{
    tg_backend_view_t  v;

    tg_backend_view(p->t, p->b[i], &p->gc.check, p->now, &v);

    return v;
}


static inline tg_backend_load_t
load(pool_t *p, unsigned i)
{
    tg_backend_load_t  l;

    tg_backend_load(p->t, p->b[i], &p->gc.check, p->now, &l);
    assert_int_equal(tg_backend_usable(p->t, p->b[i], &p->gc.check, p->now),
                     l.usable);

    return l;
}


static inline void
gone(pool_t *p)
{
    free(p->t);
}

#endif /* BACKENDS_H */
