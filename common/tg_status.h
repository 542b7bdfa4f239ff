/*
 * tg_status.h - in what form a status location answers.
 */

#ifndef TG_STATUS_H
#define TG_STATUS_H

#include "tg_error.h"

typedef enum {
    TG_STATUS_JSON = 0,
    TG_STATUS_PROMETHEUS        /* text format 0.0.4 */
} tg_status_format_t;

/* The arguments of llm_status and of llm_upstream_status. TG_OK, TG_ERROR. */
int tg_status_format(const tg_str_t *args, unsigned nargs,
    tg_status_format_t *format, tg_error_t *err);

/* Ends in NUL. */
tg_str_t tg_status_content_type(tg_status_format_t format);

#endif /* TG_STATUS_H */
