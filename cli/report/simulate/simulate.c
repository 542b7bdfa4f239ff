/*
 * llmctl simulate - what other rules, or other prices, would have made of the
 * calls of a log.
 */

#include "simulate_int.h"
#include "llmctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define PRICES_MAX  (64 * 1024 * 1024)


static bool
add_prices(simulate_t *s, tg_str_t name)
{
    int          rc;
    char        *text, *path = tg_dupz(s->mem, name);
    size_t       size;
    tg_error_t   err;

    text = path == NULL ? NULL : read_file(path, PRICES_MAX, &size);

    if (text == NULL) {
        return false;
    }

    rc = tg_price_book_add(s->book, name, tg_str_of(text, size), &err);
    free(text);

    return rc == TG_OK || failed("prices", err.message);
}


/* Those of --prices, else of the configuration. */
static bool
open_prices(simulate_t *s)
{
    bool      more;
    tg_str_t  list, name;

    if (s->prices == NULL && (s->server == NULL || s->server->nprices == 0)) {
        return true;
    }

    s->book = tg_price_book_create();

    if (s->book == NULL) {
        return failed("prices", strerror(ENOMEM));
    }

    if (s->prices == NULL) {
        for (unsigned i = 0; i < s->server->nprices; i++) {
            if (!add_prices(s, s->server->prices[i])) {
                return false;
            }
        }
        return true;
    }

    list = tg_strz(s->prices);

    do {
        more = tg_str_cut(&list, ',', &name);

        if (!add_prices(s, name)) {
            return false;
        }
    } while (more);

    return true;
}


static bool
open_conf(simulate_t *s)
{
    tg_error_t  err;

    if (tg_dialect_setup(s->mem, &err) != TG_OK) {
        return failed("simulate", err.message);
    }

    if (s->conf == NULL) {
        return true;
    }

    s->server = tg_conf_create(s->mem);
    s->read = tg_zalloc(s->mem, sizeof(serverconf_t));

    if (s->server == NULL || s->read == NULL) {
        return failed("simulate", strerror(ENOMEM));
    }

    return serverconf_read(s->read, s->server, s->conf, s->root);
}


/* gpt-4o=openai/gpt-4o-mini: the same tokens at another model's price. */
static bool
open_swaps(simulate_t *s)
{
    bool         more;
    swap_t      *swap;
    tg_str_t     list, word, from;

    if (s->swap == NULL) {
        return true;
    }

    list = tg_strz(s->swap);

    do {
        more = tg_str_cut(&list, ',', &word);

        if (s->nswaps == SIMULATE_SWAPS || !tg_str_cut(&word, '=', &from)
            || from.len == 0 || word.len == 0)
        {
            return failed("--swap", "takes MODEL=[VENDOR/]MODEL,...");
        }

        swap = &s->swaps[s->nswaps++];
        swap->from = from;
        swap->to = word;

        if (memchr(word.p, '/', word.len) != NULL) {
            (void) tg_str_cut(&swap->to, '/', &swap->vendor);
        }
    } while (more);

    return true;
}


static bool
check(const simulate_t *s)
{
    if (s->conf == NULL && s->prices == NULL) {
        return failed("simulate", "needs --conf=FILE or --prices=FILE,...");
    }

    if (s->conf == NULL && (s->calls != NULL || s->location != NULL
                            || s->pass != NULL || s->no_guess || s->verdicts))
    {
        return failed("simulate", "--calls, --location, --pass, --no-guess and"
                      " --verdicts are for --conf");
    }

    if (s->conf != NULL && s->swap != NULL) {
        return failed("--swap", "is for --prices alone; a configuration has"
                      " llm_route");
    }

    if (s->pass != NULL && strcmp(s->pass, "on") != 0
        && strcmp(s->pass, "off") != 0)
    {
        return failed("--pass", "is on or off");
    }

    return true;
}


/* "--log FILE" is the same as FILE. */
static int
leave_out_log(int argc, char **argv)
{
    int  n = 1;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--log") == 0) {
            continue;
        }

        argv[n++] = strncmp(argv[i], "--log=", 6) == 0 ? argv[i] + 6 : argv[i];
    }

    argv[n] = NULL;

    return n;
}


int
simulate_command(int argc, char **argv)
{
    int         rc = 1;
    simulate_t  s;

    memset(&s, 0, sizeof(s));

    const option_t  own[] = {
        { "conf", &s.conf, NULL }, { "prices", &s.prices, NULL },
        { "root", &s.root, NULL }, { "location", &s.location, NULL },
        { "pass", &s.pass, NULL },
        { "calls", &s.calls, NULL }, { "swap", &s.swap, NULL },
        { "no-guess", NULL, &s.no_guess }, { "verdicts", NULL, &s.verdicts },
        { NULL, NULL, NULL }
    };

    argc = leave_out_log(argc, argv);

    if (!report_options(&s.o, argc, argv, own, NULL)) {
        return 2;
    }

    s.arena = tg_arena_create(0);
    s.mem = s.arena == NULL ? NULL : tg_arena_mem(s.arena);

    if (!check(&s)) {
        rc = 2;

    } else if (s.mem == NULL) {
        rc = fail("simulate", strerror(ENOMEM));

    } else if (open_conf(&s) && open_swaps(&s) && open_prices(&s)) {
        rc = s.conf == NULL ? simulate_prices(&s) : simulate_rules(&s);
    }

    tg_price_book_destroy(s.book);

    if (s.server != NULL) {
        tg_conf_destroy(s.server);
    }

    tg_arena_destroy(s.arena);
    report_options_free(&s.o);

    return rc;
}
