/*
 * tg_backend_status_int.h - for tg_backend_status*.c only.
 */

#ifndef TG_BACKEND_STATUS_INT_H
#define TG_BACKEND_STATUS_INT_H

#include "tg_backend_status.h"
#include "tg_page.h"

/* There is always room for that much behind tg_status_room(). */
#define TG_STATUS_ROOM   1536

typedef struct {
    tg_backends_t                 *table;
    const tg_group_conf_t *const  *gc;
    unsigned                       ngc;
    int64_t                        now, wall_ms;
    tg_check_conf_t                check;       /* where gc has none */
    tg_page_t                      page;
} tg_status_t;

void tg_status_room(tg_status_t *s);

/* Numbers of a backend: what they are called, here and there.  Units are those
 * of the names; a fraction has `scale` decimals. */
typedef struct {
    const char  *group;         /* the object of JSON; NULL: not there */
    const char  *json;          /* its name there, and the label's value */
    const char  *prometheus;    /* behind llm_upstream_; NULL: not there */
    const char  *label;         /* besides the server, or NULL */
    const char  *type;          /* of this and those behind it of one name */
    const char  *help;
    unsigned     scale;
} tg_status_field_t;

/* In the order of the table. */
typedef enum {
    TG_STATUS_UP = 0,
    TG_STATUS_USABLE,
    TG_STATUS_EJECTED,
    TG_STATUS_FRESH,
    TG_STATUS_DRAINED,
    TG_STATUS_DRAINED_IDLE,
    TG_STATUS_STATE,            /* and its others */
    TG_STATUS_CALLS = TG_STATUS_STATE + TG_BACKEND_STATES,
    TG_STATUS_CALLS_TOKENS,
    TG_STATUS_SERVED,
    TG_STATUS_FAILED,
    TG_STATUS_RISES,
    TG_STATUS_FALLS,
    TG_STATUS_EJECTIONS,
    TG_STATUS_RAMP,
    TG_STATUS_CHECK_AGE,
    TG_STATUS_METRICS_AGE,
    TG_STATUS_RUNNING,
    TG_STATUS_WAITING,
    TG_STATUS_CAPACITY,
    TG_STATUS_KV,
    TG_STATUS_DECODE,
    TG_STATUS_PREFILL,
    TG_STATUS_GPUS,
    TG_STATUS_GPUS_SEEN,
    TG_STATUS_GPU_UTIL,
    TG_STATUS_GPU_USED,
    TG_STATUS_GPU_FREE,
    TG_STATUS_GPU_POWER,
    TG_STATUS_PROVISIONED,
    TG_STATUS_BUSY,
    TG_STATUS_IDLE,
    TG_STATUS_UNHEALTHY,
    TG_STATUS_SLEEPING,
    TG_STATUS_SHARED,
    TG_STATUS_GPU_BUSY,
    TG_STATUS_GPU_IDLE,
    TG_STATUS_GPU_UNHEALTHY,
    TG_STATUS_GPU_SLEEPING,
    TG_STATUS_PROMPT,
    TG_STATUS_OUTPUT,
    TG_STATUS_RATE,
    TG_STATUS_COST,
    TG_STATUS_COST_IDLE,
    TG_STATUS_COST_CALLS,
    TG_STATUS_COST_CLOUD,
    TG_STATUS_COST_MTOK,
    TG_STATUS_FIELDS
} tg_status_id_t;

#define TG_STATUS_UNKNOWN  INT64_MIN

extern const tg_status_field_t  tg_status_fields[TG_STATUS_FIELDS];

/* All that is told of a backend. */
typedef struct {
    tg_backend_t       *backend;
    tg_backend_view_t   view;
    int64_t             value[TG_STATUS_FIELDS];    /* or TG_STATUS_UNKNOWN */
} tg_status_backend_t;

/* The n-th backend of a group that is told of; n counts on. False: no more. */
bool tg_status_next(const tg_status_t *s, tg_group_t *g, unsigned *n,
    tg_status_backend_t *sb);

/* As it is configured, or as its metrics tell. */
tg_str_t tg_status_engine(const tg_status_backend_t *sb);

/* Whether anything of a group is told. */
bool tg_status_group(const tg_status_t *s, tg_group_t *g);

/* tg_backend_status_json.c, _prom.c */
void tg_status_json(tg_status_t *s);
void tg_status_prometheus(tg_status_t *s);

/* tg_backend_status_html.c: rows of a table. */
void tg_status_rows(tg_status_t *s);

#endif /* TG_BACKEND_STATUS_INT_H */
