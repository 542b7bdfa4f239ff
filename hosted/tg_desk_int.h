/*
 * tg_desk_int.h - what a desk does each second, in the files that know how.
 */

#ifndef TG_DESK_INT_H
#define TG_DESK_INT_H

#include "tg_desk.h"

/* tg_desk.c: of the ledger, in the log; said once, not each second. */
void tg_desk_complain(tg_desk_t *desk, const tg_error_t *err);

/* tg_desk_tally.c: does without one that was cut short; takes this process's
 * place; calls in flight in all of them. */
void tg_desk_tally_look(tg_desk_t *desk);
void tg_desk_tally_join(tg_desk_t *desk);
int64_t tg_desk_in_flight(tg_desk_t *desk);

/* tg_desk_files.c: reads what has changed. New keys are not reserved yet. */
void tg_desk_tick_keys(tg_desk_t *desk);
void tg_desk_tick_geoip(tg_desk_t *desk);

/* tg_desk_alert.c: opens the spool and starts its thread, where there is an
 * llm_alert; TG_OK, TG_ERROR.  Looks for alerts that nobody has confirmed. */
int tg_desk_start_alerts(tg_desk_t *desk, tg_error_t *err);
void tg_desk_tick_alerts(tg_desk_t *desk, int64_t now);

#endif /* TG_DESK_INT_H */
