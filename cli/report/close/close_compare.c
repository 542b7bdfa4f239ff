/* What differs between a seal and the lines that are there now. */

#include "close.h"
#include "llmctl.h"

#include "tg_money.h"

#include <stdlib.h>

typedef struct {
    close_t  *c;
    table_t  *table;
    json_t   *sealed;                   /* key's text: row */
    size_t    differ;
} compare_t;


static int64_t
number(const json_t *row, const char *name)
{
    return json_integer_value(json_object_get(row, name));
}


static void
row_print(compare_t *p, const char *key, const json_t *sealed,
    const seal_sum_t *now)
{
    size_t   i;
    json_t  *parts = json_loads(key, 0, NULL), *v;

    json_array_foreach(parts, i, v) {
        table_text(p->table, tg_str_of(json_string_value(v),
                                       json_string_length(v)));
    }

    table_int(p->table, number(sealed, "calls"));
    table_int(p->table, now->calls);
    table_int(p->table, number(sealed, "nusd"));
    table_int(p->table, now->nusd);
    table_int(p->table, now->nusd - number(sealed, "nusd"));
    json_decref(parts);
    p->differ++;
}


static bool
row_now(void *data, const char *key, const seal_sum_t *sum)
{
    json_t     *row;
    compare_t  *p = data;

    row = json_object_get(p->sealed, key);

    if (number(row, "lines") != sum->lines
        || number(row, "calls") != sum->calls
        || number(row, "nusd") != sum->nusd)
    {
        row_print(p, key, row, sum);
    }

    (void) json_object_del(p->sealed, key);

    return true;
}


static void
rows_gone(compare_t *p)
{
    json_t      *row;
    const char  *key;
    seal_sum_t   none = { 0, 0, 0 };

    json_object_foreach(p->sealed, key, row) {
        row_print(p, key, row, &none);
    }
}


static bool
sealed_read(compare_t *p)
{
    char    *key;
    size_t   i;
    json_t  *row;

    p->sealed = json_object();

    json_array_foreach(json_object_get(p->c->manifest, "rows"), i, row) {
        key = json_dumps(json_object_get(row, "key"), JSON_COMPACT);

        if (key == NULL || json_object_set(p->sealed, key, row) != 0) {
            free(key);
            return false;
        }
        free(key);
    }

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

    json_array_foreach(json_object_get(c->manifest, "files"), i, file) {
        for (int n = 0; n < c->o.nfiles; n++) {
            was = json_string_value(json_object_get(file, "name"));

            if (was != NULL && strcmp(was, c->o.files[n]) == 0
                && file_hash(c->o.files[n], hash, &bytes))
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
verdict(compare_t *p)
{
    char         text[SEAL_TEXT];
    const char  *was;

    seal_sum(&p->c->seal, text);
    was = json_string_value(json_object_get(p->c->manifest, "lines_sum"));

    if (p->differ == 0 && was != NULL && strcmp(was, text) != 0) {
        table_note(p->table, "verdict", "the sums are as they were sealed, but"
                   " not the lines that make them");
    } else {
        table_note(p->table, "verdict", "it is not as it was sealed");
    }
}


static int
differences(close_t *c)
{
    bool       ok;
    compare_t  p = { c, table_new(c->o.format, "differences"), NULL, 0 };

    if (p.table == NULL) {
        return fail("close", "no memory");
    }

    for (int i = 0; seal_dimensions[i] != NULL; i++) {
        table_column(p.table, seal_dimensions[i], CELL_TEXT);
    }

    table_column(p.table, "calls_sealed", CELL_COUNT);
    table_column(p.table, "calls_now", CELL_COUNT);
    table_column(p.table, "sealed", CELL_MONEY);
    table_column(p.table, "now", CELL_MONEY);
    table_column(p.table, "difference", CELL_MONEY);

    ok = sealed_read(&p) && seal_each(&c->seal, row_now, &p);

    if (ok) {
        rows_gone(&p);
        verdict(&p);
        (void) report_print(&c->o, p.table, &c->stats);
        files_say(c);
    } else {
        table_drop(p.table);
        (void) fail("close", "no memory");
    }

    json_decref(p.sealed);

    return 1;
}


int
close_compare(close_t *c)
{
    const char  *was = json_string_value(json_object_get(c->manifest,
                                                         "hash"));

    if (was == NULL || strcmp(was, c->hash) != 0) {
        return differences(c);
    }

    printf("%s is as it was sealed: %s\n", c->period, c->hash);

    if (!c->o.quiet) {
        reader_say(&c->stats);
    }

    return 0;
}
