/*
 * tg_json_decode.h - the text of a JSON string that is known to be valid.
 *
 * Escapes become UTF-8; a pair of surrogates one character, a lone one U+FFFD.
 * Works on any split of the text.
 */

#ifndef TG_JSON_DECODE_H
#define TG_JSON_DECODE_H

#include "tg_json.h"

/* Room that out must have behind d->len for one escape to be decoded. */
#define TG_JSON_DECODE_ROOM  8

void tg_json_decode_init(tg_json_decode_t *d);

/*
 * Decodes [p, end) to out + d->len, up to out + size.  Returns end, or, where
 * less than TG_JSON_DECODE_ROOM is left for an escape or none for other text,
 * the first byte that was not taken.
 */
const char *tg_json_decode(tg_json_decode_t *d, const char *p,
    const char *end, char *out, size_t size);

/* The string has ended; needs 3 bytes of room. */
void tg_json_decode_end(tg_json_decode_t *d, char *out);

/* The length of text without a character that is cut at its end. */
size_t tg_json_decode_whole(const char *text, size_t len);

#endif /* TG_JSON_DECODE_H */
