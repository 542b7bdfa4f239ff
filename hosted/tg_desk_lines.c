#include "tg_desk_lines.h"

#include "tg_recovered.h"


void
tg_desk_call_lines(tg_desk_t *desk, const tg_call_t *call,
    const tg_scope_t *scope, const tg_desk_writer_t *writer, void *data)
{
    uint64_t           seq = 0;
    unsigned           n = tg_call_lines(call);
    const tg_log_t    *log;
    tg_ledger_slot_t   settled, *slot;

    slot = tg_call_slot(call, &settled) ? &settled : NULL;

    for (unsigned i = 0; i < scope->nlogs; i++) {
        log = &scope->logs[i];

        if (log->off || !writer->wanted(data, log)) {
            continue;
        }

        /* A gap says that a line was lost, not that it was not wanted. */

        if (seq == 0) {
            seq = tg_desk_seq(desk, n);
        }

        for (unsigned k = 0; k < n; k++) {
            writer->line(data, log, k, seq + k, k + 1 == n ? &slot : NULL);
        }
    }

    if (slot != NULL) {
        tg_desk_written(desk, slot, 1);
    }
}


unsigned
tg_desk_alert_lines(const tg_scope_t *scope, const tg_alert_t *alert,
    tg_desk_put_t put)
{
    char             line[TG_ALERT_LINE_MAX];
    unsigned         n = 0;
    const tg_log_t  *log;

    for (unsigned i = 0; i < scope->nlogs; i++) {
        log = &scope->logs[i];

        if (!log->off) {
            (void) put(log, line, tg_alert_line(alert, line, log->format));
            n++;
        }
    }

    return n;
}


unsigned
tg_desk_outcome_lines(const tg_scope_t *scope, const tg_own_outcome_t *outcome,
    tg_desk_put_t put)
{
    char             line[TG_OUTCOME_LINE_MAX];
    unsigned         n = 0;
    const tg_log_t  *log;

    for (unsigned i = 0; i < scope->nlogs; i++) {
        log = &scope->logs[i];

        if (!log->off) {
            (void) put(log, line,
                       tg_own_outcome_line(outcome, line, log->format));
            n++;
        }
    }

    return n;
}


static bool
tg_desk_log_wants(const tg_log_t *log, const tg_ledger_swept_t *call)
{
    return call == NULL || tg_recovered_wants(call, log);
}


/* Whether this log is due; not where one that is has the same place. */
static bool
tg_desk_log_due(tg_log_t *const *logs, size_t i, const tg_ledger_swept_t *call)
{
    if (!tg_desk_log_wants(logs[i], call)) {
        return false;
    }

    for (size_t k = 0; k < i; k++) {
        if (tg_str_eq(logs[k]->target, logs[i]->target)
            && tg_desk_log_wants(logs[k], call))
        {
            return false;
        }
    }

    return true;
}


void
tg_desk_late_alert_lines(tg_log_t *const *logs, size_t nlogs,
    const tg_alert_t *alert, tg_desk_put_t put)
{
    char  line[TG_ALERT_LINE_MAX];

    for (size_t i = 0; i < nlogs; i++) {
        if (tg_desk_log_due(logs, i, NULL)) {
            (void) put(logs[i], line,
                       tg_alert_line(alert, line, logs[i]->format));
        }
    }
}


bool
tg_desk_recovered_lines(tg_desk_t *desk, tg_log_t *const *logs, size_t nlogs,
    const tg_ledger_swept_t *call, int64_t now, tg_desk_put_t put)
{
    bool      safe = true;
    char      line[TG_LINE_MAX];
    size_t    n;
    uint64_t  seq = 0;

    for (size_t i = 0; i < nlogs; i++) {
        if (!tg_desk_log_due(logs, i, call)) {
            continue;
        }

        if (seq == 0) {
            seq = tg_desk_seq(desk, 1);
        }

        n = tg_recovered_line(desk->conf, call, line, seq, logs[i]->format);

        if (n != 0) {
            safe &= put(logs[i], line, n);
        }
    }

    if (safe) {
        tg_recovered_count(desk->conf, call, desk->zone, now, desk->tally);
    }

    return safe;
}


/* Of more than 64 logs some share one. */
static uint64_t
tg_desk_log_bit(unsigned log)
{
    return UINT64_C(1) << log % 64;
}


void
tg_desk_torn(tg_desk_t *desk, unsigned log)
{
    if (desk->tally != NULL) {
        (void) atomic_fetch_or(&desk->tally->torn, tg_desk_log_bit(log));
    }
}


bool
tg_desk_mends(tg_desk_t *desk, unsigned log)
{
    uint64_t  bit = tg_desk_log_bit(log);

    return desk->tally != NULL
           && (atomic_load_explicit(&desk->tally->torn, memory_order_relaxed)
               & bit) != 0
           && (atomic_fetch_and(&desk->tally->torn, ~bit) & bit) != 0;
}
