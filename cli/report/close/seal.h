/*
 * seal.h - what a period's cost lines come to, and a hash of it that does not
 * depend on the files they are in, nor on their order.
 *
 * Into it goes what a line says of money: event.id, time, who, which model
 * asked for, what it cost.  The rest is left out: of two lines with one
 * event.id, which count once, either may have been read first.
 */

#ifndef SEAL_H
#define SEAL_H

#include "reading/reader.h"
#include "rows/fold.h"

#include <jansson.h>

#define SEAL_HASH   32
#define SEAL_TEXT   (2 * SEAL_HASH + 1)

typedef struct {
    int64_t  lines;
    int64_t  calls;
    int64_t  nusd;
} seal_sum_t;

/* Of a node. */
typedef struct {
    int64_t  lines;
    int64_t  first, last;               /* llm.seq */
} seal_node_t;

typedef struct {
    const tg_str_t  *period;            /* "2026-10" */
    const tg_str_t  *zone;              /* its name */
    const tg_str_t  *previous;          /* hash of the period before; "" */
    int64_t          since, until;
} seal_about_t;

typedef struct {
    const struct tg_zone_s  *zone;
    int64_t                  day, next; /* of the line before */
    fold_t                  *rows;      /* seal_sum_t */
    fold_t                  *nodes;     /* seal_node_t */
    seal_sum_t               all;
    unsigned char            sum[SEAL_HASH];
} seal_t;

extern const char *const  seal_dimensions[];    /* ends in NULL */

/* False: no memory. */
bool seal_init(seal_t *s, const struct tg_zone_s *zone);
void seal_free(seal_t *s);

void seal_want(record_want_t *want);

/* A reader_line_t; data is the seal. */
bool seal_line(void *data, const record_t *r);

/* No more lines; the rows are in their order from here on. */
void seal_sort(seal_t *s);

/* The dimensions' values as a JSON array in one line; malloc()ed, NULL: no
 * memory. */
char *seal_row(const seal_t *s, size_t i, seal_sum_t *sum);

/* Into text, of SEAL_TEXT bytes; false: no memory. */
bool seal_hash(const seal_t *s, const seal_about_t *about, char *text);

/* The lines' checksum alone. */
void seal_sum(const seal_t *s, char *text);

#endif /* SEAL_H */
