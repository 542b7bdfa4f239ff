/*
 * tg_guard_regex.h - a regex over a text that somebody else wrote, in bounded
 * time.
 *
 * Time is looked at from within a match (tg_regex_watch.h), and between
 * matches.
 *
 * Regexes are of bytes; of characters where they have one that is not ASCII, or
 * \p, \P, \X or \x{...}.  The dot matches newlines, too; parentheses don't
 * capture.
 */

#ifndef TG_GUARD_REGEX_H
#define TG_GUARD_REGEX_H

#include "tg_error.h"
#include "tg_mem.h"

#define TG_REGEX_LEN_MAX  2048          /* bytes */

typedef struct tg_regex_s  tg_regex_t;  /* immutable, shared by threads */

/* NULL and *err: a sentence, and the place of the mistake under it. */
tg_regex_t *tg_regex_compile(tg_mem_t *mem, tg_str_t text, bool caseless,
    tg_error_t *err);

/* Frees what is not of mem; NULL does nothing. */
void tg_regex_destroy(tg_regex_t *re);

/* A search of one text by any number of regexes, until a deadline. */
typedef struct tg_search_s  tg_search_t;

/*
 * text: UTF-8.  clock: nanoseconds; NULL: there is no deadline.  NULL on
 * exhaustion.  The search is of mem and has more to be freed.
 */
tg_search_t *tg_search_create(tg_mem_t *mem, tg_str_t text,
    int64_t (*clock)(void), int64_t deadline);
void tg_search_destroy(tg_search_t *s);

/* worked: nanoseconds that this thread has worked.  The deadline does not pass
 * before it has worked so many: time in which it was kept from that, by a machine
 * that has too much to do, does not count. */
void tg_search_works(tg_search_t *s, int64_t (*worked)(void), int64_t ns);

/*
 * The first match at or behind `at` that is not empty.  TG_OK: it is from *from
 * to *to.  TG_DECLINED: there is none.  TG_ERROR: the deadline has passed, or
 * the regex needs more than it may have; there is no telling.
 */
#define TG_DECLINED  (-4)

int tg_search_next(tg_search_t *s, const tg_regex_t *re, size_t at,
    size_t *from, size_t *to);

/* True where the deadline has passed. */
bool tg_search_late(tg_search_t *s);

#endif /* TG_GUARD_REGEX_H */
