/*
 * tg_expr_parse.h - an expression while it is being compiled, for tg_expr*.c
 * only.  tg_expr_value.c reads literals and symbols, tg_expr_parse.c what
 * stands between them.
 */

#ifndef TG_EXPR_PARSE_H
#define TG_EXPR_PARSE_H

#include "tg_expr_lex.h"

typedef struct {
    tg_mem_t                *mem;
    const tg_expr_symbol_t  *symbols;
    size_t                   nsymbols;
    tg_error_t              *err;
    pcre2_compile_context   *pcre;      /* NULL until the first regex */
    unsigned                 depth;
    unsigned                 nnodes;
    bool                     regex;
    tg_lex_t                 lex;
    tg_expr_node_t           nodes[TG_EXPR_NODES_MAX];
} tg_parse_t;

/* Sets *err, with the caret at `at`; 0. */
#define tg_parse_fail(p, at, ...)                                             \
    ((void) tg_expr_caret((p)->lex.text, at, (p)->err, __VA_ARGS__), 0u)

/* "a number", ... */
const char *tg_expr_type_name(unsigned type);

/* To the next word. */
bool tg_parse_step(tg_parse_t *p);

/* A node's place; in each of these 0 is the failure, and *err is set. */
unsigned tg_parse_node(tg_parse_t *p, tg_expr_op_t op, tg_expr_type_t type,
    size_t at);
unsigned tg_parse_literal(tg_parse_t *p);
unsigned tg_parse_symbol(tg_parse_t *p);

/* Appends to the children; *last is the one before, 0 at first. */
void tg_parse_child(tg_parse_t *p, unsigned parent, unsigned *last,
    unsigned child);

/* Makes what has been read one of `type`, where it may be. */
bool tg_parse_coerce(tg_parse_t *p, unsigned i, unsigned type);

/* The string at hand with its quoted quotes, in mem, with a NUL. */
bool tg_parse_string(tg_parse_t *p, tg_str_t *out);

#endif /* TG_EXPR_PARSE_H */
