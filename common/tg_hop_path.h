/*
 * tg_hop_path.h - the path of a call at another upstream.
 *
 * A client writes a path of its gateway, such as "/llm/v1/chat/completions"; a
 * provider's url has a base path of its own ("/openai", "/api/paas/v4").  What
 * goes there is the base and behind it the API's own path: its last segments, with
 * the version before them ("v1", "v1beta") if the client wrote one and the base
 * has none.
 *
 *     base                 client's path                  sent
 *                          /llm/v1/chat/completions       /v1/chat/completions
 *     /openai              /v1/chat/completions           /openai/v1/chat/...
 *     /openai/v1           /v1/chat/completions           /openai/v1/chat/...
 *     /v1beta/openai       /v1/chat/completions           /v1beta/openai/chat/...
 *
 * Azure's deployments are a path of their own, which no one else has:
 *
 *     /openai  (Azure)     /openai/deployments/a/chat/..  /openai/deployments/b/..
 *              (another)   /openai/deployments/a/chat/..  /v1/chat/completions
 *
 * A path of no API goes behind the base as it is.
 */

#ifndef TG_HOP_PATH_H
#define TG_HOP_PATH_H

#include "tg_dialect.h"

/*
 * `model` takes the place of the path's, where it has one; empty: it stays.
 * `azure`: deployments are known there.  The result is of mem; empty on
 * exhaustion, or where a path of no API is none that every server reads alike.
 */
tg_str_t tg_hop_path(tg_mem_t *mem, tg_str_t base, tg_str_t method,
    tg_str_t path, tg_str_t model, bool azure);

/* base and an API's canonical path ("/v1/messages"), of which the version is
 * left out where the base has one. */
tg_str_t tg_hop_path_join(tg_mem_t *mem, tg_str_t base, tg_str_t path);

/* A model's name as one segment of a path, in mem. */
tg_str_t tg_hop_path_segment(tg_mem_t *mem, tg_str_t model);

#endif /* TG_HOP_PATH_H */
