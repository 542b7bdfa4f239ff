/*
 * tg_rfc3339.h - points in time as people write them.
 */

#ifndef TG_RFC3339_H
#define TG_RFC3339_H

#include "tg_str.h"

/*
 * Milliseconds since 1970 in UTC of an RFC 3339 date-time
 * ("2026-12-31T23:59:59Z", "2026-12-31 23:59:59.5+01:00"), -1 where s is none,
 * or lies before 1970.  The offset is required; digits past the millisecond are
 * dropped; a leap second is the first one of the next minute.
 */
int64_t tg_rfc3339_parse(tg_str_t s);

#endif /* TG_RFC3339_H */
