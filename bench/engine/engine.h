/*
 * engine.h - an inference server without a GPU: what it answers costs the time
 * that a model of continuous batching says.
 *
 *     engine port=8000 ctl=8001 [<name>=<value> ...]
 *
 * Names and defaults are in conf.c.  Times of the model are divided by speed=.
 * What it is made to do wrong is set in the same words, by a POST of lines to
 * the port ctl=; GET there gives counts as JSON.
 *
 * The model is that of vLLM's scheduler (V1): in each step every sequence that
 * runs has one token decoded or a chunk of its prompt read, within a budget of
 * tokens; new ones join while there are seats and blocks of KV cache; where
 * blocks run out the youngest is put back and read again.  Full ones are found
 * by the hash of all tokens up to their end, and kept while there is room.
 *
 * A token is a word.  A call writes min_tokens, or else max_tokens.
 */

#ifndef ENGINE_H
#define ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EN_BLOCK        16              /* tokens of a block */
#define EN_MODEL_MAX    128
#define EN_BODY_MAX     (8 * 1024 * 1024)
#define EN_OUT_MAX      (4 * 1024 * 1024)
#define EN_SHARE_MAGIC  UINT64_C(0x656e67696e653031)

/* --- conf.c --- */

typedef enum { EN_VLLM = 0, EN_SGLANG, EN_LLAMACPP } en_type_t;

typedef enum {
    EN_PAGE_OK = 0, EN_PAGE_FAIL, EN_PAGE_GARBAGE, EN_PAGE_OFF, EN_PAGE_HANG,
    EN_PAGE_HUGE
} en_page_mode_t;

typedef enum {
    EN_RESET_OFF = 0, EN_RESET_ACCEPT, EN_RESET_REQUEST, EN_RESET_STREAM
} en_reset_t;

typedef struct {
    /* what it is */
    long        port, ctl;
    long        type;                   /* en_type_t */
    char        model[EN_MODEL_MAX];
    char        log[4096];              /* arrivals; or empty */
    char        share[4096];            /* en_share_t; or empty */
    double      speed;
    long        seqs;                   /* most that run */
    long        budget;                 /* tokens of a step */
    long        blocks;                 /* of KV cache */
    double      base_us;                /* of a step */
    double      decode_us;              /* of a step, for each that decodes */
    double      prefill_us;             /* for each token of a prompt */
    double      context_us;             /* for 1000 tokens of KV read */
    long        interval;               /* tokens of an event of a stream */
    long        prefix;                 /* 0: no prefix cache */

    /* what is wrong */
    long        hang;                   /* accepts, never answers */
    long        stall;                  /* answers, but generates nothing */
    long        loading;                /* ms from now */
    long        health;                 /* status; 200 */
    long        health_ms;              /* is answered after */
    long        metrics;                /* en_page_mode_t */
    long        metrics_ms;
    long        stale;                  /* ms for which a page is kept */
    long        old;                    /* names of metrics before 2025 */
    long        sleeping;               /* level */
    long        full;                   /* 503 when so many wait; 0: never */
    long        full_as;                /* the status of that */
    long        error;                  /* status of every call; 0: none */
    long        reset;                  /* en_reset_t */
    long        refuse;                 /* does not listen */
    long        die;                    /* at once */
} en_conf_t;

extern en_conf_t  en_conf;

/* "name=value"; a sentence where it can't be, else NULL. */
const char *en_set(const char *word);

/* --- kv.c --- */

typedef struct en_block_s  en_block_t;

typedef struct {
    uint32_t     n, nfree;
    en_block_t  *blocks;                /* 1 to n */
    uint32_t    *buckets;
    uint32_t     mask;
} en_kv_t;

int en_kv_init(en_kv_t *kv, uint32_t blocks);
uint32_t en_kv_take(en_kv_t *kv);                       /* 0: none is free */
uint32_t en_kv_find(en_kv_t *kv, uint64_t hash);        /* 0: not there */
bool en_kv_has(const en_kv_t *kv, uint64_t hash);
void en_kv_name(en_kv_t *kv, uint32_t block, uint64_t hash);
void en_kv_drop(en_kv_t *kv, uint32_t block);

/* --- ask.c --- */

typedef struct {
    bool       stream;
    bool       usage;                   /* stream_options.include_usage */
    unsigned   max_tokens;              /* 0: not said */
    unsigned   min_tokens;
    unsigned   ntokens;                 /* of the prompt */
    uint64_t   chain;                   /* hash of all of them */
    uint64_t  *hashes;                  /* at each block's end; malloc's */
    size_t     nhashes, room;
} en_ask_t;

/* 0, or -1: that is no JSON.  hashes are to be freed. */
int en_ask_read(en_ask_t *ask, const char *p, size_t n);

/* One more token, as a word. */
int en_ask_token(en_ask_t *ask, const char *word, size_t n);

/* --- model.c --- */

typedef struct en_seq_s  en_seq_t;

struct en_seq_s {
    uint64_t    id;
    void       *conn;                   /* http.c's */
    en_ask_t    ask;                    /* hashes grow as it writes */
    unsigned    prompt, output;         /* tokens */
    unsigned    made;                   /* of output */
    unsigned    computed;               /* of both */
    unsigned    cached;                 /* of the prompt, when it began */
    unsigned    part;                   /* of this step */
    unsigned    named;                  /* blocks that have a name */
    bool        decodes;
    bool        runs;
    uint32_t   *blocks;
    unsigned    nblocks;
    int64_t     arrived, began, first, last;            /* ns; 0: not yet */
    en_seq_t   *prev, *next;
};

typedef struct {
    en_seq_t  *head, *tail;
    unsigned   n;
} en_list_t;

typedef struct {
    en_list_t  running, waiting;
    en_kv_t    kv;
    bool       busy;                    /* a step is under way */
    int64_t    step_ends;
    unsigned   step_tokens;
    uint64_t   next_id;
    uint64_t   steps, preempted;
    uint64_t   prompt_tokens, output_tokens;
    uint64_t   queries, hits;           /* of the prefix cache, in tokens */
    int64_t    busy_ns;                 /* in steps */
    int64_t    late_ns, late_max;       /* steps that ended late: is this
                                           process short of CPU? */
} en_model_t;

extern en_model_t  en_model;

int en_model_init(void);
en_seq_t *en_model_add(void *conn, en_ask_t *ask, int64_t now);
void en_model_abort(en_seq_t *seq, int64_t now);
void en_model_run(int64_t now);         /* what is due; may call en_wrote() */
int64_t en_model_due(void);             /* INT64_MAX: nothing is */
bool en_model_fits(const en_ask_t *ask);
const char *en_word(const en_seq_t *seq, unsigned i);
unsigned en_output(const en_ask_t *ask);

/* What the least work is known by: for a generator that knows better than any
 * balancer can. */
typedef struct {
    uint64_t  magic;
    int64_t   pid;
    int64_t   work_ns;                  /* of all that it has, at its speed, and
                                           seats times what one is waited for */
    int64_t   running, waiting, kv_ppm;
    int64_t   steps, late_ns, late_max_ns, busy_ns;
    int64_t   prompt_tokens, output_tokens, queries, hits, preempted;
    int64_t   prefill_ns;               /* of a token, at its speed */
} en_share_t;

void en_share(void);

/* --- page.c --- */

typedef enum {
    EN_H_TTFT = 0, EN_H_ITL, EN_H_TPOT, EN_H_E2E, EN_H_QUEUE, EN_H_INFERENCE,
    EN_H_PREFILL, EN_H_DECODE, EN_H_PROMPT, EN_H_OUTPUT, EN_H_ITERATION,
    EN_H_MAX_TOKENS, EN_H_N, EN_H_COMPUTED, EN_H_HTTP, EN_HISTOGRAMS
} en_histogram_t;

typedef enum { EN_END_LENGTH = 0, EN_END_ABORT, EN_ENDS } en_end_t;

void en_observe(en_histogram_t h, double value);
void en_ended(en_end_t end);
void en_asked(const char *handler, unsigned status);

/* A page; valid until the next. */
const char *en_page(int64_t now, size_t *len);

/* --- http.c --- */

int en_http_listen(long port, bool ctl);        /* fd, or -1 */
void en_http_refuse(bool refuse);
void en_http_event(int fd, uint32_t events, int64_t now);
void en_http_due(int64_t now);
int64_t en_http_next(void);
void en_http_release(void);                     /* hung ones are closed */

/* --- answer.c: what http.c is asked, and model.c writes --- */

typedef struct en_conn_s  en_conn_t;

void en_answer(en_conn_t *c, const char *method, const char *path,
    const char *body, size_t n, int64_t now);
void en_wrote(en_seq_t *seq, bool last);

void en_reply(en_conn_t *c, unsigned status, const char *type,
    const char *body, size_t n);
void en_begin(en_conn_t *c, const char *head);
void en_send(en_conn_t *c, const char *p, size_t n);
void en_end(en_conn_t *c);              /* the answer is complete */
void en_break(en_conn_t *c);            /* RST */
void en_delay(en_conn_t *c, int64_t due);
bool en_delayed(const en_conn_t *c);           /* it is asked again */
en_seq_t **en_seq_of(en_conn_t *c);
bool en_is_ctl(const en_conn_t *c);

/* --- main.c --- */

extern int      en_epoll;
extern int64_t  en_started;             /* ns */
extern int64_t  en_loaded;              /* ns; when its model is there */

int64_t en_now(void);
void en_log(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool en_frozen(void);                   /* no step is made */

#endif /* ENGINE_H */
