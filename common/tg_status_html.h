/*
 * tg_status_html.h - llm_status as a page: HTML without any asset beside it.
 */

#ifndef TG_STATUS_HTML_H
#define TG_STATUS_HTML_H

#include "tg_http.h"
#include "tg_status.h"

#define TG_STATUS_HEADERS  6

/* What an answer of llm_status is to say in its head besides its type: nothing of
 * it is to be kept, guessed at, framed, or to load anything; its own script and
 * style are known by their hashes.  Static.  Returns how many. */
unsigned tg_status_headers(tg_status_format_t format,
    tg_header_t headers[TG_STATUS_HEADERS]);

#endif /* TG_STATUS_HTML_H */
