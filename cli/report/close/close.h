/*
 * close.h - a sealed period's manifest.
 */

#ifndef CLOSE_H
#define CLOSE_H

#include "manifest.h"
#include "seal.h"
#include "kind/report.h"

typedef struct {
    report_options_t   o;
    const char        *period;          /* "2026-10", "2026-10-31" */
    const char        *zone;            /* its name */
    const char        *previous;        /* the manifest before; NULL */
    const char        *verify;          /* a manifest; NULL */
    tg_str_t           previous_period, previous_hash;
    manifest_t        *manifest;        /* of verify */
    manifest_t        *before;          /* of previous */
    int64_t            since, until;
    seal_t             seal;
    reader_stats_t     stats;
    char               hash[SEAL_TEXT];
} close_t;

/* False with a message said. */
bool manifest_write(close_t *c, FILE *to);

/* Prints what differs between the manifest and the seal. Returns the exit
 * code. */
int close_compare(close_t *c);

#endif /* CLOSE_H */
