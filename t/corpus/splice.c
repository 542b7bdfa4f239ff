/*
 * splice.c - sends each recorded request to another model, and has jansson say
 * whether its body, as it would go, differs from what came in that and nothing
 * else (but for the usage that is asked for).
 *
 *     corpus-splice DIR [CASE]
 *
 * Prints each miss and, last, "corpus spliced: N/M ...".  Exits 1 where there is
 * a miss.
 */

#include "exchange.h"
#include "splice.h"

#include <dirent.h>

typedef struct {
    unsigned  good, bad, skipped;
} tally_t;


static int
visible(const struct dirent *e)
{
    return e->d_name[0] != '.';
}


static void
run(splice_t *s, const char *corpus, const char *name, tally_t *t)
{
    char             dir[EXCHANGE_PATH];
    exchange_t       x;
    tg_arena_t      *arena = tg_arena_create(0);
    tg_call_head_t   head = { 0 };

    snprintf(dir, sizeof(dir), "%s/cases/%s", corpus, name);

    if (exchange_load(&x, dir) && x.request.len != 0) {
        head.method = x.method;
        head.path = x.path;
        head.args = x.args;
        head.content_type = x.request_type;

        switch (splice_call(s, tg_arena_mem(arena), &head, x.request.p,
                            x.request.len))
        {
        case SPLICE_GOOD:
            t->good++;
            break;
        case SPLICE_SKIP:
            t->skipped++;
            break;
        case SPLICE_BAD:
            printf("MISS %s\n", name);
            t->bad++;
            break;
        }
    }

    exchange_free(&x);
    tg_arena_destroy(arena);
}


int
main(int argc, char **argv)
{
    char             dir[EXCHANGE_PATH];
    splice_t         s;
    tally_t          t = { 0, 0, 0 };
    tg_error_t       err;
    struct dirent  **entry;
    int              n;

    if (argc < 2) {
        fprintf(stderr, "usage: corpus-splice DIR [CASE]\n");
        return 2;
    }

    if (!splice_begin(&s)
        || tg_dialect_setup(tg_arena_mem(s.arena), &err) != TG_OK)
    {
        fprintf(stderr, "no route can be set up\n");
        return 2;
    }

    snprintf(dir, sizeof(dir), "%s/cases", argv[1]);
    n = scandir(dir, &entry, visible, alphasort);

    if (n < 0) {
        fprintf(stderr, "no directory %s\n", dir);
        return 2;
    }

    for (int i = 0; i < n; i++) {
        if (argc < 3 || strcmp(argv[2], entry[i]->d_name) == 0) {
            run(&s, argv[1], entry[i]->d_name, &t);
        }
        free(entry[i]);
    }

    free(entry);
    splice_end(&s);

    printf("corpus spliced: %u/%u as meant (%u are of no API that is sent on)"
           "\n", t.good, t.good + t.bad, t.skipped);

    return t.bad != 0 || t.good == 0;
}
