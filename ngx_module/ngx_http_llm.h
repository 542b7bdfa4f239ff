/*
 * What the files of the module share.  No decision is taken in them: each hands
 * what nginx shows to the core (common/), and does what the core says.
 */

#ifndef NGX_HTTP_LLM_H
#define NGX_HTTP_LLM_H

#include "ngx_http_llm_core.h"
#include "ngx_http_llm_page.h"

#include "tg_cache_key.h"
#include "tg_call.h"
#include "tg_desk.h"
#include "tg_http.h"
#include "tg_inflate.h"
#include "tg_own.h"
#include "tg_price_file.h"

typedef struct {
    tg_breakers_t               breakers;
    tg_tally_t                 *tally;          /* where there is no ledger to
                                                   have it beside; the same in
                                                   all processes */
} ngx_http_llm_shared_t;

typedef struct {
    const void                 *companion;      /* first: what we tell the
                                                   upstream module, a
                                                   tg_companion_meter_t */
    tg_mem_t                    mem;
    tg_conf_t                  *conf;
    tg_price_book_t            *book;
    tg_desk_t                   desk;
    tg_expr_scratch_t          *scratch;
    ngx_event_t                 desk_timer;
    ngx_shm_zone_t             *shm_zone;
    ngx_array_t                 logs;           /* ngx_http_llm_log_t * */
    tg_file_state_t             price_files[TG_FILES_MAX];
    ngx_event_t                 price_timer;
    ngx_array_t                 peer_inits;     /* ngx_http_llm_peer_init_t */
    ngx_http_upstream_srv_conf_t  **upstreams;  /* of conf->providers */
    ngx_int_t                   request_uri;    /* $request_uri */
    ngx_flag_t                  enabled;        /* in some location */
    ngx_flag_t                  passing;        /* llm_pass is, in some */
    ngx_flag_t                  logged;
    ngx_flag_t                  draining;
    ngx_flag_t                  small_body;     /* warnings given once */
} ngx_http_llm_main_conf_t;

typedef struct {
    tg_scope_t                  scope;
} ngx_http_llm_loc_conf_t;

typedef struct ngx_http_llm_piece_s    ngx_http_llm_piece_t;
typedef struct ngx_http_llm_body_s     ngx_http_llm_body_t;
typedef struct ngx_http_llm_dress_s    ngx_http_llm_dress_t;
typedef struct ngx_http_llm_attempt_s  ngx_http_llm_attempt_t;

typedef struct {
    ngx_queue_t                 queue;          /* of the worker's open calls */
    ngx_http_request_t         *request;
    ngx_http_llm_main_conf_t   *lmcf;
    ngx_http_llm_loc_conf_t    *llcf;           /* of its admission */
    tg_call_t                  *call;
    tg_mem_t                    mem;
    ngx_http_llm_piece_t       *piece;          /* of memory; the call's */
    tg_now_t                    now;
    uint64_t                    names;          /* of the request's headers */

    tg_inflate_t               *inflate;
    ngx_chain_t                *free;           /* of an altered answer */
    ngx_chain_t                *busy;
    ngx_chain_t                *out;
    ngx_chain_t               **last_out;
    ngx_buf_t                  *held;
    ngx_event_t                *drain;
    ngx_event_t                *sleep;          /* of a subrequest */
    ngx_http_llm_loc_conf_t    *location;       /* where it is now */
    ngx_http_handler_pt         content_handler;
    ngx_http_llm_body_t        *body;           /* once it was changed */
    ngx_http_llm_dress_t       *dress;
    ngx_http_llm_attempt_t     *attempt;
    tg_errand_t                *errand;         /* the answer it waits for */
    tg_str_t                    cache_key;      /* empty: not to be kept */

    unsigned                    open:1;         /* in the queue */
    unsigned                    body_read:1;
    unsigned                    waiting:1;      /* for other calls to end */
    unsigned                    proxying:1;     /* the request is being made */
    unsigned                    keyed:1;        /* with the provider's key */
    unsigned                    refused:1;
    unsigned                    answered:1;     /* the head has gone by */
    unsigned                    fed:1;          /* by an upstream */
    unsigned                    first:1;        /* a byte of the body has */
    unsigned                    complete:1;     /* its last byte has */
    unsigned                    ending:1;       /* nginx frees the request */
    unsigned                    client_gone:1;
    unsigned                    gathers:1;      /* its head waits for its end */
    unsigned                    ended:1;        /* what is altered has its end */
    unsigned                    prompt:1;       /* each piece goes at once */
    unsigned                    opaque:1;       /* can't be unpacked */
} ngx_http_llm_ctx_t;

extern ngx_module_t  ngx_http_llm_module;

/* ngx_http_llm_module.c */
int64_t ngx_http_llm_wall(void);
void ngx_http_llm_now(tg_now_t *now);
extern tg_id_source_t  ngx_http_llm_ids;
extern ngx_queue_t     ngx_http_llm_open;

/* ngx_http_llm_conf.c */
void *ngx_http_llm_create_main_conf(ngx_conf_t *cf);
void *ngx_http_llm_create_loc_conf(ngx_conf_t *cf);
char *ngx_http_llm_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);
char *ngx_http_llm_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* ngx_http_llm_request.c */
ngx_int_t ngx_http_llm_request_init(ngx_conf_t *cf);
ngx_int_t ngx_http_llm_post_read_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_llm_handler(ngx_http_request_t *r);
tg_str_t ngx_http_llm_upstream_host(ngx_http_request_t *r);
tg_str_t ngx_http_llm_request_header(void *r, tg_str_t name);
void ngx_http_llm_free(ngx_http_llm_ctx_t *ctx);

/* ngx_http_llm_edit.c */
int ngx_http_llm_whole_body(void *req, tg_str_t *whole);
ngx_int_t ngx_http_llm_body_out(ngx_http_llm_ctx_t *ctx, ngx_chain_t **out);

/* ngx_http_llm_dress.c */
const tg_hop_t *ngx_http_llm_hop(ngx_http_llm_ctx_t *ctx);
void ngx_http_llm_hide(ngx_table_elt_t *h);
void ngx_http_llm_hide_credentials(ngx_http_request_t *r);
ngx_int_t ngx_http_llm_put_on(ngx_http_llm_ctx_t *ctx);
ngx_uint_t ngx_http_llm_take_off(ngx_http_llm_ctx_t *ctx);
void ngx_http_llm_intercept(ngx_http_llm_ctx_t *ctx);

/* ngx_http_llm_gate.c */
void ngx_http_llm_gate(ngx_http_llm_main_conf_t *lmcf, tg_gate_t *gate);
ngx_int_t ngx_http_llm_add_headers(ngx_http_request_t *r,
    const tg_header_t *headers, ngx_uint_t n);
ngx_int_t ngx_http_llm_enter(ngx_http_llm_ctx_t *ctx);
void ngx_http_llm_redirected(ngx_http_llm_ctx_t *ctx);
ngx_int_t ngx_http_llm_admit(ngx_http_llm_ctx_t *ctx);
ngx_int_t ngx_http_llm_suspend(ngx_http_llm_ctx_t *ctx, ngx_msec_t timeout);
void ngx_http_llm_resume(ngx_http_llm_ctx_t *ctx);

/* ngx_http_llm_fleet.c */
ngx_int_t ngx_http_llm_fleet_gate(ngx_http_llm_ctx_t *ctx, tg_gate_t *gate);
ngx_int_t ngx_http_llm_fleet_ask(ngx_http_llm_ctx_t *ctx);
int ngx_http_llm_fleet_reply(ngx_http_llm_ctx_t *ctx, const tg_gate_t *gate,
    tg_refusal_t *refusal);
void ngx_http_llm_fleet_forget(ngx_http_llm_ctx_t *ctx);
void ngx_http_llm_fleet_start(ngx_http_llm_main_conf_t *lmcf,
    ngx_cycle_t *cycle);
void ngx_http_llm_fleet_stop(void);

/* ngx_http_llm_peer.c */
ngx_int_t ngx_http_llm_peers_init(ngx_conf_t *cf);
ngx_uint_t ngx_http_llm_hooked(ngx_http_request_t *r);
ngx_int_t ngx_http_llm_peer_usual(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us);

/* ngx_http_llm_attempt.c */
ngx_int_t ngx_http_llm_attempt(ngx_http_llm_ctx_t *ctx);

/* ngx_http_llm_provider.c */
ngx_int_t ngx_http_llm_providers_init(ngx_conf_t *cf,
    ngx_http_llm_main_conf_t *lmcf);

/* ngx_http_llm_companion.c */
extern const tg_companion_meter_t  ngx_http_llm_meter;
void ngx_http_llm_companion_init(ngx_conf_t *cf,
    ngx_http_llm_main_conf_t *lmcf);

/* ngx_http_llm_desk.c: keys and ledger */
ngx_int_t ngx_http_llm_desk_load(ngx_conf_t *cf,
    ngx_http_llm_main_conf_t *lmcf);
void ngx_http_llm_desk_start(ngx_http_llm_main_conf_t *lmcf,
    ngx_cycle_t *cycle);
void ngx_http_llm_desk_join(ngx_http_llm_main_conf_t *lmcf,
    ngx_cycle_t *cycle);

/* ngx_http_llm_answer.c */
ngx_int_t ngx_http_llm_add_own(ngx_http_llm_ctx_t *ctx);
ngx_int_t ngx_http_llm_answer(ngx_http_llm_ctx_t *ctx);
void ngx_http_llm_answer_head(ngx_http_llm_ctx_t *ctx);

/* ngx_http_llm_response.c */
ngx_int_t ngx_http_llm_response_init(ngx_conf_t *cf);
void ngx_http_llm_feed_rest(ngx_http_llm_ctx_t *ctx);

/* ngx_http_llm_finish.c: settles, writes the line; both only once. */
ngx_http_llm_ctx_t *ngx_http_llm_get_ctx(ngx_http_request_t *r);
void ngx_http_llm_cleanup(void *data);
void ngx_http_llm_settle(ngx_http_llm_ctx_t *ctx, tg_end_t end);
void ngx_http_llm_close(ngx_http_llm_ctx_t *ctx, tg_end_t end);
tg_end_t ngx_http_llm_end(ngx_http_llm_ctx_t *ctx);

/* ngx_http_llm_drain.c */
void ngx_http_llm_drain_arm(ngx_http_llm_ctx_t *ctx);
void ngx_http_llm_consume(ngx_chain_t *cl, ngx_buf_t *end);
ngx_int_t ngx_http_llm_client_gone(ngx_http_llm_ctx_t *ctx);

/* ngx_http_llm_log.c */
char *ngx_http_llm_log_open(ngx_conf_t *cf, ngx_http_llm_main_conf_t *lmcf,
    tg_log_t *log);
void ngx_http_llm_log_write(ngx_http_llm_ctx_t *ctx);
void ngx_http_llm_log_alert(void *data, const tg_alert_t *alert);
void ngx_http_llm_log_late_alert(void *data, const tg_alert_t *alert);
ngx_uint_t ngx_http_llm_log_outcome(const tg_scope_t *scope,
    const tg_own_outcome_t *outcome);
bool ngx_http_llm_log_recovered(void *data, const tg_ledger_swept_t *call);
void ngx_http_llm_log_init_module(ngx_http_llm_main_conf_t *lmcf);
void ngx_http_llm_log_flush_all(ngx_http_llm_main_conf_t *lmcf);

/* ngx_http_llm_prices.c */
int ngx_http_llm_prices_load(ngx_conf_t *cf, ngx_http_llm_main_conf_t *lmcf,
    unsigned first, tg_error_t *err);
void ngx_http_llm_prices_watch(ngx_http_llm_main_conf_t *lmcf,
    ngx_cycle_t *cycle);

/* ngx_http_llm_status.c */
ngx_int_t ngx_http_llm_status(ngx_http_request_t *r);

/* ngx_http_llm_own.c: llm_me and llm_outcome */
ngx_int_t ngx_http_llm_own(ngx_http_request_t *r);

/* ngx_http_llm_variables.c */
ngx_int_t ngx_http_llm_add_variables(ngx_conf_t *cf);

#endif /* NGX_HTTP_LLM_H */
