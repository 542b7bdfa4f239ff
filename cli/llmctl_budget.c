#define _GNU_SOURCE

#include "llmctl_budget.h"
#include "llmctl.h"
#include "llmctl_key.h"
#include "llmctl_options.h"
#include "llmctl_time.h"

#include "tg_money.h"

#include <stdlib.h>

typedef struct {
    const char  *name;
    const char  *args;
    const char  *help;
    int        (*run)(const budget_args_t *a);
} verb_t;

static int budget_usage(FILE *to);


int
budget_misused(void)
{
    return budget_usage(stderr);
}


static int
percent(int64_t used, int64_t cap)
{
    double  share = cap > 0 ? (double) used * 100 / (double) cap : 100;

    return share > 99999 ? 99999 : (int) share;
}


/* Whole numbers in the measure's unit, that of usd being nano-dollars. */
json_t *
budget_json(const row_t *row, int64_t now)
{
    char     limit[LIMIT_SIZE];
    json_t  *o = json_object(), *alerts = json_array();

    (void) json_object_set_new(o, "quota", json_stringn(row->quota->name.p,
                                                        row->quota->name.len));
    (void) json_object_set_new(o, "kind", json_string(row->quota->budget
                                                      ? "budget" : "quota"));
    (void) json_object_set_new(o, "subject", json_string(row->subject.p));
    (void) json_object_set_new(o, "limit",
                               json_string(row_limit(limit, row->limit)));
    (void) json_object_set_new(o, "unit", json_string(
                               row->limit->measure == TG_MEASURE_USD ? "nusd"
                               : tg_measure_names[row->limit->measure]));
    (void) json_object_set_new(o, "used", json_integer(row->state.used));
    (void) json_object_set_new(o, "held", json_integer(row->state.held));
    (void) json_object_set_new(o, "cap", json_integer(row->state.cap));
    (void) json_object_set_new(o, "stop", json_integer(row->state.limit));
    (void) json_object_set_new(o, "percent", json_integer(
                               percent(row_used(row), row->state.cap)));
    (void) json_object_set_new(o, "window", row->limit->window.kind
                               >= TG_WINDOW_TOTAL ? json_null()
                               : when_json(row->state.window));
    (void) json_object_set_new(o, "reset", when_json(row->item.window.end));
    (void) json_object_set_new(o, "latched", json_boolean(row->state.latched));
    (void) json_object_set_new(o, "dry_run",
                               json_boolean(row->quota->dry_run));

    if (row->fleet) {
        (void) json_object_set_new(o, "node_used",
                                   json_integer(row_own(row)));
        (void) json_object_set_new(o, "others_used", json_integer(
                                   row->state.used - row_own(row)));
        (void) json_object_set_new(o, "others_held",
                                   json_integer(row_others_held(row)));
    }

    if (row_is_raised(row, now)) {
        (void) json_object_set_new(o, "raise", json_integer(row->entry.raise));
        (void) json_object_set_new(o, "raise_until",
                                   when_json(row->entry.raise_until));
    }

    for (int i = 0; i < TG_LEDGER_ALERTS_MAX && row->quota->alert[i]; i++) {
        (void) json_array_append_new(alerts, json_pack("{s:i, s:b}", "percent",
                                     row->quota->alert[i], "reached",
                                     percent(row_used(row), row->state.cap)
                                     >= row->quota->alert[i]));
    }

    (void) json_object_set_new(o, "alerts", alerts);

    return o;
}


/* What a row has to say beside its numbers. */
static void
notes_text(char *buf, size_t size, const row_t *row, const server_t *s,
    int64_t now)
{
    char    amount[AMOUNT_SIZE], when[WHEN_SIZE];
    size_t  n = 0;

    buf[0] = '\0';

    if (row_is_raised(row, now)) {
        n += (size_t) snprintf(buf, size, "raised by %s until %s; ",
                               amount_text(amount, row->limit->measure,
                                           row->entry.raise),
                               when_text(when, s->desk.zone,
                                         row->entry.raise_until));
    }

    if (row->state.latched) {
        n += (size_t) snprintf(buf + n, size - n, "latched; ");

    } else if (row_is_full(row)) {
        n += (size_t) snprintf(buf + n, size - n, "full; ");
    }

    if (row->quota->dry_run) {
        n += (size_t) snprintf(buf + n, size - n, "dry run; ");
    }

    if (row->fleet && row->limit->measure != TG_MEASURE_CONCURRENT) {
        n += (size_t) snprintf(buf + n, size - n, "%s used here; ",
                               amount_text(amount, row->limit->measure,
                                           row_own(row)));
    }

    if (n != 0) {
        buf[n - 2] = '\0';
    }
}


void
budget_say(FILE *to, const row_t *row, const server_t *s, int64_t now)
{
    char  limit[LIMIT_SIZE], used[AMOUNT_SIZE], cap[AMOUNT_SIZE];
    char  notes[256];

    notes_text(notes, sizeof(notes), row, s, now);
    fprintf(to, "%.*s of %s, %s: %s of %s used%s%s\n",
            (int) row->quota->name.len, row->quota->name.p, row->subject.p,
            row_limit(limit, row->limit),
            amount_text(used, row->limit->measure, row_used(row)),
            amount_text(cap, row->limit->measure, row->state.limit),
            notes[0] == '\0' ? "" : "; ", notes);
}


/* Entries that no row is of: subjects that only calls name. */
static size_t
count_others(const rows_t *rows)
{
    size_t              n = 0;
    uint32_t            i = 0;
    tg_ledger_entry_t   e;

    while (tg_ledger_each(&rows->server->desk.ledger.ledger, &i, &e)) {
        n += rows_find(rows, e.key) == NULL;
    }

    return n;
}


static int
list_json(const rows_t *rows)
{
    json_t  *all = json_array(), *out;

    for (size_t i = 0; i < rows->n; i++) {
        (void) json_array_append_new(all, budget_json(&rows->list[i],
                                                      rows->now));
    }

    out = json_pack("{s:o, s:I}", "budgets", all, "other_buckets",
                    (json_int_t) count_others(rows));

    (void) json_dumpf(out, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(out);

    return 0;
}


static void
list_row(const rows_t *rows, const row_t *row)
{
    char  limit[LIMIT_SIZE], used[AMOUNT_SIZE], held[AMOUNT_SIZE];
    char  cap[AMOUNT_SIZE], when[WHEN_SIZE], notes[256];

    tg_measure_t     measure = row->limit->measure;
    const server_t  *s = rows->server;

    notes_text(notes, sizeof(notes), row, s, rows->now);

    printf("%-16.*s  %-24s  %-20s  %14s  %12s  %14s  %4d%%  %-26s  %s\n",
           (int) row->quota->name.len, row->quota->name.p, row->subject.p,
           row_limit(limit, row->limit),
           amount_text(used, measure, row->state.used),
           amount_text(held, measure, row->state.held),
           amount_text(cap, measure, row->state.cap),
           percent(row_used(row), row->state.cap),
           row->limit->window.kind >= TG_WINDOW_TOTAL ? "-"
           : when_text(when, s->desk.zone, row->item.window.end), notes);
}


static int
list_text(const rows_t *rows)
{
    size_t  others = count_others(rows);

    printf("%-16s  %-24s  %-20s  %14s  %12s  %14s  %5s  %-26s  %s\n", "QUOTA",
           "SUBJECT", "LIMIT", "USED", "HELD", "CAP", "", "RESET", "NOTES");

    for (size_t i = 0; i < rows->n; i++) {
        list_row(rows, &rows->list[i]);
    }

    if (others != 0) {
        printf("and %zu buckets more, of subjects that only calls name\n",
               others);
    }

    return 0;
}


static int
budget_list(const budget_args_t *a)
{
    int       rc = 1;
    rows_t    rows;
    server_t  s;

    if (a->nwords != 0 || a->amount != NULL || a->reason != NULL) {
        return budget_misused();
    }

    rows_init(&rows, &s, now_ms());

    if (server_open(&s, a->ledger, SERVER_VIEW) && rows_all(&rows)) {
        rc = a->json ? list_json(&rows) : list_text(&rows);
    }

    rows_free(&rows);
    server_close(&s);

    return rc;
}


static void
show_row(const rows_t *rows, const row_t *row)
{
    char             limit[LIMIT_SIZE], text[AMOUNT_SIZE], when[WHEN_SIZE];
    int64_t          left = tg_money_add(row->state.limit, -row->state.used);
    tg_measure_t     measure = row->limit->measure;
    const tg_zone_t *zone = rows->server->desk.zone;

    left = tg_money_add(left, -row->state.held);

    printf("%-10s %s\n", "limit", row_limit(limit, row->limit));
    printf("  %-10s %s\n", "used", amount_text(text, measure,
                                               row->state.used));

    if (row->fleet) {
        printf("  %-10s %s\n", "of it here", amount_text(text, measure,
                                                        row_own(row)));
        printf("  %-10s %s\n", "by others",
               amount_text(text, measure, row->state.used - row_own(row)));
    }

    printf("  %-10s %s, by calls under way%s\n", "held",
           amount_text(text, measure, row->state.held),
           row->fleet ? ", and in other nodes' slices" : "");
    printf("  %-10s %s\n", "left", amount_text(text, measure,
                                               left > 0 ? left : 0));
    printf("  %-10s %s\n", "cap", amount_text(text, measure, row->state.cap));

    if (row_is_raised(row, rows->now)) {
        printf("  %-10s %s, until %s\n", "raised by",
               amount_text(text, measure, row->entry.raise),
               when_text(when, zone, row->entry.raise_until));
    }

    if (row->quota->stop != 100) {
        printf("  %-10s %s, %u%%\n", "stops at",
               amount_text(text, measure, row->state.limit), row->quota->stop);
    }

    if (row->limit->window.kind < TG_WINDOW_TOTAL) {
        printf("  %-10s %s\n", "since", when_text(when, zone,
                                                  row->item.window.start));
        printf("  %-10s %s\n", "reset", when_text(when, zone,
                                                  row->item.window.end));
    }

    for (int i = 0; i < TG_LEDGER_ALERTS_MAX && row->quota->alert[i]; i++) {
        printf("  %-10s %u%%%s\n", "alert", row->quota->alert[i],
               percent(row_used(row), row->state.cap) >= row->quota->alert[i]
               ? ", reached" : "");
    }

    if (row->state.latched) {
        printf("  %-10s until llmctl budget open\n", "latched");
    }
}


static int
budget_show(const budget_args_t *a)
{
    int        rc = 1;
    json_t    *all;
    rows_t     rows;
    caller_t   caller;
    server_t   s;

    if (a->nwords < 1 || a->amount != NULL || a->reason != NULL) {
        return budget_misused();
    }

    rows_init(&rows, &s, now_ms());

    if (server_open(&s, a->ledger, SERVER_VIEW)
        && rows_of(&rows, a->words[0], a->words + 1, a->nwords - 1, a->limit,
                   &caller))
    {
        rc = 0;
    }

    if (rc == 0 && a->json) {
        all = json_array();

        for (size_t i = 0; i < rows.n; i++) {
            (void) json_array_append_new(all, budget_json(&rows.list[i],
                                                          rows.now));
        }

        (void) json_dumpf(all, stdout, JSON_INDENT(2));
        printf("\n");
        json_decref(all);

    } else if (rc == 0) {
        printf("%-10s %s\n%-10s %s%s\n", "quota", a->words[0], "subject",
               rows.list[0].subject.p,
               rows.list[0].quota->dry_run ? ", dry run" : "");

        for (size_t i = 0; i < rows.n; i++) {
            show_row(&rows, &rows.list[i]);
        }
    }

    rows_free(&rows);
    server_close(&s);

    return rc;
}


static const verb_t  verbs[] = {
    { "list", "[--json]", "every quota and budget with each subject",
      budget_list },
    { "show", "QUOTA [PART=NAME...] [--limit=LIMIT] [--json]",
      "one of them, with all of its limits", budget_show },
    { "raise", "QUOTA [PART=NAME...] +AMOUNT|-AMOUNT|+0 --reason=TEXT\n"
      "      [--until=TIME] [--limit=LIMIT]",
      "adds to a cap until the time (09:00, 2h, 2026-01-31, never; else until"
      "\n      the window's end), in place of an earlier raise; +0 ends one",
      budget_raise },
    { "reset", "QUOTA [PART=NAME...] --reason=TEXT [--limit=LIMIT]",
      "nothing is used in this window", budget_reset },
    { "open", "QUOTA [PART=NAME...] --reason=TEXT [--limit=LIMIT]",
      "opens what latch keeps closed", budget_open }
};


static int
budget_usage(FILE *to)
{
    fprintf(to, "usage:\n");

    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        fprintf(to, "  llmctl budget %s %s\n      %s\n", verbs[i].name,
                verbs[i].args, verbs[i].help);
    }

    fprintf(to, "PART=NAME is as in per=, such as team=search or tag:app=x;"
            " LIMIT as in usd/month.\nEach takes --ledger=FILE; " LEDGER_DEFAULT
            " by default.\n");

    return to == stderr ? 2 : 0;
}


/* Words with a sign are amounts, whatever getopt thinks of "-5". */
static int
take_amount(int argc, char **argv, budget_args_t *a)
{
    int  n = 1;

    for (int i = 1; i < argc; i++) {
        if (a->amount == NULL && (argv[i][0] == '+' || argv[i][0] == '-')
            && strchr("0123456789.", argv[i][1]) != NULL
            && argv[i][1] != '\0')
        {
            a->amount = argv[i];

        } else {
            argv[n++] = argv[i];
        }
    }

    argv[n] = NULL;

    return n;
}


static bool
read_args(int argc, char **argv, budget_args_t *a)
{
    int             at;
    const option_t  options[] = {
        { "ledger", &a->ledger, NULL }, { "limit", &a->limit, NULL },
        { "until", &a->until, NULL }, { "reason", &a->reason, NULL },
        { "json", NULL, &a->json }, { NULL, NULL, NULL }
    };

    argc = take_amount(argc, argv, a);
    at = options_read(argc, argv, options);

    if (at == -1) {
        return false;
    }

    a->words = argv + at;
    a->nwords = argc - at;

    return true;
}


int
budget_command(int argc, char **argv)
{
    budget_args_t  a;

    memset(&a, 0, sizeof(a));

    if (argc >= 1 && strcmp(argv[0], "help") == 0) {
        return budget_usage(stdout);
    }

    for (size_t i = 0; argc >= 1 && i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(argv[0], verbs[i].name) == 0) {
            if (!read_args(argc, argv, &a)) {
                return budget_misused();
            }

            return options_done("budget", verbs[i].run(&a));
        }
    }

    return budget_misused();
}
