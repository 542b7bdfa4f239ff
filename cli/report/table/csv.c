#include "csv.h"
#include "llmctl.h"

#include "tg_money.h"

#include <stdio.h>
#include <stdlib.h>

#define FILE_MAX    ((size_t) 256 * 1024 * 1024)
#define AMOUNT_MAX  80


bool
csv_bad(const csv_t *c, const char *why)
{
    char  where[300];

    (void) snprintf(where, sizeof(where), "%s:%u", c->file, c->line);

    return failed(where, why);
}


/* *more: another one follows in this row.  False: it has no end. */
static bool
field_read(csv_t *c, tg_str_t *field, bool *more)
{
    bool   quoted = c->p < c->end && *c->p == '"';
    char  *to, *start;

    c->p += quoted;
    start = to = c->p;

    for ( ; c->p < c->end; c->p++) {
        if (quoted && *c->p == '"') {
            if (c->p + 1 == c->end || c->p[1] != '"') {
                quoted = false;
                continue;
            }
            c->p++;                     /* two are one */

        } else if (!quoted && (*c->p == c->comma || *c->p == '\n')) {
            break;
        }

        c->lines += *c->p == '\n';
        *to++ = *c->p;
    }

    if (quoted) {
        return csv_bad(c, "has a quote that is not closed");
    }

    *more = c->p < c->end && *c->p == c->comma;
    to -= !*more && to > start && to[-1] == '\r';
    c->lines += c->p < c->end && *c->p == '\n';
    c->p += c->p < c->end;
    *field = tg_str_trim(tg_str_of(start, (size_t) (to - start)));

    return true;
}


static bool
row_read(csv_t *c)
{
    bool      more = true;
    tg_str_t  field;

    c->n = 0;
    c->line = c->lines + 1;

    while (more) {
        if (!field_read(c, &field, &more)) {
            return false;
        }

        if (c->n < c->columns) {
            c->fields[c->n++] = field;

        } else if (field.len != 0) {
            return csv_bad(c, "has more fields than there are columns");
        }
    }

    return true;
}


bool
csv_row(csv_t *c, bool *ok)
{
    *ok = true;

    do {
        if (c->p == c->end) {
            return false;
        }

        *ok = row_read(c);
    } while (*ok && c->n == 1 && c->fields[0].len == 0);

    return *ok;
}


static char
comma_find(const char *p, const char *end)
{
    size_t  n[3] = { 0, 0, 0 };

    for ( /* void */ ; p < end && *p != '\n'; p++) {
        n[0] += *p == ',';
        n[1] += *p == ';';
        n[2] += *p == '\t';
    }

    return n[2] > n[0] && n[2] > n[1] ? '\t' : n[1] > n[0] ? ';' : ',';
}


bool
csv_open(csv_t *c, const char *file)
{
    bool    ok;
    size_t  size;

    memset(c, 0, sizeof(*c));
    c->file = file;
    c->text = read_file(file, FILE_MAX, &size);

    if (c->text == NULL) {
        return false;
    }

    c->p = c->text;
    c->end = c->text + size;

    if (size >= 3 && memcmp(c->p, "\xef\xbb\xbf", 3) == 0) {
        c->p += 3;
    }

    c->comma = comma_find(c->p, c->end);
    c->columns = CSV_FIELDS_MAX;

    if (!csv_row(c, &ok)) {
        return ok ? failed(file, "is empty") : false;
    }

    c->columns = c->n;

    return true;
}


void
csv_close(csv_t *c)
{
    free(c->text);
    c->text = NULL;
}


tg_str_t
csv_field(const csv_t *c, int i)
{
    return i >= 0 && (unsigned) i < c->n ? c->fields[i] : tg_str_null;
}


/* One to three digits before the first comma, three behind each, and a decimal
 * point nowhere before. */
static bool
thousands(const csv_t *c, tg_str_t s)
{
    size_t  digits = 0, commas = 0, i;

    for (i = 0; i < s.len && s.p[i] != '.'; i++) {
        if (s.p[i] != ',') {
            digits++;
            continue;
        }

        if (commas == 0 ? digits == 0 || digits > 3 : digits != 3) {
            return false;
        }

        commas++;
        digits = 0;
    }

    if (memchr(s.p + i, ',', s.len - i) != NULL) {
        return false;
    }

    return commas == 0 || (digits == 3 && (c->comma == ',' || i < s.len));
}


bool
csv_amount(const csv_t *c, tg_str_t s, int scale, int64_t *amount)
{
    bool    minus = false;
    char    buf[AMOUNT_MAX];
    size_t  n = 0, len = 0;

    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '(' || (s.p[i] == '-' && n == 0)) {
            minus = true;

        } else if (strchr(")$ +", s.p[i]) == NULL || s.p[i] == '\0') {
            if (n == sizeof(buf)) {
                return false;
            }
            buf[n++] = s.p[i];
        }
    }

    if (!thousands(c, tg_str_of(buf, n))) {
        return false;
    }

    for (size_t i = 0; i < n; i++) {
        if (buf[i] != ',') {
            buf[len++] = buf[i];
        }
    }

    *amount = tg_money_parse(tg_str_of(buf, len), scale);

    if (*amount < 0) {
        return false;
    }

    *amount = minus ? -*amount : *amount;

    return true;
}
