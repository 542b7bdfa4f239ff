#include "mod_llm.h"

#include <unistd.h>

APLOG_USE_MODULE(llm);

/*
 * Calls hold the lock while they look up and use a price, so that nobody has
 * one when the book it is from is thrown away.
 */
struct llm_prices_s {
    pthread_rwlock_t   lock;
    tg_price_book_t   *book;
    tg_file_state_t    files[TG_FILES_MAX];
};


/* Told with the directive's place in the configuration. */
const char *
llm_prices_declare(cmd_parms *cmd, const char *name)
{
    apr_file_t    *f;
    apr_status_t   rv;

    rv = apr_file_open(&f, name, APR_FOPEN_READ, 0, cmd->temp_pool);
    if (rv != APR_SUCCESS) {
        return apr_psprintf(cmd->pool, "can't open \"%s\": %pm", name, &rv);
    }

    (void) apr_file_close(f);

    return NULL;
}


/* All of the files, or NULL with the reason in the log. */
static tg_price_book_t *
llm_prices_read(llm_main_t *m)
{
    tg_error_t        err;
    tg_price_book_t  *book = tg_price_file_read(m->conf, &err);

    if (book == NULL) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, m->server, "LLMPrices: %s",
                     err.message);
    }

    return book;
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
    (void) tg_price_file_changed(m->conf, m->prices->files);

    m->prices->book = llm_prices_read(m);
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
    tg_price_book_t  *book, *old;

    if (m->prices == NULL
        || !tg_price_file_changed(m->conf, m->prices->files))
    {
        return;
    }

    book = llm_prices_read(m);

    if (book == NULL) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, m->server,
                     "LLMPrices: the prices before stay in use");
        return;
    }

    (void) pthread_rwlock_wrlock(&m->prices->lock);
    old = m->prices->book;
    m->prices->book = book;
    (void) pthread_rwlock_unlock(&m->prices->lock);

    tg_price_book_destroy(old);
    tg_desk_priced(&m->desk, book);

    ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, m->server,
                 "LLMPrices: %lu models are priced anew",
                 (unsigned long) tg_price_book_models(book));
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
    llm_gate_end(&gate);

    tg_desk_alerts(&llm_main->desk, ctx->call, llm_log_alert, ctx);
}
