/*
 * llmctl_rows.h - the limits of a server's subjects, one a row, with what the
 * ledger has counted of each.
 *
 * The ledger knows its buckets by hashes alone: who they are of is found by
 * computing the hashes of all subjects that the configuration and the keys file
 * name.
 */

#ifndef LLMCTL_ROWS_H
#define LLMCTL_ROWS_H

#include "llmctl_server.h"

typedef struct {
    const tg_quota_t        *quota;
    const tg_quota_limit_t  *limit;
    tg_str_t                 subject;   /* "team search", with a NUL behind */
    bool                     named;     /* each part of it is known to exist */
    bool                     counted;   /* the ledger has an entry */
    bool                     fleet;     /* state has other nodes' part in it,
                                           as this one last heard of it */
    tg_ledger_item_t         item;
    tg_ledger_state_t        state;     /* as a call would find it now */
    tg_ledger_entry_t        entry;     /* where counted */
} row_t;

/* Whom a call could be of. */
typedef struct {
    tg_str_t         subject[TG_PERS];
    const tg_key_t  *key;               /* its tags; or NULL */
    unsigned         ntags;
    tg_key_tag_t     tags[TG_QUOTA_PER_MAX];    /* beside them */
} caller_t;

typedef struct {
    const server_t  *server;
    int64_t          now;
    row_t           *list;
    size_t           n, room;
    uint32_t        *index;             /* hash table: place in list plus one */
    size_t           nindex;
    tg_window_t      windows[TG_WINDOW_IDLE];
} rows_t;

void rows_init(rows_t *rows, const server_t *s, int64_t now);
void rows_free(rows_t *rows);

/* All of these: false with a message said. */

/* Every quota and budget with every subject that is named anywhere; of calls
 * that lack a part of it where they were counted. */
bool rows_all(rows_t *rows);

/*
 * One quota or budget with one subject, given as "team=search" or "tag:x=y",
 * each part a word; none for per=all.  `limit` NULL, or one of row_limit().
 * *caller says what is known of who that is.
 */
bool rows_of(rows_t *rows, const char *quota, char **words, int nwords,
    const char *limit, caller_t *caller);

/* All other limits that this caller falls under. */
bool rows_nested(rows_t *rows, const caller_t *caller);

/* The row with that key, or NULL. */
const row_t *rows_find(const rows_t *rows, const unsigned char *key);

/* "usd/month", "concurrent", "tokens/idle=30m".  Returns buf. */
#define LIMIT_SIZE  64
const char *row_limit(char *buf, const tg_quota_limit_t *limit);

/* An amount without its unit: dollars, or a whole number. Returns buf. */
#define AMOUNT_SIZE  32
const char *amount_text(char *buf, tg_measure_t measure, int64_t amount);

/* What is in use: of concurrent= what is held. */
int64_t row_used(const row_t *row);

/* Of a fleet: what this node has used of state.used, and what others have in
 * calls under way and slices. */
int64_t row_own(const row_t *row);
int64_t row_others_held(const row_t *row);

/* A raise that the ledger has not heard of yet. */
void row_raise(row_t *row, int64_t amount, int64_t until);

/* True where a call of any size would be refused now. */
bool row_is_full(const row_t *row);

/* A raise that is in force. */
bool row_is_raised(const row_t *row, int64_t now);

#endif /* LLMCTL_ROWS_H */
