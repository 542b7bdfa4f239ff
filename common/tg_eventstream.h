/*
 * tg_eventstream.h - AWS's binary event stream,
 * application/vnd.amazon.eventstream.
 *
 * https://docs.aws.amazon.com/transcribe/latest/dg/event-stream.html (framing),
 * https://docs.aws.amazon.com/bedrock/latest/APIReference/ (event types)
 *
 * Bytes in, in any split; headers and payload pieces out.  Both checksums of
 * each frame are verified; that of the whole frame only at its end, so what a
 * frame said is certain only with its TG_EVENTSTREAM_END.  Constant memory.
 */

#ifndef TG_EVENTSTREAM_H
#define TG_EVENTSTREAM_H

#include "tg_error.h"

#define TG_EVENTSTREAM_FRAME_MAX    (24 * 1024 * 1024)
#define TG_EVENTSTREAM_HEADERS_MAX  (128 * 1024)
#define TG_EVENTSTREAM_NAME_MAX     64   /* longer header names are cut */
#define TG_EVENTSTREAM_VALUE_MAX    128  /* longer header values are cut */

typedef enum {
    TG_EVENTSTREAM_HEADER = 1,  /* name, value: a header of string type */
    TG_EVENTSTREAM_PAYLOAD,     /* value: a piece of the payload, not empty */
    TG_EVENTSTREAM_END          /* the frame is complete, its checksum right */
} tg_eventstream_type_t;

/* Returns 0 to go on.  name and value are valid during the call. */
typedef int (*tg_eventstream_handler_t)(void *data, tg_eventstream_type_t type,
    tg_str_t name, tg_str_t value);

typedef enum {
    TG_EVENTSTREAM_E_NONE = 0,
    TG_EVENTSTREAM_E_LENGTH,    /* a length that can't be */
    TG_EVENTSTREAM_E_CRC,
    TG_EVENTSTREAM_E_HEADER,    /* an unknown type, no name, or past the end
                                   of the headers */
    TG_EVENTSTREAM_E_TRUNCATED,
    TG_EVENTSTREAM_E_STOPPED    /* the handler returned non-zero */
} tg_eventstream_errcode_t;

/* The struct is public so that it can be embedded; its members are private
 * except error. */
typedef struct tg_eventstream_s  tg_eventstream_t;

struct tg_eventstream_s {
    tg_eventstream_errcode_t  error;
    tg_eventstream_handler_t  handler;
    void                     *data;
    uint32_t                  crc;      /* of the frame so far */
    uint32_t                  headers;  /* bytes of headers still to come */
    uint32_t                  payload;  /* bytes of payload still to come */
    uint32_t                  need;     /* bytes to come in this state */
    uint8_t                   state;
    uint8_t                   nbuf;
    uint8_t                   name_len;
    uint8_t                   value_len;
    unsigned char             buf[12];  /* a number being gathered */
    char                      name[TG_EVENTSTREAM_NAME_MAX];
    char                      value[TG_EVENTSTREAM_VALUE_MAX];
};

void tg_eventstream_init(tg_eventstream_t *s, tg_eventstream_handler_t handler,
    void *data);

/* TG_OK, or TG_ERROR (s->error says why), then and ever after. */
int tg_eventstream_feed(tg_eventstream_t *s, const char *p, size_t n);

/* TG_OK where the stream ended between two frames. */
int tg_eventstream_finish(tg_eventstream_t *s);

#endif /* TG_EVENTSTREAM_H */
