/*
 * tg_subjects.h - who the ledger's buckets are of: subjects of quotas that
 * calls came from, with what was refused them and how fast they use up what
 * they have.
 *
 * The ledger knows its buckets by hashes alone.  Here the name of each is
 * written once, when a call first takes of it, so that a page can tell whom the
 * ledger's figures are of.  Amounts are the ledger's: tg_subject_state().
 *
 * In memory that all processes of the server share; atomics, no locks, no
 * allocation.  Zeroed it is as new.  Who makes up subjects can't grow it, nor
 * push out what is configured: see tg_subjects.c.
 *
 * Times are milliseconds since 1970.
 */

#ifndef TG_SUBJECTS_H
#define TG_SUBJECTS_H

#include "tg_burn.h"
#include "tg_quota.h"

#define TG_SUBJECT_ROWS   1024
#define TG_SUBJECT_TEXT   240           /* the quota's name and the subject */

typedef struct {
    _Atomic uint32_t  version;          /* odd: being written; 0: unused */
    _Atomic uint32_t  what;             /* measure, window, flags */
    _Atomic uint64_t  key[TG_LEDGER_KEY / 8];
    _Atomic int64_t   idle;             /* the window's idle_ms */
    _Atomic int64_t   reset;            /* of the window of the last call */
    _Atomic int64_t   last;             /* call */
    _Atomic int64_t   cap, limit;       /* as configured when that came */
    _Atomic uint64_t  refused, dry;     /* calls; of a dry run */
    _Atomic int64_t   refused_at;       /* the last one, dry ones too */
    _Atomic uint32_t  alert[2];         /* thresholds: bytes */
    tg_burn_t         burn;
    _Atomic uint64_t  len;              /* of both names, << 32 the first's */
    _Atomic uint64_t  text[TG_SUBJECT_TEXT / 8];
} tg_subject_row_t;

typedef struct {
    _Atomic uint64_t  crowded;          /* subjects that found no room */
    tg_subject_row_t  row[TG_SUBJECT_ROWS];
} tg_subjects_t;

/* A call was held, or found these states when it was not (refused: by its item
 * of that number; -1: not).  call: of tg_quota_items(). */
void tg_subjects_held(tg_subjects_t *s, const tg_quota_items_t *items,
    const tg_ledger_state_t *states, int refused, const tg_quota_call_t *call);

/* One of its buckets has used so much: tg_quota_actual()'s. */
void tg_subjects_used(tg_subjects_t *s, const unsigned char *key,
    int64_t actual, int64_t now);

/* One limit of one quota for one subject. */
typedef struct {
    unsigned char     key[TG_LEDGER_KEY];
    tg_str_t          quota, subject;   /* of text; any bytes: "team search" */
    tg_measure_t      measure;
    tg_window_spec_t  window;
    bool              budget;           /* of the keys file */
    bool              dry_run;
    bool              invented;         /* the subject is the client's word */
    int64_t           cap, limit;
    int64_t           last;
    uint64_t          refused, dry;
    int64_t           refused_at;       /* 0: never */
    tg_burned_t       burned;           /* of late: tg_subject_unit() */
    char              text[TG_SUBJECT_TEXT];
} tg_subject_view_t;

/* All of them, one at a time, in no order: *i starts at 0.  False at the
 * end. */
bool tg_subjects_each(const tg_subjects_t *s, int64_t now, unsigned *i,
    tg_subject_view_t *subject);

/* What a call would find in the ledger now, other nodes' part in it; false
 * where it has no such entry. */
bool tg_subject_state(const tg_subject_view_t *subject,
    const tg_ledger_t *ledger, const tg_zone_t *zone, int64_t now,
    tg_ledger_state_t *state);

/*
 * The pace goes by what was used in about the last 15 minutes of an hour's
 * window, 4 hours of a day's, 2 days of a week's, 7 days of a month's and of
 * all time: the length of a cell of the burn, 15 of which and the one under way
 * are looked at. Where less is known than that it goes by what is known, but by
 * a twelfth of a cell at least.  It does not matter whether a window ended
 * meanwhile.  0: of seconds, minutes, idle windows and calls at a time nobody
 * asks.
 */
int64_t tg_subject_unit(tg_measure_t measure, const tg_window_spec_t *window);

typedef struct {
    bool     known;                     /* there is a pace */
    int64_t  daily;                     /* what a day takes at it */
    int64_t  over;                      /* milliseconds that it goes by */
    int64_t  at_reset;                  /* what the window will have taken; of
                                           all time 0 */
    int64_t  out;                       /* when the limit will be reached;
                                           TG_WINDOW_NEVER: not in this window;
                                           now or before: it is */
} tg_subject_forecast_t;

void tg_subject_forecast(const tg_subject_view_t *subject,
    const tg_ledger_state_t *state, int64_t now,
    tg_subject_forecast_t *forecast);

#endif /* TG_SUBJECTS_H */
