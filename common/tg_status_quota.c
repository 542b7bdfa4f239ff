/* What quotas have used, and how the ledger is, for Prometheus. */

#include "tg_ledger_fleet.h"
#include "tg_status_page_int.h"

#include <stdlib.h>

#define TG_QUOTA_VALUE   240            /* of one label */
#define TG_QUOTA_LABELS  (2 * TG_QUOTA_VALUE + 128)

static const char *const  tg_quota_windows[] = {
    [TG_WINDOW_SECOND] = "second",
    [TG_WINDOW_MINUTE] = "minute",
    [TG_WINDOW_HOUR] = "hour",
    [TG_WINDOW_DAY] = "day",
    [TG_WINDOW_WEEK] = "week",
    [TG_WINDOW_MONTH] = "month",
    [TG_WINDOW_TOTAL] = "total",
    [TG_WINDOW_IDLE] = "idle"
};

/* One limit of one quota for one subject. */
typedef struct {
    tg_measure_t   measure;
    int64_t        last;                /* call of it */
    int64_t        used, held, cap, limit;
    int64_t        start, reset;        /* TG_WINDOW_NEVER */
    int64_t        at_reset;            /* -1: is not known */
    int64_t        out;                 /* TG_WINDOW_NEVER */
    int64_t        refused, dry;
    bool           latched;
    size_t         len;
    char           labels[TG_QUOTA_LABELS];
} tg_quota_row_t;

typedef struct {
    unsigned         n;
    tg_quota_row_t  *row;
} tg_quota_rows_t;


static void
tg_quota_row_label(tg_text_t *t, const char *name, tg_str_t value)
{
    char  text[TG_QUOTA_VALUE];

    tg_put_str(t, tg_strz(name));
    tg_put_lit(t, "=\"");
    tg_put(t, text, tg_labels_value(text, value, sizeof(text)));
    tg_put_lit(t, "\"");
}


static void
tg_quota_row_labels(tg_quota_row_t *row, const tg_subject_view_t *v)
{
    tg_text_t  t;

    tg_text_init(&t, row->labels, sizeof(row->labels));
    tg_quota_row_label(&t, "quota", v->quota);
    tg_quota_row_label(&t, ",subject", v->subject);
    tg_quota_row_label(&t, ",measure", tg_strz(tg_measure_names[v->measure]));

    if (v->measure != TG_MEASURE_CONCURRENT) {
        tg_quota_row_label(&t, ",window",
                           tg_strz(tg_quota_windows[v->window.kind]));
    }

    row->len = (size_t) (t.p - row->labels);
}


static bool
tg_quota_row(tg_quota_row_t *row, const tg_subject_view_t *v,
    const tg_status_facts_t *facts)
{
    tg_ledger_state_t      state;
    tg_subject_forecast_t  f;

    if (!tg_subject_state(v, facts->ledger, facts->zone, facts->wall_ms,
                          &state))
    {
        return false;
    }

    tg_subject_forecast(v, &state, facts->wall_ms, &f);
    tg_quota_row_labels(row, v);

    row->measure = v->measure;
    row->last = v->last;
    row->used = state.used;
    row->held = state.held;
    row->cap = state.cap;
    row->limit = state.limit;
    row->start = v->window.kind < TG_WINDOW_TOTAL ? state.window
                                                  : TG_WINDOW_NEVER;
    row->reset = v->measure != TG_MEASURE_CONCURRENT ? state.reset
                                                     : TG_WINDOW_NEVER;
    row->at_reset = f.known && row->start != TG_WINDOW_NEVER ? f.at_reset : -1;
    row->out = f.known ? f.out : TG_WINDOW_NEVER;
    row->refused = (int64_t) v->refused;
    row->dry = (int64_t) v->dry;
    row->latched = state.latched;

    return true;
}


/* By their labels; of those that have the same, the last one used comes first. */
static int
tg_quota_row_order(const void *a, const void *b)
{
    int                    rc;
    const tg_quota_row_t  *x = a, *y = b;

    rc = memcmp(x->labels, y->labels, x->len < y->len ? x->len : y->len);

    if (rc == 0 && x->len != y->len) {
        rc = x->len < y->len ? -1 : 1;
    }

    return rc != 0 ? rc : x->last > y->last ? -1 : x->last < y->last;
}


/* Looked at once: the format wants each name for all of them. */
static bool
tg_quota_rows(tg_quota_rows_t *all, const tg_status_facts_t *facts)
{
    unsigned              i = 0, n = 0;
    tg_subject_view_t     v;
    const tg_quota_row_t *row;

    all->n = 0;
    all->row = malloc(TG_SUBJECT_ROWS * sizeof(tg_quota_row_t));

    if (all->row == NULL) {
        return false;
    }

    while (n < TG_SUBJECT_ROWS
           && tg_subjects_each(&facts->tally->subjects, facts->wall_ms, &i, &v))
    {
        n += tg_quota_row(&all->row[n], &v, facts);
    }

    qsort(all->row, n, sizeof(tg_quota_row_t), tg_quota_row_order);

    /* A quota whose time zone was another one has another bucket of that name;
     * names that were cut may be the same. */

    for (i = 0; i < n; i++) {
        row = &all->row[i];

        if (all->n == 0 || row->len != all->row[all->n - 1].len
            || memcmp(row->labels, all->row[all->n - 1].labels, row->len) != 0)
        {
            if (all->n != i) {
                all->row[all->n] = *row;
            }

            all->n++;
        }
    }

    return true;
}


typedef enum {
    TG_QUOTA_USED = 0,
    TG_QUOTA_HELD,
    TG_QUOTA_CAP,
    TG_QUOTA_LIMIT,
    TG_QUOTA_FORECAST,
    TG_QUOTA_START,
    TG_QUOTA_RESET,
    TG_QUOTA_OUT,
    TG_QUOTA_LATCHED,
    TG_QUOTA_REFUSED,
    TG_QUOTA_DRY,
    TG_QUOTA_FAMILIES
} tg_quota_family_t;

static const struct {
    const char  *name;
    const char  *type;
    const char  *help;
} tg_quota_families[TG_QUOTA_FAMILIES] = {
    { "llm_quota_used", "gauge",
      "Used of a quota in the window under way, by the whole fleet: dollars,"
      " tokens, calls." },
    { "llm_quota_held", "gauge",
      "Held for calls in flight, and of a fleet by nodes." },
    { "llm_quota_cap", "gauge",
      "What the quota's thresholds are percentages of, raises included." },
    { "llm_quota_limit", "gauge",
      "Where calls are refused, raises included." },
    { "llm_quota_forecast", "gauge",
      "What the window will have taken at its end, at the pace of late." },
    { "llm_quota_start_timestamp_seconds", "gauge",
      "When the window began." },
    { "llm_quota_reset_timestamp_seconds", "gauge", "When it ends." },
    { "llm_quota_exhaustion_timestamp_seconds", "gauge",
      "When the limit will be reached at that pace, if before the window's"
      " end." },
    { "llm_quota_latched", "gauge",
      "1: closed since it was reached, until it is opened by hand." },
    { "llm_quota_refusals_total", "counter",
      "Calls that the quota has refused the subject." },
    { "llm_quota_dry_refusals_total", "counter",
      "Calls that its dry run would have." }
};


/* False: it has none. */
static bool
tg_quota_value(const tg_quota_row_t *r, tg_quota_family_t f, int64_t *v,
    unsigned *scale)
{
    *scale = r->measure == TG_MEASURE_USD ? 9 : 0;

    switch (f) {

    case TG_QUOTA_USED:
        *v = r->used;
        return true;

    case TG_QUOTA_HELD:
        *v = r->held;
        return true;

    case TG_QUOTA_CAP:
        *v = r->cap;
        return true;

    case TG_QUOTA_LIMIT:
        *v = r->limit;
        return true;

    case TG_QUOTA_FORECAST:
        *v = r->at_reset;
        return *v >= 0;

    case TG_QUOTA_START:
        *v = r->start;
        break;

    case TG_QUOTA_RESET:
        *v = r->reset;
        break;

    case TG_QUOTA_OUT:
        *v = r->out;
        break;

    case TG_QUOTA_LATCHED:
        *v = r->latched;
        *scale = 0;
        return true;

    case TG_QUOTA_REFUSED:
        *v = r->refused;
        *scale = 0;
        return *v != 0;

    case TG_QUOTA_DRY:
    case TG_QUOTA_FAMILIES:
        *v = r->dry;
        *scale = 0;
        return *v != 0;
    }

    *scale = 3;                         /* times */

    return *v != TG_WINDOW_NEVER;
}


static void
tg_quota_family(tg_page_t *pg, const tg_quota_rows_t *all, tg_quota_family_t f)
{
    int64_t                v;
    unsigned               scale;
    const tg_quota_row_t  *r;

    tg_page_family(pg, "", tg_quota_families[f].name,
                   tg_quota_families[f].type, tg_quota_families[f].help);

    for (r = all->row; r < all->row + all->n; r++) {
        if (tg_quota_value(r, f, &v, &scale)) {
            tg_page_room(pg, TG_QUOTA_LABELS + 128);
            tg_put_str(&pg->text, tg_strz(tg_quota_families[f].name));
            tg_put_lit(&pg->text, "{");
            tg_put(&pg->text, r->labels, r->len);
            tg_put_lit(&pg->text, "} ");
            tg_status_number(pg, v, scale);
        }
    }
}


static void
tg_status_fleet(const tg_ledger_t *ledger, tg_page_t *pg)
{
    tg_ledger_fleet_stats_t  s;

    tg_ledger_fleet_stats(ledger, &s);

    tg_status_one(pg, "llm_fleet_up", "gauge",
                  "0 while the fleet's Redis does not answer this node.",
                  s.joined && s.down_since == 0 && !s.retired, 0);
    tg_status_one(pg, "llm_fleet_answered_timestamp_seconds", "gauge",
                  "When it last did.", s.heard, 3);
    tg_status_one(pg, "llm_fleet_nodes", "gauge",
                  "Nodes of the fleet, this one among them.", s.nodes, 0);
    tg_status_one(pg, "llm_fleet_asks_total", "counter",
                  "Calls that waited for Redis.", (int64_t) s.asks, 0);
    tg_status_one(pg, "llm_fleet_reports_total", "counter",
                  "Messages that no call waited for.", (int64_t) s.reports, 0);
    tg_status_one(pg, "llm_fleet_lost_total", "counter",
                  "Messages without an answer.", (int64_t) s.lost, 0);
    tg_status_one(pg, "llm_fleet_unbacked_total", "counter",
                  "Calls let through while Redis was away, beyond what this"
                  " node had.", (int64_t) s.unbacked, 0);
    tg_status_one(pg, "llm_fleet_epochs_total", "counter",
                  "Times that the fleet began anew, for Redis had lost data.",
                  (int64_t) s.epochs, 0);
}


static void
tg_status_ledger(const tg_ledger_t *ledger, tg_page_t *pg)
{
    tg_ledger_stats_t  s;

    tg_ledger_stats(ledger, &s);

    tg_status_one(pg, "llm_ledger_entries", "gauge",
                  "Counters in use.", s.entries_used, 0);
    tg_status_one(pg, "llm_ledger_entries_invented", "gauge",
                  "Of those, of subjects that are the client's word alone.",
                  s.entries_invented, 0);
    tg_status_one(pg, "llm_ledger_entries_max", "gauge",
                  "Counters that there is room for.", s.entries, 0);
    tg_status_one(pg, "llm_ledger_slots", "gauge",
                  "Calls that hold something, or whose line is not written.",
                  s.slots_used, 0);
    tg_status_one(pg, "llm_ledger_slots_max", "gauge",
                  "Calls that there is room for.", s.slots, 0);
    tg_status_one(pg, "llm_ledger_swept_total", "counter",
                  "Calls of killed processes that others settled.",
                  (int64_t) s.swept, 0);
    tg_status_one(pg, "llm_ledger_recoveries_total", "counter",
                  "Locks taken over from killed processes.",
                  (int64_t) s.recoveries, 0);
    tg_status_one(pg, "llm_ledger_full_total", "counter",
                  "Calls for which there was no room.", (int64_t) s.full, 0);
    tg_status_one(pg, "llm_ledger_busy_total", "counter",
                  "Times that the lock was not to be had.", (int64_t) s.busy,
                  0);
    tg_status_one(pg, "llm_ledger_evicted_total", "counter",
                  "Counters that made room for others.", (int64_t) s.evicted,
                  0);

    if (tg_ledger_is_fleet(ledger)) {
        tg_status_fleet(ledger, pg);
    }
}


void
tg_status_quotas(const tg_status_facts_t *facts, tg_page_t *pg)
{
    tg_quota_rows_t    all;
    tg_quota_family_t  f;

    if (facts->ledger == NULL) {
        return;
    }

    if (!tg_quota_rows(&all, facts)) {
        pg->failed = true;
        return;
    }

    for (f = 0; f < TG_QUOTA_FAMILIES; f++) {
        tg_quota_family(pg, &all, f);
    }

    free(all.row);

    tg_status_one(pg, "llm_quota_crowded_total", "counter",
                  "Subjects of quotas that found no room here; the ledger has"
                  " them.",
                  (int64_t) atomic_load(&facts->tally->subjects.crowded), 0);
    tg_status_ledger(facts->ledger, pg);
}
