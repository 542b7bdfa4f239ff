/* What the measurements of the core's calls have in common. */

#ifndef BENCH_CORE_H
#define BENCH_CORE_H

#include "tg_call.h"
#include "tg_dialect.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define POOL  (256 * 1024)      /* what a call has of memory */

typedef struct {
    tg_directive_id_t  id;
    const char        *args[3];
} bench_directive_t;

typedef struct {
    tg_conf_t        *conf;
    tg_scope_t        scope;
    tg_price_book_t  *book;
    tg_id_source_t    ids;
    tg_mem_t          mem;
    size_t            used;
    char              pool[POOL];
    char              line[TG_LINE_MAX];
    tg_str_t          body;     /* of the call, in one piece */
    uint64_t          seq;
    uint64_t          sum;      /* of lengths, so that nothing is left out */
} bench_t;


static void *
bench_alloc(void *data, size_t size)
{
    bench_t  *b = data;
    void     *p;

    size = (size + 15) & ~(size_t) 15;
    if (size > POOL - b->used) {
        return NULL;
    }

    p = b->pool + b->used;
    b->used += size;

    return p;
}


static tg_str_t
bench_header(void *req, tg_str_t name)
{
    (void) req;

    return tg_str_eq(name, tg_str("x-team")) ? tg_str("search") : tg_str_null;
}


static tg_str_t
bench_variable(void *req, uintptr_t handle)
{
    (void) req;
    (void) handle;

    return tg_str_null;
}


static int
bench_body(void *req, tg_str_t *body)
{
    bench_t  *b = req;

    *body = b->body;

    return TG_OK;
}


static int
bench_out(void *data, const char *p, size_t n)
{
    bench_t  *b = data;

    (void) p;
    b->sum += n;

    return 0;
}


static _Noreturn void
bench_fail(const char *what)
{
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}


/* With the rest of the configuration; the list ends with an empty word. */
static void
bench_begin(bench_t *b, const bench_directive_t *list)
{
    tg_str_t             args[3];
    unsigned             n;
    tg_error_t           err;
    tg_scope_t           above;
    tg_arena_t          *arena = tg_arena_create(0);
    const unsigned char  seed[32] = "any seed will do for this";

    if (arena == NULL) {
        bench_fail("out of memory");
    }

    b->conf = tg_conf_create(tg_arena_mem(arena));
    tg_scope_init(&b->scope);
    tg_scope_init(&above);
    tg_id_seed(&b->ids, seed);
    b->mem.alloc = bench_alloc;
    b->mem.pool = b;

    for ( ; list->args[0] != NULL; list++) {
        for (n = 0; n < 3 && list->args[n] != NULL; n++) {
            args[n] = tg_strz(list->args[n]);
        }

        if (tg_conf_directive(b->conf, &b->scope, list->id, args, n, &err)
            != TG_OK)
        {
            bench_fail(err.message);
        }
    }

    tg_scope_merge(&above, &b->scope);
    b->conf->node = tg_str("node");
    b->conf->prefix.ready = true;       /* as the server does */

    if (tg_conf_finish(b->conf, &err) != TG_OK) {
        bench_fail(err.message);
    }
}


/* What all of a process's calls look into. */
static tg_price_book_t *
bench_prices(const char *name)
{
    FILE             *f = fopen(name, "r");
    char             *text = malloc(1 << 24);
    size_t            n;
    tg_error_t        err;
    tg_price_book_t  *book = tg_price_book_create();

    if (f == NULL || text == NULL) {
        bench_fail(name);
    }

    n = fread(text, 1, 1 << 24, f);
    fclose(f);

    if (book == NULL
        || tg_price_book_add(book, tg_strz(name), tg_str_of(text, n), &err)
           != TG_OK)
    {
        bench_fail(err.message);
    }

    free(text);

    return book;
}


static tg_call_t *
bench_create(bench_t *b, const tg_now_t *now)
{
    static const tg_host_t  host = { bench_header, bench_variable,
                                      bench_body };
    tg_call_head_t          head = {
        .method = tg_str("POST"),
        .path = tg_str("/v1/chat/completions"),
        .upstream = tg_str("api.openai.com"),
        .content_type = tg_str("application/json"),
        .client = tg_str("127.0.0.1")
    };
    tg_call_t  *call;

    b->used = 0;
    call = tg_call_create(&b->mem, b->conf, &b->scope, &host, b, &head,
                          &b->ids, now);
    if (call == NULL) {
        bench_fail("out of memory");
    }

    return call;
}


static double
bench_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);

    return (double) ts.tv_sec * 1e9 + (double) ts.tv_nsec;
}


static int
bench_compare(const void *a, const void *b)
{
    double  x = *(const double *) a, y = *(const double *) b;

    return (x > y) - (x < y);
}


static double
bench_median(double *v, size_t n)
{
    qsort(v, n, sizeof(double), bench_compare);

    return v[n / 2];
}

#endif /* BENCH_CORE_H */
