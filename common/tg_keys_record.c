#include "tg_keys_int.h"

#include "tg_rfc3339.h"

/* What no secret has for a digest: that of the empty string. */
static const unsigned char  tg_keys_empty[TG_KEYS_DIGEST] = {
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8,
    0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c,
    0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55
};


const char *
tg_keys_text_problem(tg_str_t s, size_t max)
{
    if (s.len == 0) {
        return "is empty";
    }

    if (s.len > max) {
        return "is too long";
    }

    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char) s.p[i] < 0x20 || s.p[i] == 0x7f) {
            return "has a control character";
        }

        /* U+0080 to U+009F, which terminals obey, too */

        if ((unsigned char) s.p[i] == 0xc2 && i + 1 < s.len
            && (unsigned char) s.p[i + 1] < 0xa0)
        {
            return "has a control character";
        }
    }

    if (s.p[0] == ' ' || s.p[s.len - 1] == ' ') {
        return "begins or ends with a blank";
    }

    return NULL;
}


bool
tg_keys_is_word(tg_str_t s, const char *marks)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!((tg_lower(s.p[i]) >= 'a' && tg_lower(s.p[i]) <= 'z')
              || (s.p[i] >= '0' && s.p[i] <= '9')
              || strchr(marks, s.p[i]) != NULL))
        {
            return false;
        }
    }

    return s.len != 0;
}


int
tg_keys_take_text(tg_keys_read_t *r, const char *field,
    const tg_keys_node_t *v, size_t max, tg_str_t *out)
{
    const char  *problem;

    if (v->type != TG_KEYS_STRING) {
        return tg_keys_complain(r, field, "is not a string");
    }

    problem = tg_keys_text_problem(v->value, max);

    if (problem != NULL) {
        return tg_keys_complain(r, field, problem);
    }

    *out = tg_dup(r->keys->mem, v->value);

    return out->p == NULL ? tg_keys_no_memory(r) : TG_OK;
}


static int
tg_keys_read_text(tg_keys_read_t *r, tg_keys_draft_t *d,
    const tg_keys_field_t *f, const tg_keys_node_t *v)
{
    return tg_keys_take_text(r, f->name, v, TG_KEY_TEXT_MAX,
                             (tg_str_t *) (void *) ((char *) &d->rec.key
                                                    + f->offset));
}


static int
tg_keys_read_note(tg_keys_read_t *r, tg_keys_draft_t *d,
    const tg_keys_field_t *f, const tg_keys_node_t *v)
{
    (void) d;

    return v->type == TG_KEYS_STRING ? TG_OK
                             : tg_keys_complain(r, f->name, "is not a string");
}


static int
tg_keys_hex(char c)
{
    c = tg_lower(c);

    return c >= '0' && c <= '9' ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}


static int
tg_keys_take_digest(tg_keys_read_t *r, const char *field,
    const tg_keys_node_t *v, unsigned char *digest)
{
    int       high, low;
    tg_str_t  s = v->type == TG_KEYS_STRING ? v->value : tg_str_null;

    if (s.len != 2 * TG_KEYS_DIGEST) {
        return tg_keys_complain(r, field, "is not 64 hexadecimal digits");
    }

    for (size_t i = 0; i < TG_KEYS_DIGEST; i++) {
        high = tg_keys_hex(s.p[2 * i]);
        low = tg_keys_hex(s.p[2 * i + 1]);

        if (high < 0 || low < 0) {
            return tg_keys_complain(r, field, "is not 64 hexadecimal digits");
        }

        digest[i] = (unsigned char) (high << 4 | low);
    }

    if (memcmp(digest, tg_keys_empty, TG_KEYS_DIGEST) == 0) {
        return tg_keys_complain(r, field, "is that of an empty secret");
    }

    return TG_OK;
}


static int
tg_keys_read_digest(tg_keys_read_t *r, tg_keys_draft_t *d,
    const tg_keys_field_t *f, const tg_keys_node_t *v)
{
    d->has_digest = true;

    return tg_keys_take_digest(r, f->name, v, d->rec.digest);
}


static int
tg_keys_take_time(tg_keys_read_t *r, const char *field,
    const tg_keys_node_t *v, int64_t *ms)
{
    *ms = v->type == TG_KEYS_STRING ? tg_rfc3339_parse(v->value) : -1;

    return *ms >= 0 ? TG_OK
           : tg_keys_complain(r, field, "is not a time as in"
                              " \"2026-12-31T23:59:59Z\"");
}


static int
tg_keys_read_expires(tg_keys_read_t *r, tg_keys_draft_t *d,
    const tg_keys_field_t *f, const tg_keys_node_t *v)
{
    return tg_keys_take_time(r, f->name, v, &d->rec.key.expires_ms);
}


/* {"sha256": "...", "expires": "..."} */
static int
tg_keys_read_previous(tg_keys_read_t *r, tg_keys_draft_t *d,
    const tg_keys_field_t *f, const tg_keys_node_t *v)
{
    const tg_keys_node_t  *sha = tg_keys_member(v, "sha256");
    const tg_keys_node_t  *expires = tg_keys_member(v, "expires");

    if (sha == NULL || expires == NULL || v->n != 2) {
        return tg_keys_complain(r, f->name, "is not an object of \"sha256\" and"
                                " \"expires\"");
    }

    d->rec.has_previous = true;

    if (tg_keys_take_digest(r, "previous.sha256", sha, d->rec.previous)
        != TG_OK)
    {
        return TG_ERROR;
    }

    return tg_keys_take_time(r, "previous.expires", expires,
                             &d->rec.previous_ms);
}


static int
tg_keys_read_disabled(tg_keys_read_t *r, tg_keys_draft_t *d,
    const tg_keys_field_t *f, const tg_keys_node_t *v)
{
    if (v->type != TG_KEYS_TRUE && v->type != TG_KEYS_FALSE) {
        return tg_keys_complain(r, f->name, "is neither true nor false");
    }

    d->rec.key.disabled = v->type == TG_KEYS_TRUE;

    return TG_OK;
}


static int
tg_keys_read_tags(tg_keys_read_t *r, tg_keys_draft_t *d,
    const tg_keys_field_t *f, const tg_keys_node_t *v)
{
    tg_key_tag_t          *tag;
    const tg_keys_node_t  *e;

    if (v->type != TG_KEYS_OBJECT) {
        return tg_keys_complain(r, f->name, "is not an object of strings");
    }

    if (v->n > TG_KEY_TAGS_MAX) {
        return tg_keys_complain(r, f->name, "has too many entries");
    }

    for (e = v->first; e != NULL; e = e->next) {
        tag = &d->tags[d->rec.key.ntags];

        if (e->name.len > 64 || !tg_keys_is_word(e->name, "._-")) {
            return tg_keys_complain(r, f->name, "has a name that is not made of"
                                    " up to 64 letters, digits, '.', '_' and"
                                    " '-'");
        }

        if (tg_keys_take_text(r, f->name, e, TG_KEY_TEXT_MAX, &tag->value)
            != TG_OK)
        {
            return TG_ERROR;
        }

        tag->name = tg_dup(r->keys->mem, e->name);

        if (tag->name.p == NULL) {
            return tg_keys_no_memory(r);
        }

        d->rec.key.ntags++;
    }

    return TG_OK;
}


static int
tg_keys_read_models(tg_keys_read_t *r, tg_keys_draft_t *d,
    const tg_keys_field_t *f, const tg_keys_node_t *v)
{
    unsigned               n = v->type == TG_KEYS_ARRAY ? v->n : 0;
    tg_str_t              *models, *next;
    const tg_keys_node_t  *e;

    /* none at all could be meant as "none" as well as "any" */

    if (n == 0 || n > TG_KEY_MODELS_MAX) {
        return tg_keys_complain(r, f->name, n == 0
                                ? "is not an array of one name or more (leave"
                                  " it out to allow every model)"
                                : "has too many entries");
    }

    models = tg_alloc(r->keys->mem, n * sizeof(tg_str_t));
    if (models == NULL) {
        return tg_keys_no_memory(r);
    }

    next = models;

    for (e = v->first; e != NULL; e = e->next) {
        if (tg_keys_take_text(r, f->name, e, TG_KEY_TEXT_MAX, next++)
            != TG_OK)
        {
            return TG_ERROR;
        }
    }

    d->rec.key.models = models;
    d->rec.key.nmodels = n;

    return TG_OK;
}


#define TG_KEYS_TEXT(field)                                                   \
    { #field, tg_keys_read_text, offsetof(tg_key_t, field) }
#define TG_KEYS_SHARED                                                        \
    { "tags", tg_keys_read_tags, 0 },                                         \
    { "budgets", tg_keys_read_limits, 0 },                                    \
    { "rates", tg_keys_read_limits, 0 },                                      \
    { "disabled", tg_keys_read_disabled, 0 },                                 \
    { "note", tg_keys_read_note, 0 },                                         \
    { NULL, NULL, 0 }

static const tg_keys_field_t  tg_keys_key_fields[] = {
    TG_KEYS_TEXT(id), TG_KEYS_TEXT(name), TG_KEYS_TEXT(user),
    TG_KEYS_TEXT(team), TG_KEYS_TEXT(org), TG_KEYS_TEXT(owner),
    TG_KEYS_TEXT(purpose),
    { "sha256", tg_keys_read_digest, 0 },
    { "previous", tg_keys_read_previous, 0 },
    { "models", tg_keys_read_models, 0 },
    { "expires", tg_keys_read_expires, 0 },
    TG_KEYS_SHARED
};

static const tg_keys_field_t  tg_keys_team_fields[] = {
    TG_KEYS_TEXT(org),
    TG_KEYS_SHARED
};

static const tg_keys_field_t  tg_keys_other_fields[] = {
    TG_KEYS_SHARED
};


static int
tg_keys_read_fields(tg_keys_read_t *r, tg_keys_draft_t *d,
    const tg_keys_field_t *fields, const tg_keys_node_t *obj)
{
    char                    name[64];
    const tg_keys_node_t   *v;
    const tg_keys_field_t  *f;

    for (v = obj->first; v != NULL; v = v->next) {
        r->at = v->line;

        for (f = fields; f->name != NULL; f++) {
            if (v->name.len != 0 && f->name[0] == v->name.p[0]
                && tg_str_eq(v->name, tg_strz(f->name)))
            {
                break;
            }
        }

        if (f->name == NULL) {
            tg_keys_shown(name, sizeof(name), v->name);
            return tg_keys_complain(r, name, "is not a known field");
        }

        if (f->read(r, d, f, v) != TG_OK) {
            return TG_ERROR;
        }
    }

    r->at = obj->line;

    return TG_OK;
}


static void
tg_keys_draft_init(tg_keys_draft_t *d, unsigned line)
{
    memset(&d->rec, 0, sizeof(d->rec));

    d->has_digest = false;
    d->rec.key.expires_ms = INT64_MAX;
    d->rec.key.line = line;
}


/* Puts the draft's lists where they stay. */
static int
tg_keys_keep(tg_keys_read_t *r, tg_keys_draft_t *d)
{
    tg_key_t        *key = &d->rec.key;
    tg_key_tag_t    *tags = NULL;
    tg_key_limit_t  *limits = NULL;

    if (key->ntags != 0) {
        tags = tg_alloc(r->keys->mem, key->ntags * sizeof(tg_key_tag_t));

        if (tags == NULL) {
            return tg_keys_no_memory(r);
        }

        memcpy(tags, d->tags, key->ntags * sizeof(tg_key_tag_t));
    }

    if (key->nlimits != 0) {
        limits = tg_alloc(r->keys->mem, key->nlimits * sizeof(tg_key_limit_t));

        if (limits == NULL) {
            return tg_keys_no_memory(r);
        }

        memcpy(limits, d->limits, key->nlimits * sizeof(tg_key_limit_t));
    }

    key->tags = tags;
    key->limits = limits;

    return TG_OK;
}


int
tg_keys_read_key(tg_keys_read_t *r, const tg_keys_node_t *obj)
{
    tg_keys_t             *keys = r->keys;
    tg_key_rec_t          *rec;
    tg_keys_draft_t        d;
    const tg_keys_node_t  *id = tg_keys_member(obj, "id");

    if (id == NULL || id->type != TG_KEYS_STRING
        || id->value.len > TG_KEY_ID_MAX
        || !tg_keys_is_word(id->value, "._:@/+-"))
    {
        return tg_keys_complain(r, "id", "is missing, or not made of up to 128"
                                " letters, digits and '._:@/+-'");
    }

    r->id = id->value;
    tg_keys_draft_init(&d, r->at);

    if (tg_keys_read_fields(r, &d, tg_keys_key_fields, obj) != TG_OK) {
        return TG_ERROR;
    }

    if (!d.has_digest) {
        return tg_keys_complain(r, "sha256", "is missing");
    }

    if (keys->n == TG_KEYS_MAX) {
        return tg_keys_complain(r, NULL, "is one key too many");
    }

    rec = tg_alloc(keys->mem, sizeof(tg_key_rec_t));

    if (rec == NULL || tg_keys_keep(r, &d) != TG_OK) {
        return tg_keys_no_memory(r);
    }

    *rec = d.rec;
    *keys->last = rec;
    keys->last = &rec->next;
    keys->n++;
    keys->nprevious += rec->has_previous;

    return TG_OK;
}


int
tg_keys_read_subject(tg_keys_read_t *r, tg_subject_kind_t kind,
    const tg_keys_node_t *obj)
{
    const char         *problem;
    tg_keys_draft_t     d;
    tg_subject_rec_t   *rec;
    tg_subject_list_t  *list = &r->keys->subjects[kind];

    problem = tg_keys_text_problem(r->id, TG_KEY_TEXT_MAX);

    if (problem != NULL) {
        return tg_keys_complain(r, "name", problem);
    }

    tg_keys_draft_init(&d, r->at);

    if (tg_keys_read_fields(r, &d, kind == TG_SUBJECT_TEAM ? tg_keys_team_fields
                                   : tg_keys_other_fields, obj)
        != TG_OK)
    {
        return TG_ERROR;
    }

    if (list->n == TG_KEYS_MAX) {
        return tg_keys_complain(r, NULL, "is one too many");
    }

    rec = tg_zalloc(r->keys->mem, sizeof(tg_subject_rec_t));

    if (rec == NULL || tg_keys_keep(r, &d) != TG_OK) {
        return tg_keys_no_memory(r);
    }

    rec->subject.name = tg_dup(r->keys->mem, r->id);
    rec->subject.org = d.rec.key.org;
    rec->subject.disabled = d.rec.key.disabled;
    rec->subject.tags = d.rec.key.tags;
    rec->subject.ntags = d.rec.key.ntags;
    rec->subject.limits = d.rec.key.limits;
    rec->subject.nlimits = d.rec.key.nlimits;
    rec->subject.line = r->at;

    *list->last = rec;
    list->last = &rec->next;
    list->n++;

    return rec->subject.name.p == NULL ? tg_keys_no_memory(r) : TG_OK;
}
