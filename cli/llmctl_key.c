#define _GNU_SOURCE

#include "llmctl_key.h"
#include "llmctl.h"
#include "llmctl_keyfile.h"

#include "tg_rfc3339.h"

#include <getopt.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct {
    const char  *name;
    const char  *args;
    const char  *help;
    int        (*run)(int argc, char **argv);
} verb_t;

static int key_usage(FILE *to);


/* getopt has said what is wrong, or the arguments are too few or too many. */
static int
misused(void)
{
    return key_usage(stderr);
}


static int
print_secret(const char *id, const char *secret, bool json)
{
    if (json) {
        printf("{\"id\": \"%s\", \"secret\": \"%s\"}\n", id, secret);

    } else {
        printf("id      %s\nsecret  %s\n", id, secret);
    }

    /* the file has it already, and nobody else does */

    if (fflush(stdout) == EOF || ferror(stdout)) {
        return fail(id, "the secret could not be printed and is lost: rotate"
                    " the key");
    }

    if (!json) {
        fprintf(stderr, "llmctl: shown this once; the file keeps its SHA-256"
                " only\n");
    }

    return 0;
}


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


static bool
set_expires(json_t *key, const char *s)
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
        return set_expires(key, optarg);

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
            (void) misused();
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


static int
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
        return key == NULL ? 1 : misused();
    }

    if (keyfile_edit(&f, argv[optind], true)
        && json_array_append(f.list, key) == 0 && keyfile_save(&f))
    {
        rc = print_secret(json_string_value(json_object_get(key, "id")),
                          secret, json);
    }

    keyfile_close(&f);
    json_decref(key);
    OPENSSL_cleanse(secret, sizeof(secret));

    return rc;
}


static const char *
state_of(const tg_key_t *key, const json_t *record, int64_t now)
{
    const char  *expires;

    if (key->disabled) {
        return "disabled";
    }

    if (now >= key->expires_ms) {
        return "expired";
    }

    expires = json_string_value(json_object_get(
                  json_object_get(record, "previous"), "expires"));

    if (expires != NULL && tg_rfc3339_parse(tg_strz(expires)) > now) {
        return "rotating";
    }

    return "ok";
}


static const char *
shown(tg_str_t s)
{
    return s.len == 0 ? "-" : s.p;
}


/* Enough of the hash to tell two apart, and of no use to anybody else. */
static int
list_json(const keyfile_t *f, int64_t now)
{
    json_t          *out, *all = json_array(), *record;
    const char      *hash;
    const tg_key_t  *key;

    for (size_t i = 0; i < tg_keys_count(f->keys); i++) {
        key = tg_keys_key(f->keys, i);
        record = json_array_get(f->list, i);
        hash = json_string_value(json_object_get(record, "sha256"));

        out = json_deep_copy(record);
        (void) json_object_del(out, "sha256");
        (void) json_object_del(json_object_get(out, "previous"), "sha256");
        (void) json_object_set_new(out, "sha256_start",
                                   json_stringn(hash, 8));
        (void) json_object_set_new(out, "state",
                                   json_string(state_of(key, record, now)));
        (void) json_array_append_new(all, out);
    }

    (void) json_dumpf(all, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(all);

    return 0;
}


static int
list_text(const keyfile_t *f, int64_t now)
{
    json_t          *record;
    const char      *expires;
    const tg_key_t  *key;

    printf("%-20s  %-8s  %-8s  %-16s  %-16s  %-12s  %-24s  %s\n", "ID",
           "STATE", "SHA256", "TEAM", "USER", "ORG", "EXPIRES", "NAME");

    for (size_t i = 0; i < tg_keys_count(f->keys); i++) {
        key = tg_keys_key(f->keys, i);
        record = json_array_get(f->list, i);
        expires = json_string_value(json_object_get(record, "expires"));

        printf("%-20s  %-8s  %-8.8s  %-16s  %-16s  %-12s  %-24s  %s\n",
               key->id.p, state_of(key, record, now),
               json_string_value(json_object_get(record, "sha256")),
               shown(key->team), shown(key->user), shown(key->org),
               expires == NULL ? "-" : expires, shown(key->name));
    }

    return 0;
}


static int
key_list(int argc, char **argv)
{
    static const struct option  options[] = {
        { "json", no_argument, NULL, 'j' },
        { NULL,   0,           NULL, 0 }
    };
    int        opt, rc = 1;
    bool       json = false;
    keyfile_t  f;

    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (opt == '?') {
            return misused();
        }
        json = true;
    }

    if (optind != argc - 1) {
        return misused();
    }

    if (keyfile_view(&f, argv[optind])) {
        rc = json ? list_json(&f, now_ms()) : list_text(&f, now_ms());
    }

    keyfile_close(&f);

    if (fflush(stdout) == EOF || ferror(stdout)) {
        return fail("list", "can't be written");
    }

    return rc;
}


static int
key_check(int argc, char **argv)
{
    keyfile_t  f;
    bool       valid;

    if (argc != 2) {
        return misused();
    }

    valid = keyfile_view(&f, argv[1]);

    if (valid) {
        printf("%zu keys, %zu users, %zu teams, %zu orgs, hash %s\n",
               tg_keys_count(f.keys),
               tg_keys_subjects(f.keys, TG_SUBJECT_USER),
               tg_keys_subjects(f.keys, TG_SUBJECT_TEAM),
               tg_keys_subjects(f.keys, TG_SUBJECT_ORG),
               tg_keys_hash(f.keys).p);
    }

    keyfile_close(&f);

    return valid ? 0 : 1;
}


/*
 * The record stays, disabled: an id that were given out again would go on with
 * the spend of the old one.
 */
static int
key_revoke(int argc, char **argv)
{
    bool        done;
    json_t     *key;
    keyfile_t   f;

    if (argc != 3) {
        return misused();
    }

    done = keyfile_edit(&f, argv[1], false)
           && (key = keyfile_find(&f, argv[2])) != NULL
           && json_object_set_new(key, "disabled", json_true()) == 0;

    if (done) {
        (void) json_object_del(key, "previous");
        done = keyfile_save(&f);
    }

    if (done) {
        printf("%s is revoked\n", argv[2]);
    }

    keyfile_close(&f);

    return done ? 0 : 1;
}


/* Puts the digest of the secret that there is behind that of the new one. */
static bool
rotate(const keyfile_t *f, json_t *key, const char *secret, int64_t grace,
    bool force)
{
    char             text[TIME_SIZE], span[32];
    json_t          *previous = json_object_get(key, "previous");
    const char      *id = json_string_value(json_object_get(key, "id"));
    const char      *expires;
    const tg_key_t  *known = tg_keys_by_id(f->keys, tg_strz(id));

    if (known == NULL || known->disabled) {
        (void) fail(id, "is disabled");
        return false;
    }

    expires = json_string_value(json_object_get(previous, "expires"));

    if (expires != NULL && !force
        && tg_rfc3339_parse(tg_strz(expires)) > now_ms())
    {
        fprintf(stderr, "llmctl: %s: the secret before is valid until %s;"
                " --force ends it now\n", id, expires);
        return false;
    }

    (void) json_object_del(key, "previous");

    if (grace != 0) {
        (void) snprintf(span, sizeof(span), "%llds",
                        (long long) (grace / 1000));

        if (!parse_time(span, text)
            || json_object_set_new(key, "previous",
                   json_pack("{s:O, s:s}", "sha256",
                             json_object_get(key, "sha256"), "expires", text))
               != 0)
        {
            (void) fail(id, "out of memory");
            return false;
        }
    }

    return json_object_set_new(key, "sha256", digest_of(secret)) == 0;
}


typedef struct {
    int64_t      grace;
    const char  *expires;
    bool         force;
    bool         json;
} rotate_options_t;


static bool
rotate_options(int argc, char **argv, rotate_options_t *o)
{
    static const struct option  options[] = {
        { "grace",   required_argument, NULL, 'g' },
        { "expires", required_argument, NULL, 'e' },
        { "force",   no_argument,       NULL, 'f' },
        { "json",    no_argument,       NULL, 'j' },
        { NULL,      0,                 NULL, 0 }
    };
    int  opt;

    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (opt) {
        case 'g':
            o->grace = strcmp(optarg, "0") == 0 ? 0 : parse_span(optarg);
            break;
        case 'e':
            o->expires = optarg;
            break;
        case 'f':
            o->force = true;
            break;
        case 'j':
            o->json = true;
            break;
        default:
            return false;
        }
    }

    if (o->grace < 0) {
        (void) fail("--grace", "is not a span as in 24h");
        return false;
    }

    return optind == argc - 2;
}


static int
key_rotate(int argc, char **argv)
{
    int                rc = 1;
    char               secret[SECRET_SIZE];
    json_t            *key;
    keyfile_t          f;
    rotate_options_t   o = { 24 * 3600 * INT64_C(1000), NULL, false, false };

    if (!rotate_options(argc, argv, &o)) {
        return misused();
    }

    if (!make_secret(secret)) {
        return 1;
    }

    if (keyfile_edit(&f, argv[optind], false)
        && (key = keyfile_find(&f, argv[optind + 1])) != NULL
        && rotate(&f, key, secret, o.grace, o.force)
        && (o.expires == NULL || set_expires(key, o.expires))
        && keyfile_save(&f))
    {
        rc = print_secret(argv[optind + 1], secret, o.json);
    }

    keyfile_close(&f);
    OPENSSL_cleanse(secret, sizeof(secret));

    return rc;
}


static int
key_import(int argc, char **argv)
{
    static const struct option  options[] = {
        { "format", required_argument, NULL, 'f' },
        { NULL,     0,                 NULL, 0 }
    };
    int         opt;
    long        n = -1;
    bool        csv, done = false;
    size_t      len;
    keyfile_t   f;
    const char  *format = NULL;

    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (opt == '?') {
            return misused();
        }
        format = optarg;
    }

    if (optind != argc - 2
        || (format != NULL && strcmp(format, "csv") != 0
            && strcmp(format, "jsonl") != 0))
    {
        return misused();
    }

    len = strlen(argv[optind + 1]);
    csv = format != NULL ? strcmp(format, "csv") == 0
          : len > 4 && strcmp(argv[optind + 1] + len - 4, ".csv") == 0;

    if (keyfile_edit(&f, argv[optind], true)) {
        n = import_keys(f.list, argv[optind + 1], csv);
        done = n >= 0 && keyfile_save(&f);
    }

    if (done) {
        printf("imported: %ld\n", n);
    }

    keyfile_close(&f);

    return done ? 0 : 1;
}


static const verb_t  verbs[] = {
    { "new", "FILE [--id=ID] [--name=TEXT] [--user=USER] [--team=TEAM]"
      " [--org=ORG]\n      [--owner=TEXT] [--purpose=TEXT]"
      " [--tag=NAME=VALUE]... [--model=PATTERN]...\n"
      "      [--budget=WORDS]... [--rate=WORDS]..."
      " [--expires=TIME|90d] [--json]",
      "makes a key, and prints its secret once", key_new },
    { "list", "FILE [--json]", "all keys, without secrets or whole hashes",
      key_list },
    { "revoke", "FILE ID", "the key is refused from now on; its record stays",
      key_revoke },
    { "rotate", "FILE ID [--grace=24h|0] [--expires=TIME|90d] [--force]"
      " [--json]",
      "a new secret for a key; the old one is valid for the grace period",
      key_rotate },
    { "import", "FILE SOURCE|- [--format=csv|jsonl]",
      "adds keys that exist, by their secret or its SHA-256", key_import },
    { "check", "FILE", "reads a file as the servers do", key_check }
};


static int
key_usage(FILE *to)
{
    fprintf(to, "usage:\n");

    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        fprintf(to, "  llmctl key %s %s\n      %s\n", verbs[i].name,
                verbs[i].args, verbs[i].help);
    }

    return to == stderr ? 2 : 0;
}


int
key_command(int argc, char **argv)
{
    if (argc >= 1 && strcmp(argv[0], "help") == 0) {
        return key_usage(stdout);
    }

    for (size_t i = 0; argc >= 1 && i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(argv[0], verbs[i].name) == 0) {
            return verbs[i].run(argc, argv);
        }
    }

    return key_usage(stderr);
}
