/*
 * json_watch.h - what a scanner said, as text that can be compared.
 *
 * Pieces of text are put together again, so the log is the same for any split
 * of the input.
 */

#ifndef JSON_WATCH_H
#define JSON_WATCH_H

#include "cut.h"
#include "tg_json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct {
    char                 *p;
    size_t                len;
    size_t                size;
    bool                  text;         /* the last thing was a piece */
    bool                  values_only;  /* for comparing with a tree */
} watch_t;


static void
watch_add(watch_t *w, const char *p, size_t len)
{
    if (w->size - w->len < len + 1) {
        w->size = (w->len + len + 1) * 2;
        w->p = realloc(w->p, w->size);
        if (w->p == NULL) {
            abort();
        }
    }

    memcpy(w->p + w->len, p, len);
    w->len += len;
    w->p[w->len] = '\0';
}


static void __attribute__((format(printf, 2, 3)))
watch_printf(watch_t *w, const char *fmt, ...)
{
    char     line[400];
    va_list  args;

    va_start(args, fmt);
    vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);

    watch_add(w, line, strlen(line));
}


static void
watch_clear(watch_t *w)
{
    w->text = false;
    w->len = 0;
    watch_add(w, "", 0);
}


static inline void
watch_number(watch_t *w, tg_str_t v)
{
    char  z[TG_JSON_VALUE_MAX + 1];

    memcpy(z, v.p, v.len);
    z[v.len] = '\0';

    if (strpbrk(z, ".eE") == NULL) {
        watch_printf(w, "%lld", strtoll(z, NULL, 10));
    } else {
        watch_printf(w, "%.17g", strtod(z, NULL));
    }
}


static inline void
watch_value(watch_t *w, const tg_json_event_t *ev)
{
    static const char  types[] = " S#tfn{}[]";

    if (ev->type == TG_JSON_TEXT_PIECE) {
        if (!w->text) {
            watch_printf(w, "%u@%u S ", ev->id, ev->index);
            w->text = true;
        }
        watch_add(w, ev->value.p, ev->value.len);
        return;
    }

    if (w->text) {
        watch_add(w, "\n", 1);
        w->text = false;
        return;                     /* the string's own event */
    }

    if (ev->type > TG_JSON_ARRAY_END) {
        return;
    }

    watch_printf(w, "%u@%u %c ", ev->id, ev->index, types[ev->type]);

    if (ev->type == TG_JSON_NUMBER) {
        watch_number(w, ev->value);
    } else {
        watch_add(w, ev->value.p, ev->value.len);
    }

    watch_add(w, "\n", 1);
}


static inline int
watch_handler(void *data, const tg_json_event_t *ev)
{
    watch_t  *w = data;

    if (w->values_only) {
        watch_value(w, ev);
        return 0;
    }

    if (ev->type == TG_JSON_TEXT_PIECE) {
        if (!w->text) {
            watch_printf(w, "text %u: ", ev->id);
            w->text = true;
        }
        watch_add(w, ev->value.p, ev->value.len);
        return 0;
    }

    if (w->text) {
        watch_add(w, "\n", 1);
        w->text = false;
    }

    watch_printf(w, "%d id %u index %" PRIu32 " raw %" PRIu64 " key %" PRId64
                 " start %" PRId64 " end %" PRId64 " comma %" PRId64
                 " next %" PRId64 " %d ", ev->type, ev->id, ev->index,
                 ev->raw_len, (int64_t) ev->key, (int64_t) ev->start,
                 (int64_t) ev->end, (int64_t) ev->comma, (int64_t) ev->next,
                 ev->truncated);
    watch_add(w, ev->value.p, ev->value.len);
    watch_add(w, "\n", 1);

    return 0;
}


typedef cut_t  watch_cut_t;


/*
 * Scans text and logs events, result, error and its offset.  Each piece is put
 * into memory of its own, where reading past it would be seen by the tools.
 */
static inline int
watch_scan(watch_t *w, const tg_json_paths_t *paths, unsigned flags,
    const char *text, size_t len, watch_cut_t cut)
{
    tg_json_t  s;
    size_t     n, at;
    char      *piece;
    int        rc = TG_OK;

    watch_clear(w);
    tg_json_init(&s, paths, flags, watch_handler, w);

    for (at = 0; at < len && rc == TG_OK; at += n) {
        n = cut_piece(cut, at, len);
        piece = malloc(n);
        if (piece == NULL) {
            abort();
        }

        memcpy(piece, text + at, n);
        rc = tg_json_feed(&s, piece, n);
        free(piece);
    }

    rc = tg_json_finish(&s);

    if (w->text) {
        watch_add(w, "\n", 1);
        w->text = false;
    }

    if (!w->values_only) {
        watch_printf(w, "rc %d error %d at %" PRIu64 "\n", rc, s.error,
                     s.error_offset);
    }

    return rc == TG_OK ? TG_JSON_E_NONE : (int) s.error;
}

#endif /* JSON_WATCH_H */
