#include "tg_route_count.h"
#include "tg_breaker.h"


tg_route_count_t *
tg_route_count(tg_route_counts_t *counts, tg_str_t route)
{
    uint64_t           found, key = tg_breaker_key(route, tg_str_null);
    tg_route_count_t  *c;

    for (unsigned i = 0; counts != NULL && i < TG_COUNTED_ROUTES; i++) {
        c = &counts->routes[(key + i) % TG_COUNTED_ROUTES];
        found = atomic_load(&c->key);

        if (found == key
            || (found == 0
                && (atomic_compare_exchange_strong(&c->key, &found, key)
                    || found == key)))
        {
            return c;
        }
    }

    return NULL;
}
