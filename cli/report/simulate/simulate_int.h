/*
 * simulate_int.h - the parts of llmctl simulate.
 */

#ifndef SIMULATE_INT_H
#define SIMULATE_INT_H

#include "replay.h"
#include "conf/serverconf.h"
#include "kind/report.h"

#define SIMULATE_SWAPS  32

/* --swap=: what a model is taken for. */
typedef struct {
    tg_str_t  from;                 /* may have * in it */
    tg_str_t  vendor;               /* empty: the line's */
    tg_str_t  to;
} swap_t;

typedef struct {
    report_options_t   o;
    const char        *conf;
    const char        *prices;      /* files, by commas */
    const char        *root;        /* of relative names; NULL: its directory */
    const char        *location;
    const char        *pass;        /* "on", "off"; NULL: as it says */
    const char        *calls;       /* a file's name */
    const char        *swap;
    bool               no_guess;
    bool               verdicts;

    tg_arena_t        *arena;
    tg_mem_t          *mem;
    unsigned           nswaps;
    swap_t             swaps[SIMULATE_SWAPS];
    tg_price_book_t   *book;        /* NULL: there are no prices */
    tg_conf_t         *server;      /* of --conf; NULL: none */
    serverconf_t      *read;
    bool               several;     /* locations differ */
} simulate_t;

/* simulate_price.c: prices alone.  The exit code. */
int simulate_prices(simulate_t *s);

/* simulate_rules.c: all that --conf says.  The exit code. */
int simulate_rules(simulate_t *s);

/* simulate_note.c: what of the configuration a replay can't know. */
void simulate_notes(const simulate_t *s, table_t *t);

#endif /* SIMULATE_INT_H */
