#define _GNU_SOURCE

#include "invoice.h"
#include "table/csv.h"
#include "llmctl.h"

#include "tg_money.h"

#include <stdio.h>
#include <time.h>

#define DAY_MS  INT64_C(86400000)

typedef enum { COL_MODEL = 0, COL_AMOUNT, COL_DATE, COL_CURRENCY, COLS } col_t;

typedef struct {
    csv_t  csv;
    int    cols[COLS];                  /* -1: there is none */
    bool   cents;
} sheet_t;

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
column_find(sheet_t *s, col_t col, const char *told)
{
    s->cols[col] = -1;

    if (told != NULL) {
        for (unsigned i = 0; i < s->csv.n; i++) {
            if (tg_str_eq(s->csv.fields[i], tg_strz(told))) {
                s->cols[col] = (int) i;
                return true;
            }
        }

        fprintf(stderr, "llmctl: %s has no column %s\n", s->csv.file, told);
        return false;
    }

    for (unsigned i = 0; s->cols[col] < 0 && usual[col][i] != NULL; i++) {
        s->cols[col] = column_named(&s->csv, usual[col][i]);
    }

    return true;
}


static bool
header_read(sheet_t *s, const invoice_columns_t *columns, invoice_t *invoice)
{
    const csv_t  *c = &s->csv;

    if (!column_find(s, COL_MODEL, columns->model)
        || !column_find(s, COL_AMOUNT, columns->amount)
        || !column_find(s, COL_DATE, columns->date)
        || !column_find(s, COL_CURRENCY, NULL))
    {
        return false;
    }

    if (s->cols[COL_AMOUNT] < 0) {
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
column(const sheet_t *s, col_t col)
{
    return csv_field(&s->csv, s->cols[col]);
}


static bool
sum_row(tg_str_t model)
{
    return tg_str_eq(model, tg_str("total"))
           || tg_str_eq(model, tg_str("subtotal"))
           || tg_str_eq(model, tg_str("grand-total"));
}


static bool
row_read(const sheet_t *s, invoice_row_t *row, char *buf)
{
    tg_str_t  currency = column(s, COL_CURRENCY);

    row->model = invoice_model(buf, column(s, COL_MODEL));
    row->day = INT64_MIN;

    if (!csv_amount(&s->csv, column(s, COL_AMOUNT), s->cents ? 7 : 9,
                    &row->nusd))
    {
        return csv_bad(&s->csv, "has an amount that is no number; decimals have"
                                " a point before them, no comma");
    }

    if (currency.len != 0
        && (currency.len != 3 || strncasecmp(currency.p, "usd", 3) != 0))
    {
        return csv_bad(&s->csv, "is in another currency than USD");
    }

    if (column(s, COL_DATE).len != 0
        && !day_read(column(s, COL_DATE), &row->day))
    {
        return csv_bad(&s->csv, "has a date that is not as in 2026-01-31");
    }

    return true;
}


static bool
rows_read(sheet_t *s, invoice_row_f f, void *data, invoice_t *invoice)
{
    bool           ok;
    char           buf[INVOICE_MODEL_SIZE];
    invoice_row_t  row;

    while (csv_row(&s->csv, &ok)) {
        if (column(s, COL_AMOUNT).len == 0) {
            continue;
        }

        if (!row_read(s, &row, buf)) {
            return false;
        }

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

    return ok;
}


bool
invoice_read(const char *file, const invoice_columns_t *columns,
    invoice_row_f row, void *data, invoice_t *invoice)
{
    bool     ok;
    sheet_t  s;

    memset(invoice, 0, sizeof(*invoice));
    s.cents = columns->cents;
    ok = csv_open(&s.csv, file) && header_read(&s, columns, invoice)
         && rows_read(&s, row, data, invoice);
    csv_close(&s.csv);

    return ok;
}
