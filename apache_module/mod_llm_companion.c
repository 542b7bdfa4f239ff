#include "mod_llm.h"

#include "apr_optional.h"

APLOG_USE_MODULE(llm);

/*
 * The upstream module, if it is loaded, too: each finds the other by an optional
 * function.  What they tell each other is in tg_companion.h.
 */

APR_DECLARE_OPTIONAL_FN(const tg_companion_meter_t *, llm_companion_meter,
                        (void));
APR_DECLARE_OPTIONAL_FN(const tg_companion_upstream_t *,
                        llm_companion_upstream, (void));


static bool
llm_ask(void *data, bool prefixes, tg_balance_ask_t *ask)
{
    bool          metered = false;
    tg_gate_t     gate;
    llm_ctx_t    *ctx;

    ctx = llm_main == NULL || !llm_main->enabled ? NULL : llm_get_ctx(data);

    if (ctx == NULL) {
        return false;
    }

    (void) pthread_mutex_lock(&ctx->lock);

    if (llm_gate(&gate, NULL) && ctx->open) {
        metered = tg_call_ask(ctx->call, &gate, prefixes, ask);
    }

    llm_gate_end(&gate);

    (void) pthread_mutex_unlock(&ctx->lock);

    return metered;
}


static const tg_companion_meter_t  llm_meter = {
    TG_COMPANION_VERSION,
    llm_ask
};


static const tg_companion_meter_t *
llm_companion_meter(void)
{
    return &llm_meter;
}


void
llm_companion_register(void)
{
    APR_REGISTER_OPTIONAL_FN(llm_companion_meter);
}


/* After the last directive. */
void
llm_companion_find(llm_main_t *m)
{
    APR_OPTIONAL_FN_TYPE(llm_companion_upstream)  *upstream;

    upstream = APR_RETRIEVE_OPTIONAL_FN(llm_companion_upstream);

    if (!tg_conf_companion(m->conf, upstream != NULL ? upstream() : NULL)) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, m->server,
                     "llm: mod_llm_upstream is of another version than"
                     " mod_llm, and is not asked");
    }
}
