/*
 * bench_route.c - what it takes the core to send a call elsewhere.
 *
 *     bench_route [PRICES [KIND CALLS]]
 *
 * Prints what a call of 1 KB takes that is only metered, one whose provider is
 * chosen, one that goes to another model there, and one that is translated for
 * another provider, in nanoseconds with warm caches: medians of rounds; and the
 * of a translated stream's events.  With KIND it makes so many calls of that
 * kind, for a profiler.
 */

#define _GNU_SOURCE

#include "bench_core.h"

#define ROUNDS   15
#define CALLS    2000
#define WORDS    1000           /* events of a stream */
#define STREAMS  6
#define BODY     1024

enum { METERED = 0, PASSED, ROUTED, TRANSLATED, STREAMED, KINDS };

#define TAGS                                                                  \
    { TG_DIRECTIVE_ENABLE, { "on" } },                                        \
    { TG_DIRECTIVE_TAG, { "team", "from=header:x-team" } },                   \
    { TG_DIRECTIVE_TAG, { "session", "from=metadata.session_id" } }

#define WHEN                                                                  \
    "when=input_tokens < 4000 and not tools and not images"                   \
    " and model ~ '^gpt-4o'"

#define OPENAI                                                                \
    { TG_DIRECTIVE_PASS, { "on" } },                                          \
    { TG_DIRECTIVE_PROVIDER, { "openai", "url=http://api.openai.com" } }

#define CLAUDE                                                                \
    { TG_DIRECTIVE_PASS, { "on" } },                                          \
    { TG_DIRECTIVE_PROVIDER, { "claude", "url=http://api.anthropic.com" } },  \
    { TG_DIRECTIVE_ROUTE, { "small", WHEN, "to=claude/claude-haiku-4-5" } }

static const struct {
    const char         *name;
    bench_directive_t   list[8];
} kinds[KINDS] = {
    [METERED] = { "metered", { TAGS } },
    [PASSED] = { "passed", { TAGS, OPENAI } },
    [ROUTED] = { "routed", { TAGS, OPENAI, { TG_DIRECTIVE_ROUTE, { "small",
                             WHEN, "to=openai/gpt-4.1-nano" } } } },
    [TRANSLATED] = { "translated", { TAGS, CLAUDE } },
    [STREAMED] = { "streamed", { TAGS, CLAUDE } }
};

static const char  answer[] =
    "{\"id\":\"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG\",\"object\":\"chat."
    "completion\",\"created\":1741570283,\"model\":\"gpt-4.1-nano-2025-04-14\","
    "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"
    "\"The second plan is the cheaper one.\",\"refusal\":null,\"annotations\":"
    "[]},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_"
    "tokens\":246,\"completion_tokens\":9,\"total_tokens\":255}}";

static const char  message[] =
    "{\"id\":\"msg_01XFDUDYJgAACzvnptvVoYEL\",\"type\":\"message\",\"role\":"
    "\"assistant\",\"model\":\"claude-haiku-4-5-20251001\",\"content\":[{"
    "\"type\":\"text\",\"text\":\"The second plan is the cheaper one.\"}],"
    "\"stop_reason\":\"end_turn\",\"stop_sequence\":null,\"usage\":{\"input_"
    "tokens\":246,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens"
    "\":0,\"output_tokens\":9,\"service_tier\":\"standard\"}}";

static const char  first[] =
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{"
    "\"id\":\"msg_01XFDUDYJgAACzvnptvVoYEL\",\"type\":\"message\",\"role\":"
    "\"assistant\",\"model\":\"claude-haiku-4-5-20251001\",\"content\":[],"
    "\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":"
    "246,\"output_tokens\":1}}}\n\n"
    "event: content_block_start\ndata: {\"type\":\"content_block_start\","
    "\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n";

static const char  word[] =
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\","
    "\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" through\"}}"
    "\n\n";

static const char  last[] =
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\","
    "\"index\":0}\n\n"
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{"
    "\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_"
    "tokens\":1000}}\n\n"
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

static bench_t            benches[KINDS];
static tg_gate_scratch_t  scratch;
static tg_breakers_t      breakers;
static char               body[BODY + 1];
static char               asked[BODY + 16];     /* for a stream */
static char               events[sizeof(first) + WORDS * sizeof(word)
                                 + sizeof(last)];


static void
bench_texts(void)
{
    char               *p = events;
    size_t              n;
    static const char   head[] =
        "{\"model\":\"gpt-4o-mini\",\"messages\":[{\"role\":\"system\","
        "\"content\":\"You are a helpful assistant.\"},{\"role\":\"user\","
        "\"content\":\"Which of the two plans is the cheaper one?\"},"
        "{\"role\":\"assistant\",\"content\":\"Which two?\"},{\"role\":\"user\""
        ",\"content\":\"";
    static const char   tail[] =
        "\"}],\"temperature\":0.2,\"max_tokens\":256,\"user\":\"u-10042\"}";

    n = sizeof(body) - sizeof(tail);
    memset(body, ' ', n);
    memcpy(body, head, sizeof(head) - 1);

    for (size_t i = sizeof(head) - 1; i < n; i++) {
        body[i] = "years and costs, "[i % 17];
    }

    memcpy(body + n, tail, sizeof(tail));
    n = strlen(body) - 1;
    memcpy(asked, body, n);
    memcpy(asked + n, ",\"stream\":true}", sizeof(",\"stream\":true}"));

    p = mempcpy(p, first, sizeof(first) - 1);

    for (int i = 0; i < WORDS; i++) {
        p = mempcpy(p, word, sizeof(word) - 1);
    }

    memcpy(p, last, sizeof(last));
}


static void
bench_setup(const char *prices)
{
    tg_error_t        err;
    tg_arena_t       *arena = tg_arena_create(0);
    tg_price_book_t  *book;

    if (arena == NULL || tg_dialect_setup(tg_arena_mem(arena), &err) != TG_OK
        || (scratch.expr = tg_expr_scratch(tg_arena_mem(arena))) == NULL)
    {
        bench_fail("out of memory");
    }

    book = bench_prices(prices);

    for (int kind = 0; kind < KINDS; kind++) {
        bench_begin(&benches[kind], kinds[kind].list);
        benches[kind].book = book;
        benches[kind].body = tg_strz(kind == STREAMED ? asked : body);
    }
}


/* Where the call went is what its kind says. */
static void
bench_sent(const tg_call_t *call, int kind)
{
    const tg_hop_t  *hop = tg_call_hop(call);

    if ((hop == NULL) != (kind == METERED)
        || (hop != NULL && hop->whole != (kind >= TRANSLATED))
        || (hop != NULL && (hop->edit != NULL) != (kind == ROUTED))
        || (hop == NULL && tg_call_edit(call) != NULL))
    {
        bench_fail("a call went the wrong way");
    }
}


/* step: bytes of the answer that come at once. */
static void
bench_call(int kind, size_t step)
{
    bool           stream = kind == STREAMED;
    size_t         n, len;
    bench_t       *b = &benches[kind];
    tg_now_t       now = { 1764000000000 + (int64_t) b->seq, 1000 };
    tg_gate_t      gate = { .book = b->book, .breakers = &breakers,
                            .scratch = &scratch };
    tg_call_t     *call = bench_create(b, &now);
    tg_header_t    says[TG_SAYS_MAX];
    const char    *p = stream ? events : kind == TRANSLATED ? message : answer;
    tg_refusal_t   refusal;

    if (tg_call_enter(call, &gate, &refusal) != TG_OK) {
        bench_fail("a call was refused");
    }

    tg_call_body(call, b->body.p, b->body.len);

    if (tg_call_admit(call, &gate, &now, &refusal) != TG_OK) {
        bench_fail("a call was refused");
    }

    bench_sent(call, kind);
    (void) tg_call_credentials(call, &says[0]);
    tg_call_sent(call, &gate);
    tg_call_answer(call, 200, stream ? tg_str("text/event-stream")
                                     : tg_str("application/json"), false);
    b->sum += tg_call_says(call, says);

    len = strlen(p);

    for (size_t i = 0; i < len; i += n) {
        n = len - i < step ? len - i : step;

        if (!tg_call_alters(call)) {
            tg_call_feed(call, p + i, n, &now);

        } else if (tg_call_filter(call, p + i, n, &now, bench_out, b)
                   != TG_OK)
        {
            bench_fail("an answer could not be altered");
        }
    }

    if (tg_call_alters(call) && tg_call_filter_end(call, bench_out, b)
                                != TG_OK)
    {
        bench_fail("an answer could not be altered");
    }

    now.mono_ns += 123456789;
    tg_call_finish(call, TG_END_COMPLETE, 200, &gate, &now);
    b->sum += tg_call_line(call, 0, b->line, ++b->seq, TG_LOG_JSON);
    tg_call_free(call);
}


/* Nanoseconds a call, in rounds that alternate between the kinds. */
static void
bench_calls(void)
{
    double  took[KINDS][ROUNDS], start;

    for (int i = 0; i < ROUNDS; i++) {
        for (int kind = METERED; kind <= TRANSLATED; kind++) {
            start = bench_now();

            for (int k = 0; k < CALLS; k++) {
                bench_call(kind, SIZE_MAX);
            }

            took[kind][i] = (bench_now() - start) / CALLS;
        }
    }

    for (int kind = METERED; kind <= TRANSLATED; kind++) {
        printf("bench core_%s_1k %.0f ns/call\n", kinds[kind].name,
               bench_median(took[kind], ROUNDS));
    }

    printf("bench core_routed_memory %zu bytes/call\n", benches[ROUTED].used);
}


static void
bench_events(const char *name, size_t step)
{
    double  took[ROUNDS], start;

    for (int i = 0; i < ROUNDS; i++) {
        start = bench_now();

        for (int k = 0; k < STREAMS; k++) {
            bench_call(STREAMED, step);
        }

        took[i] = (bench_now() - start) / STREAMS / WORDS;
    }

    printf("bench core_events_%s_translated %.0f ns/event\n", name,
           bench_median(took, ROUNDS));
}


static int
bench_profile(const char *name, int calls)
{
    for (int kind = 0; kind < KINDS; kind++) {
        if (strcmp(name, kinds[kind].name) == 0) {
            for (int k = 0; k < calls; k++) {
                bench_call(kind, SIZE_MAX);
            }

            return 0;
        }
    }

    fprintf(stderr, "bench_route: %s: no such kind\n", name);

    return 1;
}


int
main(int argc, char **argv)
{
    bench_texts();
    bench_setup(argc > 1 ? argv[1] : "prices/default.json");

    if (argc > 3) {
        return bench_profile(argv[2], atoi(argv[3]));
    }

    bench_calls();
    bench_events("in_bursts", 65536);
    bench_events("one_by_one", sizeof(word) - 1);

    return benches[ROUTED].sum == 0;
}
