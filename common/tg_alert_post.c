#include "tg_alert.h"
#include "tg_text.h"

#include <openssl/evp.h>


size_t
tg_alert_post(const tg_conf_alert_t *target, tg_str_t body, char *buf)
{
    tg_text_t  t;

    tg_text_init(&t, buf, TG_ALERT_POST_MAX);

    if (target->routing_key.len != 0 && body.len > 1 && body.p[0] == '{') {
        tg_put_lit(&t, "{\"routing_key\":\"");
        tg_put_str(&t, target->routing_key);
        tg_put_lit(&t, "\",");
        body = tg_str_of(body.p + 1, body.len - 1);
    }

    tg_put_str(&t, body);

    return t.full ? 0 : (size_t) (t.p - buf);
}


static bool
tg_alert_hmac(const tg_alert_secret_t *secret, const tg_str_t *parts,
    unsigned n, unsigned char digest[32])
{
    bool         ok = false;
    size_t       len = 32;
    EVP_PKEY    *key;
    EVP_MD_CTX  *ctx = EVP_MD_CTX_new();

    key = EVP_PKEY_new_raw_private_key(EVP_PKEY_HMAC, NULL, secret->key,
                                       secret->len);

    if (ctx != NULL && key != NULL
        && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1)
    {
        ok = true;

        for (unsigned i = 0; i < n && ok; i++) {
            ok = EVP_DigestSignUpdate(ctx, parts[i].p, parts[i].len) == 1;
        }

        ok = ok && EVP_DigestSignFinal(ctx, digest, &len) == 1 && len == 32;
    }

    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);

    return ok;
}


size_t
tg_alert_sign(const tg_conf_alert_t *target, tg_str_t id, int64_t seconds,
    tg_str_t body, char *out)
{
    char           *p = out, time[TG_TEXT_INT_MAX], b64[48];
    int             n;
    unsigned char   digest[32];
    tg_str_t        parts[5] = { id, TG_STR("."), { time, 0 }, TG_STR("."),
                                 body };

    parts[2].len = (size_t) (tg_text_int(time, seconds) - time);

    for (unsigned i = 0; i < target->nsecrets; i++) {

        if (!tg_alert_hmac(&target->secrets[i], parts, 5, digest)) {
            return 0;
        }

        if (i != 0) {
            *p++ = ' ';
        }

        memcpy(p, "v1,", 3);
        p += 3;
        n = EVP_EncodeBlock((unsigned char *) b64, digest, sizeof(digest));
        memcpy(p, b64, (size_t) n);
        p += n;
    }

    return (size_t) (p - out);
}


tg_alert_verdict_t
tg_alert_verdict(long status)
{
    if (status >= 200 && status < 300) {
        return TG_ALERT_SENT;
    }

    if (status >= 400 && status < 500 && status != 408 && status != 429) {
        return TG_ALERT_GIVE_UP;
    }

    return TG_ALERT_RETRY;
}
