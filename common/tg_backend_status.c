#include "tg_backend_status_int.h"
#include "tg_group_conf_int.h"


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
