/*
 * tg_key_presented.h - the credential that a request carries.
 *
 * SDKs send their key in the form of their provider: OpenAI's as
 * "Authorization: Bearer", Anthropic's as "x-api-key", Google's as
 * "x-goog-api-key" or in the query, Azure's as "api-key".  Any of them may
 * carry a virtual key, whatever the API.
 */

#ifndef TG_KEY_PRESENTED_H
#define TG_KEY_PRESENTED_H

#include "tg_keys.h"

/* Where credentials were found. */
enum {
    TG_CARRIER_AUTHORIZATION  = 0x01,
    TG_CARRIER_X_API_KEY      = 0x02,
    TG_CARRIER_X_GOOG_API_KEY = 0x04,
    TG_CARRIER_API_KEY        = 0x08,
    TG_CARRIER_QUERY          = 0x10
};

#define TG_CARRIER_HEADERS  4

/* The headers above in order, lower case: none of them goes upstream. */
extern const tg_str_t  tg_carrier_headers[TG_CARRIER_HEADERS];

/* Bits of their lengths: most headers are as long as none of them. */
#define TG_CARRIER_LENGTHS  (1u << 13 | 1u << 9 | 1u << 14 | 1u << 7)

/* Is a header of this name, in any case, one of them? */
static inline bool
tg_key_is_carrier(tg_str_t name)
{
    if (name.len >= 32 || (TG_CARRIER_LENGTHS >> name.len & 1) == 0) {
        return false;
    }

    for (unsigned i = 0; i < TG_CARRIER_HEADERS; i++) {
        if (tg_str_caseeq(name, tg_carrier_headers[i])) {
            return true;
        }
    }

    return false;
}

typedef struct {
    unsigned  carriers;         /* 0: there is none */
    tg_str_t  secret;           /* in the header's value, or in decoded */
    char      decoded[TG_KEY_SECRET_MAX + 1];
} tg_key_presented_t;

/*
 * Finds the credential.  header() gives a request header by its lower-case
 * name, empty if absent; the secret aliases what it gave.  args is the query
 * without '?', looked into only where `query` is set (Gemini's shape); the
 * parameters are "key" and "$key", percent-encoded or not.
 *
 * An Authorization of another scheme than Bearer is none of ours.  TG_OK, or
 * TG_ERROR and *err where different credentials were given at once: which of
 * them counts must not be for us to guess.  The same one in several places is
 * fine.
 */
int tg_key_presented(tg_key_presented_t *out,
    tg_str_t (*header)(void *req, tg_str_t name), void *req, tg_str_t args,
    bool query, tg_error_t *err);

/* Wipes what had to be decoded.  After use. */
void tg_key_forget(tg_key_presented_t *p);

/*
 * The query without its credentials, byte for byte what is left, written to buf
 * of args.len bytes (which may be args.p itself).  Returns the length.
 */
size_t tg_key_strip_args(tg_str_t args, char *buf);

/* The secret in an Authorization value, empty where its scheme is not
 * Bearer. */
tg_str_t tg_key_bearer(tg_str_t authorization);

#endif /* TG_KEY_PRESENTED_H */
