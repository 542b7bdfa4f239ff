/*
 * tg_expr_lex.h - the words of an expression, for tg_expr*.c only.
 */

#ifndef TG_EXPR_LEX_H
#define TG_EXPR_LEX_H

#include "tg_expr_int.h"

typedef enum {
    TG_LEX_END = 0,
    TG_LEX_NAME,
    TG_LEX_STRING,
    TG_LEX_NUMBER,
    TG_LEX_PERCENT,
    TG_LEX_OPEN,
    TG_LEX_CLOSE,
    TG_LEX_COMMA,
    TG_LEX_AND,
    TG_LEX_OR,
    TG_LEX_NOT,
    TG_LEX_IN,
    TG_LEX_TRUE,
    TG_LEX_FALSE,
    TG_LEX_EQ,
    TG_LEX_NE,
    TG_LEX_LT,
    TG_LEX_LE,
    TG_LEX_GT,
    TG_LEX_GE,
    TG_LEX_MATCH,
    TG_LEX_MATCH_CASELESS,
    TG_LEX_NO_MATCH,
    TG_LEX_NO_MATCH_CASELESS
} tg_lex_token_t;

typedef struct {
    tg_str_t         text;
    size_t           pos;       /* of the word at hand */
    size_t           end;
    tg_lex_token_t   token;
    tg_str_t         s;         /* NAME; STRING without its quotes */
    double           number;    /* NUMBER, PERCENT */
    double           size;
} tg_lex_t;

/* Moves on to the next word. TG_OK, or TG_ERROR and *err. */
int tg_lex_next(tg_lex_t *l, tg_error_t *err);

#endif /* TG_EXPR_LEX_H */
