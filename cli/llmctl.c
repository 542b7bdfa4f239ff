/*
 * llmctl - the core without a server: looks after what the modules are given.
 */

#include "llmctl.h"
#include "report/kinds.h"

#include "tg_conf.h"
#include "tg_group_conf.h"
#include "tg_price.h"
#include "tg_text.h"

#include <stdio.h>
#include <stdlib.h>

#define PRICES_MAX  (64 * 1024 * 1024)

typedef struct {
    const char  *name;
    const char  *args;
    const char  *help;
    int        (*run)(int argc, char **argv);
    bool         whole;                 /* argv[0] is its name, for getopt */
    bool         verbs;                 /* help is one of them */
} command_t;

static int usage_of(const char *name);
static int reference_commands(void);


static tg_price_book_t *
read_prices(int argc, char **argv)
{
    tg_price_book_t  *book = tg_price_book_create();
    tg_error_t        err;
    size_t            size;
    char             *text;
    int               rc;

    for (int i = 0; book != NULL && i < argc; i++) {
        text = read_file(argv[i], PRICES_MAX, &size);
        if (text == NULL) {
            tg_price_book_destroy(book);
            return NULL;
        }

        rc = tg_price_book_add(book, tg_strz(argv[i]), tg_str_of(text, size),
                               &err);
        free(text);

        if (rc != TG_OK) {
            (void) fail("prices", err.message);
            tg_price_book_destroy(book);
            return NULL;
        }
    }

    return book;
}


static int
prices_check(int argc, char **argv)
{
    tg_price_book_t  *book;

    if (argc == 0) {
        return usage_of("check");
    }

    book = read_prices(argc, argv);
    if (book == NULL) {
        return 1;
    }

    printf("%zu models, hash %.*s\n", tg_price_book_models(book),
           (int) tg_price_book_hash(book).len, tg_price_book_hash(book).p);
    tg_price_book_destroy(book);

    return 0;
}


static void
print_cost(const char *name, int64_t nusd)
{
    char  text[TG_MONEY_TEXT_MAX];

    printf("%-12s %.*s\n", name, (int) tg_money_text(text, nusd), text);
}


/* price PROVIDER MODEL INPUT CACHED OUTPUT FILE... */
static int
prices_cost(int argc, char **argv)
{
    tg_price_book_t   *book;
    const tg_price_t  *price;
    tg_usage_t         u;
    tg_cost_t          cost;

    if (argc < 6) {
        return usage_of("cost");
    }

    tg_usage_init(&u);
    u.source = TG_USAGE_REPORTED;
    u.input = tg_str_int(tg_strz(argv[2]));
    u.cache_read = tg_str_int(tg_strz(argv[3]));
    u.output = tg_str_int(tg_strz(argv[4]));

    if (u.input < 0 || u.cache_read < 0 || u.output < 0) {
        return fail("cost", "tokens are whole numbers");
    }

    book = read_prices(argc - 5, argv + 5);
    if (book == NULL) {
        return 1;
    }

    price = tg_price_find(book, tg_strz(argv[0]), tg_strz(argv[1]));

    if (price == NULL) {
        tg_price_book_destroy(book);
        return fail(argv[1], "has no price in these lists");
    }

    tg_price_cost(book, price, tg_strz(argv[0]), &u, TG_TIER_STANDARD, &cost);

    printf("%-12s %.*s\n", "price", (int) tg_price_id(price).len,
           tg_price_id(price).p);
    print_cost("input", cost.input);
    print_cost("cache_read", cost.cache_read);
    print_cost("output", cost.output);
    print_cost("total", cost.total);
    tg_price_book_destroy(book);

    return 0;
}


static void
print_contexts(unsigned contexts, const char *const *names)
{
    const char  *sep = "";

    for (unsigned i = 0; i < 4; i++) {
        if (contexts >> i & 1) {
            printf("%s%s", sep, names[i]);
            sep = ", ";
        }
    }
}


static void
markdown(const tg_directive_t *table, int n)
{
    static const char *const  nginx[] = {
        "http", "server", "location", "upstream"
    };

    static const char *const  httpd[] = {
        "server config", "virtual host", "directory, location",
        "`<Proxy balancer://...>`"
    };

    const char            *p;
    const tg_directive_t  *d;

    for (d = table; d < table + n; d++) {
        printf("\n## %s\n\n| | nginx | httpd |\n|---|---|---|\n",
               d->nginx_name);
        printf("| directive | `%s` | `%s` |\n| context | ", d->nginx_name,
               d->httpd_name);
        print_contexts(d->contexts, nginx);
        printf(" | ");
        print_contexts(d->contexts, httpd);
        printf(" |\n\n**Arguments**: `%s`  \n**Default**: %s%s%s\n\n",
               d->syntax, *d->deflt ? "`" : "", *d->deflt ? d->deflt : "none",
               *d->deflt ? "`" : "");

        for (p = d->help; *p; p++) {
            printf("%s", *p == '\n' ? "\n\n" : (char[]) { *p, '\0' });
        }
        printf("\n");
    }
}


static int
reference_markdown(void)
{
    printf("# Directives\n\nMade by `llmctl reference md` from the tables that"
           " both servers load; edit common/tg_directives.def and"
           " tg_upstream_directives.def instead.\n");

    markdown(tg_directives, TG_DIRECTIVES);

    printf("\n# Directives of the companion\n\nOf the second module,"
           " ngx_http_llm_upstream_module.so and mod_llm_upstream.so, which"
           " looks after the servers of upstreams ([gpu.md](gpu.md)).\n");

    markdown(tg_upstream_directives, TG_UPSTREAM_DIRECTIVES);

    printf("\n# Variables\n\n`$llm_<name>` in nginx, the environment note"
           " `llm_<name>` in httpd: call_id, model, request_model, provider,"
           " operation, stream, decision, route, sent_model; and at the end of a"
           " call"
           " input_tokens, cached_tokens, output_tokens, reasoning_tokens,"
           " total_tokens, usage_source, cost_usd, finish_reason, key_id,"
           " response_id, error_type, max_tokens, time_to_first_chunk,"
           " trace_id, prefix_hash, overhead."
           " `$llm_tag_<name>` is a tag's value.\n");

    return 0;
}


static void
print_roff(const char *p)
{
    for ( ; *p; p++) {
        if (*p == '-') {
            printf("\\-");
        } else if (*p == '\\') {
            printf("\\e");
        } else if (*p == '\n') {
            printf("\n.sp\n");
        } else {
            putchar(*p);
        }
    }
    putchar('\n');
}


/* Text that the terminal's usage breaks into lines. */
static void
print_words(const char *p)
{
    char    words[512];
    size_t  n = 0;

    for ( ; *p != '\0' && n + 1 < sizeof(words); p++) {
        if (*p == '\n') {
            words[n++] = ' ';
            p += strspn(p + 1, " ");
        } else {
            words[n++] = *p;
        }
    }

    words[n] = '\0';
    print_roff(words);
}


static void
man(const tg_directive_t *table, int n)
{
    for (const tg_directive_t *d = table; d < table + n; d++) {
        printf(".TP\n.BR %s \", \" %s\n.I ", d->nginx_name, d->httpd_name);
        print_roff(d->syntax);
        printf(".br\n");
        print_roff(d->help);
    }
}


static int
reference_man(void)
{
    printf(".TH TOLLGATE 5 \"\" \"Tollgate\" \"File Formats\"\n.SH NAME\n"
           "tollgate \\- directives of the nginx and httpd modules\n"
           ".SH DIRECTIVES\n");
    man(tg_directives, TG_DIRECTIVES);

    printf(".SH DIRECTIVES OF THE COMPANION\nThey stand in nginx's upstream"
           " blocks and in httpd's <Proxy balancer://...>; llm_upstream_state"
           " in http or the server's configuration, llm_upstream_status in a"
           " location.\n");
    man(tg_upstream_directives, TG_UPSTREAM_DIRECTIVES);

    return 0;
}


static int
reference(int argc, char **argv)
{
    if (argc == 1 && strcmp(argv[0], "man") == 0) {
        return reference_man();
    }

    if (argc == 1 && strcmp(argv[0], "man1") == 0) {
        return reference_commands();
    }

    if (argc == 1 && strcmp(argv[0], "md") == 0) {
        return reference_markdown();
    }

    return usage_of("reference");
}


static const command_t  commands[] = {
    { "check", "FILE...", "reads price lists as the servers do", prices_check,
      false, false },
    { "cost", "PROVIDER MODEL INPUT CACHED OUTPUT FILE...",
      "what a call costs by price lists", prices_cost, false, false },
    { "key", "new | list | revoke | rotate | import | check FILE ...",
      "looks after a file of virtual keys; llmctl key help says more",
      key_command, false, true },
    { "budget", "list | show | raise | reset | open ...",
      "what has been spent of quotas and budgets, and changes to it;"
      "\n      llmctl budget help says more", budget_command, false, true },
    { "why", "CALL-ID [--log=FILE...] [--ledger=FILE]",
      "what became of a call, who decided it, and what would have let it"
      " through", why_command, true, false },
    { "explain", "[--key=SECRET|- | --key-id=ID] [--path=PATH]"
      " [--upstream=HOST]\n      [--client=ADDRESS] [--model=MODEL]"
      " [--header=NAME:VALUE]...\n      [--variable=NAME=VALUE]..."
      " [--ledger=FILE] [--json] BODY.json",
      "what would happen to this call, and which rule decides it",
      explain_command, true, false },
    { "simulate", "--conf=FILE | --prices=FILE,... [OPTION...] FILE...",
      "what other rules, or other prices, would have made of the calls of a"
      " log;\n      docs/simulate.md has its options",
      simulate_command, true, false },
    { "trace", "SESSION [OPTION...] FILE...",
      "a session, a trace or a call step by step, with what each step cost;"
      "\n      docs/sessions.md has its options",
      trace_command, true, false },
    { "ledger", "check | dump [--ledger=FILE] ...",
      "whether a ledger is sound, and all that it holds;"
      "\n      llmctl ledger help says more", ledger_command, false, true },
    { "node", "list | retire NODE ...",
      "the hosts that share this one's budgets;"
      "\n      llmctl node help says more", node_command, false, true },
    { "backend", "status | drain | resume ...",
      "the servers of upstreams, and taking one out of use;"
      "\n      llmctl backend help says more", backend_command, false, true },
    { "report", "spend | dry-run ... FILE...",
      "what cost logs say; llmctl report help says more", report_command,
      false, true },
    { "reconcile", "INVOICE.csv [--tolerance=1%|USD] [--by=day,model]"
      " COST-LOG...",
      "where a provider's invoice differs from the cost lines; docs/finance.md"
      " has more",
      reconcile_command, true, false },
    { "close", "--period=2026-10 [--previous=FILE] --output=FILE COST-LOG..."
      " |\n      --verify=FILE COST-LOG...",
      "seals a month that is over; whether it is still as it was sealed;"
      "\n      docs/finance.md has more",
      close_command, true, false },
    { "reference", "md | man | man1",
      "writes the reference of directives, or of these commands",
      reference, false, false }
};

#define COMMANDS  (sizeof(commands) / sizeof(commands[0]))


static void
print_command(FILE *to, const command_t *c)
{
    fprintf(to, "  llmctl %s %s\n      %s\n", c->name, c->args, c->help);
}


static int
usage(FILE *to)
{
    fprintf(to, "usage:\n");

    for (size_t i = 0; i < COMMANDS; i++) {
        print_command(to, &commands[i]);
    }

    return to == stderr ? 2 : 0;
}


static int
reference_commands(void)
{
    printf(".TH LLMCTL 1 \"\" \"Tollgate\" \"User Commands\"\n.SH NAME\n"
           "llmctl \\- looks after what Tollgate's modules are given, and reads"
           " what they wrote\n.SH COMMANDS\n");

    for (size_t i = 0; i < COMMANDS; i++) {
        printf(".TP\n.B llmctl %s\n", commands[i].name);
        print_words(commands[i].args);
        printf(".br\n");
        print_words(commands[i].help);
    }

    printf(".SH SEE ALSO\n.BR tollgate (5),\nand docs/llmctl.md in"
           " /usr/share/doc/tollgate\n");

    return 0;
}


static const command_t *
find_command(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(name, commands[i].name) == 0) {
            return &commands[i];
        }
    }

    return NULL;
}


static int
usage_of(const char *name)
{
    fprintf(stderr, "usage:\n");
    print_command(stderr, find_command(name));

    return 2;
}


static int
help_of(const command_t *c)
{
    char  *verb[] = { (char[]) { "help" }, NULL };

    if (c->verbs) {
        return c->run(1, verb);
    }

    printf("usage:\n");
    print_command(stdout, c);

    return 0;
}


static bool
asks_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}


static int
run_command(const command_t *c, int argc, char **argv)
{
    for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (asks_help(argv[i])) {
            return help_of(c);
        }
    }

    return c->whole ? c->run(argc - 1, argv + 1) : c->run(argc - 2, argv + 2);
}


int
main(int argc, char **argv)
{
    bool              help;
    const command_t  *c;

    if (argc < 2) {
        return usage(stderr);
    }

    help = asks_help(argv[1]) || strcmp(argv[1], "help") == 0;

    if (help && argc == 2) {
        return usage(stdout);
    }

    c = find_command(argv[help ? 2 : 1]);

    if (c == NULL) {
        (void) fail(argv[help ? 2 : 1], "is no command; llmctl help lists"
                    " them");
        return 2;
    }

    return help ? help_of(c) : run_command(c, argc, argv);
}
