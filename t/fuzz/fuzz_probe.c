/*
 * The answer to a check: any split gives the status, the body and the end that
 * the whole gives.  The first byte of the input chooses the split, the second
 * the most of a body that is taken.
 */

#include <stdio.h>
#include <stdlib.h>

#include "tg_probe.h"

#define INPUT_MAX  16384

typedef struct {
    char      body[INPUT_MAX];
    size_t    len, max;
    int       rc, closed;
    unsigned  status;
    bool      done, keep;
} fuzz_result_t;

static fuzz_result_t  whole, other;


static void
expect(bool ok, const char *what)
{
    if (!ok) {
        (void) fprintf(stderr, "fuzz_probe: %s\n", what);
        abort();
    }
}


/* Takes what there is room for, so that a cut shows as little as the whole. */

static int
take(void *data, const char *p, size_t n)
{
    size_t          k;
    fuzz_result_t  *r = data;

    expect(n != 0, "an empty piece");

    k = n < r->max - r->len ? n : r->max - r->len;
    memcpy(r->body + r->len, p, k);
    r->len += k;

    return k < n;
}


static void
run(const char *p, size_t n, size_t step, uint32_t seed, fuzz_result_t *r)
{
    size_t             i, k;
    tg_error_t         err;
    static tg_probe_t  probe;

    r->len = 0;
    r->max = (seed & 0xff00) == 0 ? INPUT_MAX : seed >> 8 & 0xff;
    r->rc = TG_OK;
    tg_probe_init(&probe);

    for (i = 0; i < n && r->rc == TG_OK; i += k) {
        k = step;

        if (k == 0) {
            seed = seed * 1664525 + 1013904223;
            k = 1 + (seed >> 24) % 40;
        }

        k = k < n - i ? k : n - i;
        r->rc = tg_probe_feed(&probe, p + i, k, take, r, &err);
    }

    r->status = probe.status;
    r->done = probe.done;
    r->keep = probe.keep;

    expect(!probe.keep || probe.done, "kept before the end");
    expect(!probe.done || probe.head, "an end without a head");
    expect(!probe.head || (probe.status >= 200 && probe.status < 600),
           "a wrong status");

    r->closed = r->rc == TG_OK ? tg_probe_closed(&probe, &err) : TG_ERROR;
}


static void
compare(const char *what)
{
    expect(whole.rc == other.rc && whole.status == other.status
           && whole.done == other.done && whole.keep == other.keep
           && whole.closed == other.closed, what);
    expect(whole.len == other.len
           && memcmp(whole.body, other.body, whole.len) == 0, what);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t     seed;
    const char  *p = (const char *) data + 2;

    if (size < 2 || size > INPUT_MAX) {
        return 0;
    }

    size -= 2;
    seed = (uint32_t) data[0] | (uint32_t) data[1] << 8;

    run(p, size, size + 1, seed, &whole);
    run(p, size, 1, seed, &other);
    compare("byte by byte");
    run(p, size, 1 + data[0] % 32, seed, &other);
    compare("in equal pieces");
    run(p, size, 0, seed, &other);
    compare("in pieces");

    return 0;
}
