/*
 * model.c - continuous batching in steps; see engine.h.
 */

#include "engine.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EN_OUTPUT      64           /* tokens, where nobody says */
#define EN_CATCH_UP_NS 50000000     /* a step that late is not made up for */

en_model_t  en_model;

static const char  *en_words[] = {
    "able ", "about ", "after ", "again ", "air ", "also ", "and ", "answer ",
    "are ", "back ", "been ", "before ", "book ", "both ", "but ", "call ",
    "came ", "can ", "city ", "come ", "could ", "day ", "did ", "each ",
    "early ", "earth ", "even ", "every ", "far ", "few ", "find ", "first ",
    "form ", "found ", "from ", "gave ", "give ", "good ", "great ", "group ",
    "hand ", "have ", "here ", "high ", "home ", "how ", "idea ", "into ",
    "just ", "kind ", "know ", "land ", "large ", "last ", "late ", "learn ",
    "left ", "life ", "light ", "like ", "line ", "list ", "long ", "look ",
};


static void
en_append(en_list_t *l, en_seq_t *s)
{
    s->prev = l->tail;
    s->next = NULL;
    *(l->tail ? &l->tail->next : &l->head) = s;
    l->tail = s;
    l->n++;
}


static void
en_prepend(en_list_t *l, en_seq_t *s)
{
    s->prev = NULL;
    s->next = l->head;
    *(l->head ? &l->head->prev : &l->tail) = s;
    l->head = s;
    l->n++;
}


static void
en_remove(en_list_t *l, en_seq_t *s)
{
    *(s->prev ? &s->prev->next : &l->head) = s->next;
    *(s->next ? &s->next->prev : &l->tail) = s->prev;
    l->n--;
}


/* The last ones go first, so that a beginning stays longest. */
static void
en_let_go(en_seq_t *s)
{
    while (s->nblocks != 0) {
        en_kv_drop(&en_model.kv, s->blocks[--s->nblocks]);
    }

    s->computed = 0;
    s->named = 0;
    s->part = 0;
}


static void
en_free(en_seq_t *s)
{
    en_let_go(s);
    free(s->ask.hashes);
    free(s->blocks);
    free(s);
}


unsigned
en_output(const en_ask_t *ask)
{
    if (ask->min_tokens != 0) {
        return ask->max_tokens != 0 && ask->max_tokens < ask->min_tokens
               ? ask->max_tokens : ask->min_tokens;
    }

    return ask->max_tokens != 0 ? ask->max_tokens : EN_OUTPUT;
}


bool
en_model_fits(const en_ask_t *ask)
{
    return (uint64_t) ask->ntokens + en_output(ask) + EN_BLOCK
           <= (uint64_t) en_model.kv.n * EN_BLOCK;
}


const char *
en_word(const en_seq_t *s, unsigned i)
{
    uint64_t  h = (s->id * 64 + i) * UINT64_C(0x9e3779b97f4a7c15);

    return en_words[h >> 58];
}


int
en_model_init(void)
{
    return en_kv_init(&en_model.kv, (uint32_t) en_conf.blocks);
}


en_seq_t *
en_model_add(void *conn, en_ask_t *ask, int64_t now)
{
    en_seq_t  *s = calloc(1, sizeof(en_seq_t));
    size_t     tokens = (size_t) ask->ntokens + en_output(ask);

    if (s == NULL) {
        return NULL;
    }

    s->blocks = calloc(tokens / EN_BLOCK + 2, sizeof(uint32_t));
    if (s->blocks == NULL) {
        free(s);
        return NULL;
    }

    s->id = ++en_model.next_id;
    s->conn = conn;
    s->ask = *ask;
    s->prompt = ask->ntokens;
    s->output = en_output(ask);
    s->arrived = now;
    en_append(&en_model.waiting, s);

    return s;
}


static void
en_leave(en_seq_t *s)
{
    en_remove(s->runs ? &en_model.running : &en_model.waiting, s);
    en_free(s);
}


void
en_model_abort(en_seq_t *s, int64_t now)
{
    (void) now;
    en_ended(EN_END_ABORT);
    en_leave(s);
}


/* Blocks for its first n tokens. */
static bool
en_grow(en_seq_t *s, unsigned n)
{
    unsigned  want = (n + EN_BLOCK - 1) / EN_BLOCK;
    uint32_t  b;

    while (s->nblocks < want) {
        b = en_kv_take(&en_model.kv);
        if (b == 0) {
            return false;
        }
        s->blocks[s->nblocks++] = b;
    }

    return true;
}


/* What is in the cache of its beginning; at least a token is left to do. */
static void
en_match(en_seq_t *s)
{
    uint32_t  b;
    unsigned  total = s->prompt + s->made;

    while (en_conf.prefix && s->nblocks < s->ask.nhashes
           && (s->nblocks + 1) * EN_BLOCK < total)
    {
        b = en_kv_find(&en_model.kv, s->ask.hashes[s->nblocks]);
        if (b == 0) {
            break;
        }
        s->blocks[s->nblocks++] = b;
    }

    s->computed = s->nblocks * EN_BLOCK;
    s->named = s->nblocks;
}


static void
en_preempt(en_seq_t *s)
{
    en_remove(&en_model.running, s);
    en_let_go(s);
    s->runs = false;
    en_prepend(&en_model.waiting, s);
    en_model.preempted++;
}


static unsigned
en_least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}


/* Each of those that run gets its part; false: some were put back. */
static bool
en_plan_running(unsigned *budget)
{
    bool       all = true;
    unsigned   n;
    en_seq_t  *s, *next, *last;

    for (s = en_model.running.head; s != NULL; s = next) {
        n = en_least(s->prompt + s->made - s->computed, *budget);
        s->decodes = s->made != 0 && s->prompt + s->made - s->computed == 1;

        while (n != 0 && !en_grow(s, s->computed + n)) {
            all = false;
            last = en_model.running.tail;
            en_preempt(last);
            if (last == s) {
                return false;
            }
        }

        s->part = n;
        *budget -= n;
        next = s->next;
    }

    return all;
}


static void
en_plan_waiting(unsigned *budget, int64_t now)
{
    unsigned   n;
    en_seq_t  *s;

    while (*budget != 0 && (s = en_model.waiting.head) != NULL
           && en_model.running.n < (unsigned) en_conf.seqs)
    {
        en_match(s);
        n = en_least(s->prompt + s->made - s->computed, *budget);

        if (!en_grow(s, s->computed + n)) {
            en_let_go(s);
            return;
        }

        if (s->began == 0) {
            s->began = now;
            s->cached = s->computed;
            en_model.queries += s->prompt;
            en_model.hits += s->cached;
            en_observe(EN_H_QUEUE, (double) (now - s->arrived) / 1e9);
        }

        s->part = n;
        s->decodes = false;
        s->runs = true;
        *budget -= n;
        en_remove(&en_model.waiting, s);
        en_append(&en_model.running, s);
    }
}


static int64_t
en_scaled(double us)
{
    return (int64_t) (us * 1000 / en_conf.speed);
}


static void
en_step_begin(int64_t start)
{
    double    us = en_conf.base_us;
    unsigned  budget = (unsigned) en_conf.budget;
    int64_t   took;

    if (en_plan_running(&budget)) {
        en_plan_waiting(&budget, start);
    }

    en_model.step_tokens = (unsigned) en_conf.budget - budget;
    en_model.busy = en_model.step_tokens != 0;

    if (!en_model.busy) {
        return;
    }

    for (en_seq_t *s = en_model.running.head; s != NULL; s = s->next) {
        if (s->part == 0) {
            continue;
        }
        us += s->decodes ? en_conf.decode_us
                         : en_conf.prefill_us * (double) s->part;
        us += en_conf.context_us * (double) s->computed / 1000;
    }

    took = en_scaled(us);
    en_model.step_ends = start + took;
    en_model.busy_ns += took;
    en_model.steps++;
    en_observe(EN_H_ITERATION, en_model.step_tokens);
}


static void
en_token(en_seq_t *s, int64_t now)
{
    const char  *word = en_word(s, s->made);
    int64_t      from = s->first ? s->last : s->arrived;
    double       since = (double) (now - from) / 1e9;

    (void) en_ask_token(&s->ask, word, strlen(word) - 1);
    en_model.output_tokens++;
    s->made++;

    if (s->first == 0) {
        s->first = now;
        en_model.prompt_tokens += s->prompt;
        en_observe(EN_H_TTFT, since);
    } else {
        en_observe(EN_H_ITL, since);
    }

    s->last = now;
}


static void
en_finish(en_seq_t *s, int64_t now)
{
    double  e2e = (double) (now - s->arrived) / 1e9;
    double  decode = (double) (s->last - s->first) / 1e9;

    en_observe(EN_H_E2E, e2e);
    en_observe(EN_H_INFERENCE, (double) (now - s->began) / 1e9);
    en_observe(EN_H_PREFILL, (double) (s->first - s->began) / 1e9);
    en_observe(EN_H_DECODE, decode);
    en_observe(EN_H_TPOT, s->made > 1 ? decode / (s->made - 1) : 0);
    en_observe(EN_H_PROMPT, s->prompt);
    en_observe(EN_H_OUTPUT, s->made);
    en_observe(EN_H_MAX_TOKENS, s->ask.max_tokens);
    en_observe(EN_H_COMPUTED, s->prompt - s->cached);
    en_observe(EN_H_N, 1);
    en_ended(EN_END_LENGTH);
}


static void
en_step_end(int64_t now)
{
    bool       last;
    en_seq_t  *s, *next;

    for (s = en_model.running.head; s != NULL; s = next) {
        next = s->next;

        if (s->part == 0) {
            continue;
        }

        s->computed += s->part;
        s->part = 0;

        while (s->named < s->computed / EN_BLOCK
               && s->named < s->ask.nhashes)
        {
            en_kv_name(&en_model.kv, s->blocks[s->named],
                       s->ask.hashes[s->named]);
            s->named++;
        }

        if (s->computed != s->prompt + s->made) {
            continue;
        }

        en_token(s, now);
        last = s->made == s->output;

        if (last) {
            en_finish(s, now);
        }

        en_wrote(s, last);

        if (last) {
            en_leave(s);
        }
    }
}


void
en_model_run(int64_t now)
{
    int64_t  start = now, late;

    if (en_frozen()) {
        return;
    }

    if (en_model.busy) {
        if (now < en_model.step_ends) {
            return;
        }

        late = now - en_model.step_ends;
        en_model.late_ns += late;
        en_model.late_max = late > en_model.late_max ? late : en_model.late_max;
        start = late < EN_CATCH_UP_NS ? en_model.step_ends : now;
        en_model.busy = false;
        en_step_end(start);
    }

    en_step_begin(start);
}


int64_t
en_model_due(void)
{
    if (en_frozen()) {
        return INT64_MAX;
    }

    if (!en_model.busy) {
        return en_model.waiting.n != 0 ? 1 : INT64_MAX;
    }

    return en_model.step_ends;
}
