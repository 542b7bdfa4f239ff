#include "mod_llm.h"

#include "apr_shm.h"

#include <unistd.h>

APLOG_USE_MODULE(llm);

static const char *llm_directive(cmd_parms *cmd, void *dir, const char *args);

llm_main_t  *llm_main;

#define LLM_CONTEXT(contexts)                                                 \
    (RSRC_CONF | ((contexts) & TG_IN_LOCATION ? ACCESS_CONF : 0))


const command_rec  llm_commands[] = {

#define TG_DIRECTIVE(id, ngx, httpd, contexts, least, most, syntax, def, help) \
    AP_INIT_RAW_ARGS(httpd, llm_directive,                                    \
                     (void *) (uintptr_t) TG_DIRECTIVE_##id,                  \
                     LLM_CONTEXT(contexts), syntax),
#include "tg_directives.def"
#undef TG_DIRECTIVE

    { NULL, { NULL }, NULL, 0, RAW_ARGS, NULL }
};


static void *
llm_palloc(void *pool, size_t size)
{
    return apr_palloc(pool, size);
}


void *
llm_create_dir(apr_pool_t *p, char *dir)
{
    llm_dir_t  *conf = apr_pcalloc(p, sizeof(llm_dir_t));

    (void) dir;

    tg_scope_init(&conf->scope);

    return conf;
}


/* Sections are merged with each other before they are with their server's
 * values: what is unset stays so until the call. */
void *
llm_merge_dir(apr_pool_t *p, void *base, void *add)
{
    llm_dir_t        *conf = apr_pmemdup(p, add, sizeof(llm_dir_t));
    const llm_dir_t  *parent = base;

    tg_scope_inherit(&parent->scope, &conf->scope);

    return conf;
}


/* $name and env:NAME: an environment variable or a note, else whatever httpd's
 * expressions know by that name. */
static void
llm_bind_sources(cmd_parms *cmd, tg_tag_t *tag)
{
    const char      *error;
    tg_source_t     *src;
    llm_variable_t  *var;

    for (unsigned i = 0; i < tag->nsources; i++) {
        src = &tag->sources[i];

        if (src->kind != TG_SOURCE_VARIABLE) {
            continue;
        }

        var = apr_pcalloc(cmd->pool, sizeof(llm_variable_t));
        var->name = apr_pstrmemdup(cmd->pool, src->name.p, src->name.len);

        error = NULL;
        var->expr = ap_expr_parse_cmd(cmd, apr_psprintf(cmd->pool, "%%{%s}",
                                                        var->name),
                                      AP_EXPR_FLAG_STRING_RESULT
                                      | AP_EXPR_FLAG_DONT_VARY, &error, NULL);
        if (error != NULL) {
            var->expr = NULL;
        }

        src->handle = (uintptr_t) var;
    }
}


static tg_str_t
llm_full_name(void *data, tg_str_t name)
{
    llm_main_t  *m = data;

    return llm_str(ap_server_root_relative(m->pool,
                           apr_pstrmemdup(m->pool, name.p, name.len)));
}


/* nprices: how many there were before. */
static const char *
llm_directive_done(cmd_parms *cmd, llm_dir_t *conf, tg_directive_id_t id,
    unsigned nprices)
{
    tg_log_t    *log;
    const char  *error;

    switch (id) {

    case TG_DIRECTIVE_ENABLE:
        if (conf->scope.enable != TG_OFF) {
            llm_main->enabled = 1;
        }
        return NULL;

    case TG_DIRECTIVE_PASS:
        if (conf->scope.pass == 1) {
            llm_worker_declare(cmd->server);
        }
        return NULL;

    case TG_DIRECTIVE_CACHE:
        return llm_cache_declare(cmd);

    case TG_DIRECTIVE_PRICES:
        for ( ; nprices < llm_main->conf->nprices; nprices++) {
            error = llm_prices_declare(cmd,
                                       llm_main->conf->prices[nprices].p);
            if (error != NULL) {
                return error;
            }
        }
        return NULL;

    case TG_DIRECTIVE_LOG:
        log = &conf->scope.logs[conf->scope.nlogs - 1];
        if (log->off) {
            return NULL;
        }
        llm_main->logged = 1;
        return llm_log_declare(cmd, log);

    case TG_DIRECTIVE_TAG:
        llm_bind_sources(cmd,
                         &llm_main->conf->tags[llm_main->conf->ntags - 1]);
        return NULL;

    default:
        return NULL;
    }
}


static const char *
llm_directive(cmd_parms *cmd, void *dir, const char *args)
{
    tg_str_t            argv[TG_ARGS_MAX];
    unsigned            n = 0, nprices = llm_main->conf->nprices;
    llm_dir_t          *conf = dir;
    tg_error_t          err;
    const char         *error;
    tg_directive_id_t   id = (tg_directive_id_t) (uintptr_t) cmd->info;

    if ((tg_directives[id].contexts & (TG_IN_SERVER | TG_IN_LOCATION)) == 0) {
        error = ap_check_cmd_context(cmd, GLOBAL_ONLY);
        if (error != NULL) {
            return error;
        }
    }

    while (*args != '\0' && n < TG_ARGS_MAX) {
        argv[n++] = tg_strz(ap_getword_conf(cmd->pool, &args));
    }

    if (tg_conf_directive(llm_main->conf, &conf->scope, id, argv, n, &err)
        != TG_OK)
    {
        tg_error_one_line(&err);
        return apr_psprintf(cmd->pool, "%s %s", cmd->cmd->name, err.message);
    }

    error = llm_directive_done(cmd, conf, id, nprices);

    return error == NULL ? NULL
           : apr_psprintf(cmd->pool, "%s %s", cmd->cmd->name, error);
}


/* A child's pools are cleaned at its exit while its threads may still run. */
static apr_status_t
llm_forget(void *data)
{
    llm_main_t  *m = data;

    if (m->pid == getpid()) {
        tg_desk_close(&m->desk);
        tg_conf_destroy(m->conf);
        llm_main = NULL;
    }

    return APR_SUCCESS;
}


int
llm_pre_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
    char         name[APRMAXHOSTLEN + 1];
    tg_error_t   err;
    llm_main_t  *m = apr_pcalloc(pconf, sizeof(llm_main_t));

    (void) plog;
    (void) ptemp;

    m->pool = pconf;
    m->pid = getpid();
    m->mem.alloc = llm_palloc;
    m->mem.pool = pconf;
    m->sinks = apr_array_make(pconf, 4, sizeof(llm_sink_t *));
    m->logs = apr_array_make(pconf, 4, sizeof(tg_log_t *));

    if (tg_dialect_setup(&m->mem, &err) != TG_OK) {
        ap_log_perror(APLOG_MARK, APLOG_EMERG, 0, pconf, "llm: can't set up:"
                      " %s", err.message);
        return HTTP_INTERNAL_SERVER_ERROR;
    }

    m->conf = tg_conf_create(&m->mem);
    if (m->conf == NULL) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }

    if (apr_gethostname(name, sizeof(name), pconf) == APR_SUCCESS) {
        m->conf->node = tg_strz(apr_pstrdup(pconf, name));
    }

    if (llm_cache_register(pconf) != OK) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }

    m->conf->full_name = llm_full_name;
    m->conf->full_name_data = m;

    llm_main = m;
    apr_pool_cleanup_register(pconf, m, llm_forget, apr_pool_cleanup_null);

    return OK;
}


/* httpd reads its configuration twice at a start; the first is the only time
 * of a configuration test. */
static bool
llm_first_pass(void)
{
    return ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG
           && ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_NORMAL;
}


int
llm_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
    server_rec *s)
{
    unsigned    i = 0, k;
    tg_error_t  err;

    (void) pconf;
    (void) plog;

    llm_main->server = s;

    if (llm_first_pass()) {
        return OK;
    }

    if (tg_conf_finish(llm_main->conf, &err) != TG_OK) {
        tg_error_one_line(&err);
        ap_log_error(APLOG_MARK, APLOG_EMERG, 0, s, "llm: %s", err.message);
        return HTTP_INTERNAL_SERVER_ERROR;
    }

    llm_values_declare(llm_main);

    if (llm_prices_load(llm_main) != OK
        || (llm_main->enabled && llm_desk_load(llm_main) != OK))
    {
        return HTTP_INTERNAL_SERVER_ERROR;
    }

    for (k = 0; k < llm_main->conf->nproviders; k++) {
        llm_main->secrets |= llm_main->conf->providers[k].key.len != 0;
    }

    llm_companion_find(llm_main);

    while (tg_conf_warning(llm_main->conf, llm_main->enabled, llm_main->logged,
                           &i, &err))
    {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s, "llm: %s", err.message);
    }

    return llm_worker_check(ptemp, s);
}


int
llm_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
    server_rec *s)
{
    (void) plog;
    (void) ptemp;

    if (llm_first_pass()) {
        return OK;
    }

    return llm_cache_open(pconf, s) == OK ? llm_worker_define(pconf, s)
           : HTTP_INTERNAL_SERVER_ERROR;
}


/* Outlives restarts: old children and new ones count together.  Not a restart
 * with another version of this module. */
static llm_shared_t *
llm_share(void)
{
    char                  name[32];
    apr_shm_t            *shm;
    llm_shared_t        **kept;
    pthread_mutexattr_t   attr;

    apr_snprintf(name, sizeof(name), "llm_shared %" APR_SIZE_T_FMT,
                 sizeof(llm_shared_t));

    kept = ap_retained_data_get(name);
    if (kept != NULL) {
        return *kept;
    }

    kept = ap_retained_data_create(name, sizeof(llm_shared_t *));

    if (apr_shm_create(&shm, sizeof(llm_shared_t), NULL, ap_pglobal)
        != APR_SUCCESS)
    {
        return NULL;
    }

    *kept = apr_shm_baseaddr_get(shm);
    memset(*kept, 0, sizeof(llm_shared_t));

    (void) pthread_mutexattr_init(&attr);
    (void) pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    (void) pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    (void) pthread_mutex_init(&(*kept)->pipe, &attr);
    (void) pthread_mutexattr_destroy(&attr);

    return *kept;
}


int
llm_open_logs(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
    server_rec *s)
{
    (void) pconf;
    (void) plog;
    (void) ptemp;

    if (llm_first_pass() || !llm_main->enabled) {
        return OK;
    }

    llm_main->shared = llm_share();
    if (llm_main->shared == NULL) {
        ap_log_error(APLOG_MARK, APLOG_EMERG, 0, s,
                     "llm: can't have shared memory");
        return HTTP_INTERNAL_SERVER_ERROR;
    }

    if (llm_desk_open(llm_main) != OK) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }

    return llm_log_open_all(llm_main);
}
