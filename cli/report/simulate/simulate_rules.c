/* The same calls under other rules. */

#define _GNU_SOURCE

#include "simulate_int.h"
#include "kind/listing.h"
#include "kind/ranking.h"
#include "rows/timeline.h"
#include "llmctl.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define TOP          40                 /* rows of a readable table */
#define VERDICT_MAX  400
#define MONEY_SIZE   (TG_MONEY_TEXT_MAX + 1)

/* Of calls; all int64_t. Money is nano-dollars. */
typedef struct {
    int64_t  calls;
    int64_t  then, now;
    int64_t  refused_then, refused_now;
    int64_t  would_refuse;
    int64_t  refused_cost;              /* what those of _now cost then */
    int64_t  rerouted;
    int64_t  rerouted_then, rerouted_now;
    int64_t  lowered;
    int64_t  waited;
    int64_t  estimated, estimated_cost; /* refused then, and now a guess */
    int64_t  unpriced;
    int64_t  attempts_left_out;
} sums_t;

typedef struct {
    simulate_t    *s;
    timeline_t    *line;
    replay_t      *replay;
    ranking_t      ranking;
    const sums_t  *all;
    table_t       *table;
    FILE          *calls;               /* NULL: none are told of */
    dimension_t    by[DIMENSIONS_MAX + 1];
    unsigned       nby;
    bool           broken;
} rules_t;


static void
sums_of(sums_t *s, const replay_call_t *c)
{
    memset(s, 0, sizeof(*s));
    s->calls = 1;
    s->then = c->cost_then;
    s->now = c->cost_now;
    s->refused_then = c->refused_then;
    s->refused_now = c->refused_now;
    s->would_refuse = c->would_refuse;
    s->refused_cost = c->refused_now ? c->cost_then : 0;
    s->lowered = !c->refused_now && c->lowered > 0;
    s->waited = c->waited_ms > 0;
    s->unpriced = c->unpriced;
    s->attempts_left_out = c->attempts_left_out;

    if (c->estimated) {
        s->estimated = 1;
        s->estimated_cost = c->cost_now;
    }

    if (c->rerouted && !c->refused_now) {
        s->rerouted = 1;
        s->rerouted_then = c->cost_then;
        s->rerouted_now = c->cost_now;
    }
}


/* In a few words what is different now. */
static tg_str_t
verdict(char *buf, const replay_call_t *c)
{
    int       n;
    tg_str_t  rule = c->rule, was = c->r->text[REC_RULE];

    if (c->refused_now) {
        n = snprintf(buf, VERDICT_MAX, c->refused_then
                     ? "refused by %.*s, as then by %.*s"
                     : "refused by %.*s", (int) rule.len, rule.p,
                     (int) was.len, was.p);

    } else if (c->refused_then) {
        n = snprintf(buf, VERDICT_MAX, "let through, was refused by %.*s",
                     (int) was.len, was.p);

    } else if (c->rerouted) {
        n = snprintf(buf, VERDICT_MAX, "sent to %.*s/%.*s%s%.*s",
                     (int) c->provider.len, c->provider.p, (int) c->model.len,
                     c->model.p, c->route.len == 0 ? "" : " by ",
                     (int) c->route.len, c->route.p);

    } else if (c->would_refuse) {
        n = snprintf(buf, VERDICT_MAX, "would be refused by %.*s (dry run)",
                     (int) rule.len, rule.p);

    } else if (c->lowered > 0) {
        n = snprintf(buf, VERDICT_MAX, "let through with a lower maximum");

    } else {
        n = snprintf(buf, VERDICT_MAX, "as before");
    }

    return tg_str_of(buf, n < VERDICT_MAX ? (size_t) n : VERDICT_MAX - 1);
}


static json_t *
text_json(tg_str_t s)
{
    json_t  *v = s.len == 0 ? json_null() : json_stringn(s.p, s.len);

    return v != NULL ? v : json_null();
}


/* A line for each call: --calls. */
static bool
tell(rules_t *u, const replay_call_t *c, tg_str_t words)
{
    bool             ok;
    json_t          *o;
    const record_t  *r = c->r;

    o = json_pack("{s:o, s:o, s:o, s:{s:o, s:o, s:o, s:o, s:I},"
                  " s:{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:b, s:I, s:I}}",
                  "call_id", text_json(r->text[REC_CALL_ID]),
                  "time_ms", json_integer(r->time),
                  "verdict", text_json(words),
                  "then",
                  "decision", text_json(r->text[REC_DECISION]),
                  "rule", text_json(r->text[REC_RULE]),
                  "model", text_json(r->text[REC_MODEL].len != 0
                                     ? r->text[REC_MODEL]
                                     : r->text[REC_ASKED_MODEL]),
                  "route", text_json(r->text[REC_ROUTE]),
                  "cost_nusd", (json_int_t) c->cost_then,
                  "now",
                  "decision", c->refused_now ? "refuse"
                              : c->would_refuse ? "dry_refuse" : "allow",
                  "rule", text_json(c->rule),
                  "reason", text_json(c->reason),
                  "subject", text_json(c->subject),
                  "route", text_json(c->route),
                  "provider", text_json(c->provider),
                  "model", text_json(c->model),
                  "cost_nusd", (json_int_t) c->cost_now,
                  "estimated", c->estimated,
                  "max_tokens", (json_int_t) c->lowered,
                  "waited_ms", (json_int_t) c->waited_ms);

    ok = o != NULL && json_dumpf(o, u->calls, JSON_COMPACT) == 0
         && fputc('\n', u->calls) != EOF;
    json_decref(o);

    return ok || failed(u->s->calls, "can't be written");
}


static void
done(void *data, const replay_call_t *c)
{
    char       buf[VERDICT_MAX];
    sums_t     sums;
    rules_t   *u = data;
    tg_str_t   words = verdict(buf, c);
    record_t   r = *c->r;

    sums_of(&sums, c);
    r.text[REC_REASON] = words;         /* grouped by */

    if (!u->broken && !ranking_take(&u->ranking, &r, &sums)) {
        u->broken = true;
        (void) fail("simulate", "there are too many rows for the memory");
    }

    if (!u->broken && u->calls != NULL && !tell(u, c, words)) {
        u->broken = true;
    }
}


static bool
gather(void *data, const record_t *r)
{
    rules_t  *u = data;

    replay_learn(u->replay, r);
    u->broken = !timeline_add(u->line, r, &u->s->o.reader.want);

    return !u->broken;
}


static bool
run(rules_t *u, replay_stats_t *stats)
{
    record_t  r;

    while (!u->broken && timeline_next(u->line, &r, &u->broken)) {
        if (!replay_call(u->replay, &r)) {
            return false;
        }
    }

    return !u->broken && replay_end(u->replay, stats) && !u->broken;
}


/* The largest change first; what is as before last. */
static void
by_difference(int64_t rank[2], const tg_str_t *values, const void *sums)
{
    int64_t        d;
    const sums_t  *s = sums;

    (void) values;
    d = tg_money_less(s->now, s->then);
    rank[0] = ~(d < 0 ? tg_money_less(0, d) : d);
    rank[1] = ~s->calls;
}


static void
columns(rules_t *u)
{
    char      name[LISTING_NAME_SIZE];
    table_t  *t = u->table;

    for (unsigned i = 0; i < u->nby; i++) {
        (void) listing_name(name, &u->by[i]);
        table_column(t, strcmp(name, "event_reason") == 0 ? "verdict" : name,
                     CELL_TEXT);
    }

    table_column(t, "calls", CELL_COUNT);
    table_column(t, "refused_then", CELL_COUNT);
    table_column(t, "refused_now", CELL_COUNT);
    table_column(t, "rerouted", CELL_COUNT);
    table_column(t, "cost_then", CELL_MONEY);
    table_column(t, "cost_now", CELL_MONEY);
    table_column(t, "difference", CELL_MONEY);

    if (u->s->o.format != TABLE_TEXT) {
        table_column(t, "refused_cost", CELL_MONEY);
        table_column(t, "rerouted_saved", CELL_MONEY);
        table_column(t, "would_refuse", CELL_COUNT);
        table_column(t, "lowered", CELL_COUNT);
        table_column(t, "waited", CELL_COUNT);
        table_column(t, "estimated_calls", CELL_COUNT);
        table_column(t, "estimated_cost", CELL_MONEY);
        table_column(t, "unpriced", CELL_COUNT);
    }
}


static void
cells(void *data, table_t *t, const void *sums, bool row)
{
    const sums_t   *s = sums;
    const rules_t  *u = data;

    (void) row;
    table_int(t, s->calls);
    table_int(t, s->refused_then);
    table_int(t, s->refused_now);
    table_int(t, s->rerouted);
    table_int(t, s->then);
    table_int(t, s->now);
    table_int(t, tg_money_less(s->now, s->then));

    if (u->s->o.format != TABLE_TEXT) {
        table_int(t, s->refused_cost);
        table_int(t, tg_money_less(s->rerouted_then, s->rerouted_now));
        table_int(t, s->would_refuse);
        table_int(t, s->lowered);
        table_int(t, s->waited);
        table_int(t, s->estimated);
        table_int(t, s->estimated_cost);
        table_int(t, s->unpriced);
    }
}


static const char *
usd(char *buf, int64_t nusd)
{
    buf[tg_money_text(buf, nusd)] = '\0';

    return buf;
}


/* What it comes to. */
static void
note_sums(rules_t *u)
{
    char           text[400], a[MONEY_SIZE], b[MONEY_SIZE];
    const sums_t  *s = u->all;

    (void) snprintf(text, sizeof(text), "%lld calls would be refused, which"
                    " cost %s USD; %lld were refused then",
                    (long long) s->refused_now, usd(a, s->refused_cost),
                    (long long) s->refused_then);
    table_note(u->table, "refused", text);

    if (s->rerouted != 0) {
        (void) snprintf(text, sizeof(text), "%lld calls would go to another"
                        " provider or model, for %s USD in place of %s; the"
                        " other one is taken to use the same tokens",
                        (long long) s->rerouted, usd(a, s->rerouted_now),
                        usd(b, s->rerouted_then));
        table_note(u->table, "rerouted", text);
    }

    if (s->estimated != 0) {
        (void) snprintf(text, sizeof(text), "%lld calls that were refused then"
                        " would pass: what they would use is in no line, and %s"
                        " USD of the cost now %s", (long long) s->estimated,
                        usd(a, s->estimated_cost), u->s->no_guess
                        ? "are theirs: --no-guess"
                        : "are a guess, by what calls of the same model used");
        table_note(u->table, "estimated", text);
    }

    if (s->unpriced != 0) {
        (void) snprintf(text, sizeof(text), "%lld calls would have no price, and"
                        " cost nothing here", (long long) s->unpriced);
        table_note(u->table, "unpriced", text);
    }

    if (s->attempts_left_out != 0) {
        (void) snprintf(text, sizeof(text), "attempts that failed before %lld"
                        " calls which would go elsewhere are left out",
                        (long long) s->attempts_left_out);
        table_note(u->table, "attempts_left_out", text);
    }
}


static void
note_count(rules_t *u, const char *name, uint64_t n, const char *what)
{
    char  text[300];

    if (n != 0) {
        (void) snprintf(text, sizeof(text), "%llu %s", (unsigned long long) n,
                        what);
        table_note(u->table, name, text);
    }
}


/* How much of it is known. */
static void
note_stats(rules_t *u, const replay_stats_t *is)
{
    char  text[300], a[MONEY_SIZE];

    if (is->held != 0) {
        (void) snprintf(text, sizeof(text), "of %llu calls that go where they"
                        " went and held money, %llu hold just that now",
                        (unsigned long long) is->held,
                        (unsigned long long) is->held_alike);
        table_note(u->table, "held", text);
    }

    note_count(u, "without_key", is->nameless, "calls have no key, and keys are"
               " asked for");
    note_count(u, "unknown_keys", is->strangers, "calls are of keys that"
               " llm_keys does not have");
    note_count(u, "odd_times", is->odd, "lines are of a time that can't be, and"
               " left out");
    note_count(u, "ledger_full", is->full, "holds found the ledger full: its"
               " size= is too small");

    if (is->lone_attempts != 0) {
        (void) snprintf(text, sizeof(text), "%llu lines of attempts have no call"
                        " in this log: %s USD are left out",
                        (unsigned long long) is->lone_attempts,
                        usd(a, is->lone_cost));
        table_note(u->table, "lone_attempts", text);
    }
}


static bool
print(void *data, table_t *t, const reader_stats_t *stats)
{
    rules_t        *u = data;
    replay_stats_t  is;

    (void) stats;

    if (!run(u, &is)) {
        return false;
    }

    u->table = t;
    columns(u);

    if (!ranking_print(&u->ranking, t, by_difference)) {
        return false;
    }

    note_sums(u);
    note_stats(u, &is);
    simulate_notes(u->s, u->table);

    return true;
}


static bool
open_calls(rules_t *u)
{
    if (u->s->calls == NULL) {
        return true;
    }

    u->calls = fopen(u->s->calls, "we");

    return u->calls != NULL || failed(u->s->calls, strerror(errno));
}


static void
by_what(rules_t *u)
{
    report_options_t  *o = &u->s->o;

    if (u->s->verdicts || o->nby == 0) {
        (void) dimension_parse(&u->by[u->nby++], "event.reason");
    }

    for (unsigned i = 0; i < o->nby && u->nby < DIMENSIONS_MAX; i++) {
        u->by[u->nby++] = o->by[i];
    }
}


static bool
open_all(rules_t *u)
{
    static const ranking_kind_t  kind = { sizeof(sums_t), NULL, cells, NULL };

    simulate_t        *s = u->s;
    replay_conf_t      conf;
    report_options_t  *o = &s->o;

    memset(&conf, 0, sizeof(conf));
    conf.conf = s->server;
    conf.book = s->book;
    conf.guess = !s->no_guess;
    conf.place = serverconf_place(s->read, s->location, &s->several);

    if (conf.place == NULL) {
        return false;
    }

    if (s->read->kind == SERVERCONF_PUBLISHED) {
        s->read->places[0].scope.enable = TG_ON;

        for (unsigned i = 0; i < s->server->nproviders; i++) {
            s->read->places[0].scope.pass |= s->server->providers[i].host.len
                                             != 0;
        }
    }

    if (s->pass != NULL) {
        ((serverconf_place_t *) (uintptr_t) conf.place)->scope.pass =
            strcmp(s->pass, "on") == 0;
    }

    by_what(u);
    replay_want(&o->reader.want);
    u->replay = replay_new(&conf, done, u);
    u->line = timeline_new(0);

    if (u->replay == NULL || u->line == NULL || !open_calls(u)
        || !ranking_init(&u->ranking, &kind, u, o, u->by, u->nby))
    {
        return false;
    }

    u->all = u->ranking.all;

    return true;
}


int
simulate_rules(simulate_t *s)
{
    static const report_job_t  job = { "simulate", gather, true, print };

    int                rc = 1;
    rules_t            u;
    report_options_t  *o = &s->o;

    memset(&u, 0, sizeof(u));
    u.s = s;

    if (o->top == 0 && o->format == TABLE_TEXT) {
        o->top = TOP;
    }

    if (open_all(&u)) {
        rc = report_run(o, &job, &u);
    }

    if (u.calls != NULL && fclose(u.calls) == EOF && rc == 0) {
        rc = fail(s->calls, strerror(errno));
    }

    ranking_free(&u.ranking);
    timeline_free(u.line);
    replay_free(u.replay);

    return rc;
}
