/*
 * replay_int.h - the inside of a replay.
 */

#ifndef REPLAY_INT_H
#define REPLAY_INT_H

#include "replay.h"

#include "tg_call_replay.h"
#include "tg_desk.h"

#define REPLAY_SECRET    65             /* hexadecimal digits and a NUL */
#define REPLAY_MODELS    4096           /* that are told apart */
#define REPLAY_MODEL_MAX 96             /* bytes of a name */
#define REPLAY_ATTEMPTS  1024           /* calls of one millisecond that had such */

/* What calls of a model took. */
typedef struct {
    char      name[REPLAY_MODEL_MAX];
    size_t    len;
    uint64_t  calls;
    double    input, output, cache_read, ns;        /* sums */
} replay_model_t;

/* Attempts that failed, of one call. */
typedef struct {
    char             id[64];
    size_t           len;
    int64_t          cost_then;
    unsigned         lines;
    tg_quota_used_t  used;
} replay_attempts_t;

/* A call under way. */
typedef struct {
    replay_t          *p;
    tg_arena_t        *arena;
    tg_mem_t          *mem;
    tg_call_t         *call;
    record_t           r;
    tg_str_t           skeleton;        /* the body without its text, ... */
    size_t             gap;             /* ... where that goes, ... */
    size_t             fill;            /* ... and its bytes */
    tg_str_t           body;            /* all of it, once it was asked for */
    char               secret[REPLAY_SECRET];
    char               bearer[REPLAY_SECRET + 8];
    char               retries[24];
    replay_attempts_t  attempts;
    replay_call_t      is;
    tg_refusal_t       refusal;
    int64_t            ns;              /* for which it is under way */
    tg_replay_t        seen;
} replay_live_t;

typedef struct {
    int64_t         time;               /* milliseconds */
    uint64_t        order;
    bool            again;              /* it is to be asked again; else it ends */
    replay_live_t  *live;
} replay_event_t;

struct replay_s {
    replay_conf_t       conf;
    replay_done_t       done;
    void               *data;
    replay_stats_t      stats;

    tg_arena_t         *arena;
    tg_mem_t           *mem;
    tg_desk_t           desk;
    tg_roster_t        *roster;
    tg_ledger_t         ledger;
    void               *base;           /* of the ledger; NULL: none */
    size_t              size;
    tg_gate_scratch_t   scratch;
    tg_gate_t           gate;
    tg_scope_t          scope;
    tg_id_source_t      ids;
    uint64_t            number;         /* of calls */

    int64_t             now;            /* milliseconds; INT64_MIN: none yet */
    int64_t             swept;
    replay_event_t     *events;         /* a heap */
    size_t              nevents, room;
    uint64_t            order;
    uint64_t            at_once;

    replay_model_t     *models;         /* a table of REPLAY_MODELS * 2 */
    unsigned            nmodels;
    replay_attempts_t  *attempts;       /* of the time `attempted` */
    unsigned            nattempts;
    int64_t             attempted;
};

/* replay_world.c: all that the configuration names. */
bool replay_open(replay_t *p);
void replay_close(replay_t *p);

/* Another thing than the key's own secret, which nobody knows; the same for the
 * same id.  secret: of REPLAY_SECRET bytes. */
void replay_secret(tg_str_t id, char *secret);

/* replay_line.c: what the line says, as a call. */
bool replay_create(replay_live_t *live);
void replay_seen(replay_live_t *live);
bool replay_same_place(const replay_live_t *live, const tg_replayed_t *is);

/* replay_bytes.c: bytes of its text, messages' worth of them; whether it offered
 * tools. */
uint64_t replay_bytes(const replay_live_t *live, int64_t messages,
    bool *tools);

/* replay_event.c: false with a message said, and the call freed. */
bool replay_event_add(replay_t *p, int64_t time, bool again,
    replay_live_t *live);
replay_event_t replay_event_take(replay_t *p);

/* replay.c */
void replay_live_free(replay_live_t *live);

/* For how long it was under way, its waiting left out: nanoseconds. */
int64_t replay_ns(const record_t *r);

/* replay_model.c */
const replay_model_t *replay_model(const replay_t *p, tg_str_t name);

#endif /* REPLAY_INT_H */
