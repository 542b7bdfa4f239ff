/* Keys and tokens that are known by how they look. */

#include "tg_pii_int.h"

#define TG_KEY_MOST    4096     /* bytes of one */
#define TG_PEM_MOST    65536
#define TG_PEM_LABEL   32

/* What the rest of a key is made of. */
typedef enum {
    TG_KEY_WORD = 0,            /* letters, digits, - and _ */
    TG_KEY_ALNUM,
    TG_KEY_UPPER,               /* capitals and digits */
    TG_KEY_DOTTED               /* as WORD, and dots */
} tg_key_of_t;

typedef struct {
    tg_str_t  prefix;
    uint8_t   of;
    uint8_t   least;            /* behind the prefix */
} tg_key_shape_t;

/*
 * By the providers' own pages, and GitHub's list of patterns of secret
 * scanning, 2026-01: docs.github.com/code-security/secret-scanning.
 */
static const tg_key_shape_t  tg_key_shapes[] = {
    { TG_STR("sk-"), TG_KEY_WORD, 20 },         /* OpenAI, Anthropic, ours */
    { TG_STR("sk_live_"), TG_KEY_ALNUM, 16 },   /* Stripe */
    { TG_STR("sk_test_"), TG_KEY_ALNUM, 16 },
    { TG_STR("rk_live_"), TG_KEY_ALNUM, 16 },
    { TG_STR("rk_test_"), TG_KEY_ALNUM, 16 },
    { TG_STR("whsec_"), TG_KEY_WORD, 24 },
    { TG_STR("AKIA"), TG_KEY_UPPER, 16 },       /* AWS */
    { TG_STR("ASIA"), TG_KEY_UPPER, 16 },
    { TG_STR("AIza"), TG_KEY_WORD, 35 },        /* Google */
    { TG_STR("ya29."), TG_KEY_WORD, 20 },
    { TG_STR("GOCSPX-"), TG_KEY_WORD, 28 },
    { TG_STR("ghp_"), TG_KEY_ALNUM, 36 },       /* GitHub */
    { TG_STR("gho_"), TG_KEY_ALNUM, 36 },
    { TG_STR("ghu_"), TG_KEY_ALNUM, 36 },
    { TG_STR("ghs_"), TG_KEY_ALNUM, 36 },
    { TG_STR("ghr_"), TG_KEY_ALNUM, 36 },
    { TG_STR("github_pat_"), TG_KEY_WORD, 40 },
    { TG_STR("glpat-"), TG_KEY_WORD, 20 },      /* GitLab */
    { TG_STR("xoxb-"), TG_KEY_WORD, 20 },       /* Slack */
    { TG_STR("xoxp-"), TG_KEY_WORD, 20 },
    { TG_STR("xoxa-"), TG_KEY_WORD, 20 },
    { TG_STR("xoxr-"), TG_KEY_WORD, 20 },
    { TG_STR("xoxs-"), TG_KEY_WORD, 20 },
    { TG_STR("xapp-"), TG_KEY_WORD, 20 },
    { TG_STR("hf_"), TG_KEY_ALNUM, 30 },        /* Hugging Face */
    { TG_STR("gsk_"), TG_KEY_ALNUM, 40 },       /* Groq */
    { TG_STR("xai-"), TG_KEY_ALNUM, 40 },
    { TG_STR("pplx-"), TG_KEY_ALNUM, 40 },
    { TG_STR("r8_"), TG_KEY_ALNUM, 30 },        /* Replicate */
    { TG_STR("npm_"), TG_KEY_ALNUM, 36 },
    { TG_STR("pypi-"), TG_KEY_WORD, 50 },
    { TG_STR("SG."), TG_KEY_DOTTED, 60 },       /* SendGrid */
    { TG_STR("dop_v1_"), TG_KEY_ALNUM, 60 },    /* DigitalOcean */
    { TG_STR("shpat_"), TG_KEY_ALNUM, 32 },     /* Shopify */
    { TG_STR("hvs."), TG_KEY_WORD, 24 },        /* Vault */
    { TG_STR("lin_api_"), TG_KEY_ALNUM, 32 },
    { TG_STR("sq0atp-"), TG_KEY_WORD, 20 },     /* Square */
    { TG_STR("EAAA"), TG_KEY_WORD, 60 }
};


/* The first two letters of all of these: few words have them. */
static bool
tg_key_may(char first, char second)
{
    const char  *seconds;

    switch (first) {
    case 's': seconds = "kqh"; break;
    case 'r': seconds = "k8"; break;
    case 'w': seconds = "h"; break;
    case 'A': seconds = "KSI"; break;
    case 'y': seconds = "a"; break;
    case 'G': seconds = "O"; break;
    case 'g': seconds = "hils"; break;
    case 'x': seconds = "oa"; break;
    case 'h': seconds = "fv"; break;
    case 'p': seconds = "py"; break;
    case 'n': seconds = "p"; break;
    case 'S': seconds = "G"; break;
    case 'd': seconds = "o"; break;
    case 'l': seconds = "i"; break;
    case 'E': seconds = "A"; break;
    default:  return false;
    }

    return second != '\0' && strchr(seconds, second) != NULL;
}


static bool
tg_key_has(char c, unsigned of)
{
    switch (of) {
    case TG_KEY_ALNUM:
        return tg_pii_alnum(c);
    case TG_KEY_UPPER:
        return tg_pii_digit(c) || (c >= 'A' && c <= 'Z');
    case TG_KEY_DOTTED:
        return tg_pii_alnum(c) || c == '-' || c == '_' || c == '.';
    default:
        return tg_pii_alnum(c) || c == '-' || c == '_';
    }
}


static size_t
tg_key_run(const char *p, const char *end, unsigned of)
{
    size_t  n = 0, room = (size_t) (end - p);

    room = room < TG_KEY_MOST ? room : TG_KEY_MOST;

    while (n < room && tg_key_has(p[n], of)) {
        n++;
    }

    return n;
}


/* Words with hyphens begin with "sk-", too: a key is not made of small letters
 * alone. */
static bool
tg_key_mixed(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (tg_pii_digit(p[i]) || (p[i] >= 'A' && p[i] <= 'Z')) {
            return true;
        }
    }

    return false;
}


/* Three parts in base64url, the first two of JSON (RFC 7519). */
static size_t
tg_key_jwt(const char *p, const char *end)
{
    size_t       n;
    const char  *q = p;

    for (unsigned i = 0; i < 3; i++) {
        n = tg_key_run(q, end, TG_KEY_WORD);

        if (n < 10 || (i < 2 && (end - q < 3 || memcmp(q, "eyJ", 3) != 0))) {
            return 0;
        }

        q += n;

        if (i < 2) {
            if (q == end || *q != '.') {
                return 0;
            }
            q++;
        }
    }

    return (size_t) (q - p);
}


/* A private key of any kind (RFC 7468), to its last line, or as far as it
 * goes. */
static size_t
tg_key_pem(const char *p, const char *end)
{
    static const char  begin[] = "-----BEGIN ", what[] = "PRIVATE KEY",
                       last[] = "-----END ";

    const char  *q = p + sizeof(begin) - 1, *stop;

    if ((size_t) (end - p) < sizeof(begin) - 1
        || memcmp(p, begin, sizeof(begin) - 1) != 0)
    {
        return 0;
    }

    for (stop = q; stop < end && *stop != '-' && stop - q < TG_PEM_LABEL;
         stop++)
    { /* void */ }

    if ((size_t) (stop - q) < sizeof(what) - 1
        || memcmp(stop - (sizeof(what) - 1), what, sizeof(what) - 1) != 0)
    {
        return 0;
    }

    end = end - p > TG_PEM_MOST ? p + TG_PEM_MOST : end;

    for (q = stop; q < end; q++) {
        if ((size_t) (end - q) >= sizeof(last) - 1
            && memcmp(q, last, sizeof(last) - 1) == 0)
        {
            q += sizeof(last) - 1;
            while (q < end && *q != '-' && *q != '\n') {
                q++;
            }
            while (q < end && *q == '-') {
                q++;
            }
            break;
        }
    }

    return (size_t) (q - p);
}


size_t
tg_pii_key(tg_str_t text, const char *p)
{
    size_t       n;
    const char  *end = text.p + text.len;
    tg_str_t     rest = tg_str_of(p, (size_t) (end - p));

    if (rest.len < 2) {
        return 0;
    }

    switch (*p) {
    case '-':
        return p[1] == '-' ? tg_key_pem(p, end) : 0;
    case 'e':
        return p[1] == 'y' ? tg_key_jwt(p, end) : 0;
    default:
        if (!tg_key_may(p[0], p[1])) {
            return 0;
        }
    }

    for (size_t i = 0; i < sizeof(tg_key_shapes) / sizeof(tg_key_shapes[0]);
         i++)
    {
        const tg_key_shape_t  *s = &tg_key_shapes[i];

        if (!tg_str_starts(rest, s->prefix)) {
            continue;
        }

        n = tg_key_run(p + s->prefix.len, end, s->of);

        if (n >= s->least && tg_key_mixed(p + s->prefix.len, n)) {
            return s->prefix.len + n;
        }
    }

    return 0;
}
