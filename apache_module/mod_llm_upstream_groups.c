#include "mod_llm_upstream.h"

#include "ap_mpm.h"
#include "unixd.h"

#include <sys/stat.h>

APLOG_USE_MODULE(llm_upstream);

/*
 * From directives to balancers and their workers, when all of the configuration
 * is there; and the table in memory that the parent makes.
 */

#define LLM_UP_LBMETHOD  "llm"

typedef int llm_up_worker_pt(llm_up_group_t *ug, proxy_worker *worker,
    apr_pool_t *p);


static proxy_server_conf *
llm_up_proxy_conf(const server_rec *s)
{
    return ap_get_module_config(s->module_config, llm_up_main->proxy);
}


/* host:port, as users write a server; of an IPv6 address with brackets. */
static llm_up_member_t *
llm_up_member_make(llm_up_group_t *ug, const proxy_worker *worker,
    apr_pool_t *p)
{
    bool              v6;
    const char       *host = worker->s->hostname_ex;
    llm_up_member_t  *m = apr_pcalloc(p, sizeof(llm_up_member_t));

    v6 = strchr(host, ':') != NULL && host[0] != '[';

    m->group = ug;
    m->host = v6 ? apr_psprintf(p, "[%s]", host) : apr_pstrdup(p, host);
    m->port = worker->s->port;
    m->https = strcmp(worker->s->scheme, "https") == 0
               || strcmp(worker->s->scheme, "h2") == 0;

    if (worker->s->uds_path[0] != '\0') {
        m->socket = apr_pstrdup(p, worker->s->uds_path);
        m->server = tg_strz(apr_pstrcat(p, "unix:", m->socket, NULL));

    } else {
        m->server = tg_strz(apr_psprintf(p, "%s:%u", m->host,
                                         (unsigned) m->port));
    }

    return m;
}


static int
llm_up_worker_add(llm_up_group_t *ug, proxy_worker *worker, apr_pool_t *p)
{
    int               i;
    llm_up_member_t  *m, *other;

    if (worker->s->method != NONE) {
        ap_log_error(APLOG_MARK, APLOG_EMERG, 0, ug->server,
                     "llm: %s: hcmethod= of %s and LLMHealthCheck would both"
                     " say whether it is alive: one of them has to go",
                     ug->uri, worker->s->name_ex);
        return HTTP_INTERNAL_SERVER_ERROR;
    }

    m = llm_up_member_make(ug, worker, p);

    for (i = 0; i < ug->members->nelts; i++) {
        other = APR_ARRAY_IDX(ug->members, i, llm_up_member_t *);

        if (tg_str_eq(other->server, m->server)) {
            m = other;
            break;
        }
    }

    if (i == ug->members->nelts) {
        APR_ARRAY_PUSH(ug->members, llm_up_member_t *) = m;
    }

    if (apr_hash_get(llm_up_main->members, &worker, sizeof(worker)) == NULL) {
        apr_hash_set(llm_up_main->members,
                     apr_pmemdup(p, &worker, sizeof(worker)), sizeof(worker),
                     m);
        APR_ARRAY_PUSH(ug->workers, proxy_worker *) = worker;
    }

    return OK;
}


/* lbmethod=byrequests is mod_proxy's own default; none, where it is not loaded. */
static int
llm_up_balancer_set(llm_up_group_t *ug, proxy_balancer *balancer)
{
    const char             *other;
    proxy_balancer_method  *method;

    if (ug->conf.balance == TG_BALANCE_NONE) {
        return OK;
    }

    other = balancer->lbmethod != NULL ? balancer->lbmethod->name : "";

    if (*other != '\0' && strcmp(other, "byrequests") != 0
        && strcmp(other, LLM_UP_LBMETHOD) != 0)
    {
        ap_log_error(APLOG_MARK, APLOG_EMERG, 0, ug->server,
                     "llm: %s: LLMBalance and lbmethod=%s don't go together",
                     ug->uri, other);
        return HTTP_INTERNAL_SERVER_ERROR;
    }

    method = ap_lookup_provider(PROXY_LBMETHOD, LLM_UP_LBMETHOD, "0");
    balancer->lbmethod = method;
    balancer->lbmethod_set = 1;
    apr_cpystrn(balancer->s->lbpname, LLM_UP_LBMETHOD,
                sizeof(balancer->s->lbpname));

    return OK;
}


/* Calls back for each worker of the group, in each virtual host; with worker
 * NULL: just sets the balancing, which mod_proxy may have forgotten. */
static int
llm_up_each_worker(llm_up_group_t *ug, llm_up_worker_pt *call, apr_pool_t *p)
{
    int                 i, k, rc;
    server_rec         *s;
    proxy_balancer     *b;
    proxy_server_conf  *conf;

    for (s = llm_up_main->server; s != NULL; s = s->next) {
        conf = llm_up_proxy_conf(s);

        for (i = 0; i < conf->balancers->nelts; i++) {
            b = &APR_ARRAY_IDX(conf->balancers, i, proxy_balancer);

            if (strcmp(b->s->name, ug->uri) != 0) {
                continue;
            }

            rc = llm_up_balancer_set(ug, b);

            for (k = 0; k < b->workers->nelts && rc == OK && call; k++) {
                rc = call(ug, APR_ARRAY_IDX(b->workers, k, proxy_worker *), p);
            }

            if (rc != OK) {
                return rc;
            }
        }
    }

    return OK;
}


/* host:port, and the URL of BalancerMember: either may be written. */
static int
llm_up_group_finish(llm_up_group_t *ug, apr_pool_t *ptemp)
{
    int               i, n = ug->members->nelts;
    tg_str_t         *servers;
    unsigned          k = 0, w = 0;
    tg_error_t        err;
    llm_up_member_t  *m;

    if (n == 0) {
        ap_log_error(APLOG_MARK, APLOG_EMERG, 0, ug->server, "llm: %s has no"
                     " BalancerMember", ug->uri);
        return HTTP_INTERNAL_SERVER_ERROR;
    }

    servers = apr_palloc(ptemp, (unsigned) n * sizeof(tg_str_t));

    for (i = 0; i < n; i++) {
        servers[k++] = APR_ARRAY_IDX(ug->members, i, llm_up_member_t *)->server;
    }

    if (tg_group_conf_finish(&ug->conf, servers, k, &err) != TG_OK) {
        ap_log_error(APLOG_MARK, APLOG_EMERG, 0, ug->server, "llm: %s",
                     err.message);
        return HTTP_INTERNAL_SERVER_ERROR;
    }

    while (tg_group_conf_warning(&ug->conf, &w, &err)) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, ug->server, "llm: %s",
                     err.message);
    }

    for (i = 0; i < n; i++) {
        m = APR_ARRAY_IDX(ug->members, i, llm_up_member_t *);
        m->conf = tg_group_conf_backend(&ug->conf, m->server);
    }

    return OK;
}


/* By the parent, who may read what children may not. */
static int
llm_up_group_scale(llm_up_group_t *ug, apr_pool_t *p)
{
    tg_error_t  err;

    if (ug->conf.nscale == 0) {
        return OK;
    }

    ug->scale = apr_pcalloc(p, sizeof(tg_scale_targets_t));

    if (tg_scale_hook_load(ug->scale, &ug->conf, &err) != TG_OK) {
        ap_log_error(APLOG_MARK, APLOG_EMERG, 0, ug->server, "llm: %s:"
                     " LLMScale %s", ug->uri, err.message);
        return HTTP_INTERNAL_SERVER_ERROR;
    }

    return OK;
}


/* In the configuration's test, too. */
int
llm_up_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
    server_rec *s)
{
    int              i, rc;
    llm_up_main_t   *m = llm_up_main;
    llm_up_group_t  *ug;

    (void) plog;

    m->server = s;

    if (llm_up_first_pass() || m->all->nelts == 0) {
        return OK;
    }

    if (m->proxy == NULL || ap_find_linked_module("mod_proxy_balancer.c")
                            == NULL)
    {
        ap_log_error(APLOG_MARK, APLOG_EMERG, 0, s, "llm: LLMBackend and its"
                     " like need mod_proxy and mod_proxy_balancer");
        return HTTP_INTERNAL_SERVER_ERROR;
    }

    m->confs = apr_pcalloc(pconf, (size_t) m->all->nelts
                                  * sizeof(tg_group_conf_t *));

    for (i = 0; i < m->all->nelts; i++) {
        ug = APR_ARRAY_IDX(m->all, i, llm_up_group_t *);

        rc = llm_up_each_worker(ug, llm_up_worker_add, pconf);
        if (rc == OK) {
            rc = llm_up_group_finish(ug, ptemp);
        }

        if (rc == OK) {
            rc = llm_up_group_scale(ug, pconf);
        }

        if (rc != OK) {
            return rc;
        }

        m->confs[i] = &ug->conf;
    }

    return llm_up_owner_config(pconf, s);
}


/* The mapping outlives restarts: what is known of backends is not lost, and old
 * children and new ones count together. */
static int
llm_up_map_open(server_rec *s)
{
    char               name[64];
    tg_error_t         err;
    llm_up_main_t     *m = llm_up_main;
    tg_backend_map_t  *map;

    apr_snprintf(name, sizeof(name), "llm_upstream %" APR_SIZE_T_FMT,
                 tg_backends_size());

    map = ap_retained_data_get(name);

    if (map == NULL) {
        map = ap_retained_data_create(name, sizeof(tg_backend_map_t));
    }

    if (map->table != NULL
        && !tg_str_eq(tg_strz(map->path), m->state))
    {
        tg_backend_map_close(map);
        map->table = NULL;
    }

    if (map->table == NULL) {
        if (tg_backend_map_open(map, m->state.p, &err) != TG_OK) {
            ap_log_error(APLOG_MARK, APLOG_EMERG, 0, s, "LLMUpstreamState %s",
                         err.message);
            return HTTP_INTERNAL_SERVER_ERROR;
        }

        if (tg_backend_map_chown(map, ap_unixd_config.user_id,
                                 ap_unixd_config.group_id, &err)
            != TG_OK)
        {
            ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s, "LLMUpstreamState"
                         " %s", err.message);
        }
    }

    m->map = map;

    return OK;
}


static int
llm_up_group_open(llm_up_group_t *ug, int64_t now)
{
    int               i;
    tg_backends_t    *t = llm_up_table();
    llm_up_member_t  *m;

    ug->group = tg_backends_group(t, ug->conf.name);
    if (ug->group == NULL) {
        ap_log_error(APLOG_MARK, APLOG_EMERG, 0, ug->server, "llm: %s: there"
                     " is no room for more than %u balancers", ug->uri,
                     TG_GROUPS_MAX);
        return HTTP_INTERNAL_SERVER_ERROR;
    }

    for (i = 0; i < ug->members->nelts; i++) {
        m = APR_ARRAY_IDX(ug->members, i, llm_up_member_t *);

        m->backend = tg_backends_backend(t, ug->group, m->server, now);
        if (m->backend == NULL) {
            ap_log_error(APLOG_MARK, APLOG_EMERG, 0, ug->server, "llm: %s:"
                         " there is no room for more than %u servers",
                         ug->uri, TG_BACKENDS_MAX);
            return HTTP_INTERNAL_SERVER_ERROR;
        }

        tg_backend_configured(t, m->backend, m->conf, now);
    }

    return OK;
}


/* After mod_proxy_balancer, which gives workers memory that is shared. */
int
llm_up_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
    server_rec *s)
{
    int              i, rc;
    int64_t          now;
    llm_up_main_t   *m = llm_up_main;
    llm_up_group_t  *ug;

    (void) pconf;
    (void) plog;

    if (llm_up_first_pass()) {
        return OK;
    }

    if (m->all->nelts == 0 && m->state.len == 0) {
        return OK;
    }

    if (!llm_up_call_bind() && m->all->nelts != 0) {
        ap_log_error(APLOG_MARK, APLOG_EMERG, 0, s, "llm: this mod_proxy has"
                     " no proxy_balancer_get_best_worker");
        return HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = llm_up_map_open(s);
    if (rc != OK) {
        return rc;
    }

    now = tg_backend_now();
    tg_backends_generation(llm_up_table());

    for (i = 0; i < m->all->nelts; i++) {
        ug = APR_ARRAY_IDX(m->all, i, llm_up_group_t *);

        rc = llm_up_each_worker(ug, NULL, ptemp);
        if (rc == OK) {
            rc = llm_up_group_open(ug, now);
        }

        if (rc != OK) {
            return rc;
        }

        llm_up_flag(ug, now);
    }

    return OK;
}


llm_up_group_t *
llm_up_group(const char *uri)
{
    return apr_hash_get(llm_up_main->groups, uri, APR_HASH_KEY_STRING);
}
