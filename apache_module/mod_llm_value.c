#include "mod_llm.h"

/*
 * What is known of a call, where LogFormat ("%{llm_model}e" or "n"), Header and
 * RequestHeader find it.
 *
 * httpd has no values that are made when they are asked for.  So the
 * configuration is searched for their names, and the others are made only where
 * somebody may ask whom it does not show: a program that is given a request's
 * whole environment, a module that is not httpd's, an .htaccess.
 */

typedef struct {
    const char  *name;              /* "llm_model" */
    unsigned     index;             /* a tg_value_t, or of a tag */
    bool         tag;
} llm_value_t;

struct llm_values_s {
    llm_value_t  *all, *said;
    unsigned      nall, nsaid;
    bool          shown;            /* all are, to whom is not known */
};

/* They look at the environment for names only that the configuration says. */
static const char *const  llm_value_known[] = {
    "core.c", "event.c", "http_core.c", "mod_access_compat.c",
    "mod_actions.c", "mod_alias.c", "mod_allowmethods.c", "mod_auth_basic.c",
    "mod_auth_digest.c", "mod_auth_form.c", "mod_authn_anon.c",
    "mod_authn_core.c", "mod_authn_dbd.c", "mod_authn_dbm.c",
    "mod_authn_file.c", "mod_authn_socache.c", "mod_authnz_ldap.c",
    "mod_authz_core.c", "mod_authz_dbd.c", "mod_authz_dbm.c",
    "mod_authz_groupfile.c", "mod_authz_host.c", "mod_authz_owner.c",
    "mod_authz_user.c", "mod_autoindex.c", "mod_brotli.c", "mod_buffer.c",
    "mod_cache.c", "mod_cache_disk.c", "mod_cache_socache.c", "mod_dbd.c",
    "mod_deflate.c", "mod_dir.c", "mod_env.c", "mod_expires.c",
    "mod_filter.c", "mod_headers.c", "mod_http2.c", "mod_info.c",
    "mod_lbmethod_bybusyness.c", "mod_lbmethod_byrequests.c",
    "mod_lbmethod_bytraffic.c", "mod_lbmethod_heartbeat.c", "mod_llm.c",
    "mod_llm_upstream.c", "mod_log_config.c", "mod_log_debug.c",
    "mod_log_forensic.c", "mod_logio.c", "mod_macro.c", "mod_md.c",
    "mod_mime.c", "mod_mime_magic.c", "mod_negotiation.c", "mod_proxy.c",
    "mod_proxy_balancer.c", "mod_proxy_connect.c", "mod_proxy_express.c",
    "mod_proxy_hcheck.c", "mod_proxy_html.c", "mod_proxy_http.c",
    "mod_proxy_http2.c", "mod_proxy_wstunnel.c", "mod_ratelimit.c",
    "mod_remoteip.c", "mod_reqtimeout.c", "mod_request.c", "mod_rewrite.c",
    "mod_session.c", "mod_session_cookie.c", "mod_session_crypto.c",
    "mod_session_dbd.c", "mod_setenvif.c", "mod_slotmem_plain.c",
    "mod_slotmem_shm.c", "mod_so.c", "mod_socache_dbm.c",
    "mod_socache_memcache.c", "mod_socache_redis.c", "mod_socache_shmcb.c",
    "mod_ssl.c", "mod_status.c", "mod_substitute.c", "mod_unique_id.c",
    "mod_unixd.c", "mod_userdir.c", "mod_usertrack.c", "mod_version.c",
    "mod_vhost_alias.c", "mod_watchdog.c", "mod_xml2enc.c", "prefork.c",
    "util_ldap.c", "worker.c"
};


static bool
llm_value_modules_known(void)
{
    unsigned  i, n = sizeof(llm_value_known) / sizeof(llm_value_known[0]);

    for (const module *m = ap_top_module; m != NULL; m = m->next) {
        for (i = 0; i < n && strcmp(m->name, llm_value_known[i]) != 0; i++) {
            /* void */
        }

        if (i == n) {
            return false;
        }
    }

    return true;
}


static bool
llm_value_is_said(const ap_directive_t *d, const char *name)
{
    for ( ; d != NULL; d = d->next) {
        if ((d->args != NULL && ap_strcasestr(d->args, name) != NULL)
            || llm_value_is_said(d->first_child, name))
        {
            return true;
        }
    }

    return false;
}


static void
llm_value_declare(llm_values_t *values, const char *name, unsigned index,
    bool tag)
{
    llm_value_t  v = { name, index, tag };

    values->all[values->nall++] = v;

    if (llm_value_is_said(ap_conftree, name)) {
        values->said[values->nsaid++] = v;
    }
}


void
llm_values_declare(llm_main_t *m)
{
    const char       *name;
    apr_size_t        size;
    llm_values_t     *values = apr_pcalloc(m->pool, sizeof(llm_values_t));
    const tg_conf_t  *conf = m->conf;

    size = (TG_VALUES + conf->ntags) * sizeof(llm_value_t);
    values->all = apr_palloc(m->pool, size);
    values->said = apr_palloc(m->pool, size);

    for (unsigned i = 0; i < TG_VALUES; i++) {
        name = apr_pstrcat(m->pool, "llm_", tg_value_names[i], NULL);
        llm_value_declare(values, name, i, false);
    }

    for (unsigned i = 0; i < conf->ntags; i++) {
        name = apr_psprintf(m->pool, "llm_tag_%.*s",
                            (int) conf->tags[i].name.len,
                            conf->tags[i].name.p);
        llm_value_declare(values, name, i, true);
    }

    values->shown = !llm_value_modules_known();
    m->values = values;
}


static bool
llm_value_htaccess(const request_rec *r)
{
    const core_dir_config  *dir;

    dir = ap_get_core_module_config(r->per_dir_config);

    return (dir->override & OR_ALL) != 0
           || (dir->override_list != NULL
               && !apr_is_empty_table(dir->override_list));
}


/* Tables tell names apart by their first four letters: among ours each would be
 * compared whole.  The name that we put there is known by its address. */
static void
llm_value_put(apr_table_t *t, const char *name, const char *text)
{
    const apr_array_header_t  *all = apr_table_elts(t);
    apr_table_entry_t         *e = (apr_table_entry_t *) all->elts;

    for (int i = all->nelts; i-- > 0; /* void */ ) {
        if (e[i].key == name) {
            e[i].val = (char *) text;
            return;
        }
    }

    apr_table_addn(t, name, text);
}


/* What an answer, or a fallback, may have changed is said again. */
void
llm_values(llm_ctx_t *ctx, request_rec *r)
{
    char                 buf[TG_VALUE_MAX];
    bool                 all;
    unsigned             n;
    tg_str_t             value;
    const char          *text;
    const llm_value_t   *v;
    const llm_values_t  *values = llm_main->values;

    all = values->shown || llm_value_htaccess(r);
    v = all ? values->all : values->said;
    n = all ? values->nall : values->nsaid;

    for ( ; n > 0; n--, v++) {
        if (v->tag) {
            value = tg_call_tag(ctx->call, v->index);
            if (value.len == 0) {
                continue;
            }

        } else if (!tg_call_value(ctx->call, (tg_value_t) v->index, buf,
                                  &value))
        {
            continue;
        }

        text = apr_pstrmemdup(r->pool, value.p, value.len);
        llm_value_put(r->subprocess_env, v->name, text);
        llm_value_put(r->notes, v->name, text);
    }
}
