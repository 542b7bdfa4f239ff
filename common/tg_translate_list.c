/* Lists of a chat message's parts. */

#include "tg_translate_messages.h"


void
tg_messages_list(tg_tr_t *tr, tg_messages_list_t *l)
{
    l->start = tr->out.len;
    l->n = 0;
    l->text = NULL;
    l->prefix = tg_str("");
    tg_grow_lit(&tr->out, "[");
}


void
tg_messages_list_part(tg_tr_t *tr, tg_messages_list_t *l)
{
    if (l->n++ != 0) {
        tg_grow_lit(&tr->out, ",");
    }

    l->text = NULL;
}


static void
tg_messages_list_string(tg_tr_t *tr, tg_str_t prefix, const tg_node_t *text)
{
    tg_grow_lit(&tr->out, "\"");
    tg_grow_str(&tr->out, prefix);

    if (text != NULL) {
        tg_grow_str(&tr->out, tg_node_inside(text));
    }

    tg_grow_lit(&tr->out, "\"");
}


void
tg_messages_list_text(tg_tr_t *tr, tg_messages_list_t *l,
    const tg_node_t *text)
{
    if (text->len == 2) {
        return;
    }

    tg_messages_list_part(tr, l);
    tg_grow_lit(&tr->out, "{\"type\":\"text\",\"text\":");
    tg_messages_list_string(tr, l->n == 1 ? l->prefix : tg_str(""), text);
    tg_grow_lit(&tr->out, "}");
    l->text = text;
}


void
tg_messages_list_end(tg_tr_t *tr, tg_messages_list_t *l)
{
    if (l->n > 1 || (l->n == 1 && l->text == NULL)) {
        tg_grow_lit(&tr->out, "]");
        return;
    }

    tg_grow_cut(&tr->out, l->start);
    tg_messages_list_string(tr, l->prefix, l->text);
}


int
tg_messages_texts(tg_tr_t *tr, tg_messages_list_t *l,
    const tg_node_t *content)
{
    const tg_node_t  *text;

    if (content->type == TG_JSON_STRING) {
        tg_messages_list_text(tr, l, content);
        return TG_OK;
    }

    for (const tg_node_t *b = content->child; b != NULL; b = b->next) {
        if (tg_messages_text(tr, b, &text) != TG_OK) {
            return TG_ERROR;
        }
        tg_messages_list_text(tr, l, text);
    }

    return TG_OK;
}
