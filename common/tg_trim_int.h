/*
 * tg_trim_int.h - a list of messages, as tg_trim_read.c reads it and tg_trim.c
 * decides on it.
 */

#ifndef TG_TRIM_INT_H
#define TG_TRIM_INT_H

#include "tg_json_step.h"
#include "tg_trim.h"

typedef enum {
    TG_TURN_USER = 0,
    TG_TURN_MODEL,          /* what it said, thought, or did by itself */
    TG_TURN_CALL,           /* it calls tools */
    TG_TURN_RESULT,
    TG_TURN_SYSTEM,
    TG_TURN_FIXED           /* not known what */
} tg_turn_kind_t;

typedef struct {
    size_t    start, end;
    size_t    comma;        /* behind it; 0 behind the last */
    uint8_t   kind;
    bool      dropped;
    unsigned  calls;
    unsigned  results;
    int64_t   tokens;
} tg_turn_t;

typedef struct {
    unsigned    n;
    tg_turn_t  *turn;
} tg_turns_t;

/* TG_TRIM_NONE where there is no such list, or it is too long; TG_ERROR on
 * exhaustion. */
#define TG_TRIM_NONE  (-4)

int tg_trim_read(tg_turns_t *turns, tg_mem_t *mem, tg_str_t body);

#endif /* TG_TRIM_INT_H */
