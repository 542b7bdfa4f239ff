/*
 * tg_pii.h - what is personal or secret in a text: card numbers, bank accounts,
 * addresses, keys.
 *
 *   card    12 to 19 digits in groups or in one, by an issuer's prefix and
 *           length, with Luhn's checksum (ISO/IEC 7812)
 *   iban    by its country's length, with its checksum (ISO 13616)
 *   email   local@domain.tld
 *   ssn     a US social security number, 123-45-6789, of those that are given
 *           out
 *   key     keys and tokens of well-known shapes (OpenAI, Anthropic, AWS,
 *           GitHub, GitLab, Slack, Google, Stripe, Hugging Face, ...), JSON Web
 *           Tokens, private keys in PEM
 *   phone   in international form, or 10 digits as North America writes them
 *
 * Digits may be parted by a space, a hyphen, a no-break space or an en dash,
 * one at a time.  A thing ends where a letter or a digit is next to it.
 */

#ifndef TG_PII_H
#define TG_PII_H

#include "tg_str.h"

typedef enum {
    TG_PII_CARD = 0,
    TG_PII_IBAN,
    TG_PII_EMAIL,
    TG_PII_SSN,
    TG_PII_KEY,
    TG_PII_PHONE,
    TG_PII_KINDS
} tg_pii_t;

/* "card", "iban", ... */
extern const char *const  tg_pii_names[TG_PII_KINDS];

/* How far back from where it is found a thing may begin. */
#define TG_PII_BACK  64

/* Non-zero ends the search. */
typedef int (*tg_pii_found_t)(void *data, tg_pii_t kind, size_t from,
    size_t to);

/*
 * Looks for the kinds whose bits are set, at places in [from, to); what is
 * there may end behind `to`.  Those of one kind come in order and apart; kinds
 * may overlap.  What found() returned, else 0.
 */
int tg_pii_find(tg_str_t text, size_t from, size_t to, unsigned kinds,
    tg_pii_found_t found, void *data);

#endif /* TG_PII_H */
