/*
 * tg_conf_alert.h - llm_alert: where alerts are sent, and which.
 *
 * The directive names files; who starts the server reads them
 * (hosted/tg_webhook.h), because those who serve may not be able to.
 */

#ifndef TG_CONF_ALERT_H
#define TG_CONF_ALERT_H

#include "tg_error.h"
#include "tg_mem.h"

#define TG_ALERTS_MAX        8      /* of a configuration */
#define TG_ALERT_QUOTAS_MAX  16     /* names in a quota= */
#define TG_ALERT_TARGET_LEN  16
#define TG_ALERT_SECRETS     2      /* the new one and the old one */
#define TG_ALERT_SECRET_MIN  24     /* bytes, by Standard Webhooks 1.0 */
#define TG_ALERT_SECRET_MAX  64
#define TG_ALERT_ROUTING_MAX 255

typedef struct {
    size_t         len;
    unsigned char  key[TG_ALERT_SECRET_MAX];
} tg_alert_secret_t;

typedef struct {
    tg_str_t           url;         /* ends in NUL */
    tg_str_t           origin;      /* "https://host:port", for messages: the
                                       rest of a webhook's URL is a secret;
                                       ends in NUL */
    tg_str_t           secret_file;     /* of secret=file:; empty: none */
    tg_str_t           routing_file;    /* of routing_key=file: */
    int64_t            timeout_ms;
    unsigned           nquotas;     /* 0: all */
    tg_str_t           quotas[TG_ALERT_QUOTAS_MAX];

    /* Hex digits of a hash of where and as whom: what the spool calls it, the
     * same in all processes and after a reload. */
    char               id[TG_ALERT_TARGET_LEN];

    /* What was read from the files. */
    unsigned           nsecrets;
    tg_alert_secret_t  secrets[TG_ALERT_SECRETS];
    tg_str_t           routing_key;
} tg_conf_alert_t;

typedef struct {
    unsigned           n;
    tg_conf_alert_t    list[TG_ALERTS_MAX];
} tg_conf_alerts_t;

/* llm_alert's arguments, in any order. Strings are copied. TG_OK, or TG_ERROR
 * and a sentence that names the word. */
int tg_conf_alert(tg_conf_alerts_t *alerts, tg_mem_t *mem,
    const tg_str_t *args, unsigned nargs, tg_error_t *err);

/* Whether alerts of that quota go there. One whose quota is not known (empty)
 * goes everywhere. */
bool tg_conf_alert_wants(const tg_conf_alert_t *alert, tg_str_t quota);

/*
 * The contents of the file of secret=: one secret a line, "whsec_" and base64
 * of 24 to 64 bytes; two during a rotation.  Of routing_key=: one word.
 * TG_ERROR and a sentence that quotes none of it.
 */
int tg_conf_alert_secrets(tg_conf_alert_t *alert, tg_str_t text,
    tg_error_t *err);
int tg_conf_alert_routing_key(tg_conf_alert_t *alert, tg_mem_t *mem,
    tg_str_t text, tg_error_t *err);

#endif /* TG_CONF_ALERT_H */
