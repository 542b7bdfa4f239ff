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


/* The whole of a file, for ngx_free(); NULL and the reason. */
static u_char *
ngx_http_llm_read_whole(tg_str_t name, size_t *size, tg_error_t *err)
{
    u_char          *text = NULL;
    ssize_t          n;
    ngx_fd_t         fd;
    ngx_file_info_t  fi;

    fd = ngx_open_file((u_char *) name.p, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    if (fd == NGX_INVALID_FILE) {
        (void) tg_error(err, 0, 0, "can't open \"%s\": %s", name.p,
                        strerror(ngx_errno));
        return NULL;
    }

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR || !ngx_is_file(&fi)
        || ngx_file_size(&fi) > NGX_HTTP_LLM_PRICES_MAX)
    {
        (void) tg_error(err, 0, 0, "\"%s\" is not a file of at most 64m",
                        name.p);
        goto done;
    }

    *size = (size_t) ngx_file_size(&fi);
    text = ngx_alloc(*size + 1, ngx_cycle->log);
    if (text == NULL) {
        (void) tg_error(err, 0, 0, "no memory for \"%s\"", name.p);
        goto done;
    }

    n = ngx_read_fd(fd, text, *size);

    if (n != (ssize_t) *size) {
        (void) tg_error(err, 0, 0, "can't read \"%s\"", name.p);
        ngx_free(text);
        text = NULL;
    }

done:

    (void) ngx_close_file(fd);

    return text;
}


static int
ngx_http_llm_prices_add_file(tg_price_book_t *book, tg_str_t name,
    tg_error_t *err)
{
    int      rc;
    size_t   size;
    u_char  *text;

    text = ngx_http_llm_read_whole(name, &size, err);
    if (text == NULL) {
        return TG_ERROR;
    }

    rc = tg_price_book_add(book, name, tg_str_of((char *) text, size), err);
    ngx_free(text);

    return rc;
}


/* All of the files; NULL and the reason. */
static tg_price_book_t *
ngx_http_llm_prices_read(ngx_http_llm_main_conf_t *lmcf, tg_error_t *err)
{
    unsigned          i;
    tg_price_book_t  *book;

    book = tg_price_book_create();
    if (book == NULL) {
        (void) tg_error(err, 0, 0, "no memory");
        return NULL;
    }

    for (i = 0; i < lmcf->conf->nprices; i++) {
        if (ngx_http_llm_prices_add_file(book, lmcf->conf->prices[i], err)
            != TG_OK)
        {
            tg_price_book_destroy(book);
            return NULL;
        }
    }

    return book;
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


/* The files of one directive, read at once, so that an error has its place. */
int
ngx_http_llm_prices_load(ngx_conf_t *cf, ngx_http_llm_main_conf_t *lmcf,
    unsigned first, tg_error_t *err)
{
    void                *stats;
    unsigned             i;
    ngx_pool_cleanup_t  *cln;

    if (lmcf->book == NULL) {
        cln = ngx_pool_cleanup_add(cf->pool, 0);
        lmcf->book = tg_price_book_create();

        if (cln == NULL || lmcf->book == NULL
            || ngx_array_init(&lmcf->price_stats, cf->pool, TG_FILES_MAX,
                              sizeof(ngx_http_llm_stat_t))
               != NGX_OK)
        {
            return tg_error(err, 0, 0, "no memory");
        }

        cln->handler = ngx_http_llm_prices_free;
        cln->data = lmcf;

        stats = ngx_array_push_n(&lmcf->price_stats, TG_FILES_MAX);
        ngx_memzero(stats, TG_FILES_MAX * sizeof(ngx_http_llm_stat_t));
    }

    (void) ngx_http_llm_prices_stat(lmcf);

    for (i = first; i < lmcf->conf->nprices; i++) {
        if (ngx_http_llm_prices_add_file(lmcf->book, lmcf->conf->prices[i],
                                         err)
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

    if (ngx_http_llm_prices_stat(lmcf)) {
        book = ngx_http_llm_prices_read(lmcf, &err);

        if (book != NULL) {
            tg_price_book_destroy(lmcf->book);
            lmcf->book = book;
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
