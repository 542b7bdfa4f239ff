/* llm_status' figures as JSON: docs/metrics.md. */

#include "tg_status_show.h"

#define TG_STATUS_ITEM  2048            /* more than any one */


static void
tg_status_int(tg_text_t *t, const char *name, int64_t v)
{
    tg_put_lit(t, ",\"");
    tg_put_str(t, tg_strz(name));
    tg_put_lit(t, "\":");
    tg_put_int(t, v);
}


static void
tg_status_usd(tg_text_t *t, const char *name, int64_t nusd)
{
    tg_put_lit(t, ",\"");
    tg_put_str(t, tg_strz(name));
    tg_put_lit(t, "_usd\":");
    tg_put_decimal(t, nusd, 9);
    tg_put_lit(t, ",\"");
    tg_put_str(t, tg_strz(name));
    tg_put_lit(t, "_nusd\":");
    tg_put_int(t, nusd);
}


static void
tg_status_string(tg_text_t *t, const char *name, tg_str_t s)
{
    tg_put_lit(t, ",\"");
    tg_put_str(t, tg_strz(name));
    tg_put_lit(t, "\":\"");
    tg_put_json(t, s, 1024);
    tg_put_lit(t, "\"");
}


static void
tg_status_sum(tg_text_t *t, const tg_spend_sum_t *s)
{
    tg_status_usd(t, "hourly", s->hourly);
    tg_status_usd(t, "today", s->today);
    tg_status_usd(t, "month", s->month);
    tg_status_int(t, "calls_today", (int64_t) s->calls_today);
    tg_status_int(t, "calls_month", (int64_t) s->calls_month);
}


static void
tg_status_dimension(const tg_status_facts_t *facts, tg_page_t *pg,
    tg_spend_dimension_t dimension)
{
    unsigned         n;
    tg_text_t       *t = &pg->text;
    tg_spend_top_t   top[TG_STATUS_TOP];
    tg_spend_rest_t  rest;

    n = tg_spend_top(&facts->tally->spend, dimension, facts->zone,
                     facts->wall_ms, top, TG_STATUS_TOP, &rest);

    tg_page_room(pg, TG_STATUS_ITEM);
    tg_put(t, ",", dimension != 0);
    tg_put_lit(t, "\n\"");
    tg_put_str(t, tg_strz(tg_spend_names[dimension]));
    tg_put_lit(t, "\":{\"top\":[");

    for (unsigned i = 0; i < n; i++) {
        tg_page_room(pg, TG_STATUS_ITEM);
        tg_put(t, ",", i != 0);
        tg_put_lit(t, "\n{\"name\":\"");
        tg_put_json(t, tg_str_of(top[i].name, top[i].len), 1024);
        tg_put_lit(t, "\"");
        tg_status_sum(t, &top[i].sum);
        tg_put_lit(t, "}");
    }

    tg_page_room(pg, TG_STATUS_ITEM);
    tg_put_lit(t, "],\"others\":{\"names\":");
    tg_put_int(t, rest.n);
    tg_put_str(t, rest.overflow ? tg_str(",\"overflow\":true")
                                : tg_str(",\"overflow\":false"));
    tg_status_sum(t, &rest.sum);
    tg_put_lit(t, "}}");
}


static void
tg_status_json_spend(const tg_status_facts_t *facts, tg_page_t *pg)
{
    tg_text_t       *t = &pg->text;
    tg_spend_all_t   all;

    tg_spend_all(&facts->tally->spend, facts->zone, facts->wall_ms, &all);

    tg_page_room(pg, TG_STATUS_ITEM);
    tg_put_lit(t, ",\n\"spend\":{\"zone\":\"");
    tg_put_json(t, facts->conf->ledger.zone.len != 0
                   ? facts->conf->ledger.zone : tg_str("UTC"), 256);
    tg_put_lit(t, "\"");
    tg_status_sum(t, &all.sum);
    tg_status_usd(t, "yesterday", all.yesterday);
    tg_status_usd(t, "last_month", all.last_month);
    tg_status_usd(t, "late", all.late);
    tg_put_lit(t, ",\"days_nusd\":[");

    for (unsigned i = 0; i <= all.day; i++) {
        tg_put(t, ",", i != 0);
        tg_put_int(t, all.days[i]);
    }

    tg_put_lit(t, "],\"by\":{");

    for (unsigned d = 0; d < TG_SPEND_DIMENSIONS; d++) {
        tg_status_dimension(facts, pg, (tg_spend_dimension_t) d);
    }

    tg_page_room(pg, TG_STATUS_ITEM);
    tg_put_lit(t, "}}");
}


static void
tg_status_json_ledger(const tg_status_facts_t *facts, tg_text_t *t)
{
    tg_ledger_stats_t  s;

    if (facts->ledger == NULL) {
        tg_put_lit(t, ",\n\"ledger\":null");
        return;
    }

    tg_ledger_stats(facts->ledger, &s);

    tg_put_lit(t, ",\n\"ledger\":{\"entries\":");
    tg_put_int(t, s.entries);
    tg_status_int(t, "entries_used", s.entries_used);
    tg_status_int(t, "entries_invented", s.entries_invented);
    tg_status_int(t, "slots", s.slots);
    tg_status_int(t, "slots_used", s.slots_used);
    tg_status_int(t, "full", (int64_t) s.full);
    tg_status_int(t, "busy", (int64_t) s.busy);
    tg_status_int(t, "evicted", (int64_t) s.evicted);
    tg_status_int(t, "swept", (int64_t) s.swept);
    tg_status_int(t, "recoveries", (int64_t) s.recoveries);
    tg_put_lit(t, ",\"created\":\"");
    tg_put_time(t, s.created);
    tg_put_lit(t, "\"}");
}


static void
tg_status_json_server(const tg_status_facts_t *facts, tg_text_t *t)
{
    const tg_conf_t  *conf = facts->conf;

    tg_status_string(t, "node", conf->node);
    tg_put_lit(t, ",\"since\":\"");
    tg_put_time(t, facts->tally->since);
    tg_put_lit(t, "\"");
    tg_status_int(t, "in_flight", facts->in_flight);
    tg_put_lit(t, ",\"hashes\":{\"config\":\"");
    tg_put_str(t, tg_strz(conf->hash_text));
    tg_put_lit(t, "\"");

    if (facts->book != NULL) {
        tg_status_string(t, "prices", tg_price_book_hash(facts->book));
    }

    if (facts->roster != NULL) {
        tg_status_string(t, "keys",
                         tg_keys_hash(tg_roster_keys(facts->roster)));
    }

    tg_put_lit(t, "}");
}


typedef struct {
    tg_page_t  *page;
    bool        any;
} tg_status_through_t;


static int
tg_status_through(void *data, const char *p, size_t n)
{
    size_t                part;
    tg_status_through_t  *through = data;

    for ( ; n != 0; p += part, n -= part) {
        part = n < TG_PAGE_SIZE / 2 ? n : TG_PAGE_SIZE / 2;
        tg_page_room(through->page, part);
        tg_put(&through->page->text, p, part);
        through->any = true;
    }

    return through->page->failed;
}


bool
tg_status_upstreams(const tg_status_facts_t *facts, tg_status_format_t format,
    tg_page_t *pg)
{
    tg_status_through_t             through = { pg, false };
    const tg_companion_upstream_t  *up = facts->upstream;

    if (up != NULL && up->status != NULL
        && up->status(up->data, format, facts->wall_ms, tg_status_through,
                      &through)
           != TG_OK)
    {
        pg->failed = true;
    }

    return through.any;
}


void
tg_status_json_facts(const tg_status_facts_t *facts, tg_page_t *pg)
{
    tg_page_room(pg, TG_STATUS_ITEM);
    tg_status_json_server(facts, &pg->text);
    tg_status_json_spend(facts, pg);
    tg_status_json_limits(facts, pg);
    tg_page_room(pg, TG_STATUS_ITEM);
    tg_status_json_ledger(facts, &pg->text);

    if (facts->upstream != NULL) {
        tg_page_room(pg, TG_STATUS_ITEM);
        tg_put_lit(&pg->text, ",\n\"upstreams\":");

        if (!tg_status_upstreams(facts, TG_STATUS_JSON, pg)) {
            tg_put_lit(&pg->text, "null");
        }
    }
}
