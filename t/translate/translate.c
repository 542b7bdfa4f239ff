/*
 * A request on standard input, translated, on standard output:
 *
 *     translate chat|anthropic|gemini chat|anthropic|gemini MODEL
 *
 * Exits 3 where it was refused, with the reason on standard error.
 */

#include "tg_translate.h"

#include <stdio.h>
#include <stdlib.h>

#define BODY_MAX  (64 << 20)


static tg_form_t
form(const char *name)
{
    static const char *const  names[] = {
        [TG_FORM_OPENAI_CHAT] = "chat", [TG_FORM_ANTHROPIC] = "anthropic",
        [TG_FORM_GEMINI] = "gemini"
    };

    for (int i = TG_FORM_OPENAI_CHAT; i <= TG_FORM_GEMINI; i++) {
        if (strcmp(names[i], name) == 0) {
            return (tg_form_t) i;
        }
    }

    return TG_FORM_NONE;
}


int
main(int argc, char **argv)
{
    tg_translate_t  t = { .max_tokens = -1, .default_output = 4096,
                          .ask_usage = true };
    tg_error_t      err;
    tg_str_t        out;
    char           *body = malloc(BODY_MAX);
    size_t          len;

    if (argc != 4 || body == NULL) {
        (void) fprintf(stderr, "usage: translate FROM TO MODEL\n");
        return 2;
    }

    t.from = form(argv[1]);
    t.to = form(argv[2]);
    t.model = tg_strz(argv[3]);

    len = fread(body, 1, BODY_MAX, stdin);

    tg_arena_t  *arena = tg_arena_create(0);

    if (arena == NULL || tg_translate_request(tg_arena_mem(arena), &t,
                                              tg_str_of(body, len), &out,
                                              &err) != TG_OK)
    {
        (void) fprintf(stderr, "%s\n", err.message);
        return 3;
    }

    (void) fwrite(out.p, 1, out.len, stdout);
    tg_arena_destroy(arena);
    free(body);

    return 0;
}
