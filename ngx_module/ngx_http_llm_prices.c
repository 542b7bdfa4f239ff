#include "ngx_http_llm.h"

#define NGX_HTTP_LLM_PRICES_INTERVAL  1000


static void
ngx_http_llm_prices_free(void *data)
{
    ngx_http_llm_main_conf_t  *lmcf = data;

    tg_price_book_destroy(lmcf->book);
}


/* The files of one directive, read at once, so that an error has its place. */
int
ngx_http_llm_prices_load(ngx_conf_t *cf, ngx_http_llm_main_conf_t *lmcf,
    unsigned first, tg_error_t *err)
{
    unsigned             i;
    ngx_pool_cleanup_t  *cln;

    if (lmcf->book == NULL) {
        cln = ngx_pool_cleanup_add(cf->pool, 0);
        lmcf->book = tg_price_book_create();

        if (cln == NULL || lmcf->book == NULL) {
            return tg_error(err, 0, 0, "no memory");
        }

        cln->handler = ngx_http_llm_prices_free;
        cln->data = lmcf;
    }

    (void) tg_price_file_changed(lmcf->conf, lmcf->price_files);

    for (i = first; i < lmcf->conf->nprices; i++) {
        if (tg_price_file_add(lmcf->book, lmcf->conf->prices[i], err)
            != TG_OK)
        {
            return TG_ERROR;
        }
    }

    return TG_OK;
}


static void
ngx_http_llm_prices_timer(ngx_event_t *ev)
{
    tg_error_t                 err;
    tg_price_book_t           *book;
    ngx_http_llm_main_conf_t  *lmcf = ev->data;

    if (ngx_exiting) {
        return;
    }

    /* Prices of a call are looked up and used at one go: nobody holds one. */

    if (tg_price_file_changed(lmcf->conf, lmcf->price_files)) {
        book = tg_price_file_read(lmcf->conf, &err);

        if (book != NULL) {
            tg_price_book_destroy(lmcf->book);
            lmcf->book = book;
            tg_desk_priced(&lmcf->desk, book);
            ngx_log_error(NGX_LOG_NOTICE, ev->log, 0,
                          "llm_prices: %uz models are priced anew",
                          tg_price_book_models(book));

        } else {
            ngx_log_error(NGX_LOG_ERR, ev->log, 0,
                          "llm_prices: %s; the prices before stay in use",
                          err.message);
        }
    }

    ngx_add_timer(ev, NGX_HTTP_LLM_PRICES_INTERVAL);
}


void
ngx_http_llm_prices_watch(ngx_http_llm_main_conf_t *lmcf, ngx_cycle_t *cycle)
{
    if (lmcf->conf->nprices == 0) {
        return;
    }

    lmcf->price_timer.handler = ngx_http_llm_prices_timer;
    lmcf->price_timer.data = lmcf;
    lmcf->price_timer.log = cycle->log;
    lmcf->price_timer.cancelable = 1;

    ngx_add_timer(&lmcf->price_timer, NGX_HTTP_LLM_PRICES_INTERVAL);
}
