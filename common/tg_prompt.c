/* What of a body is text. */

#include "tg_prompt_int.h"

#define TG_NAME_MAX      64
#define TG_PIECES_FIRST  32
#define TG_TEXT_PAD      32

/* What a value may hold. */
typedef enum {
    TG_TEXT = 0,            /* strings are text, unless their names tell */
    TG_FREE,                /* any JSON that a model reads */
    TG_TOLD,                /* only descriptions are text */
    TG_NONE
} tg_sense_t;

typedef struct {
    tg_str_t    name;
    uint8_t     sense;
} tg_name_t;

/*
 * Of the root object.  Those that are not here are read as text.
 *
 * https://platform.openai.com/docs/api-reference,
 * https://docs.claude.com/en/api/messages, https://ai.google.dev/api
 */
static const tg_name_t  tg_root_names[] = {
    { TG_STR("tools"), TG_TOLD },
    { TG_STR("functions"), TG_TOLD },
    { TG_STR("toolConfig"), TG_TOLD },
    { TG_STR("response_format"), TG_TOLD },
    { TG_STR("output_format"), TG_TOLD },
    { TG_STR("output_config"), TG_TOLD },
    { TG_STR("generationConfig"), TG_TOLD },
    { TG_STR("generation_config"), TG_TOLD },
    { TG_STR("format"), TG_TOLD },
    { TG_STR("models"), TG_NONE },
    { TG_STR("fallbacks"), TG_NONE },
    { TG_STR("user"), TG_NONE },
    { TG_STR("metadata"), TG_NONE },
    { TG_STR("labels"), TG_NONE },
    { TG_STR("service_tier"), TG_NONE },
    { TG_STR("serviceTier"), TG_NONE },
    { TG_STR("stream_options"), TG_NONE },
    { TG_STR("stop"), TG_NONE },
    { TG_STR("stop_sequences"), TG_NONE },
    { TG_STR("tool_choice"), TG_NONE },
    { TG_STR("tool_config"), TG_NONE },
    { TG_STR("modalities"), TG_NONE },
    { TG_STR("include"), TG_NONE },
    { TG_STR("reasoning"), TG_NONE },
    { TG_STR("reasoning_effort"), TG_NONE },
    { TG_STR("thinking"), TG_NONE },
    { TG_STR("verbosity"), TG_NONE },
    { TG_STR("truncation"), TG_NONE },
    { TG_STR("encoding_format"), TG_NONE },
    { TG_STR("conversation"), TG_NONE },
    { TG_STR("container"), TG_NONE },
    { TG_STR("context_management"), TG_NONE },
    { TG_STR("mcp_servers"), TG_NONE },
    { TG_STR("betas"), TG_NONE },
    { TG_STR("anthropic_version"), TG_NONE },
    { TG_STR("anthropic_beta"), TG_NONE },
    { TG_STR("safety_identifier"), TG_NONE },
    { TG_STR("prompt_cache_key"), TG_NONE },
    { TG_STR("safetySettings"), TG_NONE },
    { TG_STR("safety_settings"), TG_NONE },
    { TG_STR("cachedContent"), TG_NONE },
    { TG_STR("cached_content"), TG_NONE },
    { TG_STR("provider"), TG_NONE },
    { TG_STR("plugins"), TG_NONE },
    { TG_STR("transforms"), TG_NONE },
    { TG_STR("parameters"), TG_NONE },
    { TG_STR("inferenceConfig"), TG_NONE },
    { TG_STR("options"), TG_NONE },
    { TG_STR("keep_alive"), TG_NONE },
    { TG_STR("voice"), TG_NONE }
};

/* Of objects below. */
static const tg_name_t  tg_inner_names[] = {
    { TG_STR("input"), TG_FREE },
    { TG_STR("args"), TG_FREE },
    { TG_STR("arguments"), TG_FREE },
    { TG_STR("response"), TG_FREE },
    { TG_STR("json"), TG_FREE },
    { TG_STR("action"), TG_FREE },
    { TG_STR("operation"), TG_FREE },
    { TG_STR("parameters"), TG_TOLD },
    { TG_STR("schema"), TG_TOLD },
    { TG_STR("json_schema"), TG_TOLD },
    { TG_STR("input_schema"), TG_TOLD },
    { TG_STR("tools"), TG_TOLD },
    { TG_STR("name"), TG_NONE },
    { TG_STR("image_url"), TG_NONE },
    { TG_STR("image"), TG_NONE },
    { TG_STR("input_audio"), TG_NONE },
    { TG_STR("audio"), TG_NONE },
    { TG_STR("video"), TG_NONE },
    { TG_STR("inlineData"), TG_NONE },
    { TG_STR("inline_data"), TG_NONE },
    { TG_STR("fileData"), TG_NONE },
    { TG_STR("file"), TG_NONE },
    { TG_STR("file_url"), TG_NONE },
    { TG_STR("encrypted_content"), TG_NONE },
    { TG_STR("signature"), TG_NONE },
    { TG_STR("thoughtSignature"), TG_NONE },
    { TG_STR("thought_signature"), TG_NONE },
    { TG_STR("mime_type"), TG_NONE },
    { TG_STR("mimeType"), TG_NONE },
    { TG_STR("media_type"), TG_NONE },
    { TG_STR("cache_control"), TG_NONE },
    { TG_STR("cachePoint"), TG_NONE },
    { TG_STR("detail"), TG_NONE },
    { TG_STR("status"), TG_NONE },
    { TG_STR("url"), TG_NONE },
    { TG_STR("uri"), TG_NONE },
    { TG_STR("bytes"), TG_NONE },
    { TG_STR("toolUseId"), TG_NONE },
    { TG_STR("logprobs"), TG_NONE },
    { TG_STR("stop_reason"), TG_NONE },
    { TG_STR("finish_reason"), TG_NONE }
};

/* Of both. */
static const tg_name_t  tg_any_names[] = {
    { TG_STR("model"), TG_NONE },
    { TG_STR("type"), TG_NONE },
    { TG_STR("role"), TG_NONE },
    { TG_STR("id"), TG_NONE },
    { TG_STR("images"), TG_NONE },
    { TG_STR("file_data"), TG_NONE }
};

#define TG_NAMES(list)  list, sizeof(list) / sizeof((list)[0])

/* Lists of tokens may be there. */
static const char *const  tg_token_names[] = {
    "prompt", "input", "inputs", "context"
};

typedef struct {
    uint8_t   sense;
    bool      object;
    bool      plain;        /* its type is "text" */
    bool      binary;       /* it is, or seems to be, of something else */
    bool      tokens;       /* numbers in it are */
    size_t    data;         /* a piece that is text if it is; 0: none */
} tg_level_t;

typedef struct {
    tg_prompt_t       *prompt;
    tg_mem_t          *mem;
    const char        *body;
    tg_step_t          step;
    const tg_range_t  *without;
    size_t             nwithout;
    size_t             room;        /* of pieces */
    size_t             bytes;       /* of text, before decoding */
    tg_error_t        *err;

    size_t             depth;       /* levels that are open */
    tg_level_t         level[TG_JSON_DEPTH_MAX + 1];

    /* Of the value to come, where a name was before it. */
    bool               named;
    uint8_t            sense;
    bool               tokens;
    bool               is_type;
    bool               is_data;
    bool               is_json;
} tg_reader_t;


static uint8_t
tg_reader_look(const tg_name_t *names, size_t n, tg_str_t key, uint8_t other)
{
    for (size_t i = 0; i < n; i++) {
        if (tg_str_eq(names[i].name, key)) {
            return names[i].sense;
        }
    }

    return other;
}


/* What says what its neighbour `data` is. */
static bool
tg_reader_is_mime(tg_str_t key)
{
    return tg_str_eq(key, tg_str("media_type"))
           || tg_str_eq(key, tg_str("mime_type"))
           || tg_str_eq(key, tg_str("mimeType"));
}


static void
tg_reader_type(tg_level_t *l, tg_str_t type)
{
    static const char *const  binary[] = {
        "base64", "redacted_thinking", "image_generation_call"
    };

    l->plain |= tg_step_is(type, "text");

    for (size_t i = 0; i < sizeof(binary) / sizeof(binary[0]); i++) {
        l->binary |= tg_step_is(type, binary[i]);
    }
}


static bool
tg_reader_is_id(tg_str_t key)
{
    return key.len > 3
           && (memcmp(key.p + key.len - 3, "_id", 3) == 0
               || memcmp(key.p + key.len - 2, "Id", 2) == 0);
}


/* By its name, within a value that may hold `sense`. */
static uint8_t
tg_reader_sense(uint8_t sense, tg_str_t key, bool root)
{
    const uint8_t  unknown = 0xff;
    uint8_t        found;

    if (sense != TG_TEXT) {
        return sense;
    }

    found = tg_reader_look(TG_NAMES(tg_any_names), key, unknown);

    if (found == unknown) {
        found = root ? tg_reader_look(TG_NAMES(tg_root_names), key, unknown)
                : tg_reader_look(TG_NAMES(tg_inner_names), key, unknown);
    }

    return found != unknown ? found
           : tg_reader_is_id(key) ? TG_NONE : TG_TEXT;
}


static bool
tg_reader_without(tg_reader_t *r, size_t start)
{
    while (r->nwithout != 0 && r->without->end <= start) {
        r->without++;
        r->nwithout--;
    }

    return r->nwithout != 0 && r->without->start <= start;
}


static int
tg_reader_piece(tg_reader_t *r, tg_piece_kind_t kind, tg_str_t text)
{
    size_t        start = (size_t) (text.p - r->body), room;
    tg_piece_t   *p;
    tg_prompt_t  *prompt = r->prompt;

    if (text.len == 0 || tg_reader_without(r, start)) {
        return TG_OK;
    }

    r->bytes += text.len + 1;

    if (r->bytes > TG_PROMPT_TEXT_MAX
        || prompt->npieces == TG_PROMPT_PIECES_MAX)
    {
        return tg_error(r->err, TG_PROMPT_ERROR_LARGE, start, "the prompt has"
                        " more than %d MB of text, or %d parts",
                        TG_PROMPT_TEXT_MAX >> 20, TG_PROMPT_PIECES_MAX);
    }

    if (prompt->npieces == r->room) {
        room = r->room == 0 ? TG_PIECES_FIRST : r->room * 2;
        p = tg_alloc(r->mem, room * sizeof(tg_piece_t));
        if (p == NULL) {
            return tg_error(r->err, TG_PROMPT_ERROR_MEMORY, start,
                            "no memory for the prompt");
        }

        if (r->room != 0) {
            memcpy(p, prompt->pieces, r->room * sizeof(tg_piece_t));
        }

        prompt->pieces = p;
        r->room = room;
    }

    p = &prompt->pieces[prompt->npieces++];
    p->start = start;
    p->end = start + text.len;
    p->kind = (uint8_t) kind;

    return TG_OK;
}


static int
tg_reader_key(tg_reader_t *r)
{
    char         buf[TG_NAME_MAX];
    tg_str_t     key = r->step.text;
    tg_level_t  *l = &r->level[r->depth];
    bool         root = r->depth == 1;

    if (l->sense == TG_FREE
        && tg_reader_piece(r, TG_PIECE_STRING, key) != TG_OK)
    {
        return TG_ERROR;
    }

    if (key.len != 0 && memchr(key.p, '\\', key.len) != NULL) {
        key = tg_step_decode(key, buf, sizeof(buf));
    }

    r->named = true;
    r->sense = tg_reader_sense(l->sense, key, root);
    r->is_type = tg_str_eq(key, tg_str("type"));
    r->is_data = l->sense == TG_TEXT && (tg_str_eq(key, tg_str("data"))
                                         || tg_str_eq(key, tg_str("result")));
    r->is_json = tg_str_eq(key, tg_str("arguments"));
    r->tokens = false;
    l->binary |= tg_reader_is_mime(key);

    if (l->sense == TG_TOLD && tg_str_eq(key, tg_str("description"))) {
        r->sense = TG_TEXT;
    }

    for (size_t i = 0; root && i < sizeof(tg_token_names)
                                   / sizeof(tg_token_names[0]); i++)
    {
        r->tokens |= tg_str_eq(key, tg_strz(tg_token_names[i]));
    }

    if (r->sense == TG_NONE && !r->is_type) {
        tg_step_over(&r->step);
        r->named = false;
    }

    return TG_OK;
}


static void
tg_reader_open(tg_reader_t *r)
{
    tg_level_t  *l, *above = &r->level[r->depth];

    l = &r->level[++r->depth];
    memset(l, 0, sizeof(tg_level_t));
    l->object = r->step.type == TG_STEP_OBJECT;
    l->sense = r->named ? r->sense : above->sense;
    l->tokens = !l->object && (r->named ? r->tokens : above->tokens);

    r->named = false;
}


/* The data of a plain text document, or of something else. */
static void
tg_reader_close(tg_reader_t *r)
{
    tg_level_t  *l = &r->level[r->depth];
    tg_piece_t  *p;

    if (l->data != 0 && l->binary && !l->plain) {
        p = &r->prompt->pieces[l->data - 1];
        r->bytes -= p->end - p->start + 1;
        p->end = p->start;
    }

    r->depth--;
}


static int
tg_reader_string(tg_reader_t *r)
{
    bool          named = r->named;
    tg_level_t   *l = &r->level[r->depth];
    tg_prompt_t  *prompt = r->prompt;
    uint8_t       sense = named ? r->sense : l->sense;
    size_t        before = prompt->npieces;

    r->named = false;

    if (named && r->is_type) {
        tg_reader_type(l, r->step.text);
    }

    if (sense == TG_NONE || sense == TG_TOLD) {
        return TG_OK;
    }

    if (tg_reader_piece(r, named && r->is_json ? TG_PIECE_JSON
                                               : TG_PIECE_STRING,
                        r->step.text)
        != TG_OK)
    {
        return TG_ERROR;
    }

    if (named && r->is_data && prompt->npieces != before) {
        l->data = prompt->npieces;
    }

    return TG_OK;
}


static int
tg_reader_word(tg_reader_t *r)
{
    char         c = r->step.text.p[0];
    tg_level_t  *l = &r->level[r->depth];
    bool         number = c == '-' || (c >= '0' && c <= '9');
    uint8_t      sense = r->named ? r->sense : l->sense;

    r->prompt->tokens |= number && !r->named && l->tokens;
    r->named = false;

    if (number && sense == TG_FREE && r->step.text.len >= TG_PROMPT_DIGITS) {
        return tg_reader_piece(r, TG_PIECE_NUMBER, r->step.text);
    }

    return TG_OK;
}


static int
tg_reader_walk(tg_reader_t *r)
{
    int  rc = TG_OK;

    while (rc == TG_OK && tg_step(&r->step)) {
        switch (r->step.type) {
        case TG_STEP_OBJECT:
        case TG_STEP_ARRAY:
            tg_reader_open(r);
            break;
        case TG_STEP_CLOSE:
            tg_reader_close(r);
            break;
        case TG_STEP_KEY:
            rc = tg_reader_key(r);
            break;
        case TG_STEP_STRING:
            rc = tg_reader_string(r);
            break;
        case TG_STEP_WORD:
            rc = tg_reader_word(r);
            break;
        default:
            break;
        }
    }

    return rc;
}


static int
tg_prompt_decode(tg_prompt_t *prompt, tg_reader_t *r)
{
    size_t   kept = 0;
    char    *buf, *to;

    buf = tg_alloc(r->mem, r->bytes + TG_JSON_DECODE_ROOM + TG_TEXT_PAD);
    if (buf == NULL) {
        return tg_error(r->err, TG_PROMPT_ERROR_MEMORY, 0,
                        "no memory for the prompt");
    }

    to = buf;

    for (size_t i = 0; i < prompt->npieces; i++) {
        tg_piece_t  *p = &prompt->pieces[kept];

        *p = prompt->pieces[i];

        if (p->start == p->end) {
            continue;
        }

        p->at = (size_t) (to - buf);
        to = tg_prompt_decode_piece(to, r->body + p->start,
                                    r->body + p->end);
        p->len = (size_t) (to - buf) - p->at;
        *to++ = '\n';
        kept++;
    }

    /* What searches it looks at whole words of the CPU. */

    memset(to, 0, TG_TEXT_PAD);

    prompt->npieces = kept;
    prompt->text = tg_str_of(buf, (size_t) (to - buf));

    return TG_OK;
}


int
tg_prompt_read(tg_prompt_t *prompt, tg_mem_t *mem, tg_str_t body,
    const tg_range_t *without, size_t nwithout, tg_error_t *err)
{
    tg_json_t    json;
    tg_reader_t  r;

    memset(prompt, 0, sizeof(tg_prompt_t));

    /* What follows relies on it. */

    tg_json_init(&json, NULL, 0, NULL, NULL);

    if (tg_json_feed(&json, body.p, body.len) != TG_OK
        || tg_json_finish(&json) != TG_OK)
    {
        return tg_error(err, TG_PROMPT_ERROR_JSON, json.error_offset,
                        "the body is not JSON: %s at byte %llu",
                        tg_json_strerror(json.error),
                        (unsigned long long) json.error_offset);
    }

    r.prompt = prompt;
    r.mem = mem;
    r.body = body.p;
    r.without = without;
    r.nwithout = nwithout;
    r.room = 0;
    r.bytes = 0;
    r.err = err;
    r.depth = 0;
    r.named = false;
    memset(&r.level[0], 0, sizeof(tg_level_t));
    tg_step_init(&r.step, body.p, body.len);

    return tg_reader_walk(&r) == TG_OK ? tg_prompt_decode(prompt, &r)
                                       : TG_ERROR;
}
