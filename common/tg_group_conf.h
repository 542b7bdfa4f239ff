/*
 * tg_group_conf.h - the companion's directives of one upstream: what stands
 * behind it, how it is checked, how calls are spread.
 *
 *     llm_backend [<server>] [type=<engine>] [gpus=<n>] [gpu_cost=<usd>/hour]
 *                 [cost=gpu | prices] [instead_of=<model>] [capacity=<n>]
 *                 [health=<path>] [metrics=<path> | :<port><path> | off]
 *     llm_health_check [off] [interval=1s] [jitter=10%] [connect=500ms]
 *                 [timeout=2s] [rise=2] [fall=3] [slow_start=0]
 *                 [max_ejected=50%] [stall=2m | off] [loading=30m]
 *                 [tls=on | off] [host=<name>]
 *     llm_balance least_load | prefix_affinity [load=1.25] [key=<variable>]
 *     llm_dcgm    url=<url> [server=<server>] [gpu=<index>[,...]]
 *                 [interval=30s]
 *     llm_scale   url=<url> [secret=file:<path>] [idle=<time>]
 *                 [saturated=<time>] [cooldown=10m] [keep=<n>]
 *
 * A llm_backend without a server holds for all that none names; those that one
 * names have nothing of it.  gpu_cost= is of one GPU.  Several llm_dcgm and
 * llm_scale add up.  All times are milliseconds.  Strings are copied, and end in
 * NUL.
 */

#ifndef TG_GROUP_CONF_H
#define TG_GROUP_CONF_H

#include "tg_directive.h"
#include "tg_engine.h"
#include "tg_mem.h"

#define TG_GROUP_BACKENDS_MAX  256      /* llm_backend lines of one upstream */
#define TG_GROUP_DCGM_MAX      64
#define TG_GROUP_SCALE_MAX     4
#define TG_DCGM_GPUS_MAX       16

typedef struct {
    tg_str_t     server;        /* as it is written there; empty: all others */
    tg_engine_t  type;
    uint32_t     gpus;          /* thousandths: a MIG slice may be 0.25 */
    int64_t      cost_nusd;     /* of an hour, of all gpus of the backend; -1:
                                   not said; gpus= times gpu_cost= */
    bool         by_prices;     /* cost=prices: lines go by the price list */
    tg_str_t     instead_of;    /* the cloud's model, to compare; or empty */
    uint32_t     capacity;      /* calls at a time; 0: not known */
    tg_str_t     health;        /* empty: the engine's */
    tg_str_t     metrics;
    uint16_t     metrics_port;  /* 0: the engine's */
    bool         no_metrics;
} tg_backend_conf_t;

typedef enum {
    TG_BALANCE_NONE = 0,        /* whatever the server itself does */
    TG_BALANCE_LEAST_LOAD,
    TG_BALANCE_PREFIX_AFFINITY
} tg_balance_method_t;

typedef struct {
    bool      on;
    uint32_t  interval;
    uint32_t  jitter;           /* percent of the interval, either way */
    uint32_t  connect;          /* until it is connected */
    uint32_t  timeout;          /* until the whole answer is there; and between
                                   two reads */
    uint32_t  rise, fall;
    uint32_t  slow_start;
    uint32_t  max_ejected;      /* percent of the backends */
    uint32_t  stall;            /* 0: off */
    uint32_t  loading;          /* longer than this, and loading is failure */
    bool      tls;
    tg_str_t  host;             /* for Host and TLS; empty: the server's */
} tg_check_conf_t;

typedef struct {
    tg_str_t  url;
    tg_str_t  server;           /* empty: those whose host is the url's */
    unsigned  ngpus;            /* 0: all */
    uint16_t  gpu[TG_DCGM_GPUS_MAX];
    uint32_t  interval;
} tg_dcgm_conf_t;

typedef struct {
    tg_str_t  url;
    tg_str_t  secret_file;      /* absolute; empty: not signed */
    uint32_t  idle;             /* 0: not told */
    uint32_t  saturated;        /* 0: not told */
    uint32_t  cooldown;
    uint32_t  keep;             /* backends that are never drained */
} tg_scale_conf_t;

typedef struct {
    tg_str_t             name;          /* the upstream's */
    bool                 said;          /* any of the directives was */
    tg_backend_conf_t    rest;          /* of servers that none names */
    unsigned             nbackends;
    tg_backend_conf_t   *backends[TG_GROUP_BACKENDS_MAX];
    tg_check_conf_t      check;
    bool                 check_said;
    tg_balance_method_t  balance;
    uint32_t             load;          /* percent: 125 */
    tg_str_t             key;           /* of key=, without $ or env:; or
                                           empty */
    unsigned             ndcgm;
    tg_dcgm_conf_t      *dcgm[TG_GROUP_DCGM_MAX];
    unsigned             nscale;
    tg_scale_conf_t     *scale[TG_GROUP_SCALE_MAX];

    /* for warnings */
    bool                 rest_said;
    bool                 rest_used;     /* some server has none of its own */
    unsigned             nservers;      /* at most: a name and its address
                                           are two */
} tg_group_conf_t;

/* The companion's directives, of tg_upstream_directives.def. */
typedef enum {
#define TG_DIRECTIVE(id, ngx, httpd, contexts, least, most, syntax, def, help) \
    TG_UPSTREAM_##id,
#include "tg_upstream_directives.def"
#undef TG_DIRECTIVE
    TG_UPSTREAM_DIRECTIVES
} tg_upstream_directive_t;

extern const tg_directive_t  tg_upstream_directives[TG_UPSTREAM_DIRECTIVES];

/* Defaults.  name is copied. TG_ERROR on exhaustion. */
int tg_group_conf_init(tg_group_conf_t *gc, tg_mem_t *mem, tg_str_t name);

/* One directive's arguments. full_name as tg_conf's: makes a file's name
 * absolute; may be NULL. TG_OK, or TG_ERROR and a sentence. */
int tg_group_conf_add(tg_group_conf_t *gc, tg_mem_t *mem,
    tg_upstream_directive_t id, const tg_str_t *args, unsigned nargs,
    tg_str_t (*full_name)(void *data, tg_str_t name), void *data,
    tg_error_t *err);

/* After the last of them: servers are those that the upstream has, as they are
 * written and by address (one may be there twice). TG_ERROR: a llm_backend or a
 * llm_dcgm names one that is not there. The message names the upstream. */
int tg_group_conf_finish(tg_group_conf_t *gc, const tg_str_t *servers,
    unsigned nservers, tg_error_t *err);

/* After that, of what has no effect, one at a time; *i starts at 0. False: no
 * more. The message names the upstream. */
bool tg_group_conf_warning(const tg_group_conf_t *gc, unsigned *i,
    tg_error_t *warning);

/* Never NULL.  server as written (host:port), or its address.  One that none
 * names gets &gc->rest: of a server with a name, ask by that first, then by its
 * address. */
const tg_backend_conf_t *tg_group_conf_backend(const tg_group_conf_t *gc,
    tg_str_t server);

/* Whether a llm_dcgm is of that server, as written or by its address. */
bool tg_group_conf_dcgm_of(const tg_dcgm_conf_t *dc, tg_str_t server);

/* llm_upstream_state: its file, absolute.  *file is empty before the first. */
int tg_upstream_state(const tg_str_t *args, unsigned nargs, tg_mem_t *mem,
    tg_str_t (*full_name)(void *data, tg_str_t name), void *data,
    tg_str_t *file, tg_error_t *err);

#endif /* TG_GROUP_CONF_H */
