#include "tg_keys_int.h"

#include <stdio.h>
#include <stdlib.h>

#define TG_KEYS_VERSION  "1"

/*
 * The outermost objects and arrays are walked here, and each record is read by
 * itself, so that there is never a tree of more than one.
 */

typedef int (*tg_keys_member_t)(tg_keys_read_t *r, tg_str_t name, void *data);

enum {
    TG_KEYS_SEEN_VERSION = 0x01,
    TG_KEYS_SEEN_NOTE    = 0x02,
    TG_KEYS_SEEN_KEYS    = 0x04,
    TG_KEYS_SEEN_USERS   = 0x08         /* the kinds of subjects, in order */
};


void
tg_keys_shown(char *buf, size_t size, tg_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len && i + 4 < size; i++) {
        buf[i] = s.p[i] >= 0x20 && s.p[i] < 0x7f ? s.p[i] : '?';
    }

    if (i < s.len) {
        memcpy(buf + i, "...", 4);

    } else {
        buf[i] = '\0';
    }
}


int
tg_keys_complain(const tg_keys_read_t *r, const char *field,
    const char *problem)
{
    char  file[64], id[48], name[40];

    tg_keys_shown(file, sizeof(file), r->name);
    tg_keys_shown(id, sizeof(id), r->id);
    tg_keys_shown(name, sizeof(name), tg_strz(field == NULL ? "" : field));

    return tg_error(r->err, TG_KEYS_CONTENT, r->at, "%s:%u: %s%s%s%s%s%s%s %s",
                    file, r->at, r->kind, r->id.len ? " \"" : "", id,
                    r->id.len ? "\"" : "", field == NULL ? "" : ": \"", name,
                    field == NULL ? "" : "\"", problem);
}


int
tg_keys_no_memory(const tg_keys_read_t *r)
{
    return tg_error(r->err, TG_KEYS_MEMORY, r->line, "out of memory");
}


/* { "name": what member() reads, ... } */
static int
tg_keys_members(tg_keys_read_t *r, tg_keys_member_t member, void *data)
{
    bool      more = false;
    tg_str_t  name;

    if (!tg_keys_take(r, '{')) {
        return tg_keys_syntax(r, r->line, "expected '{'");
    }

    while (!tg_keys_take(r, '}')) {
        if (more && !tg_keys_take(r, ',')) {
            return tg_keys_syntax(r, r->line, "expected ',' or '}'");
        }

        more = true;

        if (tg_keys_quoted(r, &name) != TG_OK) {
            return TG_ERROR;
        }

        if (!tg_keys_take(r, ':')) {
            return tg_keys_syntax(r, r->line, "expected ':'");
        }

        if (member(r, name, data) != TG_OK) {
            return TG_ERROR;
        }
    }

    return TG_OK;
}


static int
tg_keys_record(tg_keys_read_t *r, const tg_subject_kind_t *kind)
{
    const tg_keys_node_t  *obj = tg_keys_value(r);

    if (obj == NULL) {
        return TG_ERROR;
    }

    r->at = obj->line;

    if (obj->type != TG_KEYS_OBJECT) {
        return tg_keys_complain(r, NULL, "is not an object");
    }

    return kind == NULL ? tg_keys_read_key(r, obj)
                        : tg_keys_read_subject(r, *kind, obj);
}


static int
tg_keys_list(tg_keys_read_t *r)
{
    bool  more = false;

    if (!tg_keys_take(r, '[')) {
        return tg_keys_syntax(r, r->line, "\"keys\" is not an array");
    }

    r->kind = "key";

    while (!tg_keys_take(r, ']')) {
        if (more && !tg_keys_take(r, ',')) {
            return tg_keys_syntax(r, r->line, "expected ',' or ']'");
        }

        more = true;
        r->id = tg_str_null;

        if (tg_keys_record(r, NULL) != TG_OK) {
            return TG_ERROR;
        }
    }

    return TG_OK;
}


static int
tg_keys_subject_member(tg_keys_read_t *r, tg_str_t name, void *data)
{
    tg_subject_kind_t    *kind = data;
    static const char    *kinds[] = { "user", "team", "org" };

    r->kind = kinds[*kind];
    r->id = name;

    return tg_keys_record(r, kind);
}


static int
tg_keys_plain(tg_keys_read_t *r, bool version)
{
    const tg_keys_node_t  *v = tg_keys_value(r);

    if (v == NULL) {
        return TG_ERROR;
    }

    if (version && (v->type != TG_KEYS_NUMBER
                    || !tg_str_eq(v->value, tg_str(TG_KEYS_VERSION))))
    {
        return tg_keys_syntax(r, v->line, "\"tollgate_keys\" is not 1, the"
                              " version of the format");
    }

    if (!version && v->type != TG_KEYS_STRING) {
        return tg_keys_syntax(r, v->line, "\"note\" is not a string");
    }

    return TG_OK;
}


static int
tg_keys_once(const tg_keys_read_t *r, unsigned *seen, unsigned field)
{
    if (*seen & field) {
        return tg_keys_syntax(r, r->line, "the same field for the second time");
    }

    *seen |= field;

    return TG_OK;
}


static int
tg_keys_root_member(tg_keys_read_t *r, tg_str_t name, void *data)
{
    char                   shown[40], what[80];
    unsigned              *seen = data;
    static const tg_str_t  sections[] = { TG_STR("users"), TG_STR("teams"),
                                          TG_STR("orgs") };

    if (tg_str_eq(name, tg_str("tollgate_keys"))) {
        return tg_keys_once(r, seen, TG_KEYS_SEEN_VERSION) == TG_OK
               ? tg_keys_plain(r, true) : TG_ERROR;
    }

    if (tg_str_eq(name, tg_str("note"))) {
        return tg_keys_once(r, seen, TG_KEYS_SEEN_NOTE) == TG_OK
               ? tg_keys_plain(r, false) : TG_ERROR;
    }

    if (tg_str_eq(name, tg_str("keys"))) {
        return tg_keys_once(r, seen, TG_KEYS_SEEN_KEYS) == TG_OK
               ? tg_keys_list(r) : TG_ERROR;
    }

    for (tg_subject_kind_t i = 0; i < TG_SUBJECTS; i++) {
        if (tg_str_eq(name, sections[i])) {
            r->keys->subjects[i].listed = true;

            return tg_keys_once(r, seen, (unsigned) TG_KEYS_SEEN_USERS << i)
                   == TG_OK
                   ? tg_keys_members(r, tg_keys_subject_member, &i) : TG_ERROR;
        }
    }

    tg_keys_shown(shown, sizeof(shown), name);
    (void) snprintf(what, sizeof(what), "unknown field \"%s\"", shown);

    return tg_keys_syntax(r, r->line, what);
}


static int
tg_keys_read(tg_keys_read_t *r)
{
    unsigned  seen = 0;

    if (tg_keys_members(r, tg_keys_root_member, &seen) != TG_OK) {
        return TG_ERROR;
    }

    tg_keys_skip(r);

    if (r->p != r->end) {
        return tg_keys_syntax(r, r->line, "text after the end of the object");
    }

    if (!(seen & TG_KEYS_SEEN_VERSION)) {
        return tg_keys_syntax(r, 1, "\"tollgate_keys\": 1 is missing");
    }

    if (!(seen & TG_KEYS_SEEN_KEYS)) {
        return tg_keys_syntax(r, 1, "\"keys\" is missing");
    }

    return tg_keys_link(r);
}


static tg_keys_t *
tg_keys_create(tg_str_t text)
{
    tg_keys_t      *keys = calloc(1, sizeof(tg_keys_t));
    unsigned char   md[TG_KEYS_DIGEST];

    if (keys == NULL) {
        return NULL;
    }

    keys->arena = tg_arena_create(TG_KEYS_MEMORY_MAX);
    if (keys->arena == NULL) {
        free(keys);
        return NULL;
    }

    keys->mem = tg_arena_mem(keys->arena);
    keys->last = &keys->first;

    for (unsigned i = 0; i < TG_SUBJECTS; i++) {
        keys->subjects[i].last = &keys->subjects[i].first;
    }

    tg_key_digest(text, md);

    for (size_t i = 0; i < TG_KEYS_HASH_HEX / 2; i++) {
        (void) snprintf(keys->hash + 2 * i, 3, "%02x", md[i]);
    }

    return keys;
}


tg_keys_t *
tg_keys_load(tg_str_t name, tg_str_t text, tg_error_t *err)
{
    int             rc;
    tg_keys_read_t  r = { .name = name, .err = err, .p = text.p,
                          .end = text.p + text.len, .line = 1, .kind = "",
                          .at = 1 };

    if (text.len == 0 || text.len > TG_KEYS_TEXT_MAX) {
        (void) tg_keys_syntax(&r, 1, text.len ? "is too large" : "is empty");
        return NULL;
    }

    r.keys = tg_keys_create(text);

    if (r.keys == NULL) {
        (void) tg_keys_no_memory(&r);
        return NULL;
    }

    r.nodes = malloc(TG_KEYS_NODES * sizeof(tg_keys_node_t));
    rc = r.nodes == NULL ? tg_keys_no_memory(&r) : tg_keys_read(&r);
    free(r.nodes);

    if (rc != TG_OK) {
        tg_keys_destroy(r.keys);
        return NULL;
    }

    return r.keys;
}


void
tg_keys_destroy(tg_keys_t *keys)
{
    if (keys != NULL) {
        tg_arena_destroy(keys->arena);
        free(keys);
    }
}
