#include "revenue.h"
#include "table/csv.h"


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
    int       customer = column(c, "customer"), period = column(c, "period");
    int       revenue = column(c, "revenue");
    bool      ok;
    int64_t   nusd;
    tg_str_t  month;

    revenue = revenue >= 0 ? revenue : column(c, "amount");

    if (customer < 0 || revenue < 0) {
        return csv_bad(c, "its first line has no columns \"customer\" and"
                          " \"revenue\"");
    }

    while (csv_row(c, &ok)) {
        if (csv_field(c, customer).len == 0) {
            return csv_bad(c, "the customer is missing");
        }

        if (!csv_amount(c, csv_field(c, revenue), 9, &nusd)) {
            return csv_bad(c, "the revenue is no number of dollars");
        }

        if (!read_period(csv_field(c, period), &month)) {
            return csv_bad(c, "the period is not as in 2026-11");
        }

        if (!row(data, csv_field(c, customer), month, nusd)) {
            return csv_bad(c, "there are too many customers");
        }
    }

    return ok;
}


bool
revenue_read(const char *file, revenue_row_t row, void *data)
{
    bool   ok;
    csv_t  c;

    ok = csv_open(&c, file) && read_rows(&c, row, data);
    csv_close(&c);

    return ok;
}
