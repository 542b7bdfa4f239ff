/*
 * Keys that exist somewhere else: a CSV file with a header line, or one JSON
 * object a line.  Both are turned into records as the keys file has them, with
 * the SHA-256 in the place of the secret; what a record may say is checked with
 * the whole file.
 */

#include "llmctl_key.h"
#include "llmctl.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#define COLUMNS_MAX  64

/* Where in the source we are, for messages: never with a piece of it. */
typedef struct {
    const char  *name;
    unsigned     line;
} place_t;

typedef struct {
    char      *p, *end;
    unsigned   line;
    bool       last;            /* the cell just read ended its row */
} csv_t;


static bool
wrong(const place_t *at, const char *why)
{
    char  where[300];

    (void) snprintf(where, sizeof(where), "%s:%u", at->name, at->line);
    (void) fail(where, why);

    return false;
}


/* Checks and finishes a record, and adds it. */
static bool
add(json_t *list, json_t *key, const place_t *at)
{
    char     id[ID_SIZE];
    json_t  *secret = json_object_get(key, "secret");

    if (secret != NULL) {
        if (json_object_get(key, "sha256") != NULL) {
            return wrong(at, "has both a secret and a sha256");
        }

        if (!json_is_string(secret)
            || json_string_length(secret) < TG_KEY_SECRET_MIN
            || json_string_length(secret) > TG_KEY_SECRET_MAX)
        {
            return wrong(at, "has a secret of fewer than 16 or more than 512"
                         " characters: it could be guessed from its hash, or"
                         " never be sent");
        }

        (void) json_object_set_new(key, "sha256",
                                   digest_of(json_string_value(secret)));
        (void) json_object_del(key, "secret");
    }

    if (json_object_get(key, "sha256") == NULL) {
        return wrong(at, "has neither a secret nor a sha256");
    }

    if (json_object_get(key, "id") == NULL) {
        if (!make_id(id)) {
            return false;
        }
        (void) json_object_set_new(key, "id", json_string(id));
    }

    return json_array_append(list, key) == 0 || wrong(at, "out of memory");
}


static long
import_jsonl(json_t *list, place_t *at, char *text, size_t size)
{
    bool           done;
    char          *p = text, *end = text + size, *stop;
    long           n = 0;
    json_t        *key;
    json_error_t   e;

    for ( /* void */ ; p < end; p = stop + 1) {
        at->line++;
        stop = memchr(p, '\n', (size_t) (end - p));
        stop = stop == NULL ? end : stop;

        if (strspn(p, " \t\r\n") >= (size_t) (stop - p)) {
            continue;
        }

        key = json_loadb(p, (size_t) (stop - p), JSON_REJECT_DUPLICATES, &e);

        if (!json_is_object(key)) {
            json_decref(key);
            (void) wrong(at, "is not a JSON object");
            return -1;
        }

        done = add(list, key, at);
        json_decref(key);

        if (!done) {
            return -1;
        }

        n++;
    }

    return n;
}


/* The next cell, unquoted in place; NULL where its quotes are wrong. */
static char *
csv_cell(csv_t *csv)
{
    bool   quoted = csv->p < csv->end && *csv->p == '"';
    char  *start, *out;

    csv->p += quoted;
    start = out = csv->p;

    for ( /* void */ ; csv->p < csv->end; csv->p++) {
        if (quoted && *csv->p == '"') {
            if (csv->p + 1 < csv->end && csv->p[1] == '"') {
                csv->p++;

            } else {
                quoted = false;
                csv->p++;
                break;
            }

        } else if (!quoted && (*csv->p == ',' || *csv->p == '\n'
                               || (*csv->p == '\r' && csv->p + 1 < csv->end
                                   && csv->p[1] == '\n')))
        {
            break;
        }

        csv->line += *csv->p == '\n';
        *out++ = *csv->p;
    }

    if (csv->p < csv->end && *csv->p == '\r') {
        csv->p++;
    }

    if (quoted || (csv->p < csv->end && *csv->p != ',' && *csv->p != '\n')) {
        return NULL;
    }

    csv->last = csv->p >= csv->end || *csv->p == '\n';
    csv->line += csv->p < csv->end && *csv->p == '\n';
    csv->p++;

    /* where the separator was, or a quote, or the NUL behind the text */
    *out = '\0';

    return start;
}


/* The parts of a cell, at any of `separators`, as an array of strings. */
static json_t *
split(char *cell, const char *separators)
{
    char    *part, *state = NULL;
    json_t  *list = json_array();

    part = strtok_r(cell, separators, &state);

    for ( /* void */ ; part != NULL; part = strtok_r(NULL, separators, &state))
    {
        (void) json_array_append_new(list, json_string(part));
    }

    return list;
}


static bool
set_cell(json_t *key, const char *column, char *cell, const place_t *at)
{
    json_t  *v, *tags;

    if (cell[0] == '\0') {
        return true;
    }

    if (strcmp(column, "models") == 0) {
        v = split(cell, " ;,");

    } else if (strcmp(column, "budgets") == 0 || strcmp(column, "rates") == 0) {
        v = split(cell, ";");

    } else if (strcmp(column, "disabled") == 0) {
        v = strcmp(cell, "true") == 0 ? json_true()
            : strcmp(cell, "false") == 0 ? json_false() : NULL;

    } else {
        v = json_string(cell);
    }

    if (v == NULL) {
        return wrong(at, "has a cell that is not UTF-8, or neither true nor"
                     " false");
    }

    if (strncmp(column, "tag.", 4) != 0) {
        return json_object_set_new(key, column, v) == 0
               || wrong(at, "out of memory");
    }

    tags = json_object_get(key, "tags");

    if (tags == NULL) {
        tags = json_object();
        (void) json_object_set_new(key, "tags", tags);
    }

    return json_object_set_new(tags, column + 4, v) == 0
           || wrong(at, "out of memory");
}


static bool
known_column(const char *name)
{
    static const char *const  names[] = {
        "id", "secret", "sha256", "name", "user", "team", "org", "owner",
        "purpose", "models", "expires", "disabled", "budgets", "rates"
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }

    return strncmp(name, "tag.", 4) == 0;
}


/* The number of columns; 0 with a message said. */
static size_t
csv_header(csv_t *csv, const place_t *at, char **columns)
{
    size_t  n = 0;

    do {
        columns[n] = n == COLUMNS_MAX ? NULL : csv_cell(csv);

        if (columns[n] == NULL || !known_column(columns[n])) {
            (void) wrong(at, "has a column of no known name: a header line of"
                         " the names of a key's fields, secret, and"
                         " tag.<name> is needed");
            return 0;
        }

        for (size_t i = 0; i < n; i++) {
            if (strcmp(columns[i], columns[n]) == 0) {
                (void) wrong(at, "has a column twice");
                return 0;
            }
        }

        n++;
    } while (!csv->last);

    return n;
}


static bool
csv_row(csv_t *csv, json_t *key, char **columns, size_t n, const place_t *at)
{
    char    *cell;
    size_t   i = 0;

    do {
        cell = csv_cell(csv);

        if (cell == NULL) {
            return wrong(at, "has a cell whose quotes don't match");
        }

        if (i == n) {
            return wrong(at, "has more cells than the header");
        }

        if (!set_cell(key, columns[i++], cell, at)) {
            return false;
        }
    } while (!csv->last);

    return i == n || wrong(at, "has fewer cells than the header");
}


static long
import_csv(json_t *list, place_t *at, char *text, size_t size)
{
    bool     done = true;
    char    *columns[COLUMNS_MAX + 1];
    long     rows = 0;
    csv_t    csv = { text, text + size, 1, false };
    size_t   n;
    json_t  *key;

    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        csv.p += 3;
    }

    at->line = 1;
    n = csv_header(&csv, at, columns);

    if (n == 0) {
        return -1;
    }

    while (csv.p < csv.end && done) {
        at->line = csv.line;

        if (*csv.p == '\n' || *csv.p == '\r') {
            csv.line += *csv.p++ == '\n';
            continue;
        }

        key = json_object();
        done = csv_row(&csv, key, columns, n, at) && add(list, key, at);
        json_decref(key);
        rows++;
    }

    return done ? rows : -1;
}


long
import_keys(json_t *list, const char *name, bool csv)
{
    char     *text;
    long      n = -1;
    size_t    size;
    place_t   at = { name, 0 };

    text = read_file(name, TG_KEYS_TEXT_MAX, &size);
    if (text == NULL) {
        return -1;
    }

    if (memchr(text, '\0', size) != NULL) {
        (void) fail(name, "has a NUL byte");

    } else {
        n = csv ? import_csv(list, &at, text, size)
                : import_jsonl(list, &at, text, size);
    }

    OPENSSL_cleanse(text, size);
    free(text);

    if (n == 0) {
        (void) fail(name, "has no keys");
        return -1;
    }

    return n;
}
