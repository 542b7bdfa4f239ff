#include "mod_llm.h"

#include "mod_proxy.h"
#include "apr_optional_hooks.h"
#include "apr_portable.h"

#include <poll.h>

APLOG_USE_MODULE(llm);

/*
 * mod_proxy does not look at its client while it waits for the upstream.  We do
 * that waiting in its place: for either to say something.  A call whose client
 * has left ends there, or is drained: read on without the client, so that the
 * provider's own count of usage is seen.
 */

/* A stream of HTTP/2 has no socket: its connection is looked at so often. */
#define LLM_SLICE_MS  200

typedef enum {
    LLM_READY = 0,              /* or will never be: the proxy shall find out */
    LLM_LEFT,
    LLM_LATE,
    LLM_STOPPED
} llm_wait_t;

/* A fast stop has begun: nothing is waited for any more. */
static int  llm_stopped;


bool
llm_is_stopped(void)
{
    return __atomic_load_n(&llm_stopped, __ATOMIC_ACQUIRE) != 0;
}


static int
llm_socket(conn_rec *c)
{
    apr_os_sock_t   fd;
    apr_socket_t   *s = ap_get_conn_socket(c);

    return s != NULL && apr_os_sock_get(&fd, s) == APR_SUCCESS ? fd : -1;
}


/* At a fast stop httpd closes its clients' sockets, and tells of it then. */
static bool
llm_stops(conn_rec *c)
{
    apr_os_sock_t   fd;
    apr_socket_t   *s = c->master == NULL ? ap_get_conn_socket(c) : NULL;

    return llm_is_stopped()
           || (s != NULL && apr_os_sock_get(&fd, s) == APR_SUCCESS && fd == -1);
}


/* Waits for the upstream.  client: for its client's leave, too. */
static llm_wait_t
llm_wait(llm_ctx_t *ctx, bool client, int64_t limit_ms)
{
    int             n, slice;
    conn_rec       *c = ctx->request->connection;
    apr_time_t      end = apr_time_now() + limit_ms * 1000, left;
    struct pollfd   fds[2];

    fds[0].fd = ctx->origin_fd;
    fds[0].events = POLLIN;
    fds[1].fd = client && c->master == NULL ? llm_socket(c) : -1;
    fds[1].events = POLLRDHUP;

    if (fds[0].fd == -1) {
        return LLM_READY;
    }

    for ( ;; ) {
        left = (end - apr_time_now()) / 1000;
        if (left < 0) {
            return LLM_LATE;
        }

        slice = left > APR_INT32_MAX ? APR_INT32_MAX : (int) left + 1;
        if (client && fds[1].fd == -1 && slice > LLM_SLICE_MS) {
            slice = LLM_SLICE_MS;
        }

        n = poll(fds, 2, slice);

        if (n == -1 && errno != EINTR) {
            return LLM_READY;
        }

        if (llm_stops(c)) {
            ctx->stopped = 1;
            return LLM_STOPPED;
        }

        /* This first: the proxy looks at `aborted`, too, and would stop. */

        if (client && (c->aborted || (n > 0 && fds[1].revents != 0))) {
            return LLM_LEFT;
        }

        if (n > 0 && fds[0].revents != 0) {
            return LLM_READY;
        }
    }
}


/*
 * The client has left in mid-answer.  APR_SUCCESS: the answer is drained, and
 * the proxy is not to know; else it is to give up.
 */
apr_status_t
llm_client_left(llm_ctx_t *ctx)
{
    conn_rec  *c = ctx->request->connection;

    ctx->client_gone = 1;

    if (ctx->scope.drain_ms <= 0 || ctx->origin == NULL || llm_is_stopped()) {
        c->aborted = 1;
        return APR_ECONNABORTED;
    }

    ctx->draining = 1;
    ctx->deadline = apr_time_now() + ctx->scope.drain_ms * 1000;
    c->aborted = 0;

    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, ctx->request,
                  "llm: client has left, its answer is drained");

    return APR_SUCCESS;
}


static apr_status_t
llm_give_up(llm_ctx_t *ctx)
{
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, ctx->request,
                  "llm: gave up draining an answer");

    ctx->request->connection->aborted = 1;

    return APR_ECONNABORTED;
}


apr_status_t
llm_client_swallow(llm_ctx_t *ctx, bool eos)
{
    if (eos) {
        ctx->request->connection->aborted = 1;
        return APR_SUCCESS;
    }

    if (apr_time_now() > ctx->deadline) {
        return llm_give_up(ctx);
    }

    /* mod_http2 says it again and again. */

    ctx->request->connection->aborted = 0;

    return APR_SUCCESS;
}


/* The upstream's timeout, which is the proxy's to find passed. */
static int64_t
llm_timeout_ms(llm_ctx_t *ctx)
{
    apr_socket_t            *s = ap_get_conn_socket(ctx->origin);
    apr_interval_time_t      t;

    return s == NULL || apr_socket_timeout_get(s, &t) != APR_SUCCESS || t < 0
           ? APR_INT32_MAX : t / 1000;
}


static void
llm_timed_out(llm_ctx_t *ctx)
{
    apr_socket_t  *s = ap_get_conn_socket(ctx->origin);

    if (s != NULL) {
        (void) apr_socket_timeout_set(s, 1000);
    }
}


static apr_status_t
llm_drain_wait(llm_ctx_t *ctx)
{
    switch (llm_wait(ctx, false, (ctx->deadline - apr_time_now()) / 1000)) {

    case LLM_LATE:
    case LLM_STOPPED:
        return llm_give_up(ctx);

    default:
        return APR_SUCCESS;
    }
}


/* The proxy has nothing to read and is going to wait. */
apr_status_t
llm_client_wait(llm_ctx_t *ctx)
{
    apr_status_t  rv;

    if (ctx->origin == NULL) {
        return APR_SUCCESS;
    }

    if (ctx->draining) {
        return llm_drain_wait(ctx);
    }

    switch (llm_wait(ctx, true, llm_timeout_ms(ctx))) {

    case LLM_READY:
        break;

    case LLM_LATE:
        llm_timed_out(ctx);
        break;

    case LLM_STOPPED:
        ctx->request->connection->aborted = 1;
        return APR_ECONNABORTED;

    case LLM_LEFT:
        rv = llm_client_left(ctx);
        return rv == APR_SUCCESS ? llm_drain_wait(ctx) : rv;
    }

    return APR_SUCCESS;
}


/* Others are in a call's way.  OK: it may ask again; else a status. */
int
llm_client_pause(llm_ctx_t *ctx, int64_t ms)
{
    int             n, slice;
    conn_rec       *c = ctx->request->connection;
    apr_time_t      end = apr_time_now() + ms * 1000, left;
    struct pollfd   client;

    client.fd = c->master == NULL ? llm_socket(c) : -1;
    client.events = POLLRDHUP;

    while ((left = (end - apr_time_now()) / 1000) >= 0) {
        slice = left < LLM_SLICE_MS ? (int) left + 1 : LLM_SLICE_MS;
        n = poll(&client, 1, slice);

        if (llm_stops(c)) {
            ctx->stopped = 1;
            return HTTP_SERVICE_UNAVAILABLE;
        }

        if (c->aborted || (n > 0 && client.revents != 0)) {
            ctx->client_gone = 1;
            ctx->error_status = TG_HTTP_CLIENT_CLOSED;
            return HTTP_REQUEST_TIME_OUT;
        }
    }

    return OK;
}


void
llm_client_stop(void)
{
    __atomic_store_n(&llm_stopped, 1, __ATOMIC_RELEASE);
}


/* Who waits for his upstream, with the list of open calls locked. */
void
llm_client_wake(llm_ctx_t *ctx)
{
    if (ctx->origin_fd != -1) {
        (void) shutdown(ctx->origin_fd, SHUT_RDWR);
    }
}


/* What mod_proxy says about an upstream that we left is of no interest. */
static void
llm_hush(request_rec *r)
{
    r->log = apr_pcalloc(r->pool, sizeof(struct ap_logconf));
}


/* The request has been sent, and the proxy is going to wait for its answer.
 * Where the client leaves before that, the upstream is told so. */
static int
llm_proxy_create_req(request_rec *r, request_rec *pr)
{
    llm_ctx_t   *ctx = llm_get_ctx(r);
    const char  *interim;

    if (ctx == NULL) {
        return OK;
    }

    ctx->origin = pr->connection;
    ctx->origin_fd = llm_socket(ctx->origin);

    /* It may be waiting for "100 Continue", with a timeout of its own. */

    interim = apr_table_get(r->subprocess_env, "proxy-interim-response");

    if (interim != NULL || ctx->scope.drain_ms > 0) {
        return OK;
    }

    switch (llm_wait(ctx, true, llm_timeout_ms(ctx))) {

    case LLM_READY:
        break;

    case LLM_LATE:
        llm_timed_out(ctx);
        break;

    case LLM_LEFT:
        ctx->client_gone = 1;
        ctx->error_status = TG_HTTP_CLIENT_CLOSED;
        (void) shutdown(ctx->origin_fd, SHUT_RDWR);
        llm_hush(r);
        break;

    case LLM_STOPPED:
        llm_hush(r);
        break;
    }

    return OK;
}


void
llm_client_hooks(apr_pool_t *p)
{
    (void) p;

    APR_OPTIONAL_HOOK(proxy, create_req, llm_proxy_create_req, NULL, NULL,
                      APR_HOOK_MIDDLE);
}
