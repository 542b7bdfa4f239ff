/*
 * commit_file.h - what was committed to: provisioned throughput, scale tiers,
 * reserved capacity, by the hour.
 *
 *   {"commitments": [{"id": "ptu-eu", "vendor": "azure.ai.openai",
 *     "model": "gpt-4o*", "tier": "scale", "usd_per_hour": "12.50",
 *     "tokens_per_minute": 50000, "from": "2026-10-01",
 *     "until": "2027-10-01"}]}
 *
 * id and usd_per_hour are required.  A line belongs to the first whose vendor,
 * provider (llm_provider), model and tier, where they are told, are the line's.
 */

#ifndef COMMIT_FILE_H
#define COMMIT_FILE_H

#include "line/record.h"

#include <jansson.h>

#define COMMITMENTS_MAX  256

typedef struct {
    tg_str_t  id;
    tg_str_t  vendor, provider, model, tier;    /* "": any; "*" at the end */
    int64_t   per_hour;                 /* nano-dollars */
    int64_t   per_minute;               /* tokens; 0: not told */
    int64_t   from, until;              /* INT64_MIN, INT64_MAX: not told */
} commitment_t;

typedef struct {
    unsigned      n;
    commitment_t  list[COMMITMENTS_MAX];
    json_t       *json;                 /* whose strings they are */
} commitments_t;

/* False with a message said. */
bool commitments_read(commitments_t *c, const char *file);
void commitments_free(commitments_t *c);

/* The one that the line belongs to; NULL: none. */
const commitment_t *commitment_of(const commitments_t *c, const record_t *r);

/* What it looks at. */
void commitment_want(record_want_t *want);

#endif /* COMMIT_FILE_H */
