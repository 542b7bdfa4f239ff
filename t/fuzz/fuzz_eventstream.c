/*
 * AWS event streams: any split gives the same result, and what is accepted is
 * what a plain reading of the whole accepts.  The input's first byte chooses
 * the split, the lowest bit of its second whether the checksums of the frames
 * are made right first, as a fuzzer won't guess them.
 */

#include <stdio.h>
#include <stdlib.h>

#include "tg_crc32.h"
#include "tg_eventstream.h"

#define INPUT_MAX  8192

typedef struct {
    char      text[INPUT_MAX * 4];
    size_t    len;
    unsigned  frames;
} fuzz_log_t;

static fuzz_log_t  first, other;


static void
expect(bool ok, const char *what)
{
    if (!ok) {
        (void) fprintf(stderr, "fuzz_eventstream: %s\n", what);
        abort();
    }
}


static void
add(fuzz_log_t *log, const char *p, size_t n)
{
    expect(n <= sizeof(log->text) - log->len, "the log is full");

    if (n != 0) {
        memcpy(log->text + log->len, p, n);
    }
    log->len += n;
}


static int
handler(void *data, tg_eventstream_type_t type, tg_str_t name, tg_str_t value)
{
    fuzz_log_t  *log = data;

    switch (type) {

    case TG_EVENTSTREAM_HEADER:
        expect(name.len > 0 && name.len <= TG_EVENTSTREAM_NAME_MAX, "name");
        expect(value.len <= TG_EVENTSTREAM_VALUE_MAX, "value");
        add(log, "\0H", 2);
        add(log, name.p, name.len);
        add(log, "=", 1);
        break;

    case TG_EVENTSTREAM_PAYLOAD:
        expect(value.len > 0, "an empty piece");
        break;

    case TG_EVENTSTREAM_END:
        log->frames++;
        add(log, "\0E", 2);
        break;
    }

    add(log, value.p, value.len);

    return 0;
}


static uint32_t
get(const uint8_t *p)
{
    return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16
           | (uint32_t) p[2] << 8 | (uint32_t) p[3];
}


static void
set(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t) (v >> 24);
    p[1] = (uint8_t) (v >> 16);
    p[2] = (uint8_t) (v >> 8);
    p[3] = (uint8_t) v;
}


static bool
headers_ok(const uint8_t *p, size_t n)
{
    size_t             len;
    static const char  sizes[] = { 0, 0, 1, 2, 4, 8, 0, 0, 8, 16 };

    while (n != 0) {
        len = 1 + (size_t) p[0];

        if (len == 1 || len + 1 > n || p[len] > 9) {
            return false;
        }

        if (p[len] == 6 || p[len] == 7) {
            if (len + 3 > n) {
                return false;
            }
            len += 3 + ((size_t) p[len + 1] << 8 | p[len + 2]);

        } else {
            len += 1 + (size_t) sizes[p[len]];
        }

        if (len > n) {
            return false;
        }

        p += len;
        n -= len;
    }

    return true;
}


/* The number of good frames from the start; *all: nothing else follows. */

static unsigned
reference(uint8_t *p, size_t n, bool repair, bool *all)
{
    uint32_t  total, headers;
    unsigned  frames = 0;

    for (*all = false; n >= 16; frames++) {
        total = get(p);
        headers = get(p + 4);

        if (repair) {
            set(p + 8, tg_crc32(0, p, 8));
        }

        if (total < 16 || total > n || headers > total - 16) {
            return frames;
        }

        if (repair) {
            set(p + total - 4, tg_crc32(0, p, total - 4));
        }

        if (get(p + 8) != tg_crc32(0, p, 8)
            || get(p + total - 4) != tg_crc32(0, p, total - 4)
            || !headers_ok(p + 12, headers))
        {
            return frames;
        }

        p += total;
        n -= total;
    }

    *all = (n == 0);

    return frames;
}


static tg_eventstream_errcode_t
run(fuzz_log_t *log, const char *p, size_t n, size_t step)
{
    int               rc;
    size_t            i, k;
    tg_eventstream_t  s;

    log->len = 0;
    log->frames = 0;
    tg_eventstream_init(&s, handler, log);

    for (i = 0; i < n; i += k) {
        k = step < n - i ? step : n - i;

        rc = tg_eventstream_feed(&s, p + i, k);
        expect((rc == TG_OK) == (s.error == TG_EVENTSTREAM_E_NONE), "code");
    }

    rc = tg_eventstream_finish(&s);
    expect((rc == TG_OK) == (s.error == TG_EVENTSTREAM_E_NONE), "last code");

    return s.error;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool                      all;
    size_t                    n;
    unsigned                  frames;
    tg_eventstream_errcode_t  error;
    static uint8_t            copy[INPUT_MAX];

    if (size < 2 || size > INPUT_MAX) {
        return 0;
    }

    n = size - 2;
    memcpy(copy, data + 2, n);
    frames = reference(copy, n, data[1] & 1, &all);

    error = run(&first, (const char *) copy, n, n + 1);
    expect(first.frames == frames, "frames differ from the reference");
    expect((error == TG_EVENTSTREAM_E_NONE) == all, "a wrong verdict");

    expect(run(&other, (const char *) copy, n, 1 + data[0] % 64) == error,
           "the error differs by split");
    expect(other.len == first.len
           && memcmp(other.text, first.text, first.len) == 0,
           "events differ by split");

    return 0;
}
