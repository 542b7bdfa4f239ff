/* Budgets, limits and who was refused, as JSON. */

#include "tg_status_show.h"

#define TG_STATUS_ITEM  4096            /* more than any one */


static void
tg_status_amount(tg_text_t *t, const char *name, tg_measure_t measure,
    int64_t v)
{
    tg_put_lit(t, ",\"");
    tg_put_str(t, tg_strz(name));

    if (measure == TG_MEASURE_USD) {
        tg_put_lit(t, "_usd\":");
        tg_put_decimal(t, v, 9);
        tg_put_lit(t, ",\"");
        tg_put_str(t, tg_strz(name));
        tg_put_lit(t, "_nusd");
    }

    tg_put_lit(t, "\":");
    tg_put_int(t, v);
}


static void
tg_status_moment(tg_text_t *t, const char *name, int64_t at)
{
    tg_put_lit(t, ",\"");
    tg_put_str(t, tg_strz(name));

    if (at == 0 || at == TG_WINDOW_NEVER) {
        tg_put_lit(t, "\":null");
        return;
    }

    tg_put_lit(t, "\":\"");
    tg_put_time(t, at);
    tg_put_lit(t, "\"");
}


static void
tg_status_flag(tg_text_t *t, const char *name, bool is)
{
    tg_put_lit(t, ",\"");
    tg_put_str(t, tg_strz(name));
    tg_put_str(t, is ? tg_str("\":true") : tg_str("\":false"));
}


static void
tg_status_json_forecast(tg_text_t *t, const tg_status_limit_t *l)
{
    const tg_subject_forecast_t  *f = &l->forecast;

    if (!f->known) {
        tg_put_lit(t, ",\"pace\":null");

    } else {
        tg_put_lit(t, ",\"pace\":{\"over_s\":");
        tg_put_int(t, f->over / 1000);
        tg_status_amount(t, "a_day", l->who.measure, f->daily);

        if (l->state.reset != TG_WINDOW_NEVER) {
            tg_status_amount(t, "at_reset", l->who.measure, f->at_reset);
        }

        tg_put_lit(t, "}");
    }

    tg_status_moment(t, "used_up", f->out);
}


static void
tg_status_json_limit(tg_text_t *t, const tg_status_limit_t *l)
{
    const tg_subject_view_t  *who = &l->who;

    tg_put_lit(t, "{\"quota\":\"");
    tg_put_json(t, who->quota, 1024);
    tg_put_lit(t, "\",\"subject\":\"");
    tg_put_json(t, who->subject, 1024);
    tg_put_lit(t, "\",\"measure\":\"");
    tg_put_str(t, tg_strz(tg_measure_names[who->measure]));
    tg_put_lit(t, "\",\"window\":\"");
    tg_put_str(t, tg_strz(tg_status_window(&who->window)));
    tg_put_lit(t, "\"");
    tg_status_flag(t, "dry_run", who->dry_run);
    tg_put_lit(t, ",\"refused\":");
    tg_put_int(t, (int64_t) who->refused);
    tg_put_lit(t, ",\"dry_refused\":");
    tg_put_int(t, (int64_t) who->dry);
    tg_status_moment(t, "last_refused", who->refused_at);

    if (l->counted) {
        tg_status_amount(t, "used", who->measure, l->used);
        tg_status_amount(t, "held", who->measure, l->state.held);
        tg_status_amount(t, "cap", who->measure, l->state.cap);
        tg_status_amount(t, "limit", who->measure, l->state.limit);
        tg_status_flag(t, "full", tg_status_limit_full(l));
        tg_status_flag(t, "latched", l->state.latched);
        tg_status_moment(t, "window_start",
                         l->who.window.kind == TG_WINDOW_TOTAL
                         ? 0 : l->state.window);
        tg_status_moment(t, "reset", l->state.reset);
        tg_status_json_forecast(t, l);
    }

    tg_put_lit(t, "}");
}


void
tg_status_json_limits(const tg_status_facts_t *facts, tg_page_t *pg)
{
    static const char  *const names[] = { "budgets", "near", "refused" };

    unsigned           n, more;
    tg_text_t         *t = &pg->text;
    tg_status_limit_t  list[TG_STATUS_LIMITS];

    for (unsigned kind = 0; kind < 3; kind++) {
        n = tg_status_limits(facts, (tg_status_limits_t) kind, list, &more);

        tg_page_room(pg, TG_STATUS_ITEM);
        tg_put_lit(t, ",\n\"");
        tg_put_str(t, tg_strz(names[kind]));
        tg_put_lit(t, "\":{\"list\":[");

        for (unsigned i = 0; i < n; i++) {
            tg_page_room(pg, TG_STATUS_ITEM);
            tg_put_str(t, i != 0 ? tg_str(",\n") : tg_str("\n"));
            tg_status_json_limit(t, &list[i]);
        }

        tg_page_room(pg, TG_STATUS_ITEM);
        tg_put_lit(t, "],\"more\":");
        tg_put_int(t, more);
        tg_put_lit(t, "}");
    }
}
