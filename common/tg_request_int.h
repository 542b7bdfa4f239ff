/*
 * tg_request_int.h - the state of a request, shared by its framing
 * (tg_request.c), its reading (tg_request_read.c and others) and the operator's
 * fields (tg_request_fields.c).
 */

#ifndef TG_REQUEST_INT_H
#define TG_REQUEST_INT_H

#include "tg_dialect_int.h"
#include "tg_request.h"
#include "tg_siphash.h"

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

/* A content part, an input item or a message; where several kinds are told, the
 * last of these holds. */
typedef enum {
    TG_PART_NONE = 0,       /* not told */
    TG_PART_TEXT,           /* all of it is in the body */
    TG_PART_SEALED,         /* so it is if it has its encrypted content */
    TG_PART_SOUND,
    TG_PART_PICTURE,
    TG_PART_OTHER           /* not bounded by what is in the body */
} tg_part_kind_t;

typedef struct {
    bool                    open;       /* there is something to be noted */
    bool                    away;       /* it is a file or a URL */
    bool                    sealed;     /* has its encrypted content */
    bool                    named;      /* has an id */
    uint8_t                 kind;
    uint32_t                pictures;
    uint64_t                bytes;      /* of its data, as written */
} tg_part_t;

/* An element of the list of tools. */
typedef struct {
    bool                    open;
    bool                    client;     /* is called by the client */
    bool                    server;
    int64_t                 limit;      /* of its uses; -1: none */
} tg_tool_t;

/* Of a message; 0: not known yet. */
enum {
    TG_ROLE_SYSTEM = 1,
    TG_ROLE_OTHER
};

/* tg_request_prefix.c */
typedef struct {
    tg_siphash_t            hash;
    tg_siphash_t            message;    /* the same, and the message that is
                                           open */
    const char             *piece;      /* of the body, and what its first */
    uint64_t                base;       /* byte is of all */
    uint64_t                from;       /* where what is open, and not hashed,
                                           begins */
    uint8_t                 open;
    bool                    past;       /* there was a message of another
                                           role */
    bool                    any;        /* something counts */
} tg_request_prefix_t;

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
    uint8_t                     role;       /* of the message */
    uint64_t                    message_text;
    tg_part_t                   part;
    tg_tool_t                   tool;
    int64_t                     max_calls;  /* of all tools; -1: not said */
    uint32_t                    steps;      /* of the provider's own */
    uint64_t                    seen;       /* ids that must be one */
    tg_request_prefix_t        *prefix;     /* NULL: nobody asks */
    union {
        tg_json_t              *json;
        tg_multipart_t         *multipart;
    } u;
};

/* Where to write an error; NULL on exhaustion. */
tg_error_t *tg_request_fault(tg_request_t *r);

/* tg_request_read.c, tg_request_form.c: a tg_json_handler_t, a
 * tg_multipart_handler_t; data is the tg_request_t. */
int tg_request_json(void *data, const tg_json_event_t *ev);
int tg_request_form(void *data, const tg_multipart_part_t *part);

/* The value of a want, of JSON or of a form; one that is there twice, and the
 * value of the operator's field k.  1: it is over, as tg_json_handler_t. */
int tg_request_value(tg_request_t *r, unsigned id, const tg_json_event_t *ev);
int tg_request_duplicate(tg_request_t *r, unsigned id, uint64_t offset);
void tg_request_field(tg_request_t *r, unsigned k, tg_str_t value);

/* A number, or a string that is one: the larger holds. */
int tg_request_number(int64_t *to, const tg_json_event_t *ev);


/*
 * tg_request_prefix.c: where r->prefix is.  _begin: before a piece is read, _cut:
 * after it.  The others are told of events.
 */
void tg_request_prefix_begin(tg_request_t *r, const char *p);
void tg_request_prefix_cut(tg_request_t *r, size_t n);
void tg_request_prefix_message(tg_request_t *r, const tg_json_event_t *ev);
void tg_request_prefix_role(tg_request_t *r);
void tg_request_prefix_value(tg_request_t *r, const tg_json_event_t *ev,
    bool tool);

/* tg_request_prompt.c: handlers of events. */
int tg_request_conversation(tg_request_t *r, const tg_json_event_t *ev);
int tg_request_message(tg_request_t *r, const tg_json_event_t *ev);
int tg_request_role(tg_request_t *r, const tg_json_event_t *ev);
int tg_request_text(tg_request_t *r, const tg_json_event_t *ev);
int tg_request_system(tg_request_t *r, const tg_json_event_t *ev);
int tg_request_input(tg_request_t *r, const tg_json_event_t *ev);
int tg_request_query(tg_request_t *r, const tg_json_event_t *ev);
int tg_request_prediction(tg_request_t *r, const tg_json_event_t *ev);


/*
 * tg_request_parts.c: what a prompt has beside text, and tools that the
 * provider runs.  The first three note what is pending; the others are handlers
 * of events.
 */

void tg_request_part_end(tg_request_t *r);
void tg_request_tool_end(tg_request_t *r);

/* All is read. */
void tg_request_parts_end(tg_request_t *r);

int tg_request_part(tg_request_t *r, const tg_json_event_t *ev);
int tg_request_part_type(tg_request_t *r, const tg_json_event_t *ev);
int tg_request_part_id(tg_request_t *r, const tg_json_event_t *ev);
int tg_request_mime(tg_request_t *r, const tg_json_event_t *ev);
int tg_request_url(tg_request_t *r, const tg_json_event_t *ev);
int tg_request_data(tg_request_t *r, const tg_json_event_t *ev);
int tg_request_file(tg_request_t *r, const tg_json_event_t *ev);
int tg_request_sealed(tg_request_t *r, const tg_json_event_t *ev);
int tg_request_image(tg_request_t *r, const tg_json_event_t *ev);
int tg_request_audio(tg_request_t *r, const tg_json_event_t *ev);
int tg_request_modality(tg_request_t *r, const tg_json_event_t *ev);
int tg_request_elsewhere(tg_request_t *r, const tg_json_event_t *ev);
int tg_request_tool(tg_request_t *r, const tg_json_event_t *ev);
int tg_request_tool_type(tg_request_t *r, const tg_json_event_t *ev);
int tg_request_declared(tg_request_t *r, const tg_json_event_t *ev);
int tg_request_max_uses(tg_request_t *r, const tg_json_event_t *ev);
int tg_request_max_calls(tg_request_t *r, const tg_json_event_t *ev);
int tg_request_uses(tg_request_t *r, const tg_json_event_t *ev);
int tg_request_step(tg_request_t *r, const tg_json_event_t *ev);


/* A container, or the name or the text of it, is there. */
static inline bool
tg_request_begins(const tg_json_event_t *ev)
{
    return ev->type == TG_JSON_OBJECT || ev->type == TG_JSON_STRING;
}


/* What holds parts, or is one, begins or ends. */
static inline void
tg_request_part_next(tg_request_t *r)
{
    if (r->part.open) {
        tg_request_part_end(r);
    }

    r->part.kind = TG_PART_NONE;
}

#endif /* TG_REQUEST_INT_H */
