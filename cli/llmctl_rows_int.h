/*
 * llmctl_rows_int.h - what llmctl_rows.c and llmctl_subject.c share.
 */

#ifndef LLMCTL_ROWS_INT_H
#define LLMCTL_ROWS_INT_H

#include "llmctl_rows.h"

extern const tg_per_t  subject_pers[TG_SUBJECTS];

/* One limit of the caller, unless it is of calls that lack a part of the
 * subject, and none has been counted.  False with a message said. */
bool rows_add(rows_t *rows, const tg_quota_t *q, const tg_quota_limit_t *limit,
    const caller_t *c);

/* As tg_call_hold() finds them: the budgets of all that the caller is, up to
 * TG_ROSTER_BUDGETS. */
unsigned caller_budgets(const rows_t *rows, const caller_t *c,
    const tg_quota_t **list);

#endif /* LLMCTL_ROWS_INT_H */
