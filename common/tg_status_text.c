#include "tg_status_page_int.h"
#include "tg_status_fleet.h"

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
tg_status_routes(tg_page_t *pg, const tg_status_facts_t *facts)
{
    unsigned            i;
    tg_route_counted_t  k;
    const tg_conf_t    *conf = facts->conf;
    tg_route_counts_t  *counts = &facts->tally->routes;

    for (k = 0; k < TG_ROUTE_COUNTS; k++) {
        tg_page_family(pg, "", tg_route_counts[k].name, "counter",
                       tg_route_counts[k].help);

        for (i = 0; i < conf->routes.n; i++) {
            tg_str_t  route = conf->routes.list[i]->name;

            tg_status_sample(pg, tg_route_counts[k].name, "route", route,
                             tg_status_count(tg_route_count(counts, route), k));
        }
    }

    tg_page_family(pg, "", "llm_provider_up", "gauge",
                   "0 while calls avoid a provider that has failed.");

    for (i = 0; i < conf->nproviders; i++) {
        tg_status_sample(pg, "llm_provider_up", "provider",
                         conf->providers[i].name,
                         tg_status_closed(facts->breakers, &conf->providers[i],
                                          facts->mono_ms));
    }
}


void
tg_status_number(tg_page_t *pg, int64_t v, unsigned scale)
{
    if (scale == 0) {
        tg_put_int(&pg->text, v);
    } else {
        tg_put_decimal(&pg->text, v, scale);
    }

    tg_put_lit(&pg->text, "\n");
}


void
tg_status_one(tg_page_t *pg, const char *name, const char *type,
    const char *help, int64_t v, unsigned scale)
{
    tg_page_family(pg, "", name, type, help);
    tg_page_room(pg, TG_STATUS_LINE);
    tg_put_str(&pg->text, tg_strz(name));
    tg_put_lit(&pg->text, " ");
    tg_status_number(pg, v, scale);
}


static void
tg_status_info_label(tg_page_t *pg, const char *name, tg_str_t value)
{
    char  text[TG_METRIC_VALUE_MAX];

    tg_put_str(&pg->text, tg_strz(name));
    tg_put_lit(&pg->text, "=\"");
    tg_put(&pg->text, text, tg_labels_value(text, value, sizeof(text)));
    tg_put_lit(&pg->text, "\"");
}


/* What differs between nodes that should not. */
static void
tg_status_info(const tg_status_facts_t *facts, tg_page_t *pg)
{
    tg_str_t  none = tg_str_null;

    tg_page_family(pg, "", "llm_config_info", "gauge",
                   "What is in force: hashes of the configuration, of the"
                   " prices and of the keys.");
    tg_page_room(pg, 2 * TG_STATUS_LINE);
    tg_put_lit(&pg->text, "llm_config_info{");
    tg_status_info_label(pg, "node", facts->conf->node);
    tg_status_info_label(pg, ",config_hash", tg_strz(facts->conf->hash_text));
    tg_status_info_label(pg, ",prices_hash", facts->book != NULL
                         ? tg_price_book_hash(facts->book) : none);
    tg_status_info_label(pg, ",keys_hash", facts->roster != NULL
                         ? tg_keys_hash(tg_roster_keys(facts->roster)) : none);
    tg_put_lit(&pg->text, "} 1\n");
}


/* By the calendar, which PromQL has not. */
static void
tg_status_spend(const tg_status_facts_t *facts, tg_page_t *pg)
{
    unsigned         i;
    tg_spend_all_t   all;
    const struct {
        const char  *name;
        int64_t     *value;
    } windows[] = {
        { "today", &all.sum.today }, { "yesterday", &all.yesterday },
        { "month", &all.sum.month }, { "last_month", &all.last_month }
    };

    tg_spend_all(&facts->tally->spend, facts->zone, facts->wall_ms, &all);
    tg_page_family(pg, "", "llm_spend_usd", "gauge",
                   "What calls have cost that were admitted in a calendar day"
                   " or month, in the ledger's time zone.");

    for (i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
        tg_page_room(pg, TG_STATUS_LINE);
        tg_put_lit(&pg->text, "llm_spend_usd{window=\"");
        tg_put_str(&pg->text, tg_strz(windows[i].name));
        tg_put_lit(&pg->text, "\"} ");
        tg_status_number(pg, *windows[i].value, 9);
    }

    tg_status_one(pg, "llm_spend_hourly_usd", "gauge",
                  "What an hour costs, at the pace of the last five minutes.",
                  all.sum.hourly, 9);
}


/* Those of the other module, as its own page has them. */
static void
tg_status_backends(const tg_status_facts_t *facts, tg_page_t *pg)
{
    tg_status_format_t              format;
    const tg_companion_upstream_t  *up = facts->upstream;

    if (up == NULL || up->status == NULL || tg_page_end(pg) != TG_OK) {
        return;
    }

    format = pg->openmetrics ? TG_STATUS_OPENMETRICS : TG_STATUS_PROMETHEUS;

    if (up->status(up->data, format, facts->wall_ms, pg->out, pg->data)
        != TG_OK)
    {
        pg->failed = true;
    }
}


void
tg_status_text(const tg_status_facts_t *facts, bool openmetrics,
    tg_page_t *pg)
{
    pg->openmetrics = openmetrics;

    tg_metrics_text(&facts->tally->metrics, pg);
    tg_status_spend(facts, pg);
    tg_status_routes(pg, facts);
    tg_status_quotas(facts, pg);
    tg_status_fleet_text(pg, facts);

    tg_status_one(pg, "llm_requests_in_flight", "gauge",
                  "Calls under way, in all of the server's processes.",
                  facts->in_flight, 0);
    tg_status_one(pg, "llm_log_lines_lost_total", "counter",
                  "Cost lines that could not be written.",
                  (int64_t) atomic_load(&facts->tally->lost), 0);
    tg_status_one(pg, "llm_counting_since_timestamp_seconds", "gauge",
                  "When these counters began.", facts->tally->since, 3);
    tg_status_info(facts, pg);
    tg_status_backends(facts, pg);

    if (openmetrics) {
        tg_page_room(pg, TG_STATUS_LINE);
        tg_put_lit(&pg->text, "# EOF\n");
    }
}
