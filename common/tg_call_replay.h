/*
 * tg_call_replay.h - a call that has been, from its cost line: for tools that ask
 * what other rules, or other prices, would have made of it.
 *
 * It takes the steps of tg_call.h, but that in place of tg_call_answer() and of
 * what follows it stands what the line says that the answer was.
 */

#ifndef TG_CALL_REPLAY_H
#define TG_CALL_REPLAY_H

#include "tg_call.h"

typedef struct {
    tg_str_t          model;        /* that answered; empty: not known */
    tg_str_t          tier;         /* llm.service_tier */
    bool              cached;       /* a cache of the server answered */
    bool              error;        /* it teaches nothing */
    tg_usage_t        usage;        /* provider_cost: what it cost, where that is
                                       not by prices */
    tg_quota_used_t   attempts;     /* that failed before, in sum; requests is
                                       not looked at */
} tg_replay_t;

/* The strings have to last as long as the call. TG_ERROR on exhaustion. */
int tg_call_replay(tg_call_t *call, const tg_replay_t *seen);

/* What became of it: the first after tg_call_admit(), all after
 * tg_call_finish().  The strings are the call's. */
typedef struct {
    bool                  refused;
    bool                  would_refuse;     /* but for a dry run */
    tg_str_t              rule;             /* that refused it, or would have */
    tg_str_t              reason;
    tg_str_t              subject;          /* of the quota that did */
    const tg_provider_t  *provider;         /* where it goes; or NULL */
    tg_str_t              vendor;           /* whose prices hold */
    tg_str_t              model;            /* as it is sent */
    tg_str_t              route;            /* that took it */
    tg_str_t              route_dry;        /* that would have */
    int64_t               lowered;          /* its maximum of output; 0: it is as
                                               asked for */
    int64_t               hold;             /* nano-dollars; below 0: not known */
    int64_t               waited_ms;

    bool                  priced;
    tg_cost_t             cost;
    tg_str_t              price_id;
} tg_replayed_t;

void tg_call_replayed(const tg_call_t *call, tg_replayed_t *is);

#endif /* TG_CALL_REPLAY_H */
