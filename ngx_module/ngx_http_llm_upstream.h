/*
 * What the files of the companion module share.  No decision is taken in them:
 * which servers are alive and which one gets a call is the core's to say.
 */

#ifndef NGX_HTTP_LLM_UPSTREAM_H
#define NGX_HTTP_LLM_UPSTREAM_H

#include "ngx_http_llm_core.h"

#include "tg_backend_map.h"
#include "tg_backend_status.h"
#include "tg_balance.h"
#include "tg_companion.h"
#include "tg_probe.h"
#include "tg_scale_hook.h"

typedef struct ngx_http_llm_backend_s  ngx_http_llm_backend_t;
typedef struct ngx_http_llm_checks_s   ngx_http_llm_checks_t;
typedef struct ngx_http_llm_dcgm_s     ngx_http_llm_dcgm_t;
typedef struct ngx_http_llm_probe_s    ngx_http_llm_probe_t;

/* An upstream. */
typedef struct {
    tg_group_conf_t                  gc;
    ngx_http_upstream_srv_conf_t    *us;
    ngx_http_upstream_init_pt        init_upstream;     /* that ours calls */
    ngx_http_upstream_init_peer_pt   init_peer;
    ngx_int_t                        key;       /* of key=; NGX_ERROR: none */
    ngx_ssl_t                       *ssl;       /* of checks; NULL: plain */
    ngx_str_t                        ssl_name;  /* NUL behind it; or empty */
    ngx_http_llm_dcgm_t            **dcgm;      /* of gc.dcgm */
    tg_scale_targets_t              *scale;     /* of gc.scale; NULL: none */

    /* of the process */
    tg_group_t                      *group;     /* NULL: no room in the table */
    ngx_http_llm_backend_t         **backends;
    ngx_uint_t                       nbackends;
    ngx_uint_t                       room;
    ngx_uint_t                       config;    /* of peers, as last seen */
    unsigned                         full:1;    /* was logged */
    unsigned                         foreign:1;
} ngx_http_llm_group_t;

/* One of its servers: by address, as peers of nginx are. */
struct ngx_http_llm_backend_s {
    ngx_http_llm_group_t            *group;
    ngx_str_t                        name;
    ngx_str_t                        server;    /* as it is written */
    ngx_sockaddr_t                   sockaddr;
    socklen_t                        socklen;
    tg_backend_t                    *backend;   /* NULL: no room in the table */
    const tg_backend_conf_t         *bc;
    ngx_uint_t                       there;     /* among peers */
    ngx_http_llm_checks_t           *checks;    /* NULL: another process does
                                                   them */
};

typedef struct {
    const void                      *companion; /* see tg_companion.h: first */
    tg_companion_upstream_t          tells;
    const tg_companion_meter_t      *meter;     /* NULL: it is not there */
    tg_mem_t                         mem;
    tg_str_t                         state;     /* llm_upstream_state */
    tg_backend_map_t                *map;       /* NULL: nothing to know */
    ngx_array_t                      groups;    /* ngx_http_llm_group_t * */
    const tg_group_conf_t          **confs;     /* of these */
    ngx_uint_t                       status;    /* is asked for, somewhere */

    /* of the process */
    int                              slot;      /* -1: none */
    ngx_log_t                        log;       /* of probes */
    ngx_event_t                      tick;
    ngx_msec_t                       swept;
    tg_scale_hook_t                 *hook;      /* of who checks; NULL: nobody
                                                   is to be told */
    unsigned                         opened:1;  /* map is not in use yet */
    unsigned                         owner:1;   /* it is who checks */
} ngx_http_llm_upstream_main_conf_t;

typedef struct {
    ngx_http_llm_group_t            *group;     /* NULL: nothing is said */
} ngx_http_llm_upstream_srv_conf_t;

typedef struct {
    tg_status_format_t               format;
    unsigned                         status:1;  /* llm_upstream_status is said */
} ngx_http_llm_upstream_loc_conf_t;

/* How an exchange ended. */
typedef enum {
    NGX_HTTP_LLM_ANSWERED = 0,
    NGX_HTTP_LLM_UNANSWERED,        /* why tells */
    NGX_HTTP_LLM_UNASKED            /* for want of something here */
} ngx_http_llm_probed_t;

/* A GET that is made again and again, on a connection that is kept. */
struct ngx_http_llm_probe_s {
    ngx_str_t                        name;      /* of the address */
    struct sockaddr                 *sockaddr;
    socklen_t                        socklen;
    ngx_str_t                        request;
    ngx_ssl_t                       *ssl;       /* NULL: plain */
    ngx_str_t                        ssl_name;  /* NUL behind it; or empty */
    ngx_msec_t                       connect;
    ngx_msec_t                       timeout;
    ngx_log_t                       *log;
    tg_out_t                         body;      /* takes it, with data */
    void                           (*done)(ngx_http_llm_probe_t *p,
                                           ngx_http_llm_probed_t how,
                                           const char *why);
    void                            *data;

    ngx_uint_t                       status;    /* of the answer */
    ngx_connection_t                *connection;
    ngx_event_t                      deadline;
    tg_probe_t                      *reader;    /* while it is under way */
    size_t                           sent;
    unsigned                         reused:1;  /* it may have been closed */
};

extern ngx_module_t  ngx_http_llm_upstream_module;

/* ngx_http_llm_upstream_conf.c: directives of an upstream */
int ngx_http_llm_group_directive(ngx_conf_t *cf,
    ngx_http_llm_upstream_srv_conf_t *lucf, tg_upstream_directive_t id,
    const tg_str_t *args, unsigned nargs, tg_error_t *err);
ngx_int_t ngx_http_llm_group_finish(ngx_conf_t *cf, ngx_http_llm_group_t *g);

/* ngx_http_llm_upstream_group.c: its servers */
void ngx_http_llm_group_refresh(ngx_http_llm_upstream_main_conf_t *lumcf,
    ngx_http_llm_group_t *g);
void ngx_http_llm_group_configured(ngx_http_llm_upstream_main_conf_t *lumcf,
    ngx_http_llm_group_t *g);
ngx_http_llm_backend_t *ngx_http_llm_group_backend(ngx_http_llm_group_t *g,
    const ngx_str_t *name, ngx_uint_t guess);
void ngx_http_llm_group_free(void *data);

/* ngx_http_llm_upstream_peer.c: which server a call goes to */
ngx_int_t ngx_http_llm_upstream_init(ngx_conf_t *cf,
    ngx_http_upstream_srv_conf_t *us);
ngx_int_t ngx_http_llm_upstream_init_peer(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us);

/* ngx_http_llm_upstream_call.c: what the metering module may ask */
void ngx_http_llm_upstream_tell(ngx_http_llm_upstream_main_conf_t *lumcf);

/* ngx_http_llm_upstream_check.c: who checks, and when */
void ngx_http_llm_checks_start(ngx_http_llm_upstream_main_conf_t *lumcf,
    ngx_cycle_t *cycle);
void ngx_http_llm_checks_stop(ngx_http_llm_upstream_main_conf_t *lumcf);
void ngx_http_llm_checks_forget(ngx_http_llm_backend_t *b);

/* ngx_http_llm_upstream_dcgm.c */
ngx_int_t ngx_http_llm_dcgm_finish(ngx_conf_t *cf, ngx_http_llm_group_t *g);
void ngx_http_llm_dcgm_begin(ngx_http_llm_upstream_main_conf_t *lumcf,
    ngx_http_llm_group_t *g);
void ngx_http_llm_dcgm_end(ngx_http_llm_group_t *g);

/* ngx_http_llm_upstream_probe.c */
ngx_int_t ngx_http_llm_probe_request(ngx_http_llm_probe_t *p, tg_str_t host,
    tg_str_t path, const char *accept);
void ngx_http_llm_probe_start(ngx_http_llm_probe_t *p);
void ngx_http_llm_probe_free(ngx_http_llm_probe_t *p);
ngx_ssl_t *ngx_http_llm_probe_ssl(ngx_conf_t *cf);

/* ngx_http_llm_upstream_status.c */
int ngx_http_llm_upstream_status(ngx_conf_t *cf,
    ngx_http_llm_upstream_loc_conf_t *lulcf, const tg_str_t *args,
    unsigned nargs, tg_error_t *err);

#endif /* NGX_HTTP_LLM_UPSTREAM_H */
