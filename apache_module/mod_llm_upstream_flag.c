#include "mod_llm_upstream.h"

#include <dlfcn.h>

/*
 * What mod_proxy is told of servers: who is out.  The word for it is that of
 * mod_proxy_hcheck, which every lbmethod heeds.
 *
 * mod_proxy is looked up when everything is loaded: Debian loads it after us.
 */

typedef void llm_up_hook_choice_t(proxy_HOOK_pre_request_t *handler,
    const char *const *before, const char *const *after, int order);
typedef void llm_up_hook_scheme_t(proxy_HOOK_scheme_handler_t *handler,
    const char *const *before, const char *const *after, int order);


llm_up_member_t *
llm_up_member(const proxy_worker *worker)
{
    return apr_hash_get(llm_up_main->members, &worker, sizeof(worker));
}


static void
llm_up_flag_worker(proxy_worker *worker, bool out)
{
    unsigned int  *status = &worker->s->status;

    if (out && (*status & PROXY_WORKER_HC_FAIL) == 0) {
        (void) __atomic_fetch_or(status, (unsigned) PROXY_WORKER_HC_FAIL,
                                 __ATOMIC_RELAXED);

    } else if (!out && (*status & PROXY_WORKER_HC_FAIL) != 0) {
        (void) __atomic_fetch_and(status, ~(unsigned) PROXY_WORKER_HC_FAIL,
                                  __ATOMIC_RELAXED);
    }
}


/* Tells mod_proxy, and so every lbmethod, who is not to be used.  Where that
 * would be all of them, none is. */
void
llm_up_flag(llm_up_group_t *ug, int64_t now)
{
    int                 i;
    bool                any;
    proxy_worker       *worker;
    tg_backends_t      *t = llm_up_table();
    tg_backend_load_t   load;

    any = tg_group_healthy(t, ug->group);

    for (i = 0; i < ug->workers->nelts; i++) {
        worker = APR_ARRAY_IDX(ug->workers, i, proxy_worker *);
        load.usable = true;

        if (any) {
            tg_backend_load(t, llm_up_member(worker)->backend,
                            &ug->conf.check, now, &load);
        }

        llm_up_flag_worker(worker, !load.usable);
    }
}


/* What mod_proxy itself holds against a server, for retry=, is over once a
 * check that began later was good: recovery is ours to say. */
void
llm_up_recovered(const llm_up_member_t *m, apr_time_t since)
{
    int            i;
    proxy_worker  *worker;

    for (i = 0; i < m->group->workers->nelts; i++) {
        worker = APR_ARRAY_IDX(m->group->workers, i, proxy_worker *);

        if (llm_up_member(worker) == m && PROXY_WORKER_IS_ERROR(worker)
            && worker->s->error_time < since)
        {
            (void) __atomic_fetch_and(&worker->s->status,
                                      ~(unsigned) PROXY_WORKER_IN_ERROR,
                                      __ATOMIC_RELAXED);
        }
    }
}


/* Before a worker is chosen, by whatever: what is known by now. */
static int
llm_up_pre_request(proxy_worker **worker, proxy_balancer **balancer,
    request_rec *r, proxy_server_conf *conf, char **url)
{
    size_t           n;
    char             uri[PROXY_BALANCER_MAX_NAME_SIZE];
    llm_up_group_t  *ug;

    (void) worker;
    (void) r;
    (void) conf;

    if (llm_up_main->map == NULL) {
        return DECLINED;
    }

    if (*balancer != NULL) {
        ug = llm_up_group((*balancer)->s->name);

    } else {
        n = strlen(BALANCER_PREFIX);

        if (strncasecmp(*url, BALANCER_PREFIX, n) != 0) {
            return DECLINED;
        }

        n += strcspn(*url + n, "/?");
        if (n >= sizeof(uri)) {
            return DECLINED;
        }

        tg_str_lower(uri, tg_str_of(*url, n));
        uri[n] = '\0';
        ug = llm_up_group(uri);
    }

    if (ug != NULL) {
        llm_up_flag(ug, tg_backend_now());
    }

    return DECLINED;
}


/* False: mod_proxy does not have them. */
bool
llm_up_proxy_hooks(void)
{
    const char            *current = apr_hook_debug_current;
    llm_up_hook_choice_t  *choice;
    llm_up_hook_scheme_t  *scheme;

    *(void **) &choice = dlsym(RTLD_DEFAULT, "proxy_hook_pre_request");
    *(void **) &scheme = dlsym(RTLD_DEFAULT, "proxy_hook_scheme_handler");

    if (choice == NULL || scheme == NULL) {
        return false;
    }

    apr_hook_debug_current = "mod_llm_upstream.c";
    choice(llm_up_pre_request, NULL, NULL, APR_HOOK_REALLY_FIRST);
    scheme(llm_up_scheme_handler, NULL, NULL, APR_HOOK_REALLY_FIRST);
    apr_hook_debug_current = current;

    return true;
}
