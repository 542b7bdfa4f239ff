/* A sealed period as JSON, written. */

#define _GNU_SOURCE

#include "close.h"
#include "llmctl.h"

#include "tg_money.h"

#include <stdlib.h>
#include <time.h>


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

        if (!seal_hash_file(c->o.files[i], hash, &bytes)) {
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
