#include "mod_llm.h"

#include "unixd.h"

#include <unistd.h>

APLOG_USE_MODULE(llm);

/*
 * Keys and ledger, from the configuration to a child's end, and what a step of
 * a call needs to look into them.
 */

bool
llm_gate(tg_gate_t *gate, const tg_price_book_t *book)
{
    tg_desk_gate(&llm_main->desk, book, llm_scratch_take(), gate);
    gate->breakers = &llm_main->shared->breakers;

    return gate->scratch != NULL;
}


void
llm_gate_end(tg_gate_t *gate)
{
    llm_scratch_give(gate->scratch);
    gate->scratch = NULL;
}


static void
llm_desk_log(void *data, tg_desk_level_t level, const char *message)
{
    static const int  levels[] = {
        [TG_DESK_ERROR] = APLOG_ERR,
        [TG_DESK_WARNING] = APLOG_WARNING,
        [TG_DESK_NOTICE] = APLOG_NOTICE
    };

    llm_main_t  *m = data;

    ap_log_error(APLOG_MARK, levels[level], 0, m->server, "%s", message);
}


/* The configuration is complete.  A test of it only looks at the ledger. */
int
llm_desk_load(llm_main_t *m)
{
    bool        test;
    tg_error_t  err;

    test = ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST;

    if (tg_desk_load(&m->desk, m->conf, &m->mem, llm_desk_log, m, &err)
        != TG_OK
        || (test && tg_desk_open(&m->desk, true, &err) != TG_OK))
    {
        ap_log_error(APLOG_MARK, APLOG_EMERG, 0, m->server, "%s", err.message);
        return HTTP_INTERNAL_SERVER_ERROR;
    }

    return OK;
}


/* In the parent, before its children: the ledger is theirs. */
int
llm_desk_open(llm_main_t *m)
{
    tg_now_t    now;
    tg_error_t  err;

    if (tg_desk_open(&m->desk, false, &err) != TG_OK) {
        ap_log_error(APLOG_MARK, APLOG_EMERG, 0, m->server, "%s", err.message);
        return HTTP_INTERNAL_SERVER_ERROR;
    }

    llm_now(&now);
    tg_desk_tally(&m->desk, &m->shared->tally, now.wall_ms);

    if (tg_desk_chown(&m->desk,
                      geteuid() == 0 ? ap_unixd_config.user_id : (uid_t) -1,
                      (gid_t) -1, &err)
        != TG_OK)
    {
        ap_log_error(APLOG_MARK, APLOG_EMERG, 0, m->server, "llm_ledger: %s",
                     err.message);
        return HTTP_INTERNAL_SERVER_ERROR;
    }

    if (tg_desk_publish(&m->desk, &err) != TG_OK) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, m->server, "%s", err.message);
    }

    return OK;
}


/* In a child, which is no longer root. */
void
llm_desk_child(llm_main_t *m)
{
    tg_now_t    now;
    tg_error_t  err;

    llm_now(&now);

    m->desk.alert = llm_log_late_alert;

    tg_desk_priced(&m->desk, llm_prices_hold());
    llm_prices_release();

    if (tg_desk_join(&m->desk, now.wall_ms, &err) != TG_OK) {
        ap_log_error(APLOG_MARK, APLOG_EMERG, 0, m->server, "%s", err.message);
    }
}


/* Once a second, in a thread that serves no request. */
void
llm_desk_tick(llm_main_t *m)
{
    tg_now_t  now;

    llm_now(&now);
    tg_desk_tick(&m->desk, now.wall_ms, llm_log_recovered, m);
}


/* Others send alerts from here on.  In a signal handler (MPM prefork) the
 * desk's lock may be held by what was interrupted. */
void
llm_desk_retire(llm_main_t *m)
{
    if (llm_lock_stopping(&m->desk.lock)) {
        (void) pthread_mutex_unlock(&m->desk.lock);
        tg_desk_retire(&m->desk);
    }
}


/*
 * All lines are written.  The ledger stays mapped until the process is gone:
 * threads that a fast stop does not wait for may still look into it.  What they
 * leave open is swept by other children, or by those of the next start.
 */
void
llm_desk_end(llm_main_t *m)
{
    tg_now_t  now;

    llm_desk_retire(m);

    if (m->desk.joined) {
        llm_now(&now);
        (void) tg_backlog_settle(&m->desk.backlog, &m->desk.ledger.ledger,
                                 now.wall_ms);
    }
}
