/*
 * tg_recovered.h - the line of a call whose process died before it was written.
 *
 * What such a line needs is kept in the call's slot of the ledger: enough to say
 * who called what, when, and what it cost.  A call that died while it was under
 * way is billed what it held.
 */

#ifndef TG_RECOVERED_H
#define TG_RECOVERED_H

#include "tg_call.h"

/* Writes the slot's bytes for a call as it is now, at most TG_LEDGER_BLOB_MAX;
 * returns how many.  Texts are cut where there are too many of them. */
size_t tg_recovered_pack(const tg_call_t *call, unsigned char *blob);

/* The same bytes, of the same call when it is over. */
void tg_recovered_repack(const tg_call_t *call, unsigned char *blob);

/* What tg_recovered_pack() knows a log by: never 0. */
uint16_t tg_recovered_log(tg_str_t target);

/*
 * Writes the line of a call that tg_ledger_sweep() found, with its newline, into
 * buf of TG_LINE_MAX bytes, and returns its length; 0 where the blob is none
 * of tg_recovered_pack()'s.  event.id is that of the line which may have been
 * written.
 */
size_t tg_recovered_line(const tg_conf_t *conf, const tg_ledger_swept_t *call,
    char *buf, uint64_t seq, tg_log_format_t format);

/* Counts it, where it had not come to its end: else it was counted then.
 * zone: the ledger's; now: milliseconds since 1970. */
void tg_recovered_count(const tg_conf_t *conf, const tg_ledger_swept_t *call,
    const tg_zone_t *zone, int64_t now, tg_tally_t *tally);

/* Whether the call's line was for this log, or another one of that name. */
bool tg_recovered_wants(const tg_ledger_swept_t *call, const tg_log_t *log);

#endif /* TG_RECOVERED_H */
