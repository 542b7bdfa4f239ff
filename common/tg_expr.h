/*
 * tg_expr.h - the expression language of when=.
 *
 *     input_tokens < 400 and not tools
 *     used(team_month) > 80% or hour() in (22, 23, 0, 1)
 *     model ~ "^gpt-4" and header("x-env") != 'test'
 *
 * In short, loosest first:
 *
 *     a or b       a and b       not a       ( a )
 *     x == y   x != y   x < y   x <= y   x > y   x >= y
 *     x in (y, z)      x not in (y, z)
 *     s ~ "regex"      s !~ "regex"      ~* and !~* without regard to case
 *
 * Comparisons do not chain.  Literals are strings in double or single quotes
 * (a backslash takes the quote behind it into the string, and is itself kept
 * before anything else), numbers (12, -1, 0.25, 200k, 1M, 2G), percentages
 * (80%), true and false.  k, M and G are 1,000-fold, and 1,024-fold where a
 * size in bytes is meant.  Bare names are symbols, and what else the caller
 * declares; a function takes literals only.
 *
 * Types are checked when the expression is compiled: numbers with numbers,
 * sizes with sizes, percentages with percentages, strings with strings; order
 * is of numbers only, regexes of strings only.
 *
 * What is not known (a header that was not sent, a country that no database
 * has) makes the comparison it stands in unknown.  As in SQL, `unknown and
 * false` is false, `unknown or true` is true, all else that depends on it is
 * unknown, and an expression that comes out unknown is not true: when= does not
 * hold.  So `not (country == "US")` is not true of a call from nowhere.
 *
 * A compiled expression is immutable (but for tg_expr_bind()) and may be shared
 * by threads.
 */

#ifndef TG_EXPR_H
#define TG_EXPR_H

#include "tg_error.h"
#include "tg_mem.h"

#define TG_EXPR_LEN_MAX      4096   /* bytes of text */
#define TG_EXPR_NODES_MAX    256
#define TG_EXPR_DEPTH_MAX    32     /* of parentheses and `not` */
#define TG_EXPR_ARGS_MAX     2
#define TG_EXPR_SUBJECT_MAX  (1024 * 1024)  /* bytes that a regex looks at */

/* Effort of one regex on one string; past it the match is unknown. */
#define TG_EXPR_MATCH_LIMIT  100000
#define TG_EXPR_TIMED_LIMIT  10000000   /* where time is looked at */

/* Time of all regexes of one call, where there is a clock. */
#define TG_EXPR_BUDGET_NS    (50 * 1000000)

typedef enum {
    TG_EXPR_NONE = 0,
    TG_EXPR_BOOL,
    TG_EXPR_NUMBER,
    TG_EXPR_SIZE,           /* bytes */
    TG_EXPR_PERCENT,        /* 80% is 80.0 */
    TG_EXPR_STRING,
    TG_EXPR_NAME            /* of arguments only: a bare name, or a string */
} tg_expr_type_t;

/* What expressions may name.  name(...) where `call`, with just these
 * arguments. */
typedef struct {
    const char      *name;
    tg_expr_type_t   type;
    bool             call;
    unsigned         nargs;
    tg_expr_type_t   args[TG_EXPR_ARGS_MAX];
} tg_expr_symbol_t;

typedef struct {
    bool       b;           /* BOOL */
    double     n;           /* NUMBER, SIZE, PERCENT */
    tg_str_t   s;           /* STRING, NAME */
    uintptr_t  handle;      /* of an argument: tg_expr_bind()'s, else 0 */
} tg_expr_value_t;

/*
 * The value of symbols[symbol], in the member of its type.  False: not known.
 * A string has to last until tg_expr_eval() returns.  Numbers up to 2^53 are
 * exact.
 */
typedef bool (*tg_expr_get_t)(void *data, unsigned symbol,
    const tg_expr_value_t *args, tg_expr_value_t *value);

typedef struct tg_expr_s          tg_expr_t;
typedef struct tg_expr_scratch_s  tg_expr_scratch_t;

/*
 * NULL and *err where the text is wrong: err->message is a sentence, and in two
 * lines more the part of the text around the mistake and a caret under it;
 * err->offset is the mistake's byte.  `symbols` has to last as long as the
 * expression.  Memory is of mem, but for the machine code of regexes.
 */
tg_expr_t *tg_expr_compile(tg_mem_t *mem, tg_str_t text,
    const tg_expr_symbol_t *symbols, size_t nsymbols, tg_error_t *err);

/* Frees the machine code of the regexes, no more; NULL does nothing. */
void tg_expr_destroy(tg_expr_t *e);

/*
 * Resolves the first argument of each call of a symbol, once what it may name
 * is known: the handle is handed to the getter.  bind() returns NULL, or what
 * is wrong as the end of a sentence that begins with the name ("is no quota").
 * Before the expression is shared.
 */
typedef const char *(*tg_expr_bind_t)(void *data, tg_str_t name,
    uintptr_t *handle);
int tg_expr_bind(tg_expr_t *e, unsigned symbol, tg_expr_bind_t bind,
    void *data, tg_error_t *err);

/*
 * Looks at each literal that the symbol is compared with by ==, !=, in or not
 * in, but for '': wrong() returns NULL, or why nothing can be equal to it, as a
 * sentence.
 */
typedef const char *(*tg_expr_compared_t)(void *data,
    const tg_expr_value_t *literal);
int tg_expr_compared(const tg_expr_t *e, unsigned symbol,
    tg_expr_compared_t wrong, void *data, tg_error_t *err);

/* True where the expression names the symbol. */
bool tg_expr_uses(const tg_expr_t *e, unsigned symbol);

/* As it was written. */
tg_str_t tg_expr_text(const tg_expr_t *e);

/*
 * Regexes need a place to work in, one a thread or one a call: some 500 bytes
 * of mem.  NULL on exhaustion.  tg_expr_eval() takes NULL where no regex is
 * used; where one is, it is unknown without.
 */
tg_expr_scratch_t *tg_expr_scratch(tg_mem_t *mem);
bool tg_expr_needs_scratch(const tg_expr_t *e);

/* Another call's expressions are next: from the first time that a regex takes
 * long, all of them together have TG_EXPR_BUDGET_NS; past it they are unknown.
 * clock: nanoseconds; NULL: there is no such limit. */
void tg_expr_watch(tg_expr_scratch_t *s, int64_t (*clock)(void));

/* False where it is false or unknown.  Allocates nothing. */
bool tg_expr_eval(const tg_expr_t *e, tg_expr_scratch_t *scratch,
    tg_expr_get_t get, void *data);

#endif /* TG_EXPR_H */
