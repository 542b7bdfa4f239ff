#include "tg_bound.h"

#define TG_RERANK_CHUNK  500        /* bytes, fewer than its tokens */
#define TG_RERANK_UNIT   100        /* documents of one search unit */

enum {
    TG_MODEL_SEARCHES = 1,          /* unasked */
    TG_MODEL_STORED,                /* stands for a prompt, too */
    TG_MODEL_APART                  /* see ask.apart */
};

/* What names alone tell: OpenAI's, Perplexity's, OpenRouter's variant, Groq's
 * systems; Bedrock's prompt management; xAI's. */
static const struct {
    tg_str_t  model;
    char      has;                  /* and few others have; looked for first */
    int       is;
} tg_bound_models[] = {
    { TG_STR("*search-preview*"), 'w', TG_MODEL_SEARCHES },
    { TG_STR("*search-api*"), 'h', TG_MODEL_SEARCHES },
    { TG_STR("*deep-research*"), 'd', TG_MODEL_SEARCHES },
    { TG_STR("sonar*"), 's', TG_MODEL_SEARCHES },
    { TG_STR("perplexity/*"), '/', TG_MODEL_SEARCHES },
    { TG_STR("*:online"), ':', TG_MODEL_SEARCHES },
    { TG_STR("*compound*"), 'd', TG_MODEL_SEARCHES },
    { TG_STR("arn:*:prompt/*"), ':', TG_MODEL_STORED },
    { TG_STR("*grok*"), 'k', TG_MODEL_APART }
};


static int64_t
tg_bound_add(int64_t a, int64_t b)
{
    return a < 0 || b < 0 ? TG_BOUND_UNKNOWN : tg_money_add(a, b);
}


static int64_t
tg_bound_times(int64_t a, int64_t n)
{
    int64_t  v;

    if (a < 0 || n < 0) {
        return TG_BOUND_UNKNOWN;
    }

    return __builtin_mul_overflow(a, n, &v) ? INT64_MAX : v;
}


static int64_t
tg_bound_bytes(uint64_t bytes)
{
    return bytes > INT64_MAX ? INT64_MAX : (int64_t) bytes;
}


void
tg_bound_ask_model(tg_bound_ask_t *ask, tg_str_t model)
{
    const size_t  n = sizeof(tg_bound_models) / sizeof(tg_bound_models[0]);

    for (size_t i = 0; i < n && model.len != 0; i++) {
        if (memchr(model.p, tg_bound_models[i].has, model.len) == NULL
            || !tg_str_match(model, tg_bound_models[i].model))
        {
            continue;
        }

        switch (tg_bound_models[i].is) {

        case TG_MODEL_SEARCHES:
            ask->uses = ask->uses == 0 ? -1 : ask->uses;
            break;

        case TG_MODEL_STORED:
            ask->elsewhere = true;
            break;

        default:
            ask->apart = true;
            ask->own_prompt = true;
        }
    }
}


void
tg_bound_ask(tg_bound_ask_t *ask, tg_op_t op, const tg_request_info_t *info,
    bool inspected)
{
    memset(ask, 0, sizeof(tg_bound_ask_t));

    ask->op = op;
    ask->bytes = info->bytes;
    ask->text_bytes = info->text_bytes;
    ask->messages = info->messages;
    ask->media_bytes = info->media_bytes;
    ask->sound_bytes = info->sound_bytes;
    ask->query_bytes = info->query_bytes;
    ask->prediction = info->prediction_bytes;
    ask->sounds = info->sound_bytes != 0;
    ask->pictures = info->pictures;
    ask->elsewhere = info->elsewhere;
    ask->uses = info->uses;
    ask->tools = info->has_tools;
    ask->own_prompt = info->own_prompt;
    ask->inspected = inspected && op != TG_OP_UNKNOWN;
    ask->max_tokens = info->max_tokens;
    ask->thinking = info->thinking_budget;
    ask->answers = info->n;
    ask->tier = info->fast == TG_SAID_SO ? TG_TIER_FAST
                : tg_tier_parse(info->service_tier);

    /* Where it is not said, a setting of the workspace holds. */

    if (info->us != TG_SAID_ELSE) {
        ask->tier |= TG_TIER_US;
    }

    tg_bound_ask_model(ask, info->model);

    for (unsigned i = 0; i < info->nothers; i++) {
        tg_bound_ask_model(ask, info->others[i]);
    }
}


/* Operations that consume nothing of their own. */
static bool
tg_bound_free(tg_op_t op)
{
    return op == TG_OP_COUNT_TOKENS || op == TG_OP_BATCH || op == TG_OP_RETRIEVE
           || op == TG_OP_MODELS;
}


static int64_t
tg_bound_uses(const tg_bound_ask_t *ask)
{
    return ask->uses < 0 ? TG_BOUND_USES : ask->uses;
}


/* The model's window; text that is longer shows that it is listed wrong. */
static int64_t
tg_bound_window(const tg_bound_ask_t *ask)
{
    int64_t  most, text = tg_bound_bytes(ask->text_bytes);

    most = ask->price == NULL ? 0 : tg_price_max_input(ask->price);

    if (most <= 0) {
        return TG_BOUND_UNKNOWN;
    }

    return most > text ? most : text;
}


/* The tokens of so many bytes of a recording. */
static int64_t
tg_bound_seconds(int64_t bytes)
{
    return tg_bound_times(bytes / TG_BOUND_SLOWEST + 1, TG_BOUND_SECOND);
}


/* From what is in the body, where all of it can be counted. */
static int64_t
tg_bound_body(const tg_bound_ask_t *ask)
{
    int64_t  sum, bytes = tg_bound_bytes(ask->bytes);

    if (!ask->inspected) {
        return TG_BOUND_UNKNOWN;
    }

    switch (ask->op) {

    case TG_OP_TRANSCRIPTION:
        return ask->elsewhere ? TG_BOUND_UNKNOWN
               : tg_bound_add(tg_bound_bytes(ask->text_bytes),
                              tg_bound_seconds(bytes));

    case TG_OP_IMAGE:
        return tg_bound_add(tg_bound_bytes(ask->pictures != 0 ? ask->text_bytes
                                                              : ask->bytes),
                            tg_bound_add(TG_BOUND_BASE,
                                         tg_bound_times(ask->pictures < 0
                                                        ? TG_BOUND_CHANGED
                                                        : ask->pictures,
                                                        TG_BOUND_MADE)));

    default:
        break;
    }

    if (ask->elsewhere || ask->pictures < 0) {
        return TG_BOUND_UNKNOWN;
    }

    if (ask->media_bytes < ask->bytes) {
        bytes -= tg_bound_bytes(ask->media_bytes);
    }

    sum = tg_bound_add(bytes, TG_BOUND_BASE);
    sum = tg_bound_add(sum, tg_bound_times(ask->messages, TG_BOUND_MESSAGE));
    sum = tg_bound_add(sum, ask->tools ? TG_BOUND_TOOLS : 0);
    sum = tg_bound_add(sum, ask->own_prompt ? TG_BOUND_OWN : 0);
    sum = tg_bound_add(sum, tg_bound_times(tg_bound_bytes(ask->query_bytes),
                                           ask->messages));
    sum = tg_bound_add(sum, ask->sound_bytes != 0
                       ? tg_bound_seconds(tg_bound_bytes(ask->sound_bytes))
                       : 0);

    return tg_bound_add(sum, tg_bound_times(ask->pictures, TG_BOUND_PICTURE));
}


bool
tg_bound_text(const tg_bound_ask_t *ask)
{
    return ask->inspected && !ask->elsewhere && ask->pictures == 0
           && !ask->sounds && ask->op != TG_OP_TRANSCRIPTION;
}


static int64_t
tg_bound_input(const tg_bound_ask_t *ask)
{
    int64_t  sum = tg_bound_body(ask), window = tg_bound_window(ask);

    if (sum < 0 || (!tg_bound_text(ask) && window >= 0 && window < sum)) {
        sum = window;
    }

    if (ask->uses != 0 && sum >= 0) {
        window = window >= 0 && sum > window ? sum : window;
        sum = tg_bound_add(sum, tg_bound_times(window, tg_bound_uses(ask)));
    }

    return sum;
}


/* The most that the model gives of itself. */
static int64_t
tg_bound_most(const tg_bound_ask_t *ask)
{
    int64_t  most = ask->price != NULL ? tg_price_max_output(ask->price) : 0;

    if (most > 0) {
        return most;
    }

    return ask->default_output > 0 ? ask->default_output : TG_BOUND_OUTPUT;
}


static int64_t
tg_bound_each(const tg_bound_ask_t *ask)
{
    int64_t  most;

    switch (ask->op) {

    case TG_OP_EMBEDDINGS:
    case TG_OP_RERANK:
    case TG_OP_MODERATION:
    case TG_OP_CACHE:
        return 0;

    default:
        break;
    }

    if (ask->max_tokens > 0) {
        return ask->thinking > ask->max_tokens
               ? tg_bound_add(ask->max_tokens, ask->thinking)
               : ask->max_tokens;
    }

    if (ask->op == TG_OP_IMAGE) {
        return TG_BOUND_MADE;
    }

    most = tg_bound_most(ask);

    return ask->thinking > most ? tg_bound_add(most, ask->thinking) : most;
}


static int64_t
tg_bound_answers(const tg_bound_ask_t *ask)
{
    int64_t  n = ask->answers > 0 ? ask->answers : 1;

    /* each prompt of a list is completed n times */

    if (ask->op == TG_OP_TEXT_COMPLETION && ask->messages > 1) {
        n = tg_bound_times(n, ask->messages);
    }

    return n;
}


/* The most milliseconds that so many bytes can play. */
static int64_t
tg_bound_length(int64_t bytes)
{
    return tg_bound_times(bytes / TG_BOUND_SLOWEST + 1, 1000);
}


/* Of all answers; each turn of server-side tools may write as much. */
static int64_t
tg_bound_output(const tg_bound_ask_t *ask, int64_t each, int64_t answers)
{
    int64_t  n = tg_bound_add(each, tg_bound_bytes(ask->prediction));

    if (ask->apart && ask->max_tokens > 0) {
        n = tg_bound_add(n, tg_bound_most(ask));
    }

    n = tg_bound_times(n, answers);

    return ask->uses == 0 ? n
           : tg_bound_times(n, tg_bound_add(tg_bound_uses(ask), 1));
}


/* What is charged by the piece, without the fee by the request. */
static int64_t
tg_bound_pieces(const tg_bound_ask_t *ask, int64_t answers)
{
    int64_t     bytes = tg_bound_bytes(ask->bytes);
    tg_usage_t  u;

    tg_usage_init(&u);
    u.web_searches = tg_bound_uses(ask);
    u.web_fetches = u.web_searches;
    u.search_units = u.web_searches;
    u.pages = TG_BOUND_PAGES;

    if (ask->sounds) {
        u.duration_ms = tg_bound_length(bytes);
    }

    switch (ask->op) {

    case TG_OP_IMAGE:
        u.images = answers;
        break;

    case TG_OP_EMBEDDINGS:
        u.images = ask->pictures < 0 ? bytes / TG_BOUND_SLOWEST + 1
                                     : ask->pictures;
        break;

    case TG_OP_RERANK:
        u.search_units = (ask->messages + bytes / TG_RERANK_CHUNK)
                         / TG_RERANK_UNIT + 1;
        break;

    case TG_OP_SPEECH:
        u.characters = bytes;
        break;

    case TG_OP_TRANSCRIPTION:
        u.duration_ms = tg_bound_length(bytes);
        break;

    default:
        break;
    }

    return tg_price_pieces(ask->price, &u, ask->tier);
}


static int64_t
tg_bound_cost(const tg_bound_ask_t *ask, int64_t input, int64_t output,
    int64_t answers)
{
    if (ask->price == NULL || input < 0
        || (ask->elsewhere && ask->op == TG_OP_TRANSCRIPTION))
    {
        return TG_BOUND_UNKNOWN;
    }

    return tg_bound_add(tg_price_bound(ask->price, input, output, ask->tier),
                        tg_bound_pieces(ask, answers));
}


void
tg_bound(const tg_bound_ask_t *ask, tg_bound_t *bound)
{
    memset(bound, 0, sizeof(tg_bound_t));

    if (tg_bound_free(ask->op)) {
        return;
    }

    bound->answers = tg_bound_answers(ask);
    bound->each = tg_bound_each(ask);
    bound->input = tg_bound_input(ask);
    bound->output = tg_bound_output(ask, bound->each, bound->answers);
    bound->cost = tg_bound_cost(ask, bound->input, bound->output,
                                bound->answers);
}


void
tg_bound_likely(const tg_bound_ask_t *ask, const tg_bound_t *bound,
    int64_t input, int64_t each, tg_bound_t *likely)
{
    int64_t  v;

    *likely = *bound;

    if (input >= 0 && input < bound->input) {
        likely->input = input;
    }

    if (each >= 0 && each < bound->each) {
        likely->each = each;
        v = tg_bound_times(each, bound->answers);
        likely->output = v < bound->output ? v : bound->output;
    }

    if (bound->cost > 0) {
        v = tg_bound_cost(ask, likely->input, likely->output, bound->answers);
        likely->cost = v >= 0 && v < bound->cost ? v : bound->cost;
    }
}


static bool
tg_bound_fits(const tg_bound_ask_t *ask, const tg_bound_t *bound, int64_t each,
    int64_t nusd, int64_t output)
{
    int64_t  cost, most = tg_bound_output(ask, each, bound->answers);

    if (most < 0 || most > output) {
        return false;
    }

    if (nusd == INT64_MAX) {
        return true;
    }

    cost = tg_bound_cost(ask, bound->input, most, bound->answers);

    return cost >= 0 && cost <= nusd;
}


int64_t
tg_bound_fit(const tg_bound_ask_t *ask, const tg_bound_t *bound, int64_t nusd,
    int64_t output)
{
    int64_t         low = 0, high = bound->each, half;
    tg_bound_ask_t  less = *ask;

    if (tg_bound_fits(ask, bound, bound->each, nusd, output)) {
        return bound->each;
    }

    while (low < high) {
        half = high - (high - low) / 2;
        less.max_tokens = half;

        if (tg_bound_fits(&less, bound, tg_bound_each(&less), nusd, output)) {
            low = half;

        } else {
            high = half - 1;
        }
    }

    return low;
}
