#include "tg_call_int.h"

#include <jansson.h>

#define TG_TAG_VALUE_MAX    256
#define TG_JSON_HEADER_MAX  8192

#define TG_TRACEPARENT_LEN  55      /* of version 00 */


static int
tg_hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c = tg_lower(c);

    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}


/* Percent-decodes a baggage value (https://www.w3.org/TR/baggage/ 3.3.1.3). */
static tg_str_t
tg_baggage_decode(tg_mem_t *mem, tg_str_t s)
{
    char    *out;
    size_t   n = 0;
    int      hi, lo;

    if (memchr(s.p, '%', s.len) == NULL) {
        return s;
    }

    out = tg_alloc(mem, s.len);
    if (out == NULL) {
        return tg_str_null;
    }

    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '%' && i + 2 < s.len
            && (hi = tg_hex(s.p[i + 1])) >= 0
            && (lo = tg_hex(s.p[i + 2])) >= 0)
        {
            out[n++] = (char) (hi << 4 | lo);
            i += 2;
            continue;
        }
        out[n++] = s.p[i];
    }

    return tg_str_of(out, n);
}


/* key=value;property, key2=value2 */
static tg_str_t
tg_baggage(tg_mem_t *mem, tg_str_t list, tg_str_t key)
{
    const char  *comma, *eq, *semi;
    tg_str_t     member, value;

    while (list.len != 0) {
        comma = memchr(list.p, ',', list.len);
        member = comma == NULL ? list
                 : tg_str_of(list.p, (size_t) (comma - list.p));
        list = comma == NULL ? tg_str_null
               : tg_str_of(comma + 1, list.len - member.len - 1);

        eq = memchr(member.p, '=', member.len);
        if (eq == NULL
            || !tg_str_eq(tg_str_trim(tg_str_of(member.p,
                                            (size_t) (eq - member.p))), key))
        {
            continue;
        }

        value = tg_str_of(eq + 1, member.len - (size_t) (eq - member.p) - 1);
        semi = memchr(value.p, ';', value.len);
        if (semi != NULL) {
            value.len = (size_t) (semi - value.p);
        }

        return tg_baggage_decode(mem, tg_str_trim(value));
    }

    return tg_str_null;
}


static bool
tg_trace_hex(tg_str_t s)
{
    bool  zero = true;

    for (size_t i = 0; i < s.len; i++) {
        if (tg_hex(s.p[i]) < 0 || s.p[i] != tg_lower(s.p[i])) {
            return false;
        }
        zero = zero && s.p[i] == '0';
    }

    return !zero;
}


/* version-traceid-parentid-flags, https://www.w3.org/TR/trace-context/ 3.2 */
static tg_str_t
tg_traceparent(tg_str_t s)
{
    if (s.len < TG_TRACEPARENT_LEN || s.p[2] != '-' || s.p[35] != '-' || s.p[52] != '-'
        || !tg_trace_hex(tg_str_of(s.p + 3, 32))
        || !tg_trace_hex(tg_str_of(s.p + 36, 16)))
    {
        return tg_str_null;
    }

    return tg_str_of(s.p, TG_TRACEPARENT_LEN);
}


/* Begun here: the trace is named like the call, and the call is its first span,
 * whose id is the call's own last 16 digits: both are 62 random bits and more. */
static tg_str_t
tg_trace_make(tg_call_t *call)
{
    char  *buf = tg_alloc(call->mem, TG_TRACEPARENT_LEN), *p = buf;

    if (buf == NULL) {
        return tg_str_null;
    }

    memcpy(p, "00-", 3);
    p += 3;

    for (unsigned i = 0; i < TG_ID_LEN; i++) {
        if (call->id[i] != '-') {
            *p++ = call->id[i];
        }
    }

    *p++ = '-';
    memcpy(p, p - 17, 16);
    memcpy(p + 16, "-01", 3);

    call->traced = true;

    return tg_str_of(buf, TG_TRACEPARENT_LEN);
}


bool
tg_call_trace(const tg_call_t *call, tg_header_t *header)
{
    if (!call->traced) {
        return false;
    }

    header->name = tg_str("traceparent");
    header->value = call->traceparent;

    return true;
}


static tg_str_t
tg_json_header(tg_mem_t *mem, tg_str_t text, tg_str_t field)
{
    json_t    *root, *v;
    char       number[32];
    tg_str_t   out = tg_str_null;
    tg_text_t  t;

    if (text.len == 0 || text.len > TG_JSON_HEADER_MAX) {
        return out;
    }

    root = json_loadb(text.p, text.len, 0, NULL);
    if (root == NULL) {
        return out;
    }

    v = json_object_get(root, field.p);

    if (json_is_string(v)) {
        out = tg_dup(mem, tg_str_of(json_string_value(v),
                                    json_string_length(v)));

    } else if (json_is_integer(v)) {
        tg_text_init(&t, number, sizeof(number));
        tg_put_int(&t, json_integer_value(v));
        out = tg_dup(mem, tg_str_of(number, (size_t) (t.p - number)));

    } else if (json_is_boolean(v)) {
        out = json_is_true(v) ? tg_str("true") : tg_str("false");
    }

    json_decref(root);

    return out;
}


static tg_str_t
tg_source_value(tg_call_t *call, const tg_tag_t *tag, const tg_source_t *src)
{
    switch (src->kind) {

    case TG_SOURCE_VARIABLE:
        return call->host->variable(call->req, src->handle);

    case TG_SOURCE_HEADER:
        return tg_str_trim(call->host->header(call->req, src->name));

    case TG_SOURCE_JSON_HEADER:
        return tg_json_header(call->mem,
                              call->host->header(call->req, src->name),
                              src->field);

    case TG_SOURCE_BAGGAGE:
        return tg_baggage(call->mem, call->host->header(call->req, src->name),
                          src->field);

    case TG_SOURCE_TRACEPARENT:
        return call->traceparent.len == 0 ? tg_str_null
               : tg_str_of(call->traceparent.p + 3, 32);

    case TG_SOURCE_BODY:
        return call->fields[src->handle];

    case TG_SOURCE_KEY:
        return tg_call_key_tag(call, tag);
    }

    return tg_str_null;
}


const tg_tag_t *
tg_call_resolve_tags(tg_call_t *call)
{
    const tg_tag_t  *tag, *missing = NULL;
    tg_str_t         v;

    call->traceparent = tg_traceparent(
                     tg_str_trim(call->host->header(call->req,
                                                tg_str("traceparent"))));

    if (call->traceparent.len == 0 && call->scope->trace == 1
        && call->scope->enable == TG_ON)
    {
        call->traceparent = tg_trace_make(call);
    }

    for (unsigned i = 0; i < call->conf->ntags; i++) {
        tag = &call->conf->tags[i];
        v = tg_call_key_tag(call, tag);     /* nobody may say otherwise */

        for (unsigned k = 0; k < tag->nsources && v.len == 0; k++) {
            v = tg_source_value(call, tag, &tag->sources[k]);
        }

        if (v.len > TG_TAG_VALUE_MAX) {
            v.len = TG_TAG_VALUE_MAX;
        }

        call->tags[i] = v;

        if (v.len == 0 && tag->required && missing == NULL) {
            missing = tag;
        }
    }

    return missing;
}
