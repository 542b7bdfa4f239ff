/*
 * tg_prompt.h - the text of a prompt, decoded, in one piece, and where each
 * part of it stands in the body.
 *
 * What belongs to it, of any API: all strings of the body that a model reads as
 * text, in the order in which they stand there, each followed by a newline.
 * Whatever is not known not to be text is text:
 *
 *   messages, inputs, instructions, documents ...   their strings, but for
 *                       names, ids, types, roles, URLs, and the data of
 *                       pictures and sounds
 *   a tool's arguments and results     all of them, where they are JSON the
 *                       names of members, too, and numbers of TG_PROMPT_DIGITS
 *                       characters and more
 *   tools' definitions and schemas     the descriptions in them
 *   what says how to answer            (model, stop, metadata, ...) nothing
 *
 * A prompt that a client sends as tokens is no text: `tokens` says that there
 * are such.  Nor is what is in pictures, sounds and files.
 */

#ifndef TG_PROMPT_H
#define TG_PROMPT_H

#include "tg_error.h"
#include "tg_mem.h"

#define TG_PROMPT_TEXT_MAX    (16 * 1024 * 1024)    /* bytes */
#define TG_PROMPT_PIECES_MAX  262144
#define TG_PROMPT_DIGITS      9

/* Error codes. */
#define TG_PROMPT_ERROR_JSON    1       /* the body is not JSON */
#define TG_PROMPT_ERROR_LARGE   2       /* more text than that */
#define TG_PROMPT_ERROR_MEMORY  3

typedef enum {
    TG_PIECE_STRING = 0,
    TG_PIECE_JSON,              /* a string that is JSON itself */
    TG_PIECE_NUMBER
} tg_piece_kind_t;

typedef struct {
    size_t    at;               /* in the text */
    size_t    len;
    size_t    start, end;       /* in the body, without quotes */
    uint8_t   kind;
} tg_piece_t;

/* Bytes of the body. */
typedef struct {
    size_t    start, end;
} tg_range_t;

typedef struct {
    tg_str_t     text;          /* UTF-8 */
    size_t       npieces;
    tg_piece_t  *pieces;        /* in order */
    bool         tokens;
} tg_prompt_t;

/*
 * Reads it from a whole body.  What is within one of `without`, in order and
 * apart, is left out.  Memory is of mem.  TG_OK, or TG_ERROR and *err.
 */
int tg_prompt_read(tg_prompt_t *prompt, tg_mem_t *mem, tg_str_t body,
    const tg_range_t *without, size_t nwithout, tg_error_t *err);

/*
 * From a part of the text to where it stands in the body, whole characters and
 * whole escapes, a number as a whole.  Parts have to come in order and apart;
 * `place` is zeroed before the first.
 */
typedef struct {
    size_t    piece;
    size_t    at;               /* in the piece's text ... */
    size_t    raw;              /* ... and in the body */
    bool      inside;
} tg_place_t;

typedef void (*tg_prompt_found_t)(void *data, const tg_piece_t *piece,
    size_t start, size_t end);

void tg_prompt_locate(const tg_prompt_t *prompt, tg_str_t body,
    tg_place_t *place, size_t from, size_t to, tg_prompt_found_t found,
    void *data);

#endif /* TG_PROMPT_H */
