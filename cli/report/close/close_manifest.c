/* A sealed period as JSON. */

#define _GNU_SOURCE

#include "close.h"
#include "llmctl.h"

#include "tg_money.h"

#include <openssl/evp.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define MANIFEST_MAX  ((size_t) 1024 * 1024 * 1024)
#define CHUNK         65536


json_t *
manifest_read(const char *file)
{
    char          *text;
    json_t        *m;
    size_t         size;
    json_error_t   err;

    text = read_file(file, MANIFEST_MAX, &size);
    if (text == NULL) {
        return NULL;
    }

    m = json_loadb(text, size, JSON_REJECT_DUPLICATES, &err);
    free(text);

    if (json_integer_value(json_object_get(m, "tollgate_close")) != 1
        || !json_is_array(json_object_get(m, "rows")))
    {
        (void) fail(file, "is no seal of llmctl close");
        json_decref(m);
        return NULL;
    }

    return m;
}


bool
file_hash(const char *file, char *text, int64_t *bytes)
{
    bool            ok;
    FILE           *f = fopen(file, "rbe");
    size_t          n;
    unsigned char   buf[CHUNK], hash[EVP_MAX_MD_SIZE];
    EVP_MD_CTX     *ctx = EVP_MD_CTX_new();

    *bytes = 0;
    ok = f != NULL && ctx != NULL
         && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;

    while (ok && (n = fread(buf, 1, sizeof(buf), f)) != 0) {
        ok = EVP_DigestUpdate(ctx, buf, n) == 1;
        *bytes += (int64_t) n;
    }

    ok = ok && !ferror(f) && EVP_DigestFinal_ex(ctx, hash, NULL) == 1;

    for (int i = 0; ok && i < SEAL_HASH; i++) {
        (void) sprintf(text + 2 * i, "%02x", hash[i]);
    }

    EVP_MD_CTX_free(ctx);
    if (f != NULL) {
        fclose(f);
    }

    return ok || failed(file, strerror(errno));
}


static void
put_string(FILE *to, const char *name, tg_str_t s)
{
    char    *text;
    json_t  *v = json_stringn(s.p, s.len);

    text = json_dumps(v, JSON_ENCODE_ANY);
    fprintf(to, "    \"%s\": %s,\n", name, text == NULL ? "null" : text);
    free(text);
    json_decref(v);
}


static void
put_time(FILE *to, const char *name, int64_t ms)
{
    char       buf[32];
    time_t     t = (time_t) (ms / 1000);
    struct tm  tm;

    (void) gmtime_r(&t, &tm);
    (void) strftime(buf, sizeof(buf), "%Y-%m-%dT%H:%M:%SZ", &tm);
    fprintf(to, "    \"%s\": \"%s\",\n", name, buf);
}


static void
put_sums(FILE *to, const seal_sum_t *s)
{
    fprintf(to, "\"lines\": %lld, \"calls\": %lld, \"nusd\": %lld",
            (long long) s->lines, (long long) s->calls, (long long) s->nusd);
}


static void
put_previous(const close_t *c, FILE *to)
{
    char    *text;
    json_t  *v = json_pack("{s:s%, s:s%}", "period", c->previous_period.p,
                           c->previous_period.len, "hash",
                           c->previous_hash.p, c->previous_hash.len);

    text = json_dumps(v, 0);
    fprintf(to, "    \"previous\": %s,\n", text == NULL ? "null" : text);
    free(text);
    json_decref(v);
}


static bool
put_files(const close_t *c, FILE *to)
{
    char         hash[SEAL_TEXT], *name;
    json_t      *v;
    int64_t      bytes;
    const char  *sep = "";

    fprintf(to, "    \"files\": [");

    for (int i = 0; i < c->o.nfiles; i++) {
        if (strcmp(c->o.files[i], "-") == 0) {
            continue;
        }

        if (!file_hash(c->o.files[i], hash, &bytes)) {
            return false;
        }

        v = json_string(c->o.files[i]);
        name = json_dumps(v, JSON_ENCODE_ANY);
        json_decref(v);
        fprintf(to, "%s\n        {\"name\": %s, \"bytes\": %lld, \"sha256\":"
                " \"%s\"}", sep, name == NULL ? "null" : name,
                (long long) bytes, hash);
        free(name);
        sep = ",";
    }

    fprintf(to, "\n    ],\n");

    return true;
}


static void
put_nodes(const close_t *c, FILE *to)
{
    char           buf[600], *name;
    json_t        *v;
    tg_str_t       s;
    fold_key_t     key;
    seal_node_t   *n;

    fprintf(to, "    \"nodes\": [");

    for (size_t i = 0; i < fold_count(c->seal.nodes); i++) {
        n = fold_at(c->seal.nodes, i, &key);
        s = fold_next_str(&key, buf, sizeof(buf));
        v = json_stringn(s.p, s.len);
        name = json_dumps(v, JSON_ENCODE_ANY);
        json_decref(v);
        fprintf(to, "%s\n        {\"node\": %s, \"lines\": %lld, \"first_seq\":"
                " %lld, \"last_seq\": %lld}", i == 0 ? "" : ",",
                name == NULL ? "null" : name, (long long) n->lines,
                (long long) n->first, (long long) n->last);
        free(name);
    }

    fprintf(to, "\n    ],\n");
}


typedef struct {
    FILE        *to;
    const char  *sep;
} rows_out_t;


static bool
put_row(void *data, const char *key, const seal_sum_t *sum)
{
    rows_out_t  *out = data;

    fprintf(out->to, "%s\n        {\"key\": %s, ", out->sep, key);
    put_sums(out->to, sum);
    fputc('}', out->to);
    out->sep = ",";

    return !ferror(out->to);
}


static bool
put_rows(close_t *c, FILE *to)
{
    rows_out_t  out = { to, "" };

    fprintf(to, "    \"dimensions\": [");

    for (int i = 0; seal_dimensions[i] != NULL; i++) {
        fprintf(to, "%s\"%s\"", i == 0 ? "" : ", ", seal_dimensions[i]);
    }

    fprintf(to, "],\n    \"rows\": [");

    if (!seal_each(&c->seal, put_row, &out)) {
        return failed("close", "the rows can't be read again");
    }

    fprintf(to, "\n    ],\n");

    return true;
}


bool
manifest_write(close_t *c, FILE *to)
{
    char  text[SEAL_TEXT], money[TG_MONEY_TEXT_MAX];

    seal_sum(&c->seal, text);

    fprintf(to, "{\n    \"tollgate_close\": 1,\n");
    put_string(to, "period", tg_strz(c->period));
    put_string(to, "zone", tg_strz(c->zone));
    put_time(to, "since", c->since);
    put_time(to, "until", c->until);
    fprintf(to, "    \"since_ms\": %lld,\n    \"until_ms\": %lld,\n",
            (long long) c->since, (long long) c->until);
    put_time(to, "sealed", (int64_t) time(NULL) * 1000);

    if (c->before != NULL) {
        put_previous(c, to);
    }

    fprintf(to, "    \"total\": {");
    put_sums(to, &c->seal.all);
    fprintf(to, ", \"usd\": \"%.*s\"},\n",
            (int) tg_money_text(money, c->seal.all.nusd), money);
    fprintf(to, "    \"duplicates\": %llu, \"broken\": %llu, \"missing\":"
            " %llu,\n", (unsigned long long) c->stats.duplicates,
            (unsigned long long) c->stats.broken,
            (unsigned long long) c->stats.missing);
    fprintf(to, "    \"lines_sum\": \"%s\",\n", text);
    put_nodes(c, to);

    if (!put_files(c, to) || !put_rows(c, to)) {
        return false;
    }

    fprintf(to, "    \"hash\": \"%s\"\n}\n", c->hash);

    return true;
}


static bool
hash_numbers(EVP_MD_CTX *ctx, const char *name, const json_t *o)
{
    int   n;
    char  buf[120];

    n = snprintf(buf, sizeof(buf), " %lld %lld %lld\n",
                 (long long) json_integer_value(json_object_get(o, "lines")),
                 (long long) json_integer_value(json_object_get(o, "calls")),
                 (long long) json_integer_value(json_object_get(o, "nusd")));

    return EVP_DigestUpdate(ctx, name, strlen(name)) == 1
           && EVP_DigestUpdate(ctx, buf, (size_t) n) == 1;
}


static const char *
text_of(const json_t *o, const char *name)
{
    const char  *s = json_string_value(json_object_get(o, name));

    return s == NULL ? "" : s;
}


static bool
hash_manifest(EVP_MD_CTX *ctx, const json_t *m)
{
    int      n;
    char     head[700], *key;
    bool     ok;
    size_t   i;
    json_t  *row;

    n = snprintf(head, sizeof(head), "tollgate close 1\n%s\n%s\n%lld %lld\n"
                 "%s\n%s\n", text_of(m, "period"), text_of(m, "zone"),
                 (long long) json_integer_value(json_object_get(m,
                                                                "since_ms")),
                 (long long) json_integer_value(json_object_get(m,
                                                                "until_ms")),
                 text_of(json_object_get(m, "previous"), "hash"),
                 text_of(m, "lines_sum"));

    ok = (size_t) n < sizeof(head)
         && EVP_DigestUpdate(ctx, head, (size_t) n) == 1
         && hash_numbers(ctx, "total", json_object_get(m, "total"));

    json_array_foreach(json_object_get(m, "rows"), i, row) {
        key = ok ? json_dumps(json_object_get(row, "key"), JSON_COMPACT)
                 : NULL;
        ok = key != NULL && hash_numbers(ctx, key, row);
        free(key);
    }

    return ok;
}


bool
manifest_sound(const json_t *m, char *text)
{
    bool           ok;
    EVP_MD_CTX    *ctx = EVP_MD_CTX_new();
    unsigned char  hash[EVP_MAX_MD_SIZE];

    ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1
         && hash_manifest(ctx, m) && EVP_DigestFinal_ex(ctx, hash, NULL) == 1;

    EVP_MD_CTX_free(ctx);

    for (int i = 0; ok && i < SEAL_HASH; i++) {
        (void) sprintf(text + 2 * i, "%02x", hash[i]);
    }

    return ok;
}
