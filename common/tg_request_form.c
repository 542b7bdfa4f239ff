/* A request that is a form. */

#include "tg_request_int.h"


/* A file is what the operation is about. */
static void
tg_request_form_file(tg_request_t *r, uint64_t size)
{
    r->part.open = true;
    r->part.bytes = size;

    if (r->d->api->op == TG_OP_TRANSCRIPTION) {
        r->info.has_audio = true;
        r->part.kind = TG_PART_SOUND;

    } else {
        r->info.has_images = true;
        r->part.kind = TG_PART_PICTURE;
    }

    tg_request_part_end(r);
}


/* A form's field is read as the JSON member of its name would be. */
int
tg_request_form(void *data, const tg_multipart_part_t *part)
{
    tg_request_t     *r = data;
    tg_json_event_t   ev;
    tg_json_want_t    wants[TG_WANTS_MAX];
    ptrdiff_t         n;
    bool              known;

    r->parts = true;

    if (part->file) {
        tg_request_form_file(r, part->size);
        return 0;
    }

    memset(&ev, 0, sizeof(ev));
    ev.type = TG_JSON_STRING;
    ev.value = part->value;
    ev.raw_len = part->size;
    ev.truncated = part->size > part->value.len;
    ev.start = ev.key = r->info.bytes;

    for (size_t i = 0; r->fields != NULL && i < r->fields->n; i++) {
        if (r->fields->same[i] == i && tg_str_eq(r->fields->path[i],
                                                 part->name))
        {
            tg_request_field(r, (unsigned) i, part->value);
        }
    }

    n = tg_wants_gather(r->d->api->request, wants, TG_WANTS_MAX);

    for (ptrdiff_t i = 0; i < n; i++) {
        if (!tg_str_eq(tg_strz(wants[i].path), part->name)) {
            continue;
        }

        known = (r->seen >> wants[i].id) & 1;
        r->seen |= UINT64_C(1) << wants[i].id;

        if (known && tg_request_duplicate(r, wants[i].id, ev.start)) {
            return 1;
        }

        if (wants[i].id == TG_R_STREAM) {
            ev.type = tg_str_caseeq(part->value, tg_str("true"))
                      || tg_str_eq(part->value, tg_str("1"))
                      ? TG_JSON_TRUE : TG_JSON_FALSE;
        }

        return tg_request_value(r, wants[i].id, &ev);
    }

    return r->failed;
}
