#include "revenue.h"
#include "llmctl.h"

#include "tg_money.h"

#include <stdio.h>
#include <stdlib.h>

#define FILE_MAX    (256 * 1024 * 1024)
#define FIELDS_MAX  64

typedef struct {
    const char  *file;
    char        *p;                     /* quotes are taken away in place */
    char        *end;
    unsigned     line;                  /* where the row began */
    unsigned     lines;
    char         comma;
    unsigned     n;
    tg_str_t     fields[FIELDS_MAX];
    int          customer, revenue, period;     /* columns; -1: none */
} csv_t;


static bool
bad(const csv_t *c, const char *why)
{
    char  where[300];

    (void) snprintf(where, sizeof(where), "%s:%u", c->file, c->line);

    return failed(where, why);
}


/* A field; *more: another one follows in this row. */
static bool
read_field(csv_t *c, tg_str_t *field, bool *more)
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
        return bad(c, "a quote is not closed");
    }

    *more = c->p < c->end && *c->p == c->comma;
    to -= !*more && to > start && to[-1] == '\r';
    c->lines += c->p < c->end && *c->p == '\n';
    c->p += c->p < c->end;
    *field = tg_str_trim(tg_str_of(start, (size_t) (to - start)));

    return true;
}


static bool
read_row(csv_t *c)
{
    bool      more = true;
    tg_str_t  field;

    c->n = 0;
    c->line = c->lines + 1;

    while (more) {
        if (!read_field(c, &field, &more)) {
            return false;
        }

        if (c->n < FIELDS_MAX) {
            c->fields[c->n++] = field;
        }
    }

    return true;
}


static int
column(const csv_t *c, const char *name)
{
    for (unsigned i = 0; i < c->n; i++) {
        if (tg_str_caseeq(c->fields[i], tg_strz(name))) {
            return (int) i;
        }
    }

    return -1;
}


/* What stands between the names is the separator. */
static bool
read_head(csv_t *c)
{
    char  *end = memchr(c->p, '\n', (size_t) (c->end - c->p));

    if (c->end - c->p >= 3 && memcmp(c->p, "\xef\xbb\xbf", 3) == 0) {
        c->p += 3;
    }

    end = end == NULL ? c->end : end;
    c->comma = memchr(c->p, ',', (size_t) (end - c->p)) == NULL
               && memchr(c->p, ';', (size_t) (end - c->p)) != NULL ? ';' : ',';

    if (!read_row(c)) {
        return false;
    }

    c->customer = column(c, "customer");
    c->revenue = column(c, "revenue");
    c->revenue = c->revenue >= 0 ? c->revenue : column(c, "amount");
    c->period = column(c, "period");

    return (c->customer >= 0 && c->revenue >= 0)
           || bad(c, "its first line has no columns \"customer\" and"
                     " \"revenue\"");
}


static tg_str_t
field(const csv_t *c, int i)
{
    return i >= 0 && (unsigned) i < c->n ? c->fields[i] : tg_str_null;
}


/* A credit note has a minus. */
static bool
read_amount(tg_str_t s, int64_t *nusd)
{
    bool  minus = s.len != 0 && s.p[0] == '-';

    if (minus) {
        s = tg_str_of(s.p + 1, s.len - 1);
    }

    if (s.len != 0 && s.p[0] == '$') {
        s = tg_str_of(s.p + 1, s.len - 1);
    }

    *nusd = tg_money_parse(s, 9);

    if (*nusd < 0) {
        return false;
    }

    *nusd = minus ? -*nusd : *nusd;

    return true;
}


/* "2026-11", "2026-11-01". */
static bool
read_period(tg_str_t s, tg_str_t *period)
{
    static const char  form[] = "dddd-dd-dd";

    *period = tg_str_of(s.p, s.len < 7 ? s.len : 7);

    if (s.len == 0) {
        return true;
    }

    if (s.len != 7 && s.len != 10) {
        return false;
    }

    for (size_t i = 0; i < s.len; i++) {
        if (form[i] == 'd' ? s.p[i] < '0' || s.p[i] > '9' : s.p[i] != '-') {
            return false;
        }
    }

    return true;
}


static bool
read_rows(csv_t *c, revenue_row_t row, void *data)
{
    int64_t   nusd;
    tg_str_t  period;

    if (!read_head(c)) {
        return false;
    }

    while (c->p < c->end) {
        if (!read_row(c)) {
            return false;
        }

        if (c->n == 1 && c->fields[0].len == 0) {
            continue;
        }

        if (field(c, c->customer).len == 0) {
            return bad(c, "the customer is missing");
        }

        if (!read_amount(field(c, c->revenue), &nusd)) {
            return bad(c, "the revenue is no number of dollars");
        }

        if (!read_period(field(c, c->period), &period)) {
            return bad(c, "the period is not as in 2026-11");
        }

        if (!row(data, field(c, c->customer), period, nusd)) {
            return bad(c, "there are too many customers");
        }
    }

    return true;
}


bool
revenue_read(const char *file, revenue_row_t row, void *data)
{
    bool    ok;
    char   *text;
    csv_t   c;
    size_t  size;

    text = read_file(file, FILE_MAX, &size);

    if (text == NULL) {
        return false;
    }

    memset(&c, 0, sizeof(c));
    c.file = file;
    c.p = text;
    c.end = text + size;
    ok = read_rows(&c, row, data);
    free(text);

    return ok;
}
