#include "tg_json_decode.h"

#define TG_JSON_REPLACEMENT  0xfffd


void
tg_json_decode_init(tg_json_decode_t *d)
{
    d->escape = 0;
    d->full = false;
    d->len = 0;
    d->unit = 0;
    d->high = 0;
}


static void
tg_json_decode_put(tg_json_decode_t *d, char *out, uint32_t c)
{
    char  *p = out + d->len;

    if (c < 0x80) {
        *p++ = (char) c;

    } else if (c < 0x800) {
        *p++ = (char) (0xc0 | c >> 6);
        *p++ = (char) (0x80 | (c & 0x3f));

    } else if (c < 0x10000) {
        *p++ = (char) (0xe0 | c >> 12);
        *p++ = (char) (0x80 | (c >> 6 & 0x3f));
        *p++ = (char) (0x80 | (c & 0x3f));

    } else {
        *p++ = (char) (0xf0 | c >> 18);
        *p++ = (char) (0x80 | (c >> 12 & 0x3f));
        *p++ = (char) (0x80 | (c >> 6 & 0x3f));
        *p++ = (char) (0x80 | (c & 0x3f));
    }

    d->len = (uint16_t) (p - out);
}


void
tg_json_decode_end(tg_json_decode_t *d, char *out)
{
    if (d->high != 0) {
        d->high = 0;
        tg_json_decode_put(d, out, TG_JSON_REPLACEMENT);
    }
}


static void
tg_json_decode_unit(tg_json_decode_t *d, char *out)
{
    uint32_t  u = d->unit;

    if (d->high != 0 && u >= 0xdc00 && u <= 0xdfff) {
        u = 0x10000 + ((d->high - 0xd800u) << 10) + (u - 0xdc00u);
        d->high = 0;
        tg_json_decode_put(d, out, u);
        return;
    }

    tg_json_decode_end(d, out);

    if (u >= 0xd800 && u <= 0xdbff) {
        d->high = (uint16_t) u;

    } else if (u >= 0xdc00 && u <= 0xdfff) {
        tg_json_decode_put(d, out, TG_JSON_REPLACEMENT);

    } else {
        tg_json_decode_put(d, out, u);
    }
}


static uint32_t
tg_json_decode_simple(char c)
{
    switch (c) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return (uint8_t) c;
    }
}


static void
tg_json_decode_escape(tg_json_decode_t *d, char c, char *out)
{
    unsigned  digit;

    if (d->escape == 1) {
        if (c == 'u') {
            d->escape = 5;
            d->unit = 0;
            return;
        }

        d->escape = 0;
        tg_json_decode_end(d, out);
        tg_json_decode_put(d, out, tg_json_decode_simple(c));
        return;
    }

    digit = (uint8_t) c <= '9' ? (unsigned) (c - '0')
                               : (unsigned) ((c | 0x20) - 'a') + 10;
    d->unit = (uint16_t) ((unsigned) d->unit << 4 | digit);
    d->escape--;

    if (d->escape == 1) {
        d->escape = 0;
        tg_json_decode_unit(d, out);
    }
}


const char *
tg_json_decode(tg_json_decode_t *d, const char *p, const char *end, char *out,
    size_t size)
{
    const char  *stop;
    size_t       run;

    while (p < end) {

        if (d->escape != 0 || *p == '\\') {
            if (size - d->len < TG_JSON_DECODE_ROOM) {
                return p;
            }

            if (d->escape != 0) {
                tg_json_decode_escape(d, *p, out);
            } else {
                d->escape = 1;
            }
            p++;
            continue;
        }

        if (d->high != 0) {
            if (size - d->len < TG_JSON_DECODE_ROOM) {
                return p;
            }
            tg_json_decode_end(d, out);
        }

        stop = memchr(p, '\\', (size_t) (end - p));
        run = (size_t) ((stop == NULL ? end : stop) - p);

        if (run > size - d->len) {
            run = size - d->len;
        }

        if (run == 0) {
            return p;
        }

        memcpy(out + d->len, p, run);
        d->len = (uint16_t) (d->len + run);
        p += run;
    }

    return p;
}


size_t
tg_json_decode_whole(const char *text, size_t len)
{
    size_t   back, need;
    uint8_t  c;

    for (back = 1; back <= 3 && back <= len; back++) {
        c = (uint8_t) text[len - back];

        if (c < 0x80) {
            return len;
        }

        if (c >= 0xc0) {
            need = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
            return need > back ? len - back : len;
        }
    }

    return len;
}
