/* The files that the configuration names: read, and read anew. */

#include "tg_desk_int.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#define TG_DESK_ZONES       "/usr/share/zoneinfo/"
#define TG_DESK_ZONE_MAX    (1024 * 1024)

#define TG_DESK_SECRET_MAX  65536


static int
tg_desk_zone(tg_desk_t *desk, tg_mem_t *mem, tg_error_t *err)
{
    int         rc;
    char        path[256];
    tg_str_t    text, name = desk->conf->ledger.zone;
    tg_error_t  why;

    if (name.len == 0 || tg_str_eq(name, tg_str("UTC"))) {
        return TG_OK;
    }

    (void) snprintf(path, sizeof(path), TG_DESK_ZONES "%.*s", (int) name.len,
                    name.p);

    if (tg_file_read(path, TG_DESK_ZONE_MAX, false, &text, &why) != TG_OK) {
        return tg_error(err, 0, 0, "llm_ledger: time zone: %s", why.message);
    }

    rc = tg_zone_parse(mem, text, &desk->zone, &why);
    free((char *) text.p);

    return rc == TG_OK ? TG_OK
           : tg_error(err, 0, 0, "llm_ledger: time zone %.*s: %s",
                      (int) name.len, name.p, why.message);
}


static int
tg_desk_provider_keys(tg_desk_t *desk, tg_error_t *err)
{
    int         rc;
    tg_str_t    text, file;
    tg_error_t  why;

    for (unsigned i = 0; i < desk->conf->nproviders; i++) {
        file = desk->conf->providers[i].key_file;

        if (file.len == 0) {
            continue;
        }

        rc = tg_file_read(file.p, 2 * TG_PROVIDER_KEY_MAX, true, &text, &why);

        if (rc == TG_OK) {
            rc = tg_conf_provider_key(desk->conf, i, text, &why);
            explicit_bzero((char *) text.p, text.len);
            free((char *) text.p);
        }

        if (rc != TG_OK) {
            return tg_error(err, 0, 0, "llm_provider: %s", why.message);
        }
    }

    return TG_OK;
}


static tg_roster_t *
tg_desk_read_keys(tg_desk_t *desk, tg_error_t *err)
{
    tg_str_t      text, file = desk->conf->keys.file;
    tg_roster_t  *r;

    if (tg_file_read(file.p, TG_DESK_KEYS_MAX, false, &text, err) != TG_OK) {
        return NULL;
    }

    r = tg_roster_load(&desk->conf->quotas, file, text, err);
    free((char *) text.p);

    if (r != NULL && tg_roster_limits(r) && desk->conf->ledger.file.len == 0) {
        tg_roster_unref(r);
        (void) tg_error(err, 0, 0, "%.*s has budgets, and nothing to count"
                        " them in: llm_ledger <file> (LLMLedger) is missing",
                        (int) file.len, file.p);
        return NULL;
    }

    return r;
}


static int
tg_desk_geoip(tg_desk_t *desk, tg_error_t *err)
{
    tg_error_t  why;

    if (desk->conf->ngeoip == 0) {
        return TG_OK;
    }

    desk->geoip = tg_geoip_open(desk->conf->geoip, desk->conf->ngeoip, &why);

    return desk->geoip != NULL ? TG_OK
           : tg_error(err, 0, 0, "llm_geoip: %s", why.message);
}


/* A secret of any length. */
static int
tg_desk_prefix_key(tg_conf_prefix_t *pc, tg_error_t *err)
{
    int             rc;
    tg_str_t        text;
    unsigned char   digest[EVP_MAX_MD_SIZE];

    if (pc->off || pc->key_file.len == 0) {
        return TG_OK;
    }

    if (tg_file_read(pc->key_file.p, TG_DESK_SECRET_MAX, true, &text, err)
        != TG_OK)
    {
        return TG_ERROR;
    }

    rc = text.len < TG_SIPHASH_KEY
         ? tg_error(err, 0, 0, "%s has less than %d bytes", pc->key_file.p,
                    TG_SIPHASH_KEY)
         : EVP_Digest(text.p, text.len, digest, NULL, EVP_sha256(), NULL) == 1
         ? TG_OK : tg_error(err, 0, 0, "SHA-256 is not to be had");

    explicit_bzero((char *) text.p, text.len);
    free((char *) text.p);

    if (rc == TG_OK) {
        memcpy(pc->key, digest, TG_SIPHASH_KEY);
        pc->ready = true;
    }

    return rc;
}


/* The keys file may have the budget tomorrow: this is for somebody's eyes. */
static void
tg_desk_stray_alerts(tg_desk_t *desk)
{
    char      text[240];
    unsigned  i = 0, k = 0;
    tg_str_t  name;

    while (tg_conf_alert_stray(desk->conf, &i, &k, &name)) {
        if (tg_roster_has(desk->roster, name)) {
            continue;
        }

        (void) snprintf(text, sizeof(text), "llm_alert: no llm_quota and no"
                        " budget of the keys file is named \"%.*s\"",
                        (int) name.len, name.p);
        desk->log(desk->log_data, TG_DESK_WARNING, text);
    }
}


int
tg_desk_load(tg_desk_t *desk, tg_conf_t *conf, tg_mem_t *mem,
    tg_desk_log_t log, void *data, tg_error_t *err)
{
    tg_error_t  why;

    memset(desk, 0, sizeof(tg_desk_t));

    desk->conf = conf;
    desk->tally_file.fd = -1;
    desk->log = log;
    desk->log_data = data;
    (void) pthread_mutex_init(&desk->lock, NULL);
    desk->loaded = true;

    if (tg_webhook_load(&conf->alerts, mem, &why) != TG_OK) {
        return tg_error(err, 0, 0, "llm_alert: %s", why.message);
    }

    if (tg_desk_prefix_key(&conf->prefix, &why) != TG_OK) {
        return tg_error(err, 0, 0, "llm_prefix_hash: %s", why.message);
    }

    if (tg_desk_zone(desk, mem, err) != TG_OK
        || tg_desk_provider_keys(desk, err) != TG_OK
        || tg_desk_geoip(desk, err) != TG_OK)
    {
        return TG_ERROR;
    }

    if (conf->keys.file.len == 0) {
        return TG_OK;
    }

    (void) tg_file_changed(conf->keys.file.p, &desk->keys);
    desk->roster = tg_desk_read_keys(desk, &why);

    if (desk->roster == NULL) {
        return tg_error(err, 0, 0, "llm_keys: %s", why.message);
    }

    tg_desk_stray_alerts(desk);

    return TG_OK;
}


void
tg_desk_tick_keys(tg_desk_t *desk)
{
    char          text[320];
    tg_error_t    err;
    tg_roster_t  *r, *old;

    if (desk->conf->keys.file.len == 0
        || !tg_file_changed(desk->conf->keys.file.p, &desk->keys))
    {
        return;
    }

    r = tg_desk_read_keys(desk, &err);

    if (r == NULL) {
        (void) snprintf(text, sizeof(text), "llm_keys: %s; the keys before"
                        " stay in use", err.message);
        desk->log(desk->log_data, TG_DESK_ERROR, text);
        return;
    }

    (void) snprintf(text, sizeof(text), "llm_keys: %zu keys are read anew",
                    tg_keys_count(tg_roster_keys(r)));
    desk->log(desk->log_data, TG_DESK_NOTICE, text);

    (void) pthread_mutex_lock(&desk->lock);
    old = desk->roster;
    desk->roster = r;
    (void) pthread_mutex_unlock(&desk->lock);

    tg_roster_unref(old);
    desk->reserved = false;
}


void
tg_desk_tick_geoip(tg_desk_t *desk)
{
    bool        changed;
    char        text[400];
    tg_error_t  err;

    if (desk->geoip == NULL) {
        return;
    }

    if (tg_geoip_check(desk->geoip, &changed, &err) != TG_OK) {
        (void) snprintf(text, sizeof(text), "llm_geoip: %s; the database"
                        " before stays in use", err.message);
        desk->log(desk->log_data, TG_DESK_ERROR, text);
    }

    if (changed) {
        desk->log(desk->log_data, TG_DESK_NOTICE, "llm_geoip: read anew");
    }
}
