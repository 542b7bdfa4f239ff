/* The arguments of llm_tag, and what its sources read. */

#include "tg_conf_int.h"


/* Other names no header has. */
static bool
tg_conf_header_ok(tg_str_t s)
{
    for (size_t i = 0; i < s.len; i++) {
        char  c = tg_lower(s.p[i]);

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')
              || memchr("!#%&'*+-.^_`|~", c, 14) != NULL))
        {
            return false;
        }
    }

    return s.len != 0;
}


/* <header>:<field>, of a source json: */
static int
tg_conf_source_json(tg_conf_t *conf, tg_source_t *src, tg_str_t s)
{
    const char  *colon = memchr(s.p, ':', s.len);

    if (colon == NULL || colon == s.p || colon + 1 == s.p + s.len) {
        return TG_ERROR;
    }

    if (!tg_conf_header_ok(tg_str_of(s.p, (size_t) (colon - s.p)))) {
        return TG_ERROR;
    }

    src->kind = TG_SOURCE_JSON_HEADER;
    src->name = tg_conf_lower(conf, tg_str_of(s.p, (size_t) (colon - s.p)));
    src->field = tg_dup(conf->mem, tg_str_of(colon + 1,
                                       s.len - (size_t) (colon - s.p) - 1));

    return TG_OK;
}


/* <kind>:<what> */
static int
tg_conf_source_kind(tg_conf_t *conf, tg_source_t *src, tg_str_t s,
    tg_error_t *err)
{
    tg_str_t     rest;
    const char  *colon = memchr(s.p, ':', s.len);

    rest = colon == NULL ? tg_str_null
           : tg_str_of(colon + 1, s.len - (size_t) (colon - s.p) - 1);

    if (rest.len == 0) {
        goto bad;
    }

    if (tg_str_starts(s, tg_str("env:"))) {
        src->kind = TG_SOURCE_VARIABLE;
        src->name = tg_dup(conf->mem, rest);

    } else if (tg_str_starts(s, tg_str("header:"))) {
        if (!tg_conf_header_ok(rest)) {
            return tg_error(err, 0, 0, "source \"%.*s\" has no name that a"
                            " header can have", TG_ARG(s));
        }

        src->kind = TG_SOURCE_HEADER;
        src->name = tg_conf_lower(conf, rest);

    } else if (tg_str_starts(s, tg_str("baggage:"))) {
        src->kind = TG_SOURCE_BAGGAGE;
        src->name = tg_str("baggage");
        src->field = tg_dup(conf->mem, rest);

    } else if (tg_str_starts(s, tg_str("body:"))) {
        src->kind = TG_SOURCE_BODY;
        src->field = tg_dup(conf->mem, rest);

    } else if (!tg_str_starts(s, tg_str("json:"))) {
        goto bad;

    } else if (tg_conf_source_json(conf, src, rest) != TG_OK) {
        return tg_error(err, 0, 0, "source \"%.*s\" is written"
                        " json:<header>:<field>", TG_ARG(s));
    }

    return TG_OK;

bad:

    return tg_error(err, 0, 0, "unknown source \"%.*s\"; known are key,"
                    " $variable, env:, header:, json:<header>:<field>, baggage:,"
                    " traceparent, metadata.<field>, body:<path>", TG_ARG(s));
}


static int
tg_conf_source(tg_conf_t *conf, tg_source_t *src, tg_str_t s, tg_error_t *err)
{
    if (s.len > 1 && s.p[0] == '$') {
        src->kind = TG_SOURCE_VARIABLE;
        src->name = tg_dup(conf->mem, tg_str_of(s.p + 1, s.len - 1));
        return TG_OK;
    }

    if (tg_str_eq(s, tg_str("traceparent"))) {
        src->kind = TG_SOURCE_TRACEPARENT;
        src->name = tg_str("traceparent");
        return TG_OK;
    }

    if (tg_str_eq(s, tg_str("key"))) {
        src->kind = TG_SOURCE_KEY;
        return TG_OK;
    }

    if (tg_str_starts(s, tg_str("metadata."))) {
        src->kind = TG_SOURCE_BODY;
        src->field = tg_dup(conf->mem, s);
        return TG_OK;
    }

    return tg_conf_source_kind(conf, src, s, err);
}


static tg_tag_role_t
tg_conf_role(tg_str_t name)
{
    static const struct {
        const char     *name;
        tg_tag_role_t   role;
    } roles[] = {
        { "team", TG_TAG_TEAM }, { "user", TG_TAG_USER }, { "org", TG_TAG_ORG },
        { "session", TG_TAG_SESSION }, { "agent", TG_TAG_AGENT }
    };

    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        if (tg_str_eq(name, tg_strz(roles[i].name))) {
            return roles[i].role;
        }
    }

    return TG_TAG_OTHER;
}


/* A source is among those before it, each with a comma behind it. */
static bool
tg_conf_source_said(tg_str_t before, tg_str_t s)
{
    tg_str_t  one;

    while (tg_str_cut(&before, ',', &one)) {
        if (tg_str_eq(one, s)) {
            return true;
        }
    }

    return false;
}


static int
tg_conf_tag_sources(tg_conf_t *conf, tg_tag_t *tag, tg_str_t list,
    tg_error_t *err)
{
    const char  *comma;
    tg_str_t     s, before = list;

    tag->from = tg_dup(conf->mem, list);

    for ( ;; ) {
        comma = memchr(list.p, ',', list.len);
        s = comma == NULL ? list : tg_str_of(list.p, (size_t) (comma - list.p));

        if (tag->nsources == TG_SOURCES_MAX) {
            return tg_error(err, 0, 0, "more than %d sources", TG_SOURCES_MAX);
        }

        if (s.len == 0) {
            return tg_error(err, 0, 0, "from= has an empty source");
        }

        before.len = (size_t) (s.p - before.p);

        if (tg_conf_source_said(before, s)) {
            return tg_error(err, 0, 0, "from= has \"%.*s\" twice", TG_ARG(s));
        }

        if (tg_conf_source(conf, &tag->sources[tag->nsources++], s, err)
            != TG_OK)
        {
            return TG_ERROR;
        }

        if (comma == NULL) {
            return TG_OK;
        }

        list.len -= (size_t) (comma - list.p) + 1;
        list.p = comma + 1;
    }
}


int
tg_conf_tag(tg_conf_t *conf, const tg_str_t *args, unsigned nargs,
    tg_error_t *err)
{
    tg_tag_t  *tag;
    tg_str_t   v;

    if (!tg_str_is_name(args[0])) {
        return tg_error(err, 0, 0, "name \"%.*s\" is not of letters, digits, _"
                        " and -", TG_ARG(args[0]));
    }

    for (unsigned i = 0; i < conf->ntags; i++) {
        if (tg_str_eq(conf->tags[i].name, args[0])) {
            return tg_error(err, 0, 0, "\"%.*s\" is declared twice",
                            TG_ARG(args[0]));
        }
    }

    if (conf->ntags == TG_TAGS_MAX) {
        return tg_error(err, 0, 0, "more than %d tags", TG_TAGS_MAX);
    }

    tag = &conf->tags[conf->ntags];
    tag->name = tg_dup(conf->mem, args[0]);
    tag->role = tg_conf_role(args[0]);

    for (unsigned i = 1; i < nargs; i++) {

        if (tg_conf_param(args[i], "from", &v)) {
            if (tg_conf_tag_sources(conf, tag, v, err) != TG_OK) {
                return TG_ERROR;
            }

        } else if (tg_str_eq(args[i], tg_str("required"))) {
            tag->required = true;

        } else {
            return tg_conf_unknown_param(args[i], "from=, required", err);
        }
    }

    if (tag->nsources == 0) {
        return tg_error(err, 0, 0, "\"%.*s\" needs from=<source>",
                        TG_ARG(args[0]));
    }

    conf->ntags++;

    return TG_OK;
}


bool
tg_conf_tag_warning(const tg_conf_t *conf, unsigned first, unsigned *i,
    tg_error_t *warning)
{
    unsigned         k;
    const tg_tag_t  *tag;

    while ((k = *i - first) < TG_TAG_WARNINGS) {
        (*i)++;

        if (k >= conf->ntags || conf->keys.file.len != 0) {
            continue;
        }

        tag = &conf->tags[k];

        for (unsigned s = 0; s < tag->nsources; s++) {
            if (tag->sources[s].kind == TG_SOURCE_KEY) {
                (void) tg_error(warning, 0, 0, "tag \"%.*s\": its source key"
                                " gives nothing: there is no llm_keys"
                                " (LLMKeys)", TG_ARG(tag->name));
                return true;
            }
        }
    }

    return false;
}


int
tg_conf_finish_tags(tg_conf_t *conf, tg_error_t *err)
{
    tg_str_t      paths[TG_TAGS_MAX * TG_SOURCES_MAX];
    unsigned      n = 0, i, j, k;
    tg_source_t  *src;

    for (i = 0; i < conf->ntags; i++) {
        for (j = 0; j < conf->tags[i].nsources; j++) {
            src = &conf->tags[i].sources[j];

            if (src->kind != TG_SOURCE_BODY) {
                continue;
            }

            for (k = 0; k < n && !tg_str_eq(paths[k], src->field); k++) {
                /* a path that several tags read is read once */
            }

            src->handle = k;
            if (k == n) {
                paths[n++] = src->field;
            }
        }
    }

    conf->nfields = n;

    if (n == 0) {
        return TG_OK;
    }

    conf->fields = tg_request_fields(conf->mem, paths, n, err);

    return conf->fields != NULL ? TG_OK : TG_ERROR;
}
