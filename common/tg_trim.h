/*
 * tg_trim.h - which of a conversation's oldest turns can be left out.
 *
 * Left out are whole elements of the body's list of messages (messages,
 * contents, input), the oldest first, until what is left is estimated to be at
 * most so many tokens:
 *
 *   1. exchanges, from a user's message to before the next one; the last one
 *      stays, and so does every system or developer message
 *   2. where that is not enough, steps of the last exchange: a call of tools
 *      with its results, and what the model said in between; the user's message
 *      stays, and the last step
 *
 * A call of a tool and its result are left out together or not at all.  What
 * comes first then is a user's message, as Anthropic's and Gemini's APIs want
 * it. An element whose kind is not known stays, with its exchange.
 *
 * The estimate is a quarter of the body's bytes, without the data of pictures
 * and sounds, and TG_TRIM_PICTURE for each picture.
 */

#ifndef TG_TRIM_H
#define TG_TRIM_H

#include "tg_error.h"
#include "tg_mem.h"
#include "tg_prompt.h"

#define TG_TRIM_PICTURE   1000      /* tokens */
#define TG_TRIM_TURNS     65536     /* a longer list is left as it is */

/* Of a body with so many bytes of media among its own, and so many pictures. */
int64_t tg_trim_estimate(uint64_t bytes, uint64_t media, uint64_t pictures);

typedef struct {
    unsigned     dropped;       /* elements */
    int64_t      tokens;        /* that they were estimated to have */
    size_t       nranges;
    tg_range_t  *ranges;        /* to be blanked, with their commas; in order,
                                   apart */
} tg_trim_t;

/*
 * body: valid JSON.  tokens: what the body is estimated to have; most: what it
 * may have.  TG_OK, also where nothing can be left out; TG_ERROR on
 * exhaustion.
 */
int tg_trim_plan(tg_trim_t *trim, tg_mem_t *mem, tg_str_t body, int64_t tokens,
    int64_t most);

#endif /* TG_TRIM_H */
