/*
 * replay.h - calls of a log, asked anew under another configuration: admitted,
 * held, routed, priced and settled by the same code as in the servers, against a
 * ledger in memory, in the order and with the overlap that they had.
 *
 * A call is under way from its admission for as long as it took then, less what it
 * waited; what it waits for room now is added.  Time has milliseconds.
 *
 * Not in a line, so not in the replay:
 *
 *   - the prompt.  Of the body there are its bytes, messages, model and maximum; so
 *     guards that look at text, and conditions about it, find none.  What a call
 *     holds follows from the bytes, or, where the line has llm.hold and prices are
 *     those of then, from that.
 *   - what a call that was refused would have used.  It is taken to be what calls
 *     of the same model used on average in this log, or nothing (`guess`), and is
 *     told apart.
 *   - what another model would have answered.  It is taken to use the same tokens
 *     and time.
 *   - which providers are in trouble: where a call goes by the same route, what
 *     failed fails again and costs what it cost; elsewhere nothing fails.
 *   - the client's API, where the call went to another provider than the one
 *     that it was meant for: OpenAI's, but for models named claude.
 */

#ifndef REPLAY_H
#define REPLAY_H

#include "conf/serverconf.h"
#include "line/record.h"

#include "tg_price.h"

typedef struct {
    const serverconf_place_t  *place;
    tg_conf_t                 *conf;        /* not finished */
    const tg_price_book_t     *book;        /* or NULL */
    bool                       guess;
} replay_conf_t;

/* One call, then and now.  All of it lives as long as the callback. */
typedef struct {
    const record_t  *r;             /* its last line */
    int64_t          cost_then;     /* of all its lines, nano-dollars */
    int64_t          cost_now;
    bool             refused_then;
    bool             refused_now;
    bool             would_refuse;  /* now, but for a dry run */
    bool             kept;          /* refused for what no line tells: again */
    bool             estimated;     /* it was refused: cost_now is a guess */
    bool             rerouted;      /* to another provider or model than then */
    bool             unpriced;      /* it used something, and has no price */
    bool             attempts_left_out;
    tg_str_t         rule;          /* now; empty: none */
    tg_str_t         reason;
    tg_str_t         subject;
    tg_str_t         route;
    tg_str_t         provider;
    tg_str_t         model;         /* as it is sent; empty where refused */
    int64_t          lowered;       /* maximum of output; 0: as asked for */
    int64_t          waited_ms;
} replay_call_t;

typedef void (*replay_done_t)(void *data, const replay_call_t *call);

/* What there is to be said of it, in calls. */
typedef struct {
    uint64_t  calls;
    uint64_t  served;               /* answered here: lists of models */
    uint64_t  nameless;             /* without a key, where keys are asked for */
    uint64_t  strangers;            /* of keys that the keys file does not have */
    uint64_t  held;                 /* that have llm.hold ... */
    uint64_t  held_alike;           /* ... and hold the same as then, where they
                                       go where they went */
    uint64_t  attempts;             /* lines of attempts */
    uint64_t  lone_attempts;        /* whose call has no line: their cost is
                                       taken as it was */
    int64_t   lone_cost;
    uint64_t  odd;                  /* lines of a time that can't be */
    uint64_t  most_at_once;
    uint64_t  evicted, full;        /* of the ledger */
} replay_stats_t;

typedef struct replay_s  replay_t;

/* NULL with a message said. */
replay_t *replay_new(const replay_conf_t *conf, replay_done_t done,
    void *data);

/* Of each line, in any order, before the first replay_call(): what calls of its
 * model take. */
void replay_learn(replay_t *p, const record_t *r);

/* The lines, in the order of their time.  False with a message said. */
bool replay_call(replay_t *p, const record_t *r);

/* All that is under way ends. */
bool replay_end(replay_t *p, replay_stats_t *stats);
void replay_free(replay_t *p);

/* What of a record it looks at. */
void replay_want(record_want_t *want);

#endif /* REPLAY_H */
