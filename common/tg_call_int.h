/*
 * tg_call_int.h - the inside of a call, for tg_call*.c only.
 */

#ifndef TG_CALL_INT_H
#define TG_CALL_INT_H

#include "tg_call.h"
#include "tg_strip.h"

struct tg_call_s {
    tg_mem_t             *mem;          /* &own */
    tg_mem_t              own;          /* what is left of the chunk, then ... */
    char                 *free;
    char                 *free_end;
    tg_mem_t             *host_mem;     /* ... the host's */
    const tg_conf_t      *conf;
    const tg_scope_t     *scope;
    const tg_host_t      *host;
    void                 *req;
    tg_call_head_t        head;
    tg_dialect_t          dialect;
    const tg_provider_t  *provider;
    tg_request_t         *request;      /* NULL: exhausted */
    tg_answer_t          *answer;
    tg_str_t             *tags;         /* conf->ntags of them */
    tg_str_t             *fields;       /* conf->nfields of them */
    tg_str_t              traceparent;
    tg_edit_t            *edit;
    tg_strip_t           *strip;
    tg_out_t              out;          /* of the tg_call_filter() under way */
    void                 *out_data;

    tg_now_t              start;
    int64_t               first_ns;     /* of the answer's body; 0: none yet */
    int64_t               end_ns;

    const tg_usage_t     *usage;        /* after the end, of the answer; NULL */
    tg_cost_t             cost;
    tg_str_t              price_id;     /* empty: not priced */
    bool                  cost_known;
    bool                  cost_by_provider;

    unsigned              status;
    unsigned              attempts;
    uint8_t               end;          /* tg_end_t */
    uint8_t               source;       /* tg_usage_source_t */
    bool                  admitted;
    bool                  finished;
    bool                  refused;
    bool                  would_refuse; /* dry_run */
    bool                  cached;
    tg_str_t              rule;         /* what refused it */
    tg_str_t              reason;
    char                  id[TG_ID_LEN];
};

/* tg_call_tags.c: fills call->tags; the first required one that is missing, or
 * NULL. */
const tg_tag_t *tg_call_resolve_tags(tg_call_t *call);

/* tg_line.c: the words of the cost line. */
tg_str_t tg_call_decision(const tg_call_t *call);
extern const tg_str_t  tg_usage_sources[];

#endif /* TG_CALL_INT_H */
