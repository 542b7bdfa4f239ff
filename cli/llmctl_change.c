#define _GNU_SOURCE

#include "llmctl_budget.h"
#include "llmctl.h"
#include "llmctl_audit.h"
#include "llmctl_fleet.h"
#include "llmctl_key.h"
#include "llmctl_time.h"

#include <hiredis/hiredis.h>
#include <time.h>

#define TRIES     200           /* for the ledger's lock, 10 ms each at most */

typedef enum {
    CHANGE_RAISE = 0,
    CHANGE_RESET,
    CHANGE_OPEN
} change_t;

static const char  *const change_names[] = {
    "budget.raise", "budget.reset", "budget.open"
};

/* A change under way. */
typedef struct {
    change_t              change;
    const budget_args_t  *args;
    server_t              server;
    rows_t                rows;
    caller_t              caller;
    int64_t               amount;
    int64_t               until;
    fleet_t               fleet;        /* of raises, where it is one's */
} job_t;


/* In the words of llm_quota: what they take for an amount, this is. */
static bool
read_amount(job_t *job, const row_t *row)
{
    char            text[128];
    tg_str_t        word;
    tg_error_t      err;
    tg_quota_t     *q;
    const char     *s = job->args->amount;
    tg_measure_t    measure = row->limit->measure;

    if (strspn(s + 1, "0.") == strlen(s + 1)) {
        job->amount = 0;
        return true;
    }

    if (strlen(s) > 40) {
        return failed(s, "is no amount");
    }

    (void) snprintf(text, sizeof(text), "%s=%s%s", tg_measure_names[measure],
                    s + 1, measure == TG_MEASURE_CONCURRENT ? "" : "/total");
    word = tg_strz(text);
    q = tg_quota_budget(&job->server.conf->quotas, job->server.mem, TG_PER_KEY,
                        tg_str_null, &word, 1, &err);

    if (q == NULL) {
        return failed(s, err.message);
    }

    job->amount = s[0] == '-' ? -q->limits[0].cap : q->limits[0].cap;

    return true;
}


static bool
read_until(job_t *job, const row_t *row)
{
    const char  *s = job->args->until;

    if (s == NULL) {
        job->until = row->item.window.end;

        if (row->limit->window.kind >= TG_WINDOW_TOTAL && job->amount != 0) {
            return failed("--until", "this limit's window has no end: say until"
                                   " when, or never");
        }

        return true;
    }

    job->until = when_parse(s, job->server.desk.zone, job->rows.now);

    if (job->until < 0) {
        return failed(s, "is no time to come, such as 09:00, 2h, 2026-01-31,"
                       " 2026-01-31T09:00:00Z or never");
    }

    return true;
}


/* An amount has one unit: several limits can't have it. */
static bool
is_one(const job_t *job)
{
    char  limit[LIMIT_SIZE];

    if (job->rows.n == 1) {
        return true;
    }

    fprintf(stderr, "llmctl: %s has several limits; --limit= says which:",
            job->args->words[0]);

    for (size_t i = 0; i < job->rows.n; i++) {
        fprintf(stderr, " %s", row_limit(limit, job->rows.list[i].limit));
    }

    fprintf(stderr, "\n");

    return false;
}


static json_t *
audit_line(const job_t *job, const row_t *row, const char *outcome)
{
    char     text[AMOUNT_SIZE], limit[LIMIT_SIZE];
    json_t  *o;

    o = json_pack("{s:s, s:s, s:s%, s:s, s:s, s:s, s:s}",
                  "event.action", change_names[job->change],
                  "event.outcome", outcome,
                  "llm.rule", row->quota->name.p, row->quota->name.len,
                  "llm.quota.subject", row->subject.p,
                  "llm.quota.limit", row_limit(limit, row->limit),
                  "event.reason", job->args->reason,
                  "llm.ledger", job->server.path);

    (void) json_object_set_new(o, "llm.quota.spent", json_string(
                amount_text(text, row->limit->measure, row_used(row))));
    (void) json_object_set_new(o, "llm.quota.cap", json_string(
                amount_text(text, row->limit->measure, row->state.limit)));

    if (job->change == CHANGE_RAISE) {
        (void) json_object_set_new(o, "llm.quota.raise", json_string(
                    amount_text(text, row->limit->measure, job->amount)));
        (void) json_object_set_new(o, "llm.quota.raise_until",
                                   when_json(job->amount == 0 ? job->rows.now
                                                              : job->until));
    }

    return o;
}


/* By way of the store, from which all nodes take it. */
static bool
raise_fleet(job_t *job, const row_t *row)
{
    struct redisReply  *reply;

    tg_fleet_raise_command(&job->fleet.fleet, row->item.key, job->amount,
                           job->until, &job->fleet.command);
    reply = fleet_ask(&job->fleet);

    if (reply == NULL) {
        return false;
    }

    freeReplyObject(reply);

    return true;
}


static int
apply_once(job_t *job, const row_t *row)
{
    int64_t       now = now_ms();
    tg_ledger_t  *led = &job->server.desk.ledger.ledger;

    if (job->change == CHANGE_RAISE && job->server.fleet) {
        return raise_fleet(job, row) ? TG_LEDGER_OK : TG_ERROR;
    }

    switch (job->change) {
    case CHANGE_RAISE:
        return tg_ledger_raise(led, now, &row->item, job->amount, job->until);
    case CHANGE_RESET:
        return tg_ledger_reset(led, now, &row->item);
    default:
        return tg_ledger_latch(led, row->item.key, false);
    }
}


/* The line first: what was done is never without one. */
static bool
apply(job_t *job, const row_t *row)
{
    int              rc = TG_LEDGER_BUSY;
    const char      *why;
    struct timespec  pause = { 0, 1000000 };

    if (!audit(&job->server, now_ms(), audit_line(job, row, "unknown"))) {
        return false;
    }

    for (int i = 0; i < TRIES && rc == TG_LEDGER_BUSY; i++) {
        if (i != 0) {
            (void) nanosleep(&pause, NULL);
        }
        rc = apply_once(job, row);
    }

    if (rc == TG_LEDGER_OK) {
        return true;
    }

    why = rc == TG_LEDGER_FULL ? "the ledger has no room for it"
          : rc == TG_LEDGER_BUSY ? "the ledger's lock is not to be had"
          : rc == TG_LEDGER_STALE ? "nothing has been counted for it"
          : "the ledger does not take it";

    (void) audit(&job->server, now_ms(), audit_line(job, row, "failure"));

    /* of the fleet's store it has been said */

    return rc != TG_ERROR && failed(job->args->words[0], why);
}


/* What else stands in the way of this subject's calls. */
static bool
say_nested(job_t *job)
{
    bool     found;
    size_t   full = 0;
    rows_t   nested;
    row_t   *row;

    rows_init(&nested, &job->server, now_ms());
    found = rows_nested(&nested, &job->caller);

    for (size_t i = 0; found && i < nested.n; i++) {
        row = &nested.list[i];

        if (rows_find(&job->rows, row->item.key) != NULL) {
            continue;
        }

        if (row_is_full(row) && !row->quota->dry_run) {
            printf("still stops it: ");
            full++;

        } else {
            printf("also applies:   ");
        }

        budget_say(stdout, row, &job->server, nested.now);
    }

    rows_free(&nested);

    return found;
}


/* Keys of a team, say, whose own limits are used up. */
static bool
say_members(job_t *job)
{
    bool              ok = true;
    rows_t            rows;
    caller_t          c;
    const tg_key_t   *key;
    const tg_keys_t  *keys = server_keys(&job->server);
    const tg_str_t   *who = job->caller.subject;

    if (keys == NULL || job->caller.key != NULL
        || (who[TG_PER_USER].len == 0 && who[TG_PER_TEAM].len == 0
            && who[TG_PER_ORG].len == 0))
    {
        return true;
    }

    rows_init(&rows, &job->server, now_ms());

    for (size_t i = 0; ok && i < tg_keys_count(keys); i++) {
        key = tg_keys_key(keys, i);

        if ((who[TG_PER_USER].len != 0 && !tg_str_eq(who[TG_PER_USER],
                                                     key->user))
            || (who[TG_PER_TEAM].len != 0 && !tg_str_eq(who[TG_PER_TEAM],
                                                        key->team))
            || (who[TG_PER_ORG].len != 0 && !tg_str_eq(who[TG_PER_ORG],
                                                       key->org)))
        {
            continue;
        }

        memset(&c, 0, sizeof(c));
        c.key = key;
        c.subject[TG_PER_KEY] = key->id;
        ok = rows_nested(&rows, &c);
    }

    for (size_t i = 0; ok && i < rows.n; i++) {
        if (rows.list[i].quota->per[0].kind == TG_PER_KEY
            && row_is_full(&rows.list[i]) && !rows.list[i].quota->dry_run)
        {
            printf("stops a key:    ");
            budget_say(stdout, &rows.list[i], &job->server, rows.now);
        }
    }

    rows_free(&rows);

    return ok;
}


/* As it is after the change. */
static bool
say_result(job_t *job)
{
    const budget_args_t  *a = job->args;

    rows_free(&job->rows);
    rows_init(&job->rows, &job->server, now_ms());

    if (!rows_of(&job->rows, a->words[0], a->words + 1, a->nwords - 1,
                 a->limit, &job->caller))
    {
        return false;
    }

    for (size_t i = 0; i < job->rows.n; i++) {
        if (job->change == CHANGE_RAISE && job->server.fleet) {
            row_raise(&job->rows.list[i], job->amount, job->until);
        }

        budget_say(stdout, &job->rows.list[i], &job->server, job->rows.now);
    }

    return say_nested(job) && say_members(job);
}


/* Of a fleet, what nodes have used are facts, each of its own window: no node
 * can take back another's. */
static bool
may_change(job_t *job)
{
    const row_t  *row = &job->rows.list[0];
    char          used[AMOUNT_SIZE];

    if (!job->server.fleet || job->change == CHANGE_OPEN) {
        return true;
    }

    if (job->change == CHANGE_RAISE) {
        return fleet_open(&job->fleet, &job->server);
    }

    fprintf(stderr, "llmctl: %s: a fleet's budget can't be reset, for what its"
            " nodes have used stays on record; llmctl budget raise %s"
            " +%s --reason=... adds as much as is used to its cap, until the"
            " window ends\n", job->args->words[0], job->args->words[0],
            amount_text(used, row->limit->measure, row_used(row)));

    return false;
}


static bool
prepare(job_t *job)
{
    const budget_args_t  *a = job->args;

    if (!server_open(&job->server, a->ledger, SERVER_CHANGE)
        || !rows_of(&job->rows, a->words[0], a->words + 1, a->nwords - 1,
                    a->limit, &job->caller))
    {
        return false;
    }

    if (!may_change(job)) {
        return false;
    }

    return job->change != CHANGE_RAISE
           || (is_one(job) && read_amount(job, &job->rows.list[0])
               && read_until(job, &job->rows.list[0]));
}


static int
change(const budget_args_t *a, change_t which)
{
    bool   done;
    job_t  job;

    if (a->nwords < 1 || a->json || (a->amount != NULL)
        != (which == CHANGE_RAISE)
        || (a->until != NULL && which != CHANGE_RAISE))
    {
        return budget_misused();
    }

    if (a->reason == NULL || *a->reason == '\0') {
        return fail("--reason", "is missing: the audit keeps it");
    }

    memset(&job, 0, sizeof(job));
    job.change = which;
    job.args = a;
    rows_init(&job.rows, &job.server, now_ms());
    done = prepare(&job);

    for (size_t i = 0; done && i < job.rows.n; i++) {
        done = apply(&job, &job.rows.list[i]);
    }

    done = done && say_result(&job);

    rows_free(&job.rows);
    fleet_close(&job.fleet);
    server_close(&job.server);

    return done ? 0 : 1;
}


int
budget_raise(const budget_args_t *a)
{
    return change(a, CHANGE_RAISE);
}


int
budget_reset(const budget_args_t *a)
{
    return change(a, CHANGE_RESET);
}


int
budget_open(const budget_args_t *a)
{
    return change(a, CHANGE_OPEN);
}
