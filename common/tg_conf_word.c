/* The words of a directive: what all of them have in common. */

#include "tg_conf_int.h"
#include "tg_money.h"

/* Milliseconds beyond which nothing is added: 31,000 years. */
#define TG_CONF_TIME_MAX  INT64_C(1000000000000000)


bool
tg_conf_param(tg_str_t arg, const char *name, tg_str_t *value)
{
    size_t  n = strlen(name);

    if (arg.len <= n || memcmp(arg.p, name, n) != 0 || arg.p[n] != '=') {
        return false;
    }

    *value = tg_str_of(arg.p + n + 1, arg.len - n - 1);

    return true;
}


/* "name" of "name=value"; empty where it is none: a file, a URL. */
static tg_str_t
tg_conf_key(tg_str_t arg)
{
    size_t  n = 0;

    while (n < arg.len && ((arg.p[n] >= 'a' && arg.p[n] <= 'z')
                           || arg.p[n] == '_'))
    {
        n++;
    }

    return n < arg.len && arg.p[n] == '=' ? tg_str_of(arg.p, n) : tg_str_null;
}


/* Several of them are meant: each adds to those before it. */
static bool
tg_conf_again(tg_str_t key)
{
    static const tg_str_t  list[] = {
        TG_STR("header"), TG_STR("from"), TG_STR("models"), TG_STR("deny"),
        TG_STR("allow"), TG_STR("pii"), TG_STR("requests"), TG_STR("tokens"),
        TG_STR("input_tokens"), TG_STR("output_tokens"), TG_STR("usd")
    };

    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        if (tg_str_eq(key, list[i])) {
            return true;
        }
    }

    return false;
}


int
tg_conf_once(const tg_str_t *args, unsigned nargs, tg_error_t *err)
{
    tg_str_t  key;

    for (unsigned i = 0; i < nargs; i++) {
        key = tg_conf_key(args[i]);

        if (key.len == 0 || tg_conf_again(key)) {
            continue;
        }

        for (unsigned k = 0; k < i; k++) {
            if (tg_str_eq(key, tg_conf_key(args[k]))) {
                return tg_error(err, 0, 0, "%.*s= is given twice", TG_ARG(key));
            }
        }
    }

    return TG_OK;
}


int
tg_conf_unknown_param(tg_str_t arg, const char *known, tg_error_t *err)
{
    return tg_error(err, 0, 0, "unknown parameter \"%.*s\"; known are %s",
                    TG_ARG(arg), known);
}


int
tg_conf_takes(const char *syntax, unsigned most, const tg_str_t *args,
    unsigned nargs, tg_error_t *err)
{
    const char  *takes = syntax[0] != '\0' ? syntax : "no argument";

    if (nargs <= most) {
        return tg_error(err, 0, 0, "takes: %s", takes);
    }

    return tg_error(err, 0, 0, "takes: %.150s; too much is \"%.*s\"%s", takes,
                    TG_ARG(args[most]),
                    nargs > most + 1 ? " and what follows" : "");
}


int64_t
tg_conf_time(tg_str_t s)
{
    int64_t  total = 0, v;
    size_t   i = 0, start;

    if (s.len == 0) {
        return -1;
    }

    while (i < s.len) {
        start = i;
        while (i < s.len && s.p[i] >= '0' && s.p[i] <= '9') {
            i++;
        }

        v = i - start > 9 ? -1 : tg_str_int(tg_str_of(s.p + start, i - start));
        if (v < 0) {
            return -1;
        }

        if (total > TG_CONF_TIME_MAX) {
            return -1;
        }

        if (i == s.len) {
            return total + v * 1000;
        }

        if (s.p[i] == 'm' && i + 1 < s.len && s.p[i + 1] == 's') {
            total += v;
            i += 2;
            continue;
        }

        switch (s.p[i++]) {
        case 'd': v *= 24;      /* fall through */
        case 'h': v *= 60;      /* fall through */
        case 'm': v *= 60;      /* fall through */
        case 's': total += v * 1000; break;
        default:  return -1;
        }
    }

    return total;
}


int64_t
tg_conf_size(tg_str_t s)
{
    int64_t  v, unit = 1;

    if (s.len == 0) {
        return -1;
    }

    switch (tg_lower(s.p[s.len - 1])) {
    case 'k': unit = 1024; s.len--; break;
    case 'm': unit = 1024 * 1024; s.len--; break;
    default:  break;
    }

    v = s.len > 9 ? -1 : tg_str_int(s);

    return v < 0 ? -1 : v * unit;
}


tg_str_t
tg_conf_host(tg_str_t s)
{
    const char  *p;
    size_t       i;

    for (i = 0; i + 2 < s.len; i++) {
        if (memcmp(s.p + i, "://", 3) == 0) {
            s.p += i + 3;
            s.len -= i + 3;
            break;
        }
    }

    if (s.len != 0 && s.p[0] == '[') {
        p = memchr(s.p, ']', s.len);
        return p == NULL ? s : tg_str_of(s.p, (size_t) (p - s.p) + 1);
    }

    for (i = 0; i < s.len; i++) {
        if (s.p[i] == ':' || s.p[i] == '/' || s.p[i] == '?') {
            break;
        }
    }

    return tg_str_of(s.p, i);
}


int64_t
tg_conf_amount(tg_str_t s, int scale, int64_t most)
{
    int      shift = scale;
    bool     dot = false;
    int64_t  v, fine;

    if (s.len == 0) {
        return -1;
    }

    switch (s.p[s.len - 1]) {
    case 'k':
    case 'K': shift += 3; s.len--; break;
    case 'm':
    case 'M': shift += 6; s.len--; break;
    case 'g':
    case 'G': shift += 9; s.len--; break;
    default:  break;
    }

    for (size_t i = 0; i < s.len; i++) {
        if ((s.p[i] < '0' || s.p[i] > '9')
            && (s.p[i] != '.' || i == 0 || i + 1 == s.len || dot))
        {
            return -1;
        }

        dot |= s.p[i] == '.';
    }

    v = s.len == 0 || s.len > 32 ? -1 : tg_money_parse(s, shift);

    if (v < 0 || v > most) {
        return s.len == 0 || (s.p[0] == '0' && s.len > 1 && s.p[1] != '.')
               ? -1 : -2;
    }

    /* what is below the unit is no amount */

    fine = tg_money_parse(s, shift + 3);

    return fine == v * 1000 ? v : -2;
}


unsigned
tg_conf_percent(tg_str_t s, unsigned most)
{
    int64_t  v;

    if (s.len < 2 || s.len > 5 || s.p[s.len - 1] != '%') {
        return 0;
    }

    v = tg_str_int(tg_str_of(s.p, s.len - 1));

    return v < 1 || v > most ? 0 : (unsigned) v;
}


bool
tg_conf_port_ok(tg_str_t s)
{
    tg_str_t  host = tg_conf_host(s), port;

    if (host.len == 0 || host.len == s.len) {
        return host.len != 0;
    }

    port = tg_str_of(s.p + host.len + 1, s.len - host.len - 1);

    return s.p[host.len] == ':' && port.len <= 5 && tg_str_int(port) > 0
           && tg_str_int(port) < 65536;
}


/* A host, or a host and port; nothing that could be a user's name or a
 * password. */
static bool
tg_conf_origin_ok(tg_str_t s)
{
    for (size_t i = 0; i < s.len; i++) {
        char  c = tg_lower(s.p[i]);

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.'
              || c == '-' || c == '_' || c == ':' || c == '[' || c == ']'))
        {
            return false;
        }
    }

    return tg_conf_port_ok(s);
}


int
tg_conf_web_url(tg_str_t v, size_t *origin, tg_error_t *err)
{
    size_t  start, end;

    start = tg_str_starts(v, tg_str("https://")) ? 8
            : tg_str_starts(v, tg_str("http://")) ? 7 : 0;

    if (start == 0) {
        return tg_error(err, 0, 0, "url= takes http:// or https://, not"
                        " \"%.*s\"", TG_ARG(v));
    }

    for (end = start; end < v.len; end++) {
        if (v.p[end] == '/' || v.p[end] == '?' || v.p[end] == '#') {
            break;
        }
    }

    if (!tg_conf_origin_ok(tg_str_of(v.p + start, end - start))) {
        return tg_error(err, 0, 0, "url= has no host that is one in"
                        " \"%.*s\"", (int) (end < 80 ? end : 80), v.p);
    }

    for (size_t i = end; i < v.len; i++) {
        if (v.p[i] <= ' ' || v.p[i] > '~') {
            return tg_error(err, 0, 0, "url= has a byte that belongs into no"
                            " URL, at %zu", i + 1);
        }
    }

    if (v.len > TG_CONF_URL_MAX) {
        return tg_error(err, 0, 0, "url= is longer than %d bytes",
                        TG_CONF_URL_MAX);
    }

    *origin = end;

    return TG_OK;
}
