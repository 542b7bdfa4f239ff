#include "mod_llm.h"

#include "tg_desk_lines.h"

#include "apr_portable.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

APLOG_USE_MODULE(llm);

/*
 * Lines are gathered per child and written whole, by one write() to a file
 * opened with O_APPEND, so that those of several children never mix.  A pipe
 * takes no more than PIPE_BUF at a go: there, a lock of all children does it.
 */

#define LLM_LOG_SLOTS  256

struct llm_sink_s {
    const char       *target;
    piped_log        *pipe;
    apr_file_t       *file;
    int               fd;
    llm_syslog_t     *syslog;
    size_t            size;             /* of the buffer */
    int64_t           flush_ms;

    pthread_mutex_t   lock;
    char             *buf;              /* a child's own; NULL: unbuffered */
    size_t            used;
    int64_t           since_ns;         /* its oldest line */
    tg_ledger_slot_t  slots[LLM_LOG_SLOTS];     /* of buffered lines */
    unsigned          nslots;
    apr_time_t        failed;           /* last complaint */
    size_t            lost;             /* bytes, since then */
    unsigned          number;
};

/* The handle of an LLMLog. */
typedef struct {
    llm_sink_t       *sink;
    ap_expr_info_t   *condition;
} llm_log_t;


static const char *
llm_log_target(cmd_parms *cmd, llm_sink_t *sink)
{
    char          *dir, *slash;
    const char    *error = NULL;
    struct stat    st;

    if (strncmp(sink->target, "syslog:", 7) == 0) {
        sink->syslog = llm_syslog_parse(cmd->pool, sink->target, &error);
        return error;
    }

    if (*sink->target == '|') {
        return sink->target[1] != '\0' ? NULL : "has an empty program";
    }

    /* It is opened later, and not at all by a configuration test. */

    if (stat(sink->target, &st) == 0) {
        return !S_ISDIR(st.st_mode) ? NULL
               : apr_psprintf(cmd->pool, "can't open \"%s\": it is a directory",
                              sink->target);
    }

    dir = apr_pstrdup(cmd->pool, sink->target);
    slash = strrchr(dir, '/');
    if (slash != NULL && slash != dir) {
        *slash = '\0';
    }

    if (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode)) {
        return apr_psprintf(cmd->pool, "can't open \"%s\": there is no"
                            " directory \"%s\"", sink->target, dir);
    }

    return NULL;
}


/* One a target: where two LLMLog name the same, they share it. */
static llm_sink_t *
llm_log_sink(cmd_parms *cmd, const tg_log_t *log, const char **error)
{
    const char   *target = log->target.p;
    llm_sink_t  **all = (llm_sink_t **) llm_main->sinks->elts, *sink;

    if (*target != '|' && strncmp(target, "syslog:", 7) != 0) {
        target = ap_server_root_relative(cmd->pool, target);
        if (target == NULL) {
            *error = "has a bad file name";
            return NULL;
        }
    }

    for (int i = 0; i < llm_main->sinks->nelts; i++) {
        if (strcmp(all[i]->target, target) == 0) {
            return all[i];
        }
    }

    sink = apr_pcalloc(cmd->pool, sizeof(llm_sink_t));
    sink->target = target;
    sink->number = (unsigned) llm_main->sinks->nelts;
    sink->fd = -1;
    sink->size = log->buffer;
    sink->flush_ms = log->flush_ms;
    (void) pthread_mutex_init(&sink->lock, NULL);

    *error = llm_log_target(cmd, sink);
    if (*error != NULL) {
        return NULL;
    }

    *(llm_sink_t **) apr_array_push(llm_main->sinks) = sink;

    return sink;
}


const char *
llm_log_declare(cmd_parms *cmd, tg_log_t *log)
{
    const char  *error = NULL;
    llm_log_t   *handle = apr_pcalloc(cmd->pool, sizeof(llm_log_t));

    handle->sink = llm_log_sink(cmd, log, &error);
    if (handle->sink == NULL) {
        return error;
    }

    if (log->condition.len != 0) {
        handle->condition = ap_expr_parse_cmd(cmd, log->condition.p,
                                              AP_EXPR_FLAG_DONT_VARY, &error,
                                              NULL);
        if (error != NULL) {
            return apr_psprintf(cmd->pool, "if= has no valid expression: %s",
                                error);
        }
    }

    log->handle = handle;
    log->target = tg_strz(handle->sink->target);
    *(tg_log_t **) apr_array_push(llm_main->logs) = log;

    return NULL;
}


static int
llm_log_open(llm_main_t *m, llm_sink_t *sink)
{
    apr_os_file_t  fd;
    apr_status_t   rv;

    if (*sink->target == '|') {
        sink->pipe = ap_open_piped_log(m->pool, sink->target + 1);
        if (sink->pipe == NULL) {
            return HTTP_INTERNAL_SERVER_ERROR;
        }
        sink->file = ap_piped_log_write_fd(sink->pipe);

    } else {

        /* The lines name people and money: not for everybody's eyes. */

        rv = apr_file_open(&sink->file, sink->target,
                           APR_FOPEN_WRITE | APR_FOPEN_APPEND
                           | APR_FOPEN_CREATE | APR_FOPEN_LARGEFILE,
                           APR_UREAD | APR_UWRITE | APR_GREAD, m->pool);
        if (rv != APR_SUCCESS) {
            ap_log_error(APLOG_MARK, APLOG_EMERG, rv, m->server,
                         "LLMLog: can't open \"%s\"", sink->target);
            return HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    (void) apr_os_file_get(&fd, sink->file);
    sink->fd = fd;

    return OK;
}


int
llm_log_open_all(llm_main_t *m)
{
    int           rc;
    llm_sink_t  **all = (llm_sink_t **) m->sinks->elts;

    for (int i = 0; i < m->sinks->nelts; i++) {
        if (all[i]->syslog == NULL) {
            rc = llm_log_open(m, all[i]);
            if (rc != OK) {
                return rc;
            }
        }
    }

    return OK;
}


/* In MPM prefork a child has one call at a time, and may be stopped by a signal
 * in the middle of anything: there, each line is written at once. */
void
llm_log_child(llm_main_t *m)
{
    int           threaded = AP_MPMQ_NOT_SUPPORTED;
    llm_sink_t  **all = (llm_sink_t **) m->sinks->elts;

    (void) ap_mpm_query(AP_MPMQ_IS_THREADED, &threaded);

    for (int i = 0; i < m->sinks->nelts; i++) {
        if (threaded != AP_MPMQ_NOT_SUPPORTED && all[i]->fd != -1
            && all[i]->flush_ms > 0)
        {
            all[i]->buf = malloc(all[i]->size);
        }
    }
}


/* How often buffers have to be looked at. */
int64_t
llm_log_tick(llm_main_t *m)
{
    int64_t       tick = 500;
    llm_sink_t  **all = (llm_sink_t **) m->sinks->elts;

    for (int i = 0; i < m->sinks->nelts; i++) {
        if (all[i]->buf != NULL && all[i]->flush_ms / 2 < tick) {
            tick = all[i]->flush_ms / 2;
        }
    }

    return tick < 20 ? 20 : tick;
}


static void
llm_log_complain(llm_sink_t *sink, int err, const char *p, size_t lost)
{
    apr_time_t  now = apr_time_now();

    sink->lost += lost;
    tg_desk_lost(&llm_main->desk, tg_text_lines(p, lost));

    if (sink->failed != 0 && now - sink->failed < apr_time_from_sec(60)) {
        return;
    }

    sink->failed = now;
    ap_log_error(APLOG_MARK, APLOG_ALERT, err, llm_main->server, "LLMLog:"
                 " writing to \"%s\" failed, %lu bytes of cost lines are lost",
                 sink->target, (unsigned long) sink->lost);
    sink->lost = 0;
}


static ssize_t
llm_log_try(int fd, const char *p, size_t n)
{
    ssize_t  done;

    do {
        done = write(fd, p, n);
    } while (done == -1 && errno == EINTR);

    return done;
}


/* With the sink's lock held, or in a child with one thread. */
static bool
llm_log_put(llm_sink_t *sink, const char *p, size_t n)
{
    ssize_t  done;

    /* After a full disk: what follows begins on a line of its own. */

    if (tg_desk_mends(&llm_main->desk, sink->number)) {
        if (llm_log_try(sink->fd, "\n", 1) != 1) {
            llm_log_complain(sink, errno, p, n);
            tg_desk_torn(&llm_main->desk, sink->number);
            return false;
        }
    }

    done = llm_log_try(sink->fd, p, n);

    if (done == (ssize_t) n) {
        return true;
    }

    llm_log_complain(sink, done == -1 ? errno : 0, done == -1 ? p : p + done,
                     done == -1 ? n : n - (size_t) done);

    if (done > 0 && p[done - 1] != '\n') {
        tg_desk_torn(&llm_main->desk, sink->number);
    }

    return false;
}


static bool
llm_log_put_pipe(llm_sink_t *sink, const char *p, size_t n)
{
    bool              done;
    pthread_mutex_t  *lock = &llm_main->shared->pipe;

    /* EOWNERDEAD: a child was killed, maybe in the middle of its line. */

    if (pthread_mutex_lock(lock) == EOWNERDEAD) {
        (void) pthread_mutex_consistent(lock);
        tg_desk_torn(&llm_main->desk, sink->number);
    }

    done = llm_log_put(sink, p, n);

    (void) pthread_mutex_unlock(lock);

    return done;
}


static bool
llm_log_out(llm_sink_t *sink, const char *p, size_t n)
{
    return sink->pipe != NULL ? llm_log_put_pipe(sink, p, n)
                              : llm_log_put(sink, p, n);
}


static void
llm_log_empty(llm_sink_t *sink)
{
    if (sink->used != 0) {
        (void) llm_log_out(sink, sink->buf, sink->used);
        sink->used = 0;
    }

    tg_desk_written(&llm_main->desk, sink->slots, sink->nslots);
    sink->nslots = 0;
}


void
llm_log_flush(llm_main_t *m, bool due_only)
{
    tg_now_t      now;
    llm_sink_t  **all = (llm_sink_t **) m->sinks->elts;

    llm_now(&now);

    for (int i = 0; i < m->sinks->nelts; i++) {
        if (all[i]->buf == NULL || !llm_lock_stopping(&all[i]->lock)) {
            continue;
        }

        if (!due_only || now.mono_ns - all[i]->since_ns
                         >= all[i]->flush_ms * 1000000)
        {
            llm_log_empty(all[i]);
        }

        (void) pthread_mutex_unlock(&all[i]->lock);
    }
}


static void
llm_log_syslog(llm_sink_t *sink, const char *line, size_t n)
{
    int  rc = llm_syslog_send(sink->syslog, line, n);

    if (rc != 0) {
        tg_desk_lost(&llm_main->desk, 1);
        ap_log_error(APLOG_MARK, APLOG_WARNING, rc, llm_main->server,
                     "LLMLog: sending to syslog failed");
    }
}


static bool
llm_log_put_now(const tg_log_t *log, const char *line, size_t n)
{
    bool         done;
    llm_sink_t  *sink = ((const llm_log_t *) log->handle)->sink;

    if (sink->syslog != NULL) {
        llm_log_syslog(sink, line, n);
        return true;
    }

    (void) pthread_mutex_lock(&sink->lock);
    done = llm_log_out(sink, line, n);
    (void) pthread_mutex_unlock(&sink->lock);

    return done;
}


static bool
llm_log_wanted(void *data, const tg_log_t *log)
{
    const char       *error = NULL;
    const llm_log_t  *handle = log->handle;
    const llm_ctx_t  *ctx = data;

    return handle->condition == NULL
           || ap_expr_exec(ctx->request, handle->condition, &error) > 0;
}


/* The request can't be asked for the condition any more. */
static bool
llm_log_wanted_stopping(void *data, const tg_log_t *log)
{
    (void) data;
    (void) log;

    return true;
}


/* By itself: where the line goes into a buffer, 32 KB of each thread's stack
 * would lie between the pages that it touches. */
static void
llm_log_line_now(llm_ctx_t *ctx, const tg_log_t *log, unsigned i, uint64_t seq)
{
    char    line[TG_LINE_MAX];
    size_t  n = tg_call_line(ctx->call, i, line, seq, log->format);

    (void) llm_log_put_now(log, line, n);
}


/* Where the line waits in a buffer, *slot waits with it. */
static void
llm_log_line(void *data, const tg_log_t *log, unsigned i, uint64_t seq,
    tg_ledger_slot_t **slot)
{
    llm_ctx_t   *ctx = data;
    llm_sink_t  *sink = ((const llm_log_t *) log->handle)->sink;

    if (sink->buf != NULL) {
        (void) pthread_mutex_lock(&sink->lock);

        if (sink->size - sink->used < TG_LINE_MAX
            || sink->nslots == LLM_LOG_SLOTS)
        {
            llm_log_empty(sink);
        }

        if (sink->used == 0) {
            sink->since_ns = ctx->now.mono_ns;
        }

        sink->used += tg_call_line(ctx->call, i, sink->buf + sink->used,
                                   seq, log->format);

        if (slot != NULL && *slot != NULL) {
            sink->slots[sink->nslots++] = **slot;
            *slot = NULL;
        }

        (void) pthread_mutex_unlock(&sink->lock);
        return;
    }

    llm_log_line_now(ctx, log, i, seq);
}


void
llm_log_write(llm_ctx_t *ctx, bool stopping)
{
    static const tg_desk_writer_t  usual = { llm_log_wanted, llm_log_line };
    static const tg_desk_writer_t  last = {
        llm_log_wanted_stopping, llm_log_line
    };

    tg_desk_call_lines(&llm_main->desk, ctx->call, &ctx->scope,
                       stopping ? &last : &usual, ctx);
}


/* Of no one call. */
static bool
llm_log_append(const tg_log_t *log, const char *line, size_t n)
{
    tg_now_t     now;
    llm_sink_t  *sink = ((const llm_log_t *) log->handle)->sink;

    if (sink->buf == NULL) {
        return llm_log_put_now(log, line, n);
    }

    (void) pthread_mutex_lock(&sink->lock);

    if (sink->size - sink->used < n) {
        llm_log_empty(sink);
    }

    if (sink->used == 0) {
        llm_now(&now);
        sink->since_ns = now.mono_ns;
    }

    memcpy(sink->buf + sink->used, line, n);
    sink->used += n;

    (void) pthread_mutex_unlock(&sink->lock);

    return true;
}


void
llm_log_alert(void *data, const tg_alert_t *alert)
{
    llm_ctx_t  *ctx = data;

    (void) tg_desk_alert_lines(&ctx->scope, alert, llm_log_append);
}


/* To how many. */
unsigned
llm_log_outcome(const tg_scope_t *scope, const tg_own_outcome_t *outcome)
{
    return tg_desk_outcome_lines(scope, outcome, llm_log_append);
}


void
llm_log_late_alert(void *data, const tg_alert_t *alert)
{
    llm_main_t  *m = data;

    tg_desk_late_alert_lines((tg_log_t **) m->logs->elts,
                             (size_t) m->logs->nelts, alert, llm_log_append);
}


/* The line of a call whose child died: at once, and true where it is safe. */
bool
llm_log_recovered(void *data, const tg_ledger_swept_t *call)
{
    tg_now_t     now;
    llm_main_t  *m = data;

    llm_now(&now);

    return tg_desk_recovered_lines(&m->desk, (tg_log_t **) m->logs->elts,
                                   (size_t) m->logs->nelts, call, now.wall_ms,
                                   llm_log_put_now);
}
