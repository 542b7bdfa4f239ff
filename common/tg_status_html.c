/* llm_status as a page: HTML without any asset beside it. */

#include "tg_status.h"


unsigned
tg_status_headers(tg_status_format_t format,
    tg_header_t headers[TG_STATUS_HEADERS_MAX])
{
    unsigned                  n = 0;
    static const tg_header_t  all[] = {
        { TG_STR("cache-control"), TG_STR("no-store") },
        { TG_STR("x-content-type-options"), TG_STR("nosniff") }
    };
    static const tg_header_t  page[] = {
        { TG_STR("content-security-policy"),
          TG_STR("default-src 'none'; frame-ancestors 'none'; base-uri 'none';"
                 " form-action 'none'") },
        { TG_STR("x-frame-options"), TG_STR("DENY") },
        { TG_STR("referrer-policy"), TG_STR("no-referrer") }
    };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        headers[n++] = all[i];
    }

    if (format == TG_STATUS_HTML) {
        for (size_t i = 0; i < sizeof(page) / sizeof(page[0]); i++) {
            headers[n++] = page[i];
        }
    }

    if (format == TG_STATUS_PROMETHEUS || format == TG_STATUS_OPENMETRICS) {
        headers[n++] = (tg_header_t) { TG_STR("vary"), TG_STR("accept") };
    }

    return n;
}
