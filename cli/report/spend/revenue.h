/*
 * revenue.h - what customers pay: a CSV file (RFC 4180) whose first line names its
 * columns, of which are read
 *
 *     customer    as the log names it
 *     revenue     dollars, a decimal fraction; "amount" will do, too
 *     period      2026-11 (or any day of it: 2026-11-01); without the column, or
 *                 where it is empty: of all the time that the log is of
 */

#ifndef REVENUE_H
#define REVENUE_H

#include "tg_str.h"

#include <stdbool.h>
#include <stdint.h>

/* period: "2026-11" or empty.  False ends it. */
typedef bool (*revenue_row_t)(void *data, tg_str_t customer, tg_str_t period,
    int64_t nusd);

/* False with a message said, which names the line. */
bool revenue_read(const char *file, revenue_row_t row, void *data);

#endif /* REVENUE_H */
