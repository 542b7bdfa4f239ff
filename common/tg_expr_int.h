/*
 * tg_expr_int.h - the compiled form of an expression, for tg_expr*.c, and what
 * tg_guard_regex.c shares with them.
 */

#ifndef TG_EXPR_INT_H
#define TG_EXPR_INT_H

#include "tg_expr.h"

#include "tg_regex_watch.h"

typedef enum {
    TG_EXPR_OP_NONE = 0,
    TG_EXPR_OP_OR,          /* of its children, two or more */
    TG_EXPR_OP_AND,
    TG_EXPR_OP_NOT,
    TG_EXPR_OP_EQ,          /* left, right */
    TG_EXPR_OP_NE,
    TG_EXPR_OP_LT,
    TG_EXPR_OP_LE,
    TG_EXPR_OP_GT,
    TG_EXPR_OP_GE,
    TG_EXPR_OP_IN,          /* left, then what it may be */
    TG_EXPR_OP_NOT_IN,
    TG_EXPR_OP_MATCH,       /* left; u.code */
    TG_EXPR_OP_NO_MATCH,
    TG_EXPR_OP_LITERAL,
    TG_EXPR_OP_SYMBOL       /* its arguments */
} tg_expr_op_t;

/* Nodes name each other by their places; 0 is none. */
typedef struct {
    uint8_t     op;
    uint8_t     type;
    uint16_t    symbol;
    uint16_t    first;      /* child */
    uint16_t    next;       /* sibling */
    uint16_t    at;         /* in the text */
    uint16_t    end;
    uintptr_t   handle;
    union {
        bool            b;
        tg_str_t        s;
        pcre2_code     *code;
        struct {
            double      n;
            double      size;       /* the same in 1,024s */
        } number;
    } u;
} tg_expr_node_t;

struct tg_expr_s {
    tg_str_t                 text;
    const tg_expr_symbol_t  *symbols;
    uint16_t                 root;
    uint16_t                 nnodes;
    bool                     regex;
    tg_expr_node_t          *nodes;
};

/* tg_expr_lex.c: *err with the text around `at` and a caret under it. */
int tg_expr_caret(tg_str_t text, size_t at, tg_error_t *err, const char *fmt,
    ...) __attribute__((format(printf, 4, 5)));

/* tg_expr.c: memory of a tg_mem_t, for PCRE2. */
void *tg_expr_pcre_alloc(size_t n, void *mem);
void tg_expr_pcre_free(void *p, void *mem);

#endif /* TG_EXPR_INT_H */
