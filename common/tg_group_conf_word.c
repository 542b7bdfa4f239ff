/* Values that several of the companion's directives have. */

#include "tg_group_conf_int.h"


/* -1: not one. */
static int64_t
tg_group_number(const tg_group_value_t *gv, tg_str_t v)
{
    unsigned  percent;

    if (gv->off && tg_str_eq(v, tg_str("off"))) {
        return 0;
    }

    switch (gv->kind) {
    case TG_VALUE_TIME:
        return tg_conf_time(v);

    case TG_VALUE_PERCENT:
        if (tg_str_eq(v, tg_str("0%"))) {
            return 0;
        }

        percent = tg_conf_percent(v, gv->most);
        return percent == 0 ? -1 : (int64_t) percent;

    case TG_VALUE_COUNT:
        break;
    }

    return tg_str_int(v);
}


static bool
tg_group_in_range(const tg_group_value_t *gv, tg_str_t v, int64_t n)
{
    if (gv->off && tg_str_eq(v, tg_str("off"))) {
        return true;
    }

    return n >= (int64_t) gv->least && n <= (int64_t) gv->most;
}


int
tg_group_value(tg_group_draft_t *d, const tg_group_value_t *table, unsigned n,
    void *of, tg_str_t arg)
{
    static const char *const  kinds[] = {
        "a time", "a whole number", "a percentage"
    };

    const tg_group_value_t  *gv;
    uint32_t                 number;
    tg_str_t                 v;
    int64_t                  i;

    for (unsigned k = 0; k < n; k++) {
        gv = &table[k];

        if (!tg_conf_param(arg, gv->name, &v)) {
            continue;
        }

        if (d->said >> k & 1) {
            return tg_group_fail(d, "%s= is given twice", gv->name);
        }

        i = tg_group_number(gv, v);

        if (!tg_group_in_range(gv, v, i)) {
            return tg_group_fail(d, "%s= takes %s %s%s, not \"%.*s\"",
                                 gv->name, kinds[gv->kind], gv->range,
                                 gv->off ? ", or off" : "", TG_ARG(v));
        }

        number = (uint32_t) i;
        memcpy((char *) of + gv->at, &number, sizeof(number));
        d->said |= UINT32_C(1) << k;

        return TG_OK;
    }

    return TG_AGAIN;
}


int
tg_group_text(tg_group_draft_t *d, const char *name, tg_str_t v, tg_str_t *to)
{
    char  *z;

    if (to->len != 0) {
        return tg_group_fail(d, "%s= is given twice", name);
    }

    if (v.len == 0) {
        return tg_group_fail(d, "%s= is empty", name);
    }

    z = tg_dupz(d->mem, v);
    if (z == NULL) {
        return tg_group_fail(d, "no memory");
    }

    *to = tg_str_of(z, v.len);

    return TG_OK;
}


bool
tg_group_host_ok(tg_str_t s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] <= ' ' || s.p[i] > '~'
            || strchr("\"%<>\\^`{|}@,;/?#=", s.p[i]) != NULL)
        {
            return false;
        }
    }

    return tg_conf_port_ok(s);
}


/* Takes "http://" and the like off, and a path; says the scheme's port. */
static tg_str_t
tg_group_authority(tg_str_t s, tg_str_t *port)
{
    *port = tg_str("80");

    if (tg_str_starts(s, tg_str("https://"))
        || tg_str_starts(s, tg_str("h2://")))
    {
        *port = tg_str("443");
    }

    for (size_t i = 0; i + 2 < s.len; i++) {
        if (memcmp(s.p + i, "://", 3) == 0) {
            s = tg_str_of(s.p + i + 3, s.len - i - 3);
            break;
        }
    }

    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '/') {
            s.len = i;
        }
    }

    return s;
}


static void
tg_group_split(tg_str_t s, tg_str_t *host, tg_str_t *port)
{
    s = tg_group_authority(s, port);
    *host = tg_conf_host(s);

    if (host->len + 1 < s.len && s.p[host->len] == ':') {
        *port = tg_str_of(s.p + host->len + 1, s.len - host->len - 1);
    }
}


bool
tg_group_same_server(tg_str_t said, tg_str_t there)
{
    tg_str_t  host[2], port[2];

    if (tg_str_starts(said, tg_str("unix:"))
        || tg_str_starts(there, tg_str("unix:")))
    {
        return tg_str_eq(said, there);
    }

    tg_group_split(said, &host[0], &port[0]);
    tg_group_split(there, &host[1], &port[1]);

    return tg_str_caseeq(host[0], host[1]) && tg_str_eq(port[0], port[1]);
}


bool
tg_group_same_host(tg_str_t url, tg_str_t there)
{
    tg_str_t  host[2], port;

    tg_group_split(url, &host[0], &port);
    tg_group_split(there, &host[1], &port);

    return tg_str_caseeq(host[0], host[1]);
}
