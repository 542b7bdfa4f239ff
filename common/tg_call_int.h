/*
 * tg_call_int.h - the inside of a call, for tg_call*.c only.
 */

#ifndef TG_CALL_INT_H
#define TG_CALL_INT_H

#include "tg_call.h"
#include "tg_prompt.h"
#include "tg_strip.h"
#include "tg_tick.h"
#include "tg_translate.h"
#include "tg_when.h"

/* What identity and quotas know of a call; where neither is configured it has
 * none. */
typedef struct {
    tg_roster_t             *roster;    /* a reference */
    const tg_key_t          *key;       /* NULL: none is asked for, or a dry run
                                           goes on without */
    tg_str_t                 team;      /* whoever says so */
    tg_str_t                 user;
    tg_str_t                 org;
    tg_str_t                 args;      /* without credentials */
    bool                     own_args;
    bool                     hash;      /* the body's is wanted */
    bool                     held;
    bool                     asking;    /* the fleet; the slot is its */
    bool                     sent;
    bool                     settled;   /* the slot waits for the line */
    bool                     quota_refused;
    uint32_t                 crc;       /* of the body */

    bool                     calibrated;    /* less than the bound is held */
    int64_t                  sent_max;  /* tokens, lowered by clamp=; 0: not */
    char                     sent_max_text[24];

    int64_t                  wait_ms;   /* until it is asked again */
    int64_t                  tries;
    unsigned                 busy;      /* of them, without the ledger's lock */
    int64_t                  asked;     /* when it was for the first time */
    int64_t                  waited_ms; /* in all */
    int64_t                  admitted;  /* when it was held; 0: it was not */

    tg_ledger_slot_t         slot;
    int64_t                  hold;      /* nano-dollars; below 0: not known */
    tg_quota_items_t        *items;     /* of it, no more than n of each */

    size_t                   packed_len;
    unsigned char            packed[TG_LEDGER_BLOB_MAX];    /* for the sweeper */

    struct tg_noted_s       *alerts;    /* not told yet, the last first */

    tg_str_t                 subject;   /* of the quota that refused */
    tg_measure_t             measure;
    tg_ledger_state_t        state;
} tg_pass_t;

/* What a call has taken of backends that the upstream module looks after. */
typedef struct {
    tg_str_t  server;
    tg_str_t  instead_of;
    int64_t   ns;               /* of GPU time */
    int64_t   cost;             /* of that, where priced */
    bool      priced;           /* it has a gpu_cost= */
    bool      by_prices;        /* the line goes by the price list all the same */
} tg_gpu_t;

#define TG_AIMS_MAX  TG_TARGETS_MAX

/* A place where the call may go. */
typedef struct {
    const tg_provider_t  *provider;
    tg_str_t              model;        /* as it is called there; empty: as
                                           asked for */
    int64_t               most;         /* tokens of output that the model has
                                           to give; 0: not known */
    tg_form_t             form;         /* what it is translated to, or
                                           TG_FORM_NONE */
    uint64_t              keys[2];      /* of its breakers: the provider's, the
                                           target's; may be the same */
    bool                  tried;
} tg_aim_t;

/* One that failed. */
typedef struct {
    const tg_provider_t  *provider;
    const tg_vendor_t    *vendor;
    tg_str_t              model;        /* as it was sent */
    unsigned              number;       /* from 1 */
    tg_fail_t             why;
    unsigned              status;
    int64_t               start_ns;
    int64_t               end_ns;
    bool                  billed;       /* perhaps, or it took GPU time: it has a
                                           line */
    bool                  cost_known;
    bool                  cost_by_gpu;
    tg_usage_t            usage;        /* where billed */
    tg_cost_t             cost;
    tg_str_t              price_id;
    tg_gpu_t              gpu;          /* ns 0: none */
} tg_attempt_t;

/* Of a call whose place is chosen here. */
typedef struct {
    const tg_provider_t  *meant;        /* without rules; NULL: nobody */
    const tg_route_t     *route;        /* NULL: none took it */
    unsigned              place;        /* of it */
    const tg_route_t     *full;         /* would have, but for its usd= */
    const tg_route_t     *dry;          /* would have, or NULL ... */
    tg_aim_t              dry_aim;      /* ... to this, ... */
    bool                  dry_known;
    int64_t               dry_saved;    /* ... which would have cost so much
                                           less, in nano-dollars */
    const tg_quota_t     *by_quota;     /* that was over its limit, and sent it
                                           there */
    tg_breakers_t        *breakers;
    tg_route_counts_t    *counts;       /* NULL: nobody counts */
    unsigned              naims;
    unsigned              at;
    tg_aim_t              aims[TG_AIMS_MAX];
    unsigned              nattempts;
    tg_attempt_t         *attempts;     /* TG_AIMS_MAX of them; NULL until the
                                           first */
    int64_t               sent_ns;      /* when this one began */
    tg_translator_t      *translator;   /* of the answer; NULL: exhausted */
    bool                  foreign;      /* the answer is to be translated */
    bool                  judged;       /* what came of this attempt is told to
                                           its target's breaker */
    bool                  hidden;       /* credentials are not for there */
    bool                  lost;         /* the last one may be billed, and no
                                           answer tells what it was */
    uint32_t              moved;        /* by edits that were handed out: see */
    uint32_t              written;      /* tg_call_edit.c */
    uint32_t              composed_moved;       /* by the one that is ready */
    uint32_t              composed_written;
    bool                  ready;        /* hop is made */
    tg_hop_t              hop;
    tg_str_t              whole;        /* the body as it came, with the cuts of
                                           guards; once it was needed */
    tg_usage_t            last_usage;   /* where it was lost */
    char                  target_text[TG_STR_NAME_MAX + TG_TARGET_MODEL_MAX
                                      + 2];
} tg_routing_t;

/* What guards did, weakest first. */
typedef enum {
    TG_GUARD_DID_NOTHING = 0,
    TG_GUARD_DID_FLAG,
    TG_GUARD_DID_CAP,
    TG_GUARD_DID_TRIM,
    TG_GUARD_DID_REDACT,
    TG_GUARD_DID_REJECT
} tg_guard_did_t;

/* What guards, and expressions, know of a call's prompt. */
typedef struct {
    bool                  have;         /* the body */
    bool                  read;         /* the prompt, all of it */
    bool                  failed;       /* it can't be: err */
    tg_str_t              body;
    tg_prompt_t           prompt;
    tg_error_t            err;

    tg_guard_did_t        did;          /* the most that one did ... */
    tg_str_t              name;         /* ... and which */
    bool                  dry;          /* it would have */
    bool                  unfinished;   /* one could not look at all of it */
    unsigned              denied;       /* matches of deny= */
    unsigned              found[TG_PII_KINDS];
    unsigned              trimmed;      /* turns */
} tg_guarded_t;

/* What tg_call_replay() was told. */
typedef struct {
    tg_answer_info_t      answer;
    tg_quota_used_t       attempts;
} tg_seen_t;

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
    tg_dialect_t          dialect;      /* of the upstream */
    tg_dialect_t          asked;        /* of the client */
    const tg_provider_t  *provider;
    tg_request_t         *request;      /* NULL: exhausted */
    tg_answer_t          *answer;
    const tg_seen_t      *seen;         /* of a replay; else NULL */
    tg_str_t             *tags;         /* conf->ntags of them */
    tg_str_t             *fields;       /* conf->nfields of them */
    tg_str_t              traceparent;
    bool                  traced;       /* it is of our own making */
    tg_tally_process_t   *process;      /* it counts as in flight there; NULL:
                                           it does not (any more) */
    uint64_t              begun;        /* ticks: when it was created; and what */
    uint64_t              worked;       /* our own steps took since */
    int64_t               overhead_ns;  /* the same at the end; below 0: not
                                           known */
    tg_geo_t              geo;          /* of the client */
    tg_edit_t            *edit;
    const tg_edit_span_t *cuts;         /* of guards: what is blanked or written
                                           over, in order, apart */
    unsigned              ncuts;
    int64_t               cap_output;   /* of guards; 0: none */
    tg_guarded_t         *guarded;      /* NULL: there are none, and nothing
                                           looked at the prompt */
    tg_routing_t         *routing;      /* NULL: it goes where the server's
                                           configuration says */
    tg_strip_t           *strip;
    tg_pass_t            *pass;         /* NULL: no keys, no quotas */
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
    bool                  cost_by_gpu;

    void                 *server_request;       /* the server's own; or NULL */
    tg_gpu_t             *gpu;          /* of the call's own line; or NULL */
    tg_gpu_t              gpu_noted;    /* sums of all that has a line */

    unsigned              status;
    unsigned              attempts;
    uint8_t               end;          /* tg_end_t */
    uint8_t               source;       /* tg_usage_source_t */
    bool                  admitted;
    bool                  finished;
    bool                  refused;
    bool                  would_refuse; /* dry_run */
    bool                  cached;
    bool                  unanswered;   /* by an upstream that was asked */
    bool                  served;       /* answered here, and no error */
    tg_str_t              rule;         /* what refused it */
    tg_str_t              reason;
    char                  id[TG_ID_LEN];
};

/* What the answer was; NULL: there was none. */
static inline const tg_answer_info_t *
tg_call_answer_info(const tg_call_t *call)
{
    return call->seen != NULL ? &call->seen->answer
           : call->answer != NULL ? tg_answer_info(call->answer) : NULL;
}


/* tg_call_tags.c: fills call->tags; the first required one that is missing, or
 * NULL. */
const tg_tag_t *tg_call_resolve_tags(tg_call_t *call);

/* tg_call_attempt.c: after a hold has said rc: where the call goes is made ready. */
int tg_call_admitted(tg_call_t *call, int rc, const tg_now_t *now,
    tg_refusal_t *refusal);

/* tg_call.c: refuses, or says that it would have: then TG_OK. */
int tg_call_refuse(tg_call_t *call, tg_refusal_t *refusal, unsigned status,
    tg_str_t rule, tg_str_t message);

/* The same, but also where calls are let through that rules refuse: there is
 * nowhere to go. */
int tg_call_turn_away(tg_call_t *call, tg_refusal_t *refusal, unsigned status,
    tg_str_t rule, tg_str_t message);

/* As asked for; as it is sent. */
tg_str_t tg_call_model(const tg_call_t *call);
tg_str_t tg_call_sent_model(const tg_call_t *call);

/* Whose prices hold. */
tg_str_t tg_call_price_vendor(const tg_call_t *call);

/* tg_call.c: what the call is charged as: as answered, else as asked for. */
tg_tier_t tg_call_tier(const tg_request_info_t *info,
    const tg_answer_info_t *a);

/* All that the call may be answered by, i from 0: what it asks for, what its
 * path has where that is another, then the others of its body.  False where
 * there are no more. */
bool tg_call_models(const tg_call_t *call, unsigned i, tg_str_t *model);
void tg_refusal_header(tg_refusal_t *refusal, tg_str_t name, tg_str_t value);

/* tg_call_who.c: what a source `key` gives a tag. */
bool tg_call_has_tag(const tg_call_t *call, tg_str_t name);
tg_str_t tg_call_key_tag(const tg_call_t *call, const tg_tag_t *tag);
int tg_call_may(tg_call_t *call, tg_refusal_t *refusal);

/* True for what may go with the provider's own key. */
bool tg_call_forwards(const tg_call_t *call);
void tg_call_who(tg_call_t *call);

/* tg_call_models.c */

/* The shape in which the client is answered. */
tg_shape_t tg_call_shape(const tg_call_t *call);

/* True where tg_call_list_models() is to answer the call. */
bool tg_call_lists_models(const tg_call_t *call);
int tg_call_list_models(tg_call_t *call, const tg_gate_t *gate,
    tg_refusal_t *refusal);

/* Refuses a model that the provider does not have. */
int tg_call_provided(tg_call_t *call, tg_refusal_t *refusal);

/*
 * tg_call_route.c: where the call may go.  _plan: by the rules, before it is held;
 * _replan: to that route, for a quota; false where none of its targets can serve
 * it.  _unroute: in a location without llm_pass, the body can't be changed as a
 * route would have it.  _aim: it is a call to aims[at] now, of that dialect.  _next: the best that
 * was not tried; -1: none is left; take: it will be.
 */
int tg_call_plan(tg_call_t *call, const tg_gate_t *gate, int64_t now,
    tg_refusal_t *refusal);
bool tg_call_replan(tg_call_t *call, const tg_gate_t *gate, int64_t now,
    const tg_quota_t *quota);
void tg_call_unroute(tg_call_t *call);

/* After a plan: may it go there, and as what? */
int tg_call_planned(tg_call_t *call, tg_refusal_t *refusal);

/* Its route has no room for it: to where it goes without.  False where this
 * quota is none of that kind, or its route was another one's last word. */
bool tg_call_overflows(const tg_call_t *call, const tg_quota_t *quota);
int tg_call_reroute(tg_call_t *call, const tg_gate_t *gate, int64_t now,
    tg_refusal_t *refusal);
void tg_call_aim(tg_call_t *call, unsigned at);
int tg_call_next(const tg_call_t *call, int64_t now, bool take);
bool tg_call_is_open(const tg_call_t *call, const tg_aim_t *aim, int64_t now);

/* tg_call_nowhere.c: refuses: nobody has its model, or who has it can't serve the
 * call. */
int tg_call_nowhere(tg_call_t *call, tg_refusal_t *refusal);

/* tg_call_serve.c: can that provider serve the call, as that model (empty: as
 * asked for)?  Fills *aim. */
bool tg_call_serves(const tg_call_t *call, const tg_provider_t *pr,
    tg_str_t model, tg_aim_t *aim);

/* tg_call_hop.c: what is sent to aims[at].  TG_ERROR and *err where it can't be. */
int tg_call_hop_make(tg_call_t *call, tg_error_t *err);

/* tg_call_answered(): the target works, or does not.  tg_call_translates(): true
 * where the answer has to be translated, of which tg_call_translator() is then. */
void tg_call_answered(tg_call_t *call, unsigned status);
bool tg_call_translates(tg_call_t *call, unsigned status,
    tg_str_t content_type);
bool tg_call_is_foreign(const tg_call_t *call);

/* The body as it came, but for what guards took out. */
int tg_call_whole(tg_call_t *call, tg_str_t *whole);

/* Before the first hop: what a later one needs of the body as it came. */
int tg_call_prefetch(tg_call_t *call);

/* tg_call_attempt.c: what the attempts that failed have cost, and of a call that
 * got no answer the last one. */
void tg_call_attempts_used(const tg_call_t *call, tg_quota_used_t *used);
void tg_call_lost(tg_call_t *call, const tg_gate_t *gate,
    const tg_now_t *now);

/* The attempt that line is of; NULL: the call's own. */
const tg_attempt_t *tg_call_attempt(const tg_call_t *call, unsigned line);

/* What tg_quota_items() looks into. */
typedef struct {
    tg_call_t          *call;
    const tg_gate_t    *gate;
    tg_bound_ask_t      ask;
    tg_bound_t          bound;      /* of all attempts that there can be */
    int64_t             once;       /* tokens of input, of one attempt */
    tg_bound_t          likely;
    tg_when_t           when;
    tg_quota_call_t     quota;
    char                client[40];
    char                same[32];
} tg_hold_t;

/*
 * tg_call_edit.c: composes call->edit.  ask: for a stream's usage; max: the
 * largest number of output tokens, 0: it stays.  Before the first byte goes
 * upstream it may be done anew.  TG_ERROR where what is wanted can't be done;
 * then the edit is what it was.
 */
int tg_call_compose(tg_call_t *call, bool ask, int64_t max);
bool tg_call_should_ask_usage(const tg_call_t *call);

/* True where something that the call says is not for there. */
bool tg_call_aim_drops(const tg_call_t *call, const tg_aim_t *aim);

/* The most output that it is to have as it is sent; 0: as it says. */
int64_t tg_call_sent_max(const tg_call_t *call);

/* For the place that is the call's now, and the maximum that it is to have.
 * TG_ERROR where something can't be done; then it goes as it came, as far as that
 * is allowed. */
int tg_call_recompose(tg_call_t *call);

/* The largest number that a place of the maximum has room for; 0: it can't be
 * set at all. */
int64_t tg_call_max_room(const tg_call_t *call);

/*
 * tg_call_clamp.c: after waiting was of no use.  True where the call takes less
 * now, and is to be held anew, with items as they are then.
 */
bool tg_hold_clamp(tg_hold_t *h, tg_quota_items_t *items,
    const tg_ledger_result_t *r);
void tg_hold_unclamp(tg_call_t *call);

/* What the maximum of output tokens was lowered to, by a quota or a guard; 0: it
 * was not. */
int64_t tg_call_lowered(const tg_call_t *call);
bool tg_call_clamped(const tg_call_t *call, tg_header_t *header);

/* tg_call_learn.c: what was learned of calls like this one; what this one
 * teaches. */
tg_calibrate_name_t tg_call_name(const tg_call_t *call,
    const tg_vendor_t *vendor, tg_str_t model);
void tg_hold_likely(tg_hold_t *h);
void tg_call_estimate(tg_call_t *call, const tg_gate_t *gate);
void tg_call_learn(tg_call_t *call, const tg_gate_t *gate);

/* tg_call_bound.c: h->bound, by h->ask. */
void tg_hold_bound(tg_hold_t *h);

/* The price of aim (NULL: as asked for) and its ask. */
const tg_price_t *tg_call_aim_price(const tg_call_t *call, const tg_aim_t *aim,
    const tg_price_book_t *book);

const tg_vendor_t *tg_aim_vendor(const tg_call_t *call, const tg_aim_t *aim);
tg_str_t tg_aim_model(const tg_call_t *call, const tg_aim_t *aim);

/* What it would ask of the price list there; what calls like it took there:
 * false where that is not known. */
void tg_call_aim_ask(const tg_hold_t *h, const tg_aim_t *aim,
    tg_bound_ask_t *ask);
bool tg_call_aim_likely(const tg_hold_t *h, const tg_aim_t *aim,
    const tg_bound_ask_t *ask, const tg_bound_t *bound, tg_bound_t *likely);

/* tg_call_subject.c: fills in *h; all that the call is to take, by it. */
void tg_hold_prepare(tg_hold_t *h, tg_call_t *call, const tg_gate_t *gate,
    int64_t now);
int tg_hold_items(tg_hold_t *h, tg_quota_items_t *items, tg_error_t *err);
bool tg_call_by_quota(const tg_call_t *call, const tg_quota_t *quota);

/*
 * tg_call_refuse.c: as tg_call_refuse().  unfit: it can't be told what the call
 * takes.  refuse: item r->item has no room.  full: the ledger has none, or is
 * not to be had.  down: a fleet's store is not.  note: what is said of the item
 * in the line.
 */
int tg_hold_unfit(tg_call_t *call, const tg_error_t *err,
    const tg_quota_items_t *items, tg_refusal_t *refusal);
int tg_hold_refuse(tg_hold_t *h, const tg_quota_items_t *items,
    const tg_ledger_result_t *r, int verdict, tg_refusal_t *refusal);
int tg_hold_full(tg_call_t *call, int rc, tg_refusal_t *refusal);
int tg_hold_down(tg_call_t *call, int rc, tg_refusal_t *refusal);
void tg_hold_note(tg_hold_t *h, const tg_quota_items_t *items, unsigned item,
    const tg_ledger_state_t *state);

/* tg_call_guard.c: may it go, and what is to be cut out of it?  Once, when the
 * body is complete. */
int tg_call_guard(tg_call_t *call, const tg_gate_t *gate, const tg_now_t *now,
    tg_refusal_t *refusal);

/* The prompt's text, for expressions; false where it is not known. */
bool tg_call_prompt(tg_call_t *call, tg_str_t *text);

/* tg_line_guard.c: that part of the line. */
char *tg_line_guard(char *p, bool under, const tg_guarded_t *g);

/* tg_call_hold.c */
int tg_call_hold(tg_call_t *call, const tg_gate_t *gate, const tg_now_t *now,
    tg_refusal_t *refusal);
void tg_call_cut_off(tg_call_t *call);

/* Of operations that consume nothing of their own. */
bool tg_call_gratis(const tg_call_t *call);
void tg_call_give_back(tg_call_t *call, const tg_gate_t *gate,
    const tg_now_t *now);

/* tg_call_companion.c: what it has taken of backends since the last time.
 * _attempt: one that has failed; false: nothing.  _settle: at the end. */
bool tg_call_gpu_attempt(tg_call_t *call, tg_attempt_t *a);
void tg_call_gpu_settle(tg_call_t *call, const tg_gate_t *gate);

/*
 * tg_call_overhead.c: what a call's own steps take.  _flies: it is in flight, until
 * _landed.  _overhead: at its end, with tick as it was then.
 */
void tg_call_flies(tg_call_t *call, const tg_gate_t *gate);
void tg_call_landed(tg_call_t *call);
void tg_call_overhead(tg_call_t *call, uint64_t tick);

static inline void
tg_call_step(tg_call_t *call, uint64_t since)
{
    call->worked += tg_tick() - since;
}

/* tg_call_alert.c: notes what the ledger says was reached. */
void tg_hold_alerts(tg_hold_t *h, const tg_quota_items_t *items,
    const tg_ledger_result_t *r);
void tg_call_settled_alerts(tg_call_t *call, const tg_gate_t *gate,
    int64_t now, const tg_ledger_result_t *r);

/* tg_call_metrics.c: counts the finished call and its attempts. */
void tg_call_count(const tg_call_t *call, tg_tally_t *tally);

/* What it is counted by; attempt: NULL: of the call's own line. */
tg_str_t tg_count_role(const tg_call_t *call, tg_tag_role_t role);
tg_str_t tg_count_model(const tg_call_t *call, const tg_attempt_t *attempt);
tg_str_t tg_count_provider(const tg_call_t *call, const tg_attempt_t *attempt);

/* tg_call_spend.c: what it and its attempts have cost. */
void tg_call_spend(const tg_call_t *call, const tg_gate_t *gate,
    const tg_now_t *now);

/* tg_line.c: the words of the cost line. */
tg_str_t tg_call_decision(const tg_call_t *call);
tg_str_t tg_call_error_type(const tg_call_t *call);
extern const tg_str_t  tg_usage_sources[];

#endif /* TG_CALL_INT_H */
