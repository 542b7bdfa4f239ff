#include "table_int.h"
#include "reading/temporary.h"

#include "tg_money.h"
#include "tg_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define TEXT_SHOWN   48                 /* characters of a text in a table */
#define CELL_MAX     (TEXT_MAX + 256)
#define HELD_MAX     (4 * 1024 * 1024)  /* more is in a temporary file */


static bool
knows_utf8(void)
{
    const char  *all = getenv("LC_ALL"), *type = getenv("LC_CTYPE"),
                *lang = getenv("LANG"), *is;

    is = all != NULL && *all ? all : type != NULL && *type ? type
         : lang != NULL ? lang : "";

    return strstr(is, "UTF-8") != NULL || strstr(is, "utf8") != NULL;
}


table_t *
table_new(table_format_t format, const char *name)
{
    table_t  *t = calloc(1, sizeof(table_t));

    if (t != NULL) {
        t->format = format;
        t->name = name;
        t->fancy = knows_utf8();
    }

    return t;
}


void
table_free(table_t *t)
{
    for (unsigned i = 0; i < t->nnotes; i++) {
        free(t->notes[i].name);
        free(t->notes[i].sentence);
    }

    if (t->file != NULL) {
        (void) fclose(t->file);
    }

    free(t->held);
    free(t->sums);
    free(t);
}


/* What is held goes to a file. */
static bool
put_out(table_t *t)
{
    if (t->to != NULL) {
        table_csv_head(t, t->to);
        return fwrite(t->held, 1, t->nheld, t->to) == t->nheld;
    }

    if (t->file == NULL) {
        t->file = temporary_file();
    }

    return t->file != NULL && temporary_write(t->file, t->held, t->nheld);
}


/* Room for n bytes in what is held. */
static bool
hold_more(table_t *t, size_t n)
{
    char    *grown;
    size_t   room;

    if (t->nheld + n > HELD_MAX) {
        t->broken |= !put_out(t);
        t->nheld = 0;
    }

    if (t->nheld + n > t->room) {
        room = 2 * (t->nheld + n) < 65536 ? 65536 : 2 * (t->nheld + n);
        grown = realloc(t->held, room);
        if (grown == NULL) {
            t->broken = true;
            return false;
        }
        t->held = grown;
        t->room = room;
    }

    return true;
}


static inline void
put_held(table_t *t, const char *p, size_t n)
{
    if (n != 0
        && ((t->nheld + n <= HELD_MAX && t->nheld + n <= t->room)
            || hold_more(t, n)))
    {
        memcpy(t->held + t->nheld, p, n);
        t->nheld += n;
    }
}


static void
put_sums(table_t *t, const char *p, size_t n)
{
    char  *grown = realloc(t->sums, t->nsums + n);

    if (grown == NULL) {
        t->broken = true;
        return;
    }

    t->sums = grown;
    memcpy(t->sums + t->nsums, p, n);
    t->nsums += n;
}


void
table_column(table_t *t, const char *name, cell_kind_t kind)
{
    column_t  *c = &t->columns[t->ncolumns];

    if (t->ncolumns == COLUMNS_MAX || t->rows != 0) {
        t->broken = true;
        return;
    }

    (void) snprintf(c->name, sizeof(c->name), "%s", name);
    c->kind = kind;
    t->ncolumns++;
}


/* A readable table's cell. */
static void
cell_text(table_t *t, const column_t *c, const char *p, size_t n)
{
    column_t    *widths = &t->columns[c - t->columns];
    size_t       w = table_width(p, n), before = w;
    const char  *dot;

    if (c->kind == CELL_MONEY || c->kind == CELL_NUMBER) {
        dot = memchr(p, '.', n);
        before = dot == NULL ? n : (size_t) (dot - p);
    }

    if (before > widths->before) {
        widths->before = before;
    }

    if (w - before > widths->after) {
        widths->after = w - before;
    }

    if (t->total) {
        put_sums(t, p, n);
        put_sums(t, "", 1);
    } else {
        put_held(t, p, n);
        put_held(t, "", 1);
    }
}


/* Quoted, and not what a spreadsheet would reckon. */
static void
cell_quoted(table_t *t, const char *p, size_t n, bool formula)
{
    char    cell[2 * CELL_MAX + 4];
    size_t  len = 0;
    bool    quoted = false;

    for (size_t i = 0; i < n; i++) {
        quoted = quoted || (p[i] != '\0' && strchr(",\"\r\n", p[i]) != NULL);
    }

    if (quoted) {
        cell[len++] = '"';
    }

    if (formula) {
        cell[len++] = '\'';
    }

    for (size_t i = 0; i < n && i < CELL_MAX; i++) {
        if (p[i] == '"') {
            cell[len++] = '"';
        }
        cell[len++] = p[i] == '\0' ? '?' : p[i];
    }

    if (quoted) {
        cell[len++] = '"';
    }

    put_held(t, cell, len);
}


static bool
is_formula(char c)
{
    return c == '=' || c == '+' || c == '-' || c == '@' || c == '\t'
           || c == '\r';
}


static void
cell_csv(table_t *t, const column_t *c, const char *p, size_t n)
{
    bool    formula, plain = true;

    if (t->begun) {
        put_held(t, ",", 1);
    }

    t->begun = true;

    if (c->kind != CELL_TEXT) {
        put_held(t, p, n);
        return;
    }

    formula = n != 0 && is_formula(p[0]);

    for (size_t i = 0; i < n; i++) {
        plain = plain && p[i] != ',' && p[i] != '"' && p[i] != '\r'
                && p[i] != '\n' && p[i] != '\0';
    }

    if (plain && !formula) {
        put_held(t, p, n);
    } else {
        cell_quoted(t, p, n, formula);
    }
}


/* p: JSON as it is. */
static void
cell_json(table_t *t, const column_t *c, const char *suffix, const char *p,
    size_t n)
{
    char  name[96];
    int   len;

    len = snprintf(name, sizeof(name), "%s\"%s%s\": ",
                   t->begun ? ", " : t->rows == 0 ? "\n    {" : ",\n    {",
                   c->name, suffix);
    t->begun = true;

    put_held(t, name, (size_t) len);
    put_held(t, p, n);
}


/* The column that the next cell is of, or NULL: it is written nowhere. */
static const column_t *
next_column(table_t *t)
{
    if (t->ncolumns == 0 || (t->total && t->format != TABLE_TEXT)) {
        return NULL;
    }

    return &t->columns[t->at];
}


static void
cell_done(table_t *t)
{
    if (++t->at < t->ncolumns) {
        return;
    }

    t->at = 0;
    t->begun = false;

    if (t->total) {
        return;
    }

    if (t->format == TABLE_CSV) {
        put_held(t, "\r\n", 2);

    } else if (t->format == TABLE_JSON) {
        put_held(t, "}", 1);
    }

    t->rows++;
}


void
table_text(table_t *t, tg_str_t s)
{
    char             text[CELL_MAX], *end = text;
    const column_t  *c = next_column(t);

    if (c == NULL) {
        return;
    }

    s.len = s.len < TEXT_MAX / 2 ? s.len : TEXT_MAX / 2;

    switch (t->format) {

    case TABLE_TEXT:
        end = table_plain(text, s, TEXT_SHOWN);
        if (table_width(s.p, s.len) > TEXT_SHOWN) {
            memcpy(end, "...", 3);
            end += 3;
        }
        cell_text(t, c, text, (size_t) (end - text));
        break;

    case TABLE_CSV:
        end = table_plain(text, s, TEXT_MAX);
        cell_csv(t, c, text, (size_t) (end - text));
        break;

    case TABLE_JSON:
        *end++ = '"';
        end = tg_text_json(end, s, TEXT_MAX);
        *end++ = '"';
        cell_json(t, c, "", text, (size_t) (end - text));
        break;
    }

    cell_done(t);
}


static size_t
int_text(table_t *t, const column_t *c, int64_t v, char *text)
{
    char  *end = text;

    switch (c->kind) {

    case CELL_MONEY:
        return t->format == TABLE_TEXT ? table_grouped_money(text, v)
               : (size_t) (tg_text_decimal(text, v, 9) - text);

    case CELL_TIME:
        if (t->format == TABLE_JSON) {
            *end++ = '"';
        }
        end = tg_text_time(end, v < 0 ? 0 : v);
        if (t->format == TABLE_JSON) {
            *end++ = '"';
        }
        return (size_t) (end - text);

    default:
        return t->format == TABLE_TEXT ? table_grouped(text, v)
               : (size_t) (tg_text_int(text, v) - text);
    }
}


void
table_int(table_t *t, int64_t v)
{
    char             text[64];
    size_t           n;
    const column_t  *c = next_column(t);

    if (c == NULL) {
        return;
    }

    n = int_text(t, c, v, text);

    switch (t->format) {

    case TABLE_TEXT:
        cell_text(t, c, text, n);
        break;

    case TABLE_CSV:
        if (c->kind == CELL_MONEY) {
            text[n++] = ',';
            n = (size_t) (tg_text_int(text + n, v) - text);
        }
        cell_csv(t, c, text, n);
        break;

    case TABLE_JSON:
        cell_json(t, c, "", text, n);
        if (c->kind == CELL_MONEY) {
            n = (size_t) (tg_text_int(text, v) - text);
            cell_json(t, c, "_nusd", text, n);
        }
        break;
    }

    cell_done(t);
}


void
table_double(table_t *t, double v)
{
    int              n;
    char             text[128];
    const column_t  *c = next_column(t);

    if (c == NULL) {
        return;
    }

    if (!isfinite(v)) {
        table_none(t);
        return;
    }

    if (c->kind == CELL_BAR) {
        if (t->format == TABLE_TEXT) {
            cell_text(t, c, text, table_bar(t, v, text));
        }
        cell_done(t);
        return;
    }

    if (t->format != TABLE_TEXT) {
        n = (int) table_number(text, v);

    } else if (c->kind == CELL_PERCENT) {
        n = snprintf(text, sizeof(text), "%.1f%%", fabs(v) < 1e9 ? v * 100 : v);

    } else {
        n = snprintf(text, sizeof(text), "%.4g", v);
    }

    if (t->format == TABLE_TEXT) {
        cell_text(t, c, text, (size_t) n);
    } else if (t->format == TABLE_CSV) {
        cell_csv(t, c, text, (size_t) n);
    } else {
        cell_json(t, c, "", text, (size_t) n);
    }

    cell_done(t);
}


void
table_none(table_t *t)
{
    const column_t  *c = next_column(t);

    if (c == NULL) {
        return;
    }

    if (t->format == TABLE_TEXT) {
        cell_text(t, c, c->kind == CELL_BAR ? "" : "-", c->kind != CELL_BAR);

    } else if (c->kind == CELL_BAR) {
        /* of the readable table only */

    } else if (t->format == TABLE_CSV) {
        cell_csv(t, c, "", 0);
        if (c->kind == CELL_MONEY) {
            put_held(t, ",", 1);
        }

    } else {
        cell_json(t, c, "", "null", 4);
        if (c->kind == CELL_MONEY) {
            cell_json(t, c, "_nusd", "null", 4);
        }
    }

    cell_done(t);
}


void
table_stream(table_t *t, FILE *to)
{
    t->to = t->format == TABLE_CSV ? to : NULL;
}


void
table_total(table_t *t)
{
    t->total = true;
    t->at = 0;
}


void
table_note(table_t *t, const char *name, const char *sentence)
{
    note_t  *n = &t->notes[t->nnotes];

    if (t->nnotes == NOTES_MAX) {
        t->broken = true;
        return;
    }

    n->name = strdup(name);
    n->sentence = strdup(sentence);
    t->broken = t->broken || n->name == NULL || n->sentence == NULL;
    t->nnotes++;
}
