#include "ngx_http_llm_upstream.h"

static ngx_int_t ngx_http_llm_upstream_postconfiguration(ngx_conf_t *cf);
static void *ngx_http_llm_upstream_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_llm_upstream_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_http_llm_upstream_create_srv_conf(ngx_conf_t *cf);
static void *ngx_http_llm_upstream_create_loc_conf(ngx_conf_t *cf);
static ngx_int_t ngx_http_llm_upstream_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_llm_upstream_init_process(ngx_cycle_t *cycle);
static void ngx_http_llm_upstream_exit_process(ngx_cycle_t *cycle);
static char *ngx_http_llm_upstream_directive(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);

#define NGX_HTTP_LLM_UPSTREAM_CTX(contexts)                                   \
    (((contexts) & TG_IN_MAIN ? NGX_HTTP_MAIN_CONF : 0)                       \
     | ((contexts) & TG_IN_UPSTREAM ? NGX_HTTP_UPS_CONF : 0)                  \
     | ((contexts) & TG_IN_LOCATION ? NGX_HTTP_LOC_CONF : 0))


static ngx_command_t  ngx_http_llm_upstream_commands[] = {

#define TG_DIRECTIVE(id, ngx, httpd, contexts, least, most, syntax, def, help) \
    { ngx_string(ngx),                                                        \
      NGX_HTTP_LLM_UPSTREAM_CTX(contexts)|NGX_CONF_ANY,                       \
      ngx_http_llm_upstream_directive,                                        \
      (contexts) & TG_IN_UPSTREAM ? NGX_HTTP_SRV_CONF_OFFSET                  \
                                  : NGX_HTTP_LOC_CONF_OFFSET,                 \
      TG_UPSTREAM_##id,                                                       \
      NULL },
#include "tg_upstream_directives.def"
#undef TG_DIRECTIVE

      ngx_null_command
};


static ngx_http_module_t  ngx_http_llm_upstream_module_ctx = {
    NULL,                                     /* preconfiguration */
    ngx_http_llm_upstream_postconfiguration,  /* postconfiguration */

    ngx_http_llm_upstream_create_main_conf,   /* create main configuration */
    ngx_http_llm_upstream_init_main_conf,     /* init main configuration */

    ngx_http_llm_upstream_create_srv_conf,    /* create server configuration */
    NULL,                                     /* merge server configuration */

    ngx_http_llm_upstream_create_loc_conf,    /* create location config. */
    NULL                                      /* merge location configuration */
};


ngx_module_t  ngx_http_llm_upstream_module = {
    NGX_MODULE_V1,
    &ngx_http_llm_upstream_module_ctx,        /* module context */
    ngx_http_llm_upstream_commands,           /* module directives */
    NGX_HTTP_MODULE,                          /* module type */
    NULL,                                     /* init master */
    ngx_http_llm_upstream_init_module,        /* init module */
    ngx_http_llm_upstream_init_process,       /* init process */
    NULL,                                     /* init thread */
    NULL,                                     /* exit thread */
    ngx_http_llm_upstream_exit_process,       /* exit process */
    NULL,                                     /* exit master */
    NGX_MODULE_V1_PADDING
};


/* What is in use. The master's, kept over reloads. */
static tg_backend_map_t  *ngx_http_llm_upstream_map;


static void *
ngx_http_llm_upstream_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_llm_upstream_main_conf_t  *lumcf;

    lumcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_llm_upstream_main_conf_t));
    if (lumcf == NULL) {
        return NULL;
    }

    lumcf->mem.alloc = ngx_http_llm_palloc;
    lumcf->mem.pool = cf->pool;
    lumcf->slot = -1;

    if (ngx_array_init(&lumcf->groups, cf->pool, 4, sizeof(void *)) != NGX_OK)
    {
        return NULL;
    }

    ngx_http_llm_upstream_tell(lumcf);

    return lumcf;
}


static void *
ngx_http_llm_upstream_create_srv_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_llm_upstream_srv_conf_t));
}


static void *
ngx_http_llm_upstream_create_loc_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_llm_upstream_loc_conf_t));
}


static char *
ngx_http_llm_upstream_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    int                                 rc;
    tg_str_t                            args[NGX_CONF_MAX_ARGS];
    tg_error_t                          err;
    ngx_str_t                          *value = cf->args->elts;
    unsigned                            i, n;
    tg_upstream_directive_t             id;
    ngx_http_llm_upstream_main_conf_t  *lumcf;

    lumcf = ngx_http_conf_get_module_main_conf(cf,
                                               ngx_http_llm_upstream_module);
    id = (tg_upstream_directive_t) (uintptr_t) cmd->offset;
    n = (unsigned) cf->args->nelts - 1;

    for (i = 0; i < n && i < NGX_CONF_MAX_ARGS; i++) {
        args[i] = ngx_http_llm_str(&value[i + 1]);
    }

    switch (id) {

    case TG_UPSTREAM_STATE:
        rc = tg_upstream_state(args, i, &lumcf->mem,
                               ngx_http_llm_full_name, cf->cycle,
                               &lumcf->state, &err);
        break;

    case TG_UPSTREAM_STATUS:
        lumcf->status = 1;
        rc = ngx_http_llm_upstream_status(cf, conf, args, i, &err);
        break;

    default:
        rc = ngx_http_llm_group_directive(cf, conf, id, args, i, &err);
        break;
    }

    if (rc == TG_OK) {
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" %s", &value[0],
                       err.message);

    return NGX_CONF_ERROR;
}


/* The upstream module's comes first: peer.init is set. */
static char *
ngx_http_llm_upstream_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_uint_t                          i;
    ngx_http_llm_group_t              **groups;
    ngx_http_llm_upstream_main_conf_t  *lumcf = conf;

    groups = lumcf->groups.elts;

    lumcf->confs = ngx_palloc(cf->pool,
                              (lumcf->groups.nelts + 1) * sizeof(void *));
    if (lumcf->confs == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < lumcf->groups.nelts; i++) {
        lumcf->confs[i] = &groups[i]->gc;

        if (ngx_http_llm_group_finish(cf, groups[i]) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* Of a configuration that was not taken on, or is not any more. */
static void
ngx_http_llm_upstream_close(void *data)
{
    ngx_http_llm_upstream_main_conf_t  *lumcf = data;

    if (lumcf->opened) {
        tg_backend_map_close(lumcf->map);
        ngx_free(lumcf->map);
        lumcf->opened = 0;
    }
}


/* Here, so that what can't be opened refuses the configuration. */
static ngx_int_t
ngx_http_llm_upstream_postconfiguration(ngx_conf_t *cf)
{
    tg_error_t                          err;
    const char                         *path;
    tg_backend_map_t                   *map = ngx_http_llm_upstream_map;
    ngx_pool_cleanup_t                 *cln;
    ngx_http_llm_upstream_main_conf_t  *lumcf;

    lumcf = ngx_http_conf_get_module_main_conf(cf,
                                               ngx_http_llm_upstream_module);

    if (ngx_http_llm_only_read()
        || (lumcf->groups.nelts == 0 && !lumcf->status))
    {
        return NGX_OK;
    }

    path = lumcf->state.len != 0 ? lumcf->state.p : "";

    if (map != NULL && ngx_strcmp(map->path, path) == 0) {
        lumcf->map = map;
        return NGX_OK;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    map = ngx_alloc(sizeof(tg_backend_map_t), cf->log);

    if (cln == NULL || map == NULL) {
        return NGX_ERROR;
    }

    if (tg_backend_map_open(map, *path != '\0' ? path : NULL, &err) != TG_OK) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "llm_upstream_state \"%s\": %s", path, err.message);
        ngx_free(map);
        return NGX_ERROR;
    }

    lumcf->map = map;
    lumcf->opened = 1;

    cln->handler = ngx_http_llm_upstream_close;
    cln->data = lumcf;

    return NGX_OK;
}


/* The metering module begins its main configuration as this one does. */
static const tg_companion_meter_t *
ngx_http_llm_upstream_meter(ngx_cycle_t *cycle)
{
    void                        **conf;
    ngx_uint_t                    i;
    ngx_module_t                 *m;
    ngx_http_conf_ctx_t          *ctx;
    const tg_companion_meter_t   *meter;

    ctx = (ngx_http_conf_ctx_t *) ngx_get_conf(cycle->conf_ctx,
                                               ngx_http_module);

    for (i = 0; cycle->modules[i] != NULL; i++) {
        m = cycle->modules[i];

        if (m->type != NGX_HTTP_MODULE
            || ngx_strcmp(m->name, "ngx_http_llm_module") != 0)
        {
            continue;
        }

        conf = ctx->main_conf[m->ctx_index];
        meter = conf != NULL ? conf[0] : NULL;

        return meter != NULL && meter->version == TG_COMPANION_VERSION
               ? meter : NULL;
    }

    return NULL;
}


static void
ngx_http_llm_upstream_adopt(ngx_http_llm_upstream_main_conf_t *lumcf,
    ngx_cycle_t *cycle)
{
    tg_error_t         err;
    ngx_core_conf_t   *ccf;
    tg_backend_map_t  *old = ngx_http_llm_upstream_map;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    if (lumcf->opened) {
        lumcf->opened = 0;
        ngx_http_llm_upstream_map = lumcf->map;

        /* Without a master there are calls of the old one. */

        if (old != NULL && ngx_process == NGX_PROCESS_MASTER) {
            tg_backend_map_close(old);
            ngx_free(old);
        }
    }

    if (geteuid() == 0
        && tg_backend_map_chown(lumcf->map, (uid_t) ccf->user, (gid_t) -1,
                                &err)
           != TG_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0, "llm_upstream_state: %s",
                      err.message);
    }
}


/* In the master. */
static ngx_int_t
ngx_http_llm_upstream_init_module(ngx_cycle_t *cycle)
{
    ngx_uint_t                          i;
    ngx_http_llm_group_t              **groups;
    ngx_http_llm_upstream_main_conf_t  *lumcf;

    lumcf = ngx_http_cycle_get_module_main_conf(cycle,
                                                ngx_http_llm_upstream_module);

    if (lumcf == NULL || lumcf->map == NULL) {
        return NGX_OK;
    }

    lumcf->meter = ngx_http_llm_upstream_meter(cycle);
    ngx_http_llm_upstream_adopt(lumcf, cycle);

    groups = lumcf->groups.elts;
    tg_backends_generation(lumcf->map->table);

    for (i = 0; i < lumcf->groups.nelts; i++) {
        ngx_http_llm_group_refresh(lumcf, groups[i]);
        ngx_http_llm_group_configured(lumcf, groups[i]);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_llm_upstream_init_process(ngx_cycle_t *cycle)
{
    ngx_http_llm_upstream_main_conf_t  *lumcf;

    lumcf = ngx_http_cycle_get_module_main_conf(cycle,
                                                ngx_http_llm_upstream_module);

    /* The cache's manager and loader come by here as well. */

    if (lumcf == NULL || lumcf->map == NULL || lumcf->groups.nelts == 0
        || ngx_process == NGX_PROCESS_HELPER)
    {
        return NGX_OK;
    }

    lumcf->slot = tg_backends_join(lumcf->map->table, ngx_pid,
                                   tg_backend_start());

    if (lumcf->slot < 0) {
        ngx_log_error(NGX_LOG_ERR, cycle->log, 0,
                      "llm: there are more than %d processes: calls of this one"
                      " are not counted", TG_BACKEND_SLOTS);
    }

    ngx_http_llm_checks_start(lumcf, cycle);

    return NGX_OK;
}


static void
ngx_http_llm_upstream_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_llm_upstream_main_conf_t  *lumcf;

    lumcf = ngx_http_cycle_get_module_main_conf(cycle,
                                                ngx_http_llm_upstream_module);

    if (lumcf == NULL || lumcf->map == NULL) {
        return;
    }

    ngx_http_llm_checks_stop(lumcf);

    if (lumcf->slot >= 0) {
        tg_backends_leave(lumcf->map->table, lumcf->slot);
        lumcf->slot = -1;
    }
}
