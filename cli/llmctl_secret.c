#define _GNU_SOURCE

#include "llmctl_key.h"
#include "llmctl.h"

#include "tg_rfc3339.h"
#include "tg_text.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#define BASE62  "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

/* n random characters; each byte beyond a multiple of 62 is thrown away. */
static bool
make_random(char *out, size_t n)
{
    ssize_t        got;
    unsigned char  bytes[64];

    while (n != 0) {
        got = getrandom(bytes, sizeof(bytes), 0);

        if (got == -1 && errno != EINTR) {
            (void) fail("getrandom", strerror(errno));
            return false;
        }

        for (ssize_t i = 0; i < got && n != 0; i++) {
            if (bytes[i] < 4 * 62) {
                *out++ = BASE62[bytes[i] % 62];
                n--;
            }
        }
    }

    *out = '\0';
    OPENSSL_cleanse(bytes, sizeof(bytes));

    return true;
}


bool
make_secret(char *secret)
{
    memcpy(secret, "tg_", 3);

    return make_random(secret + 3, SECRET_SIZE - sizeof("tg_"));
}


bool
make_id(char *id)
{
    memcpy(id, "key_", 4);

    return make_random(id + 4, ID_SIZE - sizeof("key_"));
}


json_t *
digest_of(const char *secret)
{
    char           hex[65];
    unsigned char  digest[32];

    tg_key_digest(tg_strz(secret), digest);

    for (size_t i = 0; i < sizeof(digest); i++) {
        (void) snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    }

    return json_string(hex);
}


int64_t
now_ms(void)
{
    struct timespec  t;

    (void) clock_gettime(CLOCK_REALTIME, &t);

    return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}


int64_t
parse_span(const char *s)
{
    int64_t   n, unit;
    tg_str_t  digits = { s, strspn(s, "0123456789") };

    if (digits.len == 0 || digits.len > 9 || s[digits.len] == '\0'
        || s[digits.len + 1] != '\0')
    {
        return -1;
    }

    n = tg_str_int(digits);

    switch (s[digits.len]) {
    case 's':
        unit = 1;
        break;
    case 'm':
        unit = 60;
        break;
    case 'h':
        unit = 3600;
        break;
    case 'd':
        unit = 86400;
        break;
    case 'w':
        unit = 7 * 86400;
        break;
    default:
        return -1;
    }

    n = n * unit * 1000;

    return n <= INT64_C(100) * 366 * 86400 * 1000 ? n : -1;
}


bool
parse_time(const char *s, char *out)
{
    int64_t    ms = parse_span(s);
    tg_text_t  t;

    ms = ms >= 0 ? now_ms() + ms : tg_rfc3339_parse(tg_strz(s));

    if (ms < 0) {
        return false;
    }

    tg_text_init(&t, out, TIME_SIZE - 1);
    tg_put_time(&t, ms);
    *t.p = '\0';

    return true;
}
