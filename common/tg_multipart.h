/*
 * tg_multipart.h - multipart/form-data, read as it comes (RFC 7578, RFC 2046).
 *
 * Delivers short text fields (model, stream, response_format, ...) and counts
 * the bytes of files.  Constant memory.
 *
 * What two readers could read differently is an error, so that what is read
 * here is what the upstream reads: lines that do not end in CRLF, folded
 * headers, a second Content-Disposition or name, name*=, a backslash in a name
 * before anything but a quote or a backslash, a Content-Transfer-Encoding that
 * encodes, a boundary line with more on it, a boundary in place of a body.
 */

#ifndef TG_MULTIPART_H
#define TG_MULTIPART_H

#include "tg_error.h"

#define TG_MULTIPART_BOUNDARY_MAX  70    /* RFC 2046 section 5.1.1 */
#define TG_MULTIPART_NAME_MAX      64
#define TG_MULTIPART_VALUE_MAX     256

typedef struct {
    tg_str_t  name;         /* cut at TG_MULTIPART_NAME_MAX; empty if none */
    tg_str_t  value;        /* text fields: cut at TG_MULTIPART_VALUE_MAX;
                               empty for files */
    uint64_t  size;         /* bytes of the part's body */
    bool      file;         /* has a filename parameter */
} tg_multipart_part_t;

/* Called at the end of each part; the part is valid during the call.  Returns 0
 * to go on. */
typedef int (*tg_multipart_handler_t)(void *data,
    const tg_multipart_part_t *part);

/* public for embedding; members private except error and offset */
typedef struct tg_multipart_s  tg_multipart_t;

struct tg_multipart_s {
    const char              *error;     /* a sentence without a period, static;
                                           NULL if there is none */
    uint64_t                 offset;    /* bytes fed so far; after an error, the
                                           offset of the byte it is about, or
                                           of that behind the boundary */
    tg_multipart_handler_t   handler;
    void                    *data;
    uint64_t                 size;
    uint8_t                  state;
    uint8_t                  param;
    uint8_t                  matched;   /* of delim */
    uint8_t                  delim_len;
    uint8_t                  word_len;
    uint8_t                  name_len;
    uint16_t                 value_len;
    bool                     fresh;     /* no byte of the body yet */
    bool                     escaped;
    bool                     has_disposition;
    bool                     has_name;
    bool                     has_filename;
    char                     word[32];  /* of a header, lower-cased, cut */
    char                     delim[4 + TG_MULTIPART_BOUNDARY_MAX];
    char                     name[TG_MULTIPART_NAME_MAX];
    char                     value[TG_MULTIPART_VALUE_MAX];
};

/*
 * The boundary parameter of a Content-Type header's value goes to out, which
 * holds TG_MULTIPART_BOUNDARY_MAX bytes.  Returns its length; 0 where the type
 * is not multipart/form-data, or has no boundary, or two, or one that RFC 2046
 * does not allow.
 */
size_t tg_multipart_boundary(tg_str_t content_type, char *out);

/*
 * content_type: the header's value, needed during the call only.  TG_ERROR
 * where it is not multipart/form-data or has no usable boundary.
 */
int tg_multipart_init(tg_multipart_t *m, tg_str_t content_type,
    tg_multipart_handler_t handler, void *data);

/*
 * TG_OK, or TG_ERROR at malformed framing or where the handler said stop, then
 * and ever after (m->error says why).
 */
int tg_multipart_feed(tg_multipart_t *m, const char *p, size_t n);

/* TG_OK where the closing boundary was seen. */
int tg_multipart_finish(tg_multipart_t *m);

#endif /* TG_MULTIPART_H */
