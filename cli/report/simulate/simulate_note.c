/* What a configuration looks at that no line has. */

#include "simulate_int.h"

#include <ctype.h>
#include <stdio.h>

/* Names in a when= (tg_when.h), and what becomes of them. */
static const struct {
    const char  *name;
    const char  *what;
} unknown[] = {
    { "prompt", "the prompt is in no line: conditions about it are not true"
                " here" },
    { "images", "whether there were pictures is in no line: none are taken to"
                " be" },
    { "audio", "whether there was sound is in no line: none is taken to be" },
    { "json_schema", "whether JSON by a schema was asked for is in no line: it"
                     " is taken not to be" },
    { "tools", "that a call has tools is known only where it used one, or by"
               " what it held" },
    { "path", "the path is in no line: it is taken to be the usual one of the"
              " operation" },
    { "header", "headers are in no line: conditions about them are not true"
                " here" },
    { "healthy", "which provider was in trouble is not replayed: all are"
                 " healthy" },
    { "saturated", "how full backends were is not replayed: saturated() is not"
                   " known" }
};

#define UNKNOWN  (sizeof(unknown) / sizeof(unknown[0]))


/* The name stands there, and not within a text. */
static bool
names(tg_str_t when, const char *name)
{
    char    quote = 0;
    size_t  n = strlen(name), i = 0, start;

    while (i < when.len) {
        if (quote != 0 || when.p[i] == '\'' || when.p[i] == '"') {
            quote = quote == 0 ? when.p[i] : when.p[i] == quote ? 0 : quote;
            i++;
            continue;
        }

        if (!isalpha((unsigned char) when.p[i])) {
            i++;
            continue;
        }

        for (start = i; i < when.len && (isalnum((unsigned char) when.p[i])
                                         || when.p[i] == '_'); i++)
        {
            /* void */
        }

        if (i - start == n && memcmp(when.p + start, name, n) == 0) {
            return true;
        }
    }

    return false;
}


static bool
conditions_name(const tg_conf_t *conf, const char *name)
{
    tg_str_t               arg;
    const tg_conf_said_t  *said;

    for (said = conf->said; said != NULL; said = said->next) {
        for (unsigned i = 0; i < said->nargs; i++) {
            arg = said->args[i];

            if (tg_str_starts(arg, tg_str("when="))
                && names(tg_str_of(arg.p + 5, arg.len - 5), name))
            {
                return true;
            }
        }
    }

    return false;
}


static bool
guards_read(const tg_conf_t *conf)
{
    tg_str_t               arg;
    const tg_conf_said_t  *said;

    for (said = conf->said; said != NULL; said = said->next) {
        for (unsigned i = 0; said->id == TG_DIRECTIVE_GUARD && i < said->nargs;
             i++)
        {
            arg = said->args[i];

            if (tg_str_starts(arg, tg_str("deny="))
                || tg_str_starts(arg, tg_str("allow="))
                || tg_str_starts(arg, tg_str("pii="))
                || tg_str_starts(arg, tg_str("trim=")))
            {
                return true;
            }
        }
    }

    return false;
}


static void
note_place(const simulate_t *s, table_t *t)
{
    if (s->several && s->location == NULL) {
        table_note(t, "location", "locations differ, and lines do not say which"
                   " one they are of: the first with llm on is taken for all;"
                   " --location=PATH chooses");
    }

    if (s->read->kind == SERVERCONF_PUBLISHED && s->pass == NULL) {
        table_note(t, "location", "this file says nothing of locations: llm is"
                   " taken to be on, and llm_pass where a provider has a url=;"
                   " --pass=off says otherwise");
    }
}


void
simulate_notes(const simulate_t *s, table_t *t)
{
    const tg_conf_t  *conf = s->server;

    note_place(s, t);

    for (size_t i = 0; i < UNKNOWN; i++) {
        if (conditions_name(conf, unknown[i].name)) {
            table_note(t, unknown[i].name, unknown[i].what);
        }
    }

    if (guards_read(conf)) {
        table_note(t, "guards", "guards that look at what is written (deny=,"
                   " pii=, trim=) find nothing here; what they refused then"
                   " stays refused");
    }

    if (conf->repeats) {
        table_note(t, "repeats", "which calls were equal is in no line: repeats="
                   " never refuses here");
    }

    if (conf->ledger.fleet != NULL) {
        table_note(t, "fleet", "lines of all nodes are replayed as of one that"
                   " never waits for Redis");
    }
}
