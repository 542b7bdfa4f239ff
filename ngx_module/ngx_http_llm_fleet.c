#include "ngx_http_llm.h"

/*
 * Calls that wait for the fleet's store.  Threads talk to it (tg_carrier.h); an
 * eventfd tells the event loop of what has come back.
 */

#define NGX_HTTP_LLM_PATIENCE  2000         /* ms beyond the store's timeout */

static ngx_connection_t  *ngx_http_llm_fleet;       /* a worker's: the eventfd */
static tg_errand_t       *ngx_http_llm_spare;


/* Before tg_call_admit(): where it may write a message. */
ngx_int_t
ngx_http_llm_fleet_gate(ngx_http_llm_ctx_t *ctx, tg_gate_t *gate)
{
    if (ctx->lmcf->desk.carrier == NULL) {
        return NGX_OK;
    }

    if (ngx_http_llm_spare == NULL) {
        ngx_http_llm_spare = ngx_alloc(sizeof(tg_errand_t),
                                       ctx->request->connection->log);
        if (ngx_http_llm_spare == NULL) {
            return NGX_ERROR;
        }
    }

    gate->message = &ngx_http_llm_spare->message;

    return NGX_OK;
}


/* The message has been written: the call waits for its answer. */
ngx_int_t
ngx_http_llm_fleet_ask(ngx_http_llm_ctx_t *ctx)
{
    ctx->errand = ngx_http_llm_spare;
    ngx_http_llm_spare = NULL;

    ctx->errand->data = ctx;
    tg_carrier_send(ctx->lmcf->desk.carrier, ctx->errand);

    return ngx_http_llm_suspend(ctx,
                     (ngx_msec_t) ctx->lmcf->conf->ledger.fleet
                                           ->ledger.timeout_ms
                     + NGX_HTTP_LLM_PATIENCE);
}


/* What came of it; of an answer that is still out, that there is none. */
int
ngx_http_llm_fleet_reply(ngx_http_llm_ctx_t *ctx, const tg_gate_t *gate,
    tg_refusal_t *refusal)
{
    int                  rc;
    tg_errand_t         *e = ctx->errand;
    tg_ledger_answer_t   none;

    ctx->errand = NULL;

    if (e->data == NULL) {
        rc = tg_call_reply(ctx->call, gate, &ctx->now, &e->message, &e->answer,
                           refusal);
        ngx_free(e);
        return rc;
    }

    e->data = NULL;

    ngx_memzero(&none, sizeof(none));
    none.status = TG_LEDGER_NO_ANSWER;

    return tg_call_reply(ctx->call, gate, &ctx->now, &e->message, &none,
                         refusal);
}


/* The call does not wait any longer. */
void
ngx_http_llm_fleet_forget(ngx_http_llm_ctx_t *ctx)
{
    if (ctx->errand == NULL) {
        return;
    }

    if (ctx->errand->data == NULL) {
        ngx_free(ctx->errand);
    } else {
        ctx->errand->data = NULL;
    }

    ctx->errand = NULL;
}


static void
ngx_http_llm_fleet_handler(ngx_event_t *rev)
{
    ngx_connection_t          *c = rev->data, *client;
    tg_errand_t               *e, *next;
    ngx_http_llm_ctx_t        *ctx;
    ngx_http_llm_main_conf_t  *lmcf = c->data;

    for (e = tg_carrier_done(lmcf->desk.carrier); e != NULL; e = next) {
        next = e->next;
        ctx = e->data;

        if (ctx == NULL) {
            ngx_free(e);
            continue;
        }

        e->data = NULL;
        client = ctx->request->connection;

        ngx_http_llm_resume(ctx);
        ngx_http_run_posted_requests(client);
    }
}


void
ngx_http_llm_fleet_start(ngx_http_llm_main_conf_t *lmcf, ngx_cycle_t *cycle)
{
    ngx_event_t       *rev;
    ngx_connection_t  *c;

    if (lmcf->desk.carrier == NULL) {
        return;
    }

    c = ngx_get_connection(tg_carrier_fd(lmcf->desk.carrier), cycle->log);
    if (c == NULL) {
        return;
    }

    c->data = lmcf;
    rev = c->read;
    rev->log = cycle->log;
    rev->handler = ngx_http_llm_fleet_handler;

    if (ngx_add_event(rev, NGX_READ_EVENT,
                      ngx_event_flags & NGX_USE_CLEAR_EVENT
                      ? NGX_CLEAR_EVENT : NGX_LEVEL_EVENT)
        != NGX_OK)
    {
        ngx_free_connection(c);
        c->fd = (ngx_socket_t) -1;
        return;
    }

    ngx_http_llm_fleet = c;
}


/* The descriptor is the carrier's to close. */
void
ngx_http_llm_fleet_stop(void)
{
    if (ngx_http_llm_fleet != NULL) {
        (void) ngx_del_event(ngx_http_llm_fleet->read, NGX_READ_EVENT, 0);
        ngx_free_connection(ngx_http_llm_fleet);
        ngx_http_llm_fleet->fd = (ngx_socket_t) -1;
        ngx_http_llm_fleet = NULL;
    }
}
