/*
 * tg_regex_watch.h - regexes that look at the time while they match; for
 * tg_expr*.c and tg_guard_regex.c.
 *
 * PCRE2's limit on the effort of a match is one for each place at which it may
 * begin, and so is none on the whole: a regex and a text that are made for each
 * other take hours.  So callouts are put behind each part of a regex that is
 * repeated, and time is looked at there.
 */

#ifndef TG_REGEX_WATCH_H
#define TG_REGEX_WATCH_H

#include "tg_mem.h"

#define PCRE2_CODE_UNIT_WIDTH  8
#include <pcre2.h>

typedef struct {
    int64_t   (*clock)(void);       /* nanoseconds; NULL: no deadline */
    int64_t     deadline;           /* 0: `budget` from the first look on */
    int64_t     budget;
    int64_t   (*worked)(void);      /* nanoseconds that this thread has worked;
                                       NULL: not known */
    int64_t     enough;             /* it is not late before it has worked this */
    unsigned    calls;
    unsigned    every;              /* so many callouts between two looks */
    bool        late;
} tg_watch_t;

/*
 * With machine code where that can be made.  The dot matches newlines, plain
 * parentheses don't capture.  NULL, *error and *at as pcre2_compile() has them.
 */
pcre2_code *tg_watch_compile(tg_mem_t *mem, tg_str_t text, uint32_t options,
    pcre2_compile_context *context, int *error, size_t *at);

/* Before a match on a text of that length. */
void tg_watch_text(tg_watch_t *w, size_t len);

/* True where the deadline has passed; it stays so. */
bool tg_watch_late(tg_watch_t *w);

/* For pcre2_set_callout(), with the tg_watch_t: ends the match where it is
 * late. */
int tg_watch_callout(pcre2_callout_block *block, void *data);

#endif /* TG_REGEX_WATCH_H */
