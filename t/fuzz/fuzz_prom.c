/*
 * Metrics pages: any split gives what the whole gives, to the samples, the
 * engines' facts and the GPUs'; a value is what strtod() makes of it.  The
 * first byte of the input chooses the split, the second the engine.
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tg_dcgm.h"

#define INPUT_MAX  8192
#define BYTES_MAX  1024         /* fed one by one */

typedef struct {
    uint64_t  n, bad;
    uint64_t  hash;             /* of the samples, in their order */
} fuzz_seen_t;

typedef struct {
    fuzz_seen_t        all, some;
    int                engine, gpus;    /* what their ends returned */
    tg_engine_facts_t  facts;
    tg_gpu_facts_t     gpu;
} fuzz_result_t;


static void
expect(bool ok, const char *what)
{
    if (!ok) {
        (void) fprintf(stderr, "fuzz_prom: %s\n", what);
        abort();
    }
}


static void
mix(fuzz_seen_t *seen, const void *p, size_t n)
{
    const unsigned char  *s = p;

    for (size_t i = 0; i < n; i++) {
        seen->hash = (seen->hash ^ s[i]) * UINT64_C(1099511628211);
    }
}


static void
sample(void *data, const tg_prom_sample_t *s)
{
    char         buf[64];
    tg_str_t     v;
    fuzz_seen_t *seen = data;
    uint64_t     bits;

    expect(s->name.len != 0, "a sample without a name");

    seen->n++;
    mix(seen, s->name.p, s->name.len);
    mix(seen, s->labels.p, s->labels.len);

    if (isnan(s->value)) {
        bits = 1;

    } else {
        memcpy(&bits, &s->value, sizeof(bits));
    }

    mix(seen, &bits, sizeof(bits));

    if (tg_prom_label(s->labels, tg_str("le"), buf, sizeof(buf), &v)) {
        expect(v.len <= sizeof(buf) && v.len <= s->labels.len, "a long label");
        mix(seen, v.p, v.len);
    }
}


static bool
wanted(void *data, const char *p)
{
    (void) data;

    return (p[0] ^ p[TG_PROM_HEAD - 1]) % 2 == 0;
}


static size_t
piece(size_t step, size_t left, uint32_t *seed)
{
    if (step == 0) {
        *seed = *seed * 1664525 + 1013904223;
        step = 1 + (*seed >> 24);
    }

    return step < left ? step : left;
}


static void
run(const char *p, size_t n, size_t step, uint32_t seed, tg_engine_t engine,
    fuzz_result_t *r)
{
    size_t                   i, k;
    static tg_prom_t         all, some;
    static tg_dcgm_read_t    dr;
    static tg_engine_read_t  er;
    const tg_dcgm_conf_t     dc = { .ngpus = seed % 2, .gpu = { 0 },
                                     .server = TG_STR("gpu-a") };

    memset(r, 0, sizeof(*r));
    tg_prom_init(&all, sample, NULL, &r->all);
    tg_prom_init(&some, sample, wanted, &r->some);
    tg_engine_begin(&er, engine);
    tg_dcgm_begin(&dr, &dc);

    for (i = 0; i < n; i += k) {
        k = piece(step, n - i, &seed);

        expect(tg_prom_feed(&all, p + i, k) == TG_OK
               && tg_prom_feed(&some, p + i, k) == TG_OK
               && tg_engine_feed(&er, p + i, k) == TG_OK
               && tg_dcgm_feed(&dr, p + i, k) == TG_OK, "feed failed");
    }

    expect(tg_prom_end(&all) == tg_prom_end(&some), "ends differ");
    expect(all.samples == r->all.n && some.samples == r->some.n, "miscounted");
    expect(some.samples <= all.samples, "more than all");
    expect(all.bytes == n, "wrong bytes");

    r->all.bad = all.bad;
    r->some.bad = some.bad;
    r->engine = tg_engine_end(&er, &r->facts, NULL);
    r->gpus = tg_dcgm_end(&dr, &r->gpu, NULL);

    for (i = 0; i < TG_FACTS; i++) {
        expect(r->facts.value[i] >= 0, "a fact below 0");
    }
}


/* The input as a number, if it is one as strtod() sees it, too. */

static void
number_sample(void *data, const tg_prom_sample_t *s)
{
    *(double *) data = s->value;
}


static void
check_number(const char *p, size_t n)
{
    char              line[80] = "x ", *end;
    double            got = -12345, want;
    static tg_prom_t  pr;

    if (n == 0 || n > 60 || strspn(p, "0123456789.eE+-") < n) {
        return;
    }

    memcpy(line + 2, p, n);
    line[2 + n] = '\0';

    tg_prom_init(&pr, number_sample, NULL, &got);
    (void) tg_prom_feed(&pr, line, n + 2);
    (void) tg_prom_end(&pr);

    want = strtod(line + 2, &end);

    expect((pr.samples == 1) == (end == line + 2 + n), "not the same numbers");

    if (pr.samples == 1 && fabs(want) > 1e-290 && fabs(want) < 1e290) {
        expect(fabs(got - want) <= fabs(want) * 1e-12, "another value");
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char           text[64];
    size_t         len;
    const char    *p = (const char *) data + 2;
    tg_engine_t    engine;
    fuzz_result_t  whole, other;

    if (size < 2 || size > INPUT_MAX) {
        return 0;
    }

    size -= 2;
    engine = (tg_engine_t) (data[1] % TG_ENGINES);

    run(p, size, size + 1, data[0], engine, &whole);

    if (size <= BYTES_MAX) {
        run(p, size, 1, data[0], engine, &other);
        expect(memcmp(&whole, &other, sizeof(whole)) == 0, "byte by byte");
    }

    run(p, size, 8 + data[0] % 80, data[0], engine, &other);
    expect(memcmp(&whole, &other, sizeof(whole)) == 0, "in equal pieces");
    run(p, size, 0, data[0], engine, &other);
    expect(memcmp(&whole, &other, sizeof(whole)) == 0, "in pieces");

    len = size < sizeof(text) - 1 ? size : sizeof(text) - 1;
    memcpy(text, p, len);
    text[len] = '\0';
    check_number(text, len);

    return 0;
}
