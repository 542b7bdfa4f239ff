/*
 * llmctl_time.h - points in time as the ledger's clocks show them.
 */

#ifndef LLMCTL_TIME_H
#define LLMCTL_TIME_H

#include "tg_window.h"

#include <jansson.h>

#define WHEN_SIZE  40

/* "2026-01-31 09:00:00 +01:00"; TG_WINDOW_NEVER is "never".  Returns buf. */
const char *when_text(char *buf, const tg_zone_t *zone, int64_t ms);

/* RFC 3339 in UTC; null of TG_WINDOW_NEVER, and before 1970. */
json_t *when_json(int64_t ms);

/*
 * "09:00" (the next one), "2026-01-31", "2026-01-31T09:00" by the zone's
 * clocks, the same with an offset or Z, "1h30m" from now on, "never".  -1 where
 * it is none of these, or has passed.
 */
int64_t when_parse(const char *s, const tg_zone_t *zone, int64_t now);

/*
 * "2026-01-31", "2026-01-31T09:00" by the zone's clocks, the same with an
 * offset or Z; "7d" or "12h" before now; "now", and the beginning of "today",
 * "yesterday", "week", "month", "last-month".  -1 where it is none of these.
 */
int64_t when_past(const char *s, const tg_zone_t *zone, int64_t now);

#endif /* LLMCTL_TIME_H */
