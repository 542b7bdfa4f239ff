#include "table_int.h"
#include "llmctl.h"

#include "tg_text.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>


static void
pad(FILE *to, size_t n)
{
    if (n != 0) {
        fprintf(to, "%*s", (int) n, "");
    }
}


/* Numbers stand one below the other by their decimal points. */
static void
print_cell(const column_t *c, const char *s, bool last, FILE *to)
{
    size_t       n = strlen(s), w = table_width(s, n), before = w,
                 all = c->before + c->after;
    const char  *dot;

    if (c->kind == CELL_TEXT || c->kind == CELL_TIME || c->kind == CELL_BAR) {
        fputs(s, to);
        pad(to, last ? 0 : all - w);
        return;
    }

    if (c->kind == CELL_MONEY || c->kind == CELL_NUMBER) {
        dot = strchr(s, '.');
        before = dot == NULL ? n : (size_t) (dot - s);
    }

    pad(to, c->before - before);
    fputs(s, to);
    pad(to, last ? 0 : c->after - (w - before));
}


static void
print_heads(const table_t *t, FILE *to)
{
    char             name[sizeof(t->columns[0].name)];
    bool             left;
    size_t           w, n;
    const column_t  *c;

    for (unsigned i = 0; i < t->ncolumns; i++) {
        c = &t->columns[i];
        w = c->before + c->after;
        n = strlen(c->name);
        left = c->kind == CELL_TEXT || c->kind == CELL_TIME;

        for (size_t k = 0; k <= n; k++) {
            name[k] = c->name[k] == '_' ? ' '
                      : (char) toupper((unsigned char) c->name[k]);
        }

        if (c->kind == CELL_BAR) {
            name[0] = '\0';
            n = 0;
        }

        pad(to, left ? 0 : w - n);
        fputs(name, to);
        pad(to, i + 1 == t->ncolumns ? 0 : (left ? w - n : 0) + 2);
    }

    fputc('\n', to);
}


/* One cell after another from `from`, of which there may be no more. */
static bool
print_rows(const table_t *t, FILE *from, FILE *to)
{
    char    *cell = NULL;
    bool     last;
    size_t   room = 0;
    unsigned at = 0;

    while (getdelim(&cell, &room, '\0', from) > 0) {
        last = at + 1 == t->ncolumns;
        print_cell(&t->columns[at], cell, last, to);
        fputs(last ? "\n" : "  ", to);
        at = last ? 0 : at + 1;
    }

    free(cell);

    return !ferror(from);
}


static bool
print_held(const table_t *t, char *p, size_t n, FILE *to)
{
    bool   ok;
    FILE  *from = n == 0 ? NULL : fmemopen(p, n, "r");

    if (n == 0) {
        return true;
    }

    if (from == NULL) {
        return false;
    }

    ok = print_rows(t, from, to);
    (void) fclose(from);

    return ok;
}


static bool
print_text(table_t *t, FILE *to)
{
    bool    ok = true;
    size_t  w = 0, n;

    for (unsigned i = 0; i < t->ncolumns; i++) {
        n = t->columns[i].kind == CELL_BAR ? 0 : strlen(t->columns[i].name);

        if (t->columns[i].before + t->columns[i].after < n) {
            t->columns[i].before = n - t->columns[i].after;
        }

        w += t->columns[i].before + t->columns[i].after + 2;
    }

    if (t->ncolumns != 0) {
        print_heads(t, to);
    }

    if (t->file != NULL) {
        ok = fwrite(t->held, 1, t->nheld, t->file) == t->nheld;
        rewind(t->file);
        ok = ok && print_rows(t, t->file, to);
    } else {
        ok = print_held(t, t->held, t->nheld, to);
    }

    if (t->nsums != 0) {
        for (size_t i = 2; i < w; i++) {
            fputc('-', to);
        }
        fputc('\n', to);
        ok = print_held(t, t->sums, t->nsums, to) && ok;
    }

    for (unsigned i = 0; i < t->nnotes; i++) {
        fprintf(to, "%s%s\n", i == 0 && t->ncolumns != 0 ? "\n" : "",
                t->notes[i].sentence);
    }

    return ok;
}


/* What was written, as it is. */
static bool
print_written(table_t *t, FILE *to)
{
    char    copy[65536];
    size_t  n;

    if (t->file != NULL) {
        rewind(t->file);

        while ((n = fread(copy, 1, sizeof(copy), t->file)) != 0) {
            if (fwrite(copy, 1, n, to) != n) {
                return false;
            }
        }

        if (ferror(t->file)) {
            return false;
        }
    }

    return t->nheld == 0 || fwrite(t->held, 1, t->nheld, to) == t->nheld;
}


void
table_csv_head(table_t *t, FILE *to)
{
    const char  *sep = "";

    if (t->headed) {
        return;
    }

    t->headed = true;

    for (unsigned i = 0; i < t->ncolumns; i++) {
        if (t->columns[i].kind == CELL_BAR) {
            continue;
        }

        fprintf(to, "%s%s", sep, t->columns[i].name);
        sep = ",";

        if (t->columns[i].kind == CELL_MONEY) {
            fprintf(to, ",%s_nusd", t->columns[i].name);
        }
    }

    fputs("\r\n", to);
}


static bool
print_csv(table_t *t, FILE *to)
{
    table_csv_head(t, to);

    return print_written(t, to);
}


static bool
print_json(table_t *t, FILE *to)
{
    bool  ok;
    char  text[TEXT_MAX + 8];

    fprintf(to, "{\n  \"%s\": [", t->name);
    ok = print_written(t, to);
    fputs(t->rows == 0 ? "]" : "\n  ]", to);

    for (unsigned i = 0; i < t->nnotes; i++) {
        *tg_text_json(text, tg_strz(t->notes[i].sentence), TEXT_MAX) = '\0';
        fprintf(to, ",\n  \"%s\": \"%s\"", t->notes[i].name, text);
    }

    fputs("\n}\n", to);

    return ok;
}


static bool
has_room(const table_t *t)
{
    return !t->broken
           || failed("report", "there is no room for the table");
}


bool
table_print(table_t *t, FILE *to)
{
    bool  ok = has_room(t);

    if (ok) {
        ok = t->format == TABLE_TEXT ? print_text(t, to)
             : t->format == TABLE_CSV ? print_csv(t, to) : print_json(t, to);

        if (!ok) {
            (void) failed("report", "there is no room for the table");
        }
    }

    table_free(t);

    if (!ok) {
        return false;
    }

    return ferror(to) || fflush(to) == EOF
           ? failed("report", strerror(errno)) : true;
}


void
table_drop(table_t *t)
{
    if (t != NULL) {
        (void) has_room(t);
        table_free(t);
    }
}
