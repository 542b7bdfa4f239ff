#include "hash.h"

#include <string.h>
#include <sys/random.h>


bool
hash_key_make(hash_key_t *key)
{
    return getrandom(key, sizeof(*key), 0) == (ssize_t) sizeof(*key);
}


uint64_t
hash_bytes(const hash_key_t *key, const void *bytes, size_t n)
{
    uint64_t     h = key->k[0] ^ n, w[2];
    const char  *p = bytes;

    for ( /* void */ ; n > 16; p += 16, n -= 16) {
        memcpy(w, p, 16);
        h = hash_mix(w[0] ^ key->k[1], w[1] ^ h);
    }

    memset(w, 0, sizeof(w));

    if (n != 0) {
        memcpy(w, p, n);
    }

    h = hash_mix(w[0] ^ key->k[2], w[1] ^ h);

    return hash_mix(h ^ key->k[3], UINT64_C(0x589965cc75374cc3));
}


uint64_t
hash_pair(const hash_key_t *key, tg_str_t a, tg_str_t b)
{
    return hash_mix(hash_bytes(key, a.p, a.len) ^ key->k[1],
                    hash_bytes(key, b.p, b.len) ^ key->k[2]);
}
