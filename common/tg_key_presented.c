#include "tg_key_presented.h"

#include <openssl/crypto.h>

const tg_str_t  tg_carrier_headers[TG_CARRIER_HEADERS] = {
    TG_STR("authorization"),
    TG_STR("x-api-key"),
    TG_STR("x-goog-api-key"),
    TG_STR("api-key")
};


tg_str_t
tg_key_bearer(tg_str_t authorization)
{
    size_t    n = sizeof("Bearer") - 1;
    tg_str_t  s = tg_str_trim(authorization);

    if (s.len <= n || !tg_str_caseeq(tg_str_of(s.p, n), tg_str("Bearer"))
        || (s.p[n] != ' ' && s.p[n] != '\t'))
    {
        return tg_str_null;
    }

    return tg_str_trim(tg_str_of(s.p + n, s.len - n));
}


static int
tg_key_hex(char c)
{
    c = tg_lower(c);

    return c >= '0' && c <= '9' ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}


/*
 * The percent-decoded byte of s at *i, which moves on; a '%' that begins no
 * escape stands for itself.
 */
static char
tg_key_unescape(tg_str_t s, size_t *i)
{
    int   high, low;
    char  c = s.p[(*i)++];

    if (c == '%' && s.len - *i >= 2) {
        high = tg_key_hex(s.p[*i]);
        low = tg_key_hex(s.p[*i + 1]);

        if (high >= 0 && low >= 0) {
            *i += 2;
            return (char) (high << 4 | low);
        }
    }

    return c;
}


/*
 * The value of a parameter that is a credential; {NULL, 0} of another.
 * Google's system parameters may have a '$' before the name.
 */
static tg_str_t
tg_key_parameter(tg_str_t param)
{
    char    name[5];
    size_t  i = 0, n = 0;

    while (i < param.len && param.p[i] != '=') {
        if (n == sizeof(name)) {
            return tg_str_null;
        }
        name[n++] = tg_key_unescape(param, &i);
    }

    if (!tg_str_eq(tg_str_of(name, n), tg_str("key"))
        && !tg_str_eq(tg_str_of(name, n), tg_str("$key")))
    {
        return tg_str_null;
    }

    return i == param.len ? tg_str("")
                          : tg_str_of(param.p + i + 1, param.len - i - 1);
}


/* The next parameter of *rest, which moves behind it and its '&'. */
static tg_str_t
tg_key_next(tg_str_t *rest)
{
    size_t       n = rest->len;
    tg_str_t     param;
    const char  *amp = memchr(rest->p, '&', rest->len);

    if (amp != NULL) {
        n = (size_t) (amp - rest->p);
    }

    param = tg_str_of(rest->p, n);
    n += amp != NULL;
    rest->p += n;
    rest->len -= n;

    return param;
}


static int
tg_key_take(tg_key_presented_t *out, unsigned carrier, tg_str_t secret,
    tg_error_t *err)
{
    if (secret.len == 0) {
        return TG_OK;
    }

    if (out->carriers != 0
        && (out->secret.len != secret.len
            || CRYPTO_memcmp(out->secret.p, secret.p, secret.len) != 0))
    {
        return tg_error(err, 0, 0, "the request carries several different API"
                        " keys");
    }

    if (out->carriers == 0) {
        out->secret = secret;
    }

    out->carriers |= carrier;

    return TG_OK;
}


/*
 * Decodes a parameter's value to buf, of TG_KEY_SECRET_MAX + 1 bytes.  What is
 * longer is cut there, where it is too long still to be anybody's.
 */
static tg_str_t
tg_key_decode(tg_str_t value, char *buf)
{
    size_t  i = 0, n = 0;

    while (i < value.len && n <= TG_KEY_SECRET_MAX) {
        buf[n++] = tg_key_unescape(value, &i);
    }

    return tg_str_of(buf, n);
}


static int
tg_key_presented_args(tg_key_presented_t *out, tg_str_t args, tg_error_t *err)
{
    int       rc = TG_OK;
    char      decoded[TG_KEY_SECRET_MAX + 1];
    tg_str_t  value;

    while (rc == TG_OK && args.len != 0) {
        value = tg_key_parameter(tg_key_next(&args));

        if (value.len == 0) {
            continue;
        }

        value = tg_key_decode(value, decoded);

        if (out->carriers == 0) {
            memcpy(out->decoded, value.p, value.len);
            value.p = out->decoded;
        }

        rc = tg_key_take(out, TG_CARRIER_QUERY, value, err);
        OPENSSL_cleanse(decoded, sizeof(decoded));
    }

    return rc;
}


int
tg_key_presented(tg_key_presented_t *out,
    tg_str_t (*header)(void *req, tg_str_t name), void *req, tg_str_t args,
    bool query, tg_error_t *err)
{
    tg_str_t  value;

    out->carriers = 0;
    out->secret = tg_str_null;

    for (unsigned i = 0; i < TG_CARRIER_HEADERS; i++) {
        value = tg_str_trim(header(req, tg_carrier_headers[i]));

        if (i == 0) {
            value = tg_key_bearer(value);
        }

        if (tg_key_take(out, 1u << i, value, err) != TG_OK) {
            return TG_ERROR;
        }
    }

    return query ? tg_key_presented_args(out, args, err) : TG_OK;
}


void
tg_key_forget(tg_key_presented_t *p)
{
    if (p->secret.p == p->decoded) {
        OPENSSL_cleanse(p->decoded, sizeof(p->decoded));
        p->secret = tg_str_null;
    }
}


size_t
tg_key_strip_args(tg_str_t args, char *buf)
{
    char      *p = buf;
    bool       taken = false;
    size_t     n;
    tg_str_t   rest = args, param;

    while (rest.len != 0) {
        n = rest.len;
        param = tg_key_next(&rest);
        taken = tg_key_parameter(param).p != NULL;

        if (!taken) {
            n -= rest.len;              /* with its '&' */
            memmove(p, param.p, n);
            p += n;
        }
    }

    if (taken && p != buf) {
        p--;                            /* the '&' before the last one */
    }

    return (size_t) (p - buf);
}
