/* llm_cache, which is httpd's: nginx has proxy_cache. */

#include "tg_conf_int.h"

#define TG_CACHE_TTL_MS    600000
#define TG_CACHE_SIZE      65536
#define TG_CACHE_SIZE_MAX  (16 * 1024 * 1024)


static int
tg_conf_cache_param(tg_conf_cache_t *cache, tg_str_t arg, tg_error_t *err)
{
    int64_t   n;
    tg_str_t  value;

    if (tg_conf_param(arg, "ttl", &value)) {
        n = tg_conf_time(value);
        if (n <= 0) {
            return tg_error(err, 0, 0, "ttl=%.*s is no time", TG_ARG(value));
        }

        cache->ttl_ms = n;
        return TG_OK;
    }

    if (tg_conf_param(arg, "max_size", &value)) {
        n = tg_conf_size(value);
        if (n <= 0 || n > TG_CACHE_SIZE_MAX) {
            return tg_error(err, 0, 0, "max_size=%.*s is no size up to 16m",
                            TG_ARG(value));
        }

        cache->max_size = (size_t) n;
        return TG_OK;
    }

    return tg_conf_unknown_param(arg, "ttl= and max_size=", err);
}


int
tg_conf_cache(tg_conf_t *conf, tg_scope_t *scope, const tg_str_t *args,
    unsigned nargs, tg_error_t *err)
{
    tg_conf_cache_t  *cache = &conf->cache;

    if (scope->own_cache) {
        return tg_error(err, 0, 0, "is given twice here");
    }

    scope->own_cache = true;

    if (tg_str_caseeq(args[0], tg_str("off"))
        || tg_str_caseeq(args[0], tg_str("on")))
    {
        if (nargs != 1) {
            return tg_error(err, 0, 0, "%.*s stands by itself",
                            TG_ARG(args[0]));
        }

        scope->cache = tg_str_caseeq(args[0], tg_str("on")) ? 1 : 0;
        cache->wanted |= scope->cache == 1;
        return TG_OK;
    }

    if (cache->store.len != 0) {
        return tg_error(err, 0, 0, "says a second time what the cache is;"
                        " elsewhere it is on or off");
    }

    cache->ttl_ms = TG_CACHE_TTL_MS;
    cache->max_size = TG_CACHE_SIZE;

    for (unsigned i = 1; i < nargs; i++) {
        if (tg_conf_cache_param(cache, args[i], err) != TG_OK) {
            return TG_ERROR;
        }
    }

    cache->store = tg_dup(conf->mem, args[0]);
    if (cache->store.p == NULL) {
        return tg_error(err, 0, 0, "no memory");
    }

    scope->cache = 1;

    return TG_OK;
}
