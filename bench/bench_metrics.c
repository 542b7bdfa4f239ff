/*
 * bench_metrics.c - llm_status' page for Prometheus at its cap.
 *
 * A million sets of labels are made up, as clients could do it; then the page is
 * written.  Prints what counting one of them takes, how long the page is, and
 * how long it takes.
 */

#define _GNU_SOURCE

#include "tg_tally.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS  15
#define SETS    1000000


static tg_tally_t  tally;


/* Nanoseconds. */
static double
bench_now(void)
{
    struct timespec  t;

    (void) clock_gettime(CLOCK_MONOTONIC, &t);

    return (double) t.tv_sec * 1e9 + (double) t.tv_nsec;
}


static int
bench_order(const void *a, const void *b)
{
    return (*(const double *) a > *(const double *) b)
           - (*(const double *) a < *(const double *) b);
}


static void
bench_count(unsigned n)
{
    char          team[32], model[32];
    tg_labels_t   l;
    tg_counted_t  c = { .labels = &l, .cost = 1000, .list = 2000 };

    (void) snprintf(team, sizeof(team), "team-%u", n);
    (void) snprintf(model, sizeof(model), "model-%u", n % 1000);

    tg_labels_init(&l);
    tg_labels_add(&l, tg_str("provider"), tg_str("openai"));
    tg_labels_add(&l, tg_str("model"), tg_strz(model));
    tg_labels_add(&l, tg_str("team"), tg_strz(team));
    c.tokens[TG_TOKENS_INPUT] = 100;
    c.tokens[TG_TOKENS_OUTPUT] = 50;
    tg_metrics_count(&tally.metrics, TG_METRIC_SERIES, &c);

    l.n = 2;
    tg_metrics_speed(&tally.metrics, &l, 500000000, 2000000000, NULL);
}


static int
bench_page_out(void *data, const char *p, size_t n)
{
    size_t  *size = data;

    (void) p;
    *size += n;

    return 0;
}


int
main(void)
{
    size_t     size = 0;
    double     took[ROUNDS], start = bench_now(), counted;
    tg_page_t  pg;

    for (unsigned i = 0; i < SETS; i++) {
        bench_count(i);
    }

    counted = (bench_now() - start) / SETS;

    for (int i = 0; i < ROUNDS; i++) {
        size = 0;
        start = bench_now();
        tg_page_init(&pg, bench_page_out, &size);
        pg.openmetrics = true;
        tg_metrics_text(&tally.metrics, &pg);

        if (tg_page_end(&pg) != TG_OK) {
            (void) fprintf(stderr, "bench: the page could not be written\n");
            return 1;
        }

        took[i] = (bench_now() - start) / 1e6;
    }

    qsort(took, ROUNDS, sizeof(double), bench_order);

    printf("bench metrics_made_up %.0f ns/call\n", counted);
    printf("bench metrics_series %u of %d made up\n",
           (unsigned) atomic_load(&tally.metrics.nseries), SETS);
    printf("bench metrics_page %zu bytes\n", size);
    printf("bench metrics_page_time %.2f ms\n", took[ROUNDS / 2]);

    return 0;
}
