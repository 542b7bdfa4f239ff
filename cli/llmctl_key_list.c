/* llmctl key list */

#define _GNU_SOURCE

#include "llmctl_key.h"
#include "llmctl.h"
#include "llmctl_keyfile.h"

#include "tg_rfc3339.h"

#include <getopt.h>
#include <stdio.h>


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


int
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
            return key_misused();
        }
        json = true;
    }

    if (optind != argc - 1) {
        return key_misused();
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
