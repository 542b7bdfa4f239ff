/* llm_backend. */

#include "tg_group_conf_int.h"

#define TG_GPUS_MAX      1024
#define TG_GPU_COST_MAX  (INT64_C(100000) * 1000000000)     /* an hour */
#define TG_PAGE_MAX      512

static const tg_group_value_t  tg_backend_values[] = {
    { "capacity", TG_VALUE_COUNT, false, offsetof(tg_backend_conf_t, capacity),
      1, 1000000, "from 1 to 1000000" }
};

/* A line while it is read. */
typedef struct {
    tg_backend_conf_t  *bc;
    int64_t             gpu_nusd;       /* of one, an hour; -1: not said */
    bool                type, gpus, cost, metrics;
} tg_backend_draft_t;


void
tg_group_backend_init(tg_backend_conf_t *bc)
{
    memset(bc, 0, sizeof(*bc));

    bc->type = TG_ENGINE_AUTO;
    bc->gpus = 1000;
    bc->cost_nusd = -1;
}


static int
tg_backend_type(tg_group_draft_t *d, tg_backend_draft_t *b, tg_str_t v)
{
    char         names[128];
    size_t       n = 0;
    tg_str_t     name;
    tg_engine_t  type = tg_engine_named(v);

    if (b->type) {
        return tg_group_fail(d, "type= is given twice");
    }

    if (type != TG_ENGINES) {
        b->bc->type = type;
        b->type = true;
        return TG_OK;
    }

    for (int i = 0; i < TG_ENGINES; i++) {
        name = tg_engine_name((tg_engine_t) i);

        if (n + name.len + 2 < sizeof(names)) {
            memcpy(names + n, ", ", 2);
            memcpy(names + n + 2, name.p, name.len);
            n += name.len + 2;
        }
    }

    return tg_group_fail(d, "type= takes %.*s, not \"%.*s\"",
                         n < 2 ? 0 : (int) n - 2, names + 2, TG_ARG(v));
}


static int
tg_backend_gpus(tg_group_draft_t *d, tg_backend_draft_t *b, tg_str_t v)
{
    int64_t  n = tg_conf_amount(v, 3, INT64_C(1000) * TG_GPUS_MAX);

    if (b->gpus) {
        return tg_group_fail(d, "gpus= is given twice");
    }

    if (n <= 0) {
        return tg_group_fail(d, "gpus= takes a number from 0.001 to %d with up"
                             " to three decimals, such as 8, or 0.25 for a part"
                             " of a GPU, not \"%.*s\"", TG_GPUS_MAX, TG_ARG(v));
    }

    b->bc->gpus = (uint32_t) n;
    b->gpus = true;

    return TG_OK;
}


static int
tg_backend_gpu_cost(tg_group_draft_t *d, tg_backend_draft_t *b, tg_str_t v)
{
    int64_t   n;
    tg_str_t  amount, per = v;

    if (b->gpu_nusd >= 0) {
        return tg_group_fail(d, "gpu_cost= is given twice");
    }

    if (!tg_str_cut(&per, '/', &amount) || !tg_str_eq(per, tg_str("hour"))) {
        return tg_group_fail(d, "gpu_cost= takes <dollars>/hour, such as"
                             " 2.10/hour, not \"%.*s\"", TG_ARG(v));
    }

    n = tg_conf_amount(amount, 9, TG_GPU_COST_MAX);

    if (n < 0) {
        return tg_group_fail(d, "gpu_cost= takes whole nano-dollars an hour, at"
                             " most 100000 dollars, not \"%.*s\"", TG_ARG(v));
    }

    b->gpu_nusd = n;

    return TG_OK;
}


static int
tg_backend_cost_by(tg_group_draft_t *d, tg_backend_draft_t *b, tg_str_t v)
{
    if (b->cost) {
        return tg_group_fail(d, "cost= is given twice");
    }

    b->bc->by_prices = tg_str_eq(v, tg_str("prices"));
    b->cost = true;

    return b->bc->by_prices || tg_str_eq(v, tg_str("gpu")) ? TG_OK
           : tg_group_fail(d, "cost= takes gpu or prices, not \"%.*s\"",
                           TG_ARG(v));
}


/* A path as it stands in a request line. */
static int
tg_backend_page(tg_group_draft_t *d, const char *name, tg_str_t v,
    tg_str_t *to)
{
    bool  ok = v.len != 0 && v.p[0] == '/' && v.len <= TG_PAGE_MAX;

    for (size_t i = 0; ok && i < v.len; i++) {
        ok = v.p[i] > ' ' && v.p[i] <= '~' && v.p[i] != '#';
    }

    return ok ? tg_group_text(d, name, v, to)
           : tg_group_fail(d, "%s= takes a path from / on, of up to %d bytes"
                           " that need no encoding, not \"%.*s\"", name,
                           TG_PAGE_MAX, TG_ARG(v));
}


static int
tg_backend_metrics(tg_group_draft_t *d, tg_backend_draft_t *b, tg_str_t v)
{
    int64_t    n;
    tg_str_t   port = tg_str_null;
    size_t     i;

    if (b->metrics) {
        return tg_group_fail(d, "metrics= is given twice");
    }

    b->metrics = true;

    if (tg_str_eq(v, tg_str("off"))) {
        b->bc->no_metrics = true;
        return TG_OK;
    }

    if (v.len != 0 && v.p[0] == ':') {
        for (i = 1; i < v.len && v.p[i] != '/'; i++) {
            /* to the path */
        }

        port = tg_str_of(v.p + 1, i - 1);
        n = port.len > 5 ? -1 : tg_str_int(port);

        if (n < 1 || n > 65535 || i == v.len) {
            return tg_group_fail(d, "metrics= takes a path, or :<port><path>"
                                 " such as :8002/metrics, or off, not"
                                 " \"%.*s\"", TG_ARG(v));
        }

        b->bc->metrics_port = (uint16_t) n;
        v = tg_str_of(v.p + i, v.len - i);
    }

    return tg_backend_page(d, "metrics", v, &b->bc->metrics);
}


static int
tg_backend_param(tg_group_draft_t *d, tg_backend_draft_t *b, tg_str_t arg)
{
    int       rc;
    tg_str_t  v;

    rc = tg_group_value(d, tg_backend_values, 1, b->bc, arg);
    if (rc != TG_AGAIN) {
        return rc;
    }

    if (tg_conf_param(arg, "type", &v)) {
        return tg_backend_type(d, b, v);
    }

    if (tg_conf_param(arg, "gpus", &v)) {
        return tg_backend_gpus(d, b, v);
    }

    if (tg_conf_param(arg, "gpu_cost", &v)) {
        return tg_backend_gpu_cost(d, b, v);
    }

    if (tg_conf_param(arg, "cost", &v)) {
        return tg_backend_cost_by(d, b, v);
    }

    if (tg_conf_param(arg, "instead_of", &v)) {
        return tg_group_text(d, "instead_of", v, &b->bc->instead_of);
    }

    if (tg_conf_param(arg, "health", &v)) {
        return tg_backend_page(d, "health", v, &b->bc->health);
    }

    if (tg_conf_param(arg, "metrics", &v)) {
        return tg_backend_metrics(d, b, v);
    }

    return tg_conf_unknown_param(arg, "type=, gpus=, gpu_cost=, cost=,"
                                 " instead_of=, capacity=, health=, metrics=",
                                 d->err);
}


/* gpu_cost= is of one GPU; rounded to nano-dollars, in parts so that nothing
 * overflows. */
static int
tg_backend_complete(tg_group_draft_t *d, tg_backend_draft_t *b)
{
    int64_t  gpus = (int64_t) b->bc->gpus;

    if (b->gpu_nusd >= 0) {
        b->bc->cost_nusd = b->gpu_nusd / 1000 * gpus
                           + (b->gpu_nusd % 1000 * gpus + 500) / 1000;
        return TG_OK;
    }

    return !b->cost || b->bc->by_prices ? TG_OK
           : tg_group_fail(d, "cost=gpu needs gpu_cost=");
}


int
tg_group_backend(tg_group_draft_t *d, const tg_str_t *args, unsigned nargs)
{
    unsigned            i = 0;
    tg_group_conf_t    *gc = d->gc;
    tg_backend_conf_t  *bc;
    tg_backend_draft_t  b;

    bc = tg_alloc(d->mem, sizeof(*bc));
    if (bc == NULL) {
        return tg_group_fail(d, "no memory");
    }

    tg_group_backend_init(bc);
    memset(&b, 0, sizeof(b));
    b.bc = bc;
    b.gpu_nusd = -1;

    if (args[0].len != 0 && memchr(args[0].p, '=', args[0].len) == NULL) {
        if (tg_group_text(d, "server", args[i++], &bc->server) != TG_OK) {
            return TG_ERROR;
        }
    }

    for ( ; i < nargs; i++) {
        if (tg_backend_param(d, &b, args[i]) != TG_OK) {
            return TG_ERROR;
        }
    }

    if (tg_backend_complete(d, &b) != TG_OK) {
        return TG_ERROR;
    }

    if (bc->server.len == 0) {
        if (gc->rest_said) {
            return tg_group_fail(d, "is given twice without a server");
        }

        gc->rest = *bc;
        gc->rest_said = true;
        return TG_OK;
    }

    for (i = 0; i < gc->nbackends; i++) {
        if (tg_group_same_server(bc->server, gc->backends[i]->server)) {
            return tg_group_fail(d, "is given twice for server \"%.*s\"",
                                 TG_ARG(bc->server));
        }
    }

    if (gc->nbackends == TG_GROUP_BACKENDS_MAX) {
        return tg_group_fail(d, "more than %d of them here",
                             TG_GROUP_BACKENDS_MAX);
    }

    gc->backends[gc->nbackends++] = bc;

    return TG_OK;
}
