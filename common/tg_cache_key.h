/*
 * tg_cache_key.h - which calls may be answered by a server's own cache, and by
 * what key.
 *
 * An answer is kept for the same call of the same tenant, byte by byte, and only
 * where the provider is asked for the one answer that there is:
 *
 *   - embeddings, reranking, moderation and counting of tokens;
 *   - text with a temperature of 0, a top_k of 1 or a seed, wherever the API has
 *     them (at the top, or in generationConfig, options, inferenceConfig or
 *     parameters);
 *
 * but none that reaches for what is not in the body (files, earlier answers, a
 * provider's own tools), runs in the background, or can't be read.
 *
 * A tenant is the organisation of the caller's virtual key, else its team, else
 * the key.  Without llm_keys it is whatever the caller shows as credentials; those
 * who show none share one provider's key and are one tenant.
 *
 * Other parts of the key: the API and headers of its own (anthropic-beta), the
 * provider, the path and the query there, the body as it goes there (its model, a
 * lowered maximum, what guards took out).
 */

#ifndef TG_CACHE_KEY_H
#define TG_CACHE_KEY_H

#include "tg_call.h"

#define TG_CACHE_KEY  64        /* hex digits of SHA-256 */

/*
 * After tg_call_admit() said TG_OK, and before the body is changed: tg_host_t's
 * body() is asked.  TG_OK and *key, which is the call's; TG_ERROR where no answer
 * is to be kept.
 */
int tg_call_cache_key(tg_call_t *call, tg_str_t *key);

/* Of a finished call: false where its answer's end was not seen. */
bool tg_call_cache_whole(const tg_call_t *call);

#endif /* TG_CACHE_KEY_H */
