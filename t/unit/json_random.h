/*
 * json_random.h - random documents, the same ones every time.
 *
 * Names are few and mostly from the tests' wanted paths; strings have all that
 * strings can have, and some are long enough for whole blocks.
 */

#ifndef JSON_RANDOM_H
#define JSON_RANDOM_H

#include "json_watch.h"

static uint64_t  random_state = 88172645463325252u;


static inline uint32_t
random_next(uint32_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;

    return (uint32_t) (random_state >> 32) % below;
}


static void
random_space(watch_t *w)
{
    static const char  *spaces[] = { " ", "\n", "\t", "\r\n", "    ", "\n  " };

    if (random_next(8) == 0) {
        watch_printf(w, "%s", spaces[random_next(6)]);
    }
}


static void
random_text(watch_t *w)
{
    static const char  *parts[] = {
        "a", "Z", "0", "/", " ", ".", "plain text", "\\n", "\\\"", "\\\\",
        "\\/", "\\b\\f\\r\\t", "\\u0041", "\\u00e9", "\\u4e2d",
        "\\ud83d\\ude00", "\xc3\xa9", "\xe4\xb8\xad", "\xf0\x9f\x98\x80",
        "\xd0\x96\xd0\xb8", "\\\\\\\\", "\x7f", "{", "[,]", ":", "'",
        "the quick brown fox jumps over the lazy dog, again and again"
    };
    uint32_t  n = random_next(12);
    uint32_t  most = random_next(4) == 0 ? 27 : 6;

    if (random_next(10) == 0) {
        n *= 12;
    }

    while (n-- > 0) {
        watch_printf(w, "%s", parts[random_next(most)]);
    }
}


static void
random_key(watch_t *w, uint32_t number)
{
    static const char  *names[] = {
        "model", "m\\u006fdel", "messages", "content", "usage", "id", "text",
        "\\u0069d", "\xc3\xa9t\xc3\xa9", "\\u00e9t\xc3\xa9", "a.b", "items"
    };

    watch_add(w, "\"", 1);

    if (random_next(3) != 0) {
        watch_printf(w, "%s", names[random_next(12)]);
    } else {
        random_text(w);
        watch_printf(w, "%u", number);      /* seldom the same twice */
    }

    watch_add(w, "\"", 1);
}


static void
random_scalar(watch_t *w)
{
    static const char  *scalars[] = {
        "true", "false", "null", "0", "-0", "1.5", "-12e3", "3.25E-2",
        "1234567", "-1", "0.1", "7e+2"
    };

    if (random_next(2) == 0) {
        watch_add(w, "\"", 1);
        random_text(w);
        watch_add(w, "\"", 1);
        return;
    }

    watch_printf(w, "%s", scalars[random_next(12)]);
}


static void
random_value(watch_t *w, unsigned depth)
{
    uint32_t  kind = random_next(depth > 5 ? 2 : 6), n = random_next(5);

    if (kind < 2 && depth != 0) {
        random_scalar(w);
        return;
    }

    watch_add(w, kind < 4 ? "{" : "[", 1);

    for (uint32_t i = 0; i < n; i++) {
        random_space(w);

        if (kind < 4) {
            random_key(w, i);
            random_space(w);
            watch_add(w, ":", 1);
            random_space(w);
        }

        random_value(w, depth + 1);
        random_space(w);

        if (i + 1 < n) {
            watch_add(w, ",", 1);
        }
    }

    random_space(w);
    watch_add(w, kind < 4 ? "}" : "]", 1);
}


static inline void
random_document(watch_t *w)
{
    watch_clear(w);
    random_value(w, random_next(12) == 0);
}


/* Breaks a document a little; it may even stay valid. */
static inline void
random_break(watch_t *w)
{
    static const char  bytes[] = "\"\\{}[],: \n0159-+.eEtfnu/x\x01\x7f\x80\xc3"
                                 "\xe4\xed\xf0\xf4\xff";
    uint32_t           times = 1 + random_next(3), at;

    while (times-- > 0 && w->len != 0) {
        at = random_next((uint32_t) w->len);

        switch (random_next(4)) {
        case 0:
            w->len = at;
            break;
        case 1:
            memmove(w->p + at, w->p + at + 1, w->len - at - 1);
            w->len--;
            break;
        case 2:
            watch_add(w, " ", 1);
            memmove(w->p + at + 1, w->p + at, w->len - at - 1);

            /* fall through */

        default:
            w->p[at] = bytes[random_next(sizeof(bytes) - 1)];
        }
    }

    w->p[w->len] = '\0';
}

#endif /* JSON_RANDOM_H */
