/*
 * bench_json.c - the JSON scanner beside jansson, on the same texts.
 *
 * Prints lines "bench <name> <value> <unit>", medians of interleaved rounds:
 * GB/s for bodies of 200 KB that come in pieces of 16 KB, ns for small
 * documents.  Both read from memory and look at every byte; jansson builds a
 * tree, the scanner reports the members that a request's or an answer's reading
 * asks for.
 */

#include "tg_json.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BODY    200000
#define PIECE   16384
#define ROUNDS  9
#define WORK    (16 * 1000 * 1000)    /* bytes of each text in each round */

typedef struct {
    const char  *name;
    char        *text;
    size_t       len;
    bool         small;
    double       scanner[ROUNDS];       /* ns per document */
    double       jansson[ROUNDS];
} sample_t;

static const char  *english[] = {
    "The harbour was quiet that morning, and nobody had come down to the "
    "boats yet. ",
    "A good summary names the question first, then the answer, and leaves "
    "out the rest. ",
    "Please compare the three offers below and tell me which of them costs "
    "less over five years. ",
    "It isn't the first time that the committee has put off its decision; "
    "the last one took 14 months. ",
    "Rivers that run north are not rare, whatever the guide may say about "
    "this one. "
};

static const char  *world[] = {
    "\xe6\xb8\xaf\xe5\x8f\xa3\xe6\x97\xa9\xe6\x99\xa8\xe5\xbe\x88\xe5\xae"
    "\x89\xe9\x9d\x99\xef\xbc\x8c\xe8\xbf\x98\xe6\xb2\xa1\xe6\x9c\x89\xe4"
    "\xba\xba\xe5\x88\xb0\xe8\x88\xb9\xe4\xb8\x8a\xe6\x9d\xa5\xe3\x80\x82",
    "\xd0\x93\xd0\xb0\xd0\xb2\xd0\xb0\xd0\xbd\xd1\x8c \xd1\x83\xd1\x82\xd1"
    "\x80\xd0\xbe\xd0\xbc \xd0\xb1\xd1\x8b\xd0\xbb\xd0\xb0 \xd1\x82\xd0\xb8"
    "\xd1\x85\xd0\xb0. ",
    "\xe6\xb8\xaf\xe3\x81\xaf\xe9\x9d\x99\xe3\x81\x8b\xe3\x81\xa7\xe3\x81"
    "\x97\xe3\x81\x9f\xe3\x80\x82",
    "Der Hafen war fr\xc3\xbch noch sehr ruhig. ",
    "\xf0\x9f\x9a\xa2\xf0\x9f\x8c\x8a\xf0\x9f\x98\x80 ",
    "\xd7\x94\xd7\xa0\xd7\x9e\xd7\x9c \xd7\x94\xd7\x99\xd7\x94 \xd7\xa9\xd7"
    "\xa7\xd7\x98. "
};

static const char  *code[] = {
    ("int\\nmain(void)\\n{\\n    printf(\\\"%d\\\\n\\\", 42);\\n    return 0;"
    "\\n}\\n"),
    "\\tif (path == \\\"C:\\\\\\\\temp\\\\\\\\x\\\") {\\r\\n",
    "\\\"name\\\": \\\"\\u6e2f\\u53e3\\u65e9\\u6668\\\",\\n",
    "  \\\"emoji\\\": \\\"\\ud83d\\ude00\\ud83d\\udea2\\\",\\n",
    "re.sub(r\\\"\\\\s+\\\", \\\" \\\", s)\\n\\n"
};

static const char  chat[] =
    "{\"model\":\"gpt-4o-mini\",\"messages\":[{\"role\":\"system\","
    "\"content\":\"You are a helpful assistant.\"},{\"role\":\"user\","
    "\"content\":\"What is the capital of Portugal, and how many people live "
    "there?\"}],\"temperature\":0.7,\"max_tokens\":256,\"stream\":true,"
    "\"stream_options\":{\"include_usage\":true},\"user\":\"u-48213\","
    "\"metadata\":{\"team\":\"search\"}}";

static const char  chunk[] =
    "{\"id\":\"chatcmpl-B1x7Qm2Lr90sVt\",\"object\":\"chat.completion.chunk\","
    "\"created\":1741569952,\"model\":\"gpt-4o-mini-2024-07-18\","
    "\"service_tier\":\"default\",\"system_fingerprint\":\"fp_0705bf87c0\","
    "\"choices\":[{\"index\":0,\"delta\":{\"content\":\" Lisbon\"},"
    "\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}";

static const tg_json_want_t  wants[] = {
    { "model", 1, TG_JSON_MEMBER },
    { "stream", 2, 0 },
    { "max_tokens", 3, 0 },
    { "n", 4, 0 },
    { "user", 5, 0 },
    { "stream_options", 6, TG_JSON_MEMBER | TG_JSON_RAW },
    { "stream_options.include_usage", 7, 0 },
    { "messages[]", 8, 0 },
    { "messages[].content", 9, TG_JSON_COUNT },
    { "messages[].content[].text", 10, TG_JSON_COUNT },
    { "choices[].delta.content", 11, TG_JSON_COUNT },
    { "choices[].finish_reason", 12, 0 },
    { "usage", 13, 0 },
    { "usage.prompt_tokens", 14, 0 },
    { "usage.completion_tokens", 15, 0 },
    { "id", 16, 0 },
    { "tools", 17, 0 }
};

static uint64_t  events;


static int
handler(void *data, const tg_json_event_t *ev)
{
    (void) data;
    events += ev->end;

    return 0;
}


static double
now(void)
{
    struct timespec  t;

    clock_gettime(CLOCK_MONOTONIC, &t);

    return (double) t.tv_sec * 1e9 + (double) t.tv_nsec;
}


static char *
body(const char **parts, size_t nparts, size_t *len)
{
    static const char  head[] = "{\"model\":\"gpt-4o\",\"messages\":[{\"role\":"
                                "\"user\",\"content\":\"";
    static const char  tail[] = "\"}],\"stream\":true}";
    char              *b = malloc(BODY + 1024), *p = b;
    unsigned           seed = 7;

    if (b == NULL) {
        exit(1);
    }

    p += sprintf(p, "%s", head);

    while (p - b < BODY) {
        seed = seed * 1103515245u + 12345u;
        p += sprintf(p, "%s", parts[(seed >> 16) % nparts]);
    }

    p += sprintf(p, "%s", tail);
    *len = (size_t) (p - b);

    return b;
}


static double
run_scanner(const sample_t *b, const tg_json_paths_t *paths)
{
    size_t     times = WORK / b->len, at, n;
    double     begin = now();
    tg_json_t  s;

    for (size_t i = 0; i < times; i++) {
        tg_json_init(&s, paths, 0, handler, NULL);

        for (at = 0; at < b->len; at += n) {
            n = b->len - at < PIECE ? b->len - at : PIECE;
            (void) tg_json_feed(&s, b->text + at, n);
        }

        if (tg_json_finish(&s) != TG_OK) {
            exit(1);
        }
    }

    return (now() - begin) / (double) times;
}


static double
run_jansson(const sample_t *b)
{
    size_t   times = WORK / 16 / b->len;
    double   begin = now();
    json_t  *j;

    for (size_t i = 0; i < times; i++) {
        j = json_loadb(b->text, b->len, 0, NULL);
        if (j == NULL) {
            exit(1);
        }
        json_decref(j);
    }

    return (now() - begin) / (double) times;
}


static int
ascending(const void *a, const void *b)
{
    double  x = *(const double *) a, y = *(const double *) b;

    return (x > y) - (x < y);
}


static void
report(const sample_t *b, const char *who, double *ns)
{
    double  median;

    qsort(ns, ROUNDS, sizeof(double), ascending);
    median = ns[ROUNDS / 2];

    if (b->small) {
        printf("bench json_%s_%s %.0f ns\n", b->name, who, median);
    } else {
        printf("bench json_%s_%s %.2f GB/s\n", b->name, who,
               (double) b->len / median);
    }
}


int
main(void)
{
    sample_t  samples[] = {
        { .name = "english" }, { .name = "utf8" }, { .name = "escapes" },
        { .name = "chat_body", .small = true },
        { .name = "stream_chunk", .small = true }
    };
    size_t            n = sizeof(samples) / sizeof(samples[0]);
    tg_arena_t       *arena = tg_arena_create(0);
    tg_json_paths_t  *paths;
    tg_error_t        err;

    if (arena == NULL) {
        return 1;
    }

    paths = tg_json_paths(tg_arena_mem(arena), wants,
                          sizeof(wants) / sizeof(wants[0]), &err);
    if (paths == NULL) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }

    samples[0].text = body(english, 5, &samples[0].len);
    samples[1].text = body(world, 6, &samples[1].len);
    samples[2].text = body(code, 5, &samples[2].len);
    samples[3].text = strdup(chat);
    samples[3].len = sizeof(chat) - 1;
    samples[4].text = strdup(chunk);
    samples[4].len = sizeof(chunk) - 1;

    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < n; i++) {
            samples[i].scanner[round] = run_scanner(&samples[i], paths);
            samples[i].jansson[round] = run_jansson(&samples[i]);
        }
    }

    for (size_t i = 0; i < n; i++) {
        report(&samples[i], "scanner", samples[i].scanner);
        report(&samples[i], "jansson", samples[i].jansson);
        free(samples[i].text);
    }

    tg_arena_destroy(arena);

    return events == 0;
}
