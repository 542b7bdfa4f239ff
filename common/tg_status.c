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


static void
tg_status_flush(tg_status_t *s)
{
    size_t  n = (size_t) (s->text.p - s->buf);

    if (n != 0 && !s->failed && s->out(s->data, s->buf, n) != 0) {
        s->failed = true;
    }

    tg_text_init(&s->text, s->buf, sizeof(s->buf));
}


void
tg_status_room(tg_status_t *s)
{
    if (s->text.end - s->text.p < TG_STATUS_ROOM) {
        tg_status_flush(s);
    }
}


int
tg_backend_status(tg_backends_t *t, const tg_group_conf_t *const *gc,
    unsigned ngc, tg_status_format_t format, int64_t now, int64_t wall_ms,
    tg_out_t out, void *data)
{
    tg_status_t  s;

    s.table = t;
    s.gc = gc;
    s.ngc = ngc;
    s.now = now;
    s.wall_ms = wall_ms;
    s.out = out;
    s.data = data;
    s.failed = false;
    tg_group_check_init(&s.check);
    tg_text_init(&s.text, s.buf, sizeof(s.buf));

    if (format == TG_STATUS_PROMETHEUS) {
        tg_status_prometheus(&s);
    } else {
        tg_status_json(&s);
    }

    tg_status_flush(&s);

    return s.failed ? TG_ERROR : TG_OK;
}
