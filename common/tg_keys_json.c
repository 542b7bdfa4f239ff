#include "tg_keys_int.h"

#include "tg_json_string.h"

#include <stdio.h>

#define TG_KEYS_DEPTH    8
#define TG_KEYS_MEMBERS  64             /* of an object */


int
tg_keys_syntax(const tg_keys_read_t *r, unsigned line, const char *problem)
{
    char  file[64];

    tg_keys_shown(file, sizeof(file), r->name);

    return tg_error(r->err, TG_KEYS_SYNTAX, line, "%s:%u: %s", file, line,
                    problem);
}


void
tg_keys_skip(tg_keys_read_t *r)
{
    for ( /* void */ ; r->p < r->end; r->p++) {
        if (*r->p == '\n') {
            r->line++;

        } else if (*r->p != ' ' && *r->p != '\t' && *r->p != '\r') {
            return;
        }
    }
}


bool
tg_keys_take(tg_keys_read_t *r, char c)
{
    tg_keys_skip(r);

    if (r->p == r->end || *r->p != c) {
        return false;
    }

    r->p++;

    return true;
}


/* Four hexadecimal digits, known to be such. */
static uint32_t
tg_keys_unit(const char *p)
{
    uint32_t  u = 0;

    for (unsigned i = 0; i < 4; i++) {
        u = u << 4 | (uint32_t) (p[i] <= '9' ? p[i] - '0'
                                             : tg_lower(p[i]) - 'a' + 10);
    }

    return u;
}


/*
 * The character of the escape \uXXXX at *p, which moves behind it (and behind
 * the second half of a pair); 0 where it is none that a text may have.
 */
static uint32_t
tg_keys_escape_u(const char **p, const char *end)
{
    uint32_t  c = tg_keys_unit(*p + 2), low;

    *p += 6;

    if (c < 0xd800 || c > 0xdfff) {
        return c;
    }

    if (c > 0xdbff || end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u') {
        return 0;
    }

    low = tg_keys_unit(*p + 2);
    *p += 6;

    return low < 0xdc00 || low > 0xdfff
           ? 0 : 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
}


static char *
tg_keys_put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        *out++ = (char) c;
        return out;
    }

    if (c < 0x800) {
        *out++ = (char) (0xc0 | c >> 6);

    } else {
        if (c < 0x10000) {
            *out++ = (char) (0xe0 | c >> 12);

        } else {
            *out++ = (char) (0xf0 | c >> 18);
            *out++ = (char) (0x80 | (c >> 12 & 0x3f));
        }
        *out++ = (char) (0x80 | (c >> 6 & 0x3f));
    }

    *out++ = (char) (0x80 | (c & 0x3f));

    return out;
}


/* Valid text with escapes, decoded; {NULL, 0} with the error set. */
static tg_str_t
tg_keys_unescape(tg_keys_read_t *r, tg_str_t raw)
{
    static const char   from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char               *start = tg_alloc(r->keys->mem, raw.len + 1);
    char               *out = start;
    uint32_t            c;
    const char         *p = raw.p, *end = raw.p + raw.len;

    if (start == NULL) {
        (void) tg_keys_no_memory(r);
        return tg_str_null;
    }

    while (p < end) {
        if (*p != '\\') {
            *out++ = *p++;

        } else if (p[1] != 'u') {
            *out++ = to[strchr(from, p[1]) - from];
            p += 2;

        } else {
            c = tg_keys_escape_u(&p, end);

            if (c == 0) {
                (void) tg_keys_syntax(r, r->line, "an escape of a NUL or of"
                                      " half a character in a string");
                return tg_str_null;
            }

            out = tg_keys_put_utf8(out, c);
        }
    }

    return tg_str_of(start, (size_t) (out - start));
}


int
tg_keys_quoted(tg_keys_read_t *r, tg_str_t *out)
{
    const char         *start, *stop;
    tg_json_string_t    st;
    tg_json_errcode_t   code = TG_JSON_E_NONE;

    tg_keys_skip(r);

    if (r->p == r->end || *r->p != '"') {
        return tg_keys_syntax(r, r->line, "expected a string in quotes");
    }

    start = r->p + 1;
    tg_json_string_init(&st);
    stop = tg_json_string_skip(&st, start, r->end, &code);

    if (code != TG_JSON_E_NONE || stop == r->end) {
        return tg_keys_syntax(r, r->line, code == TG_JSON_E_NONE
                              ? "a string without an end"
                              : code == TG_JSON_E_CONTROL
                              ? "a control character in a string, or a string"
                                " without an end"
                              : tg_json_strerror(code));
    }

    r->p = stop + 1;
    *out = tg_str_of(start, (size_t) (stop - start));

    if (memchr(start, '\\', out->len) != NULL) {
        *out = tg_keys_unescape(r, *out);
    }

    return out->p == NULL ? TG_ERROR : TG_OK;
}


static size_t
tg_keys_digits(const char *p, const char *end)
{
    size_t  n = 0;

    while (p + n < end && p[n] >= '0' && p[n] <= '9') {
        n++;
    }

    return n;
}


/* The length of the number at p; 0 where there is none. */
static size_t
tg_keys_number(const char *start, const char *end)
{
    size_t       n;
    const char  *p = start;

    p += p < end && *p == '-';
    n = tg_keys_digits(p, end);

    if (n == 0 || (n > 1 && *p == '0')) {
        return 0;
    }

    p += n;

    if (p < end && *p == '.') {
        n = tg_keys_digits(p + 1, end);
        if (n == 0) {
            return 0;
        }
        p += n + 1;
    }

    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        p += p < end && (*p == '-' || *p == '+');
        n = tg_keys_digits(p, end);
        if (n == 0) {
            return 0;
        }
        p += n;
    }

    return (size_t) (p - start);
}


static int
tg_keys_scalar(tg_keys_read_t *r, tg_keys_node_t *node)
{
    static const struct {
        tg_str_t         text;
        tg_keys_type_t   type;
    }  words[] = {
        { TG_STR("true"), TG_KEYS_TRUE },
        { TG_STR("false"), TG_KEYS_FALSE },
        { TG_STR("null"), TG_KEYS_NULL }
    };
    size_t    n;
    tg_str_t  rest = tg_str_of(r->p, (size_t) (r->end - r->p));

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (tg_str_starts(rest, words[i].text)) {
            node->type = words[i].type;
            r->p += words[i].text.len;
            return TG_OK;
        }
    }

    n = tg_keys_number(r->p, r->end);

    if (n == 0) {
        return tg_keys_syntax(r, r->line, "expected a value");
    }

    node->type = TG_KEYS_NUMBER;
    node->value = tg_str_of(r->p, n);
    r->p += n;

    return TG_OK;
}


static int
tg_keys_name(tg_keys_read_t *r, tg_keys_node_t *object, tg_str_t *name)
{
    if (tg_keys_quoted(r, name) != TG_OK) {
        return TG_ERROR;
    }

    if (!tg_keys_take(r, ':')) {
        return tg_keys_syntax(r, r->line, "expected ':'");
    }

    for (tg_keys_node_t *e = object->first; e != NULL; e = e->next) {
        if (tg_str_eq(e->name, *name)) {
            return tg_keys_syntax(r, r->line, "a duplicate name in an object");
        }
    }

    return object->n == TG_KEYS_MEMBERS
           ? tg_keys_syntax(r, r->line, "an object of too many members")
           : TG_OK;
}


static tg_keys_node_t *
tg_keys_parse(tg_keys_read_t *r, unsigned depth)
{
    int               rc;
    tg_str_t          name = tg_str_null;
    tg_keys_node_t   *node, **last;

    tg_keys_skip(r);

    if (r->nnodes == TG_KEYS_NODES || depth == TG_KEYS_DEPTH) {
        (void) tg_keys_syntax(r, r->line, depth == TG_KEYS_DEPTH
                              ? "nested too deep" : "a record that is too"
                                                    " large");
        return NULL;
    }

    node = &r->nodes[r->nnodes++];
    memset(node, 0, sizeof(tg_keys_node_t));
    node->line = r->line;

    if (r->p < r->end && *r->p == '"') {
        node->type = TG_KEYS_STRING;
        return tg_keys_quoted(r, &node->value) == TG_OK ? node : NULL;
    }

    if (r->p == r->end || (*r->p != '{' && *r->p != '[')) {
        return tg_keys_scalar(r, node) == TG_OK ? node : NULL;
    }

    node->type = *r->p++ == '{' ? TG_KEYS_OBJECT : TG_KEYS_ARRAY;

    for (last = &node->first; ; last = &(*last)->next) {
        if (tg_keys_take(r, node->type == TG_KEYS_OBJECT ? '}' : ']')) {
            return node;
        }

        if (node->n != 0 && !tg_keys_take(r, ',')) {
            (void) tg_keys_syntax(r, r->line, node->type == TG_KEYS_OBJECT
                                  ? "expected ',' or '}'"
                                  : "expected ',' or ']'");
            return NULL;
        }

        rc = node->type == TG_KEYS_OBJECT ? tg_keys_name(r, node, &name)
                                          : TG_OK;

        *last = rc == TG_OK ? tg_keys_parse(r, depth + 1) : NULL;

        if (*last == NULL) {
            return NULL;
        }

        (*last)->name = name;
        node->n++;
    }
}


const tg_keys_node_t *
tg_keys_value(tg_keys_read_t *r)
{
    r->nnodes = 0;

    return tg_keys_parse(r, 0);
}


const tg_keys_node_t *
tg_keys_member(const tg_keys_node_t *v, const char *name)
{
    tg_str_t  s = tg_strz(name);

    if (v->type != TG_KEYS_OBJECT) {
        return NULL;
    }

    for (const tg_keys_node_t *e = v->first; e != NULL; e = e->next) {
        if (tg_str_eq(e->name, s)) {
            return e;
        }
    }

    return NULL;
}
