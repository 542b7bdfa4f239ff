#include "tg_keys_int.h"

#include <stdio.h>

static const char *const  tg_keys_kinds[] = { "user", "team", "org" };
static const char *const  tg_keys_sections[] = { "users", "teams", "orgs" };


/* The smallest power of two that leaves half of the slots free. */
static size_t
tg_keys_slots(size_t n)
{
    size_t  slots = 4;

    while (slots < 2 * n) {
        slots *= 2;
    }

    return slots;
}


/* The record that later complaints are about. */
static void
tg_keys_at(tg_keys_read_t *r, const char *kind, tg_str_t id, unsigned line)
{
    r->kind = kind;
    r->id = id;
    r->at = line;
}


static int
tg_keys_twice(const tg_keys_read_t *r, const char *field, unsigned line)
{
    char  what[80];

    (void) snprintf(what, sizeof(what), "is also that of line %u", line);

    return tg_keys_complain(r, field, what);
}


static int
tg_keys_link_ids(tg_keys_read_t *r)
{
    size_t         i, n = 0, slots = tg_keys_slots(r->keys->n);
    tg_keys_t     *keys = r->keys;
    tg_key_rec_t  *rec, *other;

    keys->all = tg_alloc(keys->mem, (keys->n + 1) * sizeof(tg_key_rec_t *));
    keys->ids = tg_zalloc(keys->mem, slots * sizeof(uint32_t));
    keys->id_mask = slots - 1;

    if (keys->all == NULL || keys->ids == NULL) {
        return tg_keys_no_memory(r);
    }

    for (rec = keys->first; rec != NULL; rec = rec->next) {
        tg_keys_at(r, "key", rec->key.id, rec->key.line);
        i = (size_t) tg_keys_name_hash(rec->key.id) & keys->id_mask;

        for ( /* void */ ; keys->ids[i] != 0; i = (i + 1) & keys->id_mask) {
            other = keys->all[keys->ids[i] - 1];

            if (tg_str_eq(other->key.id, rec->key.id)) {
                return tg_keys_twice(r, "id", other->key.line);
            }
        }

        keys->all[n++] = rec;
        keys->ids[i] = (uint32_t) n;
    }

    return TG_OK;
}


static int
tg_keys_link_digest(tg_keys_read_t *r, const tg_key_rec_t *rec,
    const unsigned char *digest, const char *field)
{
    size_t          i = tg_keys_digest_slot(digest, r->keys->digest_mask);
    tg_key_slot_t  *slots = r->keys->digests;

    for ( /* void */ ; slots[i].rec != NULL;
          i = (i + 1) & r->keys->digest_mask)
    {
        if (memcmp(slots[i].digest, digest, TG_KEYS_DIGEST) == 0) {
            return tg_keys_twice(r, field, slots[i].rec->key.line);
        }
    }

    memcpy(slots[i].digest, digest, TG_KEYS_DIGEST);
    slots[i].rec = rec;

    return TG_OK;
}


static int
tg_keys_link_digests(tg_keys_read_t *r)
{
    size_t         slots;
    tg_keys_t     *keys = r->keys;
    tg_key_rec_t  *rec;

    slots = tg_keys_slots(keys->n + keys->nprevious);

    keys->digests = tg_zalloc(keys->mem, slots * sizeof(tg_key_slot_t));
    keys->digest_mask = slots - 1;

    if (keys->digests == NULL) {
        return tg_keys_no_memory(r);
    }

    for (rec = keys->first; rec != NULL; rec = rec->next) {
        tg_keys_at(r, "key", rec->key.id, rec->key.line);

        if (tg_keys_link_digest(r, rec, rec->digest, "sha256") != TG_OK) {
            return TG_ERROR;
        }

        if (rec->has_previous
            && tg_keys_link_digest(r, rec, rec->previous, "previous.sha256")
               != TG_OK)
        {
            return TG_ERROR;
        }
    }

    return TG_OK;
}


static int
tg_keys_link_subjects(tg_keys_read_t *r, tg_subject_kind_t kind)
{
    size_t              i, n = 0, slots;
    tg_subject_t       *s;
    tg_subject_rec_t   *rec;
    tg_subject_list_t  *list = &r->keys->subjects[kind];

    slots = tg_keys_slots(list->n);

    list->all = tg_alloc(r->keys->mem,
                         (list->n + 1) * sizeof(tg_subject_rec_t *));
    list->slots = tg_zalloc(r->keys->mem, slots * sizeof(uint32_t));
    list->mask = slots - 1;

    if (list->all == NULL || list->slots == NULL) {
        return tg_keys_no_memory(r);
    }

    for (rec = list->first; rec != NULL; rec = rec->next) {
        s = &rec->subject;
        tg_keys_at(r, tg_keys_kinds[kind], s->name, s->line);
        i = (size_t) tg_keys_name_hash(s->name) & list->mask;

        for ( /* void */ ; list->slots[i] != 0; i = (i + 1) & list->mask) {
            if (tg_str_eq(list->all[list->slots[i] - 1]->subject.name,
                          s->name))
            {
                return tg_keys_twice(r, "name",
                                     list->all[list->slots[i] - 1]
                                         ->subject.line);
            }
        }

        if (tg_str_eq(s->name, tg_str("*"))) {
            list->star = s;
        }

        list->all[n++] = rec;
        list->slots[i] = (uint32_t) n;
    }

    return TG_OK;
}


/*
 * The entry of a name that a record says.  Where the file has a list, the name
 * has to be in it: a misspelled team would be a team without a budget.
 */
static int
tg_keys_belongs(const tg_keys_read_t *r, tg_subject_kind_t kind, tg_str_t name,
    const tg_subject_t **out)
{
    char  what[80];

    *out = tg_keys_subject_of(r->keys, kind, name);

    if (*out == NULL && name.len != 0 && r->keys->subjects[kind].listed) {
        (void) snprintf(what, sizeof(what), "is not in \"%s\"",
                        tg_keys_sections[kind]);
        return tg_keys_complain(r, tg_keys_kinds[kind], what);
    }

    return TG_OK;
}


static int
tg_keys_add_tags(const tg_keys_read_t *r, tg_key_tag_t *all, unsigned *n,
    const tg_key_tag_t *tags, unsigned ntags)
{
    unsigned  i, k;

    for (i = 0; i < ntags; i++) {
        for (k = 0; k < *n && !tg_str_eq(all[k].name, tags[i].name); k++) {
            /* void */
        }

        if (k < *n) {
            continue;
        }

        if (*n == TG_KEY_TAGS_MAX) {
            return tg_keys_complain(r, "tags", "are too many with those that it"
                                    " inherits");
        }

        all[(*n)++] = tags[i];
    }

    return TG_OK;
}


/* Its own tags, then those of what it belongs to. */
static int
tg_keys_link_tags(const tg_keys_read_t *r, tg_key_t *key)
{
    unsigned             n = 0, own = key->ntags, lists = key->ntags != 0;
    tg_key_tag_t         all[TG_KEY_TAGS_MAX], *copy;
    const tg_subject_t  *only = NULL, *s;

    for (unsigned i = 0; i < TG_SUBJECTS; i++) {
        s = key->subjects[i];

        if (s != NULL && s->ntags != 0) {
            lists++;
            only = s;
        }
    }

    if (lists < 2) {
        if (only != NULL) {
            key->tags = only->tags;
            key->ntags = only->ntags;
        }
        return TG_OK;
    }

    if (tg_keys_add_tags(r, all, &n, key->tags, own) != TG_OK) {
        return TG_ERROR;
    }

    for (unsigned i = 0; i < TG_SUBJECTS; i++) {
        s = key->subjects[i];

        if (s != NULL
            && tg_keys_add_tags(r, all, &n, s->tags, s->ntags) != TG_OK)
        {
            return TG_ERROR;
        }
    }

    copy = tg_alloc(r->keys->mem, n * sizeof(tg_key_tag_t));
    if (copy == NULL) {
        return tg_keys_no_memory(r);
    }

    memcpy(copy, all, n * sizeof(tg_key_tag_t));
    key->tags = copy;
    key->ntags = n;

    return TG_OK;
}


static int
tg_keys_link_key(tg_keys_read_t *r, tg_key_t *key)
{
    const tg_subject_t  **s = key->subjects;

    tg_keys_at(r, "key", key->id, key->line);

    if (tg_keys_belongs(r, TG_SUBJECT_USER, key->user, &s[TG_SUBJECT_USER])
        != TG_OK
        || tg_keys_belongs(r, TG_SUBJECT_TEAM, key->team, &s[TG_SUBJECT_TEAM])
           != TG_OK)
    {
        return TG_ERROR;
    }

    if (s[TG_SUBJECT_TEAM] != NULL && s[TG_SUBJECT_TEAM]->org.len != 0) {
        if (key->org.len != 0
            && !tg_str_eq(key->org, s[TG_SUBJECT_TEAM]->org))
        {
            return tg_keys_complain(r, "org", "is another than its team's");
        }

        key->org = s[TG_SUBJECT_TEAM]->org;
    }

    if (tg_keys_belongs(r, TG_SUBJECT_ORG, key->org, &s[TG_SUBJECT_ORG])
        != TG_OK)
    {
        return TG_ERROR;
    }

    for (unsigned i = 0; i < TG_SUBJECTS; i++) {
        key->disabled = key->disabled || (s[i] != NULL && s[i]->disabled);
    }

    return tg_keys_link_tags(r, key);
}


int
tg_keys_link(tg_keys_read_t *r)
{
    const tg_subject_t  *org;
    tg_key_rec_t        *rec;
    tg_subject_rec_t    *team;

    for (tg_subject_kind_t i = 0; i < TG_SUBJECTS; i++) {
        if (tg_keys_link_subjects(r, i) != TG_OK) {
            return TG_ERROR;
        }
    }

    team = r->keys->subjects[TG_SUBJECT_TEAM].first;

    for ( /* void */ ; team != NULL; team = team->next) {
        tg_keys_at(r, "team", team->subject.name, team->subject.line);

        if (tg_keys_belongs(r, TG_SUBJECT_ORG, team->subject.org, &org)
            != TG_OK)
        {
            return TG_ERROR;
        }
    }

    if (tg_keys_link_ids(r) != TG_OK || tg_keys_link_digests(r) != TG_OK) {
        return TG_ERROR;
    }

    for (rec = r->keys->first; rec != NULL; rec = rec->next) {
        if (tg_keys_link_key(r, &rec->key) != TG_OK) {
            return TG_ERROR;
        }
    }

    return TG_OK;
}
