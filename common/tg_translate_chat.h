/*
 * tg_translate_chat.h - an OpenAI chat request, read for who takes turns.
 *
 * Anthropic's and Gemini's requests are alike: a system prompt apart, then
 * turns of the user and the model, each with a list of content in which calls
 * of tools and their results are.  The members of the request are read here,
 * once; how a thing is written says the target.
 *
 * https://platform.openai.com/docs/api-reference/chat/create
 */

#ifndef TG_TRANSLATE_CHAT_H
#define TG_TRANSLATE_CHAT_H

#include "tg_translate_int.h"

/* The request's members that something has to be done for. */
typedef enum {
    TG_CHAT_MODEL = 0,
    TG_CHAT_MESSAGES,
    TG_CHAT_MAX_TOKENS,
    TG_CHAT_MAX_COMPLETION_TOKENS,
    TG_CHAT_TEMPERATURE,
    TG_CHAT_TOP_P,
    TG_CHAT_STOP,
    TG_CHAT_STREAM,
    TG_CHAT_STREAM_OPTIONS,
    TG_CHAT_TOOLS,
    TG_CHAT_TOOL_CHOICE,
    TG_CHAT_PARALLEL,
    TG_CHAT_FORMAT,
    TG_CHAT_EFFORT,
    TG_CHAT_TIER,
    TG_CHAT_USER,
    TG_CHAT_SAFETY_ID,
    TG_CHAT_N,
    TG_CHAT_SEED,
    TG_CHAT_PRESENCE,
    TG_CHAT_FREQUENCY,
    TG_CHAT_SLOTS
} tg_chat_slot_t;

typedef enum {
    TG_CHAT_NOBODY = 0,
    TG_CHAT_USERS,
    TG_CHAT_MODELS
} tg_chat_turn_t;

/* Something that is no text, or the picture's address. */
typedef enum {
    TG_CHAT_PICTURE = 0,
    TG_CHAT_SOUND,
    TG_CHAT_FILE
} tg_chat_kind_t;

typedef struct {
    tg_chat_kind_t    kind;
    const tg_node_t  *node;     /* that it is in */
    tg_str_t          type;     /* MIME, of a token's characters; or empty */
    tg_str_t          data;     /* base64; or empty, then url */
    tg_str_t          url;      /* the inside of a JSON string */
    const tg_node_t  *name;     /* of a file, or NULL */
} tg_chat_media_t;

/* A call of a function. */
typedef struct {
    const tg_node_t  *node;
    const tg_node_t  *id;
    const tg_node_t  *name;
    tg_str_t          args;     /* an object of JSON, or empty for none */
    const tg_node_t  *signature;    /* Gemini's, or NULL */
} tg_chat_call_t;

typedef struct tg_chat_s  tg_chat_t;

typedef struct {
    const tg_tr_field_t  *fields;       /* of the request, before the common */
    tg_str_t              turn[3];      /* what a turn begins with */
    tg_str_t              text;         /* what a text begins with */
    int  (*media)(tg_chat_t *c, const tg_chat_media_t *m);
    int  (*call)(tg_chat_t *c, const tg_chat_call_t *call);

    /* content: a string, or an array of parts of text */
    int  (*result)(tg_chat_t *c, const tg_tr_call_t *call,
             const tg_node_t *content);
} tg_chat_target_t;

struct tg_chat_s {
    tg_tr_t                  tr;
    const tg_chat_target_t  *target;
    const tg_node_t         *slot[TG_CHAT_SLOTS];
    int64_t                  limit;     /* of tokens, or -1 */
    tg_chat_turn_t           turn;      /* that is open */
    unsigned                 turns;
    bool                     calls_in_turn;
    tg_tr_calls_t            calls;
};

/* Fills slot[] and limit. */
int tg_chat_read(tg_chat_t *c);

/* The texts of system and developer messages, wherever they are, with commas;
 * their number, or TG_ERROR. */
int tg_chat_system(tg_chat_t *c);

/* All other messages as turns, with commas. */
int tg_chat_turns(tg_chat_t *c);

/* Both, each behind what opens it; `close` ends the former, which is left out
 * where there are none. */
int tg_chat_conversation(tg_chat_t *c, tg_str_t system, tg_str_t close,
    tg_str_t turns);

/* What is written next is a part of this one's turn. */
void tg_chat_part(tg_chat_t *c, tg_chat_turn_t turn);

/* A string's text as a part without a comma; and the strings of a content of
 * text: the number of parts, those without text left out, or TG_ERROR. */
void tg_chat_text(tg_chat_t *c, const tg_node_t *text);
int tg_chat_texts(tg_chat_t *c, const tg_node_t *content);

/* A part of a user's content that is not text. */
int tg_chat_media(tg_chat_t *c, const tg_node_t *part, bool *taken);

/* An element of tool_calls[]. */
int tg_chat_call_read(tg_chat_t *c, const tg_node_t *n, tg_chat_call_t *call);

/* A function of tools[].  strict: true, or NULL. */
typedef struct {
    const tg_node_t  *name;
    const tg_node_t  *description;
    const tg_node_t  *parameters;
    const tg_node_t  *strict;
} tg_chat_function_t;

int tg_chat_function(tg_chat_t *c, const tg_node_t *tool,
    tg_chat_function_t *f);

/* tool_choice; *name of the one that is to be called. */
typedef enum {
    TG_CHAT_CHOICE_NONE = 0,    /* the words' order */
    TG_CHAT_CHOICE_AUTO,
    TG_CHAT_CHOICE_REQUIRED,
    TG_CHAT_CHOICE_NAMED
} tg_chat_choice_t;

int tg_chat_choice(tg_chat_t *c, const tg_node_t **name);

/* response_format. */
typedef enum {
    TG_CHAT_FORMAT_TEXT = 0,
    TG_CHAT_FORMAT_JSON,
    TG_CHAT_FORMAT_SCHEMA
} tg_chat_format_t;

int tg_chat_format(tg_chat_t *c, const tg_node_t **schema,
    const tg_node_t **description);

/* `"name":["...", ...],` of stop, which may be one string. */
void tg_chat_stop(tg_chat_t *c, tg_str_t name);

#endif /* TG_TRANSLATE_CHAT_H */
