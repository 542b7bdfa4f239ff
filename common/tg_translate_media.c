/* Text, pictures and documents of an Anthropic request as a chat's parts. */

#include "tg_translate_messages.h"


int
tg_messages_text(tg_tr_t *tr, const tg_node_t *block, const tg_node_t **text)
{
    enum { TYPE, TEXT, SLOTS };

    static const tg_tr_field_t  fields[] = {
        TG_TR_TAKEN("type", TYPE, TG_TR_STRING),
        TG_TR_TAKEN("text", TEXT, TG_TR_STRING),
        TG_TR_DROPPED("cache_control"),
        TG_TR_DROPPED("citations"),     /* of an answer before */
        TG_TR_END
    };

    const tg_node_t  *slot[SLOTS];
    const tg_node_t  *type = tg_node_get(block, tg_str("type"));

    if (type != NULL && !tg_node_is(type, tg_str("text"))) {
        return tg_tr_refused(tr, type, "no such content is known here");
    }

    if (tg_tr_object(tr, block, fields, slot, SLOTS) != TG_OK
        || tg_tr_need(tr, block, slot[TYPE], "type") != TG_OK
        || tg_tr_need(tr, block, slot[TEXT], "text") != TG_OK)
    {
        return TG_ERROR;
    }

    *text = slot[TEXT];

    return TG_OK;
}


enum { S_TYPE = 0, S_MEDIA_TYPE, S_DATA, S_URL, S_CONTENT, S_SLOTS };

/* A source by its type, which `types` lists. */
static int
tg_messages_source(tg_tr_t *tr, const tg_node_t *source, const tg_str_t *types,
    size_t n, const tg_node_t **slot)
{
    static const tg_tr_field_t  fields[] = {
        TG_TR_TAKEN("type", S_TYPE, TG_TR_STRING),
        TG_TR_TAKEN("media_type", S_MEDIA_TYPE, TG_TR_STRING),
        TG_TR_TAKEN("data", S_DATA, TG_TR_STRING),
        TG_TR_TAKEN("url", S_URL, TG_TR_STRING),
        TG_TR_TAKEN("content", S_CONTENT, TG_TR_STRING | TG_TR_ARRAY),
        TG_TR_REFUSED("file_id", NULL, "does not have that file"),
        TG_TR_END
    };

    int  i;

    if (tg_tr_object(tr, source, fields, slot, S_SLOTS) != TG_OK
        || tg_tr_need(tr, source, slot[S_TYPE], "type") != TG_OK)
    {
        return TG_ERROR;
    }

    i = tg_tr_word(slot[S_TYPE], types, n);

    return i >= 0 ? i : tg_tr_refused(tr, slot[S_TYPE],
                                      "the chat API takes no such source");
}


/* `"data:<type>;base64,<data>"` */
static int
tg_messages_data_url(tg_tr_t *tr, const tg_node_t *source,
    const tg_node_t *const *slot)
{
    if (tg_tr_need(tr, source, slot[S_MEDIA_TYPE], "media_type") != TG_OK
        || tg_tr_need(tr, source, slot[S_DATA], "data") != TG_OK)
    {
        return TG_ERROR;
    }

    tg_grow_lit(&tr->out, "\"data:");
    tg_grow_str(&tr->out, tg_node_inside(slot[S_MEDIA_TYPE]));
    tg_grow_lit(&tr->out, ";base64,");
    tg_grow_str(&tr->out, tg_node_inside(slot[S_DATA]));
    tg_grow_lit(&tr->out, "\"");

    return TG_OK;
}


int
tg_messages_image(tg_tr_t *tr, tg_messages_list_t *l, const tg_node_t *block)
{
    enum { TYPE, SOURCE, SLOTS };
    enum { BASE64, URL };

    static const tg_tr_field_t  fields[] = {
        TG_TR_TAKEN("type", TYPE, TG_TR_STRING),
        TG_TR_TAKEN("source", SOURCE, TG_TR_OBJECT),
        TG_TR_DROPPED("cache_control"),
        TG_TR_REFUSED("transformations", NULL, "does not change pictures"),
        TG_TR_END
    };
    static const tg_str_t  types[] = { TG_STR("base64"), TG_STR("url") };

    const tg_node_t  *slot[SLOTS], *in[S_SLOTS];
    int               i;

    if (tg_tr_object(tr, block, fields, slot, SLOTS) != TG_OK
        || tg_tr_need(tr, block, slot[SOURCE], "source") != TG_OK)
    {
        return TG_ERROR;
    }

    i = tg_messages_source(tr, slot[SOURCE], types, 2, in);
    if (i < 0) {
        return TG_ERROR;
    }

    tg_messages_list_part(tr, l);
    tg_grow_lit(&tr->out, "{\"type\":\"image_url\",\"image_url\":{\"url\":");

    if (i == BASE64) {
        if (tg_messages_data_url(tr, slot[SOURCE], in) != TG_OK) {
            return TG_ERROR;
        }

    } else {
        if (tg_tr_need(tr, slot[SOURCE], in[S_URL], "url") != TG_OK) {
            return TG_ERROR;
        }
        tg_grow_str(&tr->out, tg_node_raw(in[S_URL]));
    }

    tg_grow_lit(&tr->out, "}}");

    return TG_OK;
}


static int
tg_messages_pdf(tg_tr_t *tr, tg_messages_list_t *l, const tg_node_t *source,
    const tg_node_t *const *in, const tg_node_t *title)
{
    tg_messages_list_part(tr, l);
    tg_grow_lit(&tr->out, "{\"type\":\"file\",\"file\":{\"filename\":");
    tg_grow_str(&tr->out, title != NULL ? tg_node_raw(title)
                                        : tg_str("\"document.pdf\""));
    tg_grow_lit(&tr->out, ",\"file_data\":");

    if (tg_messages_data_url(tr, source, in) != TG_OK) {
        return TG_ERROR;
    }

    tg_grow_lit(&tr->out, "}}");

    return TG_OK;
}


/* Blocks of text and pictures within a document. */
static int
tg_messages_document_content(tg_tr_t *tr, tg_messages_list_t *l,
    const tg_node_t *content)
{
    const tg_node_t  *text;

    if (content->type == TG_JSON_STRING) {
        tg_messages_list_text(tr, l, content);
        return TG_OK;
    }

    for (const tg_node_t *b = content->child; b != NULL; b = b->next) {
        if (tg_node_is(tg_node_get(b, tg_str("type")), tg_str("image"))) {
            if (tg_messages_image(tr, l, b) != TG_OK) {
                return TG_ERROR;
            }
            continue;
        }

        if (tg_messages_text(tr, b, &text) != TG_OK) {
            return TG_ERROR;
        }
        tg_messages_list_text(tr, l, text);
    }

    return TG_OK;
}


int
tg_messages_document(tg_tr_t *tr, tg_messages_list_t *l,
    const tg_node_t *block)
{
    enum { TYPE, SOURCE, TITLE, CONTEXT, SLOTS };
    enum { BASE64, TEXT, CONTENT };

    static const tg_tr_field_t  fields[] = {
        TG_TR_TAKEN("type", TYPE, TG_TR_STRING),
        TG_TR_TAKEN("source", SOURCE, TG_TR_OBJECT),
        TG_TR_TAKEN("title", TITLE, TG_TR_STRING),
        TG_TR_TAKEN("context", CONTEXT, TG_TR_STRING),
        TG_TR_DROPPED("cache_control"),
        TG_TR_REFUSED("citations", "{\"enabled\":false}|{}", "does not cite"),
        TG_TR_END
    };
    static const tg_str_t  types[] = {
        TG_STR("base64"), TG_STR("text"), TG_STR("content")
    };

    const tg_node_t  *slot[SLOTS], *in[S_SLOTS];
    int               i;

    if (tg_tr_object(tr, block, fields, slot, SLOTS) != TG_OK
        || tg_tr_need(tr, block, slot[SOURCE], "source") != TG_OK)
    {
        return TG_ERROR;
    }

    i = tg_messages_source(tr, slot[SOURCE], types, 3, in);
    if (i < 0) {
        return TG_ERROR;
    }

    /* what it is comes before it, as text; a file has a name */

    if (slot[TITLE] != NULL && i != BASE64) {
        tg_messages_list_text(tr, l, slot[TITLE]);
    }

    if (slot[CONTEXT] != NULL) {
        tg_messages_list_text(tr, l, slot[CONTEXT]);
    }

    if (i == BASE64) {
        return tg_messages_pdf(tr, l, slot[SOURCE], in, slot[TITLE]);
    }

    if (tg_tr_need(tr, slot[SOURCE], in[i == TEXT ? S_DATA : S_CONTENT],
                   i == TEXT ? "data" : "content") != TG_OK)
    {
        return TG_ERROR;
    }

    return tg_messages_document_content(tr, l, in[i == TEXT ? S_DATA
                                                            : S_CONTENT]);
}
