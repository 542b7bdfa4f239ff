/*
 * tg_prompt_int.h - what tg_prompt.c and tg_prompt_place.c share.
 */

#ifndef TG_PROMPT_INT_H
#define TG_PROMPT_INT_H

#include "tg_json_decode.h"
#include "tg_json_step.h"
#include "tg_prompt.h"

/* Decodes the text of a string to `to`, where TG_JSON_DECODE_ROOM more than its
 * own length is free.  Returns the end of it. */
char *tg_prompt_decode_piece(char *to, const char *p, const char *end);

#endif /* TG_PROMPT_INT_H */
