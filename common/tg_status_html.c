#include "tg_status_html.h"


unsigned
tg_status_headers(tg_status_format_t format,
    tg_header_t headers[TG_STATUS_HEADERS])
{
    unsigned  n = 0;

    (void) format;

    headers[n++] = (tg_header_t) { TG_STR("cache-control"),
                                   TG_STR("no-store") };
    headers[n++] = (tg_header_t) { TG_STR("x-content-type-options"),
                                   TG_STR("nosniff") };
    headers[n++] = (tg_header_t) { TG_STR("referrer-policy"),
                                   TG_STR("no-referrer") };
    headers[n++] = (tg_header_t) { TG_STR("x-frame-options"),
                                   TG_STR("DENY") };
    headers[n++] = (tg_header_t) { TG_STR("content-security-policy"),
                                   TG_STR("default-src 'none'; frame-ancestors"
                                          " 'none'; base-uri 'none';"
                                          " form-action 'none'") };

    return n;
}
