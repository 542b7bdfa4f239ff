/*
 * tg_json_short.h - the ends of short strings, of which most JSON is full.
 *
 * A block of 64 bytes is looked at once, and each string in it only shifts a
 * mask.
 */

#ifndef TG_JSON_SHORT_H
#define TG_JSON_SHORT_H

#include "tg_json_int.h"
#include "tg_json_string.h"

#define TG_JSON_SHORT  64       /* the most that is looked at without masks */

#if defined(__SSE2__)

/* Looks at the 64 bytes from p on; at the last ones where less are left. */
static void
tg_json_look(tg_json_input_t *in, const char *p)
{
    size_t  n = (size_t) (in->end - in->begin);
    char    text[64];

    if (n >= 64) {
        in->block = in->end - p < 64 ? in->end - 64 : p;
        in->special = tg_json_special64(in->block);
        return;
    }

    memset(text, 0, sizeof(text));
    memcpy(text, in->begin, n);

    in->block = in->begin;
    in->special = tg_json_special64(text);
}


static const char *
tg_json_short_further(tg_json_input_t *in, const char *p)
{
    uint64_t  special;

    for (unsigned i = 0; i < 2 && p < in->end; i++) {

        /* the block that follows, so that the CPU need not wait for p */
        tg_json_look(in, p - in->block < 128 ? in->block + 64 : p);

        special = in->special >> (p - in->block);
        if (special != 0) {
            return p + __builtin_ctzll(special);
        }

        p = in->block + 64;
    }

    return p;
}


/* The text from p on is plain up to what is returned, which may be its end. */
static inline const char *
tg_json_short(tg_json_input_t *in, const char *p)
{
    uint64_t  special;

    if (p - in->block < 64) {
        special = in->special >> (p - in->block);
        if (special != 0) {
            return p + __builtin_ctzll(special);
        }

        return tg_json_short_further(in, in->block + 64);
    }

    return tg_json_short_further(in, p);
}

#else

static inline void
tg_json_look(tg_json_input_t *in, const char *p)
{
    (void) in;
    (void) p;
}


static inline const char *
tg_json_short(tg_json_input_t *in, const char *p)
{
    return tg_json_plain(p, in->end - p > TG_JSON_SHORT ? p + TG_JSON_SHORT
                                                        : in->end);
}

#endif

#endif /* TG_JSON_SHORT_H */
