/*
 * oracle.c - every JSON text in a corpus of recorded calls, by the scanner and
 * by jansson: they must agree on what is JSON and on every value that the APIs'
 * tables want.
 *
 *     corpus-oracle DIR [CASE]
 *
 * Prints each disagreement and the case it is in, then how often which written
 * point of difference (t/unit/json_vectors.h) was met, and last "corpus oracle:
 * N texts, M values agree".  Exits 1 where something disagrees.
 */

#include "exchange_texts.h"

#include <dirent.h>
#include <time.h>

static const char *const  points[] = {
    [J_RANGE] = "numbers out of range",
    [J_SURROGATE] = "lone surrogates",
    [J_NUL] = "escaped NULs",
    [J_DEPTH] = "nested too deep",
    [J_LENGTH] = "numbers too long",
    [J_NUL_BYTE] = "NUL bytes behind a number"
};


/* All entries but those that begin with a dot. */
static int
visible(const struct dirent *e)
{
    return e->d_name[0] != '.';
}


static bool
run(texts_t *t, const char *corpus, const char *name)
{
    char        dir[EXCHANGE_PATH];
    exchange_t  x;
    uint64_t    differ = t->differ;
    bool        ok;

    snprintf(dir, sizeof(dir), "%s/cases/%s", corpus, name);
    ok = exchange_load(&x, dir);

    if (ok) {
        exchange_texts(t, &x);
    } else {
        printf("MISS %s: unreadable\n", name);
    }

    exchange_free(&x);

    if (t->differ != differ) {
        printf("MISS %s: %" PRIu64 " texts\n", name, t->differ - differ);
    }

    return ok;
}


static void
summary(const texts_t *t, int cases)
{
    for (int i = J_SAME + 1; i <= J_NUL_BYTE; i++) {
        if (t->tally.point[i] != 0) {
            printf("apart %s: %" PRIu64 " texts\n", points[i],
                   t->tally.point[i]);
        }
    }

    if (t->tally.repeated != 0) {
        printf("apart repeated names: %" PRIu64 " texts\n",
               t->tally.repeated);
    }

    if (t->differ != 0) {
        printf("corpus oracle: %" PRIu64 " of %" PRIu64 " texts disagree\n",
               t->differ, t->texts);
        return;
    }

    printf("corpus oracle: %" PRIu64 " texts, %" PRIu64 " values agree"
           " (%d cases, %zu paths, %" PRIu64 " texts refused by both, %.0f s)"
           "\n", t->texts, t->tally.values, cases, t->npaths,
           t->tally.refused, (double) clock() / CLOCKS_PER_SEC);
}


int
main(int argc, char **argv)
{
    tg_arena_t      *arena = tg_arena_create(0);
    tg_error_t       err;
    texts_t          t;
    struct dirent  **entry;
    char             dir[EXCHANGE_PATH];
    int              n, cases = 0;
    bool             ok = true;

    if (argc < 2) {
        fprintf(stderr, "usage: corpus-oracle DIR [CASE]\n");
        return 2;
    }

    if (arena == NULL || tg_dialect_setup(tg_arena_mem(arena), &err) != TG_OK
        || !texts_init(&t, tg_arena_mem(arena), &err))
    {
        fprintf(stderr, "the tables of APIs can't be set up\n");
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
            ok &= run(&t, argv[1], entry[i]->d_name);
            cases++;
        }

        free(entry[i]);
    }

    free(entry);
    summary(&t, cases);
    texts_done(&t);
    tg_arena_destroy(arena);

    return !ok || t.differ != 0;
}
