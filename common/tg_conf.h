/*
 * tg_conf.h - configuration: what the directives say, parsed and merged.
 *
 * The servers hand over each directive as its words; nothing is interpreted
 * there.  Errors are sentences without the directive's name and place, which
 * the server adds.
 */

#ifndef TG_CONF_H
#define TG_CONF_H

#include "tg_companion.h"
#include "tg_directive.h"
#include "tg_fleet.h"
#include "tg_guard.h"
#include "tg_http.h"
#include "tg_metrics.h"
#include "tg_quota.h"
#include "tg_conf_alert.h"
#include "tg_request.h"
#include "tg_route.h"
#include "tg_siphash.h"

#define TG_TAGS_MAX       16
#define TG_SOURCES_MAX    8      /* of one tag */
#define TG_PROVIDERS_MAX  64
#define TG_FILES_MAX      16
#define TG_GEOIP_FILES_MAX  2
#define TG_LOGS_MAX       8      /* of one scope */
#define TG_ARGS_MAX       32     /* of a directive: none takes as many */

#define TG_PROVIDER_KEY_MAX      4096
#define TG_PROVIDER_MODELS_MAX   64
#define TG_PROVIDER_HEADERS_MAX  8
#define TG_PROVIDER_BASE_MAX     512    /* bytes of a url's path */

typedef enum {
#define TG_DIRECTIVE(id, ngx, httpd, contexts, least, most, syntax, def, help) \
    TG_DIRECTIVE_##id,
#include "tg_directives.def"
#undef TG_DIRECTIVE
    TG_DIRECTIVES
} tg_directive_id_t;

extern const tg_directive_t  tg_directives[TG_DIRECTIVES];

/* Where a tag's value may come from. */
typedef enum {
    TG_SOURCE_VARIABLE = 1,     /* name: without $ or env: ; handle: host's */
    TG_SOURCE_HEADER,           /* name: lower case */
    TG_SOURCE_JSON_HEADER,      /* name: header, lower case; field */
    TG_SOURCE_BAGGAGE,          /* field: the key */
    TG_SOURCE_TRACEPARENT,
    TG_SOURCE_BODY,             /* field: path; handle: index of the field */
    TG_SOURCE_KEY               /* what the virtual key says */
} tg_source_kind_t;

typedef struct {
    tg_source_kind_t  kind;
    tg_str_t          name;
    tg_str_t          field;
    uintptr_t         handle;
} tg_source_t;

/* Tags with a field of their own in the cost line. */
typedef enum {
    TG_TAG_OTHER = 0,
    TG_TAG_TEAM,
    TG_TAG_USER,
    TG_TAG_ORG,
    TG_TAG_SESSION,
    TG_TAG_AGENT
} tg_tag_role_t;

typedef enum {
    TG_LOG_JSON = 0,
    TG_LOG_UNDERSCORE,
    TG_LOG_FORMATS
} tg_log_format_t;

typedef struct {
    tg_str_t       name;
    tg_tag_role_t  role;
    bool           required;
    unsigned       nsources;
    tg_source_t    sources[TG_SOURCES_MAX];
    tg_str_t       from;            /* as written, for messages */
    tg_str_t       key[TG_LOG_FORMATS];     /* what precedes it in a line */
} tg_tag_t;

typedef struct {
    tg_str_t            name;
    tg_str_t            host;       /* of url=, lower case, port left off */
    tg_str_t            scheme;     /* of url=; empty with it */
    tg_str_t            authority;  /* of url=, lower case: host[:port] */
    tg_str_t            base;       /* of url=: a path before the API's own,
                                       without a last slash; or empty */
    const tg_vendor_t  *vendor;     /* NULL: told by the host */
    const tg_vendor_t  *price;      /* whose prices hold; NULL: the vendor's */
    bool                inject;
    bool                https;      /* url= says so */
    unsigned            nheaders;   /* of header= */
    tg_header_t        *headers;    /* TG_PROVIDER_HEADERS_MAX of them, or
                                       NULL */
    tg_str_t            key_file;   /* of key=file:; empty: none */
    tg_str_t            key;        /* of tg_conf_provider_key() */
    tg_str_t            bearer;     /* "Bearer " and the key */
    tg_str_t           *models;     /* patterns: what it has; NULL: not said */
    unsigned            nmodels;
    void               *group;      /* of conf->companion, that of url=; NULL:
                                       it looks after none such */
} tg_provider_t;

typedef struct tg_log_s  tg_log_t;

struct tg_log_s {
    tg_str_t         target;        /* a file's name, or "syslog:..."; the host
                                       may say more of it: one place, one
                                       name */
    uint16_t         id;            /* tg_recovered_log(), as it was written */
    bool             off;
    tg_log_format_t  format;
    size_t           buffer;        /* bytes */
    int64_t          flush_ms;      /* 0: no buffering */
    bool             own_buffer;    /* buffer=, flush= are written here */
    bool             own_flush;
    tg_str_t         condition;     /* of if=; empty: none */
    void            *handle;        /* the host's */
    const tg_log_t  *here;          /* the first of its scope */
    tg_log_t        *next;          /* of all scopes, in order */
};

/* What may differ from one location to the next. */
typedef struct {
    int8_t     enable;              /* TG_UNSET, or TG_OFF, _ON, _DRY_RUN */
    int8_t     reject_unknown;      /* TG_UNSET, 0, 1 */
    int8_t     pass;                /* TG_UNSET, 0, 1: llm_pass */
    int8_t     cache;               /* TG_UNSET, 0, 1: llm_cache */
    int8_t     status;              /* TG_UNSET, or a tg_status_format_t */
    int8_t     own;                 /* TG_UNSET, or a tg_own_t */
    int8_t     trace;               /* TG_UNSET, 0, 1: llm_trace */
    int64_t    drain_ms;            /* TG_UNSET; 0: abort */
    bool       own_enable;          /* `llm` is written in this very scope */
    bool       own_pass;
    bool       own_cache;
    bool       own_trace;
    unsigned   nlogs;
    tg_log_t  *logs;                /* TG_LOGS_MAX of them; NULL until the first */
} tg_scope_t;

/* What a location answers that callers have for themselves. */
typedef enum {
    TG_OWN_ME = 0,                  /* llm_me */
    TG_OWN_OUTCOME                  /* llm_outcome */
} tg_own_t;

enum { TG_UNSET = -1, TG_OFF = 0, TG_ON = 1, TG_DRY_RUN = 2 };

/* llm_keys. */
typedef struct {
    tg_str_t  file;                 /* empty: none */
    uint32_t  allow;                /* bit tg_op_t: goes although it can't be
                                       priced */
} tg_conf_keys_t;

/* llm_prefix_hash. */
typedef struct {
    bool           said;
    bool           off;
    bool           ready;           /* key is there; set by the host */
    tg_str_t       key_file;        /* empty: any key does */
    unsigned char  key[TG_SIPHASH_KEY];
} tg_conf_prefix_t;

/* llm_cache. */
typedef struct {
    tg_str_t  store;                /* "<provider>[:<args>]"; empty: none */
    int64_t   ttl_ms;
    size_t    max_size;             /* of an answer, in bytes */
    bool      wanted;               /* it is on somewhere */
} tg_conf_cache_t;

/* llm_ledger. */
typedef struct {
    tg_str_t  file;                 /* empty: none */
    uint64_t  size;                 /* bytes */
    tg_str_t  zone;                 /* "UTC", "Europe/Berlin" */
    bool      full_allows;          /* a full ledger, or a lock not to be had,
                                       lets calls pass */
    int64_t   default_output;       /* tokens; 0: TG_BOUND_OUTPUT */
    tg_fleet_options_t  *fleet;     /* NULL: of this machine alone */
} tg_conf_ledger_t;

/* What calls are counted by. */
typedef enum {
    TG_LABEL_TEAM = 0,
    TG_LABEL_MODEL,
    TG_LABEL_PROVIDER,
    TG_LABEL_OPERATION,
    TG_LABEL_KEY,
    TG_LABEL_USER,
    TG_LABEL_ORG,
    TG_LABEL_ROUTE,
    TG_LABELS
} tg_metrics_label_t;

#define TG_METRICS_TAGS_MAX  4

/* llm_metrics. */
typedef struct {
    bool      said;
    bool      alone;                /* fleet=off */
    unsigned  series;               /* at most */
    unsigned  labels;               /* bits, 1 << tg_metrics_label_t */
    unsigned  ntags;
    tg_str_t  tag[TG_METRICS_TAGS_MAX];     /* its name */
    tg_str_t  label[TG_METRICS_TAGS_MAX];   /* "tag_feature" */
    unsigned  place[TG_METRICS_TAGS_MAX];   /* in conf->tags */
} tg_conf_metrics_t;

/* Adds the label, where llm_metrics has it and there is a value: one without is as
 * none, in PromQL as here. */
void tg_metrics_label(tg_labels_t *l, const tg_conf_metrics_t *mc,
    tg_metrics_label_t label, tg_str_t value);

/* A directive, as it was given. */
typedef struct tg_conf_said_s  tg_conf_said_t;

struct tg_conf_said_s {
    tg_directive_id_t     id;
    unsigned              nargs;
    tg_str_t             *args;
    tg_conf_said_t       *next;
};

/* A file's name as the server reads it: absolute.  Empty where that can't be
 * told. */
typedef tg_str_t (*tg_full_name_t)(void *data, tg_str_t name);

/* What is said once for the whole server. */
typedef struct {
    tg_mem_t             *mem;
    tg_full_name_t        full_name;    /* set by the host before the first
                                           directive; NULL: names stay */
    void                 *full_name_data;
    unsigned              ntags;
    tg_tag_t              tags[TG_TAGS_MAX];
    unsigned              nproviders;
    tg_provider_t         providers[TG_PROVIDERS_MAX];
    unsigned              nprices;
    tg_str_t              prices[TG_FILES_MAX];
    unsigned              ngeoip;   /* files of llm_geoip */
    bool                  placed;   /* the host knows countries without them */
    tg_str_t              geoip[TG_GEOIP_FILES_MAX];
    unsigned              nlogs;    /* in all scopes */
    tg_log_t             *logs;
    tg_log_t            **logs_end;
    tg_conf_keys_t        keys;
    tg_conf_cache_t       cache;
    tg_conf_metrics_t     metrics;
    tg_conf_prefix_t      prefix;
    tg_conf_ledger_t      ledger;
    tg_quotas_t           quotas;
    tg_guards_t           guards;
    tg_routes_t           routes;
    tg_conf_said_t       *said;     /* in order: those of the main level alone
                                       but llm_alert, and each llm_log */
    tg_conf_said_t      **said_end;
    bool                  passes;   /* some scope has `llm_pass on` */
    tg_json_paths_t      *outcome_paths;    /* of llm_outcome's body */
    bool                  asks_keys;        /* some location has llm_me or
                                       llm_outcome */
    bool                  repeats;  /* one of them looks for repetitions */
    tg_conf_alerts_t      alerts;
    tg_request_fields_t  *fields;   /* of the tags' bodies; NULL if none */
    unsigned              nfields;
    uint64_t              hash;     /* FNV-1a of all directives' words */
    char                  hash_text[17];
    const tg_companion_upstream_t  *companion;  /* of tg_conf_companion() */
    tg_str_t              node;     /* llm.node; set by the host */
    tg_str_t              allowed[TG_LOG_FORMATS];  /* a run of the lines of
                                       calls that were let through */
} tg_conf_t;

/* NULL on exhaustion. */
tg_conf_t *tg_conf_create(tg_mem_t *mem);

/* Frees what is not of mem (machine code of regexes), before mem goes. */
void tg_conf_destroy(tg_conf_t *conf);
void tg_scope_init(tg_scope_t *scope);

/*
 * One directive with its arguments (the name left off).  Strings are copied.
 * The count of arguments has been checked against the table by the server or is
 * checked here.  TG_OK, or TG_ERROR and err->message.
 */
int tg_conf_directive(tg_conf_t *conf, tg_scope_t *scope, tg_directive_id_t id,
    const tg_str_t *args, unsigned nargs, tg_error_t *err);

/*
 * tg_conf_text.c: conf->said as text, a directive a line with nginx's names,
 * each word quoted so that it reads back byte by byte; a line that begins with
 * "#" says nothing.  The text is of mem, with a NUL behind it; empty on
 * exhaustion.
 */
tg_str_t tg_conf_text(const tg_conf_t *conf, tg_mem_t *mem);

/* Says it all again to a new conf, which is yet to be finished.  TG_ERROR where
 * the text is none of tg_conf_text()'s; err->offset is the line. */
int tg_conf_read(tg_conf_t *conf, tg_str_t text, tg_error_t *err);

/* child := child, where unset parent's, where that is unset the default. */
void tg_scope_merge(const tg_scope_t *parent, tg_scope_t *child);

/*
 * The same without the defaults, for a server that merges sections with each
 * other before it merges them with what is above them all.
 */
void tg_scope_inherit(const tg_scope_t *parent, tg_scope_t *child);

/* After the last directive, and with the node's name set: compiles what needs
 * all of them. */
int tg_conf_finish(tg_conf_t *conf, tg_error_t *err);

/* After tg_conf_finish(): the upstream module, NULL where it is not loaded.
 * False: it is of another version, and counts as not loaded. */
bool tg_conf_companion(tg_conf_t *conf,
    const tg_companion_upstream_t *companion);

/* The upstream module answers this request of the server's: it is no call. */
bool tg_conf_companion_owns(const tg_conf_t *conf, void *r);

/* Part of tg_conf_finish(); tg_line.c. TG_ERROR on exhaustion. */
int tg_line_prepare(tg_conf_t *conf);

/*
 * Things that are valid but can't work, one at a time: *i starts at 0; returns
 * false when there are no more.  `enabled`: some scope has `llm on`; `logged`:
 * such a scope has a log.
 */
bool tg_conf_warning(const tg_conf_t *conf, bool enabled, bool logged,
    unsigned *i, tg_error_t *warning);

/*
 * The next name of a llm_alert's quota= that is of no llm_quota, to *name; *i
 * and *k start at 0.  It may be a budget's of the keys file: tg_roster_has().
 */
bool tg_conf_alert_stray(const tg_conf_t *conf, unsigned *i, unsigned *k,
    tg_str_t *name);

/* A tg_expr_bind_t of healthy() and saturated(): a provider's name becomes its
 * index and one.  data is the tg_conf_t. */
const char *tg_conf_bind_provider(void *data, tg_str_t name,
    uintptr_t *handle);

/* The provider that a call to this host belongs to, or NULL. */
const tg_provider_t *tg_conf_provider(const tg_conf_t *conf, tg_str_t host);

/*
 * What the host read from the i-th provider's key_file: a key, and white space
 * around it.  TG_ERROR where it is no key; the message does not tell it.
 */
int tg_conf_provider_key(tg_conf_t *conf, unsigned i, tg_str_t text,
    tg_error_t *err);

/* True where a provider's key goes to this host, so that none may be talked to
 * without its certificate being verified. */
bool tg_conf_needs_verified(const tg_conf_t *conf, tg_str_t host);

/* TG_ERROR where a parameter is given twice, but for those that add up. */
int tg_conf_once(const tg_str_t *args, unsigned nargs, tg_error_t *err);

/* "500ms", "2s", "1m", "1h30m": milliseconds, -1 if malformed. Plain numbers are
 * seconds, as in nginx. */
int64_t tg_conf_time(tg_str_t s);

/* "64k", "1m", "512": bytes, -1 if malformed. */
int64_t tg_conf_size(tg_str_t s);

/* "5000", "2.50", "200k", "1M" in units of 10^-scale.  -1: malformed, -2: more
 * than `most` (which is at most 9e15), or not whole. */
int64_t tg_conf_amount(tg_str_t s, int scale, int64_t most);

/* "80%": 80; 0: malformed, or not from 1 to most. */
unsigned tg_conf_percent(tg_str_t s, unsigned most);

/* Host name of a URL or host:port, without port; aliases s. */
tg_str_t tg_conf_host(tg_str_t s);

/* True where host:port has a host, and a port if anything is behind it. */
bool tg_conf_port_ok(tg_str_t s);

#endif /* TG_CONF_H */
