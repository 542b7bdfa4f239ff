#include "ngx_http_llm.h"

#include <sys/random.h>

static ngx_int_t ngx_http_llm_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_llm_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_llm_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_llm_init_process(ngx_cycle_t *cycle);
static void ngx_http_llm_exit_process(ngx_cycle_t *cycle);

#define NGX_HTTP_LLM_CTX(contexts)                                            \
    (((contexts) & TG_IN_MAIN ? NGX_HTTP_MAIN_CONF : 0)                       \
     | ((contexts) & TG_IN_SERVER ? NGX_HTTP_SRV_CONF : 0)                    \
     | ((contexts) & TG_IN_LOCATION ? NGX_HTTP_LOC_CONF : 0))


static ngx_command_t  ngx_http_llm_commands[] = {

#define TG_DIRECTIVE(id, ngx, httpd, contexts, least, most, syntax, def, help) \
    { ngx_string(ngx),                                                        \
      NGX_HTTP_LLM_CTX(contexts)                                              \
      |((least) > 0 ? NGX_CONF_1MORE : NGX_CONF_ANY),                         \
      ngx_http_llm_directive,                                                 \
      NGX_HTTP_LOC_CONF_OFFSET,                                               \
      TG_DIRECTIVE_##id,                                                      \
      NULL },
#include "tg_directives.def"
#undef TG_DIRECTIVE

      ngx_null_command
};


static ngx_http_module_t  ngx_http_llm_module_ctx = {
    ngx_http_llm_preconfiguration,         /* preconfiguration */
    ngx_http_llm_postconfiguration,        /* postconfiguration */

    ngx_http_llm_create_main_conf,         /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_llm_create_loc_conf,          /* create location configuration */
    ngx_http_llm_merge_loc_conf            /* merge location configuration */
};


ngx_module_t  ngx_http_llm_module = {
    NGX_MODULE_V1,
    &ngx_http_llm_module_ctx,              /* module context */
    ngx_http_llm_commands,                 /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_llm_init_module,              /* init module */
    ngx_http_llm_init_process,             /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_llm_exit_process,             /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


tg_id_source_t  ngx_http_llm_ids;
ngx_queue_t     ngx_http_llm_open;


/* Milliseconds since 1970, as of this turn of the event loop. */
int64_t
ngx_http_llm_wall(void)
{
    ngx_time_t  *tp = ngx_timeofday();

    return (int64_t) tp->sec * 1000 + (int64_t) tp->msec;
}


void
ngx_http_llm_now(tg_now_t *now)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    now->wall_ms = ngx_http_llm_wall();
    now->mono_ns = (int64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}


static ngx_int_t
ngx_http_llm_seed_ids(void)
{
    unsigned char  seed[32];

    if (getrandom(seed, sizeof(seed), 0) != (ssize_t) sizeof(seed)) {
        return NGX_ERROR;
    }

    tg_id_seed(&ngx_http_llm_ids, seed);

    return NGX_OK;
}


static ngx_int_t
ngx_http_llm_preconfiguration(ngx_conf_t *cf)
{
    static tg_arena_t  *arena;
    tg_error_t          err;

    /* The tables outlive every cycle. */

    if (arena == NULL) {
        arena = tg_arena_create(0);

        if (arena == NULL
            || tg_dialect_setup(tg_arena_mem(arena), &err) != TG_OK)
        {
            tg_arena_destroy(arena);
            arena = NULL;
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "llm: can't set up");
            return NGX_ERROR;
        }
    }

    return ngx_http_llm_add_variables(cf);
}


static ngx_int_t
ngx_http_llm_bind_variables(ngx_conf_t *cf, tg_conf_t *conf)
{
    ngx_int_t     index;
    ngx_str_t     name;
    ngx_uint_t    i, k;
    tg_source_t  *src;

    for (i = 0; i < conf->ntags; i++) {
        for (k = 0; k < conf->tags[i].nsources; k++) {
            src = &conf->tags[i].sources[k];

            if (src->kind != TG_SOURCE_VARIABLE) {
                continue;
            }

            name.data = (u_char *) src->name.p;
            name.len = src->name.len;

            index = ngx_http_get_variable_index(cf, &name);
            if (index == NGX_ERROR) {
                return NGX_ERROR;
            }

            src->handle = (uintptr_t) index;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_llm_init_zone(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t  *shpool = (ngx_slab_pool_t *) zone->shm.addr;

    if (data != NULL) {
        zone->data = data;
        return NGX_OK;
    }

    if (zone->shm.exists) {
        zone->data = shpool->data;
        return NGX_OK;
    }

    zone->data = ngx_slab_calloc(shpool, sizeof(ngx_http_llm_shared_t));
    if (zone->data == NULL) {
        return NGX_ERROR;
    }

    shpool->data = zone->data;

    return NGX_OK;
}


static void
ngx_http_llm_warnings(ngx_conf_t *cf, ngx_http_llm_main_conf_t *lmcf)
{
    unsigned    i = 0;
    tg_error_t  warning;

    while (tg_conf_warning(lmcf->conf, lmcf->enabled, lmcf->logged, &i,
                           &warning))
    {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0, "llm: %s", warning.message);
    }
}


static ngx_int_t
ngx_http_llm_log_handler(ngx_http_request_t *r)
{
    ngx_http_llm_ctx_t  *ctx = ngx_http_llm_get_ctx(r);

    if (ctx != NULL && ctx->request == r) {
        ctx->ending = 1;
        ngx_http_llm_close(ctx, ngx_http_llm_end(ctx));
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_llm_add_phase(ngx_http_core_main_conf_t *cmcf, ngx_http_phases phase,
    ngx_http_handler_pt handler)
{
    ngx_http_handler_pt  *h;

    h = ngx_array_push(&cmcf->phases[phase].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = handler;

    return NGX_OK;
}


static ngx_int_t
ngx_http_llm_postconfiguration(ngx_conf_t *cf)
{
    ngx_str_t                   name = ngx_string("ngx_http_llm");
    ngx_str_t                   request_uri = ngx_string("request_uri");
    tg_error_t                  err;
    ngx_http_llm_main_conf_t   *lmcf;
    ngx_http_core_main_conf_t  *cmcf;

    lmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_llm_module);
    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    if (tg_conf_finish(lmcf->conf, &err) != TG_OK) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "llm: %s", err.message);
        return NGX_ERROR;
    }

    if (ngx_http_llm_bind_variables(cf, lmcf->conf) != NGX_OK) {
        return NGX_ERROR;
    }

    lmcf->request_uri = ngx_http_get_variable_index(cf, &request_uri);
    if (lmcf->request_uri == NGX_ERROR) {
        return NGX_ERROR;
    }

    ngx_http_llm_companion_init(cf, lmcf);
    ngx_http_llm_warnings(cf, lmcf);

    if (!lmcf->enabled) {
        return NGX_OK;
    }

    if (ngx_http_llm_desk_load(cf, lmcf) != NGX_OK) {
        return NGX_ERROR;
    }

    lmcf->shm_zone = ngx_shared_memory_add(cf, &name,
                           8 * ngx_pagesize
                           + ngx_align(2 * sizeof(ngx_http_llm_shared_t),
                                       ngx_pagesize),
                           &ngx_http_llm_module);
    if (lmcf->shm_zone == NULL) {
        return NGX_ERROR;
    }

    lmcf->shm_zone->init = ngx_http_llm_init_zone;

    if (ngx_http_llm_add_phase(cmcf, NGX_HTTP_POST_READ_PHASE,
                               ngx_http_llm_post_read_handler)
        != NGX_OK
        || ngx_http_llm_add_phase(cmcf, NGX_HTTP_PRECONTENT_PHASE,
                                  ngx_http_llm_handler)
           != NGX_OK
        || ngx_http_llm_add_phase(cmcf, NGX_HTTP_LOG_PHASE,
                                  ngx_http_llm_log_handler)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_llm_request_init(cf) != NGX_OK
        || ngx_http_llm_response_init(cf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (lmcf->passing && ngx_http_llm_providers_init(cf, lmcf) != NGX_OK) {
        return NGX_ERROR;
    }

    return lmcf->passing || lmcf->draining || lmcf->conf->keys.file.len != 0
           || lmcf->conf->ledger.file.len != 0
           ? ngx_http_llm_peers_init(cf) : NGX_OK;
}


static ngx_int_t
ngx_http_llm_init_module(ngx_cycle_t *cycle)
{
    ngx_http_llm_main_conf_t  *lmcf;

    lmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_llm_module);

    if (lmcf != NULL && !ngx_test_config) {
        ngx_http_llm_log_init_module(lmcf);

        if (lmcf->enabled) {
            ngx_http_llm_desk_start(lmcf, cycle);
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_llm_init_process(ngx_cycle_t *cycle)
{
    ngx_http_llm_main_conf_t  *lmcf;

    ngx_queue_init(&ngx_http_llm_open);

    lmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_llm_module);

    /* The cache's manager and loader come by here as well. */

    if (lmcf == NULL || !lmcf->enabled || ngx_process == NGX_PROCESS_HELPER) {
        return NGX_OK;
    }

    if (ngx_http_llm_seed_ids() != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "llm: getrandom() failed");
        return NGX_ERROR;
    }

    ngx_http_llm_prices_watch(lmcf, cycle);
    ngx_http_llm_desk_join(lmcf, cycle);

    return NGX_OK;
}


static void
ngx_http_llm_exit_process(ngx_cycle_t *cycle)
{
    tg_now_t                   now;
    ngx_queue_t               *q;
    ngx_http_llm_ctx_t        *ctx;
    ngx_http_llm_main_conf_t  *lmcf;

    lmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_llm_module);

    if (lmcf == NULL || !lmcf->enabled) {
        return;
    }

    /* A fast stop ends requests without their log phase. */

    while (!ngx_queue_empty(&ngx_http_llm_open)) {
        q = ngx_queue_head(&ngx_http_llm_open);
        ctx = ngx_queue_data(q, ngx_http_llm_ctx_t, queue);
        ngx_http_llm_close(ctx, tg_end_seen(true, ctx->client_gone,
                                            ctx->complete, false));
    }

    ngx_http_llm_log_flush_all(lmcf);

    ngx_http_llm_fleet_stop();

    ngx_http_llm_now(&now);
    tg_desk_leave(&lmcf->desk, now.wall_ms);
}
