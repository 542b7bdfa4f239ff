#include "mod_llm.h"

#include "ap_provider.h"
#include "ap_socache.h"
#include "apr_global_mutex.h"
#include "util_mutex.h"

#include "tg_cache_key.h"

APLOG_USE_MODULE(llm);

/*
 * Answers that have been given before, in one of httpd's caches of small
 * objects.  An answer is kept as the provider gave it, and handed out by way of
 * the same filter: it is translated and metered each time anew.
 *
 * An entry: LLM_CACHE_MARK, two bytes with the length of its content type, low
 * one first, that type, the body.
 */

#define LLM_CACHE_MUTEX     "llm-cache"
#define LLM_CACHE_MARK      "tg1\n"
#define LLM_CACHE_HEAD      (sizeof(LLM_CACHE_MARK) - 1 + 2)
#define LLM_CACHE_TYPE_MAX  256

struct llm_cache_s {
    const ap_socache_provider_t  *provider;
    ap_socache_instance_t        *instance;
    apr_global_mutex_t           *mutex;        /* NULL: none is needed */
    const char                   *lockfile;
    server_rec                   *server;
};


int
llm_cache_register(apr_pool_t *pconf)
{
    return ap_mutex_register(pconf, LLM_CACHE_MUTEX, NULL, APR_LOCK_DEFAULT, 0)
           == APR_SUCCESS ? OK : HTTP_INTERNAL_SERVER_ERROR;
}


/* NULL, or what is wrong with the store that the configuration names. */
const char *
llm_cache_declare(cmd_parms *cmd)
{
    const char   *store, *args, *error;
    llm_cache_t  *cache;

    if (llm_main->cache != NULL || llm_main->conf->cache.store.len == 0) {
        return NULL;
    }

    cache = apr_pcalloc(cmd->pool, sizeof(llm_cache_t));
    store = llm_main->conf->cache.store.p;
    args = strchr(store, ':');

    if (args != NULL) {
        store = apr_pstrmemdup(cmd->pool, store, (apr_size_t) (args - store));
        args++;
    }

    cache->provider = ap_lookup_provider(AP_SOCACHE_PROVIDER_GROUP, store,
                                         AP_SOCACHE_PROVIDER_VERSION);
    if (cache->provider == NULL) {
        return apr_psprintf(cmd->pool, "finds no cache \"%s\": mod_socache_%s"
                            " has to be loaded before", store, store);
    }

    error = cache->provider->create(&cache->instance, args, cmd->temp_pool,
                                    cmd->pool);
    if (error != NULL) {
        return error;
    }

    llm_main->cache = cache;

    return NULL;
}


static apr_status_t
llm_cache_close(void *data)
{
    llm_cache_t  *cache = data;

    cache->provider->destroy(cache->instance, cache->server);

    return APR_SUCCESS;
}


int
llm_cache_open(apr_pool_t *pconf, server_rec *s)
{
    apr_status_t              rv = APR_SUCCESS;
    llm_cache_t              *cache = llm_main->cache;
    struct ap_socache_hints   hints;

    if (cache == NULL) {
        return OK;
    }

    hints.avg_id_len = TG_CACHE_KEY;
    hints.avg_obj_size = 4096;
    hints.expiry_interval = apr_time_from_sec(60);

    cache->server = s;

    if (cache->provider->flags & AP_SOCACHE_FLAG_NOTMPSAFE) {
        rv = ap_global_mutex_create(&cache->mutex, &cache->lockfile,
                                    LLM_CACHE_MUTEX, NULL, s, pconf, 0);
    }

    if (rv == APR_SUCCESS) {
        rv = cache->provider->init(cache->instance, LLM_CACHE_MUTEX, &hints, s,
                                   pconf);
    }

    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_EMERG, rv, s, "LLMCache: can't have its"
                     " cache");
        return HTTP_INTERNAL_SERVER_ERROR;
    }

    apr_pool_cleanup_register(pconf, cache, llm_cache_close,
                              apr_pool_cleanup_null);

    return OK;
}


void
llm_cache_child(apr_pool_t *pchild)
{
    apr_status_t   rv;
    llm_cache_t   *cache = llm_main->cache;

    if (cache == NULL || cache->mutex == NULL) {
        return;
    }

    rv = apr_global_mutex_child_init(&cache->mutex, cache->lockfile, pchild);

    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, cache->server, "LLMCache: no"
                     " answer is kept");
        llm_main->cache = NULL;
    }
}


static void
llm_cache_lock(const llm_cache_t *cache)
{
    if (cache->mutex != NULL) {
        (void) apr_global_mutex_lock(cache->mutex);
    }
}


static void
llm_cache_unlock(const llm_cache_t *cache)
{
    if (cache->mutex != NULL) {
        (void) apr_global_mutex_unlock(cache->mutex);
    }
}


/* Of a call that was admitted, before its body is handed on: may its answer be
 * kept, and where? */
void
llm_cache_key(llm_ctx_t *ctx)
{
    if (llm_main->cache == NULL || ctx->scope.cache != 1
        || ctx->scope.enable != TG_ON)
    {
        return;
    }

    (void) pthread_mutex_lock(&ctx->lock);

    if (!ctx->open || tg_call_cache_key(ctx->call, &ctx->cache_key) != TG_OK) {
        ctx->cache_key = tg_str_null;
    }

    (void) pthread_mutex_unlock(&ctx->lock);
}


/* What the client says about answers that were kept. */
static bool
llm_cache_says(request_rec *r, const char *word)
{
    const char  *line = apr_table_get(r->headers_in, "Cache-Control");

    return line != NULL && ap_find_token(r->pool, line, word);
}


static bool
llm_cache_get(llm_ctx_t *ctx, tg_str_t *entry)
{
    apr_status_t        rv;
    unsigned int        n;
    request_rec        *r = ctx->request;
    unsigned char      *p;
    const llm_cache_t  *cache = llm_main->cache;

    n = (unsigned int) (LLM_CACHE_HEAD + LLM_CACHE_TYPE_MAX
                        + llm_main->conf->cache.max_size);

    p = tg_alloc(tg_arena_mem(ctx->arena), n);
    if (p == NULL) {
        return false;
    }

    llm_cache_lock(cache);
    rv = cache->provider->retrieve(cache->instance, r->server,
                                   (const unsigned char *) ctx->cache_key.p,
                                   (unsigned int) ctx->cache_key.len, p, &n,
                                   r->pool);
    llm_cache_unlock(cache);

    *entry = tg_str_of((const char *) p, n);

    return rv == APR_SUCCESS;
}


/* OK: the answer has gone out.  DECLINED: there is none. */
int
llm_cache_answer(llm_ctx_t *ctx)
{
    size_t               n;
    tg_str_t             e;
    request_rec         *r = ctx->request;
    apr_bucket_alloc_t  *alloc = r->connection->bucket_alloc;
    apr_bucket_brigade  *bb;

    if (ctx->cache_key.len == 0 || llm_cache_says(r, "no-cache")
        || llm_cache_says(r, "no-store") || !llm_cache_get(ctx, &e)
        || e.len < LLM_CACHE_HEAD
        || memcmp(e.p, LLM_CACHE_MARK, sizeof(LLM_CACHE_MARK) - 1) != 0)
    {
        return DECLINED;
    }

    n = (size_t) ((unsigned char) e.p[LLM_CACHE_HEAD - 2]
                  | (unsigned char) e.p[LLM_CACHE_HEAD - 1] << 8);

    if (n > e.len - LLM_CACHE_HEAD) {
        return DECLINED;
    }

    ctx->hit = 1;

    r->status = HTTP_OK;
    r->proxyreq = PROXYREQ_NONE;
    ap_set_content_type(r, apr_pstrmemdup(r->pool, e.p + LLM_CACHE_HEAD, n));

    e = tg_str_of(e.p + LLM_CACHE_HEAD + n, e.len - LLM_CACHE_HEAD - n);
    ap_set_content_length(r, (apr_off_t) e.len);
    apr_table_setn(r->headers_out, "Cache-Status", "tollgate; hit");

    bb = apr_brigade_create(r->pool, alloc);
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_immortal_create(e.p, e.len, alloc));
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(alloc));
    (void) ap_pass_brigade(r->output_filters, bb);

    return OK;
}


/* The head of an answer, which can be read: shall the rest of it be kept? */
void
llm_cache_begin(llm_ctx_t *ctx, request_rec *r)
{
    if (ctx->cache_key.len == 0 || ctx->hit || r->status != HTTP_OK
        || r->content_type == NULL
        || strlen(r->content_type) > LLM_CACHE_TYPE_MAX
        || llm_cache_says(r, "no-store"))
    {
        return;
    }

    ctx->kept_type = apr_pstrdup(r->pool, r->content_type);
    ctx->kept = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    ctx->kept_size = 0;
}


void
llm_cache_keep(llm_ctx_t *ctx, const char *p, size_t n)
{
    if (ctx->kept == NULL) {
        return;
    }

    ctx->kept_size += n;

    if (ctx->kept_size > llm_main->conf->cache.max_size
        || apr_brigade_write(ctx->kept, NULL, NULL, p, n) != APR_SUCCESS)
    {
        apr_brigade_cleanup(ctx->kept);
        ctx->kept = NULL;
    }
}


void
llm_cache_store(llm_ctx_t *ctx)
{
    size_t               type;
    apr_size_t           n = ctx->kept_size;
    apr_status_t         rv;
    request_rec         *r = ctx->request;
    unsigned char       *p;
    const llm_cache_t   *cache = llm_main->cache;

    if (ctx->kept == NULL || cache == NULL || !ctx->complete
        || !tg_call_cache_whole(ctx->call))
    {
        return;
    }

    type = strlen(ctx->kept_type);

    p = tg_alloc(tg_arena_mem(ctx->arena), LLM_CACHE_HEAD + type + n);
    if (p == NULL
        || apr_brigade_flatten(ctx->kept, (char *) p + LLM_CACHE_HEAD + type,
                               &n) != APR_SUCCESS)
    {
        return;
    }

    memcpy(p, LLM_CACHE_MARK, sizeof(LLM_CACHE_MARK) - 1);
    p[LLM_CACHE_HEAD - 2] = (unsigned char) (type & 0xff);
    p[LLM_CACHE_HEAD - 1] = (unsigned char) (type >> 8);
    memcpy(p + LLM_CACHE_HEAD, ctx->kept_type, type);

    llm_cache_lock(cache);
    rv = cache->provider->store(cache->instance, r->server,
                                (const unsigned char *) ctx->cache_key.p,
                                (unsigned int) ctx->cache_key.len,
                                apr_time_now()
                                + llm_main->conf->cache.ttl_ms * 1000,
                                p, (unsigned int) (LLM_CACHE_HEAD + type + n),
                                r->pool);
    llm_cache_unlock(cache);

    if (rv != APR_SUCCESS) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, rv, r, "llm: an answer of %"
                      APR_SIZE_T_FMT " bytes is not kept", n);
    }
}
