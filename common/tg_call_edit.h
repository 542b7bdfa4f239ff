/*
 * tg_call_edit.h - the change of a body, for tg_call_edit.c, tg_call_compose.c and
 * tg_call_target.c only.
 */

#ifndef TG_CALL_EDIT_H
#define TG_CALL_EDIT_H

#include "tg_call_int.h"

/* The API's own member for the largest number of output tokens. */
typedef struct {
    tg_str_t  api;
    tg_str_t  vendor;           /* a pattern */
    tg_str_t  object;           /* it is in; empty: at the top */
    tg_str_t  member;
} tg_target_maximum_t;

/* Of the call where it goes now; NULL: it has none. */
const tg_target_maximum_t *tg_target_maximum(const tg_call_t *call);

/* What the target calls it; empty where that is not known. */
tg_str_t tg_target_max_name(const tg_call_t *call);

/* Members that the model does not take: bits of tg_param_t. */
uint32_t tg_target_drops(tg_str_t vendor, tg_str_t model);

/* Members that are taken out where they are, and put at the end, or left out. */
typedef enum {
    TG_MOVED_MODEL = 0,
    TG_MOVED_OPTIONS,           /* stream_options */
    TG_MOVED_LIMITS,            /* the object that the maximum is in */
    TG_MOVED_MAXIMA,            /* each that stands at the top */
    TG_MOVED_PARAMS = TG_MOVED_MAXIMA + TG_MAXIMA_MAX,
    TG_MOVED = TG_MOVED_PARAMS + TG_PARAMS
} tg_moved_t;

/* An edit that is being made. */
typedef struct {
    bool             ask;
    int64_t          max;
    tg_str_t         model;     /* to be sent; empty: as it came */
    tg_str_t         max_name;  /* what the target calls a maximum at the top;
                                   empty: what the call says */
    uint32_t         drop;      /* bit tg_param_t: not for the target */
    uint32_t         moved;     /* bit tg_moved_t: now, or by an earlier edit */
    uint32_t         written;   /* bit i: maximum i, likewise */
    tg_str_t         whole;     /* the body, where it is needed */
    unsigned         nspans;
    tg_edit_span_t  *spans;
    uint64_t         root_end;
    uint64_t         covered;   /* up to here members are blanked */
    bool             kept;      /* a member is left before the end */
    tg_text_t        t;         /* the tail ... */
    char            *tail;      /* ... from here on */
} tg_compose_t;

/* Whether maximum i has another name there, or no room for what it is to be. */
void tg_compose_see_maxima(tg_compose_t *c, const tg_request_info_t *info);

/* Where member k (tg_moved_t) is; false where there is none. */
bool tg_compose_place(const tg_request_info_t *info, unsigned k,
    tg_member_t *m);

/* Spans and tail.  TG_ERROR where it can't be done. */
int tg_compose_to(tg_call_t *call, tg_compose_t *c);

/* The usage that is asked for is to be taken out of the answer again.  TG_ERROR
 * on exhaustion. */
int tg_call_strip(tg_call_t *call);

#endif /* TG_CALL_EDIT_H */
