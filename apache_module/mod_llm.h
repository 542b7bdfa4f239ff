/*
 * What the files of the module share.  No decision is taken in them: each hands
 * what httpd shows to the core (common/), and does what the core says.
 *
 * Locks, in the order in which they may be taken: the list of open calls, one
 * call, the prices or a log, and last the ledger's or the spool's of alerts: who
 * does not get it in 10 ms goes on without.  The desk's own (tg_desk.h) is held
 * around nothing else.  A call's own lock is there for a fast stop, which settles
 * what other threads are still working on; nobody waits with it.
 */

#ifndef MOD_LLM_H
#define MOD_LLM_H

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
#include "util_filter.h"
#include "apr_ring.h"
#include "apr_strings.h"

#include "tg_call.h"
#include "tg_desk.h"
#include "tg_http.h"
#include "tg_inflate.h"
#include "tg_own.h"
#include "tg_price_file.h"

#include <pthread.h>

/* A request's body up to this size is kept in memory, a longer one in a file
 * that has no name. */
#define LLM_BODY_MEMORY  (512 * 1024)


typedef struct {
    pthread_mutex_t  pipe;              /* for what is longer than PIPE_BUF */
    tg_breakers_t    breakers;
    tg_tally_t      *tally;             /* where there is no ledger to have it
                                           beside; the same in all processes */
} llm_shared_t;

typedef struct llm_sink_s  llm_sink_t;
typedef struct llm_prices_s  llm_prices_t;
typedef struct llm_cache_s  llm_cache_t;
typedef struct llm_values_s  llm_values_t;

/* What is said once for the whole server; lives in pconf. */
typedef struct {
    apr_pool_t          *pool;
    pid_t                pid;           /* of the parent */
    server_rec          *server;
    tg_mem_t             mem;
    tg_conf_t           *conf;
    llm_shared_t        *shared;
    llm_prices_t        *prices;
    llm_cache_t         *cache;         /* NULL: no answer is kept */
    tg_desk_t            desk;
    apr_array_header_t  *sinks;         /* llm_sink_t * */
    apr_array_header_t  *logs;          /* tg_log_t *, all LLMLog */
    llm_values_t        *values;
    unsigned             enabled:1;     /* somewhere */
    unsigned             logged:1;
    unsigned             secrets:1;     /* some provider has a key */
    unsigned             passes:1;      /* LLMPass On is said somewhere */
} llm_main_t;

typedef struct {
    tg_scope_t           scope;
} llm_dir_t;

/* The handle of a tag's source. */
typedef struct {
    const char          *name;
    ap_expr_info_t      *expr;          /* NULL: httpd knows none */
} llm_variable_t;

typedef struct llm_ctx_s  llm_ctx_t;

struct llm_ctx_s {
    APR_RING_ENTRY(llm_ctx_s)  link;    /* of the child's open calls */
    pthread_mutex_t       lock;         /* of call, open */
    request_rec          *request;
    apr_table_t          *headers;      /* as they came in */
    tg_scope_t            scope;
    tg_arena_t           *arena;
    tg_call_t            *call;
    tg_now_t              now;
    tg_refusal_t          refusal;

    apr_bucket_brigade   *body;         /* of the request */
    apr_file_t           *file;         /* where it is long */
    apr_off_t             size;
    unsigned              nwhole;       /* of its buckets: not copied */
    void                 *map;          /* of the file, if asked for */
    const char           *whole;        /* in one piece, if asked for */
    apr_bucket_brigade   *send;         /* what goes upstream instead */

    apr_table_t          *given;        /* headers as mod_proxy is not to
                                           change them */
    ap_conf_vector_t     *dir_config;   /* the location's */
    uint64_t              swallowed;    /* bytes */

    tg_str_t              cache_key;    /* empty: its answer is not kept */
    apr_bucket_brigade   *kept;         /* of the answer; NULL: nothing is */
    const char           *kept_type;
    size_t                kept_size;

    apr_bucket_brigade   *out;          /* of an altered answer */
    tg_inflate_t         *inflate;
    conn_rec             *origin;       /* to the upstream */
    int                   origin_fd;
    apr_time_t            deadline;     /* of a drain */
    unsigned              attempts;
    int                   error_status; /* instead of an answer */

    unsigned              listed:1;
    unsigned              refused:1;
    unsigned              keyed:1;      /* a provider's key is to go with it */
    unsigned              hit:1;        /* its answer was kept */
    unsigned              passing:1;    /* mod_proxy's handler runs for us */
    unsigned              again:1;      /* this attempt's answer is nobody's */
    unsigned              answered:1;   /* the head has gone by */
    unsigned              gathers:1;    /* it has not, till its body is whole */
    unsigned              first:1;      /* a byte of the body has */
    unsigned              complete:1;   /* its last byte has */
    unsigned              broken:1;     /* the upstream broke off */
    unsigned              failed:1;     /* httpd tells of an error itself */
    unsigned              client_gone:1;
    unsigned              draining:1;
    unsigned              waits:1;      /* for others; by lock */
    unsigned              stopped:1;    /* in its wait for anything */
    unsigned              opaque:1;     /* can't be unpacked */
    unsigned              unreadable:1; /* and would have to be */
    unsigned              open;         /* its line is not written; by lock */
};

extern module AP_MODULE_DECLARE_DATA  llm_module;

/* mod_llm.c */
void llm_now(tg_now_t *now);
tg_id_source_t *llm_ids(void);
llm_ctx_t *llm_get_ctx(request_rec *r);

/* mod_llm_config.c */
extern llm_main_t         *llm_main;
extern const command_rec   llm_commands[];
void *llm_create_dir(apr_pool_t *p, char *dir);
void *llm_merge_dir(apr_pool_t *p, void *base, void *add);
int llm_pre_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp);
int llm_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
    server_rec *s);
int llm_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
    server_rec *s);
int llm_open_logs(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
    server_rec *s);

/* mod_llm_request.c */
void llm_request_hooks(apr_pool_t *p);
tg_str_t llm_upstream_host(request_rec *r);

/* mod_llm_gate.c */
int llm_enter(llm_ctx_t *ctx);
int llm_admit(llm_ctx_t *ctx);
int llm_sent(llm_ctx_t *ctx);

/* mod_llm_tls.c: the provider's key. */
void llm_tls_hooks(apr_pool_t *p);

/* mod_llm_status.c */
void llm_status_hooks(apr_pool_t *p);

/* mod_llm_own.c */
void llm_own_hooks(apr_pool_t *p);
void llm_tls_key(request_rec *r, llm_ctx_t *ctx);
void llm_tls_attempt(void);
bool llm_tls_sent(void);
void llm_tls_answered(void);

/* mod_llm_desk.c: keys and ledger */

/* For one step of a call.  False where it is good for a call's end only: memory
 * is exhausted.  Either way llm_gate_end() has to follow. */
bool llm_gate(tg_gate_t *gate, const tg_price_book_t *book);
void llm_gate_end(tg_gate_t *gate);
int llm_desk_load(llm_main_t *main);
int llm_desk_open(llm_main_t *main);
void llm_desk_child(llm_main_t *main);
void llm_desk_tick(llm_main_t *main);
void llm_desk_retire(llm_main_t *main);
void llm_desk_end(llm_main_t *main);

/* mod_llm_scratch.c: NULL where memory is exhausted; giving NULL does
 * nothing. */
tg_gate_scratch_t *llm_scratch_take(void);
void llm_scratch_give(tg_gate_scratch_t *gate);

/* mod_llm_body.c */
int llm_body_read(llm_ctx_t *ctx);      /* OK, or a status */
int llm_body_whole(void *req, tg_str_t *body);
void llm_body_free(llm_ctx_t *ctx);

/* mod_llm_send.c */
void llm_send_hooks(apr_pool_t *p);
int llm_send_body(llm_ctx_t *ctx, const tg_edit_t *edit,
    const tg_str_t *whole);
void llm_send_forget(llm_ctx_t *ctx);

/* mod_llm_pass.c: where the provider is ours to choose. */
void llm_pass_hooks(apr_pool_t *p);
int llm_pass(llm_ctx_t *ctx);
void llm_pass_fixups(request_rec *r, const llm_ctx_t *ctx);
bool llm_pass_answered(llm_ctx_t *ctx, bool error);
apr_status_t llm_pass_swallow(llm_ctx_t *ctx, apr_bucket_brigade *bb);

/* mod_llm_cache.c */
int llm_cache_register(apr_pool_t *pconf);
const char *llm_cache_declare(cmd_parms *cmd);
int llm_cache_open(apr_pool_t *pconf, server_rec *s);
void llm_cache_child(apr_pool_t *pchild);
void llm_cache_key(llm_ctx_t *ctx);
int llm_cache_answer(llm_ctx_t *ctx);
void llm_cache_begin(llm_ctx_t *ctx, request_rec *r);
void llm_cache_keep(llm_ctx_t *ctx, const char *p, size_t n);
void llm_cache_store(llm_ctx_t *ctx);

/* mod_llm_worker.c: OK, or a status. */
void *llm_create_server(apr_pool_t *p, server_rec *s);
void llm_worker_declare(server_rec *s);
bool llm_worker_balances(server_rec *s, unsigned provider);
int llm_worker_check(apr_pool_t *p, server_rec *s);
int llm_worker_define(apr_pool_t *p, server_rec *s);

/* mod_llm_companion.c: the upstream module. */
void llm_companion_register(void);
void llm_companion_find(llm_main_t *main);

/* mod_llm_response.c */
void llm_response_hooks(apr_pool_t *p);

/* mod_llm_client.c: what becomes of an answer whose client has left. */
void llm_client_hooks(apr_pool_t *p);
apr_status_t llm_client_left(llm_ctx_t *ctx);
apr_status_t llm_client_wait(llm_ctx_t *ctx);
apr_status_t llm_client_swallow(llm_ctx_t *ctx, bool eos);
int llm_client_pause(llm_ctx_t *ctx, int64_t ms);
bool llm_is_stopped(void);
void llm_client_stop(void);
void llm_client_wake(llm_ctx_t *ctx);

/* mod_llm_finish.c: settles, writes the line; both only once. */
void llm_finish_init(void);
void llm_open(llm_ctx_t *ctx);
int llm_log_transaction(request_rec *r);
apr_status_t llm_cleanup(void *data);
void llm_child_stopping(apr_pool_t *pchild, int graceful);

/* mod_llm_value.c */
void llm_values_declare(llm_main_t *main);
void llm_values(llm_ctx_t *ctx, request_rec *r);

/* mod_llm_log.c: a sentence where the log can't be, NULL where it can. */
const char *llm_log_declare(cmd_parms *cmd, tg_log_t *log);
int llm_log_open_all(llm_main_t *main);
void llm_log_write(llm_ctx_t *ctx, bool stopping);
void llm_log_alert(void *data, const tg_alert_t *alert);
void llm_log_late_alert(void *data, const tg_alert_t *alert);
unsigned llm_log_outcome(const tg_scope_t *scope,
    const tg_own_outcome_t *outcome);
bool llm_log_recovered(void *data, const tg_ledger_swept_t *call);
int64_t llm_log_tick(llm_main_t *main);
void llm_log_flush(llm_main_t *main, bool due_only);
void llm_log_child(llm_main_t *main);

/* mod_llm_syslog.c */
typedef struct llm_syslog_s  llm_syslog_t;
llm_syslog_t *llm_syslog_parse(apr_pool_t *p, const char *target,
    const char **error);
int llm_syslog_send(llm_syslog_t *sl, const char *line, size_t n);

/* mod_llm_prices.c */
const char *llm_prices_declare(cmd_parms *cmd, const char *name);
int llm_prices_load(llm_main_t *main);
void llm_prices_check(llm_main_t *main);
const tg_price_book_t *llm_prices_hold(void);
void llm_prices_release(void);
void llm_prices_finish(llm_ctx_t *ctx, tg_end_t end, unsigned status);

/* How long a fast stop waits for a lock: its holder may never give it up. */
#define LLM_STOP_WAIT_MS  200

bool llm_lock_stopping(pthread_mutex_t *lock);

static inline tg_str_t
llm_str(const char *s)
{
    return s == NULL ? tg_str_null : tg_strz(s);
}

#endif /* MOD_LLM_H */
