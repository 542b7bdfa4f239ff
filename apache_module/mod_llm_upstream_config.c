#include "mod_llm_upstream.h"

#include "tg_conf.h"

#include <unistd.h>

static const char *llm_up_directive(cmd_parms *cmd, void *dir,
    const char *args);

llm_up_main_t  *llm_up_main;

/* <Proxy> allows what a location does; llm_up_balancer() looks which it is. */
#define LLM_UP_CONTEXT(contexts)                                              \
    ((contexts) & TG_IN_MAIN ? RSRC_CONF : ACCESS_CONF)


const command_rec  llm_up_commands[] = {

#define TG_DIRECTIVE(id, ngx, httpd, contexts, least, most, syntax, def, help) \
    AP_INIT_RAW_ARGS(httpd, llm_up_directive,                                 \
                     (void *) (uintptr_t) TG_UPSTREAM_##id,                   \
                     LLM_UP_CONTEXT(contexts), syntax),
#include "tg_upstream_directives.def"
#undef TG_DIRECTIVE

    { NULL, { NULL }, NULL, 0, RAW_ARGS, NULL }
};


static void *
llm_up_palloc(void *pool, size_t size)
{
    return apr_palloc(pool, size);
}


void *
llm_up_create_dir(apr_pool_t *p, char *dir)
{
    (void) dir;

    return apr_pcalloc(p, sizeof(llm_up_dir_t));
}


void *
llm_up_merge_dir(apr_pool_t *p, void *base, void *add)
{
    const llm_up_dir_t  *own = add;

    (void) p;

    return own->status ? add : base;
}


static tg_str_t
llm_up_full_name(void *data, tg_str_t name)
{
    const char  *full;
    apr_pool_t  *p = data;

    full = ap_server_root_relative(p, apr_pstrmemdup(p, name.p, name.len));

    return full == NULL ? tg_str_null : tg_strz(full);
}


/* mod_proxy's own form of the name of a <Proxy balancer://...>; NULL: the
 * directive stands elsewhere. */
static char *
llm_up_balancer(cmd_parms *cmd)
{
    char                  *uri;
    const ap_directive_t  *in = cmd->directive->parent;

    if (in == NULL || strcasecmp(in->directive, "<Proxy") != 0
        || cmd->path == NULL
        || strncasecmp(cmd->path, BALANCER_PREFIX, strlen(BALANCER_PREFIX))
           != 0)
    {
        return NULL;
    }

    uri = apr_pstrdup(cmd->pool, cmd->path);
    uri[strlen(BALANCER_PREFIX) + strcspn(uri + strlen(BALANCER_PREFIX), "/")]
        = '\0';
    ap_str_tolower(uri);

    return uri;
}


static llm_up_group_t *
llm_up_group_add(cmd_parms *cmd, const char *uri)
{
    llm_up_main_t   *m = llm_up_main;
    llm_up_group_t  *ug = apr_pcalloc(cmd->pool, sizeof(llm_up_group_t));

    if (tg_group_conf_init(&ug->conf, &m->mem,
                           tg_strz(uri + strlen(BALANCER_PREFIX)))
        != TG_OK)
    {
        return NULL;
    }

    ug->uri = uri;
    ug->server = cmd->server;
    ug->members = apr_array_make(cmd->pool, 8, sizeof(llm_up_member_t *));
    ug->workers = apr_array_make(cmd->pool, 8, sizeof(proxy_worker *));

    apr_hash_set(m->groups, uri, APR_HASH_KEY_STRING, ug);
    APR_ARRAY_PUSH(m->all, llm_up_group_t *) = ug;

    return ug;
}


/* A variable of the environment or a note, else whatever httpd's expressions
 * know by that name; as in LLMTag. */
static void
llm_up_key(cmd_parms *cmd, llm_up_group_t *ug)
{
    const char  *error = NULL;

    if (ug->conf.key.len == 0) {
        return;
    }

    ug->key_name = apr_pstrmemdup(cmd->pool, ug->conf.key.p,
                                  ug->conf.key.len);
    ug->key = ap_expr_parse_cmd(cmd, apr_psprintf(cmd->pool, "%%{%s}",
                                                  ug->key_name),
                                AP_EXPR_FLAG_STRING_RESULT
                                | AP_EXPR_FLAG_DONT_VARY, &error, NULL);
    if (error != NULL) {
        ug->key = NULL;
    }
}


static const char *
llm_up_in_balancer(cmd_parms *cmd, tg_upstream_directive_t id,
    const tg_str_t *argv, unsigned n)
{
    const char      *uri;
    tg_error_t       err;
    llm_up_group_t  *ug;

    uri = llm_up_balancer(cmd);
    if (uri == NULL) {
        return "is allowed in <Proxy balancer://...> only";
    }

    ug = apr_hash_get(llm_up_main->groups, uri, APR_HASH_KEY_STRING);

    if (ug == NULL) {
        ug = llm_up_group_add(cmd, uri);
        if (ug == NULL) {
            return "is too long";
        }
    }

    /* What is known of backends goes by the balancer's name. */

    if (ug->server != cmd->server) {
        return apr_psprintf(cmd->pool, "for %s is in another virtual host"
                            " already (line %u of %s): one has to say it",
                            uri, ug->server->defn_line_number,
                            ug->server->defn_name == NULL ? "the main server"
                            : ug->server->defn_name);
    }

    if (tg_group_conf_add(&ug->conf, &llm_up_main->mem, id, argv, n,
                          llm_up_full_name, cmd->pool, &err)
        != TG_OK)
    {
        return apr_pstrdup(cmd->pool, err.message);
    }

    if (id == TG_UPSTREAM_BALANCE) {
        llm_up_key(cmd, ug);
    }

    return NULL;
}


static const char *
llm_up_state(cmd_parms *cmd, const tg_str_t *argv, unsigned n)
{
    const char     *error;
    tg_error_t      err;
    llm_up_main_t  *m = llm_up_main;

    error = ap_check_cmd_context(cmd, GLOBAL_ONLY);
    if (error != NULL) {
        return error;
    }

    if (tg_upstream_state(argv, n, &m->mem, llm_up_full_name, cmd->pool,
                          &m->state, &err)
        != TG_OK)
    {
        return apr_pstrdup(cmd->pool, err.message);
    }

    return NULL;
}


static const char *
llm_up_status(cmd_parms *cmd, llm_up_dir_t *dir, const tg_str_t *argv,
    unsigned n)
{
    tg_error_t  err;

    if (tg_status_format(argv, n, false, &dir->format, &err) != TG_OK) {
        return apr_pstrdup(cmd->pool, err.message);
    }

    dir->status = true;

    return NULL;
}


static const char *
llm_up_directive(cmd_parms *cmd, void *dir, const char *args)
{
    tg_str_t                  argv[TG_ARGS_MAX];
    unsigned                  n = 0;
    const char               *error;
    tg_upstream_directive_t   id;

    id = (tg_upstream_directive_t) (uintptr_t) cmd->info;

    while (*args != '\0' && n < TG_ARGS_MAX) {
        argv[n++] = tg_strz(ap_getword_conf(cmd->pool, &args));
    }

    error = id == TG_UPSTREAM_STATE ? llm_up_state(cmd, argv, n)
            : id == TG_UPSTREAM_STATUS ? llm_up_status(cmd, dir, argv, n)
            : llm_up_in_balancer(cmd, id, argv, n);

    return error == NULL ? NULL
           : apr_psprintf(cmd->pool, "%s %s", cmd->cmd->name, error);
}


/* A child's pools are cleaned at its exit while its threads may still run. */
static apr_status_t
llm_up_forget(void *data)
{
    llm_up_main_t  *m = data;

    if (m->pid == getpid()) {
        llm_up_main = NULL;
    }

    return APR_SUCCESS;
}


int
llm_up_pre_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
    llm_up_main_t  *m = apr_pcalloc(pconf, sizeof(llm_up_main_t));

    (void) plog;
    (void) ptemp;

    m->pool = pconf;
    m->pid = getpid();
    m->mem.alloc = llm_up_palloc;
    m->mem.pool = pconf;
    m->groups = apr_hash_make(pconf);
    m->members = apr_hash_make(pconf);
    m->all = apr_array_make(pconf, 4, sizeof(llm_up_group_t *));

    llm_up_main = m;
    apr_pool_cleanup_register(pconf, m, llm_up_forget, apr_pool_cleanup_null);

    /* Everything is loaded, and hooks are not in order yet. */

    if (llm_up_proxy_hooks()) {
        m->proxy = ap_find_linked_module("mod_proxy.c");
    }

    return OK;
}


/* httpd reads its configuration twice at a start; the first is the only time
 * of a configuration test. */
bool
llm_up_first_pass(void)
{
    return ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG
           && ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_NORMAL;
}
