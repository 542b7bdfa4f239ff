#include "tg_backend_status_int.h"
#include "tg_group_conf_int.h"


void
tg_status_room(tg_status_t *s)
{
    tg_page_room(&s->page, TG_STATUS_ROOM);
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
    tg_group_check_init(&s.check);
    tg_page_init(&s.page, out, data);
    s.page.openmetrics = format == TG_STATUS_OPENMETRICS;

    if (format == TG_STATUS_PROMETHEUS || format == TG_STATUS_OPENMETRICS) {
        tg_status_prometheus(&s);
    } else if (format == TG_STATUS_HTML) {
        tg_status_rows(&s);
    } else {
        tg_status_json(&s);
    }

    return tg_page_end(&s.page);
}
