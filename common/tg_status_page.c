#include "tg_status_page.h"

/* A name has up to TG_STR_NAME_MAX bytes, none of which is escaped. */
#define TG_STATUS_LINE  512

typedef enum {
    TG_ROUTE_TAKEN = 0,
    TG_ROUTE_DRY,
    TG_ROUTE_FALLBACKS,
    TG_ROUTE_COUNTS
} tg_route_counted_t;

static const struct {
    const char  *json;
    const char  *name;
    const char  *help;
} tg_route_counts[TG_ROUTE_COUNTS] = {
    { "taken", "llm_route_requests_total", "Calls that a route took." },
    { "dry_taken", "llm_route_dry_requests_total",
      "Calls that a route's dry run would have taken." },
    { "fallbacks", "llm_route_fallbacks_total",
      "Attempts of a route's calls that went on to another target." }
};


static int64_t
tg_status_count(tg_route_count_t *c, tg_route_counted_t what)
{
    _Atomic uint64_t  *v;

    if (c == NULL) {
        return 0;
    }

    v = what == TG_ROUTE_TAKEN ? &c->taken
        : what == TG_ROUTE_DRY ? &c->dry : &c->fallbacks;

    return (int64_t) atomic_load_explicit(v, memory_order_relaxed);
}


static bool
tg_status_closed(tg_breakers_t *b, const tg_provider_t *pr, int64_t mono_ms)
{
    return tg_breaker_closed(b, tg_breaker_key(pr->name, tg_str_null),
                             mono_ms, false);
}


static void
tg_status_sample(tg_page_t *pg, const char *name, const char *label,
    tg_str_t value, int64_t n)
{
    tg_text_t  *t = &pg->text;

    tg_page_room(pg, TG_STATUS_LINE);
    tg_put_str(t, tg_strz(name));
    tg_put_lit(t, "{");
    tg_put_str(t, tg_strz(label));
    tg_put_lit(t, "=\"");
    tg_put_str(t, value);
    tg_put_lit(t, "\"} ");
    tg_put_int(t, n);
    tg_put_lit(t, "\n");
}


static void
tg_status_page_text(tg_page_t *pg, tg_breakers_t *b, const tg_conf_t *conf,
    int64_t mono_ms)
{
    unsigned            i;
    tg_route_counted_t  k;

    for (k = 0; k < TG_ROUTE_COUNTS; k++) {
        tg_page_family(pg, "", tg_route_counts[k].name, "counter",
                       tg_route_counts[k].help);

        for (i = 0; i < conf->routes.n; i++) {
            tg_str_t  route = conf->routes.list[i]->name;

            tg_status_sample(pg, tg_route_counts[k].name, "route", route,
                             tg_status_count(tg_route_count(b, route), k));
        }
    }

    tg_page_family(pg, "", "llm_provider_up", "gauge",
                   "0 while calls avoid a provider that has failed.");

    for (i = 0; i < conf->nproviders; i++) {
        tg_status_sample(pg, "llm_provider_up", "provider",
                         conf->providers[i].name,
                         tg_status_closed(b, &conf->providers[i], mono_ms));
    }
}


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
tg_status_page_json(tg_page_t *pg, tg_breakers_t *b, const tg_conf_t *conf,
    int64_t mono_ms)
{
    unsigned            i;
    tg_route_counted_t  k;

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
                       tg_status_count(tg_route_count(b, route), k));
        }

        tg_put_lit(&pg->text, "}");
    }

    tg_page_room(pg, TG_STATUS_LINE);
    tg_put_lit(&pg->text, "],\"providers\":[");

    for (i = 0; i < conf->nproviders; i++) {
        tg_status_named(pg, i == 0, "provider", conf->providers[i].name);
        tg_put_lit(&pg->text, ",\"up\":");
        tg_put_str(&pg->text,
                   tg_status_closed(b, &conf->providers[i], mono_ms)
                   ? tg_str("true}") : tg_str("false}"));
    }

    tg_page_room(pg, TG_STATUS_LINE);
    tg_put_lit(&pg->text, "]}\n");
}


int
tg_status_page(const tg_status_facts_t *facts, tg_status_format_t format,
    tg_out_t out, void *data)
{
    tg_page_t            pg;
    const tg_metrics_t  *m = &facts->tally->metrics;

    tg_page_init(&pg, out, data);

    if (format == TG_STATUS_PROMETHEUS || format == TG_STATUS_OPENMETRICS) {
        tg_metrics_text(m, &pg);
        tg_status_page_text(&pg, facts->breakers, facts->conf, facts->mono_ms);
        return tg_page_end(&pg);
    }

    tg_put_lit(&pg.text, "{\"@timestamp\":\"");
    tg_put_time(&pg.text, facts->wall_ms);
    tg_put_lit(&pg.text, "\",\"config_hash\":\"");
    tg_put_str(&pg.text, tg_strz(facts->conf->hash_text));
    tg_put_lit(&pg.text, "\",");
    tg_metrics_json(m, &pg);
    tg_status_page_json(&pg, facts->breakers, facts->conf, facts->mono_ms);

    return tg_page_end(&pg);
}
