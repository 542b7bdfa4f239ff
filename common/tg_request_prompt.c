/* Messages, and how much text they have. */

#include "tg_request_int.h"


int
tg_request_text(tg_request_t *r, const tg_json_event_t *ev)
{
    if (ev->type == TG_JSON_STRING) {
        r->info.text_bytes += ev->raw_len;
        r->message_text += ev->raw_len;
    }

    return 0;
}


/* One string is one input; a list of numbers is the tokens of one. */
int
tg_request_input(tg_request_t *r, const tg_json_event_t *ev)
{
    if (ev->type == TG_JSON_STRING) {
        r->info.messages++;
        r->info.text_bytes += ev->raw_len;

    } else if (ev->type == TG_JSON_OBJECT) {
        r->info.messages++;
        tg_request_part_next(r);

    } else if (ev->type == TG_JSON_NUMBER) {
        if (ev->index == 0) {
            r->info.messages++;
        }
        r->info.text_bytes += 4;
    }

    return 0;
}


int
tg_request_message(tg_request_t *r, const tg_json_event_t *ev)
{
    if (r->prefix != NULL) {
        tg_request_prefix_message(r, ev);
    }

    if (ev->type == TG_JSON_OBJECT) {
        r->info.messages++;
        r->role = 0;
        r->message_text = 0;
        tg_request_part_next(r);

    } else if (ev->type == TG_JSON_OBJECT_END) {
        tg_request_part_next(r);

        if (r->role == TG_ROLE_SYSTEM) {
            r->info.system_bytes += r->message_text;
        }

    } else if (ev->type == TG_JSON_STRING) {
        r->info.messages++;
        r->info.text_bytes += ev->raw_len;
    }

    return 0;
}


/* Each is answered once. */
int
tg_request_conversation(tg_request_t *r, const tg_json_event_t *ev)
{
    if (ev->type == TG_JSON_ARRAY && r->info.n <= (int64_t) ev->index) {
        r->info.n = (int64_t) ev->index + 1;
    }

    return 0;
}


int
tg_request_system(tg_request_t *r, const tg_json_event_t *ev)
{
    if (r->prefix != NULL) {
        tg_request_prefix_value(r, ev, false);
    }

    if (ev->type == TG_JSON_STRING) {
        r->info.text_bytes += ev->raw_len;
        r->info.system_bytes += ev->raw_len;
    }

    return 0;
}


int
tg_request_role(tg_request_t *r, const tg_json_event_t *ev)
{
    r->role = tg_str_eq(ev->value, tg_str("system"))
              || tg_str_eq(ev->value, tg_str("developer"))
              ? TG_ROLE_SYSTEM : TG_ROLE_OTHER;

    if (r->prefix != NULL) {
        tg_request_prefix_role(r);
    }

    if (r->part.kind == TG_PART_NONE) {
        r->part.kind = TG_PART_TEXT;
    }

    return 0;
}


int
tg_request_prediction(tg_request_t *r, const tg_json_event_t *ev)
{
    if (ev->type == TG_JSON_STRING) {
        r->info.prediction_bytes += ev->raw_len;
    }

    return 0;
}


int
tg_request_query(tg_request_t *r, const tg_json_event_t *ev)
{
    if (ev->type == TG_JSON_STRING) {
        r->info.query_bytes += ev->raw_len;
        r->info.text_bytes += ev->raw_len;
    }

    return 0;
}
