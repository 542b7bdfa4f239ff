/*
 * bench_call.c - what the core takes for one call, without any server.
 *
 *     bench_call [PRICES]
 *
 * Prints where the time of a small call goes, and what an event of a stream
 * takes, in nanoseconds with warm caches: medians of rounds.
 */

#define _GNU_SOURCE

#include "bench_core.h"

#define ROUNDS   15
#define CALLS    4000
#define EVENTS   1000
#define STREAMS  12

/* How far a call is taken. */
enum { CREATE = 0, REQUEST, ANSWER, FINISH, COUNT, LINE, STAGES };

static const char  body[] =
    "{\"model\":\"gpt-4o-mini\",\"messages\":[{\"role\":\"system\",\"content\":"
    "\"You are a helpful assistant.\"},{\"role\":\"user\",\"content\":\"Which "
    "of the two plans that I sent you is the cheaper one over three years, and "
    "why?\"}],\"temperature\":0.2,\"max_tokens\":256,\"user\":\"u-10042\","
    "\"metadata\":{\"session_id\":\"b1946ac9-2492-4d23\"}";

static const char  answer[] =
    "{\"id\":\"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG\",\"object\":\"chat."
    "completion\",\"created\":1741570283,\"model\":\"gpt-4o-mini-2024-07-18\","
    "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"
    "\"The second plan is the cheaper one: over three years it saves you the "
    "fee of each year but the first, which is more than the difference of the "
    "rates.\",\"refusal\":null,\"annotations\":[]},\"logprobs\":null,\"finish_"
    "reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":46,\"completion_tokens\":"
    "31,\"total_tokens\":77,\"prompt_tokens_details\":{\"cached_tokens\":0,"
    "\"audio_tokens\":0},\"completion_tokens_details\":{\"reasoning_tokens\":0,"
    "\"audio_tokens\":0,\"accepted_prediction_tokens\":0,\"rejected_prediction_"
    "tokens\":0}},\"service_tier\":\"default\",\"system_fingerprint\":"
    "\"fp_fc9f1d7035\"}";

static const char  event[] =
    "data: {\"id\":\"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG\",\"object\":\"chat"
    ".completion.chunk\",\"created\":1741570283,\"model\":\"gpt-4o-mini-2024-07"
    "-18\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_fc9f1d7035"
    "\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" through\"},"
    "\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n";


static void
bench_setup(bench_t *b, const char *prices)
{
    tg_error_t                err;
    const bench_directive_t  list[] = {
        { TG_DIRECTIVE_ENABLE, { "on" } },
        { TG_DIRECTIVE_TAG, { "team", "from=header:x-team" } },
        { TG_DIRECTIVE_TAG, { "session", "from=metadata.session_id" } },
        { TG_DIRECTIVE_ENABLE, { NULL } }
    };

    if (tg_dialect_setup(tg_arena_mem(tg_arena_create(0)), &err) != TG_OK) {
        bench_fail(err.message);
    }

    bench_begin(b, list);
    b->book = bench_prices(prices);
}


/* tail: of the body. */
static void
bench_request(tg_call_t *call, const char *tail)
{
    tg_now_t      now = { 1764000000000, 1000 };
    tg_gate_t     gate = { 0 };
    tg_refusal_t  refusal;

    tg_call_body(call, body, sizeof(body) - 1);
    tg_call_body(call, tail, strlen(tail));

    if (tg_call_admit(call, &gate, &now, &refusal) != TG_OK) {
        bench_fail("a call was refused");
    }
}


/* What llm_status shows, and what a thread has beside it. */
static tg_tally_t         tally;
static tg_gate_scratch_t  scratch;


static void
bench_call(bench_t *b, int stage)
{
    tg_now_t    now = { 1764000000000 + (int64_t) b->seq, 1000 };
    tg_gate_t   gate = { .book = b->book, .scratch = &scratch,
                         .tally = stage >= COUNT ? &tally : NULL };
    tg_call_t  *call = bench_create(b, &now);

    if (stage >= REQUEST) {
        bench_request(call, "}");
    }

    if (stage >= ANSWER) {
        tg_call_answer(call, 200, tg_str("application/json"), false);
        tg_call_feed(call, answer, sizeof(answer) - 1, &now);
    }

    if (stage >= FINISH) {
        now.mono_ns += 123456789;
        tg_call_finish(call, TG_END_COMPLETE, 200, &gate, &now);
    }

    if (stage >= LINE) {
        b->sum += tg_call_line(call, 0, b->line, ++b->seq, TG_LOG_JSON);
    }
}


/* A stream; each event is fed by itself, or many together. */
static void
bench_stream(bench_t *b, const char *events, size_t size, size_t step,
    bool asked)
{
    size_t      n;
    tg_now_t    now = { 1764000000000, 1000 };
    tg_gate_t   gate = { .book = b->book };
    tg_call_t  *call = bench_create(b, &now);

    bench_request(call, asked ? ",\"stream\":true,\"stream_options\":"
                                "{\"include_usage\":true}}"
                              : ",\"stream\":true}");
    tg_call_answer(call, 200, tg_str("text/event-stream"), false);

    if (tg_call_alters(call) == asked) {
        bench_fail("a stream is not altered as it should be");
    }

    for (size_t i = 0; i < size; i += n) {
        n = size - i < step ? size - i : step;

        if (asked) {
            tg_call_feed(call, events + i, n, &now);

        } else if (tg_call_filter(call, events + i, n, &now, bench_out, b)
                   != TG_OK)
        {
            bench_fail("a stream could not be altered");
        }
    }

    tg_call_finish(call, TG_END_COMPLETE, 200, &gate, &now);
}


static void
bench_small(bench_t *b)
{
    static const char *const  names[STAGES] = {
        "create", "request", "answer", "finish", "count", "line"
    };
    double  took[STAGES][ROUNDS], start, before = 0, now;

    for (int i = 0; i < ROUNDS; i++) {
        for (int stage = 0; stage < STAGES; stage++) {
            start = bench_now();

            for (int k = 0; k < CALLS; k++) {
                bench_call(b, stage);
            }

            took[stage][i] = (bench_now() - start) / CALLS;
        }
    }

    for (int stage = 0; stage < STAGES; stage++) {
        now = bench_median(took[stage], ROUNDS);
        printf("bench core_%s %.0f ns/call\n", names[stage], now - before);
        before = now;
    }

    printf("bench core_small_call %.0f ns/call\n", before);
    printf("bench core_small_memory %zu bytes/call\n", b->used);
}


static void
bench_streams(bench_t *b)
{
    static const struct {
        const char  *name;
        size_t       step;
        bool         asked;
    } kinds[] = {
        { "in_bursts", 65536, true },
        { "one_by_one", sizeof(event) - 1, true },
        { "in_bursts_stripped", 65536, false },
        { "one_by_one_stripped", sizeof(event) - 1, false }
    };

    size_t   size = EVENTS * (sizeof(event) - 1);
    char    *events = malloc(size);
    double   took[ROUNDS], start;

    if (events == NULL) {
        bench_fail("out of memory");
    }

    for (int i = 0; i < EVENTS; i++) {
        memcpy(events + (size_t) i * (sizeof(event) - 1), event,
               sizeof(event) - 1);
    }

    for (size_t kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++) {
        for (int i = 0; i < ROUNDS; i++) {
            start = bench_now();

            for (int k = 0; k < STREAMS; k++) {
                bench_stream(b, events, size, kinds[kind].step,
                             kinds[kind].asked);
            }

            took[i] = (bench_now() - start) / STREAMS / EVENTS;
        }

        printf("bench core_events_%s %.0f ns/event\n", kinds[kind].name,
               bench_median(took, ROUNDS));
    }

    free(events);
}


int
main(int argc, char **argv)
{
    bench_t  *b = calloc(1, sizeof(bench_t));

    if (b == NULL) {
        bench_fail("out of memory");
    }

    bench_setup(b, argc > 1 ? argv[1] : "prices/default.json");
    bench_small(b);
    bench_streams(b);

    return b->sum == 0;
}
