#include "tg_eventstream.h"
#include "tg_crc32.h"

/*
 * A frame: its length, the length of its headers, and the CRC of those two
 * (4 bytes each, big-endian); the headers; the payload; the CRC of all that.
 */

#define TG_ES_PRELUDE_LEN  12
#define TG_ES_CRC_LEN      4
#define TG_ES_FRAME_MIN    (TG_ES_PRELUDE_LEN + TG_ES_CRC_LEN)

enum {
    TG_ES_PRELUDE = 0,
    TG_ES_NAME_LEN,
    TG_ES_NAME,
    TG_ES_TYPE,
    TG_ES_VALUE_LEN,
    TG_ES_VALUE,            /* of a string */
    TG_ES_SKIP,             /* of any other type */
    TG_ES_PAYLOAD,
    TG_ES_CRC
};

enum {
    TG_ES_STRING = 7        /* a type of value */
};

/* The size of a value by its type; -1: two bytes of length go before it. */
static const int8_t  tg_es_sizes[] = {
    0,      /* true */
    0,      /* false */
    1,      /* byte */
    2,      /* short */
    4,      /* integer */
    8,      /* long */
    -1,     /* byte array */
    -1,     /* string */
    8,      /* timestamp */
    16      /* UUID */
};


static int
tg_es_error(tg_eventstream_t *s, tg_eventstream_errcode_t error)
{
    s->error = error;

    return TG_ERROR;
}


static int
tg_es_call(tg_eventstream_t *s, tg_eventstream_type_t type, tg_str_t name,
    tg_str_t value)
{
    if (s->handler(s->data, type, name, value) != 0) {
        return tg_es_error(s, TG_EVENTSTREAM_E_STOPPED);
    }

    return TG_OK;
}


static uint32_t
tg_es_number(const unsigned char *p)
{
    return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16
           | (uint32_t) p[2] << 8 | (uint32_t) p[3];
}


static void
tg_es_enter(tg_eventstream_t *s, uint8_t state, uint32_t need)
{
    s->state = state;
    s->need = need;
    s->nbuf = 0;
}


/* To a part of the headers, which must have room for it. */

static int
tg_es_enter_header(tg_eventstream_t *s, uint8_t state, uint32_t need)
{
    if (need > s->headers) {
        return tg_es_error(s, TG_EVENTSTREAM_E_HEADER);
    }

    s->headers -= need;
    tg_es_enter(s, state, need);

    return TG_OK;
}


static int
tg_es_next_header(tg_eventstream_t *s)
{
    if (s->headers != 0) {
        return tg_es_enter_header(s, TG_ES_NAME_LEN, 1);
    }

    if (s->payload != 0) {
        tg_es_enter(s, TG_ES_PAYLOAD, s->payload);

    } else {
        tg_es_enter(s, TG_ES_CRC, TG_ES_CRC_LEN);
    }

    return TG_OK;
}


static int
tg_es_prelude(tg_eventstream_t *s)
{
    uint32_t  total, headers;

    total = tg_es_number(s->buf);
    headers = tg_es_number(s->buf + 4);

    if (tg_es_number(s->buf + 8) != tg_crc32(0, s->buf, 8)) {
        return tg_es_error(s, TG_EVENTSTREAM_E_CRC);
    }

    if (total < TG_ES_FRAME_MIN || total > TG_EVENTSTREAM_FRAME_MAX
        || headers > total - TG_ES_FRAME_MIN
        || headers > TG_EVENTSTREAM_HEADERS_MAX)
    {
        return tg_es_error(s, TG_EVENTSTREAM_E_LENGTH);
    }

    s->headers = headers;
    s->payload = total - TG_ES_FRAME_MIN - headers;

    return tg_es_next_header(s);
}


static int
tg_es_name_len(tg_eventstream_t *s)
{
    s->name_len = 0;

    if (s->buf[0] == 0) {
        return tg_es_error(s, TG_EVENTSTREAM_E_HEADER);
    }

    return tg_es_enter_header(s, TG_ES_NAME, s->buf[0]);
}


static int
tg_es_string(tg_eventstream_t *s)
{
    if (tg_es_call(s, TG_EVENTSTREAM_HEADER, tg_str_of(s->name, s->name_len),
                   tg_str_of(s->value, s->value_len))
        != TG_OK)
    {
        return TG_ERROR;
    }

    return tg_es_next_header(s);
}


static int
tg_es_type(tg_eventstream_t *s)
{
    int       size;
    uint8_t   type = s->buf[0];

    if (type >= sizeof(tg_es_sizes)) {
        return tg_es_error(s, TG_EVENTSTREAM_E_HEADER);
    }

    size = tg_es_sizes[type];

    if (size == 0) {
        return tg_es_next_header(s);
    }

    if (size > 0) {
        return tg_es_enter_header(s, TG_ES_SKIP, (uint32_t) size);
    }

    if (tg_es_enter_header(s, TG_ES_VALUE_LEN, 2) != TG_OK) {
        return TG_ERROR;
    }

    s->buf[2] = type;   /* for tg_es_value_len(): only the first 2 get filled */

    return TG_OK;
}


static int
tg_es_value_len(tg_eventstream_t *s)
{
    uint32_t  len = (uint32_t) s->buf[0] << 8 | (uint32_t) s->buf[1];
    bool      string = (s->buf[2] == TG_ES_STRING);

    s->value_len = 0;

    if (len == 0) {
        return string ? tg_es_string(s) : tg_es_next_header(s);
    }

    return tg_es_enter_header(s, string ? TG_ES_VALUE : TG_ES_SKIP, len);
}


static int
tg_es_end(tg_eventstream_t *s)
{
    if (tg_es_number(s->buf) != s->crc) {
        return tg_es_error(s, TG_EVENTSTREAM_E_CRC);
    }

    s->crc = 0;
    tg_es_enter(s, TG_ES_PRELUDE, TG_ES_PRELUDE_LEN);

    return tg_es_call(s, TG_EVENTSTREAM_END, tg_str_null, tg_str_null);
}


/* All bytes of a state have come. */

static int
tg_es_done(tg_eventstream_t *s)
{
    switch (s->state) {

    case TG_ES_PRELUDE:
        return tg_es_prelude(s);

    case TG_ES_NAME_LEN:
        return tg_es_name_len(s);

    case TG_ES_NAME:
        return tg_es_enter_header(s, TG_ES_TYPE, 1);

    case TG_ES_TYPE:
        return tg_es_type(s);

    case TG_ES_VALUE_LEN:
        return tg_es_value_len(s);

    case TG_ES_VALUE:
        return tg_es_string(s);

    case TG_ES_SKIP:
        return tg_es_next_header(s);

    case TG_ES_PAYLOAD:
        tg_es_enter(s, TG_ES_CRC, TG_ES_CRC_LEN);
        return TG_OK;

    default: /* TG_ES_CRC */
        return tg_es_end(s);
    }
}


static void
tg_es_keep(char *buf, size_t max, uint8_t *len, const char *p, size_t n)
{
    if (n > max - *len) {
        n = max - *len;
    }

    memcpy(buf + *len, p, n);
    *len = (uint8_t) (*len + n);
}


/* n bytes, n > 0, all of them of the current state. */

static int
tg_es_take(tg_eventstream_t *s, const char *p, size_t n)
{
    switch (s->state) {

    case TG_ES_NAME:
        tg_es_keep(s->name, sizeof(s->name), &s->name_len, p, n);
        return TG_OK;

    case TG_ES_VALUE:
        tg_es_keep(s->value, sizeof(s->value), &s->value_len, p, n);
        return TG_OK;

    case TG_ES_SKIP:
        return TG_OK;

    case TG_ES_PAYLOAD:
        return tg_es_call(s, TG_EVENTSTREAM_PAYLOAD, tg_str_null,
                          tg_str_of(p, n));

    default: /* numbers: n fits, as need does */
        memcpy(s->buf + s->nbuf, p, n);
        s->nbuf = (uint8_t) (s->nbuf + n);
        return TG_OK;
    }
}


void
tg_eventstream_init(tg_eventstream_t *s, tg_eventstream_handler_t handler,
    void *data)
{
    memset(s, 0, sizeof(tg_eventstream_t));

    s->handler = handler;
    s->data = data;
    s->need = TG_ES_PRELUDE_LEN;
}


int
tg_eventstream_feed(tg_eventstream_t *s, const char *p, size_t n)
{
    size_t  k;

    if (s->error != TG_EVENTSTREAM_E_NONE) {
        return TG_ERROR;
    }

    while (n != 0) {
        k = n < s->need ? n : s->need;

        if (s->state != TG_ES_CRC) {
            s->crc = tg_crc32(s->crc, p, k);
        }

        if (tg_es_take(s, p, k) != TG_OK) {
            return TG_ERROR;
        }

        p += k;
        n -= k;
        s->need -= (uint32_t) k;

        if (s->need == 0 && tg_es_done(s) != TG_OK) {
            return TG_ERROR;
        }
    }

    return TG_OK;
}


int
tg_eventstream_finish(tg_eventstream_t *s)
{
    if (s->error != TG_EVENTSTREAM_E_NONE) {
        return TG_ERROR;
    }

    if (s->state != TG_ES_PRELUDE || s->nbuf != 0) {
        return tg_es_error(s, TG_EVENTSTREAM_E_TRUNCATED);
    }

    return TG_OK;
}
