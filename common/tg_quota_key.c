#include "tg_quota_int.h"

#define OPENSSL_SUPPRESS_DEPRECATED     /* 3.0's own way costs three times it */
#include <openssl/sha.h>

#define TG_PART_MAX   256               /* bytes; a longer one by its hash */
#define TG_TEXT_MAX   (TG_QUOTA_PREFIX_MAX                                    \
                       + (TG_QUOTA_PER_MAX + 1)                               \
                         * (4 + TG_QUOTA_NAME_MAX + TG_PART_MAX))
#define TG_FNV_BASIS  UINT64_C(14695981039346656037)
#define TG_FNV_PRIME  UINT64_C(1099511628211)


tg_str_t
tg_quota_part(const tg_quota_per_t *per, const tg_quota_call_t *call)
{
    switch (per->kind) {
    case TG_PER_ALL:
        return tg_str_null;
    case TG_PER_TAG:
        return call->tag == NULL ? tg_str_null
                                 : call->tag(call->tag_data, per->tag);
    default:
        return call->subject[per->kind];
    }
}


/* Kind, whether there is one, its length, and what. */
static unsigned char *
tg_quota_put_part(unsigned char *p, tg_per_t kind, tg_str_t tag, tg_str_t s)
{
    bool           cut = s.len > TG_PART_MAX;
    unsigned char  digest[SHA256_DIGEST_LENGTH];

    if (cut) {
        (void) SHA256((const unsigned char *) s.p, s.len, digest);
        s = tg_str_of((const char *) digest, sizeof(digest));
    }

    *p++ = (unsigned char) kind;
    *p++ = s.len == 0 ? 0 : cut ? 2 : 1;
    *p++ = (unsigned char) (s.len == 0 ? 0 : s.len - 1);
    *p++ = (unsigned char) tag.len;

    if (tag.len != 0) {
        memcpy(p, tag.p, tag.len);
        p += tag.len;
    }

    if (s.len != 0) {
        memcpy(p, s.p, s.len);
        p += s.len;
    }

    return p;
}


static void
tg_quota_digest(const unsigned char *text, size_t n, unsigned char *key)
{
    SHA256_CTX     sha;
    unsigned char  digest[SHA256_DIGEST_LENGTH];

    (void) SHA256_Init(&sha);
    (void) SHA256_Update(&sha, text, n);
    (void) SHA256_Final(digest, &sha);

    memcpy(key, digest, TG_LEDGER_KEY);
}


/* Behind the text are zeros, as many as a word has bytes. */
static tg_quota_cached_t *
tg_quota_cached(tg_quota_cache_t *cache, const unsigned char *text, size_t n)
{
    uint64_t  h = TG_FNV_BASIS ^ n, word;

    for (size_t i = 0; i < n; i += sizeof(word)) {
        memcpy(&word, text + i, sizeof(word));
        h = (h ^ word) * TG_FNV_PRIME;
        h ^= h >> 29;
    }

    return &cache->list[(h ^ h >> 32) % TG_QUOTA_CACHE];
}


void
tg_quota_key(const tg_quota_t *q, const tg_quota_limit_t *limit,
    const tg_quota_call_t *call, unsigned char *key)
{
    size_t              n;
    unsigned char       text[TG_TEXT_MAX + sizeof(uint64_t)], *p = text;
    tg_quota_cached_t  *c;

    memcpy(p, limit->prefix, limit->prefix_len);
    p += limit->prefix_len;

    for (unsigned i = 0; i < q->npers; i++) {
        p = tg_quota_put_part(p, q->per[i].kind, q->per[i].tag,
                              tg_quota_part(&q->per[i], call));
    }

    if (limit->measure == TG_MEASURE_REPEATS) {
        p = tg_quota_put_part(p, TG_PERS, tg_str_null, call->same);
    }

    n = (size_t) (p - text);

    if (call->cache == NULL || n > TG_QUOTA_CACHE_TEXT) {
        tg_quota_digest(text, n, key);
        return;
    }

    memset(p, 0, sizeof(uint64_t));
    c = tg_quota_cached(call->cache, text, n);

    if (c->len != n || memcmp(c->text, text, n) != 0) {
        tg_quota_digest(text, n, c->key);
        memcpy(c->text, text, n);
        c->len = (uint16_t) n;
    }

    memcpy(key, c->key, TG_LEDGER_KEY);
}
