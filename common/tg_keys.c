/* The low-level functions: those of EVP take twice as long for a short text,
 * nearly all of it in fetching and allocating. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "tg_keys_int.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

void
tg_key_digest(tg_str_t secret, unsigned char digest[32])
{
    SHA256_CTX  sha;

    (void) SHA256_Init(&sha);
    (void) SHA256_Update(&sha, secret.p, secret.len);
    (void) SHA256_Final(digest, &sha);
}


uint64_t
tg_keys_name_hash(tg_str_t s)
{
    uint64_t  h = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < s.len; i++) {
        h = (h ^ (unsigned char) s.p[i]) * UINT64_C(1099511628211);
    }

    return h ^ h >> 32;
}


size_t
tg_keys_digest_slot(const unsigned char *digest, size_t mask)
{
    uint64_t  h;

    memcpy(&h, digest, sizeof(h));

    return (size_t) h & mask;
}


size_t
tg_keys_count(const tg_keys_t *keys)
{
    return keys->n;
}


const tg_key_t *
tg_keys_key(const tg_keys_t *keys, size_t i)
{
    return &keys->all[i]->key;
}


const tg_key_t *
tg_keys_by_id(const tg_keys_t *keys, tg_str_t id)
{
    size_t           i = (size_t) tg_keys_name_hash(id) & keys->id_mask;
    const tg_key_t  *key;

    for ( /* void */ ; keys->ids[i] != 0; i = (i + 1) & keys->id_mask) {
        key = &keys->all[keys->ids[i] - 1]->key;

        if (tg_str_eq(key->id, id)) {
            return key;
        }
    }

    return NULL;
}


size_t
tg_keys_subjects(const tg_keys_t *keys, tg_subject_kind_t kind)
{
    return keys->subjects[kind].n;
}


const tg_subject_t *
tg_keys_subject(const tg_keys_t *keys, tg_subject_kind_t kind, size_t i)
{
    return &keys->subjects[kind].all[i]->subject;
}


const tg_subject_t *
tg_keys_subject_of(const tg_keys_t *keys, tg_subject_kind_t kind,
    tg_str_t name)
{
    size_t                    i;
    const tg_subject_t       *s;
    const tg_subject_list_t  *list = &keys->subjects[kind];

    if (name.len == 0) {
        return NULL;
    }

    i = (size_t) tg_keys_name_hash(name) & list->mask;

    for ( /* void */ ; list->slots[i] != 0; i = (i + 1) & list->mask) {
        s = &list->all[list->slots[i] - 1]->subject;

        if (tg_str_eq(s->name, name)) {
            return s;
        }
    }

    return list->star;
}


tg_str_t
tg_keys_hash(const tg_keys_t *keys)
{
    return tg_str_of(keys->hash, TG_KEYS_HASH_HEX);
}


static const tg_key_rec_t *
tg_keys_by_digest(const tg_keys_t *keys, const unsigned char *digest)
{
    size_t                i = tg_keys_digest_slot(digest, keys->digest_mask);
    const tg_key_slot_t  *slot;

    for ( /* void */ ; keys->digests[i].rec != NULL;
          i = (i + 1) & keys->digest_mask)
    {
        slot = &keys->digests[i];

        if (CRYPTO_memcmp(slot->digest, digest, TG_KEYS_DIGEST) == 0) {
            return slot->rec;
        }
    }

    return NULL;
}


tg_key_state_t
tg_keys_find(const tg_keys_t *keys, tg_str_t secret, int64_t now_ms,
    tg_key_found_t *found)
{
    unsigned char        digest[TG_KEYS_DIGEST];
    const tg_key_rec_t  *rec;

    found->key = NULL;
    found->previous = false;

    if (secret.len == 0 || secret.len > TG_KEY_SECRET_MAX) {
        return TG_KEY_UNKNOWN;
    }

    tg_key_digest(secret, digest);

    rec = tg_keys_by_digest(keys, digest);
    if (rec == NULL) {
        return TG_KEY_UNKNOWN;
    }

    found->key = &rec->key;
    found->previous = rec->has_previous
                      && CRYPTO_memcmp(rec->previous, digest,
                                       TG_KEYS_DIGEST) == 0;

    if (rec->key.disabled) {
        return TG_KEY_DISABLED;
    }

    if (now_ms >= rec->key.expires_ms
        || (found->previous && now_ms >= rec->previous_ms))
    {
        return TG_KEY_EXPIRED;
    }

    return TG_KEY_OK;
}


bool
tg_key_allows_model(const tg_key_t *key, tg_str_t model)
{
    if (key->nmodels == 0) {
        return true;
    }

    if (tg_str_starts(model, tg_str("models/"))) {
        model.p += sizeof("models/") - 1;
        model.len -= sizeof("models/") - 1;
    }

    for (unsigned i = 0; i < key->nmodels; i++) {
        if (tg_str_match(model, key->models[i])) {
            return true;
        }
    }

    return false;
}
