/*
 * windows - what the core takes for a window: reads lines
 *
 *     FILE KIND MILLISECONDS
 *
 * (a TZif file, "-" for UTC; a word for a window; an instant) and prints the
 * start and the end of the window of each, in milliseconds.  For compare.py.
 */

#include "tg_window.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_MAX  (256 * 1024)


static void
fail(const char *what, const char *why)
{
    fprintf(stderr, "windows: %s: %s\n", what, why);
    exit(2);
}


/* The zone, which lasts for good. */
static tg_zone_t *
load(const char *path)
{
    FILE         *f;
    size_t        n;
    tg_zone_t    *zone;
    tg_arena_t   *arena = tg_arena_create(0);
    tg_error_t    err;
    static char   bytes[FILE_MAX];

    if (strcmp(path, "-") == 0) {
        tg_arena_destroy(arena);
        return NULL;
    }

    f = fopen(path, "rb");
    if (f == NULL || arena == NULL) {
        fail(path, "cannot be opened");
    }

    n = fread(bytes, 1, sizeof(bytes), f);

    if (ferror(f) || n == sizeof(bytes)) {
        fail(path, "cannot be read");
    }

    (void) fclose(f);

    if (tg_zone_parse(tg_arena_mem(arena), tg_str_of(bytes, n), &zone, &err)
        != TG_OK)
    {
        fail(path, err.message);
    }

    return zone;
}


int
main(void)
{
    char              line[512], path[256], last[256] = "-", kind[32];
    int64_t           now;
    tg_zone_t        *zone = NULL;
    tg_window_t       w;
    tg_window_spec_t  spec;

    while (fgets(line, sizeof(line), stdin) != NULL) {
        if (sscanf(line, "%255s %31s %" SCNd64, path, kind, &now) != 3
            || tg_window_parse(tg_strz(kind), &spec) != TG_OK)
        {
            fail(line, "is not understood");
        }

        if (strcmp(path, last) != 0) {
            zone = load(path);
            memcpy(last, path, sizeof(last));
        }

        tg_window_at(&spec, zone, now, &w);
        printf("%" PRId64 " %" PRId64 "\n", w.start, w.end);
    }

    return ferror(stdin) || fflush(stdout) != 0 ? 2 : 0;
}
