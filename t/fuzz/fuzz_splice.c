/*
 * Any bytes as a call that a route sends to another model: where it is sent, the
 * JSON differs from what came in that, and in what asking for usage adds.
 *
 * The first byte chooses the API.
 */

#include "splice.h"

static const char *const  paths[] = {
    "/v1/chat/completions", "/v1/responses", "/v1/completions",
    "/v1/embeddings", "/v1/messages",
    "/v1beta/models/gemini-2.5-flash:generateContent"
};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static splice_t  splice;


int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    tg_error_t  err;

    (void) argc;
    (void) argv;

    if (!splice_begin(&splice)
        || tg_dialect_setup(tg_arena_mem(splice.arena), &err) != TG_OK)
    {
        abort();
    }

    return 0;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tg_arena_t      *arena;
    tg_call_head_t   head = { .method = tg_str("POST"),
                              .content_type = tg_str("application/json") };

    if (size == 0) {
        return 0;
    }

    arena = tg_arena_create(0);
    head.path = tg_strz(paths[data[0] % (sizeof(paths) / sizeof(paths[0]))]);

    if (splice_call(&splice, tg_arena_mem(arena), &head,
                    (const char *) data + 1, size - 1)
        == SPLICE_BAD)
    {
        abort();
    }

    tg_arena_destroy(arena);

    return 0;
}
