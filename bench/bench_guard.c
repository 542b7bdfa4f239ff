/*
 * Guards over a prompt: microseconds a call.
 *
 *     bench_guard [bytes of the prompt]
 *
 * Twenty regexes such as people write, none of which matches; the kinds of
 * personal data; and what it takes to read the prompt out of its body.
 */

#define _GNU_SOURCE

#include "tg_guard_regex.h"
#include "tg_pii.h"
#include "tg_prompt.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS   200
#define REGEXES  20

static const char *const  regexes[REGEXES] = {
    "(?i)ignore (all )?previous instructions", "\\bconfidential\\b",
    "(?i)\\bpassword\\s*[:=]", "\\b[A-Z]{2}\\d{6}\\b",
    "(?i)project[- ](falcon|eagle|condor)", "BEGIN RSA",
    "[\\w.]+@corp\\.example", "\\b10\\.\\d+\\.\\d+\\.\\d+\\b",
    "(?i)drop\\s+table", "(?i)(kill|bomb|weapon)s?\\b",
    "customer[_ ]id[\"': ]+\\d+", "\\bEMP-\\d{4,}", "(?i)do anything now",
    "https?://[^\\s]*\\.internal\\b", "(?i)system prompt",
    "\\b\\d{3}-\\d{2}-\\d{4}\\b", "(?i)\\bjailbreak", "eyJ[\\w-]+\\.eyJ",
    "(?i)salary.{0,40}\\d{5}", "(?i)as an? (unrestricted|evil) ai"
};

static const char  words[] =
    "The quick brown fox jumps over the lazy dog near the Riverbank at 10:42, "
    "while Alice writes 3 letters to Bob, who reads them by candle light. ";


static int64_t
now(void)
{
    struct timespec  t;

    (void) clock_gettime(CLOCK_MONOTONIC, &t);

    return (int64_t) t.tv_sec * 1000000000 + t.tv_nsec;
}


static void
tell(const char *what, size_t bytes, int64_t ns)
{
    printf("bench guard_%s_%zuk %.1f us/call\n", what, bytes >> 10,
           (double) ns / 1e3);
}


static int64_t
read_prompt(tg_str_t body, tg_prompt_t *prompt, tg_arena_t **keep)
{
    int64_t      start, best = INT64_MAX;
    tg_error_t   err;
    tg_arena_t  *arena;

    for (int i = 0; i < ROUNDS; i++) {
        arena = tg_arena_create(0);
        start = now();

        if (arena == NULL
            || tg_prompt_read(prompt, tg_arena_mem(arena), body, NULL, 0, &err)
               != TG_OK)
        {
            fprintf(stderr, "bench_guard: %s\n", err.message);
            exit(1);
        }

        start = now() - start;
        best = start < best ? start : best;
        tg_arena_destroy(*keep);
        *keep = arena;
    }

    return best;
}


static int64_t
match_all(tg_str_t text)
{
    size_t        from, to;
    int64_t       start, best = INT64_MAX;
    tg_error_t    err;
    tg_arena_t   *arena = tg_arena_create(0);
    tg_regex_t   *re[REGEXES];
    tg_search_t  *s;

    for (int i = 0; i < REGEXES; i++) {
        re[i] = tg_regex_compile(tg_arena_mem(arena), tg_strz(regexes[i]),
                                 false, &err);
        if (re[i] == NULL) {
            fprintf(stderr, "bench_guard: %s\n", err.message);
            exit(1);
        }
    }

    for (int k = 0; k < ROUNDS; k++) {
        start = now();
        s = tg_search_create(tg_arena_mem(arena), text, now, INT64_MAX);

        for (int i = 0; i < REGEXES; i++) {
            if (s == NULL
                || tg_search_next(s, re[i], 0, &from, &to) != TG_DECLINED)
            {
                fprintf(stderr, "bench_guard: \"%s\" matched\n", regexes[i]);
                exit(1);
            }
        }

        tg_search_destroy(s);
        start = now() - start;
        best = start < best ? start : best;
    }

    for (int i = 0; i < REGEXES; i++) {
        tg_regex_destroy(re[i]);
    }

    tg_arena_destroy(arena);

    return best;
}


static int
found(void *data, tg_pii_t kind, size_t from, size_t to)
{
    (void) kind;
    (void) from;
    (void) to;
    (*(unsigned *) data)++;

    return 0;
}


static int64_t
look_for(tg_str_t text, unsigned kinds)
{
    int64_t   start, best = INT64_MAX;
    unsigned  n = 0;

    for (int i = 0; i < ROUNDS; i++) {
        start = now();
        (void) tg_pii_find(text, 0, text.len, kinds, found, &n);
        start = now() - start;
        best = start < best ? start : best;
    }

    return best;
}


int
main(int argc, char **argv)
{
    char         *body;
    size_t        bytes = argc > 1 ? strtoul(argv[1], NULL, 10) : 20 * 1024;
    size_t        n;
    tg_prompt_t   prompt;
    tg_arena_t   *keep = NULL;

    static const char  head[] = "{\"model\":\"m\",\"messages\":[{\"role\":"
                                "\"user\",\"content\":\"";
    static const char  tail[] = "\"}]}";

    body = malloc(bytes + sizeof(head) + sizeof(tail));

    if (body == NULL || bytes == 0) {
        fprintf(stderr, "bench_guard: %zu bytes?\n", bytes);
        return 1;
    }

    memcpy(body, head, sizeof(head) - 1);
    n = sizeof(head) - 1;

    for (size_t i = 0; i < bytes; i++) {
        body[n++] = words[i % (sizeof(words) - 1)];
    }

    memcpy(body + n, tail, sizeof(tail) - 1);
    n += sizeof(tail) - 1;

    tell("read", n, read_prompt(tg_str_of(body, n), &prompt, &keep));
    tell("20_regexes", prompt.text.len, match_all(prompt.text));
    tell("card_key", prompt.text.len,
         look_for(prompt.text, 1u << TG_PII_CARD | 1u << TG_PII_KEY));
    tell("all_pii", prompt.text.len,
         look_for(prompt.text, (1u << TG_PII_KINDS) - 1));

    tg_arena_destroy(keep);
    free(body);

    return 0;
}
