#include "record.h"
#include "scan.h"

#include "tg_money.h"
#include "tg_rfc3339.h"

#include <pthread.h>

#define NAMES_SLOTS  1024               /* the first one is kept free */
#define NAME_MAX     64

typedef enum {
    FIELD_TEXT = 0,
    FIELD_NUMBER,
    FIELD_NANO,                         /* times 10^9 */
    FIELD_FLAG
} field_kind_t;

typedef struct {
    char           name[NAME_MAX - 3];  /* and the "\":" that is behind it */
    uint8_t        len;                 /* of the name; 0: an empty slot */
    uint8_t        kind;                /* field_kind_t */
    uint8_t        id;
} field_t;

typedef struct {
    scan_t                s;
    record_t             *r;
    const record_want_t  *want;
    unsigned              field;        /* the last one's slot */
} line_t;

#define TEXT_NAME(id, name)    TG_STR(name),
#define NUMBER_NAME(id, name)  TG_STR(name),

static const tg_str_t  texts[] = { RECORD_TEXTS(TEXT_NAME) };
static const tg_str_t  numbers[] = { RECORD_NUMBERS(NUMBER_NAME) };
static const tg_str_t  flags[] = { RECORD_FLAGS(TEXT_NAME) };

static field_t         fields[NAMES_SLOTS];
static pthread_once_t  fields_once = PTHREAD_ONCE_INIT;

/* Lines are alike: the slot of the field that came behind each, when it was
 * last met. */
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


void
record_want_texts(record_want_t *w, const record_text_t *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        record_want_text(w, list[i]);
    }
}


void
record_want_numbers(record_want_t *w, const record_number_t *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        record_want_number(w, list[i]);
    }
}


/* What is in the line as a decimal fraction of dollars, seconds, or
 * anything. */
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

    memcpy(fields[at].name, name, len);
    memcpy(fields[at].name + len, "\":", 2);
    fields[at].len = (uint8_t) len;
    fields[at].kind = (uint8_t) kind;
    fields[at].id = (uint8_t) id;
}


/* By its name in both formats. */
static void
field_add_both(tg_str_t name, field_kind_t kind, unsigned id)
{
    bool    same = true;
    char    under[NAME_MAX];
    size_t  len = 0;

    field_add(name.p, name.len, kind, id);

    for (size_t i = name.p[0] == '@'; i < name.len; i++) {
        under[len++] = name.p[i] == '.' ? '_' : name.p[i];
        same = same && name.p[i] == under[len - 1];
    }

    if (!same || len != name.len) {
        field_add(under, len, kind, id);
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


static void
take_tag(line_t *l, tg_str_t name, bool name_escaped, tg_str_t v, bool escaped)
{
    record_t  *r = l->r;

    if (l->want->tags && r->ntags < RECORD_TAGS_MAX && v.len != 0) {
        r->tags[r->ntags].name = scan_text(name, name_escaped);
        r->tags[r->ntags].value = scan_text(v, escaped);
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


/* n is 8 at least. */
static inline bool
same_bytes(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n - 8; i += 8) {
        if (load8(a + i) != load8(b + i)) {
            return false;
        }
    }

    return load8(a + n - 8) == load8(b + n - 8);
}


/* The name that is likely to come, with what is around it. */
static const field_t *
line_likely(line_t *l)
{
    const field_t  *f = &fields[behind[l->field]];

    if (f->len < 6 || l->s.end - l->s.p < f->len + 3 || l->s.p[0] != '"'
        || !same_bytes(l->s.p + 1, f->name, f->len + 2u))
    {
        return NULL;
    }

    l->field = behind[l->field];
    l->s.p += f->len + 3;

    return f;
}


/* "name": */
static bool
line_name(line_t *l, tg_str_t *name, bool *escaped)
{
    if (l->s.p == l->s.end || *l->s.p++ != '"'
        || !scan_string(&l->s, name, escaped))
    {
        return false;
    }

    scan_space(&l->s);

    return l->s.p != l->s.end && *l->s.p++ == ':';
}


static bool
take_field(line_t *l, const field_t *f, tg_str_t v, bool escaped)
{
    record_t  *r = l->r;

    switch ((field_kind_t) f->kind) {

    case FIELD_TEXT:
        if (l->want->text >> f->id & 1) {
            r->text[f->id] = scan_text(v, escaped);
        } else if (!escaped) {
            r->text[f->id] = v;
        }
        return true;

    case FIELD_FLAG:
        if (tg_str_eq(v, tg_str("true"))) {
            r->flags |= UINT32_C(1) << f->id;
        }
        return true;

    default:
        return !(l->want->number >> f->id & 1)
               || take_number(r, f->id, v, f->kind == FIELD_NANO);
    }
}


/* "name":value */
static bool
line_member(line_t *l)
{
    bool            name_escaped = false, escaped;
    tg_str_t        name = tg_str_null, v;
    const field_t  *f = line_likely(l);

    if (f == NULL && !line_name(l, &name, &name_escaped)) {
        return false;
    }

    scan_space(&l->s);

    if (l->s.p == l->s.end || !scan_value(&l->s, &v, &escaped)) {
        return false;
    }

    if (f == NULL) {
        f = field_find(name.p, name.len);

        if (f != NULL) {
            behind[l->field] = (uint16_t) (f - fields);
            l->field = (unsigned) (f - fields);
        }
    }

    if (f != NULL) {
        return take_field(l, f, v, escaped);
    }

    if (tg_str_starts(name, tg_str("llm.tags."))
        || tg_str_starts(name, tg_str("llm_tags_")))
    {
        name.p += sizeof("llm.tags.") - 1;
        name.len -= sizeof("llm.tags.") - 1;
        take_tag(l, name, name_escaped, v, escaped);
    }

    return true;
}


/* All of s. */
static bool
line_object(line_t *l)
{
    scan_space(&l->s);

    if (l->s.p == l->s.end || *l->s.p++ != '{') {
        return false;
    }

    for ( ;; ) {
        scan_space(&l->s);

        if (!line_member(l)) {
            return false;
        }

        scan_space(&l->s);

        if (l->s.p == l->s.end) {
            return false;
        }

        if (*l->s.p++ == ',') {
            continue;
        }

        if (l->s.p[-1] != '}') {
            return false;
        }

        scan_space(&l->s);

        return l->s.p == l->s.end;
    }
}


bool
record_parse(record_t *r, char *line, size_t n, const record_want_t *want)
{
    record_want_t  w = *want;
    line_t         l = { { line, line + n }, r, &w, 0 };

    (void) pthread_once(&fields_once, fields_init);

    memset(r, 0, offsetof(record_t, tags));
    record_want_number(&w, REC_SCHEMA);

    if (!line_object(&l)) {
        return false;
    }

    r->time = tg_rfc3339_parse(r->text[REC_TIMESTAMP]);

    return r->time >= 0 && (r->text[REC_EVENT_ID].len != 0
                            || record_has(r, REC_SCHEMA));
}
