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
#include "rows/groups.h"

#include <jansson.h>
#include <openssl/evp.h>

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
    groups_t                *rows;      /* seal_sum_t */
    fold_t                  *nodes;     /* seal_node_t */
    seal_sum_t               all;
    unsigned char            sum[SEAL_HASH];
    bool                     full;      /* no room for rows */
} seal_t;

extern const char *const  seal_dimensions[];    /* ends in NULL */

/* To the first. */
void seal_add(seal_sum_t *to, const seal_sum_t *from);

/* memory: for the rows, as groups_new() has it.  False: no memory. */
bool seal_init(seal_t *s, const struct tg_zone_s *zone, size_t memory);
void seal_free(seal_t *s);

void seal_want(record_want_t *want);

/* A reader_line_t; data is the seal. */
bool seal_line(void *data, const record_t *r);

/* No more lines; the nodes are in their order from here on. */
void seal_sort(seal_t *s);

/* key: the dimensions' values as a JSON array in one line.  False ends it. */
typedef bool (*seal_row_t)(void *data, const char *key,
    const seal_sum_t *sum);

/* All rows in their order, as often as wanted. False: they can't be read, or it
 * was ended. */
bool seal_each(seal_t *s, seal_row_t row, void *data);

/* Into text, of SEAL_TEXT bytes; false: as seal_each(), or no memory. */
bool seal_hash(seal_t *s, const seal_about_t *about, char *text);

/* The lines' checksum alone. */
void seal_sum(const seal_t *s, char *text);

/*
 * The same hash of what was sealed: a head, with the lines' checksum and their
 * sums, then each row's key and sums; all false where there is no memory.
 * begin: NULL likewise.  end, which takes NULL, frees it; text has SEAL_TEXT
 * bytes.
 */
EVP_MD_CTX *seal_hash_begin(void);
bool seal_hash_head(EVP_MD_CTX *ctx, const seal_about_t *about,
    tg_str_t lines_sum, const seal_sum_t *all);
bool seal_hash_sums(EVP_MD_CTX *ctx, const char *key, const seal_sum_t *sum);
bool seal_hash_end(EVP_MD_CTX *ctx, char *text);

/* Of a file, with its bytes; false with a message said. */
bool seal_hash_file(const char *file, char *text, int64_t *bytes);

#endif /* SEAL_H */
