#define _GNU_SOURCE

#include "llmctl.h"
#include "llmctl_costlog.h"
#include "llmctl_server.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define WHY_LOGS_MAX  32

typedef struct {
    const char  *id;
    unsigned     found;
} why_t;

/* What would have let a call through, by the rule that refused it. */
static const struct {
    const char  *rule;
    const char  *advice;
} advices[] = {
    { "invalid_api_key", "a key that is known, enabled and not expired; llmctl"
      " key list shows them" },
    { "model_not_allowed", "the model in the \"models\" of its key" },
    { "model_not_priced", "a price for the model in llm_prices, or no quota in"
      " dollars for it" },
    { "operation_not_allowed", "the operation in allow= of llm_keys" },
    { "unknown_operation", "unknown=pass, or a path of an API that is known" },
    { "ambiguous_path", "the path as the API's documentation writes it" },
    { "missing_attribution", "the tag that it lacks, sent as its reason says" },
    { "invalid_request", "a body that is valid" },
    { "not_inspected", "a body that can be read: JSON, not compressed" },
    { "quota_unbounded", "a maximum of input tokens for the model in"
      " llm_prices, or text alone" },
    { "ledger_full", "a ledger with more room (size=), or full=allow" },
    { "no_keys", "a keys file that can be read" },
    { "no_memory", "more memory" }
};


static void
print(const char *name, const char *text)
{
    printf("%-10s %s\n", name, text);
}


/* "name value, name value" of the fields that there are. */
static void
print_fields(const char *title, const json_t *line,
    const char *const (*fields)[2])
{
    char          number[COSTLOG_NUMBER_SIZE];
    const char   *sep = "", *text;
    const json_t *v;

    printf("%-10s ", title);

    for ( ; (*fields)[0] != NULL; fields++) {
        v = costlog_field(line, (*fields)[0]);

        if (v == NULL || json_is_false(v)) {
            continue;
        }

        text = json_is_string(v) ? json_string_value(v)
               : json_is_true(v) ? ""
               : costlog_number(number, line, (*fields)[0]);
        printf("%s%s%s%s", sep, (*fields)[1],
               *(*fields)[1] != '\0' && *text != '\0' ? " " : "", text);
        sep = ", ";
    }

    printf("\n");
}


static void
print_who(const json_t *line)
{
    static const char  *const fields[][2] = {
        { "llm.key_id", "key" }, { "user.id", "user" }, { "llm.team", "team" },
        { "organization.id", "org" }, { "gen_ai.agent.name", "agent" },
        { "gen_ai.conversation.id", "session" },
        { "client.address", "client" }, { NULL, NULL }
    };

    print_fields("who", line, fields);
}


static void
print_what(const json_t *line)
{
    static const char  *const asked[][2] = {
        { "gen_ai.operation.name", "" }, { "gen_ai.request.model", "model" },
        { "gen_ai.provider.name", "at" }, { "server.address", "upstream" },
        { "gen_ai.request.stream", "stream" },
        { "gen_ai.request.max_tokens", "max_tokens" },
        { "llm.prompt.messages", "messages" },
        { "http.request.body.bytes", "bytes" }, { NULL, NULL }
    };

    static const char  *const answered[][2] = {
        { "http.response.status_code", "status" },
        { "gen_ai.response.model", "model" },
        { "error.type", "error" }, { "llm.recovered", "found after a crash" },
        { "llm.waited_ms", "milliseconds waited for others" },
        { NULL, NULL }
    };

    print_fields("asked", line, asked);
    print_fields("answer", line, answered);
}


static void
print_cost(const json_t *line)
{
    static const char  *const fields[][2] = {
        { "llm.cost.total", "USD" }, { "llm.cost.unpriced", "no price known" },
        { "llm.price_id", "by" }, { "llm.usage.source", "usage" },
        { "gen_ai.usage.input_tokens", "input tokens" },
        { "gen_ai.usage.cache_read.input_tokens", "of them cached" },
        { "gen_ai.usage.output_tokens", "output tokens" },
        { "llm.hold", "held meanwhile, USD" }, { NULL, NULL }
    };

    if (costlog_field(line, "llm.usage.source") == NULL) {
        print("cost", "none: nothing was used");
        return;
    }

    print_fields("cost", line, fields);
}


/* "team search + model x" as the words of llmctl budget: "team=search". */
static void
put_subject(const char *subject)
{
    bool         known;
    size_t       n;
    tg_str_t     rest;
    const char  *next, *blank;

    if (strcmp(subject, "all calls") == 0) {
        return;
    }

    while (subject != NULL) {
        next = strstr(subject, " + ");
        n = next == NULL ? strlen(subject) : (size_t) (next - subject);
        blank = memchr(subject, ' ', n);
        known = false;

        if (blank == NULL) {
            return;
        }

        for (int i = 0; i < TG_PER_TAG; i++) {
            known |= tg_str_eq(tg_strz(tg_per_names[i]),
                               tg_str_of(subject, (size_t) (blank - subject)));
        }

        rest = tg_str_of(blank + 1, n - (size_t) (blank - subject) - 1);

        if (tg_str_eq(rest, tg_str("(none)"))) {
            rest.len = 0;
        }

        printf(" '%s%.*s=%.*s'", known ? "" : "tag:",
               (int) (blank - subject), subject, (int) rest.len, rest.p);
        subject = next == NULL ? NULL : next + 3;
    }
}


static void
print_quota(const json_t *line, const char *rule, const char *subject)
{
    char         spent[COSTLOG_NUMBER_SIZE], held[COSTLOG_NUMBER_SIZE];
    char         cap[COSTLOG_NUMBER_SIZE];
    const char  *measure = costlog_text(line, "llm.quota.measure");
    const char  *reset = costlog_text(line, "llm.quota.reset");
    const char  *reason = costlog_text(line, "event.reason");

    printf("%-10s %s of %s: %s spent, %s held, of %s %s%s%s\n", "quota", rule,
           subject, costlog_number(spent, line, "llm.quota.spent"),
           costlog_number(held, line, "llm.quota.held"),
           costlog_number(cap, line, "llm.quota.cap"),
           measure == NULL ? "" : measure,
           reset == NULL ? "" : "; anew at ", reset == NULL ? "" : reset);

    printf("%-10s ", "way out");

    if (reason != NULL && strstr(reason, "administrator opens it") != NULL) {
        printf("llmctl budget open %s", rule);
        put_subject(subject);
        printf(" --reason=...\n");
        return;
    }

    printf("%s%sllmctl budget raise %s",
           reset == NULL ? "" : "the next window, or ",
           measure != NULL && (strstr(measure, "tokens") != NULL
                               || strcmp(measure, "usd") == 0)
           ? "a call that may need less (by its maximum of tokens), or " : "",
           rule);
    put_subject(subject);
    printf(" +AMOUNT --reason=...\n");
}


static void
print_decision(const json_t *line)
{
    const char  *decision = costlog_text(line, "llm.decision");
    const char  *rule = costlog_text(line, "llm.rule");
    const char  *subject = costlog_text(line, "llm.quota.subject");
    const char  *reason = costlog_text(line, "event.reason");
    bool         refused = decision != NULL && strcmp(decision, "allow") != 0;

    printf("%-10s %s%s%s\n", "decision",
           !refused ? "it was let through"
           : strcmp(decision, "refuse") == 0 ? "it was refused"
           : "it would have been refused, but for the dry run",
           rule == NULL ? "" : ", by ", rule == NULL ? "" : rule);

    if (reason != NULL) {
        print("reason", reason);
    }

    if (subject != NULL && rule != NULL) {
        print_quota(line, rule, subject);
        return;
    }

    for (size_t i = 0; refused && rule != NULL
                       && i < sizeof(advices) / sizeof(advices[0]); i++)
    {
        if (strcmp(rule, advices[i].rule) == 0) {
            print("way out", advices[i].advice);
        }
    }
}


static bool
why_line(void *data, const json_t *line)
{
    why_t       *w = data;
    const char  *id = costlog_text(line, "llm.call_id");
    const char  *event = costlog_text(line, "event.id");
    const char  *time = costlog_text(line, "@timestamp");

    if ((id == NULL || strcmp(id, w->id) != 0)
        && (event == NULL || strcmp(event, w->id) != 0))
    {
        return true;
    }

    if (w->found++ != 0) {
        printf("\n");
    }

    printf("%-10s %s%s%s\n", "call", id == NULL ? w->id : id,
           time == NULL ? "" : ", at ", time == NULL ? "" : time);
    print_who(line);
    print_what(line);
    print_decision(line);
    print_cost(line);

    return true;
}


/* The logs that the server was told of, by absolute names. */
static unsigned
find_logs(server_t *s, const char *ledger, const char **logs)
{
    bool                   known;
    unsigned               n = 0;
    const tg_conf_said_t  *said;

    if (!server_open(s, ledger, SERVER_VIEW)) {
        return 0;
    }

    for (said = s->conf->said; said != NULL && n < WHY_LOGS_MAX;
         said = said->next)
    {
        if (said->id != TG_DIRECTIVE_LOG || said->args[0].p[0] != '/') {
            continue;
        }

        known = false;

        for (unsigned i = 0; i < n; i++) {
            known |= strcmp(logs[i], said->args[0].p) == 0;
        }

        if (!known) {
            logs[n++] = tg_dupz(s->mem, said->args[0]);
        }
    }

    return n;
}


static int
why(const char *id, const char *ledger, const char **logs, unsigned n)
{
    int       rc = 0;
    why_t     w = { id, 0 };
    server_t  s;

    memset(&s, 0, sizeof(s));

    if (n == 0) {
        n = find_logs(&s, ledger, logs);
    }

    if (n == 0) {
        rc = fail("why", "no log is known: --log=FILE names one");
    }

    for (unsigned i = 0; rc == 0 && i < n; i++) {
        rc = logs[i] == NULL || !costlog_read(logs[i], id, why_line, &w);
    }

    if (rc == 0 && w.found == 0) {
        rc = fail(id, "is in none of the logs; it may be in one that was"
                      " rotated (--log=FILE)");
    }

    server_close(&s);

    return rc;
}


int
why_command(int argc, char **argv)
{
    static const struct option  options[] = {
        { "ledger", required_argument, NULL, 'l' },
        { "log",    required_argument, NULL, 'g' },
        { NULL,     0,                 NULL, 0 }
    };
    int          opt;
    unsigned     n = 0;
    const char  *ledger = NULL, *logs[WHY_LOGS_MAX];

    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (opt == 'l') {
            ledger = optarg;

        } else if (opt == 'g' && n < WHY_LOGS_MAX) {
            logs[n++] = optarg;

        } else {
            optind = argc;
            break;
        }
    }

    if (optind >= argc) {
        fprintf(stderr, "usage:\n  llmctl why CALL-ID [--log=FILE...]"
                " [--ledger=FILE]\n      the id is that of x-llm-request-id;"
                " logs are those of the server by default\n");
        return 2;
    }

    /* --log a b c */

    for (int i = optind + 1; i < argc && n < WHY_LOGS_MAX; i++) {
        logs[n++] = argv[i];
    }

    return why(argv[optind], ledger, logs, n);
}
