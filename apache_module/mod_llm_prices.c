#include "mod_llm.h"

#include "apr_file_info.h"

#include <stdlib.h>
#include <unistd.h>

APLOG_USE_MODULE(llm);

#define LLM_PRICES_MAX  (64 * 1024 * 1024)

/* What tells one state of a file from another. */
typedef struct {
    apr_time_t   mtime;
    apr_off_t    size;
    apr_ino_t    ino;
} llm_stat_t;

/*
 * Calls hold the lock while they look up and use a price, so that nobody has
 * one when the book it is from is thrown away.
 */
struct llm_prices_s {
    pthread_rwlock_t   lock;
    tg_price_book_t   *book;
    llm_stat_t         stats[TG_FILES_MAX];
};


/* Told with the directive's place in the configuration. */
const char *
llm_prices_declare(cmd_parms *cmd, const char *name)
{
    apr_file_t    *f;
    apr_status_t   rv;

    rv = apr_file_open(&f, name, APR_FOPEN_READ, 0, cmd->temp_pool);
    if (rv != APR_SUCCESS) {
        return apr_psprintf(cmd->pool, "%s can't open \"%s\": %pm",
                            cmd->cmd->name, name, &rv);
    }

    (void) apr_file_close(f);

    return NULL;
}


static int
llm_read_whole(const char *name, char **text, apr_size_t *size, apr_pool_t *p,
    server_rec *s)
{
    apr_file_t    *f;
    apr_finfo_t    fi;
    apr_status_t   rv;

    rv = apr_file_open(&f, name, APR_FOPEN_READ | APR_FOPEN_BINARY, 0, p);
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, s,
                     "LLMPrices: can't open \"%s\"", name);
        return HTTP_INTERNAL_SERVER_ERROR;
    }

    rv = apr_file_info_get(&fi, APR_FINFO_SIZE | APR_FINFO_TYPE, f);

    if (rv != APR_SUCCESS || fi.filetype != APR_REG
        || fi.size > LLM_PRICES_MAX)
    {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, s, "LLMPrices: \"%s\" is not a"
                     " file of at most 64m", name);
        (void) apr_file_close(f);
        return HTTP_INTERNAL_SERVER_ERROR;
    }

    *size = (apr_size_t) fi.size;
    *text = malloc(*size + 1);

    rv = *text == NULL ? APR_ENOMEM
         : apr_file_read_full(f, *text, *size, NULL);
    (void) apr_file_close(f);

    if (rv != APR_SUCCESS && *size != 0) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, s,
                     "LLMPrices: can't read \"%s\"", name);
        free(*text);
        return HTTP_INTERNAL_SERVER_ERROR;
    }

    return OK;
}


/* All of the files, or NULL with the reason in the log. */
static tg_price_book_t *
llm_prices_read(llm_main_t *m, apr_pool_t *p)
{
    int               rc;
    char             *text;
    tg_str_t          name;
    apr_size_t        size;
    tg_error_t        err;
    tg_price_book_t  *book = tg_price_book_create();

    for (unsigned i = 0; book != NULL && i < m->conf->nprices; i++) {
        name = m->conf->prices[i];

        if (llm_read_whole(name.p, &text, &size, p, m->server) != OK) {
            tg_price_book_destroy(book);
            return NULL;
        }

        rc = tg_price_book_add(book, name, tg_str_of(text, size), &err);
        free(text);

        if (rc != TG_OK) {
            ap_log_error(APLOG_MARK, APLOG_ERR, 0, m->server, "LLMPrices: %s",
                         err.message);
            tg_price_book_destroy(book);
            return NULL;
        }
    }

    return book;
}


static bool
llm_prices_changed(llm_main_t *m, apr_pool_t *p)
{
    bool          changed = false;
    llm_stat_t    now, *then;
    apr_finfo_t   fi;

    for (unsigned i = 0; i < m->conf->nprices; i++) {
        memset(&now, 0, sizeof(now));
        then = &m->prices->stats[i];

        if (apr_stat(&fi, m->conf->prices[i].p, APR_FINFO_MTIME
                     | APR_FINFO_SIZE | APR_FINFO_INODE, p) == APR_SUCCESS)
        {
            now.mtime = fi.mtime;
            now.size = fi.size;
            now.ino = fi.inode;
        }

        if (now.mtime != then->mtime || now.size != then->size
            || now.ino != then->ino)
        {
            *then = now;
            changed = true;
        }
    }

    return changed;
}


static apr_status_t
llm_prices_free(void *data)
{
    llm_main_t  *m = data;

    if (m->pid == getpid()) {
        tg_price_book_destroy(m->prices->book);
        (void) pthread_rwlock_destroy(&m->prices->lock);
    }

    return APR_SUCCESS;
}


int
llm_prices_load(llm_main_t *m)
{
    if (m->conf->nprices == 0) {
        return OK;
    }

    m->prices = apr_pcalloc(m->pool, sizeof(llm_prices_t));
    (void) pthread_rwlock_init(&m->prices->lock, NULL);
    (void) llm_prices_changed(m, m->pool);

    m->prices->book = llm_prices_read(m, m->pool);
    if (m->prices->book == NULL) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }

    apr_pool_cleanup_register(m->pool, m, llm_prices_free,
                              apr_pool_cleanup_null);

    return OK;
}


/* Once a second, in a thread that serves no request. */
void
llm_prices_check(llm_main_t *m)
{
    apr_pool_t       *p;
    tg_price_book_t  *book, *old;

    if (m->prices == NULL
        || apr_pool_create_unmanaged_ex(&p, NULL, NULL) != APR_SUCCESS)
    {
        return;
    }

    if (llm_prices_changed(m, p)) {
        book = llm_prices_read(m, p);

        if (book != NULL) {
            (void) pthread_rwlock_wrlock(&m->prices->lock);
            old = m->prices->book;
            m->prices->book = book;
            (void) pthread_rwlock_unlock(&m->prices->lock);

            tg_price_book_destroy(old);

            ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, m->server,
                         "LLMPrices: %lu models are priced anew",
                         (unsigned long) tg_price_book_models(book));

        } else {
            ap_log_error(APLOG_MARK, APLOG_ERR, 0, m->server,
                         "LLMPrices: the prices before stay in use");
        }
    }

    apr_pool_destroy(p);
}


/* The prices in use stay so until llm_prices_release(); NULL: there are
 * none. */
const tg_price_book_t *
llm_prices_hold(void)
{
    llm_prices_t  *pr = llm_main->prices;

    if (pr == NULL) {
        return NULL;
    }

    (void) pthread_rwlock_rdlock(&pr->lock);

    return pr->book;
}


void
llm_prices_release(void)
{
    if (llm_main->prices != NULL) {
        (void) pthread_rwlock_unlock(&llm_main->prices->lock);
    }
}


void
llm_prices_finish(llm_ctx_t *ctx, tg_end_t end, unsigned status)
{
    tg_gate_t  gate;

    (void) llm_gate(&gate, llm_prices_hold());
    tg_call_finish(ctx->call, end, status, &gate, &ctx->now);
    llm_prices_release();

    tg_desk_alerts(&llm_main->desk, ctx->call, llm_log_alert, ctx);
}
