/*
 * fold.h - what lines add up to, by keys of several parts.
 *
 * Memory is capped: FOLD_KEYS_MAX keys, FOLD_BYTES_MAX bytes.
 */

#ifndef FOLD_H
#define FOLD_H

#include "tg_str.h"

#include <stdbool.h>
#include <stdint.h>

#define FOLD_KEYS_MAX   1000000
#define FOLD_BYTES_MAX  ((size_t) 160 * 1024 * 1024)

typedef struct fold_s  fold_t;

/* What is left of a key, to be read in the order in which it was made. */
typedef struct {
    const unsigned char  *p;
    const unsigned char  *end;
} fold_key_t;

/* value: bytes of what is kept of each key.  NULL: no memory. */
fold_t *fold_new(size_t value);
void fold_free(fold_t *f);

/* A key begins, and its parts.  Keys are in order by their first part, then by
 * the second and so on: numbers by size, strings by bytes. */
void fold_key(fold_t *f);
void fold_int(fold_t *f, int64_t v);
void fold_str(fold_t *f, tg_str_t s);

/* The value of the key that was made, zeros where it is new.  NULL: there are
 * too many of them; fold_failed() then. */
void *fold_value(fold_t *f);
bool fold_failed(const fold_t *f);

size_t fold_count(const fold_t *f);

/* Puts them in the keys' order; before fold_at().  No more keys after it. */
void fold_sort(fold_t *f);
void *fold_at(const fold_t *f, size_t i, fold_key_t *key);

int64_t fold_next_int(fold_key_t *key);

/* buf: of `size` bytes; longer ones are cut. */
tg_str_t fold_next_str(fold_key_t *key, char *buf, size_t size);

/* Says on stderr that there were too many, and what to do.  Returns 1. */
int fold_too_many(const char *what);

#endif /* FOLD_H */
