/*
 * tg_request_int.h - the state of a request, shared by its framing
 * (tg_request.c), its reading (tg_request_read.c) and the operator's fields
 * (tg_request_fields.c).
 */

#ifndef TG_REQUEST_INT_H
#define TG_REQUEST_INT_H

#include "tg_dialect_int.h"
#include "tg_request.h"

#define TG_FIELDS_MAX      32
#define TG_STR_KEPT        256

/* An id of a want is the API's own, and the operator's field in the high byte
 * (0: none). */
#define TG_FIELD_SHIFT     8
#define TG_ID(id)          ((id) & 0xff)
#define TG_FIELD(id)       ((id) >> TG_FIELD_SHIFT)

struct tg_request_fields_s {
    size_t                  n;
    uint8_t                 same[TG_FIELDS_MAX];    /* the first of its path */
    tg_str_t                path[TG_FIELDS_MAX];
    const tg_json_paths_t  *paths[TG_APIS_MAX];
};

typedef enum {
    TG_BODY_NONE = 0,       /* not looked at */
    TG_BODY_SNIFF,          /* JSON, if it begins so */
    TG_BODY_JSON,
    TG_BODY_MULTIPART
} tg_body_t;

struct tg_request_s {
    tg_request_info_t           info;
    tg_error_t                 *error;      /* NULL: none, or exhausted */
    tg_mem_t                   *mem;
    const tg_dialect_t         *d;
    const tg_request_fields_t  *fields;
    tg_str_t                   *values;
    tg_body_t                   body;
    bool                        failed;
    bool                        closed;     /* the scanner is not ours now */
    bool                        parts;      /* a part of a form was read */
    bool                        optional;   /* what can't be read is passed */
    bool                        json;       /* declared as JSON */
    uint8_t                     root;       /* 1 behind {, 2 behind another */
    uint8_t                     role;       /* of the message: 1 system */
    uint64_t                    message_text;
    uint64_t                    seen;       /* ids that must be one */
    union {
        tg_json_t              *json;
        tg_multipart_t         *multipart;
    } u;
};

/* Where to write an error; NULL on exhaustion. */
tg_error_t *tg_request_fault(tg_request_t *r);

/* A tg_json_handler_t, a tg_multipart_handler_t; data is the tg_request_t. */
int tg_request_json(void *data, const tg_json_event_t *ev);
int tg_request_form(void *data, const tg_multipart_part_t *part);

#endif /* TG_REQUEST_INT_H */
