/*
 * tg_desk_lines.h - which lines go to which of a server's logs, and with which
 * numbers.  The server writes them.
 */

#ifndef TG_DESK_LINES_H
#define TG_DESK_LINES_H

#include "tg_desk.h"
#include "tg_own.h"

/* Of one call; data is the server's. */
typedef struct {
    bool  (*wanted)(void *data, const tg_log_t *log);   /* by if= */

    /* Line i is to be written by tg_call_line().  slot: NULL, or where *slot is
     * not, what is to be told to tg_desk_written() once the line is safe: who
     * does that takes it, and sets *slot to NULL. */
    void  (*line)(void *data, const tg_log_t *log, unsigned i, uint64_t seq,
                  tg_ledger_slot_t **slot);
} tg_desk_writer_t;

/* A whole line, which is the caller's.  False where it was lost. */
typedef bool (*tg_desk_put_t)(const tg_log_t *log, const char *line, size_t n);

/* Of a call that is finished, once. */
void tg_desk_call_lines(tg_desk_t *desk, const tg_call_t *call,
    const tg_scope_t *scope, const tg_desk_writer_t *writer, void *data);

/* Where the line of a call goes, whatever if= says: what the call found, and
 * what came of it.  Returns how many lines there were. */
unsigned tg_desk_alert_lines(const tg_scope_t *scope, const tg_alert_t *alert,
    tg_desk_put_t put);
unsigned tg_desk_outcome_lines(const tg_scope_t *scope,
    const tg_own_outcome_t *outcome, tg_desk_put_t put);

/* Of nobody's call: to each place that one of the logs names. */
void tg_desk_late_alert_lines(tg_log_t *const *logs, size_t nlogs,
    const tg_alert_t *alert, tg_desk_put_t put);

/*
 * The line of a call whose process died, where it would have gone.  put: at once.
 * now: milliseconds since 1970.  False where it is not safe: it will be found
 * again.
 */
bool tg_desk_recovered_lines(tg_desk_t *desk, tg_log_t *const *logs,
    size_t nlogs, const tg_ledger_swept_t *call, int64_t now,
    tg_desk_put_t put);

#endif /* TG_DESK_LINES_H */
