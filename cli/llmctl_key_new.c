/* llmctl key new */

#define _GNU_SOURCE

#include "llmctl_key.h"
#include "llmctl.h"
#include "llmctl_keyfile.h"

#include <getopt.h>
#include <openssl/crypto.h>
#include <stdlib.h>


/* "name=value" to the object of that field. */
static bool
set_tag(json_t *key, const char *s)
{
    char        *name;
    json_t      *tags = json_object_get(key, "tags");
    const char  *eq = strchr(s, '=');
    bool         done;

    if (eq == NULL) {
        (void) fail(s, "is not name=value");
        return false;
    }

    if (tags == NULL) {
        tags = json_object();
        (void) json_object_set_new(key, "tags", tags);
    }

    name = strndup(s, (size_t) (eq - s));
    done = name != NULL
           && json_object_set_new(tags, name, json_string(eq + 1)) == 0;
    free(name);

    if (!done) {
        (void) fail(s, "is not UTF-8");
    }

    return done;
}


static bool
append(json_t *key, const char *field, const char *s)
{
    json_t  *list = json_object_get(key, field);

    if (list == NULL) {
        list = json_array();
        (void) json_object_set_new(key, field, list);
    }

    if (json_array_append_new(list, json_string(s)) != 0) {
        (void) fail(field, "is not UTF-8");
        return false;
    }

    return true;
}


bool
key_set_expires(json_t *key, const char *s)
{
    char  text[TIME_SIZE];

    if (!parse_time(s, text)) {
        (void) fail(s, "is neither a time as in 2026-12-31T23:59:59Z nor a span"
                    " as in 90d");
        return false;
    }

    return json_object_set_new(key, "expires", json_string(text)) == 0;
}


static const struct option  new_options[] = {
    { "id",      required_argument, NULL, 't' },
    { "name",    required_argument, NULL, 't' },
    { "user",    required_argument, NULL, 't' },
    { "team",    required_argument, NULL, 't' },
    { "org",     required_argument, NULL, 't' },
    { "owner",   required_argument, NULL, 't' },
    { "purpose", required_argument, NULL, 't' },
    { "model",   required_argument, NULL, 'm' },
    { "budget",  required_argument, NULL, 'b' },
    { "rate",    required_argument, NULL, 'r' },
    { "tag",     required_argument, NULL, 'g' },
    { "expires", required_argument, NULL, 'e' },
    { "json",    no_argument,       NULL, 'j' },
    { NULL,      0,                 NULL, 0 }
};


static bool
new_option(json_t *key, int opt, const char *field, bool *json)
{
    switch (opt) {

    case 't':
        if (json_object_set_new(key, field, json_string(optarg)) != 0) {
            (void) fail(field, "is not UTF-8");
            return false;
        }
        return true;

    case 'm':
        return append(key, "models", optarg);

    case 'b':
        return append(key, "budgets", optarg);

    case 'r':
        return append(key, "rates", optarg);

    case 'g':
        return set_tag(key, optarg);

    case 'e':
        return key_set_expires(key, optarg);

    default:
        *json = true;
        return true;
    }
}


/* The record that the options describe; NULL with a message said. */
static json_t *
new_record(int argc, char **argv, const char *secret, bool *json)
{
    int      opt, which = 0;
    char     id[ID_SIZE];
    json_t  *key = json_object();

    if (!make_id(id)) {
        json_decref(key);
        return NULL;
    }

    (void) json_object_set_new(key, "id", json_string(id));
    (void) json_object_set_new(key, "sha256", digest_of(secret));

    while ((opt = getopt_long(argc, argv, "", new_options, &which)) != -1) {
        if (opt == '?') {
            (void) key_misused();
            json_decref(key);
            return NULL;
        }

        if (!new_option(key, opt, new_options[which].name, json)) {
            json_decref(key);
            return NULL;
        }
    }

    return key;
}


int
key_new(int argc, char **argv)
{
    int          rc = 1;
    bool         json = false;
    char         secret[SECRET_SIZE];
    json_t      *key;
    keyfile_t    f;

    if (!make_secret(secret)) {
        return 1;
    }

    key = new_record(argc, argv, secret, &json);

    if (key == NULL || optind != argc - 1) {
        json_decref(key);
        return key == NULL ? 1 : key_misused();
    }

    if (keyfile_edit(&f, argv[optind], true)
        && json_array_append(f.list, key) == 0 && keyfile_save(&f))
    {
        rc = key_print_secret(json_string_value(json_object_get(key, "id")),
                          secret, json);
    }

    keyfile_close(&f);
    json_decref(key);
    OPENSSL_cleanse(secret, sizeof(secret));

    return rc;
}
