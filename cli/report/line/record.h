/*
 * record.h - one cost line, read: docs/costline.md, of either format.
 *
 * Values are views into the line, unescaped where that was needed; they live as
 * long as the callback that they are handed to.
 */

#ifndef RECORD_H
#define RECORD_H

#include "tg_str.h"

#include <stdbool.h>
#include <stdint.h>

#define RECORD_TAGS_MAX  32

/* Texts, by the field's name in the JSON format. */
#define RECORD_TEXTS(X)                                                       \
    X(TIMESTAMP,      "@timestamp")                                           \
    X(EVENT_ID,       "event.id")                                             \
    X(EVENT_KIND,     "event.kind")                                           \
    X(CALL_ID,        "llm.call_id")                                          \
    X(TRACE_ID,       "trace.id")                                             \
    X(SPAN_ID,        "span.id")                                              \
    X(SESSION,        "gen_ai.conversation.id")                               \
    X(AGENT,          "gen_ai.agent.name")                                    \
    X(KEY,            "llm.key_id")                                           \
    X(TEAM,           "llm.team")                                             \
    X(USER,           "user.id")                                              \
    X(ORG,            "organization.id")                                      \
    X(CLIENT,         "client.address")                                       \
    X(COUNTRY,        "client.geo.country_iso_code")                          \
    X(OPERATION,      "gen_ai.operation.name")                                \
    X(VENDOR,         "gen_ai.provider.name")                                 \
    X(PROVIDER,       "llm.provider")                                         \
    X(ASKED_MODEL,    "gen_ai.request.model")                                 \
    X(SENT_MODEL,     "llm.sent_model")                                       \
    X(MODEL,          "gen_ai.response.model")                                \
    X(ROUTE,          "llm.route")                                            \
    X(ROUTE_DRY,      "llm.route_dry")                                        \
    X(UPSTREAM,       "server.address")                                       \
    X(SERVER,         "llm.server")                                           \
    X(TIER,           "llm.service_tier")                                     \
    X(SOURCE,         "llm.usage.source")                                     \
    X(COST_SOURCE,    "llm.cost.source")                                      \
    X(PRICE_ID,       "llm.price_id")                                         \
    X(DECISION,       "llm.decision")                                         \
    X(RULE,           "llm.rule")                                             \
    X(QUOTA_SUBJECT,  "llm.quota.subject")                                    \
    X(QUOTA_MEASURE,  "llm.quota.measure")                                    \
    X(NODE,           "llm.node")                                             \
    X(CONFIG_HASH,    "llm.config_hash")                                      \
    X(PREFIX_HASH,    "llm.prefix_hash")                                      \
    X(ERROR_TYPE,     "error.type")                                           \
    X(OUTCOME,        "event.outcome")                                        \
    X(REASON,         "event.reason")                                         \
    X(GUARD,          "llm.guard.name")                                       \
    X(OUTCOME_NAME,   "llm.outcome.name")                                     \
    X(FINISH,         "gen_ai.response.finish_reasons")  /* the first */

/* Whole numbers; dollars are nano-dollars and seconds nanoseconds, whatever the
 * line has them in. */
#define RECORD_NUMBERS(X)                                                     \
    X(SCHEMA,         "llm.schema")                                           \
    X(SEQ,            "llm.seq")                                              \
    X(ATTEMPT,        "llm.attempt")                                          \
    X(STATUS,         "http.response.status_code")                            \
    X(INPUT,          "gen_ai.usage.input_tokens")                            \
    X(OUTPUT,         "gen_ai.usage.output_tokens")                           \
    X(CACHE_READ,     "gen_ai.usage.cache_read.input_tokens")                 \
    X(CACHE_WRITE,    "gen_ai.usage.cache_creation.input_tokens")             \
    X(REASONING,      "gen_ai.usage.reasoning.output_tokens")                 \
    X(MAX_TOKENS,     "gen_ai.request.max_tokens")                            \
    X(MESSAGES,       "llm.prompt.messages")                                  \
    X(SYSTEM_TOKENS,  "llm.prompt.system_tokens")                             \
    X(TOOL_CALLS,     "llm.tool_calls")                                       \
    X(RETRIES,        "llm.retry_count")                                      \
    X(COST,           "llm.cost.total_nusd")                                  \
    X(COST_INPUT,     "llm.cost.input")          /* dollars in the line */    \
    X(COST_CACHE_READ, "llm.cost.cache_read")    /* likewise, and below */    \
    X(COST_CACHE_WRITE, "llm.cost.cache_write")                               \
    X(COST_OUTPUT,    "llm.cost.output")                                      \
    X(COST_TOOLS,     "llm.cost.tools")                                       \
    X(COST_EXTRA,     "llm.cost.extra")                                       \
    X(COST_LIST,      "llm.cost.list")                                        \
    X(COST_SAVED,     "llm.cost.saved")                                       \
    X(COST_GPU,       "llm.cost.gpu")                                         \
    X(DRY_SAVED,      "llm.route_dry_saved")                                  \
    X(HOLD,           "llm.hold")                                             \
    X(GPU_NS,         "llm.gpu_seconds")         /* seconds in the line */    \
    X(FIRST_CHUNK,    "gen_ai.response.time_to_first_chunk")                  \
    X(DURATION,       "event.duration")          /* nanoseconds in it */      \
    X(WAITED_MS,      "llm.waited_ms")                                        \
    X(OVERHEAD_US,    "llm.overhead")                                         \
    X(REQUEST_BYTES,  "http.request.body.bytes")                              \
    X(RESPONSE_BYTES, "http.response.body.bytes")                             \
    X(OUTCOME_VALUE,  "llm.outcome.value")       /* times 10^9 */         \
    X(SENT_MAX_TOKENS, "llm.sent_max_tokens")                                 \
    X(ASN,            "client.as.number")                                     \
    X(CACHE_WRITE_5M, "llm.usage.cache_write_5m")                             \
    X(CACHE_WRITE_1H, "llm.usage.cache_write_1h")                             \
    X(AUDIO_INPUT,    "llm.usage.audio_input")                                \
    X(IMAGE_INPUT,    "llm.usage.image_input")                                \
    X(AUDIO_OUTPUT,   "llm.usage.audio_output")                               \
    X(IMAGE_OUTPUT,   "llm.usage.image_output")                               \
    X(BILLED_INPUT,   "llm.usage.billed_input")                               \
    X(BILLED_OUTPUT,  "llm.usage.billed_output")                              \
    X(WEB_SEARCHES,   "llm.usage.web_searches")                               \
    X(WEB_FETCHES,    "llm.usage.web_fetches")                                \
    X(SEARCH_UNITS,   "llm.usage.search_units")                               \
    X(IMAGES,         "llm.usage.images")                                     \
    X(AUDIO_MS,       "llm.usage.duration_ms")                                \
    X(CHARACTERS,     "llm.usage.characters")                                 \
    X(PAGES,          "llm.usage.pages")

/* What is true or is not there. */
#define RECORD_FLAGS(X)                                                       \
    X(FINAL,          "llm.final")                                            \
    X(STREAM,         "gen_ai.request.stream")                                \
    X(SERVED,         "llm.served")                                           \
    X(UNPRICED,       "llm.cost.unpriced")                                    \
    X(INCOMPLETE,     "llm.cost.incomplete")                                  \
    X(RECOVERED,      "llm.recovered")                                        \
    X(CALIBRATED,     "llm.hold_calibrated")

#define RECORD_ENUM(id, name)  REC_##id,

typedef enum { RECORD_TEXTS(RECORD_ENUM) REC_TEXTS } record_text_t;
typedef enum { RECORD_NUMBERS(RECORD_ENUM) REC_NUMBERS } record_number_t;
typedef enum { RECORD_FLAGS(RECORD_ENUM) REC_FLAGS } record_flag_t;

typedef struct {
    tg_str_t  name;             /* behind "llm.tags." */
    tg_str_t  value;
} record_tag_t;

typedef struct {
    int64_t       time;         /* REC_TIMESTAMP, milliseconds since 1970 */
    uint64_t      id;           /* REC_EVENT_ID's bits, of a reader; 0: none */
    tg_str_t      text[REC_TEXTS];      /* empty: none */
    int64_t       number[REC_NUMBERS];  /* 0: none; see `has` */
    uint64_t      has;          /* bits, 1 << record_number_t */
    uint32_t      flags;        /* bits, 1 << record_flag_t */
    unsigned      ntags;
    record_tag_t  tags[RECORD_TAGS_MAX];
} record_t;

#define record_is(r, flag)      ((bool) (((r)->flags >> (flag)) & 1))
#define record_has(r, number)   ((bool) (((r)->has >> (number)) & 1))

/* What is asked for: bits as above. Others may be filled in or not; flags and
 * the time always are. */
typedef struct {
    uint64_t  text;             /* 1 << record_text_t */
    uint64_t  number;
    bool      tags;
} record_want_t;

#define record_want_text(w, t)    ((w)->text |= UINT64_C(1) << (t))
#define record_want_number(w, n)  ((w)->number |= UINT64_C(1) << (n))

void record_want_texts(record_want_t *w, const record_text_t *texts, size_t n);
void record_want_numbers(record_want_t *w, const record_number_t *numbers,
    size_t n);

/*
 * Reads a line without its newline; texts are unescaped in place.  False, with
 * *r and the line in any state: it is no flat JSON object that is whole, of
 * strings without bare controls, numbers that fit, and a time not before 1970,
 * with an event.id or llm.schema.  White space between tokens is fine.  UTF-8
 * is not validated.
 */
bool record_parse(record_t *r, char *line, size_t n,
    const record_want_t *want);

/* The name in the JSON format. */
tg_str_t record_text_name(record_text_t t);
tg_str_t record_number_name(record_number_t n);

/*
 * A dimension by the word that users say: day, hour, week, month, team, user,
 * org, key, agent, session, model (answered, else sent, else asked), provider
 * (llm.provider, else the vendor), vendor, operation, route, upstream, server,
 * client, country, node, source, tier, decision, rule, status, tag:<name>,
 * prefix, outcome, or a field by its full name.
 */
typedef struct {
    tg_str_t  word;
    int       kind;             /* private */
    tg_str_t  name;
} dimension_t;

#define DIMENSIONS_MAX  8       /* of a report */

/* False: there is none of that name (nothing is said). */
bool dimension_parse(dimension_t *d, const char *word);

/* True of hour, day, week and month. */
bool dimension_is_time(const dimension_t *d);

/* Adds what it needs. */
void dimension_want(const dimension_t *d, record_want_t *want);

/* zone: of days and so on; NULL: UTC.  buf, of DIMENSION_SIZE bytes, is for
 * what is not in the record as it is.  Empty: the line has none. */
#define DIMENSION_SIZE  64
struct tg_zone_s;
tg_str_t dimension_value(const dimension_t *d, const record_t *r,
    const struct tg_zone_s *zone, char *buf);

#endif /* RECORD_H */
