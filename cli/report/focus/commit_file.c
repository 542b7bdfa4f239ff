#define _GNU_SOURCE

#include "commit_file.h"
#include "llmctl.h"

#include "tg_money.h"

#include <stdlib.h>
#include <stdio.h>
#include <time.h>

#define FILE_MAX  ((size_t) 4 * 1024 * 1024)


static bool
bad(const char *file, unsigned i, const char *why)
{
    char  text[200];

    (void) snprintf(text, sizeof(text), "commitment %u %s", i + 1, why);

    return failed(file, text);
}


static bool
text_of(const json_t *o, const char *name, tg_str_t *s)
{
    json_t  *v = json_object_get(o, name);

    *s = v == NULL ? tg_str_null : tg_str_of(json_string_value(v),
                                             json_string_length(v));

    return v == NULL || json_is_string(v);
}


/* A date, UTC. */
static bool
date_of(const json_t *o, const char *name, int64_t none, int64_t *ms)
{
    tg_str_t    s;
    struct tm   tm;
    const char *end;

    *ms = none;

    if (!text_of(o, name, &s)) {
        return false;
    }

    if (s.len == 0) {
        return true;
    }

    memset(&tm, 0, sizeof(tm));
    end = strptime(s.p, "%Y-%m-%d", &tm);

    if (end == NULL || *end != '\0') {
        return false;
    }

    *ms = (int64_t) timegm(&tm) * 1000;

    return true;
}


static bool
price_of(const json_t *o, int64_t *nusd)
{
    char    *text;
    json_t  *v = json_object_get(o, "usd_per_hour");

    if (json_is_string(v)) {
        *nusd = tg_money_parse(tg_strz(json_string_value(v)), 9);
        return *nusd >= 0;
    }

    text = json_is_number(v) ? json_dumps(v, JSON_ENCODE_ANY) : NULL;
    *nusd = text == NULL ? -1 : tg_money_parse(tg_strz(text), 9);
    free(text);

    return *nusd >= 0;
}


/* A word that is misspelt would match everything. */
static bool
known_members(const json_t *o)
{
    static const char *const  names[] = {
        "id", "vendor", "provider", "model", "tier", "usd_per_hour",
        "tokens_per_minute", "from", "until", "note"
    };

    bool         known;
    json_t      *v;
    const char  *name;

    json_object_foreach((json_t *) o, name, v) {
        known = false;

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            known |= strcmp(names[i], name) == 0;
        }

        if (!known) {
            return false;
        }
    }

    return true;
}


static bool
one_read(const char *file, unsigned i, const json_t *o, commitment_t *c)
{
    json_t  *tokens = json_object_get(o, "tokens_per_minute");

    if (!json_is_object(o) || !known_members(o)) {
        return bad(file, i, "has a member that is not known");
    }

    if (!text_of(o, "id", &c->id) || c->id.len == 0) {
        return bad(file, i, "has no id");
    }

    if (!text_of(o, "vendor", &c->vendor)
        || !text_of(o, "provider", &c->provider)
        || !text_of(o, "model", &c->model) || !text_of(o, "tier", &c->tier))
    {
        return bad(file, i, "has a name that is no string");
    }

    if (!price_of(o, &c->per_hour)) {
        return bad(file, i, "has no usd_per_hour");
    }

    c->per_minute = json_integer_value(tokens);

    if ((tokens != NULL && !json_is_integer(tokens)) || c->per_minute < 0) {
        return bad(file, i, "has tokens_per_minute that are no whole number");
    }

    if (!date_of(o, "from", INT64_MIN, &c->from)
        || !date_of(o, "until", INT64_MAX, &c->until) || c->from >= c->until)
    {
        return bad(file, i, "has dates that are not as in 2026-10-01");
    }

    return true;
}


bool
commitments_read(commitments_t *c, const char *file)
{
    char          *text;
    size_t         size, i;
    json_t        *list, *o;
    json_error_t   err;

    memset(c, 0, sizeof(*c));
    text = read_file(file, FILE_MAX, &size);

    if (text == NULL) {
        return false;
    }

    c->json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &err);
    free(text);

    if (c->json == NULL) {
        return failed(file, err.text);
    }

    list = json_object_get(c->json, "commitments");

    if (!json_is_array(list) || json_array_size(list) > COMMITMENTS_MAX) {
        return failed(file, "has no list of commitments, or one too long");
    }

    json_array_foreach(list, i, o) {
        if (!one_read(file, (unsigned) i, o, &c->list[i])) {
            return false;
        }
        c->n++;
    }

    return true;
}


void
commitments_free(commitments_t *c)
{
    json_decref(c->json);
}


static bool
matches(tg_str_t pattern, tg_str_t s)
{
    size_t  len = pattern.len;

    if (len != 0 && pattern.p[len - 1] == '*') {
        return s.len >= len - 1 && memcmp(s.p, pattern.p, len - 1) == 0;
    }

    return len == 0 || tg_str_eq(pattern, s);
}


const commitment_t *
commitment_of(const commitments_t *c, const record_t *r)
{
    tg_str_t             model = r->text[REC_MODEL];
    const commitment_t  *one;

    model = model.len != 0 ? model : r->text[REC_SENT_MODEL];
    model = model.len != 0 ? model : r->text[REC_ASKED_MODEL];

    for (one = c->list; one < c->list + c->n; one++) {
        if (r->time >= one->from && r->time < one->until
            && matches(one->vendor, r->text[REC_VENDOR])
            && matches(one->provider, r->text[REC_PROVIDER])
            && matches(one->model, model)
            && matches(one->tier, r->text[REC_TIER]))
        {
            return one;
        }
    }

    return NULL;
}


void
commitment_want(record_want_t *want)
{
    record_want_text(want, REC_MODEL);
    record_want_text(want, REC_SENT_MODEL);
    record_want_text(want, REC_ASKED_MODEL);
    record_want_text(want, REC_VENDOR);
    record_want_text(want, REC_PROVIDER);
    record_want_text(want, REC_TIER);
}
