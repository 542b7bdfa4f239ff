/*
 * tg_pace.h - how fast a backend reads and writes, how much it holds, and what
 * of the prompts that it was sent it has not read yet.
 *
 * Two sources.  What was sent is our own count, of all processes and at once;
 * it is taken to be read at the backend's rate.  The rates and the room are of
 * its metrics pages, a second and more old, and of nothing that changes faster:
 *
 *   read    prompt tokens a second that it has at least managed; an output
 *           token counts as TG_PACE_OUTPUT of them.  The peak of the pages,
 *           which fades.
 *   write   output tokens a second of each call that runs
 *   slots   calls that ran when others waited; 0: none was seen to wait
 *   room    tokens that its KV cache holds, as our estimates count them
 *   others  calls there that are not ours: the mean of what pages said beyond
 *           our count, for an old page beside a new count says anything once
 *
 * Throughput is not among them: a server that gets fewer calls shows less of it
 * and would get fewer still.  `write` is the other way round.
 *
 * A struct in memory that all processes share; zeroed it knows nothing.  Single
 * words, no locks; what a race loses is one sample.
 */

#ifndef TG_PACE_H
#define TG_PACE_H

#include "tg_engine.h"

#define TG_PACE_OUTPUT  8

/* Tokens a second, taken for granted until pages have told: with too high a rate
 * prompts are counted for too short a time, and calls alone decide; with too low
 * a rate backends that are idle look full. */
#define TG_PACE_READ    50000
#define TG_PACE_SLOW    4000            /* the least, once pages have told */

/* Means of two things, of which the ratio is asked for: a page that is old says
 * anything of one of them, but not of all of them. */
typedef struct {
    _Atomic int64_t   of, by;           /* thousandths */
    _Atomic int64_t   pages;
} tg_pace_ratio_t;

/* Thousandths, where nothing else is said. */
typedef struct {
    _Atomic uint64_t  unread;           /* ms << 32 | tokens, then */
    _Atomic uint64_t  given;            /* tokens that need room, all in all */
    _Atomic int64_t   output;           /* mean of calls, tokens */
    _Atomic int64_t   read;
    _Atomic int64_t   reads;            /* pages that told of it */
    tg_pace_ratio_t   write;            /* output tokens a second; running */
    tg_pace_ratio_t   room;             /* tokens; thousandths of the cache */
    _Atomic int64_t   slots;
    _Atomic int64_t   most;             /* calls that ran; fades */
    _Atomic int64_t   others;           /* may be below 0 */
    _Atomic int64_t   pages;            /* that told of calls */

    /* Of the last page. */
    _Atomic int64_t   at;               /* ns; 0: none */
    _Atomic int64_t   prompts, outputs, running;
} tg_pace_t;

/* A call was sent: tokens of its prompt that are not in the backend's cache,
 * and of its answer by estimate, 0: not known.  now: nanoseconds, as all
 * times. */
void tg_pace_sent(tg_pace_t *p, uint32_t prompt, uint32_t output, int64_t now);

/* A page was read. calls, tokens: ours that are there now. */
void tg_pace_scraped(tg_pace_t *p, const tg_engine_facts_t *facts,
    int64_t calls, int64_t tokens, int64_t now);

/* It is another engine now, or was restarted. */
void tg_pace_forget(tg_pace_t *p);

/* 0: not known. */
typedef struct {
    double    unread;           /* tokens */
    double    output;           /* tokens */
    double    read, write;      /* tokens a second; read is always known */
    double    slots;
    double    room;             /* tokens */
    double    others;           /* calls; -1: not known */
    uint64_t  given;            /* tokens, all in all */
} tg_pace_view_t;

void tg_pace_view(tg_pace_t *p, int64_t now, tg_pace_view_t *view);

#endif /* TG_PACE_H */
