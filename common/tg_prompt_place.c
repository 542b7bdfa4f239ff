/* From a prompt's text back to the body. */

#include "tg_prompt_int.h"

#define TG_PLACE_RUN  16384     /* bytes decoded at once: lengths have 16 bits */


char *
tg_prompt_decode_piece(char *to, const char *p, const char *end)
{
    tg_json_decode_t  d;

    tg_json_decode_init(&d);

    while (p < end) {
        p = tg_json_decode(&d, p, end, to, TG_PLACE_RUN);
        to += d.len;
        d.len = 0;
    }

    tg_json_decode_end(&d, to);

    return to + d.len;
}


static unsigned
tg_place_hex(const char *p)
{
    unsigned  v = 0;

    for (unsigned i = 0; i < 4; i++) {
        v = v << 4 | (p[i] <= '9' ? (unsigned) (p[i] - '0')
                                  : (unsigned) ((p[i] | 0x20) - 'a') + 10);
    }

    return v;
}


/* One character, as it is written (*raw bytes) and decoded (the value). */
static size_t
tg_place_unit(const char *p, const char *end, size_t *raw)
{
    unsigned  c = (uint8_t) *p, next;

    if (c != '\\') {
        *raw = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        return *raw;
    }

    if (end - p < 6 || p[1] != 'u') {
        *raw = 2;
        return 1;
    }

    *raw = 6;
    c = tg_place_hex(p + 2);

    if (c < 0xd800 || c > 0xdbff) {
        return c < 0x80 ? 1 : c < 0x800 ? 2 : 3;
    }

    if (end - p >= 12 && p[6] == '\\' && p[7] == 'u') {
        next = tg_place_hex(p + 8);

        if (next >= 0xdc00 && next <= 0xdfff) {
            *raw = 12;
            return 4;
        }
    }

    return 3;
}


/* On to the last character that begins at or before `at` of the piece. */
static void
tg_place_seek(tg_place_t *place, const tg_piece_t *piece, const char *body,
    size_t at)
{
    size_t       raw, len, run;
    const char  *p, *end = body + piece->end, *stop;

    while (place->at < at && place->raw < piece->end) {
        p = body + place->raw;

        /* Up to an escape both are the same. */

        run = (size_t) (end - p) < at - place->at ? (size_t) (end - p)
              : at - place->at;
        stop = memchr(p, '\\', run);
        run = stop == NULL ? run : (size_t) (stop - p);

        while (run != 0 && p + run < end && ((uint8_t) p[run] & 0xc0) == 0x80)
        {
            run--;
        }

        if (run == 0) {
            len = tg_place_unit(p, end, &raw);

            if (place->at + len > at) {
                return;
            }

            place->at += len;
            place->raw += raw;

        } else {
            place->at += run;
            place->raw += run;
        }
    }
}


/* The part of one piece. */
static void
tg_place_part(tg_place_t *place, const tg_piece_t *piece, const char *body,
    size_t from, size_t to, tg_prompt_found_t found, void *data)
{
    size_t  start, raw, len;

    if (piece->kind == TG_PIECE_NUMBER) {
        found(data, piece, piece->start, piece->end);
        return;
    }

    tg_place_seek(place, piece, body, from);
    start = place->raw;
    tg_place_seek(place, piece, body, to);

    if (place->at < to && place->raw < piece->end) {
        len = tg_place_unit(body + place->raw, body + piece->end, &raw);
        place->at += len;
        place->raw += raw;
    }

    found(data, piece, start, place->raw < piece->end ? place->raw
                                                      : piece->end);
}


void
tg_prompt_locate(const tg_prompt_t *prompt, tg_str_t body, tg_place_t *place,
    size_t from, size_t to, tg_prompt_found_t found, void *data)
{
    size_t             first, last;
    const tg_piece_t  *p;

    while (place->piece < prompt->npieces) {
        p = &prompt->pieces[place->piece];

        if (!place->inside) {
            place->inside = true;
            place->at = 0;
            place->raw = p->start;
        }

        if (p->at >= to) {
            return;
        }

        first = from > p->at ? from - p->at : 0;
        last = to - p->at < p->len ? to - p->at : p->len;

        if (first < last) {
            tg_place_part(place, p, body.p, first, last, found, data);
        }

        if (to <= p->at + p->len) {
            return;
        }

        place->piece++;
        place->inside = false;
    }
}
