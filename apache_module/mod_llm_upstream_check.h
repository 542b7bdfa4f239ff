/*
 * The requests by which the owner of the lease knows: of each server its health
 * page and its metrics, and the exporters of LLMDcgm.  All of a group, none
 * waiting for another.
 */

#ifndef MOD_LLM_UPSTREAM_CHECK_H
#define MOD_LLM_UPSTREAM_CHECK_H

#include "mod_llm_upstream.h"
#include "mod_llm_upstream_fetch.h"

typedef struct llm_up_check_s  llm_up_check_t;

/* All that there are, from malloc(); NULL on exhaustion. *n: how many. */
llm_up_check_t *llm_up_checks_open(unsigned *n, int64_t now);

/* Starts what is due, and says when the next one is. */
int64_t llm_up_checks_start(llm_up_check_t *checks, unsigned n,
    llm_up_fetches_t *fetches, int64_t now);

/* What is over goes to the table. */
void llm_up_checks_done(llm_up_fetches_t *fetches);

void llm_up_checks_close(llm_up_check_t *checks, unsigned n, CURLM *multi);

#endif /* MOD_LLM_UPSTREAM_CHECK_H */
