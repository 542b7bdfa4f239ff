#include "tg_status.h"
#include "tg_group_conf_int.h"


int
tg_status_format(const tg_str_t *args, unsigned nargs,
    tg_status_format_t *format, tg_error_t *err)
{
    tg_str_t  v;

    *format = TG_STATUS_JSON;

    if (nargs > 1) {
        return tg_error(err, 0, 0, "takes: [format=json | prometheus]");
    }

    if (nargs == 0) {
        return TG_OK;
    }

    if (!tg_conf_param(args[0], "format", &v)) {
        return tg_conf_unknown_param(args[0], "format=", err);
    }

    if (tg_str_eq(v, tg_str("prometheus"))) {
        *format = TG_STATUS_PROMETHEUS;
        return TG_OK;
    }

    return tg_str_eq(v, tg_str("json")) ? TG_OK
           : tg_error(err, 0, 0, "format= takes json or prometheus, not"
                      " \"%.*s\"", TG_ARG(v));
}


tg_str_t
tg_status_content_type(tg_status_format_t format)
{
    return format == TG_STATUS_PROMETHEUS
           ? tg_str("text/plain; version=0.0.4; charset=utf-8")
           : tg_str("application/json");
}
