/*
 * Server-sent events: any split gives the events that a plain reading of the
 * whole, line by line, gives.  The first byte of the input chooses the split.
 */

#include <stdio.h>
#include <stdlib.h>

#include "tg_sse.h"

#define INPUT_MAX  16384

typedef struct {
    char      text[INPUT_MAX * 4];
    size_t    len;
    uint64_t  end;
    uint64_t  gaps;
} fuzz_log_t;

static fuzz_log_t  got, want;


static void
expect(bool ok, const char *what)
{
    if (!ok) {
        (void) fprintf(stderr, "fuzz_sse: %s\n", what);
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


static void
add_end(fuzz_log_t *log, bool has_data, const char *name, size_t len)
{
    add(log, has_data ? "\0D" : "\0N", 2);
    add(log, name, len);
    add(log, "\0", 1);
}


static int
handler(void *data, const tg_sse_t *s, tg_sse_type_t type, const char *p,
    size_t n)
{
    fuzz_log_t  *log = data;

    if (type == TG_SSE_DATA) {
        expect(n > 0 && s->has_data, "an empty piece");
        add(log, p, n);
        return 0;
    }

    expect(s->event_start - log->end <= 1, "a gap between events");
    expect(s->event_end > s->event_start, "an empty range");

    log->gaps += s->event_start - log->end;
    log->end = s->event_end;
    add_end(log, s->has_data, s->name, s->name_len);

    return 0;
}


/* The reference. */

typedef struct {
    bool         block, has_data;
    const char  *name;
    size_t       name_len;
} fuzz_block_t;


static void
read_line(fuzz_block_t *b, const char *p, size_t n)
{
    const char  *colon = memchr(p, ':', n), *v = p + n;
    size_t       name_len = n, len = 0;

    b->block = true;

    if (colon != NULL) {
        name_len = (size_t) (colon - p);
        v = colon + 1;
        v += (v < p + n && *v == ' ');
        len = (size_t) (p + n - v);
    }

    if (name_len == 4 && memcmp(p, "data", 4) == 0) {
        if (b->has_data) {
            add(&want, "\n", 1);
        }
        add(&want, v, len);
        b->has_data = true;

    } else if (name_len == 5 && memcmp(p, "event", 5) == 0) {
        b->name = v;
        b->name_len = len < TG_SSE_NAME_MAX ? len : TG_SSE_NAME_MAX;
    }
}


static void
reference(const char *p, size_t n)
{
    size_t        i;
    fuzz_block_t  b = { false, false, NULL, 0 };

    want.len = 0;

    if (n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {
        p += 3;
        n -= 3;
    }

    while (n != 0) {
        for (i = 0; i < n && p[i] != '\n' && p[i] != '\r'; i++) { /* void */ }

        if (i != 0) {
            read_line(&b, p, i);

        } else if (b.block) {
            add_end(&want, b.has_data, b.name, b.name_len);
            memset(&b, 0, sizeof(b));
        }

        if (i < n) {
            i += (p[i] == '\r' && i + 1 < n && p[i + 1] == '\n') ? 2 : 1;
        }

        p += i;
        n -= i;
    }

    if (b.has_data) {
        add_end(&want, true, b.name, b.name_len);
    }
}


static void
run(const char *p, size_t n, size_t step, uint32_t seed)
{
    size_t    i, k;
    tg_sse_t  s;

    got.len = 0;
    got.end = got.gaps = 0;
    tg_sse_init(&s, handler, &got);

    for (i = 0; i < n; i += k) {
        k = step;

        if (k == 0) {
            seed = seed * 1664525 + 1013904223;
            k = 1 + (seed >> 24) % 40;
        }

        k = k < n - i ? k : n - i;
        expect(tg_sse_feed(&s, p + i, k) == TG_OK, "feed failed");
    }

    expect(tg_sse_finish(&s) == TG_OK, "finish failed");
    expect(s.offset == n && got.end <= n, "wrong offsets");
    expect(step < n || got.gaps == 0, "a gap though there was no split");
    expect(got.len == want.len && memcmp(got.text, want.text, got.len) == 0,
           "events differ");
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char  *p = (const char *) data + 1;

    if (size == 0 || size > INPUT_MAX) {
        return 0;
    }

    size--;
    reference(p, size);
    run(p, size, size + 1, 0);
    run(p, size, 1, 0);
    run(p, size, 1 + data[0] % 32, 0);
    run(p, size, 0, data[0]);

    return 0;
}
