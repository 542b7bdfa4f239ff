#include "tg_sse.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum {
    TG_SSE_LINE = 0,        /* at the start of a line */
    TG_SSE_FIELD,           /* in a field's name */
    TG_SSE_SPACE,           /* behind the colon */
    TG_SSE_VALUE,
    TG_SSE_STOPPED
};

enum {
    TG_SSE_F_OTHER = 0,
    TG_SSE_F_DATA,
    TG_SSE_F_EVENT
};

#define TG_SSE_BOM_DONE  3


/* The first CR or LF in [p, last), else last. */

#ifdef __SSE2__

static inline __m128i
tg_sse_load(const char *p)
{
    return _mm_loadu_si128((const __m128i *) (const void *) p);
}


static const char *
tg_sse_eol(const char *p, const char *last)
{
    int            mask;
    __m128i        v;
    const __m128i  lf = _mm_set1_epi8('\n');
    const __m128i  cr = _mm_set1_epi8('\r');

    /* most lines are long, and have no byte that is as small */

    for ( ; last - p >= 64; p += 64) {
        v = _mm_min_epu8(_mm_min_epu8(tg_sse_load(p), tg_sse_load(p + 16)),
                         _mm_min_epu8(tg_sse_load(p + 32),
                                      tg_sse_load(p + 48)));

        if (_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(v, cr), v)) != 0) {
            break;
        }
    }

    for ( ; last - p >= 16; p += 16) {
        v = tg_sse_load(p);
        mask = _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(v, lf),
                                              _mm_cmpeq_epi8(v, cr)));
        if (mask != 0) {
            return p + __builtin_ctz((unsigned) mask);
        }
    }

    while (p < last && *p != '\n' && *p != '\r') {
        p++;
    }

    return p;
}

#else

static const char *
tg_sse_eol(const char *p, const char *last)
{
    uint64_t        w, lf, cr;
    const uint64_t  ones = 0x0101010101010101u;

    for ( ; last - p >= 8; p += 8) {
        memcpy(&w, p, 8);

        lf = w ^ (ones * '\n');
        cr = w ^ (ones * '\r');

        if ((((lf - ones) & ~lf) | ((cr - ones) & ~cr)) & (ones << 7)) {
            break;
        }
    }

    while (p < last && *p != '\n' && *p != '\r') {
        p++;
    }

    return p;
}

#endif


static uint64_t
tg_sse_at(const tg_sse_t *s, const char *p)
{
    return s->offset + (uint64_t) (p - s->piece);
}


static int
tg_sse_call(tg_sse_t *s, tg_sse_type_t type, const char *p, size_t n)
{
    if (s->handler(s->data, s, type, p, n) != 0) {
        s->state = TG_SSE_STOPPED;
        return TG_ERROR;
    }

    return TG_OK;
}


static int
tg_sse_end(tg_sse_t *s, uint64_t end)
{
    s->event_end = end;

    if (tg_sse_call(s, TG_SSE_END, NULL, 0) != TG_OK) {
        return TG_ERROR;
    }

    s->event_start = end;
    s->has_data = false;
    s->block = false;
    s->name_len = 0;

    return TG_OK;
}


static const char *
tg_sse_bom(tg_sse_t *s, const char *p, const char *last)
{
    static const char  bom[] = "\xef\xbb\xbf";

    while (p < last && s->bom < TG_SSE_BOM_DONE) {

        if (*p != bom[s->bom]) {

            if (s->bom != 0) {
                /* what looked like a BOM begins the name of a field */
                s->field_len = sizeof(s->field_name);
                s->block = true;
                s->state = TG_SSE_FIELD;
            }

            s->bom = TG_SSE_BOM_DONE;
            break;
        }

        s->bom++;
        p++;
    }

    return p;
}


/* Leaves a line at its CR or LF. */

static const char *
tg_sse_newline(tg_sse_t *s, const char *p)
{
    s->after_cr = (*p == '\r');
    s->state = TG_SSE_LINE;

    return p + 1;
}


static const char *
tg_sse_blank(tg_sse_t *s, const char *p, const char *last)
{
    p = tg_sse_newline(s, p);

    if (s->after_cr && p < last && *p == '\n') {
        s->after_cr = false;
        p++;
    }

    if (s->block && tg_sse_end(s, tg_sse_at(s, p)) != TG_OK) {
        return NULL;
    }

    return p;
}


static int
tg_sse_data_line(tg_sse_t *s, uint64_t at)
{
    bool  first = !s->has_data;

    s->field = TG_SSE_F_DATA;
    s->has_data = true;
    s->block = true;

    if (first) {
        return TG_OK;
    }

    s->data_offset = at;

    return tg_sse_call(s, TG_SSE_DATA, "\n", 1);
}


/* The field's name is complete; its value begins at offset `at`. */

static int
tg_sse_field(tg_sse_t *s, uint64_t at)
{
    s->state = TG_SSE_SPACE;
    s->field = TG_SSE_F_OTHER;

    if (s->field_len == 4 && memcmp(s->field_name, "data", 4) == 0) {
        return tg_sse_data_line(s, at);
    }

    if (s->field_len == 5 && memcmp(s->field_name, "event", 5) == 0) {
        s->field = TG_SSE_F_EVENT;
        s->name_len = 0;
    }

    return TG_OK;
}


static const char *
tg_sse_field_name(tg_sse_t *s, const char *p, const char *last)
{
    for ( ; p < last; p++) {

        if (*p == ':') {
            p++;
            return tg_sse_field(s, tg_sse_at(s, p)) == TG_OK ? p : NULL;
        }

        if (*p == '\n' || *p == '\r') {
            return tg_sse_field(s, tg_sse_at(s, p)) == TG_OK
                   ? tg_sse_newline(s, p) : NULL;
        }

        if (s->field_len < sizeof(s->field_name)) {
            s->field_name[s->field_len++] = *p;
        }
    }

    return p;
}


static const char *
tg_sse_line(tg_sse_t *s, const char *p, const char *last)
{
    if (*p == '\n' || *p == '\r') {
        return tg_sse_blank(s, p, last);
    }

    if (last - p > 5 && memcmp(p, "data:", 5) == 0) {
        p += 5;
        s->state = TG_SSE_SPACE;
        return tg_sse_data_line(s, tg_sse_at(s, p)) == TG_OK ? p : NULL;
    }

    s->block = true;

    if (last - p > 6 && memcmp(p, "event:", 6) == 0) {
        s->field = TG_SSE_F_EVENT;
        s->name_len = 0;
        s->state = TG_SSE_SPACE;
        return p + 6;
    }

    s->field_len = 0;
    s->state = TG_SSE_FIELD;

    return p;
}


static const char *
tg_sse_value(tg_sse_t *s, const char *p, const char *last)
{
    size_t       n;
    const char  *eol = tg_sse_eol(p, last);

    n = (size_t) (eol - p);

    if (n != 0 && s->field == TG_SSE_F_DATA) {
        s->data_offset = tg_sse_at(s, p);

        if (tg_sse_call(s, TG_SSE_DATA, p, n) != TG_OK) {
            return NULL;
        }

    } else if (s->field == TG_SSE_F_EVENT) {
        if (n > (size_t) (TG_SSE_NAME_MAX - s->name_len)) {
            n = (size_t) (TG_SSE_NAME_MAX - s->name_len);
        }

        memcpy(s->name + s->name_len, p, n);
        s->name_len = (uint8_t) (s->name_len + n);
    }

    return eol == last ? last : tg_sse_newline(s, eol);
}


static const char *
tg_sse_step(tg_sse_t *s, const char *p, const char *last)
{
    if (s->after_cr) {
        s->after_cr = false;

        if (*p == '\n') {
            if (s->event_start == tg_sse_at(s, p)) {
                s->event_start++;
            }
            return p + 1;
        }
    }

    switch (s->state) {

    case TG_SSE_LINE:
        return tg_sse_line(s, p, last);

    case TG_SSE_FIELD:
        return tg_sse_field_name(s, p, last);

    case TG_SSE_SPACE:
        s->state = TG_SSE_VALUE;
        if (*p == ' ') {
            return p + 1;
        }

        return tg_sse_value(s, p, last);

    case TG_SSE_VALUE:
        return tg_sse_value(s, p, last);

    default: /* TG_SSE_STOPPED */
        return NULL;
    }
}


void
tg_sse_init(tg_sse_t *s, tg_sse_handler_t handler, void *data)
{
    memset(s, 0, sizeof(tg_sse_t));

    s->handler = handler;
    s->data = data;
}


int
tg_sse_feed(tg_sse_t *s, const char *p, size_t n)
{
    const char  *last;

    if (s->state == TG_SSE_STOPPED) {
        return TG_ERROR;
    }

    if (n == 0) {
        return TG_OK;
    }

    last = p + n;
    s->piece = p;

    if (s->bom < TG_SSE_BOM_DONE) {
        p = tg_sse_bom(s, p, last);
    }

    while (p < last) {
        p = tg_sse_step(s, p, last);
        if (p == NULL) {
            return TG_ERROR;
        }
    }

    s->offset += n;

    return TG_OK;
}


int
tg_sse_finish(tg_sse_t *s)
{
    if (s->state == TG_SSE_STOPPED) {
        return TG_ERROR;
    }

    if (s->state == TG_SSE_FIELD && tg_sse_field(s, s->offset) != TG_OK) {
        return TG_ERROR;
    }

    s->state = TG_SSE_LINE;

    return s->has_data ? tg_sse_end(s, s->offset) : TG_OK;
}
