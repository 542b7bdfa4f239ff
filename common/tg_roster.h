/*
 * tg_roster.h - a keys file in use: its keys, and their budgets as quotas.
 *
 * Immutable; shared by references, which any thread may take and give back.  A
 * call keeps one from its admission to its line, so that a changed file takes
 * nothing from under it.
 */

#ifndef TG_ROSTER_H
#define TG_ROSTER_H

#include "tg_keys.h"
#include "tg_quota.h"

/* Of one call: its key's, user's, team's and org's. */
#define TG_ROSTER_BUDGETS  ((TG_SUBJECTS + 1) * TG_KEY_LIMITS_MAX)

typedef struct tg_roster_s  tg_roster_t;

/*
 * Reads a keys file's text with all of its budgets; `name` is the file's, for
 * messages, which begin with "name:line: ".  `quotas` is finished, and must
 * outlive the roster.  NULL and *err on any mistake.  The caller has the first
 * reference.
 */
tg_roster_t *tg_roster_load(const tg_quotas_t *quotas, tg_str_t name,
    tg_str_t text, tg_error_t *err);

tg_roster_t *tg_roster_ref(tg_roster_t *r);

/* The last one frees it. NULL is no roster. */
void tg_roster_unref(tg_roster_t *r);

const tg_keys_t *tg_roster_keys(const tg_roster_t *r);

/* Whether anybody has a budget. */
bool tg_roster_limits(const tg_roster_t *r);

/* Whether a budget has that name, or would have it for want of another: those
 * of keys, users, teams and organisations are named after these. */
bool tg_roster_has(const tg_roster_t *r, tg_str_t name);

/* Whether a budget looks for repetitions. */
bool tg_roster_repeats(const tg_roster_t *r);

/* The budgets of a key; of a user, a team, an organisation. */
const tg_quota_t *const *tg_roster_key_budgets(const tg_roster_t *r,
    const tg_key_t *key, unsigned *n);
const tg_quota_t *const *tg_roster_subject_budgets(const tg_roster_t *r,
    const tg_subject_t *subject, unsigned *n);

/*
 * Gives every configured subject its entries in the ledger, those of the
 * budgets and those of `quotas` that count per one key, user, team or org.
 * TG_LEDGER_OK, or what the ledger said to the first that it did not take.
 */
int tg_roster_reserve(const tg_roster_t *r, const tg_quotas_t *quotas,
    const tg_zone_t *zone, tg_ledger_t *ledger, int64_t now);

#endif /* TG_ROSTER_H */
