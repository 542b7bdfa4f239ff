#include "tg_price_int.h"

#define TG_PRICE_PREFIXES  2
#define TG_PRICE_NAMES     6
#define TG_PRICE_KEYS      (TG_PRICE_NAMES * (TG_PRICE_PREFIXES + 2))

typedef struct {
    tg_str_t  provider;
    tg_str_t  prefixes[TG_PRICE_PREFIXES];
} tg_price_prefix_t;

#define TG_ROW(provider, one, two)                                            \
    { TG_STR(provider), { TG_STR(one), TG_STR(two) } }

/*
 * What LiteLLM's keys begin with, where that is not the provider's name.  The
 * bare model follows in any case.  In order of the provider's first letter.
 */
static const tg_price_prefix_t  tg_price_prefixes[] = {
    TG_ROW("alibaba",            "dashscope/", ""),
    TG_ROW("alibaba_cloud",      "dashscope/", ""),
    TG_ROW("aws.bedrock",        "bedrock/", "bedrock_mantle/"),
    TG_ROW("azure",              "azure_ai/", ""),
    TG_ROW("azure.ai.inference", "azure_ai/", "azure/"),
    TG_ROW("azure.ai.openai",    "azure/", "azure_ai/"),
    TG_ROW("bedrock",            "bedrock_mantle/", ""),
    TG_ROW("cohere",             "cohere_chat/", ""),
    TG_ROW("fireworks",          "fireworks_ai/",
                                 "fireworks_ai/accounts/fireworks/models/"),
    TG_ROW("fireworks_ai",       "fireworks_ai/accounts/fireworks/models/",
                                 ""),
    TG_ROW("friendli",           "friendliai/", ""),
    TG_ROW("gcp.gemini",         "gemini/", ""),
    TG_ROW("gcp.gen_ai",         "gemini/", "vertex_ai/"),
    TG_ROW("gcp.vertex_ai",      "vertex_ai/", ""),
    TG_ROW("hugging_face",       "huggingface/", ""),
    TG_ROW("ibm.watsonx.ai",     "watsonx/", ""),
    TG_ROW("jina",               "jina_ai/", ""),
    TG_ROW("lambda",             "lambda_ai/", ""),
    TG_ROW("mistral_ai",         "mistral/", "codestral/"),
    TG_ROW("moonshot_ai",        "moonshot/", ""),
    TG_ROW("nvidia",             "nvidia_nim/", ""),
    TG_ROW("qwen",               "dashscope/", ""),
    TG_ROW("together",           "together_ai/", ""),
    TG_ROW("vercel",             "vercel_ai_gateway/", ""),
    TG_ROW("vercel_gateway",     "vercel_ai_gateway/", ""),
    TG_ROW("vertex",             "vertex_ai/", ""),
    TG_ROW("voyage_ai",          "voyage/", ""),
    TG_ROW("x_ai",               "xai/", ""),
    TG_ROW("z_ai",               "zai/", "")
};

/* Bedrock's inference profiles: "us.anthropic.claude-...". */
static const tg_str_t  tg_price_regions[] = {
    TG_STR("us."), TG_STR("eu."), TG_STR("apac."), TG_STR("global."),
    TG_STR("us-gov."), TG_STR("jp."), TG_STR("au."), TG_STR("ca."),
    TG_STR("sa.")
};

#define TG_PRICE_REGION_MAX  8      /* bytes of the longest */

typedef struct {
    tg_str_t  names[TG_PRICE_NAMES];        /* the model's spellings */
    size_t    nsame;                        /* that mean just this model */
    size_t    nnames;                       /* and looser ones */
    tg_str_t  prefixes[TG_PRICE_PREFIXES + 1];
    size_t    nprefixes;
    char      dated[TG_PRICE_NAME_MAX];
    tg_str_t  keys[TG_PRICE_KEYS];          /* those tried so far, in text */
    size_t    nkeys;
    size_t    used;
    char      text[TG_PRICE_KEYS * 128];
} tg_price_search_t;


static bool
tg_price_is_date(const char *p)
{
    for (size_t i = 0; i < 8; i++) {
        if (p[i] < '0' || p[i] > '9') {
            return false;
        }
    }

    return p[0] == '2' && p[1] == '0';
}


static void
tg_price_add_name(tg_price_search_t *s, tg_str_t name)
{
    if (name.len != 0 && name.len <= TG_PRICE_NAME_MAX
        && s->nnames < TG_PRICE_NAMES)
    {
        s->names[s->nnames++] = name;
    }
}


/* "x@20250514" for "x-20250514", and the other way round. */
static void
tg_price_add_dated(tg_price_search_t *s, tg_str_t name)
{
    char  *mark;

    if (name.len < 10 || name.len > sizeof(s->dated)
        || !tg_price_is_date(name.p + name.len - 8))
    {
        return;
    }

    memcpy(s->dated, name.p, name.len);
    mark = s->dated + name.len - 9;

    if (*mark == '@') {
        *mark = '-';

    } else if (*mark == '-') {
        *mark = '@';

    } else {
        return;
    }

    tg_price_add_name(s, tg_str_of(s->dated, name.len));
}


static tg_str_t
tg_price_without_region(tg_str_t model)
{
    size_t  i, n = sizeof(tg_price_regions) / sizeof(tg_price_regions[0]);

    if (model.len == 0
        || memchr(model.p, '.', model.len < TG_PRICE_REGION_MAX
                                ? model.len : TG_PRICE_REGION_MAX)
           == NULL)
    {
        return tg_str_null;
    }

    for (i = 0; i < n; i++) {
        if (tg_str_starts(model, tg_price_regions[i])) {
            return tg_str_of(model.p + tg_price_regions[i].len,
                             model.len - tg_price_regions[i].len);
        }
    }

    return tg_str_null;
}


/*
 * Vertex' endpoint in OpenAI's shape has "google/gemini-2.5-flash":
 * https://cloud.google.com/vertex-ai/generative-ai/docs/start/openai
 */
static tg_str_t
tg_price_without_publisher(tg_str_t provider, tg_str_t model)
{
    static const tg_str_t  publishers[] = {
        TG_STR("google/"), TG_STR("publishers/google/models/")
    };

    if (!tg_str_eq(provider, tg_str("gcp.vertex_ai"))
        && !tg_str_eq(provider, tg_str("vertex")))
    {
        return tg_str_null;
    }

    for (size_t i = 0; i < sizeof(publishers) / sizeof(publishers[0]); i++) {
        if (tg_str_starts(model, publishers[i])) {
            return tg_str_of(model.p + publishers[i].len,
                             model.len - publishers[i].len);
        }
    }

    return tg_str_null;
}


static void
tg_price_spell(tg_price_search_t *s, tg_str_t provider, tg_str_t model)
{
    const char  *colon;
    tg_str_t     base, prefix = tg_str("models/"), tuned = tg_str("ft:");

    s->nnames = 0;

    if (tg_str_starts(model, tg_str("arn:"))) {
        for (size_t i = model.len; i > 0; i--) {
            if (model.p[i - 1] == '/') {
                model = tg_str_of(model.p + i, model.len - i);
                break;
            }
        }
    }

    tg_price_add_name(s, model);

    if (tg_str_starts(model, prefix)) {
        base = tg_str_of(model.p + prefix.len, model.len - prefix.len);
        tg_price_add_name(s, base);
    }

    tg_price_add_name(s, tg_price_without_publisher(provider, model));
    tg_price_add_dated(s, model);
    s->nsame = s->nnames;

    if (tg_str_starts(model, tuned)) {
        colon = memchr(model.p + tuned.len, ':', model.len - tuned.len);

        if (colon != NULL) {
            tg_price_add_name(s, tg_str_of(model.p,
                                           (size_t) (colon - model.p)));
        }
    }

    tg_price_add_name(s, tg_price_without_region(model));
}


static void
tg_price_add_prefix(tg_price_search_t *s, tg_str_t prefix)
{
    s->prefixes[s->nprefixes++] = prefix;
}


/* The first row from which on a provider with this letter may be. */
static size_t
tg_price_prefix_row(char letter)
{
    size_t  low = 0, middle;
    size_t  high = sizeof(tg_price_prefixes) / sizeof(tg_price_prefixes[0]);

    while (low < high) {
        middle = (low + high) / 2;

        if (tg_price_prefixes[middle].provider.p[0] < letter) {
            low = middle + 1;

        } else {
            high = middle;
        }
    }

    return low;
}


/* `own` has room for the provider's name and a '/'. */
static void
tg_price_prefix(tg_price_search_t *s, tg_str_t provider, char *own)
{
    const size_t              rows = sizeof(tg_price_prefixes)
                                     / sizeof(tg_price_prefixes[0]);
    const tg_price_prefix_t  *row;

    s->nprefixes = 0;

    if (provider.len == 0 || provider.len >= TG_PRICE_NAME_MAX) {
        return;
    }

    memcpy(own, provider.p, provider.len);
    own[provider.len] = '/';
    tg_price_add_prefix(s, tg_str_of(own, provider.len + 1));

    for (row = tg_price_prefixes + tg_price_prefix_row(provider.p[0]);
         row < tg_price_prefixes + rows
         && row->provider.p[0] == provider.p[0];
         row++)
    {
        if (!tg_str_eq(provider, row->provider)) {
            continue;
        }

        for (size_t i = 0; i < TG_PRICE_PREFIXES; i++) {
            if (row->prefixes[i].len != 0) {
                tg_price_add_prefix(s, row->prefixes[i]);
            }
        }

        break;
    }
}


/* Its bytes only where somebody is going to look at them.  False where there is
 * no room. */
static bool
tg_price_add_key(tg_price_search_t *s, tg_str_t prefix, tg_str_t name,
    bool bytes)
{
    char    *p = s->text + s->used;
    size_t   len = prefix.len + name.len;

    if (len > TG_PRICE_NAME_MAX || len > sizeof(s->text) - s->used
        || s->nkeys == TG_PRICE_KEYS)
    {
        return false;
    }

    if (bytes) {
        memcpy(p, prefix.p, prefix.len);
        memcpy(p + prefix.len, name.p, name.len);
    }

    s->keys[s->nkeys++] = tg_str_of(p, len);
    s->used += len;

    return true;
}


/*
 * The spellings that mean just this model with each prefix, the same bare; then
 * the looser ones likewise.
 */
static const tg_price_t *
tg_price_find_exact(tg_price_search_t *s, const tg_price_book_t *book)
{
    bool               listed, wild = tg_price_wild(book) != NULL;
    size_t             end = s->nsame;
    tg_str_t           prefix;
    const tg_price_t  *price;

    for (size_t first = 0; first < s->nnames; first = end, end = s->nnames) {

        for (size_t k = 0; k <= s->nprefixes; k++) {
            prefix = k < s->nprefixes ? s->prefixes[k] : tg_str("");
            listed = k == s->nprefixes || tg_price_starts(book, prefix);

            for (size_t i = first; i < end; i++) {
                if (!tg_price_add_key(s, prefix, s->names[i], listed || wild)
                    || !listed)
                {
                    continue;
                }

                price = tg_price_get(book, s->keys[s->nkeys - 1]);

                if (price != NULL) {
                    return price;
                }
            }
        }
    }

    return NULL;
}


static const tg_price_t *
tg_price_find_wild(const tg_price_search_t *s, const tg_price_book_t *book)
{
    tg_str_t                key;
    const tg_price_wild_t  *w;

    for (w = tg_price_wild(book); w != NULL; w = w->next) {

        for (size_t i = 0; i < s->nkeys; i++) {
            key = s->keys[i];

            if (tg_str_starts(key, w->start)
                && tg_str_match(key, w->price->id))
            {
                return w->price;
            }
        }
    }

    return NULL;
}


static const tg_price_t *
tg_price_search(const tg_price_book_t *book, tg_str_t provider, tg_str_t model)
{
    char                own[TG_PRICE_NAME_MAX];
    const tg_price_t   *price;
    tg_price_search_t   s;

    tg_price_spell(&s, provider, model);
    tg_price_prefix(&s, provider, own);

    s.nkeys = 0;
    s.used = 0;

    price = tg_price_find_exact(&s, book);

    return price != NULL ? price : tg_price_find_wild(&s, book);
}


const tg_price_t *
tg_price_find(const tg_price_book_t *book, tg_str_t provider, tg_str_t model)
{
    tg_price_memo_t   *memo = tg_price_book_memo(book);
    const tg_price_t  *price = tg_price_memo_find(memo, provider, model);

    if (price == NULL) {
        price = tg_price_search(book, provider, model);

        if (price != NULL) {
            tg_price_memo_add(memo, provider, model, price);
        }
    }

    return price;
}


const tg_price_t *
tg_price_next(const tg_price_book_t *book, const tg_price_t *price)
{
    return price == NULL ? tg_price_first(book) : price->next;
}


bool
tg_price_bare(tg_str_t provider, tg_str_t id, tg_str_t *model)
{
    char               own[TG_PRICE_NAME_MAX];
    tg_str_t           prefix;
    tg_price_search_t  s;

    *model = id;

    tg_price_prefix(&s, provider, own);

    for (size_t i = 0; i < s.nprefixes; i++) {
        prefix = s.prefixes[i];

        if (id.len > prefix.len && tg_str_starts(id, prefix)) {
            *model = tg_str_of(id.p + prefix.len, id.len - prefix.len);
            return true;
        }
    }

    return false;
}


tg_str_t
tg_price_id(const tg_price_t *price)
{
    return price->id;
}


int64_t
tg_price_max_input(const tg_price_t *price)
{
    return price->max_input;
}


int64_t
tg_price_max_output(const tg_price_t *price)
{
    return price->max_output;
}
