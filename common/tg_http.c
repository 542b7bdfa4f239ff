#include "tg_http.h"

bool
tg_http_own_name(tg_str_t name)
{
    static const char  own[] = "x-llm-";

    if (name.len < sizeof(own) - 1) {
        return false;
    }

    for (size_t i = 0; i < sizeof(own) - 1; i++) {
        if (tg_lower(name.p[i]) != own[i]
            && !(own[i] == '-' && (name.p[i] == '_' || name.p[i] == '.')))
        {
            return false;
        }
    }

    return true;
}


tg_coding_t
tg_http_coding(tg_str_t value)
{
    if (value.len == 0 || tg_str_caseeq(value, tg_str("identity"))) {
        return TG_CODING_IDENTITY;
    }

    return tg_str_caseeq(value, tg_str("gzip"))
           || tg_str_caseeq(value, tg_str("x-gzip"))
           || tg_str_caseeq(value, tg_str("deflate"))
           ? TG_CODING_ZLIB : TG_CODING_OPAQUE;
}
