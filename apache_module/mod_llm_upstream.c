#include "mod_llm_upstream.h"

#include "tg_backend_map.h"

#include <unistd.h>

int  llm_up_slot = -1;


/* Others find its slot by its process number, and empty it. */
static apr_status_t
llm_up_leave(void *data)
{
    (void) data;

    if (llm_up_slot != -1) {
        tg_backends_leave(llm_up_table(), llm_up_slot);
        llm_up_slot = -1;
    }

    return APR_SUCCESS;
}


static void
llm_up_child_init(apr_pool_t *pchild, server_rec *s)
{
    llm_up_main_t  *m = llm_up_main;

    if (m == NULL || m->map == NULL || m->all->nelts == 0) {
        return;
    }

    llm_up_slot = tg_backends_join(llm_up_table(), getpid(),
                                   tg_backend_start());

    if (llm_up_slot == -1) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s, "llm: calls of this"
                     " child are not counted at their backends: there are"
                     " more than %u processes", TG_BACKEND_SLOTS);
        return;
    }

    apr_pool_cleanup_register(pchild, NULL, llm_up_leave,
                              apr_pool_cleanup_null);
    llm_up_owner_child(pchild);
}


/* Who stays for long answers checks nothing any more. */
static void
llm_up_child_stopping(apr_pool_t *pchild, int graceful)
{
    (void) pchild;
    (void) graceful;

    llm_up_owner_stop();
}


static const tg_companion_upstream_t *
llm_companion_upstream(void)
{
    return llm_up_companion();
}


static void
llm_up_register_hooks(apr_pool_t *p)
{
    static const char *const  before[] = { "mod_proxy.c",
                                           "mod_proxy_balancer.c", NULL };

    ap_hook_pre_config(llm_up_pre_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_config(llm_up_check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(llm_up_post_config, before, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(llm_up_child_init, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_stopping(llm_up_child_stopping, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_handler(llm_up_status_handler, NULL, NULL, APR_HOOK_REALLY_FIRST);

    llm_up_call_hooks(p);

    APR_REGISTER_OPTIONAL_FN(llm_companion_upstream);
}


AP_DECLARE_MODULE(llm_upstream) = {
    STANDARD20_MODULE_STUFF,
    llm_up_create_dir,
    llm_up_merge_dir,
    NULL,                       /* create server */
    NULL,                       /* merge it */
    llm_up_commands,
    llm_up_register_hooks,
    0
};
