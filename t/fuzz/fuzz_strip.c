/*
 * Taking out of usage chunks: any split gives the same bytes, unless an event
 * was too large to hold; without anything to take out they are the input's.  A
 * data line that begins with U stands for a usage chunk, a "null," within the
 * event for a usage of null.  Byte 0 of the input chooses the split.
 */

#include <stdio.h>
#include <stdlib.h>

#include "tg_json.h"
#include "tg_sse.h"
#include "tg_strip.h"

#define INPUT_MAX  16384

typedef struct {
    tg_strip_t   strip;
    bool         blind;         /* nothing is to be taken out */
    bool         usage_only;
    bool         has_data;
    const char  *input;
    const char  *piece;
    size_t       piece_len;
    char         out[INPUT_MAX];
    size_t       len;
    char         hold[TG_STRIP_HOLD_MAX];
} fuzz_t;

static fuzz_t  whole, split;


static void
expect(bool ok, const char *what)
{
    if (!ok) {
        (void) fprintf(stderr, "fuzz_strip: %s\n", what);
        abort();
    }
}


static void *
hold_alloc(void *pool, size_t size)
{
    fuzz_t  *f = pool;

    expect(size <= sizeof(f->hold), "too large a buffer");

    return f->hold;
}


static int
output(void *data, const char *p, size_t n, bool held)
{
    fuzz_t  *f = data;

    expect(n > 0 && n <= sizeof(f->out) - f->len, "too much output");
    expect(held ? p >= f->hold && p + n <= f->hold + sizeof(f->hold)
                : p >= f->piece && p + n <= f->piece + f->piece_len,
           "a slice of something else");

    memcpy(f->out + f->len, p, n);
    f->len += n;

    return 0;
}


static int
on_sse(void *data, const tg_sse_t *s, tg_sse_type_t type, const char *p,
    size_t n)
{
    size_t             i;
    fuzz_t            *f = data;
    tg_answer_event_t  ev = { 0, 0, false, TG_JSON_NOWHERE, TG_JSON_NOWHERE };

    (void) n;

    if (type == TG_SSE_DATA) {
        f->usage_only = f->has_data ? f->usage_only : *p == 'U';
        f->has_data = true;
        return 0;
    }

    ev.start = s->event_start;
    ev.end = s->event_end;
    ev.usage_only = f->usage_only && !f->blind;
    f->usage_only = f->has_data = false;

    for (i = ev.start; !f->blind && i + 5 <= ev.end; i++) {
        if (memcmp(f->input + i, "null,", 5) == 0) {
            ev.null_start = i;
            ev.null_end = i + 5;
            break;
        }
    }

    tg_strip_event(&f->strip, &ev);

    return 0;
}


static void
run(fuzz_t *f, const char *p, size_t n, size_t step, bool blind)
{
    size_t    i, k;
    tg_mem_t  mem = { hold_alloc, f };
    tg_sse_t  sse;

    f->blind = blind;
    f->usage_only = f->has_data = false;
    f->input = p;
    f->len = 0;

    tg_sse_init(&sse, on_sse, f);
    tg_strip_init(&f->strip, &mem, output, f);

    for (i = 0; i < n; i += k) {
        k = step < n - i ? step : n - i;
        f->piece = p + i;
        f->piece_len = k;

        tg_strip_begin(&f->strip, p + i, k);
        expect(tg_sse_feed(&sse, p + i, k) == TG_OK, "feed failed");
        expect(tg_strip_end(&f->strip) == TG_OK, "end failed");
        expect(f->strip.held <= TG_STRIP_HOLD_MAX, "too much held");
    }

    f->piece_len = 0;
    expect(tg_sse_finish(&sse) == TG_OK, "finish of the stream failed");
    expect(tg_strip_finish(&f->strip) == TG_OK, "finish failed");
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t       step;
    const char  *p = (const char *) data + 1;

    if (size == 0 || size > INPUT_MAX) {
        return 0;
    }

    size--;
    step = 1 + data[0] % 64;

    run(&whole, p, size, size + 1, true);
    expect(whole.len == size && memcmp(whole.out, p, size) == 0,
           "the whole came out changed");
    run(&split, p, size, step, true);
    expect(split.len == size && memcmp(split.out, p, size) == 0,
           "the pieces came out changed");

    run(&whole, p, size, size + 1, false);
    run(&split, p, size, step, false);
    expect(split.strip.dropped + split.strip.cut + split.strip.forfeited
           == whole.strip.dropped + whole.strip.cut, "events are missing");
    expect(split.len >= whole.len, "too much was taken out");
    expect(split.strip.forfeited != 0
           || (split.len == whole.len
               && memcmp(split.out, whole.out, split.len) == 0),
           "output differs by split");

    return 0;
}
