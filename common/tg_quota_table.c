#include "tg_quota_int.h"
#include "tg_when.h"

#include <stdio.h>


void
tg_quota_destroy(tg_quota_t *q)
{
    if (q != NULL) {
        tg_expr_destroy(q->when);
    }
}


void
tg_quotas_destroy(tg_quotas_t *quotas)
{
    for (unsigned i = 0; i < quotas->n; i++) {
        tg_quota_destroy(quotas->list[i]);
    }
}


const tg_quota_t *
tg_quotas_find(const tg_quotas_t *quotas, tg_str_t name)
{
    for (unsigned i = 0; i < quotas->n; i++) {
        if (tg_str_eq(quotas->list[i]->name, name)) {
            return quotas->list[i];
        }
    }

    return NULL;
}


int
tg_quotas_add(tg_quotas_t *quotas, tg_mem_t *mem, const tg_str_t *args,
    unsigned nargs, tg_error_t *err)
{
    tg_quota_t  *q;

    if (nargs == 0 || !tg_str_is_name(args[0])) {
        return tg_error(err, 0, 0, "name \"%.*s\" is not of letters, digits, _"
                        " and -", nargs == 0 ? 0 : (int) (args[0].len < 60
                                                          ? args[0].len : 60),
                        nargs == 0 ? "" : args[0].p);
    }

    if (tg_quotas_find(quotas, args[0]) != NULL) {
        return tg_error(err, 0, 0, "\"%.*s\" is declared twice",
                        TG_ARG(args[0]));
    }

    if (quotas->n == TG_QUOTAS_MAX) {
        return tg_error(err, 0, 0, "more than %d quotas", TG_QUOTAS_MAX);
    }

    q = tg_zalloc(mem, sizeof(tg_quota_t));
    if (q == NULL) {
        return tg_error(err, 0, 0, "no memory");
    }

    q->name = tg_dup(mem, args[0]);

    if (tg_quota_words(mem, q, args + 1, nargs - 1, err) != TG_OK) {
        tg_quota_destroy(q);
        return TG_ERROR;
    }

    quotas->list[quotas->n++] = q;
    quotas->calibrated |= q->calibrated;

    return TG_OK;
}


const tg_quota_t *
tg_quotas_add_route(tg_quotas_t *quotas, tg_mem_t *mem, tg_str_t route,
    const tg_str_t *words, unsigned nwords, tg_error_t *err)
{
    char         name[sizeof("route:") + TG_QUOTA_NAME_MAX];
    tg_quota_t  *q = tg_zalloc(mem, sizeof(tg_quota_t));

    if (quotas->n == TG_QUOTAS_MAX) {
        (void) tg_error(err, 0, 0, "more than %d quotas", TG_QUOTAS_MAX);
        return NULL;
    }

    if (q == NULL || route.len > TG_QUOTA_NAME_MAX) {
        (void) tg_error(err, 0, 0, "no memory");
        return NULL;
    }

    memcpy(name, "route:", 6);
    memcpy(name + 6, route.p, route.len);

    q->name = tg_dup(mem, tg_str_of(name, 6 + route.len));
    q->of_route = true;
    q->npers = 1;
    q->per[0].kind = TG_PER_ALL;

    if (tg_quota_words(mem, q, words, nwords, err) != TG_OK) {
        return NULL;
    }

    /* There is somewhere else to go. */

    q->wait_ms = 0;
    quotas->list[quotas->n++] = q;

    return q;
}


static const char *
tg_quota_bind(void *data, tg_str_t name, uintptr_t *handle)
{
    const tg_quotas_t  *quotas = data;

    for (unsigned i = 0; i < quotas->n; i++) {
        if (tg_str_eq(quotas->list[i]->name, name)) {
            *handle = i + 1;
            return NULL;
        }
    }

    return "is the name of no quota";
}


/*
 * What all buckets of the limit have in common, each part with its length
 * before it.
 */
static void
tg_quota_prefix(tg_quota_t *q, tg_quota_limit_t *l, tg_str_t zone)
{
    char           idle[32];
    unsigned char *p = l->prefix;
    bool           calendar = l->window.kind >= TG_WINDOW_DAY
                              && l->window.kind <= TG_WINDOW_MONTH;
    tg_str_t       parts[4];

    (void) snprintf(idle, sizeof(idle), "%d/%lld", (int) l->window.kind,
                    (long long) l->window.idle_ms);

    parts[0] = q->name;
    parts[1] = tg_strz(tg_measure_names[l->measure]);
    parts[2] = tg_strz(idle);
    parts[3] = calendar ? zone : tg_str_null;

    *p++ = q->budget ? 'b' : 'q';

    for (size_t i = 0; i < 4; i++) {
        *p++ = (unsigned char) parts[i].len;
        if (parts[i].len != 0) {
            memcpy(p, parts[i].p, parts[i].len);
            p += parts[i].len;
        }
    }

    l->prefix_len = (unsigned) (p - l->prefix);
}


int
tg_quotas_bind(const tg_quotas_t *quotas, tg_expr_t *when, tg_error_t *err)
{
    if (tg_expr_bind(when, TG_WHEN_USED, tg_quota_bind,
                     (void *) (uintptr_t) quotas, err)
        != TG_OK)
    {
        return TG_ERROR;
    }

    if (quotas->provider == NULL) {
        return TG_OK;
    }

    return tg_expr_bind(when, TG_WHEN_HEALTHY, quotas->provider,
                        quotas->data, err)
           == TG_OK
           && tg_expr_bind(when, TG_WHEN_SATURATED, quotas->provider,
                           quotas->data, err)
              == TG_OK
           ? quotas->check == NULL ? TG_OK
             : quotas->check(quotas->data, when, err)
           : TG_ERROR;
}


static int
tg_quota_finish(const tg_quotas_t *quotas, tg_quota_t *q, tg_error_t *err)
{
    tg_error_t  e;

    if (q->when != NULL && tg_quotas_bind(quotas, q->when, &e) != TG_OK) {
        return tg_error(err, 0, e.offset, "quota \"%.*s\": %s",
                        TG_ARG(q->name), e.message);
    }

    for (unsigned i = 0; i < q->nlimits; i++) {
        tg_quota_prefix(q, &q->limits[i], quotas->zone);
    }

    return TG_OK;
}


int
tg_quotas_finish(tg_quotas_t *quotas, tg_mem_t *mem, tg_str_t zone,
    tg_error_t *err)
{
    if (zone.len > 64) {
        return tg_error(err, 0, 0, "a time zone's name has up to 64 bytes");
    }

    quotas->zone = zone.len ? tg_dup(mem, zone) : tg_str("UTC");

    if (quotas->zone.p == NULL) {
        return tg_error(err, 0, 0, "no memory");
    }

    for (unsigned i = 0; i < quotas->n; i++) {
        if (tg_quota_finish(quotas, quotas->list[i], err) != TG_OK) {
            return TG_ERROR;
        }
    }

    return TG_OK;
}


tg_quota_t *
tg_quota_budget(const tg_quotas_t *quotas, tg_mem_t *mem, tg_per_t per,
    tg_str_t name, const tg_str_t *words, unsigned nwords, tg_error_t *err)
{
    tg_quota_t  *q = tg_zalloc(mem, sizeof(tg_quota_t));

    if (q == NULL) {
        (void) tg_error(err, 0, 0, "no memory");
        return NULL;
    }

    if (name.len != 0 && !tg_str_is_name(name)) {
        (void) tg_error(err, 0, 0, "name \"%.*s\" is not of letters, digits, _"
                        " and -", TG_ARG(name));
        return NULL;
    }

    q->budget = true;
    q->name = name.len ? tg_dup(mem, name) : tg_strz(tg_per_names[per]);
    q->npers = 1;
    q->per[0].kind = per;

    if (tg_quota_words(mem, q, words, nwords, err) != TG_OK
        || tg_quota_finish(quotas, q, err) != TG_OK)
    {
        tg_quota_destroy(q);
        return NULL;
    }

    return q;
}
