/* llm_dcgm and llm_scale. */

#include "tg_group_conf_int.h"

#define SECOND  1000
#define DAY     (24 * 3600 * SECOND)

static const tg_group_value_t  tg_dcgm_values[] = {
    { "interval", TG_VALUE_TIME, false, offsetof(tg_dcgm_conf_t, interval),
      SECOND, 3600 * SECOND, "from 1s to 1h" }
};

static const tg_group_value_t  tg_scale_values[] = {
    { "idle", TG_VALUE_TIME, false, offsetof(tg_scale_conf_t, idle),
      SECOND, 7 * DAY, "from 1s to 7d" },
    { "saturated", TG_VALUE_TIME, false, offsetof(tg_scale_conf_t, saturated),
      SECOND, DAY, "from 1s to 1d" },
    { "cooldown", TG_VALUE_TIME, false, offsetof(tg_scale_conf_t, cooldown),
      SECOND, 7 * DAY, "from 1s to 7d" },
    { "keep", TG_VALUE_COUNT, false, offsetof(tg_scale_conf_t, keep),
      0, TG_GROUP_BACKENDS_MAX, "from 0 to 256" }
};

#define TG_SCALE_VALUES  (sizeof(tg_scale_values) / sizeof(tg_scale_values[0]))


static int
tg_group_url(tg_group_draft_t *d, tg_str_t v, tg_str_t *url)
{
    size_t  origin;

    return tg_conf_web_url(v, &origin, d->err) == TG_OK
           ? tg_group_text(d, "url", v, url) : TG_ERROR;
}


static int
tg_dcgm_gpus(tg_group_draft_t *d, tg_dcgm_conf_t *dc, tg_str_t list)
{
    bool      more;
    int64_t   n;
    tg_str_t  s;

    if (dc->ngpus != 0) {
        return tg_group_fail(d, "gpu= is given twice");
    }

    do {
        more = tg_str_cut(&list, ',', &s);
        n = s.len > 4 ? -1 : tg_str_int(s);

        if (n < 0 || n > 1023) {
            return tg_group_fail(d, "gpu= takes the exporter's numbers of GPUs"
                                 " with commas between, such as 0,1, not"
                                 " \"%.*s\"", TG_ARG(s));
        }

        if (dc->ngpus == TG_DCGM_GPUS_MAX) {
            return tg_group_fail(d, "gpu= has more than %d numbers",
                                 TG_DCGM_GPUS_MAX);
        }

        for (unsigned i = 0; i < dc->ngpus; i++) {
            if (dc->gpu[i] == n) {
                return tg_group_fail(d, "gpu= says %d twice", (int) n);
            }
        }

        dc->gpu[dc->ngpus++] = (uint16_t) n;

    } while (more);

    return TG_OK;
}


static int
tg_dcgm_param(tg_group_draft_t *d, tg_dcgm_conf_t *dc, tg_str_t arg)
{
    int       rc;
    tg_str_t  v;

    rc = tg_group_value(d, tg_dcgm_values, 1, dc, arg);
    if (rc != TG_AGAIN) {
        return rc;
    }

    if (tg_conf_param(arg, "url", &v)) {
        return tg_group_url(d, v, &dc->url);
    }

    if (tg_conf_param(arg, "server", &v)) {
        return tg_group_text(d, "server", v, &dc->server);
    }

    if (tg_conf_param(arg, "gpu", &v)) {
        return tg_dcgm_gpus(d, dc, v);
    }

    return tg_conf_unknown_param(arg, "url=, server=, gpu=, interval=",
                                 d->err);
}


int
tg_group_dcgm(tg_group_draft_t *d, const tg_str_t *args, unsigned nargs)
{
    tg_dcgm_conf_t  *dc;

    if (d->gc->ndcgm == TG_GROUP_DCGM_MAX) {
        return tg_group_fail(d, "more than %d of them here", TG_GROUP_DCGM_MAX);
    }

    dc = tg_zalloc(d->mem, sizeof(*dc));
    if (dc == NULL) {
        return tg_group_fail(d, "no memory");
    }

    dc->interval = 30 * SECOND;

    for (unsigned i = 0; i < nargs; i++) {
        if (tg_dcgm_param(d, dc, args[i]) != TG_OK) {
            return TG_ERROR;
        }
    }

    if (dc->url.len == 0) {
        return tg_group_fail(d, "needs url=");
    }

    d->gc->dcgm[d->gc->ndcgm++] = dc;

    return TG_OK;
}


static int
tg_scale_secret(tg_group_draft_t *d, tg_scale_conf_t *sc, tg_str_t v)
{
    tg_str_t  name = v;

    if (!tg_str_starts(v, tg_str("file:")) || v.len == 5) {
        return tg_group_fail(d, "secret= takes file:<path>: a secret is not for"
                             " the configuration");
    }

    name = tg_str_of(v.p + 5, v.len - 5);

    if (d->full_name != NULL) {
        name = d->full_name(d->data, name);
    }

    if (name.len == 0 || name.p[0] != '/') {
        return tg_group_fail(d, "secret= has a bad file name \"%.*s\"",
                             TG_ARG(v));
    }

    return tg_group_text(d, "secret", name, &sc->secret_file);
}


static int
tg_scale_param(tg_group_draft_t *d, tg_scale_conf_t *sc, tg_str_t arg)
{
    int       rc;
    tg_str_t  v;

    rc = tg_group_value(d, tg_scale_values, TG_SCALE_VALUES, sc, arg);
    if (rc != TG_AGAIN) {
        return rc;
    }

    if (tg_conf_param(arg, "url", &v)) {
        return tg_group_url(d, v, &sc->url);
    }

    if (tg_conf_param(arg, "secret", &v)) {
        return tg_scale_secret(d, sc, v);
    }

    return tg_conf_unknown_param(arg, "url=, secret=, idle=, saturated=,"
                                 " cooldown=, keep=", d->err);
}


int
tg_group_scale(tg_group_draft_t *d, const tg_str_t *args, unsigned nargs)
{
    tg_scale_conf_t  *sc;

    if (d->gc->nscale == TG_GROUP_SCALE_MAX) {
        return tg_group_fail(d, "more than %d of them here",
                             TG_GROUP_SCALE_MAX);
    }

    sc = tg_zalloc(d->mem, sizeof(*sc));
    if (sc == NULL) {
        return tg_group_fail(d, "no memory");
    }

    sc->cooldown = 600 * SECOND;
    sc->keep = 1;

    for (unsigned i = 0; i < nargs; i++) {
        if (tg_scale_param(d, sc, args[i]) != TG_OK) {
            return TG_ERROR;
        }
    }

    if (sc->url.len == 0) {
        return tg_group_fail(d, "needs url=");
    }

    if (sc->idle == 0 && sc->saturated == 0) {
        return tg_group_fail(d, "tells of nothing: it needs idle= or"
                             " saturated=");
    }

    d->gc->scale[d->gc->nscale++] = sc;

    return TG_OK;
}
