/*
 * The companion: what stands behind mod_proxy's balancers.  It needs nothing of
 * mod_llm, nor the other way round; where both are loaded they meet in
 * tg_companion.h, by the optional functions llm_companion_upstream and
 * llm_companion_meter.
 *
 * As in mod_llm no decision is taken here.  The symbols of all modules of an
 * httpd are one namespace: those of this one begin with llm_up_.
 */

#ifndef MOD_LLM_UPSTREAM_H
#define MOD_LLM_UPSTREAM_H

#include "httpd.h"
#include "http_config.h"
#include "http_core.h"
#include "http_log.h"
#include "http_main.h"
#include "http_protocol.h"
#include "http_request.h"
#include "ap_expr.h"
#include "ap_mpm.h"
#include "mpm_common.h"
#include "apr_hash.h"
#include "apr_optional.h"
#include "apr_strings.h"
#include "mod_proxy.h"

#include "tg_backend_map.h"
#include "tg_backend_status.h"
#include "tg_companion.h"
#include "tg_scale_hook.h"

#include <pthread.h>

APR_DECLARE_OPTIONAL_FN(const tg_companion_upstream_t *,
                        llm_companion_upstream, (void));
APR_DECLARE_OPTIONAL_FN(const tg_companion_meter_t *,
                        llm_companion_meter, (void));

typedef struct llm_up_group_s  llm_up_group_t;

/* A server of a balancer; of those of one name in several virtual hosts. */
typedef struct {
    llm_up_group_t           *group;
    tg_str_t                  server;   /* host:port, or unix:path */
    const char               *host;     /* to connect to; in a URL's form */
    const char               *socket;   /* unix:path's; or NULL */
    apr_port_t                port;
    bool                      https;
    const tg_backend_conf_t  *conf;
    tg_backend_t             *backend;  /* NULL until the table is there */
    tg_backend_state_t        told;     /* in the error log */
} llm_up_member_t;

/* A balancer that any of our directives is about. */
struct llm_up_group_s {
    tg_group_conf_t      conf;
    server_rec          *server;        /* that has the directives */
    const char          *uri;           /* balancer://name */
    apr_array_header_t  *members;       /* llm_up_member_t * */
    apr_array_header_t  *workers;       /* proxy_worker *, all of them */
    const char          *key_name;      /* of key=; or NULL */
    ap_expr_info_t      *key;           /* NULL: httpd knows none */
    tg_scale_targets_t  *scale;         /* NULL: nobody is told */
    tg_group_t          *group;         /* NULL until the table is there */
};

/* What is said once for the whole server; lives in pconf. */
typedef struct {
    apr_pool_t              *pool;
    pid_t                    pid;       /* of the parent */
    server_rec              *server;
    tg_mem_t                 mem;
    module                  *proxy;     /* mod_proxy; NULL: not loaded */
    tg_str_t                 state;     /* a file; empty: none */
    apr_hash_t              *groups;    /* by the balancer's name */
    apr_array_header_t      *all;       /* llm_up_group_t *, as they are said */
    const tg_group_conf_t  **confs;     /* of all */
    apr_hash_t              *members;   /* by worker, the pointer */
    tg_backend_map_t        *map;       /* NULL until it is open */
} llm_up_main_t;

typedef struct {
    bool                status;         /* LLMUpstreamStatus is said */
    tg_status_format_t  format;
} llm_up_dir_t;

extern module AP_MODULE_DECLARE_DATA  llm_upstream_module;

/* mod_llm_upstream.c */
extern int  llm_up_slot;                /* of this child; -1: none */

/* mod_llm_upstream_config.c */
extern llm_up_main_t      *llm_up_main;
extern const command_rec   llm_up_commands[];
void *llm_up_create_dir(apr_pool_t *p, char *dir);
void *llm_up_merge_dir(apr_pool_t *p, void *base, void *add);
int llm_up_pre_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp);
bool llm_up_first_pass(void);

/* mod_llm_upstream_groups.c: OK, or a status. */
int llm_up_check_config(apr_pool_t *pconf, apr_pool_t *plog,
    apr_pool_t *ptemp, server_rec *s);
int llm_up_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
    server_rec *s);
llm_up_group_t *llm_up_group(const char *uri);

/* mod_llm_upstream_flag.c */
bool llm_up_proxy_hooks(void);
llm_up_member_t *llm_up_member(const proxy_worker *worker);     /* or NULL */
void llm_up_flag(llm_up_group_t *ug, int64_t now);
void llm_up_recovered(const llm_up_member_t *m, apr_time_t since);

/* mod_llm_upstream_call.c */
void llm_up_call_hooks(apr_pool_t *p);
bool llm_up_call_bind(void);
int llm_up_scheme_handler(request_rec *r, proxy_worker *worker,
    proxy_server_conf *conf, char *url, const char *host, apr_port_t port);
const tg_companion_upstream_t *llm_up_companion(void);

/* mod_llm_upstream_owner.c: who checks. */
int llm_up_owner_config(apr_pool_t *pconf, server_rec *s);
void llm_up_owner_child(apr_pool_t *pchild);
void llm_up_owner_stop(void);

/* mod_llm_upstream_status.c */
int llm_up_status_handler(request_rec *r);

static inline tg_backends_t *
llm_up_table(void)
{
    return llm_up_main->map->table;
}

#endif /* MOD_LLM_UPSTREAM_H */
