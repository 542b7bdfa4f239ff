/* The arguments of llm_log. */

#include "tg_conf_int.h"
#include "tg_recovered.h"


static int
tg_conf_log_param(tg_log_t *log, tg_str_t arg, tg_error_t *err)
{
    tg_str_t  v;
    int64_t   n;

    if (tg_conf_param(arg, "format", &v)) {

        if (tg_str_eq(v, tg_str("json"))) {
            log->format = TG_LOG_JSON;

        } else if (tg_str_eq(v, tg_str("underscore"))) {
            log->format = TG_LOG_UNDERSCORE;

        } else {
            return tg_error(err, 0, 0, "format= takes json or underscore, not"
                            " \"%.*s\"", TG_ARG(v));
        }

        return TG_OK;
    }

    if (tg_conf_param(arg, "buffer", &v)) {
        n = tg_conf_size(v);
        if (n < 64 * 1024 || n > 64 * 1024 * 1024) {
            return tg_error(err, 0, 0, "buffer= takes a size from 64k to 64m,"
                            " not \"%.*s\"", TG_ARG(v));
        }
        log->buffer = (size_t) n;
        log->own_buffer = true;
        return TG_OK;
    }

    if (tg_conf_param(arg, "flush", &v)) {
        n = tg_conf_time(v);
        if (n < 0 || n > 60 * 1000) {
            return tg_error(err, 0, 0, "flush= takes a time up to 1m, not"
                            " \"%.*s\"", TG_ARG(v));
        }
        log->flush_ms = n;
        log->own_flush = true;
        return TG_OK;
    }

    if (tg_conf_param(arg, "if", &v) && v.len != 0) {
        log->condition = v;
        return TG_OK;
    }

    return tg_conf_unknown_param(arg, "format=, buffer=, flush=, if=", err);
}


int
tg_conf_log(tg_conf_t *conf, tg_scope_t *scope, const tg_str_t *args,
    unsigned nargs, tg_error_t *err)
{
    tg_log_t  *log;

    if (scope->logs == NULL) {
        scope->logs = tg_zalloc(conf->mem, TG_LOGS_MAX * sizeof(tg_log_t));
        if (scope->logs == NULL) {
            return tg_error(err, 0, 0, "no memory");
        }
    }

    if (scope->nlogs == TG_LOGS_MAX) {
        return tg_error(err, 0, 0, "more than %d of them here", TG_LOGS_MAX);
    }

    log = &scope->logs[scope->nlogs];

    if (tg_str_eq(args[0], tg_str("off"))) {
        if (nargs != 1 || scope->nlogs != 0) {
            return tg_error(err, 0, 0, "\"off\" stands alone");
        }
        log->off = true;

    } else if (scope->nlogs != 0 && scope->logs[0].off) {
        return tg_error(err, 0, 0, "\"off\" stands alone");

    } else if (args[0].len == 0) {
        return tg_error(err, 0, 0, "has an empty file name");
    }

    log->target = tg_dup(conf->mem, args[0]);
    log->id = tg_recovered_log(log->target);
    log->buffer = 64 * 1024;
    log->flush_ms = 1000;

    for (unsigned i = 1; i < nargs; i++) {
        if (tg_conf_log_param(log, args[i], err) != TG_OK) {
            return TG_ERROR;
        }
    }

    if (tg_str_starts(log->target, tg_str("syslog:"))
        && (log->own_buffer || log->own_flush))
    {
        return tg_error(err, 0, 0, "buffer= and flush= are for files: syslog"
                        " gets each line by itself");
    }

    log->condition = tg_dup(conf->mem, log->condition);
    log->here = scope->logs;
    *conf->logs_end = log;
    conf->logs_end = &log->next;
    scope->nlogs++;
    conf->nlogs++;

    return TG_OK;
}


/* Two that name one place; `first` is the one that was first. */
static int
tg_conf_log_pair(const tg_log_t *first, const tg_log_t *log, tg_error_t *err)
{
    if (first->here == log->here
        && (first->condition.len == 0 || log->condition.len == 0
            || tg_str_eq(first->condition, log->condition)))
    {
        return tg_error(err, 0, 0, "llm_log (LLMLog) \"%.*s\" is given twice"
                        " in one place: each line would be there twice",
                        TG_ARG(log->target));
    }

    if ((log->own_buffer && log->buffer != first->buffer)
        || (log->own_flush && log->flush_ms != first->flush_ms))
    {
        return tg_error(err, 0, 0, "llm_log (LLMLog) \"%.*s\": the buffer= and"
                        " flush= of a file are those of the first that names"
                        " it", TG_ARG(log->target));
    }

    return TG_OK;
}


int
tg_conf_finish_logs(tg_conf_t *conf, tg_error_t *err)
{
    const tg_log_t  *log, *first;

    for (log = conf->logs; log != NULL; log = log->next) {
        for (first = conf->logs; first != log; first = first->next) {
            if (tg_str_eq(first->target, log->target) && !log->off
                && tg_conf_log_pair(first, log, err) != TG_OK)
            {
                return TG_ERROR;
            }
        }
    }

    return TG_OK;
}
