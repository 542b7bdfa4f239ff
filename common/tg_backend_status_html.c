/* Backends as rows of the table in llm_status' page. */

#include "tg_backend_status_int.h"
#include "tg_html.h"


static void
tg_html_number(tg_page_t *pg, const tg_status_backend_t *sb,
    tg_status_id_t id)
{
    int64_t  v = sb->value[id];

    tg_html_raw(pg, "<td class=\"n\">");

    if (v == TG_STATUS_UNKNOWN) {
        tg_html_raw(pg, "\xe2\x80\x93");

    } else if (tg_status_fields[id].scale == 9) {
        tg_html_usd(pg, v);

    } else {
        tg_html_count(pg, v);
    }

    tg_html_raw(pg, "</td>");
}


/* Of the time that it was there. */
static void
tg_html_busy(tg_page_t *pg, const tg_status_backend_t *sb)
{
    int64_t  busy = sb->value[TG_STATUS_BUSY];
    int64_t  all = sb->value[TG_STATUS_PROVISIONED];

    tg_html_raw(pg, "<td class=\"n\">");
    tg_html_count(pg, all <= 0 ? 0 : (int64_t) ((double) busy * 100
                                                / (double) all));
    tg_html_raw(pg, "&nbsp;%");
    tg_html_bar(pg, busy, all, "share");
    tg_html_raw(pg, "</td>");
}


static void
tg_html_backend(tg_page_t *pg, tg_group_t *g, const tg_status_backend_t *sb)
{
    const tg_backend_view_t  *v = &sb->view;

    tg_html_raw(pg, "<tr data-k=\"");
    tg_html_text(pg, tg_group_name(g));
    tg_html_raw(pg, "/");
    tg_html_text(pg, tg_backend_server(sb->backend));
    tg_html_raw(pg, "\"><th scope=\"row\">");
    tg_html_name(pg, tg_backend_server(sb->backend), "none");
    tg_html_raw(pg, "<small class=\"under\">");
    tg_html_text(pg, tg_group_name(g));
    tg_html_raw(pg, "</small></th><td>");
    tg_html_raw(pg, v->usable && !v->ejected ? "<span class=\"good\">"
                                             : "<b class=\"bad\">");
    tg_html_text(pg, tg_backend_state_name(v->state));
    tg_html_raw(pg, v->drain != TG_DRAIN_NONE ? ", drained"
                    : v->ejected ? ", ejected" : "");
    tg_html_raw(pg, v->usable && !v->ejected ? "</span></td>" : "</b></td>");

    tg_html_number(pg, sb, TG_STATUS_CALLS);
    tg_html_number(pg, sb, TG_STATUS_WAITING);
    tg_html_busy(pg, sb);
    tg_html_number(pg, sb, TG_STATUS_COST);
    tg_html_number(pg, sb, TG_STATUS_COST_IDLE);
    tg_html_number(pg, sb, TG_STATUS_COST_CALLS);
    tg_html_number(pg, sb, TG_STATUS_COST_CLOUD);
    tg_html_raw(pg, "</tr>");
}


void
tg_status_rows(tg_status_t *s)
{
    unsigned             n;
    tg_group_t          *g;
    tg_status_backend_t  sb;

    for (unsigned i = 0; (g = tg_backends_group_at(s->table, i)) != NULL;
         i++)
    {
        n = 0;

        while (tg_status_next(s, g, &n, &sb)) {
            tg_html_backend(&s->page, g, &sb);
        }
    }
}
