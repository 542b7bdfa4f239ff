/* How a body is changed for the place where the call goes. */

#include "tg_call_edit.h"

#include <jansson.h>
#include <stdlib.h>

/*
 * The members of the client's own stream_options but include_usage, each with a
 * comma behind it.  They came out of a valid document.
 */
static void
tg_put_siblings(tg_text_t *t, tg_str_t object)
{
    json_t      *root = object.len == 0 ? NULL
                        : json_loadb(object.p, object.len, 0, NULL);
    json_t      *v;
    const char  *key;
    char        *text;

    json_object_del(root, "include_usage");

    json_object_foreach(root, key, v) {
        text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
        if (text == NULL) {
            continue;
        }

        tg_put_lit(t, "\"");
        tg_put_json(t, tg_strz(key), TG_JSON_VALUE_MAX);
        tg_put_lit(t, "\":");
        tg_put_str(t, tg_strz(text));
        tg_put_lit(t, ",");
        free(text);
    }

    json_decref(root);
}


/* The inside of an object as it is written. */
static tg_str_t
tg_call_inside(tg_str_t object)
{
    const char  *p = object.p, *end = object.p + object.len;

    if (object.len < 2) {
        return tg_str_null;
    }

    for (p++, end--; p < end && (*p == ' ' || *p == '\t' || *p == '\r'
                                 || *p == '\n'); p++)
    { /* void */ }

    return tg_str_of(p, (size_t) (end - p));
}


static void
tg_compose_span(tg_compose_t *c, uint64_t start, uint64_t end, tg_str_t text)
{
    unsigned         i = c->nspans++;
    tg_edit_span_t  *s = c->spans;

    for ( ; i > 0 && s[i - 1].start > start; i--) {
        s[i] = s[i - 1];
    }

    s[i].start = start;
    s[i].end = end;
    s[i].text = text;
}


/*
 * Blanks a member with the comma before it; the first one that is left, with
 * the comma behind it.  Those of one edit in their order.
 */
static void
tg_compose_blank(tg_compose_t *c, const tg_member_t *m)
{
    bool      first = m->comma == TG_JSON_NOWHERE || m->comma < c->covered;
    bool      last = m->next == c->root_end;
    uint64_t  end = first && !last ? m->next + 1 : m->end;

    tg_compose_span(c, first ? m->key : m->comma, end, tg_str_null);

    c->covered = end;
    c->kept = c->kept && !(first && last);
}


bool
tg_compose_place(const tg_request_info_t *info, unsigned k, tg_member_t *m)
{
    const tg_member_place_t  *place = NULL;

    switch (k) {

    case TG_MOVED_MODEL:
        *m = info->model_member;
        return m->key != TG_JSON_NOWHERE;

    case TG_MOVED_OPTIONS:
        *m = info->stream_options_member;
        return m->key != TG_JSON_NOWHERE;

    case TG_MOVED_LIMITS:
        *m = info->limits_member;
        return m->key != TG_JSON_NOWHERE;

    default:
        break;
    }

    if (k >= TG_MOVED_PARAMS) {
        place = info->params == NULL ? NULL
                : &info->params[k - TG_MOVED_PARAMS];

    } else if (k - TG_MOVED_MAXIMA < info->nmaxima) {
        place = &info->maxima[k - TG_MOVED_MAXIMA].place;
    }

    if (place == NULL || place->key == 0) {
        return false;
    }

    m->key = place->key;
    m->end = place->end;
    m->comma = place->comma == 0 ? TG_JSON_NOWHERE : place->comma;
    m->next = place->next;

    return true;
}


static void
tg_compose_blanks(tg_compose_t *c, const tg_request_info_t *info)
{
    unsigned     n = 0, i;
    tg_member_t  m, list[TG_MOVED];

    for (unsigned k = 0; k < TG_MOVED; k++) {
        if (!(c->moved >> k & 1) || !tg_compose_place(info, k, &m)) {
            continue;
        }

        for (i = n++; i > 0 && list[i - 1].key > m.key; i--) {
            list[i] = list[i - 1];
        }

        list[i] = m;
    }

    for (i = 0; i < n; i++) {
        tg_compose_blank(c, &list[i]);
    }
}


static void
tg_compose_comma(tg_compose_t *c)
{
    if (c->kept) {
        tg_put_lit(&c->t, ",");
    }

    c->kept = true;
}


static void
tg_compose_model(tg_compose_t *c, const tg_request_info_t *info)
{
    tg_str_t  model = c->model.len != 0 ? c->model : info->model;

    if (c->model.len == 0 && info->model_member.key == TG_JSON_NOWHERE) {
        return;
    }

    tg_compose_comma(c);
    tg_put_lit(&c->t, "\"model\":\"");
    tg_put_json(&c->t, model, SIZE_MAX);
    tg_put_lit(&c->t, "\"");
}


static void
tg_compose_options(tg_compose_t *c, const tg_request_info_t *info)
{
    if (!c->ask && info->stream_options.len == 0) {
        return;
    }

    tg_compose_comma(c);
    tg_put_lit(&c->t, "\"stream_options\":");

    if (c->ask) {
        tg_put_lit(&c->t, "{");
        tg_put_siblings(&c->t, info->stream_options);
        tg_put_lit(&c->t, "\"include_usage\":true}");

    } else {
        tg_put_str(&c->t, info->stream_options);
    }
}


/* The object that the maximum is in, with it or as it came; or the maximum, at
 * the top. */
static void
tg_compose_limits(tg_compose_t *c, const tg_request_info_t *info,
    const tg_target_maximum_t *maximum, bool add)
{
    bool      nested = maximum->object.len != 0;
    tg_str_t  inside = tg_call_inside(info->limits);

    if (!add && info->limits_member.key == TG_JSON_NOWHERE) {
        return;
    }

    tg_compose_comma(c);

    if (nested) {
        tg_put_lit(&c->t, "\"");
        tg_put_str(&c->t, maximum->object);
        tg_put_lit(&c->t, "\":");

        if (!add) {
            tg_put_str(&c->t, info->limits);
            return;
        }

        tg_put_lit(&c->t, "{");

        if (inside.len != 0) {
            tg_put_str(&c->t, inside);
            tg_put_lit(&c->t, ",");
        }
    }

    tg_put_lit(&c->t, "\"");
    tg_put_str(&c->t, maximum->member);
    tg_put_lit(&c->t, "\":");
    tg_put_int(&c->t, c->max);

    if (nested) {
        tg_put_lit(&c->t, "}");
    }
}


static size_t
tg_call_digits(int64_t v)
{
    char  buf[TG_TEXT_INT_MAX];

    return (size_t) (tg_text_int(buf, v) - buf);
}


/* The digits, in the call's memory. */
static tg_str_t
tg_call_max_text(tg_call_t *call, int64_t max)
{
    char  buf[TG_TEXT_INT_MAX], *end = tg_text_int(buf, max);

    return tg_dup(call->mem, tg_str_of(buf, (size_t) (end - buf)));
}


void
tg_compose_see_maxima(tg_compose_t *c, const tg_request_info_t *info)
{
    bool                 named, lower;
    const tg_maximum_t  *m;

    for (unsigned i = 0; i < info->nmaxima && i < TG_MAXIMA_MAX; i++) {
        m = &info->maxima[i];
        lower = c->max != 0 && (m->value <= 0 || m->value > c->max);
        named = c->max_name.len == 0
                || m->completion == tg_str_eq(c->max_name,
                                              tg_str("max_completion_tokens"));

        if (m->place.key != 0
            && (!named || (lower && m->end - m->start
                                    < tg_call_digits(c->max))))
        {
            c->moved |= 1u << (TG_MOVED_MAXIMA + i);

        } else if (lower) {
            c->written |= 1u << i;
        }
    }
}


/*
 * Maxima that are too large, or that are none, are written over where they stand;
 * one that an earlier edit has written over gets back what it was.
 */
static int
tg_compose_maxima(tg_call_t *call, tg_compose_t *c,
    const tg_request_info_t *info)
{
    int64_t              value;
    tg_str_t             text;
    const tg_maximum_t  *m;

    for (unsigned i = 0; i < info->nmaxima && i < TG_MAXIMA_MAX; i++) {
        m = &info->maxima[i];
        value = m->value;

        if (!(c->written >> i & 1) || c->moved >> (TG_MOVED_MAXIMA + i) & 1) {
            continue;
        }

        if (c->max != 0 && (value <= 0 || value > c->max)) {
            value = c->max;
        }

        text = tg_call_max_text(call, value);

        if (value <= 0 || text.p == NULL || text.len > m->end - m->start) {
            return TG_ERROR;
        }

        tg_compose_span(c, m->start, m->end, text);
    }

    return TG_OK;
}


/* Of several names for one number the larger holds, and goes. */
static void
tg_compose_moved_maxima(tg_compose_t *c, const tg_request_info_t *info)
{
    int64_t   value = info->max_tokens;
    tg_str_t  name = c->max_name;
    unsigned  moved = c->moved >> TG_MOVED_MAXIMA & ((1u << TG_MAXIMA_MAX) - 1);

    if (moved == 0) {
        return;
    }

    if (name.len == 0) {
        name = info->maxima[moved & 1 ? 0 : 1].completion
               ? tg_str("max_completion_tokens") : tg_str("max_tokens");
    }

    /* One that stays where it is says it already. */

    for (unsigned i = 0; i < info->nmaxima && i < TG_MAXIMA_MAX; i++) {
        if (!(moved >> i & 1)) {
            return;
        }
    }

    if (c->max != 0 && (value <= 0 || value > c->max)) {
        value = c->max;
    }

    tg_compose_comma(c);
    tg_put_lit(&c->t, "\"");
    tg_put_str(&c->t, name);
    tg_put_lit(&c->t, "\":");

    if (value > 0) {
        tg_put_int(&c->t, value);
    } else {
        tg_put_lit(&c->t, "null");
    }
}


/* What an earlier target did not take, and this one does. */
static void
tg_compose_params(tg_compose_t *c, const tg_request_info_t *info)
{
    tg_member_t  m;

    for (unsigned i = 0; i < TG_PARAMS; i++) {
        if (c->drop >> i & 1 || !(c->moved >> (TG_MOVED_PARAMS + i) & 1)
            || !tg_compose_place(info, TG_MOVED_PARAMS + i, &m))
        {
            continue;
        }

        tg_compose_comma(c);
        tg_put(&c->t, c->whole.p + m.key, m.end - m.key);
    }
}


/* What guards cut out is of texts, and none of these is one. */
static bool
tg_compose_apart(const tg_compose_t *c)
{
    for (unsigned i = 0; i < c->nspans; i++) {
        if (c->spans[i].end > c->root_end
            || (i != 0 && c->spans[i].start < c->spans[i - 1].end))
        {
            return false;
        }
    }

    return true;
}


int
tg_compose_to(tg_call_t *call, tg_compose_t *c)
{
    const tg_request_info_t    *info = tg_request_info(call->request);
    bool                        add = c->max != 0 && info->nmaxima == 0;
    const tg_target_maximum_t  *maximum = tg_target_maximum(call);

    c->moved |= (c->model.len != 0 ? 1u << TG_MOVED_MODEL : 0)
                | (c->ask ? 1u << TG_MOVED_OPTIONS : 0)
                | c->drop << TG_MOVED_PARAMS;

    if (add && maximum->object.len != 0) {
        c->moved |= 1u << TG_MOVED_LIMITS;
    }

    for (unsigned i = 0; i < call->ncuts; i++) {
        c->spans[c->nspans++] = call->cuts[i];
    }

    tg_compose_blanks(c, info);

    if (tg_compose_maxima(call, c, info) != TG_OK) {
        return TG_ERROR;
    }

    if (c->moved >> TG_MOVED_MODEL & 1) {
        tg_compose_model(c, info);
    }

    if (c->moved >> TG_MOVED_OPTIONS & 1) {
        tg_compose_options(c, info);
    }

    if (add || c->moved >> TG_MOVED_LIMITS & 1) {
        tg_compose_limits(c, info, maximum, add);
    }

    tg_compose_moved_maxima(c, info);
    tg_compose_params(c, info);
    tg_put_lit(&c->t, "}");

    return c->t.full || !tg_compose_apart(c) ? TG_ERROR : TG_OK;
}
