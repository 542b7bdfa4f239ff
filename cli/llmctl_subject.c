/* One subject, as it is named on the command line. */

#include "llmctl_rows_int.h"
#include "llmctl.h"

#include <stdio.h>


/* A word such as "team=search" into the caller. */
static bool
caller_word(rows_t *rows, caller_t *c, const char *word, tg_quota_per_t *per)
{
    tg_str_t         name, value;
    const char      *eq = strchr(word, '=');
    const tg_keys_t *keys = server_keys(rows->server);

    name = eq == NULL ? tg_str_null : tg_str_of(word, (size_t) (eq - word));
    value = eq == NULL ? tg_str_null : tg_strz(eq + 1);
    per->kind = TG_PERS;

    if (tg_str_starts(name, tg_str("tag:")) && name.len > 4
        && c->ntags < TG_QUOTA_PER_MAX)
    {
        per->kind = TG_PER_TAG;
        per->tag = tg_str_of(name.p + 4, name.len - 4);
        c->tags[c->ntags].name = per->tag;
        c->tags[c->ntags++].value = value;
        return true;
    }

    for (unsigned i = TG_PER_KEY; i < TG_PER_TAG; i++) {
        if (tg_str_eq(name, tg_strz(tg_per_names[i])) && eq != NULL) {
            per->kind = (tg_per_t) i;
            c->subject[i] = value;
        }
    }

    if (per->kind == TG_PERS) {
        return failed(word, "is no part of a subject, such as team=search or"
                          " tag:x=y; team= is of calls that have none");
    }

    if (per->kind == TG_PER_KEY) {
        c->key = keys == NULL ? NULL : tg_keys_by_id(keys, value);

        if (c->key == NULL) {
            return failed(word, "there is no key of this id");
        }
    }

    return true;
}


/* The words are the parts of this quota's subject, all and no others. */
static bool
fits(const tg_quota_t *q, const tg_quota_per_t *given, int n)
{
    int  found = 0;

    if (q->npers == 1 && q->per[0].kind == TG_PER_ALL) {
        return n == 0;
    }

    for (unsigned i = 0; i < q->npers; i++) {
        for (int k = 0; k < n; k++) {
            found += given[k].kind == q->per[i].kind
                     && tg_str_eq(given[k].tag, q->per[i].tag);
        }
    }

    return found == n && (unsigned) n == q->npers;
}


/* Whoever is known: a key's user, team and org, a team's org. */
static void
caller_complete(const rows_t *rows, caller_t *c)
{
    const tg_keys_t     *keys = server_keys(rows->server);
    const tg_subject_t  *team;

    if (c->key != NULL) {
        for (int kind = 0; kind < TG_SUBJECTS; kind++) {
            tg_per_t  per = subject_pers[kind];

            if (c->subject[per].len == 0) {
                c->subject[per] = per == TG_PER_USER ? c->key->user
                                  : per == TG_PER_TEAM ? c->key->team
                                  : c->key->org;
            }
        }
    }

    if (keys != NULL && c->subject[TG_PER_ORG].len == 0) {
        team = tg_keys_subject_of(keys, TG_SUBJECT_TEAM,
                                  c->subject[TG_PER_TEAM]);
        if (team != NULL) {
            c->subject[TG_PER_ORG] = team->org;
        }
    }
}


/* True where a key has it, or the file lists it. */
static bool
is_known(const rows_t *rows, tg_per_t per, tg_str_t name)
{
    const tg_key_t   *key;
    const tg_keys_t  *keys = server_keys(rows->server);
    const tg_subject_t  *s;

    for (int kind = 0; keys != NULL && kind < TG_SUBJECTS; kind++) {
        if (subject_pers[kind] != per) {
            continue;
        }

        s = tg_keys_subject_of(keys, (tg_subject_kind_t) kind, name);

        if (s != NULL && tg_str_eq(s->name, name)) {
            return true;
        }

        for (size_t i = 0; i < tg_keys_count(keys); i++) {
            key = tg_keys_key(keys, i);

            if (tg_str_eq(per == TG_PER_USER ? key->user
                          : per == TG_PER_TEAM ? key->team : key->org, name))
            {
                return true;
            }
        }
    }

    return per == TG_PER_KEY;
}


static bool
rows_pick(rows_t *rows, const tg_quota_t *q, const char *limit,
    const caller_t *c)
{
    char  name[LIMIT_SIZE];

    for (unsigned i = 0; i < q->nlimits; i++) {
        if (q->limits[i].measure == TG_MEASURE_REPEATS
            || (limit != NULL
                && strcmp(limit, row_limit(name, &q->limits[i])) != 0))
        {
            continue;
        }

        if (!rows_add(rows, q, &q->limits[i], c)) {
            return false;
        }
    }

    return true;
}


/* Says why nothing was found. */
static bool
rows_none(const char *quota, const char *limit, const tg_quota_t *q)
{
    char        per[512];
    size_t      n = 0;
    tg_error_t  err;

    if (limit != NULL && q != NULL) {
        (void) tg_error(&err, 0, 0, "%s has no limit %s; they are named as in"
                        " llmctl budget list", quota, limit);

    } else if (q != NULL) {
        per[0] = '\0';

        for (unsigned i = 0; i < q->npers && n < sizeof(per) - 160; i++) {
            n += (size_t) snprintf(per + n, sizeof(per) - n, " %s%.*s%s",
                                   tg_per_names[q->per[i].kind],
                                   (int) q->per[i].tag.len,
                                   q->per[i].tag.len ? q->per[i].tag.p : "",
                                   q->per[i].kind == TG_PER_ALL ? "" : "=...");
        }

        (void) tg_error(&err, 0, 0, "%s is per%s: that is what has to be"
                        " given", quota, per);

    } else {
        (void) tg_error(&err, 0, 0, "no quota has this name, nor a budget of"
                        " this subject");
    }

    return failed(quota, err.message);
}


/* A misspelled subject would get a bucket of its own. */
static bool
rows_known(const rows_t *rows, const tg_quota_per_t *given, const caller_t *c,
    int n)
{
    bool  counted = false, known = true;

    for (size_t i = 0; i < rows->n; i++) {
        counted |= rows->list[i].counted;
    }

    for (int i = 0; i < n; i++) {
        known &= given[i].kind != TG_PER_TAG
                 && is_known(rows, given[i].kind, c->subject[given[i].kind]);
    }

    if (!known && !counted) {
        (void) fail("subject", "it is named nowhere, and nothing has been"
                               " counted for it");
    }

    return known || counted;
}


bool
rows_of(rows_t *rows, const char *quota, char **words, int nwords,
    const char *limit, caller_t *c)
{
    unsigned            n;
    tg_str_t            name = tg_strz(quota);
    caller_t            own;
    tg_quota_per_t      given[TG_QUOTA_PER_MAX];
    const tg_quota_t   *q, *list[TG_ROSTER_BUDGETS];

    memset(c, 0, sizeof(*c));
    memset(given, 0, sizeof(given));

    if (nwords > TG_QUOTA_PER_MAX) {
        return rows_none(quota, NULL, NULL);
    }

    for (int i = 0; i < nwords; i++) {
        if (!caller_word(rows, c, words[i], &given[i])) {
            return false;
        }
    }

    own = *c;
    q = tg_quotas_find(&rows->server->conf->quotas, name);

    if (q != NULL && fits(q, given, nwords)) {
        if (!rows_pick(rows, q, limit, &own)) {
            return false;
        }
    }

    n = nwords == 1 ? caller_budgets(rows, &own, list) : 0;

    for (unsigned i = 0; i < n; i++) {
        if (tg_str_eq(list[i]->name, name) && fits(list[i], given, nwords)) {
            q = list[i];

            if (!rows_pick(rows, q, limit, &own)) {
                return false;
            }
        }
    }

    caller_complete(rows, c);

    return rows->n == 0
           ? rows_none(quota, q != NULL && fits(q, given, nwords)
                                    ? limit : NULL, q)
           : rows_known(rows, given, c, nwords);
}
