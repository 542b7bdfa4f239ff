#include "tg_request_int.h"


/* The wants of an API with the operator's merged in; NULL on error. */
static const tg_json_paths_t *
tg_fields_compile(tg_mem_t *mem, const tg_request_fields_t *f,
    const tg_api_t *api, tg_error_t *err)
{
    tg_json_want_t  wants[TG_WANTS_MAX];
    ptrdiff_t       n = tg_wants_gather(api->request, wants,
                                        TG_WANTS_MAX - TG_FIELDS_MAX);
    size_t          total, k;

    if (n < 0) {
        (void) tg_error(err, 0, 0, "too many fields");
        return NULL;
    }

    total = (size_t) n;

    for (size_t i = 0; i < f->n; i++) {
        if (f->same[i] != i) {
            continue;
        }

        for (k = 0; k < (size_t) n; k++) {
            if (strcmp(wants[k].path, f->path[i].p) == 0) {
                wants[k].options &= (uint16_t) ~(TG_JSON_COUNT | TG_JSON_TEXT);
                break;
            }
        }

        if (k == (size_t) n) {
            k = total++;
            wants[k].path = f->path[i].p;
            wants[k].id = TG_R_NONE;
            wants[k].options = 0;
        }

        wants[k].id = (uint16_t) (wants[k].id
                                  | (i + 1) << TG_FIELD_SHIFT);
    }

    return tg_json_paths(mem, wants, total, err);
}


tg_request_fields_t *
tg_request_fields(tg_mem_t *mem, const tg_str_t *paths, size_t n,
    tg_error_t *err)
{
    tg_request_fields_t  *f = tg_zalloc(mem, sizeof(tg_request_fields_t));
    size_t                k;

    if (n > TG_FIELDS_MAX) {
        (void) tg_error(err, 0, 0, "more than %d fields of the request",
                        TG_FIELDS_MAX);
        return NULL;
    }

    if (f == NULL) {
        (void) tg_error(err, 0, 0, "out of memory");
        return NULL;
    }

    f->n = n;

    for (size_t i = 0; i < n; i++) {
        f->path[i].p = tg_dupz(mem, paths[i]);
        f->path[i].len = paths[i].len;

        if (f->path[i].p == NULL) {
            (void) tg_error(err, 0, 0, "out of memory");
            return NULL;
        }

        for (k = 0; !tg_str_eq(f->path[k], f->path[i]); k++) { /* void */ }

        f->same[i] = (uint8_t) k;
    }

    for (size_t i = 0; i < tg_apis(); i++) {
        f->paths[i] = tg_fields_compile(mem, f, tg_api_at(i), err);

        if (f->paths[i] == NULL) {
            return NULL;
        }
    }

    return f;
}
