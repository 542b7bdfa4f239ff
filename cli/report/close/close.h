/*
 * close.h - a sealed period's manifest.
 */

#ifndef CLOSE_H
#define CLOSE_H

#include "seal.h"
#include "kind/report.h"

typedef struct {
    report_options_t   o;
    const char        *period;          /* "2026-10", "2026-10-31" */
    const char        *zone;            /* its name */
    const char        *previous;        /* the manifest before; NULL */
    const char        *verify;          /* a manifest; NULL */
    tg_str_t           previous_period, previous_hash;
    json_t            *manifest;        /* of verify */
    json_t            *before;          /* of previous */
    int64_t            since, until;
    seal_t             seal;
    reader_stats_t     stats;
    char               hash[SEAL_TEXT];
} close_t;

/* NULL with a message said: it is no manifest. */
json_t *manifest_read(const char *file);

/* False with a message said. */
bool manifest_write(close_t *c, FILE *to);

/* What its own rows come to; "" where there is no memory. */
bool manifest_sound(const json_t *manifest, char *text);

/* The file's SHA-256; false with a message said. */
bool file_hash(const char *file, char *text, int64_t *bytes);

/* Prints what differs between the manifest and the seal. Returns the exit
 * code. */
int close_compare(close_t *c);

#endif /* CLOSE_H */
