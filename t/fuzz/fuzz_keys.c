/*
 * Keys files.  What is loaded is JSON that jansson takes as a whole, too; each
 * key is found by its id, each name that a key says is that of the list, and no
 * two keys share an id.  What is refused says why, and on which line.  The same
 * bytes as a query lose their credentials, and nothing else, for good.
 */

#include "tg_key_presented.h"
#include "tg_keys.h"
#include "tg_rfc3339.h"

#include <jansson.h>
#include <stdlib.h>

#define CHECK(cond)  do { if (!(cond)) { abort(); } } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static tg_str_t
header(void *req, tg_str_t name)
{
    tg_str_t  *text = req;

    return tg_str_eq(name, tg_str("x-api-key")) ? *text : tg_str_null;
}


static tg_str_t
no_header(void *req, tg_str_t name)
{
    (void) req;
    (void) name;

    return tg_str_null;
}


static void
check_query(tg_str_t text)
{
    char                *buf = malloc(text.len + 1), *again;
    size_t               n;
    tg_key_presented_t   p;

    CHECK(buf != NULL);

    n = tg_key_strip_args(text, buf);
    CHECK(n <= text.len);

    CHECK(tg_key_presented(&p, no_header, NULL, tg_str_of(buf, n), true, NULL)
          == TG_OK);
    CHECK(p.carriers == 0);

    again = malloc(n + 1);
    CHECK(again != NULL);
    CHECK(tg_key_strip_args(tg_str_of(buf, n), again) == n);
    CHECK(memcmp(again, buf, n) == 0);
    free(again);

    /* in place */

    if (text.len != 0) {
        memcpy(buf, text.p, text.len);
    }
    CHECK(tg_key_strip_args(tg_str_of(buf, text.len), buf) == n);
    free(buf);

    if (tg_key_presented(&p, header, &text, text, true, NULL) == TG_OK
        && p.carriers != 0)
    {
        CHECK(p.secret.len != 0);
    }

    (void) tg_key_bearer(text);
    CHECK(tg_rfc3339_parse(text) >= -1);
}


static void
check_json(tg_str_t text)
{
    json_t  *root = json_loadb(text.p, text.len, JSON_REJECT_DUPLICATES, NULL);

    CHECK(root != NULL);
    CHECK(json_is_array(json_object_get(root, "keys")));
    json_decref(root);
}


static void
check_key(const tg_keys_t *keys, const tg_key_t *key)
{
    const tg_subject_t  *s;

    CHECK(tg_keys_by_id(keys, key->id) == key);
    CHECK(key->id.len != 0 && key->line != 0);
    CHECK(key->ntags <= TG_KEY_TAGS_MAX);
    CHECK(key->nlimits <= TG_KEY_LIMITS_MAX);
    CHECK(key->expires_ms >= 0);

    for (unsigned i = 0; i < key->nlimits; i++) {
        CHECK(key->limits[i].nwords != 0);
    }

    CHECK(key->subjects[TG_SUBJECT_USER]
          == tg_keys_subject_of(keys, TG_SUBJECT_USER, key->user));
    CHECK(key->subjects[TG_SUBJECT_TEAM]
          == tg_keys_subject_of(keys, TG_SUBJECT_TEAM, key->team));
    CHECK(key->subjects[TG_SUBJECT_ORG]
          == tg_keys_subject_of(keys, TG_SUBJECT_ORG, key->org));

    s = key->subjects[TG_SUBJECT_TEAM];
    CHECK(s == NULL || s->org.len == 0 || tg_str_eq(s->org, key->org));

    (void) tg_key_allows_model(key, key->id);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char             md[32];
    tg_str_t         text = { (const char *) data, size };
    tg_keys_t       *keys;
    tg_error_t       err;
    tg_key_found_t   found;

    check_query(text);

    err.message[0] = '\0';
    err.code = 0;
    keys = tg_keys_load(tg_str("fuzz"), text, &err);

    if (keys == NULL) {
        CHECK(err.message[0] != '\0' && err.code != 0 && err.offset != 0);
        return 0;
    }

    check_json(text);

    for (size_t i = 0; i < tg_keys_count(keys); i++) {
        check_key(keys, tg_keys_key(keys, i));
    }

    memset(md, 0, sizeof(md));
    CHECK((tg_keys_find(keys, tg_str_of(md, sizeof(md)), 0, &found)
           == TG_KEY_UNKNOWN) == (found.key == NULL));

    tg_keys_destroy(keys);

    return 0;
}
