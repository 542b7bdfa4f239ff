#include "ngx_http_llm.h"

#define NGX_HTTP_LLM_PRICES_INTERVAL  1000
#define NGX_HTTP_LLM_PRICES_MAX       (64 * 1024 * 1024)

/* What tells one state of a file from another. */
typedef struct {
    time_t      mtime;
    long        mtime_ns;
    off_t       size;
    ino_t       ino;
} ngx_http_llm_stat_t;


static ngx_int_t
ngx_http_llm_read_whole(const char *name, u_char **text, size_t *size,
    ngx_log_t *log)
{
    ssize_t          n;
    ngx_fd_t         fd;
    ngx_int_t        rc = NGX_ERROR;
    ngx_file_info_t  fi;

    fd = ngx_open_file((u_char *) name, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    if (fd == NGX_INVALID_FILE) {
        ngx_log_error(NGX_LOG_ERR, log, ngx_errno,
                      "llm_prices: can't open \"%s\"", name);
        return NGX_ERROR;
    }

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR || !ngx_is_file(&fi)
        || ngx_file_size(&fi) > NGX_HTTP_LLM_PRICES_MAX)
    {
        ngx_log_error(NGX_LOG_ERR, log, 0, "llm_prices: \"%s\" is not a file of"
                      " at most 64m", name);
        goto done;
    }

    *size = (size_t) ngx_file_size(&fi);
    *text = ngx_alloc(*size + 1, log);
    if (*text == NULL) {
        goto done;
    }

    n = ngx_read_fd(fd, *text, *size);

    if (n != (ssize_t) *size) {
        ngx_log_error(NGX_LOG_ERR, log, ngx_errno,
                      "llm_prices: can't read \"%s\"", name);
        ngx_free(*text);
        goto done;
    }

    rc = NGX_OK;

done:

    (void) ngx_close_file(fd);

    return rc;
}


/* All of the files, or NULL with the reason in the log. */
static tg_price_book_t *
ngx_http_llm_prices_read(ngx_http_llm_main_conf_t *lmcf, ngx_log_t *log)
{
    int               rc;
    size_t            size;
    u_char           *text;
    unsigned          i;
    tg_str_t          name;
    tg_error_t        err;
    tg_price_book_t  *book;

    book = tg_price_book_create();
    if (book == NULL) {
        return NULL;
    }

    for (i = 0; i < lmcf->conf->nprices; i++) {
        name = lmcf->conf->prices[i];

        if (ngx_http_llm_read_whole(name.p, &text, &size, log) != NGX_OK) {
            goto failed;
        }

        rc = tg_price_book_add(book, name, tg_str_of((char *) text, size),
                               &err);
        ngx_free(text);

        if (rc != TG_OK) {
            ngx_log_error(NGX_LOG_ERR, log, 0, "llm_prices: %s", err.message);
            goto failed;
        }
    }

    return book;

failed:

    tg_price_book_destroy(book);

    return NULL;
}


static ngx_uint_t
ngx_http_llm_prices_stat(ngx_http_llm_main_conf_t *lmcf)
{
    unsigned              i;
    ngx_uint_t            changed = 0;
    ngx_file_info_t       fi;
    ngx_http_llm_stat_t  *st = lmcf->price_stats.elts, now;

    for (i = 0; i < lmcf->conf->nprices; i++) {
        ngx_memzero(&now, sizeof(now));

        if (ngx_file_info((u_char *) lmcf->conf->prices[i].p, &fi)
            != NGX_FILE_ERROR)
        {
            now.mtime = fi.st_mtim.tv_sec;
            now.mtime_ns = fi.st_mtim.tv_nsec;
            now.size = fi.st_size;
            now.ino = fi.st_ino;
        }

        if (ngx_memcmp(&now, &st[i], sizeof(now)) != 0) {
            ngx_memcpy(&st[i], &now, sizeof(now));
            changed = 1;
        }
    }

    return changed;
}


static void
ngx_http_llm_prices_free(void *data)
{
    ngx_http_llm_main_conf_t  *lmcf = data;

    tg_price_book_destroy(lmcf->book);
}


ngx_int_t
ngx_http_llm_prices_load(ngx_conf_t *cf, ngx_http_llm_main_conf_t *lmcf)
{
    void                *stats;
    ngx_pool_cleanup_t  *cln;

    if (lmcf->conf->nprices == 0) {
        return NGX_OK;
    }

    if (ngx_array_init(&lmcf->price_stats, cf->pool, lmcf->conf->nprices,
                       sizeof(ngx_http_llm_stat_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    stats = ngx_array_push_n(&lmcf->price_stats, lmcf->conf->nprices);
    if (stats == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(stats, lmcf->conf->nprices * sizeof(ngx_http_llm_stat_t));

    (void) ngx_http_llm_prices_stat(lmcf);

    lmcf->book = ngx_http_llm_prices_read(lmcf, cf->log);
    if (lmcf->book == NULL) {
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_llm_prices_free;
    cln->data = lmcf;

    return NGX_OK;
}


static void
ngx_http_llm_prices_timer(ngx_event_t *ev)
{
    tg_price_book_t           *book;
    ngx_http_llm_main_conf_t  *lmcf = ev->data;

    if (ngx_exiting) {
        return;
    }

    /* Prices of a call are looked up and used at one go: nobody holds one. */

    if (ngx_http_llm_prices_stat(lmcf)) {
        book = ngx_http_llm_prices_read(lmcf, ev->log);

        if (book != NULL) {
            tg_price_book_destroy(lmcf->book);
            lmcf->book = book;
            ngx_log_error(NGX_LOG_NOTICE, ev->log, 0,
                          "llm_prices: %uz models are priced anew",
                          tg_price_book_models(book));

        } else {
            ngx_log_error(NGX_LOG_ERR, ev->log, 0,
                          "llm_prices: the prices before stay in use");
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
