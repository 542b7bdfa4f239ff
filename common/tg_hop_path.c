#include "tg_hop_path.h"

#include "tg_path.h"
#include "tg_text.h"


/* "v1", "v4", "v1beta", "v1beta2", "v1alpha". */
static bool
tg_segment_is_version(tg_str_t s)
{
    size_t  i = 1;

    if (s.len < 2 || s.p[0] != 'v' || s.p[1] < '0' || s.p[1] > '9') {
        return false;
    }

    while (i < s.len && s.p[i] >= '0' && s.p[i] <= '9') {
        i++;
    }

    if (tg_str_starts(tg_str_of(s.p + i, s.len - i), tg_str("alpha"))) {
        i += 5;

    } else if (tg_str_starts(tg_str_of(s.p + i, s.len - i), tg_str("beta"))) {
        i += 4;
    }

    while (i < s.len && s.p[i] >= '0' && s.p[i] <= '9') {
        i++;
    }

    return i == s.len;
}


static bool
tg_path_has_version(tg_str_t path)
{
    bool      more;
    tg_str_t  seg;

    do {
        more = tg_str_cut(&path, '/', &seg);

        if (tg_segment_is_version(seg)) {
            return true;
        }
    } while (more);

    return false;
}


/* The first segment of a path that begins with a slash. */
static tg_str_t
tg_path_first(tg_str_t path)
{
    size_t  i = 1;

    while (i < path.len && path.p[i] != '/') {
        i++;
    }

    return path.len == 0 ? path : tg_str_of(path.p + 1, i - 1);
}


static tg_str_t
tg_path_behind_first(tg_str_t path)
{
    size_t  n = tg_path_first(path).len + 1;

    return path.len < n ? tg_str_null : tg_str_of(path.p + n, path.len - n);
}


/* The offset of the slash before the segment that ends at `at`. */
static size_t
tg_path_before(tg_str_t path, size_t at)
{
    while (at > 0 && path.p[--at] != '/') { /* void */ }

    return at;
}


static bool
tg_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_'
           || c == '~' || c == '@';
}


tg_str_t
tg_hop_path_segment(tg_mem_t *mem, tg_str_t model)
{
    static const char  hex[] = "0123456789ABCDEF";

    char           *buf;
    size_t          n = 0;
    unsigned char   c;

    buf = model.len > SIZE_MAX / 3 ? NULL : tg_alloc(mem, 3 * model.len + 1);
    if (buf == NULL) {
        return tg_str_null;
    }

    for (size_t i = 0; i < model.len; i++) {
        c = (unsigned char) model.p[i];

        if (tg_unreserved(model.p[i])) {
            buf[n++] = model.p[i];

        } else {
            buf[n++] = '%';
            buf[n++] = hex[c >> 4];
            buf[n++] = hex[c & 15];
        }
    }

    return tg_str_of(buf, n);
}


/* base and path, in which `model` takes the place of `old`. */
static tg_str_t
tg_hop_path_put(tg_mem_t *mem, tg_str_t base, tg_str_t path, tg_str_t old,
    tg_str_t model)
{
    char       *buf;
    size_t      size = base.len + path.len + model.len + 1;
    tg_str_t    before = path, behind = tg_str_null;
    tg_text_t   t;

    buf = tg_alloc(mem, size);
    if (buf == NULL) {
        return tg_str_null;
    }

    if (old.len != 0 && model.len != 0) {
        before = tg_str_of(path.p, (size_t) (old.p - path.p));
        behind = tg_str_of(old.p + old.len, path.len - before.len - old.len);

    } else {
        model = tg_str_null;
    }

    tg_text_init(&t, buf, size);
    tg_put_str(&t, base);
    tg_put_str(&t, before);
    tg_put_str(&t, model);
    tg_put_str(&t, behind);

    return tg_str_of(buf, (size_t) (t.p - buf));
}


tg_str_t
tg_hop_path_join(tg_mem_t *mem, tg_str_t base, tg_str_t path)
{
    if (tg_segment_is_version(tg_path_first(path))
        && tg_path_has_version(base))
    {
        path = tg_path_behind_first(path);
    }

    return tg_hop_path_put(mem, base, path, tg_str_null, tg_str_null);
}


/* "/deployments/a/chat/completions": where it is known, and where not. */
static tg_str_t
tg_hop_path_deployment(tg_mem_t *mem, tg_str_t base, tg_str_t own,
    const tg_api_path_t *api, tg_str_t segment, bool azure)
{
    tg_str_t  rest;

    if (azure && !tg_path_has_version(base)) {
        if (!tg_str_ends(base, tg_str("/openai"))) {
            base = tg_hop_path_put(mem, base, tg_str("/openai"), tg_str_null,
                                   tg_str_null);
        }

        return base.len == 0 ? base
               : tg_hop_path_put(mem, base, own, api->model, segment);
    }

    rest = tg_path_behind_first(tg_path_behind_first(own));

    if (tg_path_has_version(base)) {
        return tg_hop_path_put(mem, base, rest, tg_str_null, tg_str_null);
    }

    rest = tg_hop_path_put(mem, tg_str("/v1"), rest, tg_str_null, tg_str_null);

    return rest.len == 0 ? rest
           : tg_hop_path_put(mem, base, rest, tg_str_null, tg_str_null);
}


tg_str_t
tg_hop_path(tg_mem_t *mem, tg_str_t base, tg_str_t method, tg_str_t path,
    tg_str_t model, bool azure)
{
    size_t         at;
    tg_str_t       own, seg, segment = tg_str_null;
    tg_api_path_t  api;

    if (!tg_dialect_path(&api, mem, method, path)) {
        return tg_path_plain(path)
               ? tg_hop_path_put(mem, base, path, tg_str_null, tg_str_null)
               : tg_str_null;
    }

    if (model.len != 0 && api.model.len != 0) {
        segment = tg_hop_path_segment(mem, model);
        if (segment.len == 0) {
            return tg_str_null;
        }
    }

    own = tg_str_of(api.path.p + api.at, api.path.len - api.at);
    seg = tg_path_first(own);

    if (tg_str_eq(seg, tg_str("deployments"))
        || tg_str_eq(seg, tg_str("engines")))
    {
        return tg_hop_path_deployment(mem, base, own, &api, segment,
                                      azure && seg.p[0] == 'd');
    }

    at = tg_path_before(api.path, api.at);
    seg = tg_path_first(tg_str_of(api.path.p + at, api.at - at));

    if (tg_segment_is_version(seg)) {
        own = tg_str_of(api.path.p + at, api.path.len - at);
    }

    if (tg_segment_is_version(tg_path_first(own))
        && tg_path_has_version(base))
    {
        own = tg_path_behind_first(own);
    }

    return tg_hop_path_put(mem, base, own, api.model, segment);
}
