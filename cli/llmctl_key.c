#define _GNU_SOURCE

#include "llmctl_key.h"
#include "llmctl.h"
#include "llmctl_keyfile.h"

#include "tg_rfc3339.h"

#include <getopt.h>
#include <openssl/crypto.h>
#include <stdio.h>

typedef struct {
    const char  *name;
    const char  *args;
    const char  *help;
    int        (*run)(int argc, char **argv);
} verb_t;

static int key_usage(FILE *to);


int
key_misused(void)
{
    return key_usage(stderr);
}


int
key_print_secret(const char *id, const char *secret, bool json)
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


static int
key_check(int argc, char **argv)
{
    keyfile_t  f;
    bool       valid;

    if (argc != 2) {
        return key_misused();
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
        return key_misused();
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
        return key_misused();
    }

    if (!make_secret(secret)) {
        return 1;
    }

    if (keyfile_edit(&f, argv[optind], false)
        && (key = keyfile_find(&f, argv[optind + 1])) != NULL
        && rotate(&f, key, secret, o.grace, o.force)
        && (o.expires == NULL || key_set_expires(key, o.expires))
        && keyfile_save(&f))
    {
        rc = key_print_secret(argv[optind + 1], secret, o.json);
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
            return key_misused();
        }
        format = optarg;
    }

    if (optind != argc - 2
        || (format != NULL && strcmp(format, "csv") != 0
            && strcmp(format, "jsonl") != 0))
    {
        return key_misused();
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
