/*
 * tg_status.h - in what form a status location answers.
 */

#ifndef TG_STATUS_H
#define TG_STATUS_H

#include "tg_error.h"
#include "tg_http.h"

typedef enum {
    TG_STATUS_JSON = 0,
    TG_STATUS_PROMETHEUS,       /* text format 0.0.4 */
    TG_STATUS_HTML,             /* llm_status alone has it */
    TG_STATUS_OPENMETRICS       /* 1.0.0; only who asks for it gets it */
} tg_status_format_t;

/*
 * The arguments of llm_status (html: it has that, and answers so unless it is
 * told otherwise) and of llm_upstream_status.  TG_OK, TG_ERROR.
 */
int tg_status_format(const tg_str_t *args, unsigned nargs, bool html,
    tg_status_format_t *format, tg_error_t *err);

/*
 * In what form this request is answered where the location says `format`.  args:
 * its query; where the location answers html, format=json in it gets the page's
 * figures.  accept: its Accept; where the location answers in Prometheus' format,
 * application/openmetrics-text there gets that, unless text/plain is wanted more
 * (RFC 9110, 12.5.1).
 */
tg_status_format_t tg_status_asked(tg_status_format_t format, tg_str_t args,
    tg_str_t accept);

/* Ends in NUL. */
tg_str_t tg_status_content_type(tg_status_format_t format);

#define TG_STATUS_HEADERS_MAX  8

/* The answer's other headers; the strings are static, and end in NUL.  Returns how
 * many there are. */
unsigned tg_status_headers(tg_status_format_t format,
    tg_header_t headers[TG_STATUS_HEADERS_MAX]);

#endif /* TG_STATUS_H */
