#include "tg_status.h"
#include "tg_group_conf_int.h"

#define TG_STATUS_QUALITY  1000


int
tg_status_format(const tg_str_t *args, unsigned nargs, bool html,
    tg_status_format_t *format, tg_error_t *err)
{
    tg_str_t  v;

    *format = html ? TG_STATUS_HTML : TG_STATUS_JSON;

    if (nargs > 1) {
        return tg_error(err, 0, 0, "takes: [format=%sjson | prometheus]",
                        html ? "html | " : "");
    }

    if (nargs == 0) {
        return TG_OK;
    }

    if (!tg_conf_param(args[0], "format", &v)) {
        return tg_conf_unknown_param(args[0], "format=", err);
    }

    if (tg_str_eq(v, tg_str("prometheus"))) {
        *format = TG_STATUS_PROMETHEUS;

    } else if (tg_str_eq(v, tg_str("json"))) {
        *format = TG_STATUS_JSON;

    } else if (!html || !tg_str_eq(v, tg_str("html"))) {
        return tg_error(err, 0, 0, "format= takes %sjson or prometheus, not"
                        " \"%.*s\"", html ? "html, " : "", TG_ARG(v));
    }

    return TG_OK;
}


/* "0.5": 500.  What is no such number is as none, which is 1. */
static unsigned
tg_status_quality(tg_str_t v)
{
    unsigned  q = 0, digit = TG_STATUS_QUALITY;

    if (v.len == 0 || (v.p[0] != '0' && v.p[0] != '1')) {
        return TG_STATUS_QUALITY;
    }

    for (size_t i = 0; i < v.len && digit != 0; i++) {
        if (v.p[i] >= '0' && v.p[i] <= '9') {
            q += (unsigned) (v.p[i] - '0') * digit;
            digit /= 10;
        }
    }

    return q < TG_STATUS_QUALITY ? q : TG_STATUS_QUALITY;
}


/* How much a header's range wants that type, of that version if it has one; 0:
 * not at all. */
static unsigned
tg_status_range(tg_str_t range, tg_str_t type, tg_str_t version)
{
    bool      more;
    unsigned  q = TG_STATUS_QUALITY;
    tg_str_t  part, name;

    more = tg_str_cut(&range, ';', &part);

    if (!tg_str_caseeq(tg_str_trim(part), type)) {
        return 0;
    }

    while (more) {
        more = tg_str_cut(&range, ';', &part);
        part = tg_str_trim(part);

        if (!tg_str_cut(&part, '=', &name)) {
            continue;
        }

        if (tg_str_caseeq(name, tg_str("q"))) {
            q = tg_status_quality(part);

        } else if (tg_str_caseeq(name, tg_str("version"))
                   && !tg_str_eq(part, version))
        {
            return 0;
        }
    }

    return q;
}


static unsigned
tg_status_wants(tg_str_t accept, tg_str_t type, tg_str_t version)
{
    bool      more;
    unsigned  q, most = 0;
    tg_str_t  range;

    do {
        more = tg_str_cut(&accept, ',', &range);
        q = tg_status_range(range, type, version);
        most = q > most ? q : most;
    } while (more);

    return most;
}


tg_status_format_t
tg_status_asked(tg_status_format_t format, tg_str_t args, tg_str_t accept)
{
    bool      more;
    unsigned  q;
    tg_str_t  arg;

    if (format == TG_STATUS_PROMETHEUS) {
        q = tg_status_wants(accept, tg_str("application/openmetrics-text"),
                            tg_str("1.0.0"));

        return q != 0 && q >= tg_status_wants(accept, tg_str("text/plain"),
                                              tg_str("0.0.4"))
               ? TG_STATUS_OPENMETRICS : TG_STATUS_PROMETHEUS;
    }

    if (format == TG_STATUS_HTML) {
        do {
            more = tg_str_cut(&args, '&', &arg);

            if (tg_str_eq(arg, tg_str("format=json"))) {
                return TG_STATUS_JSON;
            }
        } while (more);
    }

    return format;
}


tg_str_t
tg_status_content_type(tg_status_format_t format)
{
    switch (format) {
    case TG_STATUS_PROMETHEUS:
        return tg_str("text/plain; version=0.0.4; charset=utf-8");
    case TG_STATUS_OPENMETRICS:
        return tg_str("application/openmetrics-text; version=1.0.0;"
                      " charset=utf-8");
    case TG_STATUS_HTML:
        return tg_str("text/html; charset=utf-8");
    case TG_STATUS_JSON:
        break;
    }

    return tg_str("application/json");
}
