/*
 * llmctl_budget.h - what the commands about budgets share.
 */

#ifndef LLMCTL_BUDGET_H
#define LLMCTL_BUDGET_H

#include "llmctl_rows.h"

#include <jansson.h>
#include <stdio.h>

/* The arguments of a command: options anywhere among them. */
typedef struct {
    const char   *ledger;
    const char   *limit;                /* of --limit=; NULL: all */
    const char   *until;
    const char   *reason;
    bool          json;
    const char   *amount;               /* a word with a sign; NULL */
    char        **words;
    int           nwords;
} budget_args_t;

/* Says how it is to be called; returns 2, the exit code. */
int budget_misused(void);

/* One row, for --json. */
json_t *budget_json(const row_t *row, int64_t now);

/* "team_month of team search, usd/month: 12.5 of 500 used, ...". */
void budget_say(FILE *to, const row_t *row, const server_t *s, int64_t now);

/* llmctl_change.c */
int budget_raise(const budget_args_t *a);
int budget_reset(const budget_args_t *a);
int budget_open(const budget_args_t *a);

#endif /* LLMCTL_BUDGET_H */
