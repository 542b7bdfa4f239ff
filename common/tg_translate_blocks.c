/* The messages of an Anthropic request as a chat's. */

#include "tg_translate_messages.h"

typedef enum {
    B_STRING = 0,               /* a content that is no list */
    B_TEXT,
    B_IMAGE,
    B_DOCUMENT,
    B_THINKING,
    B_USE,
    B_RESULT
} tg_block_t;

typedef enum { R_USER = 0, R_ASSISTANT, R_SYSTEM } tg_role_t;

#define B_OF(b)  (1u << (b))

static const unsigned  tg_messages_allowed[] = {
    [R_USER] = B_OF(B_STRING) | B_OF(B_TEXT) | B_OF(B_IMAGE)
               | B_OF(B_DOCUMENT) | B_OF(B_RESULT),
    [R_ASSISTANT] = B_OF(B_STRING) | B_OF(B_TEXT) | B_OF(B_THINKING)
                    | B_OF(B_USE),
    [R_SYSTEM] = B_OF(B_STRING) | B_OF(B_TEXT)
};

static const tg_str_t  tg_messages_roles[] = {
    TG_STR("user"), TG_STR("assistant"), TG_STR("system")
};

/* A conversation that is being written. */
typedef struct {
    tg_tr_t           *tr;
    tg_tr_calls_t      calls;
    bool               more;            /* a comma is due */
    tg_messages_run_t  run;
    tg_role_t          role;            /* of the run */
} tg_messages_t;

typedef int (*tg_messages_visit_t)(tg_messages_t *m, tg_block_t type,
    const tg_node_t *block, void *data);


/* The block's tg_block_t, or TG_ERROR. */
static int
tg_messages_type(tg_messages_t *m, const tg_node_t *block)
{
    static const struct {
        tg_str_t    type;
        tg_block_t  kind;
    } types[] = {
        { TG_STR("text"), B_TEXT },
        { TG_STR("image"), B_IMAGE },
        { TG_STR("document"), B_DOCUMENT },
        { TG_STR("thinking"), B_THINKING },
        { TG_STR("redacted_thinking"), B_THINKING },
        { TG_STR("tool_use"), B_USE },
        { TG_STR("tool_result"), B_RESULT }
    };

    const tg_node_t  *type = tg_node_get(block, tg_str("type"));
    size_t            i;

    if (block->type != TG_JSON_OBJECT) {
        return tg_tr_invalid(m->tr, block, "must be an object");
    }

    if (tg_tr_need(m->tr, block, type, "type") != TG_OK) {
        return TG_ERROR;
    }

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (tg_node_is(type, types[i].type)) {
            break;
        }
    }

    if (i == sizeof(types) / sizeof(types[0])
        || (tg_messages_allowed[m->role] & B_OF(types[i].kind)) == 0)
    {
        return tg_tr_refused(m->tr, type, "no such content is known here");
    }

    return (int) types[i].kind;
}


/* Calls visit() for each block of the run that is of one of the types. */
static int
tg_messages_each(tg_messages_t *m, unsigned types, tg_messages_visit_t visit,
    void *data)
{
    const tg_node_t  *content, *block;
    int               type;

    for (const tg_node_t *n = m->run.first; n != m->run.end; n = n->next) {
        content = tg_node_get(n, tg_str("content"));

        if (content->type == TG_JSON_STRING) {
            if ((types & B_OF(B_STRING)) != 0
                && visit(m, B_STRING, content, data) != TG_OK)
            {
                return TG_ERROR;
            }
            continue;
        }

        for (block = content->child; block != NULL; block = block->next) {
            type = tg_messages_type(m, block);

            if (type < 0
                || ((types & B_OF(type)) != 0
                    && visit(m, (tg_block_t) type, block, data) != TG_OK))
            {
                return TG_ERROR;
            }
        }
    }

    return TG_OK;
}


/* A message of the chat begins; up to its content. */
static void
tg_messages_open(tg_messages_t *m, tg_str_t role)
{
    if (m->more) {
        tg_grow_lit(&m->tr->out, ",");
    }

    m->more = true;
    tg_grow_lit(&m->tr->out, "{\"role\":\"");
    tg_grow_str(&m->tr->out, role);
    tg_grow_lit(&m->tr->out, "\",");
}


/* Takes back a message that there is nothing in. */
static void
tg_messages_undo(tg_messages_t *m, size_t len, bool more)
{
    tg_grow_cut(&m->tr->out, len);
    m->more = more;
}


static int
tg_messages_visit_text(tg_messages_t *m, tg_block_t type,
    const tg_node_t *block, void *data)
{
    const tg_node_t  *text = block;

    if (type != B_STRING && tg_messages_text(m->tr, block, &text) != TG_OK) {
        return TG_ERROR;
    }

    tg_messages_list_text(m->tr, data, text);

    return TG_OK;
}


enum { U_TYPE = 0, U_ID, U_CONTENT, U_ERROR, U_SLOTS };

static const tg_tr_field_t  tg_messages_result_fields[] = {
    TG_TR_TAKEN("type", U_TYPE, TG_TR_STRING),
    TG_TR_TAKEN("tool_use_id", U_ID, TG_TR_STRING),
    TG_TR_TAKEN("content", U_CONTENT, TG_TR_STRING | TG_TR_ARRAY),
    TG_TR_TAKEN("is_error", U_ERROR, TG_TR_BOOL),
    TG_TR_DROPPED("cache_control"),
    TG_TR_REFUSED("toolset_name", NULL, "has no toolsets"),
    TG_TR_END
};


/* A result's texts, as one string where there is but one. */
static int
tg_messages_result_texts(tg_messages_t *m, const tg_node_t *content,
    bool error)
{
    const tg_node_t     *text = NULL;
    tg_messages_list_t   l;

    tg_messages_list(m->tr, &l);

    /* a chat has no other place for it */
    if (error) {
        l.prefix = tg_str("Error: ");
    }

    if (content != NULL && content->type == TG_JSON_STRING) {
        tg_messages_list_text(m->tr, &l, content);

    } else if (content != NULL) {
        for (const tg_node_t *b = content->child; b != NULL; b = b->next) {
            if (tg_node_is(tg_node_get(b, tg_str("type")), tg_str("image"))
                || tg_node_is(tg_node_get(b, tg_str("type")),
                              tg_str("document")))
            {
                continue;       /* in the user's message behind */
            }

            if (tg_messages_text(m->tr, b, &text) != TG_OK) {
                return TG_ERROR;
            }
            tg_messages_list_text(m->tr, &l, text);
        }
    }

    tg_messages_list_end(m->tr, &l);

    return TG_OK;
}


static int
tg_messages_visit_result(tg_messages_t *m, tg_block_t type,
    const tg_node_t *block, void *data)
{
    const tg_node_t     *slot[U_SLOTS];
    const tg_tr_call_t  *call;

    (void) type;
    (void) data;

    if (tg_tr_object(m->tr, block, tg_messages_result_fields, slot, U_SLOTS)
        != TG_OK
        || tg_tr_need(m->tr, block, slot[U_ID], "tool_use_id") != TG_OK)
    {
        return TG_ERROR;
    }

    call = tg_tr_calls_answer(m->tr, &m->calls, slot[U_ID]);
    if (call == NULL) {
        return TG_ERROR;
    }

    tg_messages_open(m, tg_str("tool"));
    tg_tr_member(m->tr, tg_str("tool_call_id"), slot[U_ID]);
    tg_grow_lit(&m->tr->out, "\"content\":");

    if (tg_messages_result_texts(m, slot[U_CONTENT],
                                 tg_tr_true(slot[U_ERROR])) != TG_OK)
    {
        return TG_ERROR;
    }

    tg_grow_lit(&m->tr->out, "}");

    return TG_OK;
}


/* A chat's tools answer with text: what else they did comes with the user's. */
static int
tg_messages_result_media(tg_messages_t *m, const tg_node_t *result,
    tg_messages_list_t *l)
{
    const tg_node_t  *content = tg_node_get(result, tg_str("content"));
    const tg_node_t  *id = tg_node_get(result, tg_str("tool_use_id"));
    const tg_node_t  *type;
    bool              named = false, image;

    if (content == NULL || content->type != TG_JSON_ARRAY) {
        return TG_OK;
    }

    for (const tg_node_t *b = content->child; b != NULL; b = b->next) {
        type = tg_node_get(b, tg_str("type"));
        image = tg_node_is(type, tg_str("image"));

        if (!image && !tg_node_is(type, tg_str("document"))) {
            continue;
        }

        if (!named) {
            tg_messages_list_part(m->tr, l);
            tg_grow_lit(&m->tr->out, "{\"type\":\"text\",\"text\":\"Also a"
                                     " result of tool call ");
            tg_grow_str(&m->tr->out, tg_node_inside(id));
            tg_grow_lit(&m->tr->out, ":\"}");
            named = true;
        }

        if ((image ? tg_messages_image : tg_messages_document)(m->tr, l, b)
            != TG_OK)
        {
            return TG_ERROR;
        }
    }

    return TG_OK;
}


static int
tg_messages_visit_user(tg_messages_t *m, tg_block_t type,
    const tg_node_t *block, void *data)
{
    switch (type) {
    case B_IMAGE:
        return tg_messages_image(m->tr, data, block);
    case B_DOCUMENT:
        return tg_messages_document(m->tr, data, block);
    case B_RESULT:
        return tg_messages_result_media(m, block, data);
    default:
        return tg_messages_visit_text(m, type, block, data);
    }
}


/* A message of these blocks; none where nothing comes of them. */
static int
tg_messages_say(tg_messages_t *m, tg_str_t role, unsigned allowed,
    tg_messages_visit_t visit)
{
    tg_messages_list_t  l;
    size_t              len = m->tr->out.len;
    bool                more = m->more;

    tg_messages_open(m, role);
    tg_grow_lit(&m->tr->out, "\"content\":");
    tg_messages_list(m->tr, &l);

    if (tg_messages_each(m, allowed, visit, &l) != TG_OK) {
        return TG_ERROR;
    }

    tg_messages_list_end(m->tr, &l);
    tg_grow_lit(&m->tr->out, "}");

    if (l.n == 0) {
        tg_messages_undo(m, len, more);
    }

    return TG_OK;
}


static int
tg_messages_user(tg_messages_t *m)
{
    if (tg_messages_each(m, B_OF(B_RESULT), tg_messages_visit_result, NULL)
        != TG_OK
        || tg_tr_calls_end(m->tr, &m->calls) != TG_OK)
    {
        return TG_ERROR;
    }

    return tg_messages_say(m, tg_str("user"), tg_messages_allowed[R_USER],
                           tg_messages_visit_user);
}


static int
tg_messages_visit_use(tg_messages_t *m, tg_block_t type,
    const tg_node_t *block, void *data)
{
    enum { TYPE, ID, NAME, INPUT, CALLER, SLOTS };

    static const tg_tr_field_t  fields[] = {
        TG_TR_TAKEN("type", TYPE, TG_TR_STRING),
        TG_TR_TAKEN("id", ID, TG_TR_STRING),
        TG_TR_TAKEN("name", NAME, TG_TR_STRING),
        TG_TR_TAKEN("input", INPUT, TG_TR_OBJECT),
        TG_TR_DROPPED("cache_control"),
        TG_TR_REFUSED("caller", "{\"type\":\"direct\"}",
                      "runs no code that calls tools"),
        TG_TR_REFUSED("toolset_name", NULL, "has no toolsets"),
        TG_TR_END
    };

    const tg_node_t  *slot[SLOTS];
    unsigned         *n = data;

    (void) type;

    if (tg_tr_object(m->tr, block, fields, slot, SLOTS) != TG_OK
        || tg_tr_need(m->tr, block, slot[ID], "id") != TG_OK
        || tg_tr_need(m->tr, block, slot[NAME], "name") != TG_OK
        || tg_tr_need(m->tr, block, slot[INPUT], "input") != TG_OK
        || tg_tr_calls_add(m->tr, &m->calls, slot[ID], slot[NAME]) != TG_OK)
    {
        return TG_ERROR;
    }

    if ((*n)++ == 0) {
        tg_grow_lit(&m->tr->out, "\"tool_calls\":[");
    }

    tg_grow_lit(&m->tr->out, "{");
    tg_tr_member(m->tr, tg_str("id"), slot[ID]);
    tg_grow_lit(&m->tr->out, "\"type\":\"function\",\"function\":{");
    tg_tr_member(m->tr, tg_str("name"), slot[NAME]);
    tg_grow_lit(&m->tr->out, "\"arguments\":");
    tg_tr_quoted(m->tr, tg_node_raw(slot[INPUT]));
    tg_grow_lit(&m->tr->out, "}},");

    return TG_OK;
}


static int
tg_messages_assistant(tg_messages_t *m)
{
    tg_messages_list_t  l;
    size_t              len = m->tr->out.len;
    bool                more = m->more;
    unsigned            calls = 0;

    tg_messages_open(m, tg_str("assistant"));
    tg_grow_lit(&m->tr->out, "\"content\":");
    tg_messages_list(m->tr, &l);

    if (tg_messages_each(m, B_OF(B_STRING) | B_OF(B_TEXT),
                         tg_messages_visit_text, &l) != TG_OK)
    {
        return TG_ERROR;
    }

    tg_messages_list_end(m->tr, &l);

    if (l.n == 0) {
        tg_grow_cut(&m->tr->out, l.start);
        tg_grow_lit(&m->tr->out, "null");
    }

    tg_grow_lit(&m->tr->out, ",");

    if (tg_messages_each(m, B_OF(B_USE), tg_messages_visit_use, &calls)
        != TG_OK)
    {
        return TG_ERROR;
    }

    if (calls != 0) {
        tg_tr_close(m->tr, tg_str("]"));
    }

    tg_tr_close(m->tr, tg_str("}"));

    if (l.n == 0 && calls == 0) {
        tg_messages_undo(m, len, more);
    }

    return TG_OK;
}


static int
tg_messages_system(tg_messages_t *m)
{
    return tg_messages_say(m, tg_str("system"), tg_messages_allowed[R_SYSTEM],
                           tg_messages_visit_text);
}


/* The role of a message whose members are in order, or -1. */
static int
tg_messages_role(tg_tr_t *tr, const tg_node_t *message)
{
    enum { ROLE, CONTENT, SLOTS };

    static const tg_tr_field_t  fields[] = {
        TG_TR_TAKEN("role", ROLE, TG_TR_STRING),
        TG_TR_TAKEN("content", CONTENT, TG_TR_STRING | TG_TR_ARRAY),
        TG_TR_END
    };

    const tg_node_t  *slot[SLOTS];
    int               role;

    if (tg_tr_object(tr, message, fields, slot, SLOTS) != TG_OK
        || tg_tr_need(tr, message, slot[ROLE], "role") != TG_OK
        || tg_tr_need(tr, message, slot[CONTENT], "content") != TG_OK)
    {
        return -1;
    }

    role = tg_tr_word(slot[ROLE], tg_messages_roles,
                      sizeof(tg_messages_roles)
                      / sizeof(tg_messages_roles[0]));

    if (role < 0) {
        (void) tg_tr_refused(tr, slot[ROLE], "no such role is known here");
    }

    return role;
}


/* The run that begins with m->run.first, of m->role.  *then: the role of the
 * message behind it, where there is one. */
static int
tg_messages_run(tg_messages_t *m, int *then)
{
    static int (*const  write[])(tg_messages_t *m) = {
        [R_USER] = tg_messages_user,
        [R_ASSISTANT] = tg_messages_assistant,
        [R_SYSTEM] = tg_messages_system
    };

    const tg_node_t  *last = m->run.first, *next;

    for (next = last->next; next != NULL; last = next, next = next->next) {
        *then = tg_messages_role(m->tr, next);

        if (*then < 0) {
            return TG_ERROR;
        }

        if (*then != (int) m->role) {
            break;
        }
    }

    m->run.end = next;

    if ((m->role != R_USER && tg_tr_calls_end(m->tr, &m->calls) != TG_OK)
        || write[m->role](m) != TG_OK)
    {
        return TG_ERROR;
    }

    if (m->role == R_ASSISTANT && next == NULL) {
        return tg_tr_refused(m->tr, last, "the chat API would not go on with"
                             " the assistant's turn, but answer it");
    }

    return TG_OK;
}


int
tg_messages_turns(tg_tr_t *tr, const tg_node_t *messages, bool more)
{
    tg_messages_t  m;
    int            role;

    m.tr = tr;
    m.more = more;

    if (tg_tr_calls_init(tr, &m.calls) != TG_OK) {
        return TG_ERROR;
    }

    if (messages->child == NULL) {
        return tg_tr_invalid(tr, messages, "nothing in it");
    }

    role = tg_messages_role(tr, messages->child);

    if (role < 0) {
        return TG_ERROR;
    }

    for (m.run.first = messages->child; m.run.first != NULL;
         m.run.first = m.run.end)
    {
        m.role = (tg_role_t) role;

        if (tg_messages_run(&m, &role) != TG_OK) {
            return TG_ERROR;
        }
    }

    return tg_tr_calls_end(tr, &m.calls);
}
