/* What differs between a seal and the lines that are there now. */

#include "close.h"
#include "llmctl.h"

#include "tg_money.h"

#define PIECES  3                       /* of a text: what is no UTF-8 is
                                           told in twice as many letters */

/* Of a row, then and now. */
typedef struct {
    seal_sum_t  sealed, now;
} both_t;

typedef struct {
    table_t   *table;
    groups_t  *rows;
    size_t     texts;                   /* of a row's key */
    size_t     differ;
} compare_t;


static void
add_both(void *to, const void *from)
{
    both_t        *a = to;
    const both_t  *b = from;

    seal_add(&a->sealed, &b->sealed);
    seal_add(&a->now, &b->now);
}


/* A row is found by all of its texts, which may be longer than a value. */
static bool
row_take(compare_t *p, const json_t *key, const both_t *sums)
{
    size_t        n, left;
    const char   *s;
    tg_str_t      values[GROUPS_VALUES_MAX];
    const json_t *v;

    for (size_t i = 0; i < p->texts; i++) {
        v = json_array_get(key, i);
        s = json_string_value(v);
        left = json_string_length(v);

        for (size_t k = 0; k < PIECES; k++) {
            n = left < GROUPS_VALUE_SIZE ? left : GROUPS_VALUE_SIZE;
            values[i * PIECES + k] = tg_str_of(s, n);
            s = s == NULL ? NULL : s + n;
            left -= n;
        }
    }

    return groups_take(p->rows, values, sums);
}


static bool
row_sealed(void *data, const json_t *key, const seal_sum_t *sum)
{
    both_t  both = { *sum, { 0, 0, 0 } };

    return row_take(data, key, &both);
}


static bool
row_now(void *data, const char *key, const seal_sum_t *sum)
{
    bool     ok;
    both_t   both = { { 0, 0, 0 }, *sum };
    json_t  *texts = json_loads(key, JSON_ALLOW_NUL, NULL);

    ok = texts != NULL && row_take(data, texts, &both);
    json_decref(texts);

    return ok;
}


static void
text_cell(table_t *t, const tg_str_t *pieces)
{
    char    text[PIECES * GROUPS_VALUE_SIZE];
    size_t  n = 0;

    for (size_t k = 0; k < PIECES && pieces[k].len != 0; k++) {
        memcpy(text + n, pieces[k].p, pieces[k].len);
        n += pieces[k].len;
    }

    table_text(t, tg_str_of(text, n));
}


static bool
row_print(void *data, const tg_str_t *values, const void *sums)
{
    compare_t     *p = data;
    const both_t  *is = sums;

    if (is->sealed.lines == is->now.lines && is->sealed.calls == is->now.calls
        && is->sealed.nusd == is->now.nusd)
    {
        return true;
    }

    for (size_t i = 0; i < p->texts; i++) {
        text_cell(p->table, values + i * PIECES);
    }

    table_int(p->table, is->sealed.calls);
    table_int(p->table, is->now.calls);
    table_int(p->table, is->sealed.nusd);
    table_int(p->table, is->now.nusd);
    table_int(p->table, tg_money_less(is->now.nusd, is->sealed.nusd));
    p->differ++;

    return true;
}


/* Files that have the same names as then: a hint where to look. */
static void
files_say(const close_t *c)
{
    char        hash[SEAL_TEXT];
    size_t      i;
    json_t     *file;
    int64_t     bytes;
    const char *was;

    json_array_foreach(manifest_get(c->manifest, "files"), i, file) {
        for (int n = 0; n < c->o.nfiles; n++) {
            was = json_string_value(json_object_get(file, "name"));

            if (was != NULL && strcmp(was, c->o.files[n]) == 0
                && seal_hash_file(c->o.files[n], hash, &bytes))
            {
                was = json_string_value(json_object_get(file, "sha256"));
                fprintf(stderr, "%s: %s\n", c->o.files[n],
                        was != NULL && strcmp(was, hash) == 0
                        ? "is as it was" : "has changed since");
            }
        }
    }
}


static void
verdict(const close_t *c, const compare_t *p)
{
    char      text[SEAL_TEXT];
    tg_str_t  was = manifest_text(c->manifest, "lines_sum");

    seal_sum(&c->seal, text);

    if (p->differ == 0 && was.len != 0 && !tg_str_eq(was, tg_strz(text))) {
        table_note(p->table, "verdict", "the sums are as they were sealed, but"
                   " not the lines that make them");
    } else {
        table_note(p->table, "verdict", "it is not as it was sealed");
    }
}


static void
columns(compare_t *p)
{
    for ( ; seal_dimensions[p->texts] != NULL; p->texts++) {
        table_column(p->table, seal_dimensions[p->texts], CELL_TEXT);
    }

    table_column(p->table, "calls_sealed", CELL_COUNT);
    table_column(p->table, "calls_now", CELL_COUNT);
    table_column(p->table, "sealed", CELL_MONEY);
    table_column(p->table, "now", CELL_MONEY);
    table_column(p->table, "difference", CELL_MONEY);
}


static int
differences(close_t *c)
{
    compare_t  p = { .table = table_new(c->o.format, "differences") };

    if (p.table == NULL) {
        return fail("close", "no memory");
    }

    columns(&p);
    p.rows = groups_new((unsigned) p.texts * PIECES, sizeof(both_t), add_both,
                        c->o.rows_memory);

    if (p.rows != NULL && manifest_each(c->manifest, row_sealed, &p)
        && seal_each(&c->seal, row_now, &p)
        && groups_each(p.rows, NULL, row_print, &p))
    {
        verdict(c, &p);
        (void) report_print(&c->o, p.table, &c->stats);
        files_say(c);

    } else {
        table_drop(p.table);
        (void) fail("close", "there is no room for the rows, in memory and"
                             " $TMPDIR");
    }

    groups_free(p.rows);

    return 1;
}


int
close_compare(close_t *c)
{
    if (!tg_str_eq(tg_strz(c->hash), manifest_text(c->manifest, "hash"))) {
        return differences(c);
    }

    printf("%s is as it was sealed: %s\n", c->period, c->hash);

    if (!c->o.quiet) {
        reader_say(&c->stats);
    }

    return 0;
}
