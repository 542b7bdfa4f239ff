/*
 * tg_json.h - a streaming, validating JSON scanner (RFC 8259).
 *
 * Bytes go in, in any split; out come events for just the members that were
 * asked for.  No tree, no copy of the input, constant memory: the state is one
 * tg_json_t owned by the caller.  Every byte is validated, UTF-8 included.
 *
 * Paths.  A wanted path names object members separated by dots; "[]" after a
 * name stands for every element of an array; a literal dot in a name is written
 * "\." :
 *
 *     ""                          the root value itself
 *     "usage.prompt_tokens"
 *     "choices[].delta.content"
 *     "[].id"                     where the root is an array
 *     "input", "input[]"          a string, or an array of strings: want both
 *
 * Keys are compared decoded ("mod\u0065l" is "model").  A path that is wanted
 * both as a leaf and as the prefix of others is fine.
 *
 * Two relaxations for streams, by flag: with TG_JSON_ELEMENTS a root array's
 * elements are documents of their own (Gemini without alt=sse); with
 * TG_JSON_LINES the input is a sequence of documents separated by white space
 * (NDJSON); the white space may be missing behind an object or array.  In both
 * cases paths start at each document and TG_JSON_END_DOC ends each.
 *
 * A third one is for what is only looked at as it goes by: with TG_JSON_LAX a
 * string may have bytes that are not UTF-8, and raw control characters but for
 * the line feed, which is where a cut line of NDJSON ends.  Models do make half
 * a character, and clients put up with it.  Values are told as they are then,
 * and whoever keeps them must expect any byte.
 *
 * Limits, which are errors: nesting deeper than TG_JSON_DEPTH_MAX, a number of
 * more than TG_JSON_NUMBER_MAX characters.  A byte order mark is an error (RFC
 * 8259 section 8.1 lets a parser choose).  Lone surrogates in \u escapes are
 * accepted (section 8.2) and decode to U+FFFD.  Duplicate keys are accepted,
 * and reported when wanted.
 */

#ifndef TG_JSON_H
#define TG_JSON_H

#include "tg_error.h"
#include "tg_mem.h"

#define TG_JSON_DEPTH_MAX     1024
#define TG_JSON_NUMBER_MAX    512
#define TG_JSON_VALUE_MAX     256   /* bytes of a value that are captured */
#define TG_JSON_KEY_MAX       64    /* longest wanted key, decoded */
#define TG_JSON_PATH_MAX      12    /* deepest wanted path, in members and [] */

#define TG_JSON_NOWHERE       UINT64_MAX

/* Options of a want. */
enum {
    TG_JSON_COUNT  = 0x01,  /* strings: raw_len only, value is left empty */
    TG_JSON_TEXT   = 0x02,  /* strings: TG_JSON_TEXT_PIECE events as it is read,
                               decoded, then TG_JSON_STRING without a value */
    TG_JSON_MEMBER = 0x04,  /* a TG_JSON_MEMBER_RANGE event after the value, of
                               a member or an array's element */
    TG_JSON_RAW    = 0x08   /* containers: their raw text is the value of the
                               *_END event (truncated past TG_JSON_VALUE_MAX);
                               not within another TG_JSON_RAW */
};

typedef struct {
    const char  *path;
    uint16_t     id;        /* handed back in events; the caller's numbering */
    uint16_t     options;
} tg_json_want_t;

/* Compiled paths: immutable, shared by any number of scanners and threads. */
typedef struct tg_json_paths_s  tg_json_paths_t;

/*
 * Compiles n wants into mem.  NULL and *err on a malformed path, more than 64
 * names under one object, or exhaustion.  The wants may go afterwards.  A path
 * wanted twice is an error.
 */
tg_json_paths_t *tg_json_paths(tg_mem_t *mem, const tg_json_want_t *wants,
    size_t n, tg_error_t *err);

typedef enum {
    TG_JSON_STRING = 1,
    TG_JSON_NUMBER,         /* value: the literal as written */
    TG_JSON_TRUE,
    TG_JSON_FALSE,
    TG_JSON_NULL,
    TG_JSON_OBJECT,         /* begins; start is set */
    TG_JSON_OBJECT_END,
    TG_JSON_ARRAY,
    TG_JSON_ARRAY_END,
    TG_JSON_TEXT_PIECE,     /* value: decoded bytes; may be split anywhere
                               between characters */
    TG_JSON_MEMBER_RANGE,   /* see TG_JSON_MEMBER; after the next , or closer */
    TG_JSON_DUPLICATE,      /* this wanted key has been in this object before;
                               its value's events follow as usual.  Where the
                               key is only a part of longer paths, the id is
                               that of the first of them in the table */
    TG_JSON_END_DOC         /* id is 0: a document is complete and valid */
} tg_json_type_t;

typedef struct {
    tg_json_type_t  type;
    uint16_t        id;
    bool            truncated;  /* value was longer than TG_JSON_VALUE_MAX */
    uint32_t        index;      /* of the element in the innermost array that
                                   the path went through by [], else 0 */
    tg_str_t        value;      /* valid during the callback */
    uint64_t        raw_len;    /* strings: bytes between the quotes */

    /* Byte offsets from the start of all input; TG_JSON_NOWHERE if unknown. */
    uint64_t        key;        /* the key's opening quote (members only) */
    uint64_t        start;      /* the value's first byte */
    uint64_t        end;        /* one past the value's last byte (not in
                                   OBJECT, ARRAY, TEXT_PIECE, DUPLICATE) */

    /* Of TG_JSON_MEMBER_RANGE only. */
    uint64_t        comma;      /* the comma before the key, NOWHERE if first */
    uint64_t        next;       /* the comma or the closer behind the value */
} tg_json_event_t;

/* Returns 0 to go on; anything else ends the scan with TG_JSON_E_STOPPED. */
typedef int (*tg_json_handler_t)(void *data, const tg_json_event_t *ev);

typedef enum {
    TG_JSON_E_NONE = 0,
    TG_JSON_E_SYNTAX,       /* an unexpected byte */
    TG_JSON_E_UTF8,
    TG_JSON_E_CONTROL,      /* a raw control character in a string */
    TG_JSON_E_ESCAPE,
    TG_JSON_E_NUMBER,
    TG_JSON_E_DEPTH,
    TG_JSON_E_LONG_NUMBER,
    TG_JSON_E_TRAILING,     /* bytes behind the document */
    TG_JSON_E_TRUNCATED,    /* tg_json_finish() inside a document */
    TG_JSON_E_EMPTY,        /* tg_json_finish() and there was no document */
    TG_JSON_E_STOPPED
} tg_json_errcode_t;

/* Flags of a scanner. */
enum {
    TG_JSON_ELEMENTS = 0x01,
    TG_JSON_LINES    = 0x02,
    TG_JSON_LAX      = 0x04
};

typedef struct tg_json_s  tg_json_t;

/*
 * paths may be NULL (validate only), handler too.  Never fails.  The state may
 * be moved or copied between feeds.
 */
void tg_json_init(tg_json_t *s, const tg_json_paths_t *paths, unsigned flags,
    tg_json_handler_t handler, void *data);

/*
 * Feeds n bytes.  TG_OK, or TG_ERROR with s->error and s->error_offset; after
 * an error all further feeds return TG_ERROR at once.
 */
int tg_json_feed(tg_json_t *s, const char *p, size_t n);

/*
 * End of input.  TG_OK where at least one document came and all are complete;
 * also where there was none with TG_JSON_LINES, or an empty array with
 * TG_JSON_ELEMENTS.  A bare number is complete only now, so this may call the
 * handler.
 */
int tg_json_finish(tg_json_t *s);

/* True where the last piece ended within a string that is wanted: *start is its
 * opening quote's offset. */
bool tg_json_within(const tg_json_t *s, uint16_t *id, uint64_t *start);

/* A fresh start with the same paths, flags and handler; offsets go on, counting
 * what was fed after an error too. */
void tg_json_reset(tg_json_t *s);

/* "unexpected byte", "nested too deep", ...; static, never NULL. */
const char *tg_json_strerror(tg_json_errcode_t code);


/*
 * What follows is public only so that a tg_json_t can be embedded (about 1.4
 * KB); nobody else looks inside, but for error and error_offset.
 */

struct tg_json_node_s;

typedef struct {
    uint8_t   escape;           /* 1 behind a backslash, 1 + the number of hex
                                   digits to come behind \u */
    uint8_t   need;             /* continuation bytes to come */
    uint8_t   low, high;        /* the next of them is within */
} tg_json_string_t;

typedef struct {
    uint8_t   escape;           /* as above, of what has been decoded so far */
    bool      full;
    uint16_t  len;              /* of the value */
    uint16_t  unit;             /* hex digits as read */
    uint16_t  high;             /* a high surrogate that waits for its low */
} tg_json_decode_t;

/* A container on a wanted path. */
typedef struct {
    const struct tg_json_node_s  *node;
    uint64_t                      mark;     /* object: wanted keys seen;
                                               array: index of the element */
    uint64_t                      start;    /* if it is wanted itself */
    uint64_t                      key;
    uint64_t                      comma;
} tg_json_frame_t;

struct tg_json_s {
    tg_json_errcode_t             error;
    uint64_t                      error_offset;

    const tg_json_paths_t        *paths;
    tg_json_handler_t             handler;
    void                         *data;

    const struct tg_json_node_s  *node;     /* of the current value, or NULL */
    const struct tg_json_node_s  *member;   /* has ended, wants its range */
    const char                   *literal;  /* what is still to come of it */
    uint64_t                      offset;   /* of all input before this piece */
    uint64_t                      comma;
    uint64_t                      raw_start;

    /* What is known of the current value is kept as what is told of it: index,
     * key, start and end. */
    tg_json_event_t               ev;

    uint16_t                      below;    /* containers not on a path, the
                                               innermost ones */
    uint16_t                      raw_len;
    uint16_t                      number_len;
    uint16_t                      kinds;    /* of the frames, the last in bit 0:
                                               is it an object? */
    uint8_t                       frames;
    uint8_t                       raw_frame;    /* that is captured; 0: none */
    uint8_t                       flags;
    uint8_t                       state;
    uint8_t                       scalar;   /* number: state, literal: type */
    uint8_t                       wrap;         /* 1 within a root array whose
                                                   elements are documents */
    bool                          object;       /* the innermost container */
    bool                          duplicate;
    tg_json_string_t              string;
    tg_json_decode_t              decode;

    uint64_t                      objects[TG_JSON_DEPTH_MAX / 64];
                                            /* of those below: an object? */
    tg_json_frame_t               frame[TG_JSON_PATH_MAX + 1];
    char                          value[TG_JSON_VALUE_MAX + 8];
    char                          raw[TG_JSON_VALUE_MAX];
};

#endif /* TG_JSON_H */
