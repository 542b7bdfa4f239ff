/* What was said, written down and said again. */

#include "tg_conf_int.h"
#include "tg_text.h"

#define TG_CONF_ARGS_MAX  64

#define TG_CONF_HEAD                                                          \
    "# What the server was told, for llmctl; written anew at each start.\n"


/* Names of files are made absolute. */
static tg_str_t
tg_conf_said_arg(tg_conf_t *conf, tg_directive_id_t id, unsigned i,
    tg_str_t s)
{
    tg_str_t  full = tg_str_null;

    if (conf->full_name != NULL && s.len != 0
        && (id == TG_DIRECTIVE_PRICES || id == TG_DIRECTIVE_GEOIP
            || (i == 0
                && (id == TG_DIRECTIVE_KEYS || id == TG_DIRECTIVE_LEDGER))))
    {
        full = conf->full_name(conf->full_name_data, s);
    }

    return tg_dup(conf->mem, full.len != 0 ? full : s);
}


int
tg_conf_keep(tg_conf_t *conf, tg_directive_id_t id, const tg_str_t *args,
    unsigned nargs)
{
    tg_conf_said_t  *said;

    /* An alert's URL is often a secret, and is of no use to anybody else. */

    if (id != TG_DIRECTIVE_LOG
        && (tg_directives[id].contexts != TG_IN_MAIN
            || id == TG_DIRECTIVE_ALERT))
    {
        return TG_OK;
    }

    said = tg_zalloc(conf->mem, sizeof(tg_conf_said_t));

    if (said == NULL) {
        return TG_ERROR;
    }

    said->id = id;
    said->nargs = nargs;
    said->args = tg_zalloc(conf->mem, (nargs + 1) * sizeof(tg_str_t));

    if (said->args == NULL) {
        return TG_ERROR;
    }

    for (unsigned i = 0; i < nargs; i++) {
        said->args[i] = tg_conf_said_arg(conf, id, i, args[i]);

        if (said->args[i].p == NULL) {
            return TG_ERROR;
        }
    }

    *conf->said_end = said;
    conf->said_end = &said->next;

    return TG_OK;
}


static void
tg_conf_put_word(tg_text_t *t, tg_str_t s)
{
    tg_put_lit(t, " \"");

    for (size_t i = 0; i < s.len; i++) {
        switch (s.p[i]) {
        case '\n':
            tg_put_lit(t, "\\n");
            break;
        case '"':
        case '\\':
            tg_put_lit(t, "\\");
            /* fall through */
        default:
            tg_put(t, s.p + i, 1);
        }
    }

    tg_put_lit(t, "\"");
}


tg_str_t
tg_conf_text(const tg_conf_t *conf, tg_mem_t *mem)
{
    char                  *buf;
    size_t                 size = sizeof(TG_CONF_HEAD);
    tg_text_t              t;
    const tg_conf_said_t  *said;

    for (said = conf->said; said != NULL; said = said->next) {
        size += strlen(tg_directives[said->id].nginx_name) + 2;

        for (unsigned i = 0; i < said->nargs; i++) {
            size += 2 * said->args[i].len + 3;
        }
    }

    buf = tg_alloc(mem, size);
    if (buf == NULL) {
        return tg_str_null;
    }

    tg_text_init(&t, buf, size);
    tg_put_lit(&t, TG_CONF_HEAD);

    for (said = conf->said; said != NULL; said = said->next) {
        tg_put_str(&t, tg_strz(tg_directives[said->id].nginx_name));

        for (unsigned i = 0; i < said->nargs; i++) {
            tg_conf_put_word(&t, said->args[i]);
        }

        tg_put_lit(&t, ";\n");
    }

    *t.p = '\0';                    /* the head's size has room for it */

    return tg_str_of(buf, (size_t) (t.p - buf));
}


/* Reads a quoted word at *p, which goes on to what is behind it. */
static int
tg_conf_get_word(tg_mem_t *mem, const char **p, const char *end, tg_str_t *word)
{
    char        *buf;
    size_t       n = 0;
    const char  *s = *p, *close = s;

    while (close < end && *close != '"') {
        close += *close == '\\' ? 2 : 1;
    }

    if (close >= end) {
        return TG_ERROR;
    }

    buf = tg_alloc(mem, (size_t) (close - s) + 1);
    if (buf == NULL) {
        return TG_ERROR;
    }

    while (s < close) {
        if (*s == '\\') {
            s++;
            buf[n++] = *s == 'n' ? '\n' : *s;
        } else {
            buf[n++] = *s;
        }
        s++;
    }

    *p = close + 1;
    *word = tg_str_of(buf, n);

    return TG_OK;
}


static int
tg_conf_get_name(const char **p, const char *end, tg_directive_id_t *id)
{
    size_t    n = 0;
    tg_str_t  name;

    while (*p + n < end && (*p)[n] != ' ' && (*p)[n] != ';') {
        n++;
    }

    name = tg_str_of(*p, n);
    *p += n;

    for (int i = 0; i < TG_DIRECTIVES; i++) {
        if (tg_str_eq(name, tg_strz(tg_directives[i].nginx_name))) {
            *id = (tg_directive_id_t) i;
            return TG_OK;
        }
    }

    return TG_ERROR;
}


static int
tg_conf_read_line(tg_conf_t *conf, const char *p, const char *end,
    unsigned line, tg_error_t *err)
{
    unsigned           n = 0;
    tg_str_t           args[TG_CONF_ARGS_MAX];
    tg_scope_t         scope;
    tg_error_t         why;
    tg_directive_id_t  id;

    if (tg_conf_get_name(&p, end, &id) != TG_OK) {
        return tg_error(err, 0, line, "line %u has no directive of this"
                        " version", line);
    }

    while (end - p > 2 && p[0] == ' ' && p[1] == '"' && n < TG_CONF_ARGS_MAX) {
        p += 2;

        if (tg_conf_get_word(conf->mem, &p, end, &args[n++]) != TG_OK) {
            return tg_error(err, 0, line, "line %u is cut", line);
        }
    }

    if (end - p != 1 || *p != ';') {
        return tg_error(err, 0, line, "line %u is cut", line);
    }

    /* of a scope nothing is asked for */

    tg_scope_init(&scope);

    return tg_conf_directive(conf, &scope, id, args, n, &why) == TG_OK ? TG_OK
           : tg_error(err, 0, line, "line %u: %s %s", line,
                      tg_directives[id].nginx_name, why.message);
}


int
tg_conf_read(tg_conf_t *conf, tg_str_t text, tg_error_t *err)
{
    unsigned     line = 0;
    const char  *p = text.p, *last = text.p + text.len, *end;

    while (p < last) {
        line++;
        end = memchr(p, '\n', (size_t) (last - p));

        if (end == NULL) {
            return tg_error(err, 0, line, "line %u is cut", line);
        }

        if (*p != '#' && end != p
            && tg_conf_read_line(conf, p, end, line, err) != TG_OK)
        {
            return TG_ERROR;
        }

        p = end + 1;
    }

    return TG_OK;
}
