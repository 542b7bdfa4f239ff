/*
 * json_scan.h - scanning for tests: whole, and cut in every way.
 *
 * After each of these, `seen` is the log of the whole text.
 */

#ifndef JSON_SCAN_H
#define JSON_SCAN_H

#include "json_random.h"

#include <setjmp.h>
#include <cmocka.h>

#define WHOLE   ((watch_cut_t) { 0, 0 })
#define BYTES   ((watch_cut_t) { 0, 1 })
#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))

static tg_arena_t  *arena;
static watch_t      seen, seen_cut;


static inline tg_json_paths_t *
compile(const tg_json_want_t *wants, size_t n)
{
    tg_error_t        err = { .code = 0 };
    tg_json_paths_t  *paths;

    paths = tg_json_paths(tg_arena_mem(arena), wants, n, &err);
    if (paths == NULL) {
        print_error("%s\n", err.message);
        fail();
    }

    return paths;
}


static inline void
assert_same_logs(const char *text, size_t len, watch_cut_t cut)
{
    if (strcmp(seen.p, seen_cut.p) != 0) {
        print_error("%.*s\nwhole:\n%s\ncut at %zu, by %zu:\n%s\n", (int) len,
                    text, seen.p, cut.at, cut.size, seen_cut.p);
        fail();
    }
}


/* Scans text whole and cut in all ways; the whole one's log is `seen`. */
static inline int
scan_all_ways(const tg_json_paths_t *paths, unsigned flags, const char *text,
    size_t len)
{
    watch_cut_t  cut = BYTES;
    int          error = watch_scan(&seen, paths, flags, text, len, WHOLE);

    for (cut.at = 0; cut.at < len; cut.at++) {
        (void) watch_scan(&seen_cut, paths, flags, text, len, cut);
        assert_same_logs(text, len, cut);
        cut.size = 0;
    }

    return error;
}


static inline int
scan(const tg_json_paths_t *paths, unsigned flags, const char *text)
{
    return scan_all_ways(paths, flags, text, strlen(text));
}


/* The values alone, in lines of "id@index type value". */
static inline const char *
values(const tg_json_paths_t *paths, unsigned flags, const char *text)
{
    assert_int_equal(scan(paths, flags, text), TG_JSON_E_NONE);

    seen.values_only = true;
    (void) watch_scan(&seen, paths, flags, text, strlen(text), WHOLE);
    seen.values_only = false;

    return seen.p;
}


static inline int
scan_setup(void **state)
{
    (void) state;

    arena = tg_arena_create(0);

    return arena == NULL ? -1 : 0;
}


static inline int
scan_teardown(void **state)
{
    (void) state;

    tg_arena_destroy(arena);
    free(seen.p);
    free(seen_cut.p);

    return 0;
}

#endif /* JSON_SCAN_H */
