#define _GNU_SOURCE

#include "kinds.h"
#include "kind/report.h"
#include "llmctl.h"
#include "llmctl_costlog.h"

#include "tg_money.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS_MAX  1000000

/* Calls that one rule would have refused one subject. */
typedef struct {
    const char  *rule;
    const char  *subject;               /* of the quota; else who called */
    const char  *measure;               /* or NULL: no quota */
    char        *first, *last;          /* times, as in the lines */
    int64_t      calls;
    int64_t      nusd;                  /* what they cost */
    char         spent[COSTLOG_NUMBER_SIZE];    /* at the last of them */
    char         cap[COSTLOG_NUMBER_SIZE];
} group_t;

typedef struct {
    json_t      *index;                 /* "rule\nsubject\nmeasure": place */
    group_t     *list;
    size_t       n, room;
    bool         failed;
} report_t;


/* Who called, where the line names no quota's subject. */
static const char *
who(const json_t *line, char *buf, size_t size)
{
    static const char  *const names[][2] = {
        { "llm.key_id", "key" }, { "user.id", "user" }, { "llm.team", "team" },
        { "organization.id", "org" }, { "client.address", "client" }
    };

    const char  *v;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        v = costlog_text(line, names[i][0]);

        if (v != NULL) {
            (void) snprintf(buf, size, "%s %s", names[i][1], v);
            return buf;
        }
    }

    return "(nobody)";
}


static group_t *
group_make(report_t *r, const char *rule, const char *subject,
    const char *measure, const char *time)
{
    size_t    room = r->room == 0 ? 64 : r->room * 2;
    group_t  *g;

    if (r->n == r->room) {
        g = room > GROUPS_MAX ? NULL : realloc(r->list, room * sizeof(group_t));
        if (g == NULL) {
            return NULL;
        }
        r->list = g;
        r->room = room;
    }

    g = &r->list[r->n];
    memset(g, 0, sizeof(*g));
    g->rule = strdup(rule);
    g->subject = strdup(subject);
    g->measure = measure == NULL ? NULL : strdup(measure);
    g->first = strdup(time);
    g->last = strdup(time);
    r->n++;

    return g->rule != NULL && g->subject != NULL && g->first != NULL
           && g->last != NULL ? g : NULL;
}


static group_t *
group_of(report_t *r, const char *rule, const char *subject,
    const char *measure, const char *time)
{
    char     *key;
    json_t   *at;
    group_t  *g;

    if (asprintf(&key, "%s\n%s\n%s", rule, subject,
                 measure == NULL ? "" : measure)
        == -1)
    {
        return NULL;
    }

    at = json_object_get(r->index, key);

    if (at != NULL) {
        g = &r->list[json_integer_value(at)];

    } else {
        g = group_make(r, rule, subject, measure, time);

        if (g != NULL
            && json_object_set_new(r->index, key,
                                   json_integer((json_int_t) r->n - 1)) != 0)
        {
            g = NULL;
        }
    }

    free(key);

    return g;
}


/* Times of one format and zone: their order is that of their letters. */
static bool
group_times(group_t *g, const char *time)
{
    char  **at = strcmp(time, g->first) < 0 ? &g->first
                 : strcmp(time, g->last) > 0 ? &g->last : NULL;

    if (at == NULL) {
        return true;
    }

    free(*at);
    *at = strdup(time);

    return *at != NULL;
}


static bool
report_line(void *data, const json_t *line)
{
    char         buf[600];
    bool         later;
    report_t    *r = data;
    group_t     *g;
    const char  *decision = costlog_text(line, "llm.decision");
    const char  *rule = costlog_text(line, "llm.rule");
    const char  *time = costlog_text(line, "@timestamp");
    const char  *subject = costlog_text(line, "llm.quota.subject");

    if (decision == NULL || strcmp(decision, "dry_refuse") != 0
        || rule == NULL || time == NULL)
    {
        return true;
    }

    g = group_of(r, rule, subject != NULL ? subject
                                          : who(line, buf, sizeof(buf)),
                 costlog_text(line, "llm.quota.measure"), time);

    later = g != NULL && strcmp(time, g->last) >= 0;

    if (g == NULL || !group_times(g, time)) {
        r->failed = true;
        return false;
    }

    g->calls++;
    g->nusd = tg_money_add(g->nusd, costlog_int(line, "llm.cost.total_nusd"));

    if (later) {
        (void) costlog_number(g->spent, line, "llm.quota.spent");
        (void) costlog_number(g->cap, line, "llm.quota.cap");
    }

    return true;
}


/* The dearest first. */
static int
by_cost(const void *a, const void *b)
{
    const group_t  *one = a, *two = b;

    if (one->nusd != two->nusd) {
        return one->nusd < two->nusd ? 1 : -1;
    }

    return one->calls < two->calls ? 1 : one->calls > two->calls ? -1
           : strcmp(one->rule, two->rule);
}


static void
print_text(const report_t *r)
{
    char     money[TG_MONEY_TEXT_MAX];
    int64_t  calls = 0, nusd = 0;

    if (r->n != 0) {
        printf("%-20s  %-28s  %8s  %14s  %-24s  %-24s  %s\n", "RULE",
               "SUBJECT", "CALLS", "USD", "SINCE", "LAST", "THEN USED");
    }

    for (size_t i = 0; i < r->n; i++) {
        const group_t  *g = &r->list[i];

        printf("%-20s  %-28s  %8lld  %14.*s  %-24s  %-24s  ", g->rule,
               g->subject, (long long) g->calls,
               (int) tg_money_text(money, g->nusd), money, g->first, g->last);

        if (g->measure == NULL) {
            printf("-\n");
        } else {
            printf("%s of %s %s\n", g->spent, g->cap, g->measure);
        }

        calls += g->calls;
        nusd = tg_money_add(nusd, g->nusd);
    }

    printf("%lld calls would have been refused, of %.*s USD\n",
           (long long) calls, (int) tg_money_text(money, nusd), money);
}


static void
print_json(const report_t *r)
{
    json_t  *all = json_array(), *o;

    for (size_t i = 0; i < r->n; i++) {
        const group_t  *g = &r->list[i];

        o = json_pack("{s:s, s:s, s:I, s:I, s:s, s:s}", "rule", g->rule,
                      "subject", g->subject, "calls", (json_int_t) g->calls,
                      "nusd", (json_int_t) g->nusd, "since", g->first,
                      "last", g->last);

        if (g->measure != NULL) {
            (void) json_object_set_new(o, "measure", json_string(g->measure));
            (void) json_object_set_new(o, "spent", json_string(g->spent));
            (void) json_object_set_new(o, "cap", json_string(g->cap));
        }

        (void) json_array_append_new(all, o);
    }

    (void) json_dumpf(all, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(all);
}


static int
dry_run(int argc, char **argv, bool json)
{
    int       rc = 0;
    report_t  r;

    memset(&r, 0, sizeof(r));
    r.index = json_object();

    for (int i = 0; rc == 0 && i < argc; i++) {
        rc = !costlog_read(argv[i], "dry_refuse", report_line, &r);
    }

    if (r.failed) {
        rc = fail("report", "there are too many subjects for the memory");
    }

    if (rc == 0) {
        if (r.n != 0) {
            qsort(r.list, r.n, sizeof(group_t), by_cost);
        }

        (json ? print_json : print_text)(&r);
    }

    for (size_t i = 0; i < r.n; i++) {
        free((char *) r.list[i].rule);
        free((char *) r.list[i].subject);
        free((char *) r.list[i].measure);
        free(r.list[i].first);
        free(r.list[i].last);
    }

    free(r.list);
    json_decref(r.index);

    return rc;
}


int
report_dry_run(int argc, char **argv)
{
    static const struct option  options[] = {
        { "json", no_argument, NULL, 'j' },
        { NULL,   0,           NULL, 0 }
    };
    int   opt;
    bool  json = false, bad = false;

    while (!bad && (opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        bad = opt == '?';
        json = true;
    }

    if (bad || optind >= argc) {
        fprintf(stderr, "usage:\n  llmctl report dry-run [--json] FILE...\n"
                "      FILE is a cost log, - is stdin\n");
        return 2;
    }

    return dry_run(argc - optind, argv + optind, json);
}
