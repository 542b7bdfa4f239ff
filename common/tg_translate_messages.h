/*
 * tg_translate_messages.h - an Anthropic request for an OpenAI chat API:
 * between its parts.
 *
 * https://platform.claude.com/docs/en/api/messages
 * https://platform.openai.com/docs/api-reference/chat/create
 */

#ifndef TG_TRANSLATE_MESSAGES_H
#define TG_TRANSLATE_MESSAGES_H

#include "tg_translate_int.h"

/* Messages of one role in a row, which Anthropic reads as one turn. */
typedef struct {
    const tg_node_t  *first;
    const tg_node_t  *end;              /* the message behind, or NULL */
} tg_messages_run_t;

/* A list of parts that is being written; one of text alone becomes a string. */
typedef struct {
    size_t            start;            /* of it in the output */
    unsigned          n;
    const tg_node_t  *text;             /* of the last part, if it is text */
    tg_str_t          prefix;           /* before the first text's own */
} tg_messages_list_t;

void tg_messages_list(tg_tr_t *tr, tg_messages_list_t *l);
void tg_messages_list_text(tg_tr_t *tr, tg_messages_list_t *l,
    const tg_node_t *text);
void tg_messages_list_end(tg_tr_t *tr, tg_messages_list_t *l);

/* What a part of another kind is written behind. */
void tg_messages_list_part(tg_tr_t *tr, tg_messages_list_t *l);

/* Blocks of type text, image and document. */
int tg_messages_text(tg_tr_t *tr, const tg_node_t *block,
    const tg_node_t **text);
int tg_messages_image(tg_tr_t *tr, tg_messages_list_t *l,
    const tg_node_t *block);
int tg_messages_document(tg_tr_t *tr, tg_messages_list_t *l,
    const tg_node_t *block);

/* A string, or blocks of text, as a list. */
int tg_messages_texts(tg_tr_t *tr, tg_messages_list_t *l,
    const tg_node_t *content);

/* All messages, with commas; where `more`, there is one before the first. */
int tg_messages_turns(tg_tr_t *tr, const tg_node_t *messages, bool more);

#endif /* TG_TRANSLATE_MESSAGES_H */
