/*
 * llmctl_explain.h - a call that is only asked about.
 */

#ifndef LLMCTL_EXPLAIN_H
#define LLMCTL_EXPLAIN_H

#include "llmctl_key.h"
#include "llmctl_server.h"

#define PAIRS_MAX  32

typedef struct {
    tg_str_t  name;
    tg_str_t  value;
} pair_t;

/* What the command line says of the call. */
typedef struct {
    const char  *ledger;
    const char  *key;                   /* its secret; "-": on stdin */
    const char  *key_id;
    const char  *path;
    const char  *upstream;
    const char  *client;
    const char  *model;
    const char  *body;                  /* a file's name */
    bool         json;
    unsigned     nheaders;
    pair_t       headers[PAIRS_MAX];
    unsigned     nvariables;
    pair_t       variables[PAIRS_MAX];
} ask_t;

/* One who asks the core. */
typedef struct {
    ask_t             *ask;
    server_t           server;
    tg_price_book_t   *book;
    tg_roster_t       *roster;          /* of --key-id, with another secret */
    char               secret[SECRET_SIZE];
    char               typed[TG_KEY_SECRET_MAX + 3];    /* of stdin */
    char               bearer[TG_KEY_SECRET_MAX + 8];
    tg_gate_scratch_t  scratch;
    tg_gate_look_t     look;
    tg_gate_t          gate;
    tg_scope_t         scope;
    tg_refusal_t       refusal;
    tg_call_t         *call;
    tg_str_t           body;
    json_t            *line;            /* the call's cost line */
} explain_t;

/* llmctl_explain_print.c: the core's answer, for people and for programs. */
void explain_text(const explain_t *x);
void explain_json(const explain_t *x);

#endif /* LLMCTL_EXPLAIN_H */
