/*
 * tg_route.h - llm_route: which calls go elsewhere, and where to.
 *
 *     llm_route <name> ["when=<expression>"] to=<target>[,<target> ...]
 *               [weight=<n>[,<n> ...]] [usd=<amount>/<window> ...] [dry_run]
 *     llm_route <name> ["when=<expression>"] to=cheapest(<target>,<target>[,...])
 *               [usd=<amount>/<window> ...] [dry_run]
 *
 * A target is a provider's name, or that and a model behind the first slash.  usd=
 * is a quota of all that the route takes: a call for which there is no room goes
 * on to the next route.
 */

#ifndef TG_ROUTE_H
#define TG_ROUTE_H

#include "tg_error.h"
#include "tg_expr.h"
#include "tg_mem.h"

#define TG_ROUTES_MAX        64
#define TG_TARGETS_MAX       8          /* of one route */
#define TG_TARGET_MODEL_MAX  256        /* bytes of a model's name */
#define TG_TARGET_WEIGHT_MAX 1000000
#define TG_ROUTE_USD_MAX     4          /* of one route */

typedef struct {
    tg_str_t     name;          /* the provider's */
    tg_str_t     model;         /* empty: the one asked for */
    unsigned     provider;      /* its place, of tg_routes_finish() */
    uint32_t     weight;        /* 0 where the route has none */
} tg_target_t;

typedef struct {
    tg_str_t     name;
    tg_expr_t   *when;          /* NULL: always, but see by_quota */
    bool         by_quota;      /* a quota's action= names it: without when= it
                                   is for that alone */
    bool         any_operation; /* when= says which; else only what writes text
                                   is routed */
    bool         cheapest;
    bool         dry_run;
    unsigned     nusd;          /* words, as llm_quota takes them ... */
    tg_str_t     usd[TG_ROUTE_USD_MAX];
    const struct tg_quota_s  *cap;      /* ... and what became of them; NULL:
                                           none */
    uint32_t     weights;       /* the sum of them; 0: none */
    unsigned     ntargets;
    tg_target_t  targets[TG_TARGETS_MAX];
} tg_route_t;

/* Of a configuration.  A zeroed one is empty. */
typedef struct {
    unsigned     n;
    tg_route_t  *list[TG_ROUTES_MAX];
} tg_routes_t;

/* llm_route's arguments.  TG_OK, or TG_ERROR and a sentence.  Strings are
 * copied. */
int tg_routes_add(tg_routes_t *routes, tg_mem_t *mem, const tg_str_t *args,
    unsigned nargs, tg_error_t *err);

/* The place of a provider, or -1. */
typedef int (*tg_route_provider_t)(void *data, tg_str_t name);

/* After the last of them: finds the targets' providers. */
int tg_routes_finish(tg_routes_t *routes, tg_route_provider_t provider,
    void *data, tg_error_t *err);

/* NULL where there is none of that name. */
tg_route_t *tg_routes_find(const tg_routes_t *routes, tg_str_t name);

/* Frees what tg_expr_destroy() frees. */
void tg_routes_destroy(tg_routes_t *routes);

/* Which target of a weighted route a subject has: always the same one. */
unsigned tg_route_pick(const tg_route_t *route, tg_str_t subject);

#endif /* TG_ROUTE_H */
