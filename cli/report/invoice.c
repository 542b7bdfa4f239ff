#define _GNU_SOURCE

#include "invoice.h"
#include "llmctl.h"

#include "tg_money.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define INVOICE_MAX  ((size_t) 256 * 1024 * 1024)
#define FIELDS_MAX   256
#define DAY_MS       INT64_C(86400000)

typedef enum { COL_MODEL = 0, COL_AMOUNT, COL_DATE, COL_CURRENCY, COLS } col_t;

typedef struct {
    const char    *file;
    char          *p, *end;             /* what is not read yet */
    char           comma;
    unsigned       line;
    unsigned       n;
    tg_str_t       fields[FIELDS_MAX];  /* unquoted in place */
    int            cols[COLS];          /* -1: there is none */
    bool           cents;
} csv_t;

/* The usual names, the best first; "_" stands for all that is no letter or
 * digit. */
static const char *const  usual[COLS][16] = {
    { "x_model", "model", "model_version", "model_name", "line_item",
      "snapshot_id", "model_id", "deployment", "sku_name", "skuid",
      "description", "item", "product", NULL },
    { "cost_usd", "amount_value", "amount_usd", "billedcost", "cost_in_usd",
      "total_cost", "amount", "cost", "total_usd", "total", "price",
      "costinbillingcurrency", "unblendedcost", NULL },
    { "usage_date_utc", "start_time_iso", "chargeperiodstart", "date",
      "usage_date", "day", "start_time", "period_start", "timestamp", NULL },
    { "amount_currency", "currency", "billingcurrency", "currency_code",
      NULL }
};


static bool
csv_bad(const csv_t *c, const char *why)
{
    fprintf(stderr, "llmctl: %s: line %u %s\n", c->file, c->line, why);

    return false;
}


/* One field, its quotes taken away; *last: a line ends behind it. */
static tg_str_t
csv_field(csv_t *c, bool *last)
{
    char  *from = c->p, *to = c->p, *p = c->p;
    bool   quoted = p < c->end && *p == '"';

    p += quoted;

    for ( ; p < c->end; p++) {
        if (quoted && *p == '"') {
            if (p + 1 < c->end && p[1] == '"') {
                p++;
            } else {
                quoted = false;
                continue;
            }

        } else if (!quoted && (*p == c->comma || *p == '\n')) {
            break;
        }

        c->line += *p == '\n';
        *to++ = *p;
    }

    *last = p == c->end || *p == '\n';
    c->line += p < c->end && *p == '\n';
    c->p = p < c->end ? p + 1 : p;

    while (to > from && (to[-1] == '\r' || to[-1] == ' ')) {
        to--;
    }

    while (from < to && *from == ' ') {
        from++;
    }

    return tg_str_of(from, (size_t) (to - from));
}


/* False: there is no more. */
static bool
csv_line(csv_t *c)
{
    bool  last = false;

    do {
        if (c->p == c->end) {
            return false;
        }

        for (c->n = 0, last = false; !last; ) {
            tg_str_t  field = csv_field(c, &last);

            if (c->n < FIELDS_MAX) {
                c->fields[c->n++] = field;
            }
        }
    } while (c->n == 1 && c->fields[0].len == 0);

    return true;
}


/* "Cost (USD)" is cost_usd. */
static bool
same_name(tg_str_t s, const char *name)
{
    char    buf[64];
    size_t  n = 0;

    for (size_t i = 0; i < s.len; i++) {
        char  ch = s.p[i];

        ch = ch >= 'A' && ch <= 'Z' ? (char) (ch + 32) : ch;
        ch = (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') ? ch : '_';

        if (ch == '_' && (n == 0 || buf[n - 1] == '_')) {
            continue;
        }

        if (n == sizeof(buf)) {
            return false;
        }
        buf[n++] = ch;
    }

    n -= n != 0 && buf[n - 1] == '_';

    return tg_str_eq(tg_str_of(buf, n), tg_strz(name));
}


static int
column_named(const csv_t *c, const char *name)
{
    for (unsigned i = 0; i < c->n; i++) {
        if (same_name(c->fields[i], name)) {
            return (int) i;
        }
    }

    return -1;
}


static bool
column_find(csv_t *c, col_t col, const char *told)
{
    c->cols[col] = -1;

    if (told != NULL) {
        for (unsigned i = 0; i < c->n; i++) {
            if (tg_str_eq(c->fields[i], tg_strz(told))) {
                c->cols[col] = (int) i;
                return true;
            }
        }

        fprintf(stderr, "llmctl: %s has no column %s\n", c->file, told);
        return false;
    }

    for (unsigned i = 0; c->cols[col] < 0 && usual[col][i] != NULL; i++) {
        c->cols[col] = column_named(c, usual[col][i]);
    }

    return true;
}


static bool
header_read(csv_t *c, const invoice_columns_t *columns, invoice_t *invoice)
{
    if (c->end - c->p >= 3 && memcmp(c->p, "\xef\xbb\xbf", 3) == 0) {
        c->p += 3;
    }

    if (!csv_line(c)) {
        return failed(c->file, "is empty");
    }

    if (!column_find(c, COL_MODEL, columns->model)
        || !column_find(c, COL_AMOUNT, columns->amount)
        || !column_find(c, COL_DATE, columns->date)
        || !column_find(c, COL_CURRENCY, NULL))
    {
        return false;
    }

    if (c->cols[COL_AMOUNT] < 0) {
        return failed(c->file, "has no column of amounts that is known: name it"
                      " with --amount=COLUMN (an export of usage has none: take"
                      " the one of costs)");
    }

    if (column_named(c, "amount_value") >= 0
        && column_named(c, "organization_id") >= 0)
    {
        invoice->vendor = tg_str("openai");

    } else if (column_named(c, "usage_date_utc") >= 0
               && column_named(c, "cost_usd") >= 0
               && column_named(c, "token_type") >= 0)
    {
        invoice->vendor = tg_str("anthropic");
    }

    return true;
}


/* Of a header of one kind there are more than of the others. */
static char
comma_find(const char *p, const char *end)
{
    size_t  n[3] = { 0, 0, 0 };

    for ( ; p < end && *p != '\n'; p++) {
        n[0] += *p == ',';
        n[1] += *p == ';';
        n[2] += *p == '\t';
    }

    return n[2] > n[0] && n[2] > n[1] ? '\t' : n[1] > n[0] ? ';' : ',';
}


/* "-$1,234.50", "(12.00)", "1.5e-07". */
static bool
amount_read(tg_str_t s, bool cents, int64_t *nusd)
{
    bool    minus = false;
    char    buf[80];
    size_t  n = 0;

    for (size_t i = 0; i < s.len; i++) {
        char  ch = s.p[i];

        if (ch == '(' || (ch == '-' && n == 0)) {
            minus = true;
        } else if (ch != ')' && ch != '$' && ch != ',' && ch != ' '
                   && ch != '+')
        {
            if (n == sizeof(buf)) {
                return false;
            }
            buf[n++] = ch;
        }
    }

    *nusd = tg_money_parse(tg_str_of(buf, n), cents ? 7 : 9);

    if (*nusd < 0) {
        return false;
    }

    *nusd = minus ? -*nusd : *nusd;

    return true;
}


/* "2026-11-01", with a time behind it or not, or seconds since 1970. */
static bool
day_read(tg_str_t s, int64_t *day)
{
    int64_t    t;
    char       buf[11];
    struct tm  tm;

    if (s.len >= 9 && s.len <= 11 && (t = tg_str_int(s)) > 0) {
        *day = t - t % (DAY_MS / 1000);
        *day *= 1000;
        return true;
    }

    if (s.len < 10) {
        return false;
    }

    memcpy(buf, s.p, 10);
    buf[10] = '\0';
    memset(&tm, 0, sizeof(tm));

    if (strptime(buf, "%Y-%m-%d", &tm) != buf + 10) {
        return false;
    }

    *day = (int64_t) timegm(&tm) * 1000;

    return true;
}


static tg_str_t
column(const csv_t *c, col_t col)
{
    int  i = c->cols[col];

    return i < 0 || (unsigned) i >= c->n ? tg_str_null : c->fields[i];
}


static bool
sum_row(tg_str_t model)
{
    return tg_str_eq(model, tg_str("total"))
           || tg_str_eq(model, tg_str("subtotal"))
           || tg_str_eq(model, tg_str("grand-total"));
}


static bool
row_read(csv_t *c, invoice_row_t *row, char *buf)
{
    tg_str_t  currency = column(c, COL_CURRENCY);

    row->model = invoice_model(buf, column(c, COL_MODEL));
    row->day = INT64_MIN;

    if (!amount_read(column(c, COL_AMOUNT), c->cents, &row->nusd)) {
        return csv_bad(c, "has an amount that is no number");
    }

    if (currency.len != 0
        && (currency.len != 3 || strncasecmp(currency.p, "usd", 3) != 0))
    {
        return csv_bad(c, "is in another currency than USD");
    }

    if (column(c, COL_DATE).len != 0
        && !day_read(column(c, COL_DATE), &row->day))
    {
        return csv_bad(c, "has a date that is not as in 2026-01-31");
    }

    return true;
}


static bool
rows_read(csv_t *c, invoice_row_f f, void *data, invoice_t *invoice)
{
    char           buf[INVOICE_MODEL_SIZE];
    unsigned       line;
    invoice_row_t  row;

    for (line = c->line; csv_line(c); line = c->line) {
        unsigned  next = c->line;

        if (column(c, COL_AMOUNT).len == 0) {
            continue;
        }

        c->line = line;
        if (!row_read(c, &row, buf)) {
            return false;
        }
        c->line = next;

        if (sum_row(row.model)) {
            continue;
        }

        invoice->has_models |= row.model.len != 0;

        if (row.day != INT64_MIN) {
            invoice->first = !invoice->has_days || row.day < invoice->first
                             ? row.day : invoice->first;
            invoice->last = !invoice->has_days || row.day > invoice->last
                            ? row.day : invoice->last;
            invoice->has_days = true;
        }

        invoice->rows++;
        invoice->nusd = tg_money_add(invoice->nusd, row.nusd);

        if (!f(data, &row)) {
            return false;
        }
    }

    return true;
}


bool
invoice_read(const char *file, const invoice_columns_t *columns,
    invoice_row_f row, void *data, invoice_t *invoice)
{
    bool    ok;
    char   *text;
    csv_t   c;
    size_t  size;

    memset(invoice, 0, sizeof(*invoice));
    memset(&c, 0, sizeof(c));

    text = read_file(file, INVOICE_MAX, &size);
    if (text == NULL) {
        return false;
    }

    c.file = file;
    c.line = 1;
    c.p = text;
    c.end = text + size;
    c.comma = comma_find(c.p, c.end);
    c.cents = columns->cents;

    ok = header_read(&c, columns, invoice)
         && rows_read(&c, row, data, invoice);

    free(text);

    return ok;
}
