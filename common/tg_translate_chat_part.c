/* What an OpenAI chat request has beside text: media, tools, a format. */

#include "tg_translate_chat.h"


/* RFC 2045's tokens, and a '/' between them. */
static bool
tg_chat_is_type(tg_str_t type)
{
    size_t  slashes = 0;

    for (size_t i = 0; i < type.len; i++) {
        char  c = tg_lower(type.p[i]);

        slashes += c == '/';

        if ((c < 'a' || c > 'z') && (c < '0' || c > '9')
            && memchr("/+-._", c, 5) == NULL)
        {
            return false;
        }
    }

    return slashes == 1 && type.p[0] != '/' && type.p[type.len - 1] != '/';
}


static bool
tg_chat_is_base64(tg_str_t s)
{
    size_t  pad = 0;

    while (pad < 2 && pad < s.len && s.p[s.len - 1 - pad] == '=') {
        pad++;
    }

    for (size_t i = 0; i < s.len - pad; i++) {
        char  c = tg_lower(s.p[i]);

        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '+'
            && c != '/')
        {
            return false;
        }
    }

    return s.len != 0;
}


/* RFC 2397; n is a string.  False where it is none, or not of base64. */
static bool
tg_chat_data_url(tg_str_t url, tg_chat_media_t *m)
{
    const tg_str_t  scheme = tg_str("data:"), coding = tg_str("base64");
    tg_str_t        head, part;

    if (url.len < scheme.len
        || !tg_str_caseeq(tg_str_of(url.p, scheme.len), scheme))
    {
        return false;
    }

    m->data = tg_str_of(url.p + scheme.len, url.len - scheme.len);

    if (!tg_str_cut(&m->data, ',', &head)
        || !tg_str_cut(&head, ';', &m->type))
    {
        return false;
    }

    while (tg_str_cut(&head, ';', &part)) {
        /* a parameter */
    }

    if (tg_str_caseeq(m->type, tg_str("image/jpg"))) {
        m->type = tg_str("image/jpeg");
    }

    return tg_str_caseeq(part, coding) && tg_chat_is_type(m->type)
           && tg_chat_is_base64(m->data);
}


/* The one object in a part, by its members. */
static int
tg_chat_part_object(tg_chat_t *c, const tg_node_t *part, const char *name,
    const tg_tr_field_t *inner, const tg_node_t **slots, size_t n)
{
    const tg_tr_field_t  outer[] = {
        { tg_strz(name), TG_TR_TAKE, TG_TR_OBJECT, 0, NULL, NULL },
        TG_TR_DROPPED("type"),
        TG_TR_DROPPED("prompt_cache_breakpoint"),
        TG_TR_END
    };

    const tg_node_t  *object;

    if (tg_tr_object(&c->tr, part, outer, &object, 1) != TG_OK
        || tg_tr_need(&c->tr, part, object, name) != TG_OK)
    {
        return TG_ERROR;
    }

    return tg_tr_object(&c->tr, object, inner, slots, n);
}


static bool
tg_chat_is_address(tg_str_t url)
{
    const tg_str_t  plain = tg_str("http://"), secure = tg_str("https://");

    return (url.len > plain.len
            && tg_str_caseeq(tg_str_of(url.p, plain.len), plain))
           || (url.len > secure.len
               && tg_str_caseeq(tg_str_of(url.p, secure.len), secure));
}


static int
tg_chat_picture(tg_chat_t *c, const tg_node_t *part, tg_chat_media_t *m)
{
    static const tg_tr_field_t  fields[] = {
        TG_TR_TAKEN("url", 0, TG_TR_STRING),
        TG_TR_REFUSED("detail", "\"auto\"|\"high\"",
                      "reads pictures in full"),
        TG_TR_END
    };

    const tg_node_t  *url;
    tg_str_t          text;

    if (tg_chat_part_object(c, part, "image_url", fields, &url, 1) != TG_OK
        || tg_tr_need(&c->tr, part, url, "image_url.url") != TG_OK)
    {
        return TG_ERROR;
    }

    text = tg_node_text(c->tr.mem, url);
    if (text.p == NULL) {
        return tg_tr_no_memory(&c->tr);
    }

    m->node = url;

    if (tg_chat_is_address(text)) {
        m->url = tg_node_inside(url);
        return TG_OK;
    }

    if (!tg_chat_data_url(text, m)) {
        return tg_tr_invalid(&c->tr, url, "neither an address by HTTP nor a"
                             " data: URL of base64");
    }

    return TG_OK;
}


static int
tg_chat_sound(tg_chat_t *c, const tg_node_t *part, tg_chat_media_t *m)
{
    enum { DATA, FORMAT, SLOTS };

    static const tg_tr_field_t  fields[] = {
        TG_TR_TAKEN("data", DATA, TG_TR_STRING),
        TG_TR_TAKEN("format", FORMAT, TG_TR_STRING),
        TG_TR_END
    };
    static const tg_str_t  formats[] = { TG_STR("wav"), TG_STR("mp3") };
    static const tg_str_t  types[] = {
        TG_STR("audio/wav"), TG_STR("audio/mp3")
    };

    const tg_node_t  *slot[SLOTS];
    int               i;

    if (tg_chat_part_object(c, part, "input_audio", fields, slot, SLOTS)
        != TG_OK
        || tg_tr_need(&c->tr, part, slot[DATA], "input_audio.data") != TG_OK
        || tg_tr_need(&c->tr, part, slot[FORMAT], "input_audio.format")
           != TG_OK)
    {
        return TG_ERROR;
    }

    i = tg_tr_word(slot[FORMAT], formats, 2);
    if (i < 0) {
        return tg_tr_invalid(&c->tr, slot[FORMAT], "must be wav or mp3");
    }

    m->node = tg_node_get(part, tg_str("input_audio"));
    m->type = types[i];
    m->data = tg_node_text(c->tr.mem, slot[DATA]);

    if (m->data.p == NULL) {
        return tg_tr_no_memory(&c->tr);
    }

    return tg_chat_is_base64(m->data)
           ? TG_OK : tg_tr_invalid(&c->tr, slot[DATA], "must be base64");
}


static int
tg_chat_file(tg_chat_t *c, const tg_node_t *part, tg_chat_media_t *m)
{
    enum { DATA, NAME, SLOTS };

    static const tg_tr_field_t  fields[] = {
        TG_TR_TAKEN("file_data", DATA, TG_TR_STRING),
        TG_TR_TAKEN("filename", NAME, TG_TR_STRING),
        TG_TR_REFUSED("file_id", NULL, "does not have that file"),
        TG_TR_END
    };

    const tg_node_t  *slot[SLOTS];
    tg_str_t          text;

    if (tg_chat_part_object(c, part, "file", fields, slot, SLOTS) != TG_OK
        || tg_tr_need(&c->tr, part, slot[DATA], "file.file_data") != TG_OK)
    {
        return TG_ERROR;
    }

    text = tg_node_text(c->tr.mem, slot[DATA]);
    if (text.p == NULL) {
        return tg_tr_no_memory(&c->tr);
    }

    m->node = slot[DATA];
    m->name = slot[NAME];

    if (!tg_chat_data_url(text, m)) {
        return tg_tr_invalid(&c->tr, slot[DATA], "no data: URL of base64");
    }

    return TG_OK;
}


int
tg_chat_media(tg_chat_t *c, const tg_node_t *part, bool *taken)
{
    static const struct {
        tg_str_t         type;
        tg_chat_kind_t   kind;
        int            (*read)(tg_chat_t *c, const tg_node_t *part,
                             tg_chat_media_t *m);
    } kinds[] = {
        { TG_STR("image_url"), TG_CHAT_PICTURE, tg_chat_picture },
        { TG_STR("input_audio"), TG_CHAT_SOUND, tg_chat_sound },
        { TG_STR("file"), TG_CHAT_FILE, tg_chat_file }
    };

    const tg_node_t  *type = tg_node_get(part, tg_str("type"));
    tg_chat_media_t   m;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (!tg_node_is(type, kinds[i].type)) {
            continue;
        }

        *taken = true;
        memset(&m, 0, sizeof(m));
        m.kind = kinds[i].kind;

        return kinds[i].read(c, part, &m) != TG_OK ? TG_ERROR
                                                   : c->target->media(c, &m);
    }

    *taken = false;

    return TG_OK;
}


int
tg_chat_function(tg_chat_t *c, const tg_node_t *tool, tg_chat_function_t *f)
{
    enum { TYPE, FUNCTION, SLOTS };
    enum { NAME, DESCRIPTION, PARAMETERS, STRICT, FUNCTION_SLOTS };

    static const tg_tr_field_t  outer[] = {
        TG_TR_TAKEN("type", TYPE, TG_TR_STRING),
        TG_TR_TAKEN("function", FUNCTION, TG_TR_OBJECT),
        TG_TR_REFUSED("custom", NULL, "has functions only"),
        TG_TR_END
    };
    static const tg_tr_field_t  inner[] = {
        TG_TR_TAKEN("name", NAME, TG_TR_STRING),
        TG_TR_TAKEN("description", DESCRIPTION, TG_TR_STRING),
        TG_TR_TAKEN("parameters", PARAMETERS, TG_TR_OBJECT),
        TG_TR_TAKEN("strict", STRICT, TG_TR_BOOL),
        TG_TR_END
    };

    const tg_node_t  *slot[SLOTS], *in[FUNCTION_SLOTS];

    if (tg_tr_object(&c->tr, tool, outer, slot, SLOTS) != TG_OK
        || tg_tr_need(&c->tr, tool, slot[TYPE], "type") != TG_OK)
    {
        return TG_ERROR;
    }

    if (!tg_node_is(slot[TYPE], tg_str("function"))) {
        return tg_tr_refused(&c->tr, slot[TYPE], "only functions are known");
    }

    if (tg_tr_need(&c->tr, tool, slot[FUNCTION], "function") != TG_OK
        || tg_tr_object(&c->tr, slot[FUNCTION], inner, in, FUNCTION_SLOTS)
           != TG_OK
        || tg_tr_need(&c->tr, slot[FUNCTION], in[NAME], "name") != TG_OK)
    {
        return TG_ERROR;
    }

    f->name = in[NAME];
    f->description = in[DESCRIPTION];
    f->parameters = in[PARAMETERS];
    f->strict = tg_tr_true(in[STRICT]) ? in[STRICT] : NULL;

    /* no members: no parameters */
    if (f->parameters != NULL && f->parameters->child == NULL) {
        f->parameters = NULL;
    }

    return TG_OK;
}


static int
tg_chat_named(tg_chat_t *c, const tg_node_t *n, const tg_node_t **name)
{
    enum { TYPE, FUNCTION, SLOTS };

    static const tg_tr_field_t  outer[] = {
        TG_TR_TAKEN("type", TYPE, TG_TR_STRING),
        TG_TR_TAKEN("function", FUNCTION, TG_TR_OBJECT),
        TG_TR_REFUSED("allowed_tools", NULL, "is not told of a choice"),
        TG_TR_REFUSED("custom", NULL, "has functions only"),
        TG_TR_END
    };
    static const tg_tr_field_t  inner[] = {
        TG_TR_TAKEN("name", 0, TG_TR_STRING), TG_TR_END
    };

    const tg_node_t  *slot[SLOTS];

    if (tg_tr_object(&c->tr, n, outer, slot, SLOTS) != TG_OK
        || tg_tr_need(&c->tr, n, slot[FUNCTION], "function") != TG_OK
        || tg_tr_object(&c->tr, slot[FUNCTION], inner, name, 1) != TG_OK)
    {
        return TG_ERROR;
    }

    return tg_tr_need(&c->tr, slot[FUNCTION], *name, "name");
}


int
tg_chat_choice(tg_chat_t *c, const tg_node_t **name)
{
    static const tg_str_t  words[] = {
        TG_STR("none"), TG_STR("auto"), TG_STR("required")
    };

    const tg_node_t  *n = c->slot[TG_CHAT_TOOL_CHOICE];
    int               i;

    *name = NULL;

    if (n == NULL) {
        return TG_CHAT_CHOICE_AUTO;
    }

    if (n->type == TG_JSON_OBJECT) {
        return tg_chat_named(c, n, name) == TG_OK ? TG_CHAT_CHOICE_NAMED
                                                  : TG_ERROR;
    }

    i = tg_tr_word(n, words, sizeof(words) / sizeof(words[0]));

    return i >= 0 ? i : tg_tr_invalid(&c->tr, n, "must be none, auto or"
                                      " required, or name a function");
}


int
tg_chat_format(tg_chat_t *c, const tg_node_t **schema,
    const tg_node_t **description)
{
    enum { TYPE, JSON_SCHEMA, SLOTS };
    enum { SCHEMA, DESCRIPTION, INNER_SLOTS };

    static const tg_tr_field_t  outer[] = {
        TG_TR_TAKEN("type", TYPE, TG_TR_STRING),
        TG_TR_TAKEN("json_schema", JSON_SCHEMA, TG_TR_OBJECT),
        TG_TR_END
    };
    static const tg_tr_field_t  inner[] = {
        TG_TR_TAKEN("schema", SCHEMA, TG_TR_OBJECT),
        TG_TR_TAKEN("description", DESCRIPTION, TG_TR_STRING),
        TG_TR_DROPPED("name"),          /* that errors would have */
        TG_TR_DROPPED("strict"),        /* it is always strict */
        TG_TR_END
    };
    static const tg_str_t  words[] = {
        TG_STR("text"), TG_STR("json_object"), TG_STR("json_schema")
    };

    const tg_node_t  *n = c->slot[TG_CHAT_FORMAT], *slot[SLOTS];
    const tg_node_t  *in[INNER_SLOTS];
    int               i;

    *schema = *description = NULL;

    if (n == NULL) {
        return TG_CHAT_FORMAT_TEXT;
    }

    if (tg_tr_object(&c->tr, n, outer, slot, SLOTS) != TG_OK
        || tg_tr_need(&c->tr, n, slot[TYPE], "type") != TG_OK)
    {
        return TG_ERROR;
    }

    i = tg_tr_word(slot[TYPE], words, sizeof(words) / sizeof(words[0]));

    if (i < 0) {
        return tg_tr_refused(&c->tr, slot[TYPE],
                             "no such format is known here");
    }

    if (i != TG_CHAT_FORMAT_SCHEMA) {
        return i;
    }

    if (tg_tr_need(&c->tr, n, slot[JSON_SCHEMA], "json_schema") != TG_OK
        || tg_tr_object(&c->tr, slot[JSON_SCHEMA], inner, in, INNER_SLOTS)
           != TG_OK
        || tg_tr_need(&c->tr, slot[JSON_SCHEMA], in[SCHEMA], "schema")
           != TG_OK)
    {
        return TG_ERROR;
    }

    *schema = in[SCHEMA];
    *description = in[DESCRIPTION];

    return i;
}
