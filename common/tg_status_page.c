#include "tg_status_fleet.h"
#include "tg_status_show.h"


static void
tg_status_named(tg_page_t *pg, bool first, const char *what, tg_str_t name)
{
    tg_page_room(pg, TG_STATUS_LINE);
    tg_put(&pg->text, ",", !first);
    tg_put_lit(&pg->text, "\n{\"");
    tg_put_str(&pg->text, tg_strz(what));
    tg_put_lit(&pg->text, "\":\"");
    tg_put_str(&pg->text, name);
    tg_put_lit(&pg->text, "\"");
}


static void
tg_status_saved(tg_text_t *t, tg_route_count_t *c)
{
    static const char  *const names[] = { "saved", "dry_saved" };

    int64_t  nusd[2] = { 0, 0 };

    if (c != NULL) {
        nusd[0] = atomic_load_explicit(&c->saved, memory_order_relaxed);
        nusd[1] = atomic_load_explicit(&c->dry_saved, memory_order_relaxed);
    }

    for (unsigned i = 0; i < 2; i++) {
        tg_put_lit(t, ",\"");
        tg_put_str(t, tg_strz(names[i]));
        tg_put_lit(t, "_usd\":");
        tg_put_decimal(t, nusd[i], 9);
        tg_put_lit(t, ",\"");
        tg_put_str(t, tg_strz(names[i]));
        tg_put_lit(t, "_nusd\":");
        tg_put_int(t, nusd[i]);
    }
}


static void
tg_status_page_json(tg_page_t *pg, const tg_status_facts_t *facts)
{
    unsigned            i;
    tg_route_counted_t  k;
    const tg_conf_t    *conf = facts->conf;
    tg_route_counts_t  *counts = &facts->tally->routes;

    tg_page_room(pg, TG_STATUS_LINE);
    tg_put_lit(&pg->text, ",\"routes\":[");

    for (i = 0; i < conf->routes.n; i++) {
        tg_str_t  route = conf->routes.list[i]->name;

        tg_status_named(pg, i == 0, "route", route);

        for (k = 0; k < TG_ROUTE_COUNTS; k++) {
            tg_put_lit(&pg->text, ",\"");
            tg_put_str(&pg->text, tg_strz(tg_route_counts[k].json));
            tg_put_lit(&pg->text, "\":");
            tg_put_int(&pg->text,
                       tg_status_count(tg_route_count(counts, route), k));
        }

        tg_status_saved(&pg->text, tg_route_count(counts, route));
        tg_put_lit(&pg->text, "}");
    }

    tg_page_room(pg, TG_STATUS_LINE);
    tg_put_lit(&pg->text, "],\"providers\":[");

    for (i = 0; i < conf->nproviders; i++) {
        tg_status_named(pg, i == 0, "provider", conf->providers[i].name);
        tg_put_lit(&pg->text, ",\"up\":");
        tg_put_str(&pg->text,
                   tg_status_closed(facts->breakers, &conf->providers[i],
                                    facts->mono_ms)
                   ? tg_str("true}") : tg_str("false}"));
    }

    tg_page_room(pg, TG_STATUS_LINE);
    tg_put_lit(&pg->text, "]");
}


int
tg_status_page(const tg_status_facts_t *facts, tg_status_format_t format,
    tg_out_t out, void *data)
{
    tg_page_t            pg;
    const tg_metrics_t  *m = &facts->tally->metrics;

    tg_page_init(&pg, out, data);

    if (format == TG_STATUS_PROMETHEUS || format == TG_STATUS_OPENMETRICS) {
        tg_status_text(facts, format == TG_STATUS_OPENMETRICS, &pg);
        return tg_page_end(&pg);
    }

    if (format == TG_STATUS_HTML) {
        tg_status_html(facts, &pg);
        return tg_page_end(&pg);
    }

    tg_put_lit(&pg.text, "{\"@timestamp\":\"");
    tg_put_time(&pg.text, facts->wall_ms);
    tg_put_lit(&pg.text, "\",\"config_hash\":\"");
    tg_put_str(&pg.text, tg_strz(facts->conf->hash_text));
    tg_put_lit(&pg.text, "\",");
    tg_metrics_json(m, &pg);
    tg_status_page_json(&pg, facts);
    tg_status_json_facts(facts, &pg);
    tg_status_fleet_json(&pg, facts);
    tg_page_room(&pg, 2);
    tg_put_lit(&pg.text, "}\n");

    return tg_page_end(&pg);
}
