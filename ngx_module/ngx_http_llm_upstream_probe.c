#include "ngx_http_llm_upstream.h"

/*
 * An exchange of a check.  Two deadlines: of the connection (its write event's
 * timer) and of all of it; neither keeps an old worker.
 */

#define NGX_HTTP_LLM_PROBE_BUFFER  65536

static void ngx_http_llm_probe_write(ngx_event_t *ev);
static void ngx_http_llm_probe_read(ngx_event_t *ev);
static void ngx_http_llm_probe_connect(ngx_http_llm_probe_t *p);


ngx_int_t
ngx_http_llm_probe_request(ngx_http_llm_probe_t *p, tg_str_t host,
    tg_str_t path, const char *accept)
{
    char    buf[TG_PROBE_REQUEST_MAX];
    size_t  n;

    n = tg_probe_request(buf, sizeof(buf), host, path, tg_strz(accept));
    if (n == 0) {
        return NGX_ERROR;
    }

    p->request.data = ngx_alloc(n, p->log);
    if (p->request.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p->request.data, buf, n);
    p->request.len = n;

    return NGX_OK;
}


static void
ngx_http_llm_probe_close(ngx_http_llm_probe_t *p)
{
    ngx_pool_t        *pool;
    ngx_connection_t  *c = p->connection;

    if (c == NULL) {
        return;
    }

    p->connection = NULL;

#if (NGX_HTTP_SSL)
    if (c->ssl) {
        c->ssl->no_wait_shutdown = 1;
        c->ssl->no_send_shutdown = 1;
        (void) ngx_ssl_shutdown(c);
    }
#endif

    pool = c->pool;
    ngx_close_connection(c);
    ngx_destroy_pool(pool);
}


static void
ngx_http_llm_probe_idle_write(ngx_event_t *ev)
{
}


/* Between two exchanges: it is closed by them, or because this worker goes. */
static void
ngx_http_llm_probe_idle(ngx_event_t *ev)
{
    char               buf[1];
    ngx_connection_t  *c = ev->data;

    if (!c->close && recv(c->fd, buf, 1, MSG_PEEK) == -1
        && ngx_socket_errno == NGX_EAGAIN)
    {
        ev->ready = 0;

        if (ngx_handle_read_event(ev, 0) == NGX_OK) {
            return;
        }
    }

    ngx_http_llm_probe_close(c->data);
}


static void
ngx_http_llm_probe_keep(ngx_http_llm_probe_t *p)
{
    ngx_connection_t  *c = p->connection;

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    c->idle = 1;
    c->read->handler = ngx_http_llm_probe_idle;
    c->write->handler = ngx_http_llm_probe_idle_write;

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_http_llm_probe_close(p);
    }
}


static void
ngx_http_llm_probe_end(ngx_http_llm_probe_t *p, ngx_http_llm_probed_t how,
    const char *why)
{
    ngx_uint_t  keep;

    keep = how == NGX_HTTP_LLM_ANSWERED && p->reader->keep && !ngx_exiting;

    p->status = how == NGX_HTTP_LLM_ANSWERED ? p->reader->status : 0;

    ngx_free(p->reader);
    p->reader = NULL;

    if (p->deadline.timer_set) {
        ngx_del_timer(&p->deadline);
    }

    if (keep) {
        ngx_http_llm_probe_keep(p);

    } else {
        ngx_http_llm_probe_close(p);
    }

    p->done(p, how, why);
}


/* A connection that was kept may have been closed before it saw the request. */
static void
ngx_http_llm_probe_broken(ngx_http_llm_probe_t *p, const char *what,
    ngx_err_t err)
{
    u_char  *last, why[TG_BACKEND_WHY_MAX];

    if (p->reused && p->reader->status == 0 && p->reader->held == 0) {
        ngx_http_llm_probe_close(p);
        ngx_http_llm_probe_connect(p);
        return;
    }

    last = ngx_snprintf(why, sizeof(why) - 1, "%s", what);

    if (err != 0) {
        last = ngx_slprintf(last, why + sizeof(why) - 1, ": ");
        last = ngx_strerror(err, last,
                            (size_t) (why + sizeof(why) - 1 - last));
    }

    *last = '\0';

    ngx_http_llm_probe_end(p, NGX_HTTP_LLM_UNANSWERED, (char *) why);
}


static void
ngx_http_llm_probe_deadline(ngx_event_t *ev)
{
    ngx_http_llm_probe_end(ev->data, NGX_HTTP_LLM_UNANSWERED,
                           "no whole answer within timeout=");
}


static ngx_err_t
ngx_http_llm_probe_error(ngx_connection_t *c)
{
    int        err = 0;
    socklen_t  len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    return err;
}


static void
ngx_http_llm_probe_send(ngx_http_llm_probe_t *p)
{
    ssize_t            n;
    ngx_connection_t  *c = p->connection;

    while (p->sent < p->request.len) {
        n = c->send(c, p->request.data + p->sent, p->request.len - p->sent);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == NGX_ERROR) {
            ngx_http_llm_probe_broken(p, "the request can't be sent",
                                      ngx_socket_errno);
            return;
        }

        p->sent += (size_t) n;
    }

    if (ngx_handle_write_event(c->write, 0) != NGX_OK
        || ngx_handle_read_event(c->read, 0) != NGX_OK)
    {
        ngx_http_llm_probe_end(p, NGX_HTTP_LLM_UNASKED, NULL);
        return;
    }

    if (c->read->ready) {
        ngx_http_llm_probe_read(c->read);
    }
}


#if (NGX_HTTP_SSL)

static void
ngx_http_llm_probe_encrypted(ngx_connection_t *c)
{
    ngx_http_llm_probe_t  *p = c->data;

    if (!c->ssl->handshaked) {
        ngx_http_llm_probe_broken(p, "the TLS handshake failed", 0);
        return;
    }

    c->read->handler = ngx_http_llm_probe_read;
    c->write->handler = ngx_http_llm_probe_write;

    ngx_http_llm_probe_send(p);
}


/* Who it is is not looked at: nothing secret is sent, see docs/gpu.md. */
static void
ngx_http_llm_probe_encrypt(ngx_http_llm_probe_t *p)
{
    ngx_int_t          rc;
    ngx_connection_t  *c = p->connection;

    if (ngx_ssl_create_connection(p->ssl, c, NGX_SSL_BUFFER|NGX_SSL_CLIENT)
        != NGX_OK
        || (p->ssl_name.len != 0
            && SSL_set_tlsext_host_name(c->ssl->connection,
                                        (char *) p->ssl_name.data)
               == 0))
    {
        ngx_http_llm_probe_end(p, NGX_HTTP_LLM_UNASKED, NULL);
        return;
    }

    c->sendfile = 0;
    rc = ngx_ssl_handshake(c);

    if (rc == NGX_AGAIN) {
        c->ssl->handler = ngx_http_llm_probe_encrypted;
        return;
    }

    ngx_http_llm_probe_encrypted(c);
}

#endif


static void
ngx_http_llm_probe_connected(ngx_http_llm_probe_t *p)
{
    ngx_connection_t  *c = p->connection;

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

#if (NGX_HTTP_SSL)
    if (p->ssl != NULL && c->ssl == NULL) {
        ngx_http_llm_probe_encrypt(p);
        return;
    }
#endif

    ngx_http_llm_probe_send(p);
}


static void
ngx_http_llm_probe_write(ngx_event_t *ev)
{
    ngx_err_t              err;
    ngx_connection_t      *c = ev->data;
    ngx_http_llm_probe_t  *p = c->data;

    if (ev->timedout) {
        ngx_http_llm_probe_broken(p, "no connection within connect=", 0);
        return;
    }

    if (!ev->timer_set) {
        ngx_http_llm_probe_send(p);
        return;
    }

    err = ngx_http_llm_probe_error(c);

    if (err != 0) {
        ngx_http_llm_probe_broken(p, "connect() failed", err);
        return;
    }

    ngx_http_llm_probe_connected(p);
}


static void
ngx_http_llm_probe_read(ngx_event_t *ev)
{
    static u_char  buf[NGX_HTTP_LLM_PROBE_BUFFER];

    int                    rc;
    ssize_t                n;
    ngx_err_t              err;
    tg_error_t             why;
    ngx_connection_t      *c = ev->data;
    ngx_http_llm_probe_t  *p = c->data;

    if (c->write->timer_set) {
        err = ngx_http_llm_probe_error(c);

        if (err != 0) {
            ngx_http_llm_probe_broken(p, "connect() failed", err);
        }

        return;
    }

    do {
        n = c->recv(c, buf, sizeof(buf));

        if (n == NGX_AGAIN) {
            if (ngx_handle_read_event(ev, 0) != NGX_OK) {
                ngx_http_llm_probe_end(p, NGX_HTTP_LLM_UNASKED, NULL);
            }
            return;
        }

        if (n == NGX_ERROR) {
            ngx_http_llm_probe_broken(p, "the connection broke",
                                      ngx_socket_errno);
            return;
        }

        if (n == 0) {
            if (p->reader->status == 0 && p->reader->held == 0) {
                ngx_http_llm_probe_broken(p, "it closed the connection", 0);
                return;
            }

            rc = tg_probe_closed(p->reader, &why);

        } else {
            rc = tg_probe_feed(p->reader, (char *) buf, (size_t) n, p->body,
                               p->data, &why);
        }

        if (rc != TG_OK) {
            ngx_http_llm_probe_end(p, NGX_HTTP_LLM_UNANSWERED, why.message);
            return;
        }

    } while (!p->reader->done && n != 0);

    ngx_http_llm_probe_end(p, NGX_HTTP_LLM_ANSWERED, NULL);
}


static void
ngx_http_llm_probe_connect(ngx_http_llm_probe_t *p)
{
    ngx_int_t               rc;
    ngx_connection_t       *c;
    ngx_peer_connection_t   pc;

    ngx_memzero(&pc, sizeof(ngx_peer_connection_t));

    pc.sockaddr = p->sockaddr;
    pc.socklen = p->socklen;
    pc.name = &p->name;
    pc.get = ngx_event_get_peer;
    pc.log = p->log;
    pc.log_error = NGX_ERROR_INFO;

    p->sent = 0;
    p->reused = 0;

    rc = ngx_event_connect_peer(&pc);

    if (rc != NGX_OK && rc != NGX_AGAIN) {
        if (rc == NGX_DECLINED) {
            ngx_http_llm_probe_broken(p, "connect() failed",
                                      ngx_socket_errno);
        } else {
            ngx_http_llm_probe_end(p, NGX_HTTP_LLM_UNASKED, NULL);
        }
        return;
    }

    c = pc.connection;
    p->connection = c;

    c->data = p;
    c->read->handler = ngx_http_llm_probe_read;
    c->write->handler = ngx_http_llm_probe_write;
    c->write->cancelable = 1;
    c->read->log = p->log;
    c->write->log = p->log;

    c->pool = ngx_create_pool(256, p->log);
    if (c->pool == NULL) {
        ngx_close_connection(c);
        p->connection = NULL;
        ngx_http_llm_probe_end(p, NGX_HTTP_LLM_UNASKED, NULL);
        return;
    }

    if (rc == NGX_AGAIN) {
        ngx_add_timer(c->write, p->connect);
        return;
    }

    ngx_http_llm_probe_connected(p);
}


/* Unless one is under way. */
void
ngx_http_llm_probe_start(ngx_http_llm_probe_t *p)
{
    ngx_connection_t  *c = p->connection;

    if (p->reader != NULL) {
        return;
    }

    p->reader = ngx_alloc(sizeof(tg_probe_t), p->log);
    if (p->reader == NULL) {
        return;
    }

    tg_probe_init(p->reader);

    p->deadline.handler = ngx_http_llm_probe_deadline;
    p->deadline.data = p;
    p->deadline.log = p->log;
    p->deadline.cancelable = 1;
    ngx_add_timer(&p->deadline, p->timeout);

    if (c == NULL) {
        ngx_http_llm_probe_connect(p);
        return;
    }

    c->idle = 0;
    c->read->handler = ngx_http_llm_probe_read;
    c->write->handler = ngx_http_llm_probe_write;

    p->sent = 0;
    p->reused = 1;

    ngx_http_llm_probe_send(p);
}


void
ngx_http_llm_probe_free(ngx_http_llm_probe_t *p)
{
    if (p->deadline.timer_set) {
        ngx_del_timer(&p->deadline);
    }

    ngx_http_llm_probe_close(p);

    ngx_free(p->reader);
    ngx_free(p->request.data);

    p->reader = NULL;
    p->request.data = NULL;
    p->request.len = 0;
}


ngx_ssl_t *
ngx_http_llm_probe_ssl(ngx_conf_t *cf)
{
#if (NGX_HTTP_SSL)
    ngx_ssl_t           *ssl;
    ngx_pool_cleanup_t  *cln;

    ssl = ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t));
    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (ssl == NULL || cln == NULL) {
        return NULL;
    }

    ssl->log = cf->log;

    if (ngx_ssl_create(ssl, NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3, NULL) != NGX_OK) {
        return NULL;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = ssl;

    return ssl;
#else
    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "llm: this nginx has no TLS, which checks are to use");
    return NULL;
#endif
}
