#include "ngx_http_llm.h"

#include "tg_desk_lines.h"

/*
 * Lines are gathered per worker and written whole, by one write() to a file
 * opened with O_APPEND, so that those of several workers never mix.
 */

#define NGX_HTTP_LLM_LOG_SLOTS  256

typedef struct {
    ngx_open_file_t           *file;
    ngx_syslog_peer_t         *syslog;
    ngx_http_complex_value_t  *condition;
    tg_log_t                  *conf;
    u_char                    *start;
    u_char                    *pos;
    u_char                    *end;
    ngx_event_t               *timer;
    ngx_fd_t                   fd;              /* whose mode has been seen to */
    tg_desk_t                 *desk;            /* whose calls these are: */
    tg_ledger_slot_t           slots[NGX_HTTP_LLM_LOG_SLOTS];
    unsigned                   nslots;          /* of buffered lines */
    time_t                     failed;          /* last complaint */
    ngx_uint_t                 lost;            /* bytes, since then */
    unsigned                   number;          /* of those to be written */
} ngx_http_llm_log_t;

/* "<PRI>Mon DD HH:MM:SS host tag: ", as ngx_syslog_add_header() writes it */
#define NGX_HTTP_LLM_SYSLOG_HEAD  (64 + NGX_MAXHOSTNAMELEN + 32)

static void ngx_http_llm_log_flush(ngx_open_file_t *file, ngx_log_t *log);
static void ngx_http_llm_log_timer(ngx_event_t *ev);


static char *
ngx_http_llm_log_file(ngx_conf_t *cf, ngx_http_llm_log_t *ll)
{
    ngx_str_t  name;

    name.data = (u_char *) ll->conf->target.p;
    name.len = ll->conf->target.len;

    ll->file = ngx_conf_open_file(cf->cycle, &name);
    if (ll->file == NULL) {
        return NGX_CONF_ERROR;
    }

    ll->conf->target = ngx_http_llm_str(&ll->file->name);

    /* One buffer a file: where two llm_log name the same, they share it. */

    if (ll->file->data != NULL) {
        return ll->file->flush == ngx_http_llm_log_flush ? NGX_CONF_OK
               : "names a file that another directive writes";
    }

    /* It is flushed once it is full: the line that fills it fits, too. */

    ll->start = ngx_pnalloc(cf->pool, ll->conf->buffer + TG_LINE_MAX);
    ll->timer = ngx_pcalloc(cf->pool, sizeof(ngx_event_t));
    if (ll->start == NULL || ll->timer == NULL) {
        return NGX_CONF_ERROR;
    }

    ll->pos = ll->start;
    ll->end = ll->start + ll->conf->buffer;
    ll->fd = NGX_INVALID_FILE;

    ll->timer->data = ll->file;
    ll->timer->handler = ngx_http_llm_log_timer;
    ll->timer->log = &cf->cycle->new_log;
    ll->timer->cancelable = 1;

    ll->file->flush = ngx_http_llm_log_flush;
    ll->file->data = ll;

    return NGX_CONF_OK;
}


char *
ngx_http_llm_log_open(ngx_conf_t *cf, ngx_http_llm_main_conf_t *lmcf,
    tg_log_t *log)
{
    ngx_str_t                          value;
    tg_log_t                         **slot;
    ngx_http_llm_log_t                *ll;
    ngx_http_compile_complex_value_t   ccv;

    if (log->off) {
        return NGX_CONF_OK;
    }

    ll = ngx_pcalloc(cf->pool, sizeof(ngx_http_llm_log_t));
    slot = ngx_array_push(&lmcf->logs);
    if (ll == NULL || slot == NULL) {
        return NGX_CONF_ERROR;
    }

    *slot = log;
    ll->conf = log;
    ll->desk = &lmcf->desk;
    ll->number = (unsigned) lmcf->logs.nelts;
    log->handle = ll;

    if (log->condition.len != 0) {
        value.data = (u_char *) log->condition.p;
        value.len = log->condition.len;

        /* What begins with other text is never empty. */

        if (value.data[0] != '$') {
            return "has an if= that always holds: it takes a variable, which is"
                   " written with a $";
        }

        ll->condition = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
        if (ll->condition == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));
        ccv.cf = cf;
        ccv.value = &value;
        ccv.complex_value = ll->condition;

        if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    if (!tg_str_starts(log->target, tg_str("syslog:"))) {
        return ngx_http_llm_log_file(cf, ll);
    }

    ll->syslog = ngx_pcalloc(cf->pool, sizeof(ngx_syslog_peer_t));
    if (ll->syslog == NULL) {
        return NGX_CONF_ERROR;
    }

    return ngx_syslog_process_conf(cf, ll->syslog);
}


/* The lines name people and money: not for everybody's eyes. */
static void
ngx_http_llm_log_mode(ngx_http_llm_log_t *ll)
{
    ngx_file_info_t  fi;

    if (ll->file->fd == ll->fd) {
        return;
    }

    ll->fd = ll->file->fd;

    if (ngx_fd_info(ll->fd, &fi) != NGX_FILE_ERROR && ngx_is_file(&fi)
        && (ngx_file_access(&fi) & 0777) == 0644)
    {
        (void) fchmod(ll->fd, 0640);
    }
}


void
ngx_http_llm_log_init_module(ngx_http_llm_main_conf_t *lmcf)
{
    tg_log_t            **log = lmcf->logs.elts;
    ngx_uint_t            i;
    ngx_http_llm_log_t   *ll;

    for (i = 0; i < lmcf->logs.nelts; i++) {
        ll = log[i]->handle;

        if (ll->file != NULL && ll->file->data == ll) {
            ngx_http_llm_log_mode(ll);
        }
    }
}


static void
ngx_http_llm_log_complain(ngx_http_llm_log_t *ll, ngx_err_t err, size_t lost,
    unsigned nlines, ngx_log_t *log)
{
    ll->lost += lost;
    tg_desk_lost(ll->desk, nlines);

    if (ngx_time() - ll->failed < 60) {
        return;
    }

    ll->failed = ngx_time();
    ngx_log_error(NGX_LOG_ALERT, log, err, "llm_log: writing to \"%V\" failed,"
                  " %ui bytes of cost lines are lost", &ll->file->name,
                  ll->lost);
    ll->lost = 0;
}


static ngx_int_t
ngx_http_llm_log_put(ngx_http_llm_log_t *ll, const char *p, size_t size,
    ngx_log_t *log)
{
    size_t   done;
    ssize_t  n;

    ngx_http_llm_log_mode(ll);

    /* After a full disk: what follows begins on a line of its own. */

    if (tg_desk_mends(ll->desk, ll->number)) {
        if (ngx_write_fd(ll->file->fd, "\n", 1) != 1) {
            ngx_http_llm_log_complain(ll, ngx_errno, size,
                                      tg_text_lines(p, size), log);
            tg_desk_torn(ll->desk, ll->number);
            return NGX_ERROR;
        }
    }

    n = ngx_write_fd(ll->file->fd, (void *) p, size);

    if (n == (ssize_t) size) {
        return NGX_OK;
    }

    done = n == -1 ? 0 : (size_t) n;
    ngx_http_llm_log_complain(ll, n == -1 ? ngx_errno : 0, size - done,
                              tg_text_lines(p + done, size - done),
                              log);

    if (n > 0 && p[n - 1] != '\n') {
        tg_desk_torn(ll->desk, ll->number);
    }

    return NGX_ERROR;
}


static void
ngx_http_llm_log_flush(ngx_open_file_t *file, ngx_log_t *log)
{
    ngx_http_llm_log_t  *ll = file->data;

    if (ll->pos != ll->start) {
        (void) ngx_http_llm_log_put(ll, (char *) ll->start,
                                    (size_t) (ll->pos - ll->start), log);
        ll->pos = ll->start;
    }

    tg_desk_written(ll->desk, ll->slots, ll->nslots);
    ll->nslots = 0;

    if (ll->timer->timer_set) {
        ngx_del_timer(ll->timer);
    }
}


static void
ngx_http_llm_log_timer(ngx_event_t *ev)
{
    ngx_http_llm_log_flush(ev->data, ev->log);
}


void
ngx_http_llm_log_flush_all(ngx_http_llm_main_conf_t *lmcf)
{
    tg_log_t            **log = lmcf->logs.elts;
    ngx_uint_t            i;
    ngx_http_llm_log_t   *ll;

    for (i = 0; i < lmcf->logs.nelts; i++) {
        ll = log[i]->handle;

        if (ll->file != NULL && ll->file->data == ll) {
            ngx_http_llm_log_flush(ll->file, ngx_cycle->log);
        }
    }
}


static void
ngx_http_llm_log_syslog(ngx_http_llm_log_t *ll, const char *line, size_t size)
{
    u_char   *buf, *p;
    ssize_t   n;

    buf = ngx_alloc(NGX_HTTP_LLM_SYSLOG_HEAD + size, ngx_cycle->log);
    if (buf == NULL) {
        tg_desk_lost(ll->desk, 1);
        return;
    }

    p = ngx_syslog_add_header(ll->syslog, buf);
    p = ngx_cpymem(p, line, size - 1);

    n = ngx_syslog_send(ll->syslog, buf, (size_t) (p - buf));

    if (n < 0) {
        tg_desk_lost(ll->desk, 1);
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "llm_log: sending to syslog failed");
    }

    ngx_free(buf);
}


static bool
ngx_http_llm_log_wanted(void *data, const tg_log_t *log)
{
    ngx_str_t            value;
    ngx_http_llm_log_t  *ll = log->handle;
    ngx_http_llm_ctx_t  *ctx = data;

    if (ll->condition == NULL) {
        return true;
    }

    return ngx_http_complex_value(ctx->request, ll->condition, &value) == NGX_OK
           && value.len != 0 && (value.len != 1 || value.data[0] != '0');
}


static void
ngx_http_llm_log_added(ngx_http_llm_log_t *ll, ngx_log_t *log)
{
    if (ll->conf->flush_ms == 0 || ll->pos >= ll->end
        || ll->nslots == NGX_HTTP_LLM_LOG_SLOTS)
    {
        ngx_http_llm_log_flush(ll->file, log);

    } else if (!ll->timer->timer_set) {
        ngx_add_timer(ll->timer, (ngx_msec_t) ll->conf->flush_ms);
    }
}


static bool
ngx_http_llm_log_append(const tg_log_t *log, const char *line, size_t n)
{
    ngx_http_llm_log_t  *ll = log->handle, *to;

    if (ll->syslog != NULL) {
        ngx_http_llm_log_syslog(ll, line, n);
        return true;
    }

    to = ll->file->data;
    to->pos = ngx_cpymem(to->pos, line, n);
    ngx_http_llm_log_added(to, ngx_cycle->log);

    return true;
}


/* Where the line waits in a buffer, *slot waits with it. */
static void
ngx_http_llm_log_line(void *data, const tg_log_t *log, unsigned i, uint64_t seq,
    tg_ledger_slot_t **slot)
{
    size_t               n;
    static char          line[TG_LINE_MAX];     /* a worker's */
    ngx_http_llm_log_t  *ll = log->handle, *to;
    ngx_http_llm_ctx_t  *ctx = data;

    if (ll->syslog != NULL) {
        n = tg_call_line(ctx->call, i, line, seq, log->format);
        ngx_http_llm_log_syslog(ll, line, n);
        return;
    }

    to = ll->file->data;

    to->pos += tg_call_line(ctx->call, i, (char *) to->pos, seq, log->format);

    if (slot != NULL && *slot != NULL) {
        to->slots[to->nslots++] = **slot;
        *slot = NULL;
    }

    ngx_http_llm_log_added(to, ctx->request->connection->log);
}


void
ngx_http_llm_log_write(ngx_http_llm_ctx_t *ctx)
{
    static const tg_desk_writer_t  writer = {
        ngx_http_llm_log_wanted, ngx_http_llm_log_line
    };

    tg_desk_call_lines(&ctx->lmcf->desk, ctx->call, &ctx->llcf->scope, &writer,
                       ctx);
}


void
ngx_http_llm_log_alert(void *data, const tg_alert_t *alert)
{
    ngx_http_llm_ctx_t  *ctx = data;

    (void) tg_desk_alert_lines(&ctx->llcf->scope, alert,
                               ngx_http_llm_log_append);
}


/* To how many. */
ngx_uint_t
ngx_http_llm_log_outcome(const tg_scope_t *scope,
    const tg_own_outcome_t *outcome)
{
    return tg_desk_outcome_lines(scope, outcome, ngx_http_llm_log_append);
}


void
ngx_http_llm_log_late_alert(void *data, const tg_alert_t *alert)
{
    ngx_http_llm_main_conf_t  *lmcf = data;

    tg_desk_late_alert_lines(lmcf->logs.elts, lmcf->logs.nelts, alert,
                             ngx_http_llm_log_append);
}


static bool
ngx_http_llm_log_put_now(const tg_log_t *log, const char *line, size_t n)
{
    ngx_http_llm_log_t  *ll = log->handle;

    if (ll->syslog != NULL) {
        ngx_http_llm_log_syslog(ll, line, n);
        return true;
    }

    return ngx_http_llm_log_put(ll->file->data, line, n, ngx_cycle->log)
           == NGX_OK;
}


/* The line of a call whose worker died: at once, and true where it is safe. */
bool
ngx_http_llm_log_recovered(void *data, const tg_ledger_swept_t *call)
{
    tg_now_t                   now;
    ngx_http_llm_main_conf_t  *lmcf = data;

    ngx_http_llm_now(&now);

    return tg_desk_recovered_lines(&lmcf->desk, lmcf->logs.elts,
                                   lmcf->logs.nelts, call, now.wall_ms,
                                   ngx_http_llm_log_put_now);
}
