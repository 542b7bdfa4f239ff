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

/* The usage that is asked for is to be taken out of the answer again.  TG_ERROR
 * on exhaustion. */
int tg_call_strip(tg_call_t *call);

#endif /* TG_CALL_EDIT_H */
