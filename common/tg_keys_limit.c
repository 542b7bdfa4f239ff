#include "tg_keys_int.h"

static const tg_str_t  tg_keys_measures[] = {
    TG_STR("requests="), TG_STR("tokens="), TG_STR("input_tokens="),
    TG_STR("output_tokens="), TG_STR("usd="), TG_STR("concurrent="),
    TG_STR("repeats=")
};


static int
tg_keys_add_word(tg_keys_read_t *r, const char *field, tg_keys_draft_t *d,
    unsigned *n, tg_str_t word)
{
    const char  *problem = tg_keys_text_problem(word, TG_KEY_TEXT_MAX);

    if (problem != NULL) {
        return tg_keys_complain(r, field, problem);
    }

    if (*n == TG_KEY_WORDS_MAX) {
        return tg_keys_complain(r, field, "has too many words");
    }

    if (tg_str_starts(word, tg_str("per="))) {
        return tg_keys_complain(r, field, "says per=, which is told by where it"
                                " stands");
    }

    d->words[*n] = tg_dup(r->keys->mem, word);

    return d->words[(*n)++].p == NULL ? tg_keys_no_memory(r) : TG_OK;
}


/* "usd=50/month stop=90%", or the words one by one in an array. */
static int
tg_keys_split(tg_keys_read_t *r, const char *field, tg_keys_draft_t *d,
    const tg_keys_node_t *v, unsigned *n)
{
    size_t                 i, start;
    tg_str_t               s = tg_str_null;
    const tg_keys_node_t  *e;

    if (v->type == TG_KEYS_STRING) {
        s = v->value;
    }

    e = v->type == TG_KEYS_ARRAY ? v->first : NULL;

    for ( /* void */ ; e != NULL; e = e->next) {
        if (e->type != TG_KEYS_STRING) {
            return tg_keys_complain(r, field, "has a word that is no string");
        }

        if (tg_keys_add_word(r, field, d, n, e->value) != TG_OK) {
            return TG_ERROR;
        }
    }

    for (i = 0; i < s.len; i++) {
        for (start = i; i < s.len && s.p[i] != ' '; i++) { /* void */ }

        if (i != start
            && tg_keys_add_word(r, field, d, n,
                                tg_str_of(s.p + start, i - start))
               != TG_OK)
        {
            return TG_ERROR;
        }
    }

    return TG_OK;
}


static bool
tg_keys_has_measure(const tg_str_t *words, unsigned n)
{
    size_t  count = sizeof(tg_keys_measures) / sizeof(tg_keys_measures[0]);

    for (unsigned i = 0; i < n; i++) {
        for (size_t m = 0; m < count; m++) {
            if (tg_str_starts(words[i], tg_keys_measures[m])
                && words[i].len > tg_keys_measures[m].len)
            {
                return true;
            }
        }
    }

    return false;
}


/* {"name": "...", "limit": what may stand in the place of this object} */
static int
tg_keys_limit_name(tg_keys_read_t *r, const char *field, tg_keys_draft_t *d,
    const tg_keys_node_t *v, tg_str_t *name)
{
    const tg_keys_node_t  *given = tg_keys_member(v, "name");

    if (tg_keys_member(v, "limit") == NULL
        || v->n != (given == NULL ? 1 : 2))
    {
        return tg_keys_complain(r, field, "has an object of other fields than"
                                " \"name\" and \"limit\"");
    }

    if (given == NULL) {
        return TG_OK;
    }

    if (tg_keys_take_text(r, field, given, 64, name) != TG_OK) {
        return TG_ERROR;
    }

    if (!tg_keys_is_word(*name, "_-")) {
        return tg_keys_complain(r, field, "has a name that is not made of"
                                " letters, digits, '_' and '-'");
    }

    for (unsigned i = 0; i < d->rec.key.nlimits; i++) {
        if (tg_str_eq(d->limits[i].name, *name)) {
            return tg_keys_complain(r, field, "has a name for the second time");
        }
    }

    return TG_OK;
}


static int
tg_keys_read_limit(tg_keys_read_t *r, const char *field, tg_keys_draft_t *d,
    const tg_keys_node_t *v)
{
    tg_str_t         name = { "", 0 }, *words;
    unsigned         n = 0;
    tg_key_limit_t  *limit;

    if (d->rec.key.nlimits == TG_KEY_LIMITS_MAX) {
        return tg_keys_complain(r, field, "is one entry too many");
    }

    if (v->type == TG_KEYS_OBJECT) {
        if (tg_keys_limit_name(r, field, d, v, &name) != TG_OK) {
            return TG_ERROR;
        }
        v = tg_keys_member(v, "limit");
    }

    if (tg_keys_split(r, field, d, v, &n) != TG_OK) {
        return TG_ERROR;
    }

    if (!tg_keys_has_measure(d->words, n)) {
        return tg_keys_complain(r, field, "has an entry without a measure, as"
                                " in \"usd=50/month\"");
    }

    words = tg_alloc(r->keys->mem, n * sizeof(tg_str_t));
    if (words == NULL) {
        return tg_keys_no_memory(r);
    }

    memcpy(words, d->words, n * sizeof(tg_str_t));

    limit = &d->limits[d->rec.key.nlimits++];
    limit->name = name;
    limit->words = words;
    limit->nwords = n;
    limit->line = r->at;

    return TG_OK;
}


int
tg_keys_read_limits(tg_keys_read_t *r, tg_keys_draft_t *d,
    const tg_keys_field_t *f, const tg_keys_node_t *v)
{
    if (v->type != TG_KEYS_ARRAY) {
        return tg_keys_complain(r, f->name, "is not an array");
    }

    for (const tg_keys_node_t *e = v->first; e != NULL; e = e->next) {
        r->at = e->line;

        if (tg_keys_read_limit(r, f->name, d, e) != TG_OK) {
            return TG_ERROR;
        }
    }

    return TG_OK;
}
