/* What all translations of requests read and write alike. */

#include "tg_translate_int.h"
#include "tg_json_int.h"
#include "tg_money.h"

#include <stdarg.h>
#include <stdio.h>

#define TG_TR_PATH_MAX  112

static int tg_tr_fail(tg_tr_t *tr, const tg_node_t *n, int code,
    const char *fmt, va_list args) __attribute__((format(printf, 4, 0)));


static int
tg_tr_fail(tg_tr_t *tr, const tg_node_t *n, int code, const char *fmt,
    va_list args)
{
    char    path[TG_TR_PATH_MAX], text[sizeof(tr->err->message)];
    size_t  len = tg_tree_path(tr->root, n, path, sizeof(path));

    (void) vsnprintf(text, sizeof(text), fmt, args);

    return tg_error(tr->err, code, (uint64_t) (n->p - tr->body.p), "%s%s%s",
                    path, len == 0 ? "" : ": ", text);
}


int
tg_tr_refused(tg_tr_t *tr, const tg_node_t *n, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    (void) tg_tr_fail(tr, n, TG_TRANSLATE_E_REFUSED, fmt, args);
    va_end(args);

    return TG_ERROR;
}


int
tg_tr_invalid(tg_tr_t *tr, const tg_node_t *n, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    (void) tg_tr_fail(tr, n, TG_TRANSLATE_E_INVALID, fmt, args);
    va_end(args);

    return TG_ERROR;
}


int
tg_tr_no_memory(tg_tr_t *tr)
{
    return tg_error(tr->err, TG_TRANSLATE_E_MEMORY, 0, "out of memory");
}


/* Is n, white space left out, one of the values? */
static bool
tg_tr_fine(const tg_node_t *n, const char *fine)
{
    const char  *p, *end = n->p + n->len, *q = fine;

    for ( ;; ) {
        p = n->p;

        while (p < end && (tg_json_is_space(*p) || *p == *q)) {
            q += !tg_json_is_space(*p);
            p++;
        }

        if (p == end && (*q == '|' || *q == '\0')) {
            return true;
        }

        q = strchr(q, '|');

        if (q == NULL) {
            return false;
        }
        q++;
    }
}


static const char *
tg_tr_type_name(unsigned types)
{
    static const struct {
        unsigned     types;
        const char  *name;
    } names[] = {
        { TG_TR_STRING, "a string" },
        { TG_TR_NUMBER, "a number" },
        { TG_TR_BOOL, "true or false" },
        { TG_TR_OBJECT, "an object" },
        { TG_TR_ARRAY, "an array" },
        { TG_TR_STRING | TG_TR_ARRAY, "a string or an array" },
        { TG_TR_STRING | TG_TR_OBJECT, "a string or an object" }
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].types == types) {
            return names[i].name;
        }
    }

    return "something else";
}


static int
tg_tr_field(tg_tr_t *tr, const tg_tr_field_t *f, const tg_node_t *member,
    const tg_node_t **slots)
{
    switch (f->what) {
    case TG_TR_DROP:
        return TG_OK;

    case TG_TR_REFUSE:
        if (f->fine != NULL && tg_tr_fine(member, f->fine)) {
            return TG_OK;
        }
        return tg_tr_refused(tr, member, "%.*s %s", (int) tr->target.len,
                             tr->target.p, f->why);

    default:
        if ((f->types & 1u << member->type) == 0) {
            return tg_tr_invalid(tr, member, "must be %s",
                                 tg_tr_type_name(f->types));
        }
        slots[f->slot] = member;
        return TG_OK;
    }
}


static const tg_tr_field_t *
tg_tr_find(const tg_tr_field_t *const tables[TG_TR_TABLES],
    const tg_node_t *member)
{
    for (size_t i = 0; i < TG_TR_TABLES && tables[i] != NULL; i++) {
        for (const tg_tr_field_t *f = tables[i]; f->name.p != NULL; f++) {
            if (tg_node_key_is(member, f->name)) {
                return f;
            }
        }
    }

    return NULL;
}


int
tg_tr_fields(tg_tr_t *tr, const tg_node_t *object,
    const tg_tr_field_t *const tables[TG_TR_TABLES], const tg_node_t **slots,
    size_t n)
{
    const tg_tr_field_t  *f;

    for (size_t i = 0; i < n; i++) {
        slots[i] = NULL;
    }

    if (object->type != TG_JSON_OBJECT) {
        return tg_tr_invalid(tr, object, "must be an object");
    }

    for (const tg_node_t *m = object->child; m != NULL; m = m->next) {
        f = tg_tr_find(tables, m);

        if (f == NULL) {
            return tg_tr_refused(tr, m, "not known, so %.*s can't be asked for"
                                 " it", (int) tr->target.len, tr->target.p);
        }

        if (m->type != TG_JSON_NULL && tg_tr_field(tr, f, m, slots) != TG_OK) {
            return TG_ERROR;
        }
    }

    return TG_OK;
}


int
tg_tr_object(tg_tr_t *tr, const tg_node_t *object, const tg_tr_field_t *table,
    const tg_node_t **slots, size_t n)
{
    const tg_tr_field_t *const  tables[TG_TR_TABLES] = { table };

    return tg_tr_fields(tr, object, tables, slots, n);
}


int
tg_tr_need(tg_tr_t *tr, const tg_node_t *object, const tg_node_t *member,
    const char *name)
{
    return member != NULL ? TG_OK
                          : tg_tr_invalid(tr, object, "has no %s", name);
}


int
tg_tr_word(const tg_node_t *n, const tg_str_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (tg_node_is(n, words[i])) {
            return (int) i;
        }
    }

    return -1;
}


bool
tg_tr_true(const tg_node_t *n)
{
    return n != NULL && n->type == TG_JSON_TRUE;
}


int
tg_tr_count(tg_tr_t *tr, const tg_node_t *n, int64_t least, int64_t *v)
{
    if (!tg_node_int(n, v) || *v < least) {
        return tg_tr_invalid(tr, n, "must be an integer from %d up",
                             (int) least);
    }

    return TG_OK;
}


int
tg_tr_range(tg_tr_t *tr, const tg_node_t *n, unsigned most)
{
    /* its parser takes any decimal number that is not negative */
    int64_t  v = tg_money_parse(tg_node_raw(n), 6);

    if (v < 0 || v > (int64_t) most * 1000000) {
        return tg_tr_refused(tr, n, "%.*s takes 0 to %u",
                             (int) tr->target.len, tr->target.p, most);
    }

    return TG_OK;
}


bool
tg_tr_blank(const tg_node_t *n)
{
    tg_str_t  s = tg_node_inside(n);

    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '\\' && memchr("ntr", s.p[i + 1], 3) != NULL) {
            i++;

        } else if (s.p[i] != ' ') {
            return false;
        }
    }

    return true;
}


bool
tg_tr_is_word(const tg_node_t *n, size_t max)
{
    tg_str_t  s = tg_node_inside(n);

    if (n->escaped || s.len == 0 || s.len > max) {
        return false;
    }

    for (size_t i = 0; i < s.len; i++) {
        char  c = tg_lower(s.p[i]);

        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_'
            && c != '-')
        {
            return false;
        }
    }

    return true;
}


void
tg_tr_member_lit(tg_tr_t *tr, tg_str_t name, tg_str_t json)
{
    tg_grow_lit(&tr->out, "\"");
    tg_grow_str(&tr->out, name);
    tg_grow_lit(&tr->out, "\":");
    tg_grow_str(&tr->out, json);
    tg_grow_lit(&tr->out, ",");
}


void
tg_tr_member(tg_tr_t *tr, tg_str_t name, const tg_node_t *value)
{
    if (value != NULL) {
        tg_tr_member_lit(tr, name, tg_node_raw(value));
    }
}


void
tg_tr_member_int(tg_tr_t *tr, tg_str_t name, int64_t value)
{
    tg_tr_member_lit(tr, name, tg_str(""));
    tg_grow_cut(&tr->out, tr->out.len - 1);
    tg_grow_int(&tr->out, value);
    tg_grow_lit(&tr->out, ",");
}


void
tg_tr_close(tg_tr_t *tr, tg_str_t bracket)
{
    tg_str_t  s = tg_grow_text(&tr->out);

    if (s.len != 0 && s.p[s.len - 1] == ',') {
        tg_grow_cut(&tr->out, s.len - 1);
    }

    tg_grow_str(&tr->out, bracket);
}


void
tg_tr_quoted(tg_tr_t *tr, tg_str_t raw)
{
    size_t  from = 0;
    bool    string = false;

    tg_grow_lit(&tr->out, "\"");

    for (size_t i = 0; i < raw.len; i++) {

        if (raw.p[i] == '"' || raw.p[i] == '\\') {
            tg_grow(&tr->out, raw.p + from, i - from);
            tg_grow_lit(&tr->out, "\\");
            from = i;

            if (raw.p[i] == '"') {
                string = !string;

            } else if (raw.p[++i] == '"' || raw.p[i] == '\\') {
                tg_grow_lit(&tr->out, "\\\\");
                from = i;
            }

        } else if (!string && tg_json_is_space(raw.p[i])) {
            tg_grow(&tr->out, raw.p + from, i - from);
            from = i + 1;
        }
    }

    tg_grow(&tr->out, raw.p + from, raw.len - from);
    tg_grow_lit(&tr->out, "\"");
}


int
tg_tr_schema(tg_tr_t *tr, const tg_node_t *schema,
    const tg_node_t *description)
{
    if (description == NULL) {
        tg_grow_str(&tr->out, tg_node_raw(schema));
        return TG_OK;
    }

    if (tg_node_get(schema, tg_str("description")) != NULL) {
        return tg_tr_refused(tr, description, "the schema has one, too");
    }

    tg_grow_lit(&tr->out, "{");
    tg_tr_member(tr, tg_str("description"), description);

    if (schema->child == NULL) {
        tg_tr_close(tr, tg_str(""));
    }

    tg_grow(&tr->out, schema->p + 1, schema->len - 1);

    return TG_OK;
}
