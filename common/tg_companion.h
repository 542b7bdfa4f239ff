/*
 * tg_companion.h - what the two modules of one server tell each other.
 *
 * Each may be loaded without the other.  Where both are, they find each other's
 * struct when the configuration is read (nginx: the first member of the other's
 * main configuration; httpd: an optional function), and look at `version` before
 * anything else.  `r` is the server's request.
 */

#ifndef TG_COMPANION_H
#define TG_COMPANION_H

#include "tg_balance.h"
#include "tg_out.h"
#include "tg_status.h"

#define TG_COMPANION_VERSION  3

/* What the metering module tells of a call. */
typedef struct {
    unsigned  version;

    /* Estimates of the call as it goes out next, and the hashes of its prompt's
     * beginning, if that is asked for. False: it is not metered. When a backend
     * is to be chosen, and not from within what the upstream module is asked. */
    bool    (*ask)(void *r, bool prefixes, tg_balance_ask_t *ask);
} tg_companion_meter_t;

/* Sums are of all backends that the call has been at, tried again ones included;
 * the rest is the last one's. */
typedef struct {
    tg_str_t  server;           /* lives as long as the request */
    int64_t   gpu_ns;           /* sum: of their time, shared with other calls */
    int64_t   cost_nusd;        /* sum: of that; -1: none has gpu_cost= */
    bool      by_prices;        /* cost=prices */
    tg_str_t  instead_of;       /* model of the price list, or empty */
} tg_companion_spent_t;

/* What the upstream module tells. */
typedef struct {
    unsigned  version;
    void     *data;

    /* The handle of an upstream that it looks after, by its name, in any case
     * of letters (httpd: what is behind balancer://); NULL: it does not.  After
     * the last directive; perhaps before the other module's hooks that come
     * then. */
    void   *(*group)(void *data, tg_str_t upstream);
    bool    (*saturated)(void *data, void *group);
    bool    (*healthy)(void *data, void *group);

    /*
     * What the call has taken of backends; false: it has been at none.  Asked
     * when an attempt has failed, and at the end of the call: there it is over
     * in any case, and a ticket that is still open ends (if it has to be told
     * how, by what came of the request so far).  So what is told adds up to
     * what calls took.
     */
    bool    (*spent)(void *data, void *r, tg_companion_spent_t *spent);

    /* The settled call's usage, which is of the last backend: once, after
     * spent() was true and only where that is where the call was answered. */
    void    (*settled)(void *data, void *r, int64_t prompt_tokens,
                       int64_t output_tokens, int64_t cost_nusd,
                       int64_t cloud_nusd);

    /* Its upstreams and backends, as llm_upstream_status has them: an object of
     * JSON, samples for Prometheus, or in HTML the rows of a table.  wall_ms: now,
     * since 1970.  TG_ERROR where out() said so, or there is no memory. */
    int     (*status)(void *data, tg_status_format_t format, int64_t wall_ms,
                      tg_out_t out, void *baton);

    /* The request is for its own page, llm_upstream_status: not a call. */
    bool    (*owns)(void *data, void *r);
} tg_companion_upstream_t;

/* Before a backend is chosen: fills in ask, by what meter (NULL: none is loaded)
 * tells of the request, and by key: the value of llm_balance's key=, or empty. */
void tg_companion_ask(const tg_companion_meter_t *meter, void *r,
    const tg_group_conf_t *gc, tg_str_t key, tg_balance_ask_t *ask);

/* a and b are such as cost_nusd. */
static inline int64_t
tg_companion_sum(int64_t a, int64_t b)
{
    return a < 0 ? b : b < 0 ? a : a + b;
}

#endif /* TG_COMPANION_H */
