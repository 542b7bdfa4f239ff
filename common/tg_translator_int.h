/*
 * tg_translator_int.h - an answer on its way from one form to another.
 *
 * A source reads the upstream's documents (an event of a stream, or a whole
 * answer) and says what is in them, in order, to a target, which writes the
 * client's form: text, reasoning, calls of tools and their arguments, why it
 * ended.  Text is handed on as it stands in the JSON, without being decoded.
 * What comes at the end (reasons, usage) waits for tg_translator_close().
 */

#ifndef TG_TRANSLATOR_INT_H
#define TG_TRANSLATOR_INT_H

#include "tg_answer.h"
#include "tg_grow.h"
#include "tg_scratch.h"
#include "tg_sse.h"
#include "tg_translate.h"
#include "tg_tree.h"

#define TG_TRANSLATOR_CHOICES_MAX  16
#define TG_TRANSLATOR_ID_MAX       128      /* bytes of a tool call's id */
#define TG_TRANSLATOR_MODEL_MAX    256

typedef enum {
    TG_SAY_TEXT = 0,
    TG_SAY_REASONING,
    TG_SAY_REFUSAL
} tg_say_t;

typedef enum {
    TG_STOP_NONE = 0,           /* not told yet */
    TG_STOP_END,
    TG_STOP_LENGTH,
    TG_STOP_TOOLS,
    TG_STOP_FILTER
} tg_stop_t;

typedef enum {
    TG_PART_NONE = 0,
    TG_PART_TEXT,
    TG_PART_THINKING,
    TG_PART_TOOL
} tg_part_kind_t;

/* One of the answers that the client gets; most calls have one. */
typedef struct {
    unsigned        index;
    tg_stop_t       stop;
    unsigned        tools;      /* begun so far */
    bool            arguments;  /* the last of them has some */
    bool            refused;
    tg_part_kind_t  part;       /* that is being said */
    uint64_t        chars;      /* of text, characters */
    uint64_t        part_chars; /* the same where the part began */
    tg_grow_t       text;       /* of what is written whole: by its target */
    tg_grow_t       reasoning;
    tg_grow_t       refusal;
    tg_grow_t       list;
    tg_grow_t       notes;      /* where the part's text is from */
    tg_grow_t       annotations;    /* the same of all parts */
} tg_choice_t;

/* Strings are the inside of JSON strings. */
typedef struct {
    void  (*begin)(tg_translator_t *t, tg_choice_t *c);
    /* text or reasoning begins: c->part */
    void  (*part)(tg_translator_t *t, tg_choice_t *c);
    void  (*say)(tg_translator_t *t, tg_choice_t *c, tg_say_t what,
        tg_str_t text);
    /* a call of a tool begins; id is not empty, signature may be */
    void  (*tool)(tg_translator_t *t, tg_choice_t *c, tg_str_t id,
        tg_str_t name, tg_str_t signature);
    void  (*arguments)(tg_translator_t *t, tg_choice_t *c, tg_str_t piece);
    /* where the part's text is from; ahead of the text or behind it */
    void  (*cite)(tg_translator_t *t, tg_choice_t *c, tg_str_t url,
        tg_str_t title, tg_str_t quote);
    /* c->part is complete */
    void  (*part_end)(tg_translator_t *t, tg_choice_t *c);
    /* all of it is; every choice has its reason to stop */
    void  (*close)(tg_translator_t *t, const tg_usage_t *u);
    /* NULL: a comment does it */
    void  (*ping)(tg_translator_t *t);
} tg_target_t;

/* A document, valid; of a whole answer or of a stream. */
typedef void (*tg_source_t)(tg_translator_t *t, const tg_node_t *root);

void tg_source_anthropic(tg_translator_t *t, const tg_node_t *root);
void tg_source_gemini(tg_translator_t *t, const tg_node_t *root);
void tg_source_openai(tg_translator_t *t, const tg_node_t *root);

extern const tg_target_t  tg_target_openai_stream;
extern const tg_target_t  tg_target_openai_whole;
extern const tg_target_t  tg_target_anthropic_stream;
extern const tg_target_t  tg_target_anthropic_whole;

typedef enum {
    TG_FRAME_WHOLE = 0,
    TG_FRAME_SSE,
    TG_FRAME_ELEMENTS           /* of a JSON array, as they come */
} tg_frame_t;

struct tg_translator_s {
    tg_mem_t             *mem;
    tg_translator_ask_t   ask;
    tg_source_t           source;
    const tg_target_t    *target;
    tg_frame_t            frame;
    bool                  sniffed;      /* the frame is sure */
    bool                  stream;       /* the client gets one */
    bool                  begun;        /* a choice has */
    bool                  over;         /* nothing more is to be said */
    bool                  exhausted;    /* of memory, or out() failed */
    bool                  overflow;     /* a document was larger than it may */
    bool                  named_error;  /* the event is called "error" */
    unsigned              status;
    unsigned              made_ids;
    tg_error_t            err;          /* code is 0: none */

    tg_out_t              sink;         /* of the feed under way */
    void                 *sink_data;
    tg_grow_t             in;           /* of a document, so far */
    tg_str_t              piece;        /* of a document, not yet copied */
    tg_grow_t             out;
    tg_grow_t             work;         /* text in the making */
    tg_grow_t             head;         /* what each event begins with */
    tg_scratch_t          scratch;
    tg_answer_t          *meter;        /* reads what was used; NULL: none */
    tg_str_t              model;        /* inside of a JSON string */
    tg_choice_t          *choices[TG_TRANSLATOR_CHOICES_MAX];

    /* of the source */
    bool                  skip;         /* the block is not for the client */
    bool                  in_tool;
    bool                  blocked;      /* the prompt was refused */
    int64_t               tool_index;
    tg_str_t              tool_id;
    char                  tool_id_buf[TG_TRANSLATOR_ID_MAX];

    /* of the target */
    unsigned              blocks;       /* begun so far */

    union {
        tg_sse_t          sse;
        struct {
            tg_json_t    *json;
            uint64_t      fed;
            const char   *p;            /* of the feed under way */
            uint64_t      from;         /* not yet taken, of an element */
            bool          open;
        } elements;
    } u;
};

/* tg_translator_say.c: what sources call, which does nothing once it's over. */

/* The choice of that index, begun if need be; NULL where it is over. */
tg_choice_t *tg_translator_choice(tg_translator_t *t, uint64_t index);

void tg_translator_model(tg_translator_t *t, const tg_node_t *model);
void tg_translator_stop(tg_choice_t *c, tg_stop_t stop);

/* Says it where there is something to say: n may be NULL or no string. */
void tg_translator_say(tg_translator_t *t, tg_choice_t *c, tg_say_t what,
    const tg_node_t *n);

/* A call of a tool begins.  Where there is no id one is made up. */
void tg_translator_tool(tg_translator_t *t, tg_choice_t *c, tg_str_t id,
    tg_str_t name, tg_str_t signature);

/* A piece of the arguments; all of them, as an object (NULL: none). */
void tg_translator_arguments(tg_translator_t *t, tg_choice_t *c,
    tg_str_t piece);
void tg_translator_object(tg_translator_t *t, tg_choice_t *c,
    const tg_node_t *object);

void tg_translator_cite(tg_translator_t *t, tg_choice_t *c, tg_str_t url,
    tg_str_t title, tg_str_t quote);
void tg_translator_part_end(tg_translator_t *t, tg_choice_t *c);

/* The upstream is still there: keeps what is between from giving up. */
void tg_translator_ping(tg_translator_t *t);

/* All is said. */
void tg_translator_close(tg_translator_t *t);

/* A string's inside; empty where n is NULL or no string. */
static inline tg_str_t
tg_node_inside_of(const tg_node_t *n)
{
    return n != NULL && n->type == TG_JSON_STRING ? tg_node_inside(n)
                                                  : tg_str("");
}

/* tg_translator.c */

/* A document is complete. */
void tg_translator_document(tg_translator_t *t, tg_str_t text);

/* The upstream has said that there is no more. */
void tg_translator_done(tg_translator_t *t);

/* Sends what is in t->out.  TG_OK or TG_ERROR. */
int tg_translator_flush(tg_translator_t *t);

/* tg_translator_frame.c: TG_OK or TG_ERROR. */
int tg_translator_frame_init(tg_translator_t *t);
int tg_translator_frame_feed(tg_translator_t *t, const char *p, size_t n);
int tg_translator_frame_end(tg_translator_t *t);

/* tg_translator_error.c */

/* Nothing like n, a part of the document `root`, is in the client's form. */
void tg_translator_refuse(tg_translator_t *t, const tg_node_t *root,
    const tg_node_t *n);

/* The answer is not what its form says; the first error counts. */
void tg_translator_fail(tg_translator_t *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Is there an error of the upstream's in the document?  `named`: the event is
 * called so.  True where it was said. */
bool tg_translator_upstream_error(tg_translator_t *t, const tg_node_t *root,
    bool named);

/* A body that is no answer, by its status. */
void tg_translator_error_body(tg_translator_t *t, tg_str_t body);

/* The upstream's status as the client's SDK knows it. */
unsigned tg_translator_client_status(const tg_translator_t *t,
    unsigned status);

/* tg_translator_usage.c */

int tg_translator_meter_init(tg_translator_t *t);
void tg_translator_meter(tg_translator_t *t, const tg_node_t *root);
void tg_translator_used(tg_translator_t *t, tg_usage_t *u);

/* The member "usage":{...}, without a comma. */
void tg_grow_usage_openai(tg_grow_t *g, const tg_usage_t *u);
void tg_grow_usage_anthropic(tg_grow_t *g, const tg_usage_t *u,
    tg_str_t tier);

/* The provider's word for how the call was served, in the client's; empty where
 * it has none. */
tg_str_t tg_translator_tier(const tg_translator_t *t);

/* tg_translator_text.c */

/* The text of a JSON value as the inside of a JSON string, without what white
 * space is between its tokens. */
void tg_grow_quoted(tg_grow_t *g, tg_str_t json);

/* Characters in the inside of a JSON string. */
uint64_t tg_chars(tg_str_t inside);

/* "name":"inside" */
void tg_grow_member(tg_grow_t *g, const char *name, tg_str_t inside);

/* A call of a tool as OpenAI has it, from its id up to the opening quote of its
 * arguments. */
void tg_grow_call(tg_grow_t *g, tg_str_t id, tg_str_t name,
    tg_str_t signature);

/* tg_translator_completion.c, tg_translator_events.c: what a form's stream and
 * its whole answers have in common. */

tg_str_t tg_stop_word_openai(tg_stop_t stop);
tg_str_t tg_stop_word_anthropic(tg_stop_t stop);

/* A citation, kept until the end of its text is known; all of the choice's. */
void tg_grow_note(tg_grow_t *g, tg_str_t url, tg_str_t title);
void tg_grow_notes(tg_grow_t *g, const tg_choice_t *c);

void tg_grow_citation(tg_grow_t *g, tg_str_t url, tg_str_t title,
    tg_str_t quote);

#endif /* TG_TRANSLATOR_INT_H */
