#include "record.h"

#include "tg_json_string.h"
#include "tg_money.h"
#include "tg_rfc3339.h"

#include <pthread.h>

#define NAMES_MAX    256                /* of both formats */
#define NAMES_SLOTS  1024               /* the first one is kept free */
#define NAME_MAX     64
#define DEPTH_MAX    64

typedef enum {
    FIELD_TEXT = 0,
    FIELD_NUMBER,
    FIELD_NANO,                         /* times 10^9 */
    FIELD_FLAG
} field_kind_t;

typedef struct {
    const char    *name;
    uint8_t        len;                 /* 0: an empty slot */
    uint8_t        kind;                /* field_kind_t */
    uint8_t        id;
} field_t;

typedef struct {
    char                 *p;
    char                 *end;
    record_t             *r;
    const record_want_t  *want;
    unsigned              field;        /* the last one's slot */
} scan_t;

#define TEXT_NAME(id, name)    TG_STR(name),
#define NUMBER_NAME(id, name)  TG_STR(name),

static const tg_str_t  texts[] = { RECORD_TEXTS(TEXT_NAME) };
static const tg_str_t  numbers[] = { RECORD_NUMBERS(NUMBER_NAME) };
static const tg_str_t  flags[] = { RECORD_FLAGS(TEXT_NAME) };

static field_t         fields[NAMES_SLOTS];
static char            under_names[NAMES_MAX][NAME_MAX];
static pthread_once_t  fields_once = PTHREAD_ONCE_INIT;

/* Lines are alike: the slot of the field that came behind each, when it was last
 * met. */
static _Thread_local uint16_t  behind[NAMES_SLOTS];


tg_str_t
record_text_name(record_text_t t)
{
    return texts[t];
}


tg_str_t
record_number_name(record_number_t n)
{
    return numbers[n];
}


/* What is in the line as a decimal fraction of dollars, seconds, or anything. */
static bool
is_nano(unsigned number)
{
    return (number >= REC_COST_INPUT && number <= REC_HOLD)
           || number == REC_GPU_NS || number == REC_FIRST_CHUNK
           || number == REC_OUTCOME_VALUE;
}


static inline uint64_t
load8(const char *p)
{
    uint64_t  w;

    memcpy(&w, p, sizeof(w));

    return w;
}


/* Names of one length differ in their first or last eight bytes, mostly. */
static inline unsigned
name_hash(const char *p, size_t n)
{
    uint64_t  h = n * UINT64_C(0x9e3779b97f4a7c15);

    if (n >= 8) {
        h ^= load8(p) * UINT64_C(0xff51afd7ed558ccd);
        h ^= load8(p + n - 8) * UINT64_C(0xc4ceb9fe1a85ec53);
        h ^= n >= 16 ? load8(p + n / 2 - 4) * UINT64_C(0xd6e8feb86659fd93) : 0;

    } else {
        while (n != 0) {
            h = (h ^ (uint8_t) p[--n]) * UINT64_C(0x100000001b3);
        }
    }

    h = (h ^ h >> 29) * UINT64_C(0x9e3779b97f4a7c15) >> 54;

    return h != 0 ? (unsigned) h : 1;
}


static void
field_add(const char *name, size_t len, field_kind_t kind, unsigned id)
{
    unsigned  at = name_hash(name, len);

    while (fields[at].len != 0) {
        at = at + 1 < NAMES_SLOTS ? at + 1 : 1;
    }

    fields[at].name = name;
    fields[at].len = (uint8_t) len;
    fields[at].kind = (uint8_t) kind;
    fields[at].id = (uint8_t) id;
}


/* By its name in both formats. */
static void
field_add_both(tg_str_t name, field_kind_t kind, unsigned id)
{
    static unsigned  n;

    bool    same = true;
    char   *under = under_names[n];
    size_t  len = 0;

    field_add(name.p, name.len, kind, id);

    for (size_t i = name.p[0] == '@'; i < name.len; i++) {
        under[len++] = name.p[i] == '.' ? '_' : name.p[i];
        same = same && name.p[i] == under[len - 1];
    }

    if (!same || len != name.len) {
        field_add(under, len, kind, id);
        n++;
    }
}


static void
fields_init(void)
{
    for (unsigned i = 0; i < REC_TEXTS; i++) {
        field_add_both(texts[i], FIELD_TEXT, i);
    }

    for (unsigned i = 0; i < REC_NUMBERS; i++) {
        field_add_both(numbers[i], is_nano(i) ? FIELD_NANO : FIELD_NUMBER, i);
    }

    for (unsigned i = 0; i < REC_FLAGS; i++) {
        field_add_both(flags[i], FIELD_FLAG, i);
    }
}


static const field_t *
field_find(const char *name, size_t len)
{
    unsigned  at = name_hash(name, len);

    while (fields[at].len != 0) {
        if (fields[at].len == len && memcmp(fields[at].name, name, len) == 0) {
            return &fields[at];
        }
        at = at + 1 < NAMES_SLOTS ? at + 1 : 1;
    }

    return NULL;
}


static inline void
skip_space(scan_t *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\r'))
    {
        s->p++;
    }
}


/* The value of a hex digit, or a negative number. */
static int
hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0'
           : tg_lower(c) >= 'a' && tg_lower(c) <= 'f' ? tg_lower(c) - 'a' + 10
           : -1;
}


/* Four hex digits at p, or -1. */
static int32_t
hex4(const char *p, const char *end)
{
    int32_t  v = 0;

    if (end - p < 4) {
        return -1;
    }

    for (int i = 0; i < 4; i++) {
        if (hex(p[i]) < 0) {
            return -1;
        }
        v = v << 4 | hex(p[i]);
    }

    return v;
}


static char *
put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = (char) c;

    } else if (c < 0x800) {
        *to++ = (char) (0xc0 | c >> 6);
        *to++ = (char) (0x80 | (c & 0x3f));

    } else if (c < 0x10000) {
        *to++ = (char) (0xe0 | c >> 12);
        *to++ = (char) (0x80 | (c >> 6 & 0x3f));
        *to++ = (char) (0x80 | (c & 0x3f));

    } else {
        *to++ = (char) (0xf0 | c >> 18);
        *to++ = (char) (0x80 | (c >> 12 & 0x3f));
        *to++ = (char) (0x80 | (c >> 6 & 0x3f));
        *to++ = (char) (0x80 | (c & 0x3f));
    }

    return to;
}


/* The character that "\u" at *p stands for, a pair of surrogates too; *p moves
 * behind it. */
static uint32_t
escaped_unicode(const char **p, const char *end)
{
    int32_t  c = hex4(*p + 2, end), low;

    *p += 6;

    if (c < 0xd800 || c > 0xdfff) {
        return (uint32_t) c;
    }

    if (c < 0xdc00 && end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u') {
        low = hex4(*p + 2, end);

        if (low >= 0xdc00 && low <= 0xdfff) {
            *p += 6;
            return 0x10000 + (((uint32_t) c & 0x3ff) << 10)
                   + ((uint32_t) low & 0x3ff);
        }
    }

    return 0xfffd;
}


/* In place: what is escaped is never shorter.  The escapes are valid. */
static size_t
unescape(char *text, size_t n)
{
    static const char  plain[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";

    char        *to = memchr(text, '\\', n);
    const char  *p = to, *end = text + n;

    while (p < end) {
        if (*p != '\\') {
            *to++ = *p++;

        } else if (p[1] == 'u') {
            to = put_utf8(to, escaped_unicode(&p, end));

        } else {
            *to++ = meant[strchr(plain, p[1]) - plain];
            p += 2;
        }
    }

    return (size_t) (to - text);
}


/* Behind the opening quote, to behind the closing one. False: it is none. */
static bool
scan_string(scan_t *s, tg_str_t *v, bool *escaped)
{
    char  *p = s->p;

    *escaped = false;

    for ( ;; ) {
        p = (char *) tg_json_plain(p, s->end);

        if (p == s->end) {
            return false;
        }

        if (*p == '"') {
            *v = tg_str_of(s->p, (size_t) (p - s->p));
            s->p = p + 1;
            return true;
        }

        if (*p == '\\') {
            if (s->end - p < 2 || p[1] == '\0'
                || strchr("\"\\/bfnrtu", p[1]) == NULL
                || (p[1] == 'u' && hex4(p + 2, s->end) < 0))
            {
                return false;
            }
            *escaped = true;
            p += 2;

        } else if ((uint8_t) *p >= 0x80) {
            do {
                p++;
            } while (p < s->end && (uint8_t) *p >= 0x80);

        } else {
            return false;
        }
    }
}


/* A JSON number's letters. */
static bool
scan_number(scan_t *s, tg_str_t *v)
{
    const char  *p = s->p, *digits;

    p += p < s->end && *p == '-';

    for (digits = p; p < s->end && *p >= '0' && *p <= '9'; p++) { /* void */ }

    if (p == digits || (*digits == '0' && p - digits > 1)) {
        return false;
    }

    if (p < s->end && *p == '.') {
        for (digits = ++p; p < s->end && *p >= '0' && *p <= '9'; p++) {
            /* void */
        }
        if (p == digits) {
            return false;
        }
    }

    if (p < s->end && tg_lower(*p) == 'e') {
        p++;
        p += p < s->end && (*p == '+' || *p == '-');
        for (digits = p; p < s->end && *p >= '0' && *p <= '9'; p++) {
            /* void */
        }
        if (p == digits) {
            return false;
        }
    }

    *v = tg_str_of(s->p, (size_t) (p - s->p));
    s->p = (char *) p;

    return true;
}


/* Whole, or times 10^9; rounded to that.  False: it is no number, or too large.
 */
static bool
number_of(tg_str_t v, bool nano, int64_t *n)
{
    bool     minus = v.len != 0 && v.p[0] == '-';
    int64_t  c = 0;
    size_t   i;

    v.p += minus;
    v.len -= minus;

    for (i = 0; i < v.len && i < 18 && v.p[i] >= '0' && v.p[i] <= '9'; i++) {
        c = c * 10 + (v.p[i] - '0');
    }

    if (nano || i != v.len || i == 0) {
        c = tg_money_parse(v, nano ? 9 : 0);
        if (c < 0) {
            return false;
        }
    }

    *n = minus ? -c : c;

    return true;
}


static bool
scan_literal(scan_t *s, tg_str_t *v)
{
    static const tg_str_t  literals[] = {
        TG_STR("true"), TG_STR("false"), TG_STR("null")
    };

    for (size_t i = 0; i < sizeof(literals) / sizeof(literals[0]); i++) {
        if (tg_str_starts(tg_str_of(s->p, (size_t) (s->end - s->p)),
                          literals[i]))
        {
            *v = literals[i];
            s->p += v->len;
            return true;
        }
    }

    return false;
}


/* What is not flat: brackets match, strings and what is between them are looked
 * at no closer than for that.  *first is the first string, where one is. */
static bool
scan_nested(scan_t *s, tg_str_t *first, bool *escaped)
{
    bool      more, had = false, is;
    char      stack[DEPTH_MAX];
    tg_str_t  v;
    unsigned  depth = 0;

    do {
        skip_space(s);

        if (s->p == s->end) {
            return false;
        }

        switch (*s->p) {

        case '[':
        case '{':
            if (depth == DEPTH_MAX) {
                return false;
            }
            stack[depth++] = *s->p++ == '[' ? ']' : '}';
            break;

        case ']':
        case '}':
            if (stack[--depth] != *s->p++) {
                return false;
            }
            break;

        case ',':
        case ':':
            s->p++;
            break;

        case '"':
            s->p++;
            if (!scan_string(s, &v, &is)) {
                return false;
            }
            if (!had) {
                *first = v;
                *escaped = is;
                had = true;
            }
            break;

        default:
            if (!scan_literal(s, &v) && !scan_number(s, &v)) {
                return false;
            }
        }

        more = depth != 0;
    } while (more);

    return true;
}


/* Of any kind: a string's text, a list's first, else as written; null and an
 * object are empty. */
static bool
scan_value(scan_t *s, tg_str_t *v, bool *escaped)
{
    char  c = *s->p;

    *escaped = false;

    if (c == '"') {
        s->p++;
        return scan_string(s, v, escaped);
    }

    if (c == '[' || c == '{') {
        *v = tg_str_null;
        if (!scan_nested(s, v, escaped)) {
            return false;
        }
        if (c == '{') {
            *v = tg_str_null;
        }
        return true;
    }

    if (c == '-' || (c >= '0' && c <= '9')) {
        return scan_number(s, v);
    }

    if (!scan_literal(s, v)) {
        return false;
    }

    if (c == 'n') {
        *v = tg_str_null;
    }

    return true;
}


static tg_str_t
plain_text(tg_str_t v, bool escaped)
{
    return escaped ? tg_str_of(v.p, unescape((char *) v.p, v.len)) : v;
}


static void
take_tag(scan_t *s, tg_str_t name, bool name_escaped, tg_str_t v, bool escaped)
{
    record_t  *r = s->r;

    if (s->want->tags && r->ntags < RECORD_TAGS_MAX && v.len != 0) {
        r->tags[r->ntags].name = plain_text(name, name_escaped);
        r->tags[r->ntags].value = plain_text(v, escaped);
        r->ntags++;
    }
}


static bool
take_number(record_t *r, unsigned id, tg_str_t v, bool nano)
{
    if (v.len == 0) {
        return true;
    }

    if (!number_of(v, nano, &r->number[id])) {
        return false;
    }

    r->has |= UINT64_C(1) << id;

    return true;
}


/* The name that is likely to come, with what is around it. */
static const field_t *
scan_likely(scan_t *s)
{
    const field_t  *f = &fields[behind[s->field]];

    if (f->len == 0 || s->end - s->p < f->len + 3
        || memcmp(s->p + 1, f->name, f->len) != 0 || s->p[0] != '"'
        || s->p[f->len + 1] != '"' || s->p[f->len + 2] != ':')
    {
        return NULL;
    }

    s->field = behind[s->field];
    s->p += f->len + 3;

    return f;
}


/* "name": */
static bool
scan_name(scan_t *s, tg_str_t *name, bool *escaped)
{
    if (s->p == s->end || *s->p++ != '"' || !scan_string(s, name, escaped)) {
        return false;
    }

    skip_space(s);

    return s->p != s->end && *s->p++ == ':';
}


static bool
take_field(scan_t *s, const field_t *f, tg_str_t v, bool escaped)
{
    record_t  *r = s->r;

    switch ((field_kind_t) f->kind) {

    case FIELD_TEXT:
        r->text[f->id] = s->want->text >> f->id & 1 ? plain_text(v, escaped)
                                                    : v;
        return true;

    case FIELD_FLAG:
        if (tg_str_eq(v, tg_str("true"))) {
            r->flags |= UINT32_C(1) << f->id;
        }
        return true;

    default:
        return !(s->want->number >> f->id & 1)
               || take_number(r, f->id, v, f->kind == FIELD_NANO);
    }
}


/* "name":value */
static bool
scan_member(scan_t *s)
{
    bool            name_escaped = false, escaped;
    tg_str_t        name = tg_str_null, v;
    const field_t  *f = scan_likely(s);

    if (f == NULL && !scan_name(s, &name, &name_escaped)) {
        return false;
    }

    skip_space(s);

    if (s->p == s->end || !scan_value(s, &v, &escaped)) {
        return false;
    }

    if (f == NULL) {
        f = field_find(name.p, name.len);

        if (f != NULL) {
            behind[s->field] = (uint16_t) (f - fields);
            s->field = (unsigned) (f - fields);
        }
    }

    if (f != NULL) {
        return take_field(s, f, v, escaped);
    }

    if (tg_str_starts(name, tg_str("llm.tags."))
        || tg_str_starts(name, tg_str("llm_tags_")))
    {
        name.p += sizeof("llm.tags.") - 1;
        name.len -= sizeof("llm.tags.") - 1;
        take_tag(s, name, name_escaped, v, escaped);
    }

    return true;
}


/* All of s. */
static bool
scan_object(scan_t *s)
{
    skip_space(s);

    if (s->p == s->end || *s->p++ != '{') {
        return false;
    }

    for ( ;; ) {
        skip_space(s);

        if (!scan_member(s)) {
            return false;
        }

        skip_space(s);

        if (s->p == s->end) {
            return false;
        }

        if (*s->p++ == ',') {
            continue;
        }

        if (s->p[-1] != '}') {
            return false;
        }

        skip_space(s);

        return s->p == s->end;
    }
}


bool
record_parse(record_t *r, char *line, size_t n, const record_want_t *want)
{
    record_want_t  w = *want;
    scan_t         s = { line, line + n, r, &w, 0 };

    (void) pthread_once(&fields_once, fields_init);

    memset(r, 0, offsetof(record_t, tags));
    record_want_number(&w, REC_SCHEMA);

    if (!scan_object(&s)) {
        return false;
    }

    r->time = tg_rfc3339_parse(r->text[REC_TIMESTAMP]);

    return r->time >= 0 && (r->text[REC_EVENT_ID].len != 0
                            || record_has(r, REC_SCHEMA));
}
