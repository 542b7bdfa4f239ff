/*
 * tg_conf_int.h - what the files that read directives share.
 */

#ifndef TG_CONF_INT_H
#define TG_CONF_INT_H

#include "tg_conf.h"

/* printf("%.*s") of a string, cut so that a message stays readable. */
#define TG_ARG(s)  (int) ((s).len < 80 ? (s).len : 80), (s).p

/* tg_conf_word.c: true where arg is "name=value"; the rest goes to *value. */
bool tg_conf_param(tg_str_t arg, const char *name, tg_str_t *value);

int tg_conf_unknown_param(tg_str_t arg, const char *known, tg_error_t *err);

/* Too few words, or more than `most`: TG_ERROR. */
int tg_conf_takes(const char *syntax, unsigned most, const tg_str_t *args,
    unsigned nargs, tg_error_t *err);

/*
 * tg_conf_word.c: the value of a url= that is posted to or read, of http or
 * https and without a user's name.  The bytes of its scheme, host and port go to
 * *origin.
 */
#define TG_CONF_URL_MAX  2048

int tg_conf_web_url(tg_str_t url, size_t *origin, tg_error_t *err);

/* tg_conf.c: a copy in lower case, with a NUL behind it; NULL on exhaustion. */
tg_str_t tg_conf_lower(tg_conf_t *conf, tg_str_t s);

/* tg_conf_scope.c: the arguments of llm and llm_pass. */
int tg_conf_enable(tg_scope_t *scope, const tg_str_t *args, unsigned nargs,
    tg_error_t *err);
int tg_conf_pass(tg_conf_t *conf, tg_scope_t *scope, tg_str_t arg,
    tg_error_t *err);

/* tg_conf_log.c: the arguments of llm_log; after the last directive, and with
 * the names of files that the server gave them. */
int tg_conf_finish_logs(tg_conf_t *conf, tg_error_t *err);
int tg_conf_log(tg_conf_t *conf, tg_scope_t *scope, const tg_str_t *args,
    unsigned nargs, tg_error_t *err);

/* tg_conf_tag.c: the arguments of llm_tag; after the last directive. */
int tg_conf_tag(tg_conf_t *conf, const tg_str_t *args, unsigned nargs,
    tg_error_t *err);
int tg_conf_finish_tags(tg_conf_t *conf, tg_error_t *err);

/* tg_conf_provider.c: the arguments of llm_provider. */
int tg_conf_add_provider(tg_conf_t *conf, const tg_str_t *args, unsigned nargs,
    tg_error_t *err);

/* tg_conf_models.c: models= of llm_provider. */
int tg_conf_models(tg_conf_t *conf, tg_provider_t *pr, tg_str_t list,
    tg_error_t *err);

/* tg_conf_text.c: puts it into conf->said, if it is of those. TG_ERROR on
 * exhaustion. */
int tg_conf_keep(tg_conf_t *conf, tg_directive_id_t id, const tg_str_t *args,
    unsigned nargs);

/* tg_conf.c: a copy of the absolute name. */
int tg_conf_file(tg_conf_t *conf, tg_str_t name, tg_str_t *file,
    tg_error_t *err);

/* tg_conf_ledger.c: the arguments of llm_keys and llm_ledger. */
int tg_conf_keys(tg_conf_t *conf, const tg_str_t *args, unsigned nargs,
    tg_error_t *err);
int tg_conf_ledger(tg_conf_t *conf, const tg_str_t *args, unsigned nargs,
    tg_error_t *err);

/* tg_conf_guard.c */
int tg_conf_finish_guards(tg_conf_t *conf, tg_error_t *err);

/* The arguments of llm_geoip. */
int tg_conf_geoip(tg_conf_t *conf, const tg_str_t *args, unsigned nargs,
    tg_error_t *err);

/* tg_conf_cache.c: the arguments of llm_cache. */
int tg_conf_cache(tg_conf_t *conf, tg_scope_t *scope, const tg_str_t *args,
    unsigned nargs, tg_error_t *err);

/* tg_conf_metrics.c: what holds without llm_metrics; its arguments, and those of
 * llm_status; after the last directive. */
void tg_conf_metrics_init(tg_conf_metrics_t *mc);
int tg_conf_metrics(tg_conf_t *conf, const tg_str_t *args, unsigned nargs,
    tg_error_t *err);
int tg_conf_status(tg_scope_t *scope, const tg_str_t *args, unsigned nargs,
    tg_error_t *err);
int tg_conf_metrics_finish(tg_conf_t *conf, tg_error_t *err);

/* tg_conf_own.c: llm_me and llm_outcome, llm_trace, the arguments of
 * llm_prefix_hash; after the last directive. */
int tg_conf_own(tg_conf_t *conf, tg_scope_t *scope, tg_own_t own,
    tg_error_t *err);
int tg_conf_trace(tg_scope_t *scope, tg_str_t word, tg_error_t *err);
int tg_conf_prefix_hash(tg_conf_t *conf, const tg_str_t *args, unsigned nargs,
    tg_error_t *err);
int tg_conf_finish_own(tg_conf_t *conf, tg_error_t *err);

/* tg_conf_route.c: the arguments of llm_route. */
int tg_conf_route(tg_conf_t *conf, const tg_str_t *args, unsigned nargs,
    tg_error_t *err);

/* tg_conf_route.c: binds what routes and the actions of quotas name. */
int tg_conf_finish_routes(tg_conf_t *conf, tg_error_t *err);

/* As tg_conf_warning(), for llm_pass and routes: *i is from `first` on, and ends
 * TG_ROUTE_WARNINGS further. */
#define TG_ROUTE_WARNINGS  (2 + TG_ROUTES_MAX * (1 + TG_TARGETS_MAX))

bool tg_conf_route_warning(const tg_conf_t *conf, unsigned first, unsigned *i,
    tg_error_t *warning);

/* tg_conf_companion.c: the same, for saturated(). */
#define TG_COMPANION_WARNINGS  TG_PROVIDERS_MAX

bool tg_conf_companion_warning(const tg_conf_t *conf, unsigned first,
    unsigned *i, tg_error_t *warning);

/* tg_conf_alert.c: what quota= names, after the last directive. */
int tg_conf_finish_alerts(tg_conf_t *conf, tg_error_t *err);

/* The same, as tg_conf_warning(): quotas that never alert. */
#define TG_ALERT_WARNINGS  (TG_ALERTS_MAX * TG_ALERT_QUOTAS_MAX)

bool tg_conf_alert_warning(const tg_conf_t *conf, unsigned first, unsigned *i,
    tg_error_t *warning);

/* tg_conf_ledger.c: what warnings of quotas have to know; names has TG_TAGS_MAX
 * places. */
void tg_conf_facts(const tg_conf_t *conf, tg_str_t *names,
    tg_quota_facts_t *facts);

/* tg_conf_when.c: TG_ERROR where a when= names what is not there. data is the
 * tg_conf_t. */
int tg_conf_check_when(void *data, tg_expr_t *when, tg_error_t *err);

/* The same, as tg_conf_warning(): a when= that asks for what nobody gives. */
#define TG_WHEN_WHO       6
#define TG_WHEN_WARNINGS  (TG_WHEN_WHO * (TG_QUOTAS_MAX + TG_GUARDS_MAX       \
                                          + TG_ROUTES_MAX))

bool tg_conf_when_warning(const tg_conf_t *conf, unsigned first, unsigned *i,
    tg_error_t *warning);

/* tg_conf_provider.c: the same, for providers that no call belongs to. */
#define TG_PROVIDER_WARNINGS  TG_PROVIDERS_MAX

bool tg_conf_provider_warning(const tg_conf_t *conf, unsigned first,
    unsigned *i, tg_error_t *warning);

/* tg_conf_tag.c: the same, for sources that give nothing. */
#define TG_TAG_WARNINGS  TG_TAGS_MAX

bool tg_conf_tag_warning(const tg_conf_t *conf, unsigned first, unsigned *i,
    tg_error_t *warning);

int tg_conf_finish_quotas(tg_conf_t *conf, tg_error_t *err);

/* As tg_conf_warning(), for the quotas; *i is `first` for the first. */
bool tg_conf_quota_warning(const tg_conf_t *conf, unsigned first, unsigned *i,
    tg_error_t *warning);

#endif /* TG_CONF_INT_H */
