#include "mod_llm.h"

#include "mod_proxy.h"

#include <dlfcn.h>

APLOG_USE_MODULE(llm);

/*
 * The providers, as mod_proxy knows what it goes to: a worker each, in each
 * virtual host that may choose among them; or a balancer of the administrator's
 * own, by the provider's host name.
 *
 * mod_proxy is looked up when everything is loaded: Debian loads it after us.
 */

/* An answer that is no stream begins when the model has thought to its end. */
#define LLM_WORKER_TIMEOUT  apr_time_from_sec(600)
#define LLM_WORKER_CONNECT  apr_time_from_sec(5)

typedef proxy_worker *llm_get_worker_t(apr_pool_t *p, proxy_balancer *balancer,
    proxy_server_conf *conf, const char *url);
typedef char *llm_define_worker_t(apr_pool_t *p, proxy_worker **worker,
    proxy_balancer *balancer, proxy_server_conf *conf, const char *url,
    int do_malloc);
typedef proxy_balancer *llm_get_balancer_t(apr_pool_t *p,
    proxy_server_conf *conf, const char *url, int active);

/* What mod_proxy exports. */
typedef struct {
    module               *module;
    llm_get_worker_t     *get_worker;
    llm_define_worker_t  *define_worker;
    llm_get_balancer_t   *get_balancer;
} llm_proxy_t;

/* Of a virtual host. */
typedef struct {
    bool      passes;           /* LLMPass On is said in it */
    uint64_t  balances;         /* bit: a provider's index */
} llm_server_t;

#if TG_PROVIDERS_MAX > 64
#error "a bit for each provider"
#endif


void *
llm_create_server(apr_pool_t *p, server_rec *s)
{
    (void) s;

    return apr_pcalloc(p, sizeof(llm_server_t));
}


static llm_server_t *
llm_server(server_rec *s)
{
    return ap_get_module_config(s->module_config, &llm_module);
}


void
llm_worker_declare(server_rec *s)
{
    llm_server(s)->passes = true;
    llm_main->passes = 1;
}


/* What the main server says holds in all. */
static bool
llm_server_passes(server_rec *s)
{
    return llm_server(s)->passes || llm_server(llm_main->server)->passes;
}


bool
llm_worker_balances(server_rec *s, unsigned provider)
{
    return (llm_server(s)->balances >> provider & 1) != 0;
}


static bool
llm_proxy_find(llm_proxy_t *proxy)
{
    proxy->module = ap_find_linked_module("mod_proxy.c");

    *(void **) &proxy->get_worker = dlsym(RTLD_DEFAULT, "ap_proxy_get_worker");
    *(void **) &proxy->define_worker = dlsym(RTLD_DEFAULT,
                                             "ap_proxy_define_worker");
    *(void **) &proxy->get_balancer = dlsym(RTLD_DEFAULT,
                                            "ap_proxy_get_balancer");

    return proxy->module != NULL && proxy->get_worker != NULL
           && proxy->define_worker != NULL && proxy->get_balancer != NULL;
}


/* NULL, or what is wrong.  A worker of the administrator's own stays so. */
static const char *
llm_worker_add(const llm_proxy_t *proxy, apr_pool_t *p, server_rec *s,
    unsigned provider)
{
    const char           *url, *error, *authority;
    proxy_worker         *w;
    proxy_server_conf    *conf;
    const tg_provider_t  *to = &llm_main->conf->providers[provider];

    conf = ap_get_module_config(s->module_config, proxy->module);
    authority = apr_pstrmemdup(p, to->authority.p, to->authority.len);

    if (proxy->get_balancer(p, conf,
                            apr_pstrcat(p, "balancer://", authority, NULL), 0)
        != NULL)
    {
        llm_server(s)->balances |= (uint64_t) 1 << provider;
        return NULL;
    }

    url = apr_pstrcat(p, to->https ? "https://" : "http://", authority, NULL);

    if (proxy->get_worker(p, NULL, conf, apr_pstrcat(p, url, "/", NULL))
        != NULL)
    {
        return NULL;
    }

    error = proxy->define_worker(p, &w, NULL, conf, url, 0);
    if (error != NULL) {
        return error;
    }

    PROXY_COPY_CONF_PARAMS(w, conf);

    if (!conf->timeout_set) {
        w->s->timeout = LLM_WORKER_TIMEOUT;
        w->s->timeout_set = 1;
    }

    w->s->conn_timeout = LLM_WORKER_CONNECT;
    w->s->conn_timeout_set = 1;

    /* Who is left alone for a while is the core's to say. */

    w->s->status |= PROXY_WORKER_IGNORE_ERRORS;
    w->s->retry = 0;
    w->s->retry_set = 1;

    return NULL;
}


int
llm_worker_define(apr_pool_t *p, server_rec *s)
{
    const char        *error;
    llm_proxy_t        proxy;
    const tg_conf_t   *conf = llm_main->conf;

    if (!llm_main->passes || !llm_proxy_find(&proxy)) {
        return OK;
    }

    for ( ; s != NULL; s = s->next) {
        for (unsigned i = 0; i < conf->nproviders && llm_server_passes(s); i++)
        {
            if (conf->providers[i].scheme.len == 0) {
                continue;
            }

            error = llm_worker_add(&proxy, p, s, i);
            if (error != NULL) {
                ap_log_error(APLOG_MARK, APLOG_EMERG, 0, s, "LLMProvider %s:"
                             " %s", conf->providers[i].name.p, error);
                return HTTP_INTERNAL_SERVER_ERROR;
            }
        }
    }

    return OK;
}


/* mod_ssl keeps to itself what it has been told. */
typedef struct {
    apr_pool_t  *pool;
    const char  *name;          /* of a directive */
    const char  *url;           /* that it is to hold for */
    const char  *value;
} llm_said_t;


static bool
llm_said_proxy(const llm_said_t *said, const ap_directive_t *d)
{
    const char  *args = d->args, *of;

    if (strcasecmp(d->directive, "<Proxy") != 0) {
        return false;
    }

    /* With the bracket that closes it. */

    of = ap_getword_conf(said->pool, &args);
    of = apr_pstrmemdup(said->pool, of, strcspn(of, ">"));

    return strcmp(of, "*") == 0
           || strncmp(said->url, of, strlen(of)) == 0;
}


/* Of several the last one counts, one in <Proxy> more than any other. */
static void
llm_said_among(llm_said_t *said, const ap_directive_t *all)
{
    const ap_directive_t  *d, *child;

    for (d = all; d != NULL; d = d->next) {
        if (strcasecmp(d->directive, said->name) == 0) {
            said->value = d->args;
        }
    }

    for (d = all; d != NULL; d = d->next) {
        child = llm_said_proxy(said, d) ? d->first_child : NULL;

        for ( ; child != NULL; child = child->next) {
            if (strcasecmp(child->directive, said->name) == 0) {
                said->value = child->args;
            }
        }
    }
}


/* True where calls to that URL find this value. */
static bool
llm_says(apr_pool_t *p, const server_rec *s, const char *url, const char *name,
    const char *value)
{
    llm_said_t             said = { p, name, url, "" };
    const ap_directive_t  *d;

    llm_said_among(&said, ap_conftree);

    for (d = ap_conftree; d != NULL; d = d->next) {
        if (strcasecmp(d->directive, "<VirtualHost") == 0
            && s->defn_name != NULL && d->filename != NULL
            && strcmp(d->filename, s->defn_name) == 0
            && d->line_num == (int) s->defn_line_number)
        {
            llm_said_among(&said, d->first_child);
        }
    }

    return strcasecmp(said.value, value) == 0;
}


static void
llm_worker_check_tls(apr_pool_t *p, const server_rec *s,
    const tg_provider_t *to)
{
    const char  *url, *wrong = NULL;

    url = apr_pstrcat(p, "https://",
                      apr_pstrmemdup(p, to->authority.p, to->authority.len),
                      "/", NULL);

    if (!llm_says(p, s, url, "SSLProxyEngine", "on")) {
        wrong = "no call can go there without SSLProxyEngine On";

    } else if (!llm_says(p, s, url, "SSLProxyVerify", "require")) {
        wrong = to->key_file.len != 0
                ? "its key goes nowhere without SSLProxyVerify require (and"
                  " SSLProxyCACertificateFile)"
                : "nobody knows who answers there without SSLProxyVerify"
                  " require (and SSLProxyCACertificateFile)";
    }

    if (wrong != NULL) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s, "llm: LLMPass in %s:"
                     " LLMProvider %s is https: %s",
                     s->defn_name == NULL ? "the main server"
                     : apr_psprintf(p, "the server at %s:%u", s->defn_name,
                                    s->defn_line_number),
                     to->name.p, wrong);
    }
}


/* In the configuration's test. */
int
llm_worker_check(apr_pool_t *p, server_rec *s)
{
    const tg_conf_t  *conf = llm_main->conf;

    if (!llm_main->passes) {
        return OK;
    }

    if (ap_find_linked_module("mod_proxy.c") == NULL
        || ap_find_linked_module("mod_proxy_http.c") == NULL)
    {
        ap_log_error(APLOG_MARK, APLOG_EMERG, 0, s,
                     "LLMPass needs mod_proxy and mod_proxy_http");
        return HTTP_INTERNAL_SERVER_ERROR;
    }

    for ( ; s != NULL; s = s->next) {
        for (unsigned i = 0; i < conf->nproviders && llm_server_passes(s); i++)
        {
            if (conf->providers[i].https) {
                llm_worker_check_tls(p, s, &conf->providers[i]);
            }
        }
    }

    return OK;
}
