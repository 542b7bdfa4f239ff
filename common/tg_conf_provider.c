/* llm_provider. */

#include "tg_conf_int.h"
#include "tg_key_presented.h"
#include "tg_path.h"

#define TG_CONF_VENDORS  150        /* bytes of their names in a message */


static int
tg_conf_vendor(const tg_vendor_t **vendor, const char *what, tg_str_t v,
    tg_error_t *err)
{
    tg_str_t  names = tg_vendor_names();

    *vendor = tg_vendor_by_name(v);

    if (*vendor == NULL) {
        v = tg_str_of(v.p, v.len < 32 ? v.len : 32);

        if (names.len > TG_CONF_VENDORS) {      /* to a whole name's end */
            names.len = TG_CONF_VENDORS;
            while (names.p[names.len] != ',') {
                names.len--;
            }
        }

        return tg_error(err, 0, 0, "unknown %s \"%.*s\"; known are %.*s%s",
                        what, TG_ARG(v), (int) names.len, names.p,
                        names.len < tg_vendor_names().len ? ", ..." : "");
    }

    return TG_OK;
}


/* A path that no server makes another one of, and that nobody has to encode. */
static bool
tg_conf_base_ok(tg_str_t base)
{
    for (size_t i = 0; i < base.len; i++) {
        if (base.p[i] <= ' ' || base.p[i] > '~'
            || strchr("\"%<>\\^`{|}?#", base.p[i]) != NULL)
        {
            return false;
        }
    }

    return base.len <= TG_PROVIDER_BASE_MAX && tg_path_plain(base);
}


/* host[:port], or a name of a group of servers. */
static bool
tg_conf_authority_ok(tg_str_t s, tg_str_t host)
{
    tg_str_t  port = tg_str_of(s.p + host.len, s.len - host.len);

    for (size_t i = 0; i < host.len; i++) {
        if (host.p[i] <= ' ' || host.p[i] > '~'
            || strchr("\"%<>\\^`{|}@,;", host.p[i]) != NULL)
        {
            return false;
        }
    }

    if (port.len == 0) {
        return true;
    }

    port = tg_str_of(port.p + 1, port.len - 1);

    return port.len <= 5 && tg_str_int(port) > 0 && tg_str_int(port) < 65536;
}


static int
tg_conf_url(tg_conf_t *conf, tg_provider_t *pr, tg_str_t url, tg_error_t *err)
{
    size_t      n;
    tg_str_t    s, base;
    const char *slash;

    if (!tg_str_starts(url, tg_str("http://"))
        && !tg_str_starts(url, tg_str("https://")))
    {
        return tg_error(err, 0, 0, "url= takes http:// or https://, not"
                        " \"%.*s\"", TG_ARG(url));
    }

    pr->https = tg_str_starts(url, tg_str("https://"));
    pr->scheme = pr->https ? tg_str("https") : tg_str("http");

    n = pr->scheme.len + 3;
    s = tg_str_of(url.p + n, url.len - n);
    slash = s.len == 0 ? NULL : memchr(s.p, '/', s.len);
    base = tg_str_null;

    if (slash != NULL) {
        base = tg_str_of(slash, s.len - (size_t) (slash - s.p));
        s.len = (size_t) (slash - s.p);
    }

    while (base.len != 0 && base.p[base.len - 1] == '/') {
        base.len--;
    }

    if (tg_conf_host(url).len == 0) {
        return tg_error(err, 0, 0, "url= has no host");
    }

    if (!tg_conf_authority_ok(s, tg_conf_host(url)) || !tg_conf_base_ok(base)) {
        return tg_error(err, 0, 0, "url= takes http(s)://host[:port][/path],"
                        " not \"%.*s\"", TG_ARG(url));
    }

    pr->authority = tg_conf_lower(conf, s);
    pr->host = tg_conf_lower(conf, tg_conf_host(url));
    pr->base = tg_dup(conf->mem, base);

    return pr->authority.p == NULL || pr->host.p == NULL || pr->base.p == NULL
           ? tg_error(err, 0, 0, "no memory") : TG_OK;
}


/* Names that are not for an operator to set: framing, and what is a secret's
 * place, for which there is key=. */
static bool
tg_conf_header_reserved(tg_str_t name)
{
    static const tg_str_t  reserved[] = {
        TG_STR("host"), TG_STR("connection"), TG_STR("content-length"),
        TG_STR("content-encoding"), TG_STR("transfer-encoding"), TG_STR("te"),
        TG_STR("trailer"), TG_STR("upgrade"), TG_STR("keep-alive"),
        TG_STR("expect"), TG_STR("proxy-authorization"),
        TG_STR("accept-encoding"), TG_STR("content-type")
    };

    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
        if (tg_str_eq(name, reserved[i])) {
            return true;
        }
    }

    for (size_t i = 0; i < TG_CARRIER_HEADERS; i++) {
        if (tg_str_eq(name, tg_carrier_headers[i])) {
            return true;
        }
    }

    return tg_http_own_header(name);
}


static int
tg_conf_header(tg_conf_t *conf, tg_provider_t *pr, tg_str_t v, tg_error_t *err)
{
    tg_str_t      name, value = v;
    tg_header_t  *h;

    if (!tg_str_cut(&value, ':', &name) || !tg_str_is_name(name)) {
        return tg_error(err, 0, 0, "header= takes <name>:<value>, not"
                        " \"%.*s\"", TG_ARG(v));
    }

    value = tg_str_trim(value);
    name = tg_conf_lower(conf, name);

    if (tg_conf_header_reserved(name)) {
        return tg_error(err, 0, 0, "header= can't set \"%.*s\"",
                        TG_ARG(name));
    }

    for (size_t i = 0; i < value.len; i++) {
        if (value.p[i] < ' ' || value.p[i] > '~') {
            return tg_error(err, 0, 0, "header= has a value with other than"
                            " printable ASCII characters");
        }
    }

    if (pr->nheaders == TG_PROVIDER_HEADERS_MAX) {
        return tg_error(err, 0, 0, "more than %d headers",
                        TG_PROVIDER_HEADERS_MAX);
    }

    if (pr->headers == NULL) {
        pr->headers = tg_zalloc(conf->mem, TG_PROVIDER_HEADERS_MAX
                                           * sizeof(tg_header_t));
        if (pr->headers == NULL) {
            return tg_error(err, 0, 0, "no memory");
        }
    }

    h = &pr->headers[pr->nheaders++];
    h->name = name;
    h->value = tg_dup(conf->mem, value);

    return h->name.p == NULL || h->value.p == NULL
           ? tg_error(err, 0, 0, "no memory") : TG_OK;
}


static int
tg_conf_provider_param(tg_conf_t *conf, tg_provider_t *pr, tg_str_t arg,
    tg_error_t *err)
{
    tg_str_t  v;

    if (tg_conf_param(arg, "dialect", &v)) {
        return tg_conf_vendor(&pr->vendor, "dialect", v, err);
    }

    if (tg_conf_param(arg, "price", &v)) {
        return tg_conf_vendor(&pr->price, "vendor in price=", v, err);
    }

    if (tg_conf_param(arg, "url", &v)) {
        return tg_conf_url(conf, pr, v, err);
    }

    if (tg_conf_param(arg, "header", &v)) {
        return tg_conf_header(conf, pr, v, err);
    }

    if (tg_conf_param(arg, "stream_usage", &v)) {
        pr->inject = tg_str_eq(v, tg_str("inject"));
        return pr->inject || tg_str_eq(v, tg_str("off")) ? TG_OK
               : tg_error(err, 0, 0, "stream_usage= takes inject or off, not"
                          " \"%.*s\"", TG_ARG(v));
    }

    if (tg_conf_param(arg, "key", &v)) {
        if (!tg_str_starts(v, tg_str("file:")) || v.len == 5) {
            return tg_error(err, 0, 0, "key= takes file:<path>: a secret is"
                            " not for the configuration");
        }
        return tg_conf_file(conf, tg_str_of(v.p + 5, v.len - 5), &pr->key_file,
                            err);
    }

    if (tg_conf_param(arg, "models", &v)) {
        return tg_conf_models(conf, pr, v, err);
    }

    return tg_conf_unknown_param(arg, "dialect=, url=, key=, models=,"
                                 " stream_usage=, price=, header=", err);
}


int
tg_conf_add_provider(tg_conf_t *conf, const tg_str_t *args, unsigned nargs,
    tg_error_t *err)
{
    tg_provider_t  *pr;

    if (!tg_str_is_name(args[0])) {
        return tg_error(err, 0, 0, "name \"%.*s\" is not of letters, digits, _"
                        " and -", TG_ARG(args[0]));
    }

    for (unsigned i = 0; i < conf->nproviders; i++) {
        if (tg_str_eq(conf->providers[i].name, args[0])) {
            return tg_error(err, 0, 0, "\"%.*s\" is declared twice",
                            TG_ARG(args[0]));
        }
    }

    if (conf->nproviders == TG_PROVIDERS_MAX) {
        return tg_error(err, 0, 0, "more than %d providers", TG_PROVIDERS_MAX);
    }

    pr = &conf->providers[conf->nproviders];
    pr->name = tg_dup(conf->mem, args[0]);
    pr->inject = true;

    for (unsigned i = 1; i < nargs; i++) {
        if (tg_conf_provider_param(conf, pr, args[i], err) != TG_OK) {
            return TG_ERROR;
        }
    }

    if (pr->host.len == 0 && !tg_str_eq(pr->name, tg_str("default"))) {
        return tg_error(err, 0, 0, "\"%.*s\" needs url=; only the provider"
                        " named default has none", TG_ARG(args[0]));
    }

    if (pr->key_file.len != 0 && !pr->https) {
        return tg_error(err, 0, 0, "\"%.*s\" has a key= and no https:// in its"
                        " url=: a key goes over verified TLS only",
                        TG_ARG(args[0]));
    }

    conf->nproviders++;

    return TG_OK;
}


const tg_provider_t *
tg_conf_provider(const tg_conf_t *conf, tg_str_t host)
{
    const tg_provider_t  *pr, *deflt = NULL;

    if (conf->nproviders == 0) {
        return NULL;
    }

    host = tg_conf_host(host);

    for (unsigned i = 0; i < conf->nproviders; i++) {
        pr = &conf->providers[i];

        if (pr->host.len != 0 && tg_str_caseeq(pr->host, host)) {
            return pr;
        }

        if (pr->host.len == 0) {
            deflt = pr;
        }
    }

    return deflt;
}


bool
tg_conf_provider_warning(const tg_conf_t *conf, unsigned first, unsigned *i,
    tg_error_t *warning)
{
    unsigned              k;
    const tg_provider_t  *pr, *found;

    while ((k = *i - first) < TG_PROVIDER_WARNINGS) {
        (*i)++;

        /* Routes and llm_pass know them by their names. */

        if (conf->passes || k >= conf->nproviders) {
            continue;
        }

        pr = &conf->providers[k];
        found = pr->host.len == 0 ? pr : tg_conf_provider(conf, pr->host);

        if (found != pr) {
            (void) tg_error(warning, 0, 0, "provider \"%.*s\" gets no call:"
                            " what is sent to its host belongs to \"%.*s\","
                            " whatever the port", TG_ARG(pr->name),
                            TG_ARG(found->name));
            return true;
        }
    }

    return false;
}


bool
tg_conf_needs_verified(const tg_conf_t *conf, tg_str_t host)
{
    const tg_provider_t  *pr = tg_conf_provider(conf, host);

    return pr != NULL && pr->key.len != 0;
}


int
tg_conf_provider_key(tg_conf_t *conf, unsigned i, tg_str_t text,
    tg_error_t *err)
{
    char           *buf;
    tg_provider_t  *pr = &conf->providers[i];

    while (text.len != 0 && (unsigned char) text.p[0] <= ' ') {
        text = tg_str_of(text.p + 1, text.len - 1);
    }

    while (text.len != 0 && (unsigned char) text.p[text.len - 1] <= ' ') {
        text.len--;
    }

    if (text.len == 0 || text.len > TG_PROVIDER_KEY_MAX) {
        return tg_error(err, 0, 0, "key file \"%.*s\" has no key, or more than"
                        " that", TG_ARG(pr->key_file));
    }

    for (size_t k = 0; k < text.len; k++) {
        if (text.p[k] <= ' ' || text.p[k] > '~') {
            return tg_error(err, 0, 0, "key file \"%.*s\" has more in it than"
                            " one key", TG_ARG(pr->key_file));
        }
    }

    buf = tg_alloc(conf->mem, text.len + 7);
    if (buf == NULL) {
        return tg_error(err, 0, 0, "no memory");
    }

    memcpy(buf, "Bearer ", 7);
    memcpy(buf + 7, text.p, text.len);

    pr->bearer = tg_str_of(buf, text.len + 7);
    pr->key = tg_str_of(buf + 7, text.len);

    return TG_OK;
}
