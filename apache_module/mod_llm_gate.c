#include "mod_llm.h"

#include "scoreboard.h"

#include "tg_key_presented.h"

/*
 * Who may pass: the core's verdicts, carried out.
 */


/* Without the credentials in its query, which ends before the last space, if
 * there is one behind it ("GET /path?query HTTP/1.1"). */
static char *
llm_strip_query(apr_pool_t *p, char *s)
{
    char    *q = s == NULL ? NULL : strchr(s, '?'), *end, *out;
    size_t   n, left;

    if (q == NULL) {
        return s;
    }

    end = strrchr(q, ' ');
    if (end == NULL) {
        end = q + strlen(q);
    }

    n = (size_t) (end - q) - 1;
    out = apr_pstrdup(p, s);
    left = tg_key_strip_args(tg_str_of(q + 1, n), out + (q - s) + 1);

    /* "?" stays only with something behind it. */

    memmove(out + (q - s) + (left == 0 ? 0 : left + 1), end, strlen(end) + 1);

    return out;
}


/* Reads as if the query had come without credentials. */
static void
llm_strip_args(llm_ctx_t *ctx)
{
    tg_str_t      args = tg_call_args(ctx->call);
    request_rec  *r = ctx->request;

    if (r->args == NULL || args.len == strlen(r->args)) {
        return;
    }

    r->args = args.len == 0 ? NULL
              : apr_pstrmemdup(r->pool, args.p, args.len);
    r->parsed_uri.query = r->args;
    r->unparsed_uri = llm_strip_query(r->pool, r->unparsed_uri);
    r->the_request = llm_strip_query(r->pool, r->the_request);

    if (r->proxyreq != PROXYREQ_NONE) {
        r->filename = llm_strip_query(r->pool, r->filename);
    }

    /* Its status page shows the request's line. */

    (void) ap_update_child_status(r->connection->sbh, SERVER_BUSY_WRITE, r);
}


/* The caller's key stays here; ctx->headers are still what he sent. */
static void
llm_remove_credentials(llm_ctx_t *ctx)
{
    tg_header_t   own;
    request_rec  *r = ctx->request;

    if (!tg_call_credentials(ctx->call, &own)) {
        return;
    }

    ctx->keyed = own.name.len != 0;
    r->headers_in = apr_table_copy(r->pool, r->headers_in);

    for (unsigned i = 0; i < TG_CARRIER_HEADERS; i++) {
        apr_table_unset(r->headers_in, tg_carrier_headers[i].p);
    }

    llm_strip_args(ctx);
}


/* OK: go on, or ctx->refused.  Else a status. */
int
llm_enter(llm_ctx_t *ctx)
{
    tg_gate_t  gate;

    /* A list of models is made of the prices' names. */

    if (!llm_gate(&gate, llm_prices_hold())) {
        llm_prices_release();
        llm_gate_end(&gate);
        return HTTP_SERVICE_UNAVAILABLE;
    }

    gate.roster = tg_desk_roster(&llm_main->desk);

    (void) pthread_mutex_lock(&ctx->lock);

    ctx->refused = tg_call_enter(ctx->call, &gate, &ctx->refusal) != TG_OK;

    if (ctx->refused) {
        llm_strip_args(ctx);
    } else {
        llm_remove_credentials(ctx);
    }

    (void) pthread_mutex_unlock(&ctx->lock);

    llm_prices_release();
    tg_roster_unref(gate.roster);
    llm_gate_end(&gate);

    return OK;
}


/* A question to the fleet's store. */
typedef struct {
    tg_ledger_message_t  message;
    tg_ledger_answer_t   answer;
    bool                 answered;
} llm_question_t;


/* ask: NULL without a fleet.  TG_ERROR with ctx->refused unset: the server
 * stops. */
static int
llm_ask(llm_ctx_t *ctx, llm_question_t *ask, int64_t *wait_ms)
{
    int        rc = TG_ERROR;
    tg_gate_t  gate;

    (void) pthread_mutex_lock(&ctx->lock);

    /* Where no stop is known yet, none has charged anything.  What the store
     * has answered counts all the same. */

    if (ask == NULL || !ask->answered) {
        ctx->stopped |= llm_is_stopped();
    }

    if (llm_gate(&gate, llm_prices_hold()) && ctx->open && !ctx->stopped) {
        llm_now(&ctx->now);

        if (ask != NULL && ask->answered) {
            ask->answered = false;
            rc = tg_call_reply(ctx->call, &gate, &ctx->now, &ask->message,
                               &ask->answer, &ctx->refusal);

        } else {
            gate.message = ask != NULL ? &ask->message : NULL;
            rc = tg_call_admit(ctx->call, &gate, &ctx->now, &ctx->refusal);
        }

        ctx->waits = rc == TG_AGAIN;
        ctx->refused = rc != TG_OK && rc != TG_AGAIN && rc != TG_CALL_ASK;
        *wait_ms = tg_call_wait(ctx->call);
    }

    llm_prices_release();
    llm_gate_end(&gate);
    tg_desk_alerts(&llm_main->desk, ctx->call, llm_log_alert, ctx);

    (void) pthread_mutex_unlock(&ctx->lock);

    return rc;
}


static int
llm_admit_asking(llm_ctx_t *ctx, llm_question_t *ask)
{
    int      rc;
    int64_t  wait_ms = 0;

    for ( ;; ) {
        rc = llm_ask(ctx, ask, &wait_ms);

        if (rc == TG_CALL_ASK) {
            tg_carrier_call(llm_main->desk.carrier, &ask->message,
                            &ask->answer);
            ask->answered = true;
            continue;
        }

        if (rc != TG_AGAIN) {
            break;
        }

        rc = llm_client_pause(ctx, wait_ms);
        if (rc != OK) {
            return rc;
        }
    }

    return rc == TG_OK || ctx->refused ? OK : HTTP_SERVICE_UNAVAILABLE;
}


/* Where a trace begins here. */
static void
llm_trace(llm_ctx_t *ctx)
{
    tg_header_t   h;
    request_rec  *r = ctx->request;

    if (!tg_call_trace(ctx->call, &h)) {
        return;
    }

    if (r->headers_in == ctx->headers) {
        r->headers_in = apr_table_copy(r->pool, r->headers_in);
    }

    apr_table_setn(r->headers_in, h.name.p,
                   apr_pstrmemdup(r->pool, h.value.p, h.value.len));
}


static int
llm_admit_whole(llm_ctx_t *ctx)
{
    int              rc;
    llm_question_t  *ask;

    if (llm_main->desk.carrier == NULL) {
        return llm_admit_asking(ctx, NULL);
    }

    /* On the stack its pages would stay the thread's, which a stream has for
     * itself. */

    ask = malloc(sizeof(llm_question_t));
    if (ask == NULL) {
        return HTTP_SERVICE_UNAVAILABLE;
    }

    ask->answered = false;
    rc = llm_admit_asking(ctx, ask);
    free(ask);

    return rc;
}


/* OK: go on, or ctx->refused.  Else a status. */
int
llm_admit(llm_ctx_t *ctx)
{
    int  rc = llm_admit_whole(ctx);

    if (rc == OK && !ctx->refused) {
        llm_trace(ctx);
    }

    return rc;
}


/*
 * Whoever answers this request is about to.  DECLINED: he may.  Not left to
 * mod_proxy's hooks: its other schemes do not call them.
 */
int
llm_sent(llm_ctx_t *ctx)
{
    int        rc = HTTP_SERVICE_UNAVAILABLE;
    tg_gate_t  gate;

    (void) llm_gate(&gate, NULL);

    (void) pthread_mutex_lock(&ctx->lock);

    if (ctx->open) {
        tg_call_sent(ctx->call, &gate);
        rc = DECLINED;
    }

    (void) pthread_mutex_unlock(&ctx->lock);

    llm_gate_end(&gate);

    return rc;
}
