#include "tg_conf_alert.h"
#include "tg_base64.h"
#include "tg_conf_int.h"

#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
#include <stdio.h>

#define TG_ALERT_TIMEOUT      10000         /* milliseconds */
#define TG_ALERT_TIMEOUT_MIN  1000
#define TG_ALERT_TIMEOUT_MAX  60000


static int
tg_alert_url(tg_conf_alert_t *a, tg_mem_t *mem, tg_str_t v, tg_error_t *err)
{
    char    *z, *origin;
    size_t   end;

    if (a->url.len != 0) {
        return tg_error(err, 0, 0, "url= is given twice");
    }

    if (tg_conf_web_url(v, &end, err) != TG_OK) {
        return TG_ERROR;
    }

    z = tg_dupz(mem, v);
    origin = tg_dupz(mem, tg_str_of(v.p, end));

    if (z == NULL || origin == NULL) {
        return tg_error(err, 0, 0, "no memory");
    }

    a->url = tg_str_of(z, v.len);
    a->origin = tg_str_of(origin, end);

    return TG_OK;
}


static int
tg_alert_file(tg_str_t *file, tg_mem_t *mem, const char *name, tg_str_t v,
    tg_error_t *err)
{
    char  *z;

    if (file->len != 0) {
        return tg_error(err, 0, 0, "%s= is given twice", name);
    }

    if (!tg_str_starts(v, tg_str("file:/"))) {
        return tg_error(err, 0, 0, "%s= takes file:<path> with an absolute"
                        " path: a secret is not for the configuration", name);
    }

    v = tg_str_of(v.p + 5, v.len - 5);
    z = tg_dupz(mem, v);

    if (z == NULL) {
        return tg_error(err, 0, 0, "no memory");
    }

    *file = tg_str_of(z, v.len);

    return TG_OK;
}


static int
tg_alert_quotas(tg_conf_alert_t *a, tg_mem_t *mem, tg_str_t list,
    tg_error_t *err)
{
    tg_str_t     s;
    bool         more;

    if (a->nquotas != 0) {
        return tg_error(err, 0, 0, "quota= is given twice");
    }

    do {
        more = tg_str_cut(&list, ',', &s);

        if (!tg_str_is_name(s)) {
            return tg_error(err, 0, 0, "quota= takes names of quotas, not"
                            " \"%.*s\"", TG_ARG(s));
        }

        if (a->nquotas == TG_ALERT_QUOTAS_MAX) {
            return tg_error(err, 0, 0, "quota= has more than %d names",
                            TG_ALERT_QUOTAS_MAX);
        }

        a->quotas[a->nquotas] = tg_dup(mem, s);
        if (a->quotas[a->nquotas++].p == NULL) {
            return tg_error(err, 0, 0, "no memory");
        }

    } while (more);

    return TG_OK;
}


static int
tg_alert_arg(tg_conf_alert_t *a, tg_mem_t *mem, tg_str_t arg, tg_error_t *err)
{
    tg_str_t  v;

    if (tg_conf_param(arg, "url", &v)) {
        return tg_alert_url(a, mem, v, err);
    }

    if (tg_conf_param(arg, "secret", &v)) {
        return tg_alert_file(&a->secret_file, mem, "secret", v, err);
    }

    if (tg_conf_param(arg, "routing_key", &v)) {
        return tg_alert_file(&a->routing_file, mem, "routing_key", v, err);
    }

    if (tg_conf_param(arg, "timeout", &v)) {
        a->timeout_ms = tg_conf_time(v);

        return a->timeout_ms >= TG_ALERT_TIMEOUT_MIN
               && a->timeout_ms <= TG_ALERT_TIMEOUT_MAX ? TG_OK
               : tg_error(err, 0, 0, "timeout= takes a time from 1s to 1m, not"
                          " \"%.*s\"", TG_ARG(v));
    }

    if (tg_conf_param(arg, "quota", &v)) {
        return tg_alert_quotas(a, mem, v, err);
    }

    return tg_error(err, 0, 0, "unknown parameter \"%.*s\"; known are url=,"
                    " secret=, routing_key=, timeout=, quota=", TG_ARG(arg));
}


static void
tg_alert_target_id(tg_conf_alert_t *a)
{
    static const char  hex[] = "0123456789abcdef";

    SHA256_CTX      sha;
    unsigned char   digest[SHA256_DIGEST_LENGTH];
    const tg_str_t  parts[] = { a->url, a->secret_file, a->routing_file };

    (void) SHA256_Init(&sha);

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        (void) SHA256_Update(&sha, parts[i].p, parts[i].len);
        (void) SHA256_Update(&sha, "", 1);
    }

    (void) SHA256_Final(digest, &sha);

    for (unsigned i = 0; i < TG_ALERT_TARGET_LEN; i++) {
        a->id[i] = hex[digest[i / 2] >> (i % 2 ? 0 : 4) & 15];
    }
}


int
tg_conf_alert(tg_conf_alerts_t *alerts, tg_mem_t *mem, const tg_str_t *args,
    unsigned nargs, tg_error_t *err)
{
    tg_conf_alert_t  *a;

    if (alerts->n == TG_ALERTS_MAX) {
        return tg_error(err, 0, 0, "more than %d of them", TG_ALERTS_MAX);
    }

    a = &alerts->list[alerts->n];
    memset(a, 0, sizeof(*a));
    a->timeout_ms = TG_ALERT_TIMEOUT;

    for (unsigned i = 0; i < nargs; i++) {
        if (tg_alert_arg(a, mem, args[i], err) != TG_OK) {
            return TG_ERROR;
        }
    }

    if (a->url.len == 0) {
        return tg_error(err, 0, 0, "needs url=");
    }

    if (a->routing_file.len != 0 && !tg_str_starts(a->url, tg_str("https://")))
    {
        return tg_error(err, 0, 0, "has a routing_key= and no https:// in its"
                        " url=: a key goes over verified TLS only");
    }

    tg_alert_target_id(a);

    for (unsigned i = 0; i < alerts->n; i++) {
        if (memcmp(alerts->list[i].id, a->id, sizeof(a->id)) == 0) {
            return tg_error(err, 0, 0, "is given twice for one url=; names of"
                            " several quotas are joined with commas");
        }
    }

    alerts->n++;

    return TG_OK;
}


bool
tg_conf_alert_wants(const tg_conf_alert_t *alert, tg_str_t quota)
{
    for (unsigned i = 0; i < alert->nquotas; i++) {
        if (tg_str_eq(alert->quotas[i], quota)) {
            return true;
        }
    }

    return alert->nquotas == 0 || quota.len == 0;
}


/* "a, b, c", as many as there is room for. */
static void
tg_alert_known(const tg_quotas_t *quotas, char *buf, size_t size)
{
    size_t    n = 0;
    tg_str_t  name;

    for (unsigned i = 0; i < quotas->n; i++) {
        name = quotas->list[i]->name;

        if (quotas->list[i]->of_route) {
            continue;
        }

        if (n + name.len + sizeof(", , ...") > size) {
            (void) snprintf(buf + n, size - n, ", ...");
            return;
        }

        n += (size_t) snprintf(buf + n, size - n, "%s%.*s", n ? ", " : "",
                               (int) name.len, name.p);
    }

    if (n == 0) {
        (void) snprintf(buf, size, "none");
    }
}


bool
tg_conf_alert_stray(const tg_conf_t *conf, unsigned *i, unsigned *k,
    tg_str_t *name)
{
    const tg_conf_alert_t  *a;

    for ( /* void */ ; *i < conf->alerts.n; (*i)++, *k = 0) {
        a = &conf->alerts.list[*i];

        while (*k < a->nquotas) {
            *name = a->quotas[(*k)++];

            if (tg_quotas_find(&conf->quotas, *name) == NULL) {
                return true;
            }
        }
    }

    return false;
}


int
tg_conf_finish_alerts(tg_conf_t *conf, tg_error_t *err)
{
    char      known[100];
    tg_str_t  name;
    unsigned  i = 0, k = 0;

    /* With a keys file it may be a budget, which comes and goes with that. */

    if (conf->keys.file.len != 0 || !tg_conf_alert_stray(conf, &i, &k, &name))
    {
        return TG_OK;
    }

    tg_alert_known(&conf->quotas, known, sizeof(known));

    return tg_error(err, 0, 0, "llm_alert (LLMAlert): there is no llm_quota"
                    " \"%.*s\"; there are: %s", TG_ARG(name), known);
}


/* A filter that lets nothing by: quotas that never alert. */
bool
tg_conf_alert_warning(const tg_conf_t *conf, unsigned first, unsigned *i,
    tg_error_t *warning)
{
    unsigned                k;
    const tg_quota_t       *q;
    const tg_conf_alert_t  *a;

    while ((k = *i - first) < TG_ALERT_WARNINGS) {
        (*i)++;

        if (k / TG_ALERT_QUOTAS_MAX >= conf->alerts.n) {
            continue;
        }

        a = &conf->alerts.list[k / TG_ALERT_QUOTAS_MAX];
        k %= TG_ALERT_QUOTAS_MAX;
        q = k < a->nquotas ? tg_quotas_find(&conf->quotas, a->quotas[k]) : NULL;

        if (q != NULL && q->alert[0] == 0 && !q->latch) {
            (void) tg_error(warning, 0, 0, "llm_alert (LLMAlert) waits for"
                            " quota \"%.*s\", which has no alert=",
                            TG_ARG(q->name));
            return true;
        }
    }

    return false;
}


static int
tg_alert_secret(tg_alert_secret_t *secret, tg_str_t word, tg_error_t *err)
{
    char         bytes[2 * TG_ALERT_SECRET_MAX];
    ptrdiff_t    n = -1;
    tg_base64_t  b64 = { 0 };

    if (tg_str_starts(word, tg_str("whsec_")) && word.len - 6 <= sizeof(bytes))
    {
        n = tg_base64_feed(&b64, word.p + 6, word.len - 6, bytes);
    }

    if (n < TG_ALERT_SECRET_MIN || n > TG_ALERT_SECRET_MAX) {
        return tg_error(err, 0, 0, "it holds no secret: a line is \"whsec_\""
                        " and base64 of %d to %d bytes", TG_ALERT_SECRET_MIN,
                        TG_ALERT_SECRET_MAX);
    }

    memcpy(secret->key, bytes, (size_t) n);
    secret->len = (size_t) n;

    return TG_OK;
}


/* The next line that is not blank, without the white space around it. */
static bool
tg_alert_word(tg_str_t *text, tg_str_t *word)
{
    size_t  i;

    do {
        for (i = 0; i < text->len && text->p[i] != '\n'; i++) {
            /* to the line's end */
        }

        *word = tg_str_of(text->p, i);

        if (i != 0 && text->p[i - 1] == '\r') {
            word->len--;
        }

        *word = tg_str_trim(*word);
        i += i < text->len;
        text->p += i;
        text->len -= i;

    } while (word->len == 0 && text->len != 0);

    return word->len != 0;
}


int
tg_conf_alert_secrets(tg_conf_alert_t *alert, tg_str_t text, tg_error_t *err)
{
    tg_str_t  word;

    alert->nsecrets = 0;

    while (tg_alert_word(&text, &word)) {

        if (alert->nsecrets == TG_ALERT_SECRETS) {
            return tg_error(err, 0, 0, "it holds more than %d secrets",
                            TG_ALERT_SECRETS);
        }

        if (tg_alert_secret(&alert->secrets[alert->nsecrets], word, err)
            != TG_OK)
        {
            return TG_ERROR;
        }

        alert->nsecrets++;
    }

    return alert->nsecrets != 0 ? TG_OK : tg_error(err, 0, 0, "it is empty");
}


int
tg_conf_alert_routing_key(tg_conf_alert_t *alert, tg_mem_t *mem, tg_str_t text,
    tg_error_t *err)
{
    tg_str_t  word, more;

    if (!tg_alert_word(&text, &word)) {
        return tg_error(err, 0, 0, "it is empty");
    }

    for (size_t i = 0; i < word.len; i++) {
        char  c = tg_lower(word.p[i]);

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'
              || c == '_'))
        {
            return tg_error(err, 0, 0, "it holds no routing key, which is of"
                            " letters and digits");
        }
    }

    if (word.len > TG_ALERT_ROUTING_MAX || tg_alert_word(&text, &more)) {
        return tg_error(err, 0, 0, "it holds more than a routing key");
    }

    alert->routing_key = tg_dup(mem, word);

    return alert->routing_key.p != NULL ? TG_OK
           : tg_error(err, 0, 0, "no memory");
}
