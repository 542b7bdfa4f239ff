#define _GNU_SOURCE

#include "serverconf_int.h"
#include "llmctl.h"

#include "tg_desk.h"
#include "tg_group_conf.h"

#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define PUBLISHED  "# What the server was told, for llmctl"


bool
serverconf_failed(const serverconf_at_t *at, const char *why)
{
    fprintf(stderr, "llmctl: %s:%u: %s\n", at->name, at->line, why);

    return false;
}


bool
serverconf_text(const serverconf_at_t *at, const char *name, tg_str_t *text)
{
    tg_error_t  err;
    tg_str_t    read;

    if (tg_file_read(name, SERVERCONF_FILE_MAX, false, &read, &err) != TG_OK) {
        return at->line == 0 ? failed(name, err.message)
               : serverconf_failed(at, err.message);
    }

    *text = tg_dup(at->r->mem, read);
    free((char *) read.p);

    return text->p != NULL || failed(name, strerror(ENOMEM));
}


/* Relative to where the server looks for such. */
static char *
absolute(const serverconf_read_t *r, tg_str_t name)
{
    char  *path = NULL;

    if (name.len != 0 && name.p[0] == '/') {
        return strndup(name.p, name.len);
    }

    return asprintf(&path, "%s/%.*s", r->root, (int) name.len, name.p) < 0
           ? NULL : path;
}


bool
serverconf_include(const serverconf_at_t *at, tg_str_t pattern, bool must,
    serverconf_file_t read)
{
    int                 rc;
    bool                ok = true;
    char               *path, why[PATH_MAX + 64];
    glob_t              found;
    serverconf_read_t  *r = at->r;

    path = absolute(r, pattern);
    if (path == NULL) {
        return serverconf_failed(at, strerror(ENOMEM));
    }

    rc = glob(path, 0, NULL, &found);

    if (rc != 0) {
        must = must && strpbrk(path, "*?[") == NULL;
        (void) snprintf(why, sizeof(why), "includes %s, which is not there",
                        path);
        free(path);
        return rc == GLOB_NOMATCH && !must ? true : serverconf_failed(at, why);
    }

    free(path);

    if (++r->depth > SERVERCONF_DEPTH) {
        globfree(&found);
        return serverconf_failed(at, "files include each other too deeply");
    }

    for (size_t i = 0; i < found.gl_pathc && ok; i++) {
        ok = ++r->files > SERVERCONF_FILES_MAX
             ? serverconf_failed(at, "there are too many files")
             : read(r, found.gl_pathv[i]);
    }

    r->depth--;
    globfree(&found);

    return ok;
}


int
serverconf_now(const serverconf_read_t *r)
{
    return r->place[r->nblocks];
}


bool
serverconf_open(const serverconf_at_t *at, int place)
{
    if (at->r->nblocks + 1 == SERVERCONF_BLOCKS) {
        return serverconf_failed(at, "blocks are in each other too deeply");
    }

    at->r->place[++at->r->nblocks] = place;

    return true;
}


int
serverconf_add(const serverconf_at_t *at, tg_str_t name, bool location)
{
    serverconf_t        *sc = at->r->sc;
    serverconf_place_t  *place;

    if (sc->nplaces == SERVERCONF_PLACES_MAX) {
        (void) serverconf_failed(at, "there are too many servers and locations");
        return -2;
    }

    place = &sc->places[sc->nplaces];
    place->name = tg_dup(at->r->mem, name);
    place->above = serverconf_now(at->r);
    place->location = location;
    tg_scope_init(&place->scope);

    return (int) sc->nplaces++;
}


/* Of those that have to do with what calls may do and cost. */
static bool
is_taken(tg_directive_id_t id)
{
    switch (id) {
    case TG_DIRECTIVE_ENABLE:
    case TG_DIRECTIVE_PASS:
    case TG_DIRECTIVE_PRICES:
    case TG_DIRECTIVE_TAG:
    case TG_DIRECTIVE_PROVIDER:
    case TG_DIRECTIVE_KEYS:
    case TG_DIRECTIVE_LEDGER:
    case TG_DIRECTIVE_QUOTA:
    case TG_DIRECTIVE_ROUTE:
    case TG_DIRECTIVE_GUARD:
    case TG_DIRECTIVE_STATUS:           /* no calls there */
        return true;
    default:
        return false;
    }
}


static bool
is_companions(const serverconf_t *sc, tg_str_t name)
{
    const tg_directive_t  *d = tg_upstream_directives;

    for (int i = 0; i < TG_UPSTREAM_DIRECTIVES; i++, d++) {
        if (sc->kind == SERVERCONF_HTTPD
            ? tg_str_caseeq(name, tg_strz(d->httpd_name))
            : tg_str_eq(name, tg_strz(d->nginx_name)))
        {
            return true;
        }
    }

    return false;
}


static bool
is_ours(const serverconf_t *sc, tg_str_t name)
{
    return sc->kind == SERVERCONF_HTTPD
           ? name.len > 3 && tg_str_caseeq(tg_str_of(name.p, 3), tg_str("llm"))
           : tg_str_eq(name, tg_str("llm"))
             || tg_str_starts(name, tg_str("llm_"));
}


static bool
take(const serverconf_at_t *at, tg_directive_id_t id, const tg_str_t *args,
    unsigned n)
{
    int                    place = serverconf_now(at->r);
    char                   why[sizeof(((tg_error_t *) NULL)->message) + 64];
    tg_error_t             err;
    serverconf_t          *sc = at->r->sc;
    const tg_directive_t  *d = &tg_directives[id];

    if (n < d->least || n > d->most || place < 0
        || (sc->places[place].above >= 0 && d->contexts == TG_IN_MAIN))
    {
        (void) snprintf(why, sizeof(why), "%s %s",
                        sc->kind == SERVERCONF_HTTPD ? d->httpd_name
                                                     : d->nginx_name,
                        n < d->least || n > d->most
                        ? "has too few words, or too many"
                        : "is not allowed here");
        return serverconf_failed(at, why);
    }

    if (tg_conf_directive(sc->conf, &sc->places[place].scope, id, args, n,
                          &err)
        == TG_OK)
    {
        sc->directives++;
        return true;
    }

    (void) snprintf(why, sizeof(why), "%s %s",
                    sc->kind == SERVERCONF_HTTPD ? d->httpd_name
                                                 : d->nginx_name,
                    err.message);

    return serverconf_failed(at, why);
}


bool
serverconf_directive(const serverconf_at_t *at, const tg_str_t *words,
    unsigned n)
{
    serverconf_t          *sc = at->r->sc;
    const tg_directive_t  *d = tg_directives;

    if (n == 0 || !is_ours(sc, words[0])) {
        return true;
    }

    for (int i = 0; i < TG_DIRECTIVES; i++, d++) {
        if (sc->kind == SERVERCONF_HTTPD
            ? tg_str_caseeq(words[0], tg_strz(d->httpd_name))
            : tg_str_eq(words[0], tg_strz(d->nginx_name)))
        {
            return !is_taken((tg_directive_id_t) i)
                   || take(at, (tg_directive_id_t) i, words + 1, n - 1);
        }
    }

    if (is_companions(sc, words[0])) {
        sc->companion++;
        return true;
    }

    return serverconf_failed(at, "there is no such directive of ours");
}


/* As the servers make a name absolute. */
static tg_str_t
full_name(void *data, tg_str_t name)
{
    char               *path;
    tg_str_t            full;
    serverconf_read_t  *r = data;

    path = absolute(r, name);
    full = path == NULL ? tg_str_null : tg_dup(r->mem, tg_strz(path));
    free(path);

    return full;
}


/*
 * Which server's?  nginx's statements end in ; or {, httpd's with the line.
 */
static serverconf_kind_t
guess(tg_str_t text)
{
    int          nginx = 0, httpd = 0;
    const char  *p = text.p, *end, *last = text.p + text.len, *q;

    if (tg_str_starts(text, tg_str(PUBLISHED))) {
        return SERVERCONF_PUBLISHED;
    }

    for ( ; p < last; p = end + 1) {
        end = memchr(p, '\n', (size_t) (last - p));
        end = end == NULL ? last : end;

        while (p < end && isspace((unsigned char) *p)) {
            p++;
        }

        q = end;

        while (q > p && isspace((unsigned char) q[-1])) {
            q--;
        }

        if (q == p || *p == '#') {
            continue;
        }

        if (q[-1] == ';' || q[-1] == '{' || q[-1] == '}') {
            nginx++;
        } else if (*p == '<' || isalpha((unsigned char) *p)) {
            httpd++;
        }
    }

    return httpd > nginx ? SERVERCONF_HTTPD : SERVERCONF_NGINX;
}


static bool
read_published(serverconf_t *sc, const char *name, tg_str_t text)
{
    tg_error_t  err;

    sc->directives = 1;

    return tg_conf_read(sc->conf, text, &err) == TG_OK
           || failed(name, err.message);
}


bool
serverconf_read(serverconf_t *sc, tg_conf_t *conf, const char *file,
    const char *root)
{
    bool               ok;
    char               real[PATH_MAX], dir[PATH_MAX], top[PATH_MAX];
    tg_str_t           text;
    serverconf_read_t  r;
    serverconf_at_t    at = { &r, file, 0 };

    if (realpath(file, real) == NULL) {
        return failed(file, strerror(errno));
    }

    if (root != NULL && realpath(root, top) == NULL) {
        return failed(root, strerror(errno));
    }

    memset(sc, 0, sizeof(serverconf_t));
    memset(&r, 0, sizeof(r));
    r.sc = sc;
    r.mem = conf->mem;
    (void) snprintf(dir, sizeof(dir), "%s", real);
    r.root = root != NULL ? top : dirname(dir);
    r.place[0] = -1;
    sc->conf = conf;

    if (!serverconf_text(&at, real, &text)) {
        return false;
    }

    sc->kind = guess(text);
    conf->full_name = full_name;
    conf->full_name_data = &r;
    r.place[0] = serverconf_add(&at, tg_str_null, false);
    sc->places[0].above = -1;

    ok = sc->kind == SERVERCONF_PUBLISHED ? read_published(sc, real, text)
         : sc->kind == SERVERCONF_NGINX ? serverconf_nginx(&r, real)
         : serverconf_httpd(&r, real);

    conf->full_name = NULL;
    conf->full_name_data = NULL;

    if (ok && sc->directives == 0) {
        return failed(file, "has no directives of ours");
    }

    for (unsigned i = 0; i < sc->nplaces && ok; i++) {
        tg_scope_t  none;

        tg_scope_init(&none);
        tg_scope_merge(i == 0 ? &none : &sc->places[sc->places[i].above].scope,
                       &sc->places[i].scope);
    }

    return ok;
}


/* Nothing is in it that calls could come into instead. */
static bool
is_leaf(const serverconf_t *sc, unsigned i)
{
    for (unsigned k = i + 1; k < sc->nplaces; k++) {
        if (sc->places[k].above == (int) i) {
            return false;
        }
    }

    return true;
}


static bool
is_alike(const tg_scope_t *a, const tg_scope_t *b)
{
    return a->enable == b->enable && a->pass == b->pass
           && a->reject_unknown == b->reject_unknown;
}


const serverconf_place_t *
serverconf_place(const serverconf_t *sc, const char *location, bool *several)
{
    const serverconf_place_t  *place, *first = NULL;

    *several = false;

    if (sc->kind == SERVERCONF_PUBLISHED) {
        return &sc->places[0];
    }

    for (unsigned i = 0; i < sc->nplaces; i++) {
        place = &sc->places[i];

        if (location != NULL) {
            if (place->location && tg_str_eq(place->name, tg_strz(location))
                && place->scope.enable != TG_OFF)
            {
                return place;
            }
            continue;
        }

        if (place->scope.enable == TG_OFF
            || (!place->location && !is_leaf(sc, i)))
        {
            continue;
        }

        if (first == NULL) {
            first = place;
        } else if (!is_alike(&first->scope, &place->scope)) {
            *several = true;
        }
    }

    if (first == NULL) {
        (void) fail(location == NULL ? "--conf" : location, location == NULL
                    ? "nothing in it has \"llm on\" (LLMEngine On)"
                    : "is no location with \"llm on\" (LLMEngine On)");
    }

    return first;
}
