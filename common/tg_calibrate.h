/*
 * tg_calibrate.h - what calls of a model really take, learned from the usage
 * that providers report: for estimate=calibrated, and for calls whose usage is
 * not told (a stream cut short).
 *
 * Learned are, for a model at a vendor in an API ("dialect"):
 *
 *   input    bytes of the body for a token, a low quantile; apart by the body's
 *            size, for the JSON around a short prompt outweighs it
 *   output   tokens of an answer, a high quantile; for each key apart, too
 *   text     bytes of text for a token, the mean, of prompts and of answers
 *
 * A quantile is tracked by steps: one that is passed moves by an eighth of
 * itself, one that holds back by 1/512, so that about one call in 65 passes it;
 * the last few hundred calls count.  A further eighth on top of it is told.
 * The first TG_CALIBRATE_LEARN calls set it to the extreme that was seen, and
 * nothing is told before.
 *
 * It is an estimate: who knows that it is learned can teach it.  Nothing that
 * is a bound should be made of it.
 *
 * A process's own, of a fixed size.  Names take their places as they come; what
 * finds none is not learned.  Any number of threads may use it at once: each
 * number is one atomic word, and what a race loses is one call's sample.
 */

#ifndef TG_CALIBRATE_H
#define TG_CALIBRATE_H

#include "tg_str.h"

#define TG_CALIBRATE_MODELS  64
#define TG_CALIBRATE_KEYS    512    /* pairs of a model and a key */
#define TG_CALIBRATE_SIZES   8      /* below 1 KiB, 4 KiB, 16 KiB, ... */
#define TG_CALIBRATE_LEARN   32     /* calls */

typedef struct {
    uint64_t  name;                 /* a hash; 0: free */
    uint64_t  input[TG_CALIBRATE_SIZES];
    uint64_t  prompt;               /* text */
    uint64_t  answer;
    uint64_t  output;
} tg_calibrate_model_t;

typedef struct {
    uint64_t  name;
    uint64_t  output;
} tg_calibrate_key_t;

/* Zeroed it has learned nothing. */
typedef struct {
    tg_calibrate_model_t  models[TG_CALIBRATE_MODELS];
    tg_calibrate_key_t    keys[TG_CALIBRATE_KEYS];
} tg_calibrate_t;

/* What is learned of. */
typedef struct {
    uint64_t  model;                /* of tg_calibrate_name() */
    uint64_t  key;                  /* of the model and a key; 0: no key */
} tg_calibrate_name_t;

/* key: its id, or empty. */
tg_calibrate_name_t tg_calibrate_name(tg_str_t vendor, tg_str_t api,
    tg_str_t model, tg_str_t key);

/* A call as its provider counted it; 0: is nothing to learn from. */
typedef struct {
    uint64_t  bytes;                /* of a body that is all text */
    uint64_t  prompt;               /* bytes of its text */
    uint64_t  answer;               /* of all answers */
    int64_t   input;                /* tokens */
    int64_t   output;               /* of all answers */
    int64_t   answers;
} tg_calibrate_call_t;

void tg_calibrate_learn(tg_calibrate_t *cal, tg_calibrate_name_t name,
    const tg_calibrate_call_t *call);

/* Tokens of a body of so many bytes, all of it text; -1: not learned. */
int64_t tg_calibrate_input(const tg_calibrate_t *cal, tg_calibrate_name_t name,
    uint64_t bytes);

/* Tokens of one answer; -1: not learned. */
int64_t tg_calibrate_output(const tg_calibrate_t *cal,
    tg_calibrate_name_t name);

/* Bytes of text that 1000 tokens have; 0: not learned. */
int64_t tg_calibrate_prompt(const tg_calibrate_t *cal,
    tg_calibrate_name_t name);
int64_t tg_calibrate_answer(const tg_calibrate_t *cal,
    tg_calibrate_name_t name);

#endif /* TG_CALIBRATE_H */
