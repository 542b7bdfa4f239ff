/*
 * Expressions.  What is refused has a caret within the excerpt; what is taken
 * is the same when compiled again, evaluates to the same each time, is not true
 * together with its negation, and is no truer where less is known.
 */

#include "tg_when.h"

#include <stdlib.h>

#define CHECK(cond)  do { if (!(cond)) { abort(); } } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


/* Values from the symbol; of those in *data nothing is known. */
static bool
get(void *data, unsigned symbol, const tg_expr_value_t *args,
    tg_expr_value_t *value)
{
    const uint64_t  *hidden = data;

    if (*hidden >> symbol & 1) {
        return false;
    }

    value->b = symbol % 2;
    value->n = (double) (symbol * 37 % 100);
    value->s = tg_strz(tg_when_symbols[symbol].name);

    if (args != NULL) {
        value->s = args[0].s;
    }

    return true;
}


static void
check_error(const tg_error_t *err, size_t size)
{
    const char  *line, *caret;

    CHECK(err->message[0] != '\0' && err->offset <= size);
    line = strchr(err->message, '\n');

    if (line != NULL) {
        caret = strchr(line + 1, '\n');
        CHECK(caret != NULL && caret[strlen(caret) - 1] == '^');
        CHECK(strlen(caret) <= strlen(line) - strlen(caret) + 1);
    }
}


/* Kleene's logic is monotonous: hiding a value may only make truth unknown, but
 * for one of a list.  So an `in` may not become true either. */
static void
check_hidden(const tg_expr_t *e, const tg_expr_t *not,
    tg_expr_scratch_t *scratch)
{
    uint64_t  none = 0, hidden;
    bool      yes, no;

    yes = tg_expr_eval(e, scratch, get, &none);
    no = tg_expr_eval(not, scratch, get, &none);
    CHECK(!(yes && no));
    CHECK(tg_expr_eval(e, scratch, get, &none) == yes);

    for (unsigned i = 0; i <= TG_WHEN_SYMBOLS; i++) {
        hidden = i == TG_WHEN_SYMBOLS ? UINT64_MAX : UINT64_C(1) << i;

        CHECK(!tg_expr_eval(e, scratch, get, &hidden) || yes
              || !tg_expr_uses(e, i % TG_WHEN_SYMBOLS) || !no);
        CHECK(!(tg_expr_eval(e, scratch, get, &hidden) && no));
        CHECK(!(tg_expr_eval(not, scratch, get, &hidden) && yes));
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char                text[TG_EXPR_LEN_MAX];
    tg_str_t            s = { (const char *) data, size };
    tg_expr_t          *e, *not = NULL;
    tg_error_t          err = { 0 };
    tg_arena_t         *arena = tg_arena_create(0);
    tg_expr_scratch_t  *scratch;

    CHECK(arena != NULL);
    e = tg_expr_compile(tg_arena_mem(arena), s, tg_when_symbols,
                        TG_WHEN_SYMBOLS, &err);

    if (e == NULL) {
        check_error(&err, size);
        tg_arena_destroy(arena);
        return 0;
    }

    CHECK(tg_str_eq(tg_expr_text(e), s));
    scratch = tg_expr_scratch(tg_arena_mem(arena));
    CHECK(scratch != NULL);

    if (size + 6 <= sizeof(text)) {
        memcpy(text, "not (", 5);
        memcpy(text + 5, data, size);
        text[size + 5] = ')';
        not = tg_expr_compile(tg_arena_mem(arena), tg_str_of(text, size + 6),
                              tg_when_symbols, TG_WHEN_SYMBOLS, &err);
    }

    if (not != NULL) {
        check_hidden(e, not, scratch);
    }

    tg_expr_destroy(not);
    tg_expr_destroy(e);
    tg_arena_destroy(arena);

    return 0;
}
