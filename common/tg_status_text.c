#include "tg_status_page_int.h"

/* llm_status for Prometheus: docs/metrics.md. */

const tg_route_counted_name_t  tg_route_counts[TG_ROUTE_COUNTS] = {
    { "taken", "llm_route_requests_total", "Calls that a route took." },
    { "dry_taken", "llm_route_dry_requests_total",
      "Calls that a route's dry run would have taken." },
    { "fallbacks", "llm_route_fallbacks_total",
      "Attempts of a route's calls that went on to another target." }
};


int64_t
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


bool
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
tg_status_routes(tg_page_t *pg, tg_breakers_t *b, const tg_conf_t *conf,
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


void
tg_status_text(const tg_status_facts_t *facts, tg_page_t *pg)
{
    tg_metrics_text(&facts->tally->metrics, pg);
    tg_status_routes(pg, facts->breakers, facts->conf, facts->mono_ms);
}
