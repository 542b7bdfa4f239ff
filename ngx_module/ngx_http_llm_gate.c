#include "ngx_http_llm.h"

#include "tg_key_presented.h"

/*
 * Who may pass: the core's verdicts, carried out.
 */


void
ngx_http_llm_gate(ngx_http_llm_main_conf_t *lmcf, tg_gate_t *gate)
{
    ngx_http_llm_shared_t    *shared = lmcf->shm_zone->data;
    static tg_gate_scratch_t  scratch;          /* a worker's */

    scratch.expr = lmcf->scratch;
    tg_desk_gate(&lmcf->desk, lmcf->book, &scratch, gate);
    gate->roster = lmcf->desk.roster;
    gate->breakers = &shared->breakers;
}


ngx_int_t
ngx_http_llm_add_headers(ngx_http_request_t *r, const tg_header_t *headers,
    ngx_uint_t n)
{
    ngx_uint_t        i;
    ngx_table_elt_t  *h;

    for (i = 0; i < n; i++) {
        h = ngx_list_push(&r->headers_out.headers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        h->hash = 1;
        ngx_http_llm_header_init(h);
        h->key.data = (u_char *) headers[i].name.p;
        h->key.len = headers[i].name.len;
        h->value.data = (u_char *) headers[i].value.p;
        h->value.len = headers[i].value.len;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_llm_refuse(ngx_http_llm_ctx_t *ctx, const tg_refusal_t *refusal)
{
    ngx_int_t            rc;
    ngx_buf_t           *b;
    ngx_chain_t          out;
    ngx_http_request_t  *r = ctx->request;

    ctx->refused = 1;

    /* What is left of the body is not the next request. */

    r->expect_tested = 1;

    if (ngx_http_discard_request_body(r) != NGX_OK) {
        r->keepalive = 0;
    }

    r->headers_out.status = refusal->status;
    r->headers_out.content_length_n = (off_t) refusal->body.len;
    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;

    if (ngx_http_llm_add_headers(r, refusal->headers, refusal->nheaders)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = (u_char *) refusal->body.p;
    b->last = b->pos + refusal->body.len;
    b->memory = refusal->body.len != 0;
    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


/* Of a line or a URI; what is behind the query stays. */
static ngx_int_t
ngx_http_llm_strip_query(ngx_http_request_t *r, ngx_str_t *s)
{
    u_char  *p, *q, *end, *last = s->data + s->len;
    size_t   n;

    q = memchr(s->data, '?', s->len);
    if (q == NULL) {
        return NGX_OK;
    }

    end = memchr(q, ' ', (size_t) (last - q));
    if (end == NULL) {
        end = last;
    }

    p = ngx_pnalloc(r->pool, s->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    s->len = (size_t) (q - s->data);
    ngx_memcpy(p, s->data, s->len);
    s->data = p;

    n = tg_key_strip_args(tg_str_of((char *) q + 1, (size_t) (end - q) - 1),
                          (char *) p + s->len + 1);
    if (n != 0) {
        p[s->len] = '?';
        s->len += n + 1;
    }

    ngx_memcpy(p + s->len, end, (size_t) (last - end));
    s->len += (size_t) (last - end);

    return NGX_OK;
}


/*
 * Reads as if the query had come without credentials.  The arguments need not
 * be those of the line (rewrite), nor the URI a part of it (HTTP/2).
 */
static ngx_int_t
ngx_http_llm_set_args(ngx_http_request_t *r, tg_str_t args)
{
    u_char  *p;

    if (args.len == r->args.len) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, args.len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, args.p, args.len);
    r->args.data = p;
    r->args.len = args.len;

    return ngx_http_llm_strip_query(r, &r->unparsed_uri) == NGX_OK
           ? ngx_http_llm_strip_query(r, &r->request_line) : NGX_ERROR;
}


/* Those of a subrequest are its main request's. */
static ngx_int_t
ngx_http_llm_own_headers(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_t        from = r->headers_in.headers;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h, *to;

    if (ngx_list_init(&r->headers_in.headers, r->pool, 20,
                      sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (part = &from.part; part != NULL; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            to = ngx_list_push(&r->headers_in.headers);
            if (to == NULL) {
                return NGX_ERROR;
            }

            *to = h[i];
        }
    }

    return NGX_OK;
}


/* What was admitted elsewhere may have another upstream here. */
void
ngx_http_llm_redirected(ngx_http_llm_ctx_t *ctx)
{
    ngx_http_request_t  *r = ctx->request;

    (void) ngx_http_llm_take_off(ctx);

    if (ctx->location
        != ngx_http_get_module_loc_conf(r, ngx_http_llm_module))
    {
        ctx->location = ngx_http_get_module_loc_conf(r, ngx_http_llm_module);
        tg_call_upstream(ctx->call, ngx_http_llm_upstream_host(r), 0);
    }

    ngx_http_llm_intercept(ctx);
}


/* NGX_OK: go on.  Else what a phase's handler returns. */
ngx_int_t
ngx_http_llm_enter(ngx_http_llm_ctx_t *ctx)
{
    tg_gate_t            gate;
    tg_header_t          own;
    tg_refusal_t         refusal;
    ngx_http_request_t  *r = ctx->request;

    ctx->location = ctx->llcf;

    ngx_http_llm_gate(ctx->lmcf, &gate);

    if (tg_call_enter(ctx->call, &gate, &refusal) != TG_OK) {
        if (ngx_http_llm_set_args(r, tg_call_args(ctx->call)) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ngx_http_finalize_request(r, ngx_http_llm_refuse(ctx, &refusal));
        return NGX_DONE;
    }

    if (r != r->main && ngx_http_llm_own_headers(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (tg_call_credentials(ctx->call, &own)) {
        ngx_http_llm_hide_credentials(r);
    }

    if (ngx_http_llm_set_args(r, tg_call_args(ctx->call)) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_llm_wake(ngx_http_request_t *r)
{
    ngx_event_t  *wev = r->connection->write;

    if (wev->delayed) {
        if (ngx_handle_write_event(wev, 0) != NGX_OK) {
            ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        }
        return;
    }

    if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}


/* The connection's events are of whatever request is being answered, which a
 * subrequest need not be: it has a timer of its own. */
static void
ngx_http_llm_wake_subrequest(ngx_event_t *ev)
{
    ngx_http_llm_ctx_t  *ctx = ev->data;
    ngx_http_request_t  *r = ctx->request;
    ngx_connection_t    *c = r->connection;

    if (ev->timer_set) {
        ngx_del_timer(ev);
    }

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_http_llm_suspend_subrequest(ngx_http_llm_ctx_t *ctx, ngx_msec_t timeout)
{
    ngx_http_request_t  *r = ctx->request;

    if (ctx->sleep == NULL) {
        ctx->sleep = ngx_pcalloc(r->pool, sizeof(ngx_event_t));
        if (ctx->sleep == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ctx->sleep->handler = ngx_http_llm_wake_subrequest;
        ctx->sleep->data = ctx;
        ctx->sleep->log = r->connection->log;
    }

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;
    ngx_add_timer(ctx->sleep, timeout);

    return NGX_AGAIN;
}


/* As ngx_http_limit_req_module does. */
ngx_int_t
ngx_http_llm_suspend(ngx_http_llm_ctx_t *ctx, ngx_msec_t timeout)
{
    ngx_http_request_t  *r = ctx->request;

    ctx->waiting = 1;

    if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r != r->main) {
        return ngx_http_llm_suspend_subrequest(ctx, timeout);
    }

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_llm_wake;

    r->connection->write->delayed = 1;
    ngx_add_timer(r->connection->write, timeout);

    return NGX_AGAIN;
}


/* Before its time. */
void
ngx_http_llm_resume(ngx_http_llm_ctx_t *ctx)
{
    ngx_event_t  *wev = ctx->request->connection->write;

    if (ctx->request != ctx->request->main) {
        ngx_http_llm_wake_subrequest(ctx->sleep);
        return;
    }

    wev->delayed = 0;

    if (wev->timer_set) {
        ngx_del_timer(wev);
    }

    ngx_http_llm_wake(ctx->request);
}


/* The call may go: as it is to, from this location. */
static ngx_int_t
ngx_http_llm_go(ngx_http_llm_ctx_t *ctx, const tg_gate_t *gate)
{
    ngx_chain_t               *body;
    ngx_http_request_t        *r = ctx->request;
#if (NGX_HTTP_CACHE)
    ngx_http_upstream_conf_t  *ucf;

    ucf = ngx_http_get_module_loc_conf(r, ngx_http_proxy_module);

    if (ucf->cache > 0
        && tg_call_cache_key(ctx->call, &ctx->cache_key) != TG_OK)
    {
        ctx->cache_key = tg_str_null;
    }
#endif

    if (ngx_http_llm_body_out(ctx, &body) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->request_body != NULL) {
        r->request_body->bufs = body;
    }

    ngx_http_llm_intercept(ctx);

    /* Where nothing tells of the upstream's choice, it is at hand. */

    if (tg_call_hop(ctx->call) == NULL && !ngx_http_llm_hooked(r)) {
        tg_call_sent(ctx->call, gate);
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_llm_admit(ngx_http_llm_ctx_t *ctx)
{
    int                  rc;
    tg_gate_t            gate;
    tg_refusal_t         refusal;
    ngx_http_request_t  *r = ctx->request;

    ctx->waiting = 0;

    /* Nothing is measured from here: within a millisecond it is still now. */

    if (ngx_http_llm_wall() != ctx->now.wall_ms) {
        ngx_http_llm_now(&ctx->now);
    }

    ngx_http_llm_gate(ctx->lmcf, &gate);

    if (ctx->errand != NULL) {
        rc = ngx_http_llm_fleet_reply(ctx, &gate, &refusal);

    } else {
        if (ngx_http_llm_fleet_gate(ctx, &gate) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        rc = tg_call_admit(ctx->call, &gate, &ctx->now, &refusal);
    }

    tg_desk_alerts(&ctx->lmcf->desk, ctx->call, ngx_http_llm_log_alert, ctx);

    switch (rc) {

    case TG_OK:
        break;

    case TG_AGAIN:
        return ngx_http_llm_suspend(ctx,
                                    (ngx_msec_t) tg_call_wait(ctx->call));

    case TG_CALL_ASK:
        return ngx_http_llm_fleet_ask(ctx);

    default:

        /* A phase handler can't say "this was the answer". */

        ngx_http_finalize_request(r, ngx_http_llm_refuse(ctx, &refusal));
        return NGX_DONE;
    }

    return ngx_http_llm_go(ctx, &gate);
}
