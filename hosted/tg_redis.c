#include "tg_redis_int.h"

#include <stdlib.h>


int
tg_redis_none(tg_ledger_answer_t *answer)
{
    answer->status = TG_LEDGER_NO_ANSWER;
    answer->n = 0;
    answer->has_nodes = false;
    answer->nnodes = 0;

    return TG_ERROR;
}


void
tg_redis_init(tg_redis_t *r, const tg_fleet_options_t *options,
    const tg_fleet_t *fleet, char *password)
{
    memset(r, 0, sizeof(*r));
    r->options = options;
    r->fleet = fleet;
    r->password = password;
}


void
tg_redis_close(tg_redis_t *r)
{
    tg_redis_disconnect(r);
    tg_redis_names_free(r->names);
    r->names = NULL;
    tg_redis_tls_free(r);
}


void
tg_redis_reply(const struct redisReply *from, tg_fleet_reply_t *to)
{
    to->kind = TG_FLEET_NONE;
    to->n = 0;
    to->error = tg_str_null;

    if (from == NULL) {
        return;
    }

    to->kind = TG_FLEET_FAILED;

    if (from->type == REDIS_REPLY_ERROR || from->type == REDIS_REPLY_STATUS) {
        to->error = tg_str_of(from->str, (size_t) from->len);
        return;
    }

    to->error = tg_str("an answer of another type");

    if (from->type != REDIS_REPLY_ARRAY
        || from->elements > TG_FLEET_INTS_MAX)
    {
        return;
    }

    for (size_t i = 0; i < from->elements; i++) {
        if (from->element[i]->type != REDIS_REPLY_INTEGER) {
            return;
        }

        to->ints[i] = from->element[i]->integer;
    }

    to->n = (unsigned) from->elements;
    to->kind = TG_FLEET_INTS;
}


/* The message, once, and again where the script was not known. */
static int
tg_redis_exchange(tg_redis_t *r, const tg_ledger_message_t *msg,
    tg_fleet_command_t *c, tg_ledger_answer_t *answer, tg_error_t *err)
{
    bool              whole = false;
    redisReply       *reply;
    tg_fleet_next_t   next;
    tg_fleet_reply_t  neutral;

    do {
        tg_fleet_command(r->fleet, msg, whole, c);

        reply = tg_redis_send(r, c->argc, c->argv, err);
        if (reply == NULL) {
            return TG_ERROR;
        }

        tg_redis_reply(reply, &neutral);
        next = tg_fleet_answer(msg, &neutral, answer, err);
        freeReplyObject(reply);

        if (next == TG_FLEET_ELSEWHERE) {
            tg_redis_disconnect(r);
        }

        if (next != TG_FLEET_WHOLE) {
            break;
        }

        whole = !whole;

    } while (whole);

    return answer->status == TG_LEDGER_NO_ANSWER ? TG_ERROR : TG_OK;
}


int
tg_redis_call_by(tg_redis_t *r, const tg_ledger_message_t *msg,
    tg_ledger_answer_t *answer, tg_error_t *err)
{
    int                  rc;
    tg_fleet_command_t  *c;

    (void) tg_redis_none(answer);

    if (tg_redis_connect(r, err) != TG_OK) {
        return TG_ERROR;
    }

    c = malloc(sizeof(*c));
    if (c == NULL) {
        return tg_error(err, 0, 0, "no memory");
    }

    rc = tg_redis_exchange(r, msg, c, answer, err);
    free(c);

    return rc;
}


int
tg_redis_call(tg_redis_t *r, const tg_ledger_message_t *msg,
    tg_ledger_answer_t *answer, tg_error_t *err)
{
    r->deadline = tg_redis_deadline(r->options);

    return tg_redis_call_by(r, msg, answer, err);
}


struct redisReply *
tg_redis_command(tg_redis_t *r, const tg_fleet_command_t *c, tg_error_t *err)
{
    r->deadline = tg_redis_deadline(r->options);

    if (tg_redis_connect(r, err) != TG_OK) {
        return NULL;
    }

    return tg_redis_send(r, c->argc, c->argv, err);
}


/* A text of INFO, or of CONFIG GET the value; an error is an empty one. */
static redisReply *
tg_redis_ask(tg_redis_t *r, tg_str_t a, tg_str_t b, tg_str_t c, tg_str_t *text,
    tg_error_t *err)
{
    tg_str_t           args[3] = { a, b, c };
    redisReply        *reply;
    const redisReply  *value;

    reply = tg_redis_send(r, c.len != 0 ? 3 : 2, args, err);
    if (reply == NULL) {
        return NULL;
    }

    value = reply->type == REDIS_REPLY_ARRAY && reply->elements == 2
            ? reply->element[1] : reply;

    if (value->type == REDIS_REPLY_STRING) {
        *text = tg_str_of(value->str, (size_t) value->len);
    }

    return reply;
}


int
tg_redis_check(tg_redis_t *r, tg_error_t *err)
{
    int               rc = TG_ERROR;
    redisReply       *memory = NULL, *replication = NULL, *least = NULL;
    tg_fleet_facts_t  facts;

    memset(&facts, 0, sizeof(facts));
    r->deadline = tg_redis_deadline(r->options);

    if (tg_redis_connect(r, err) != TG_OK) {
        return TG_ERROR;
    }

    memory = tg_redis_ask(r, tg_str("INFO"), tg_str("memory"), tg_str_null,
                          &facts.memory, err);

    if (memory != NULL) {
        replication = tg_redis_ask(r, tg_str("INFO"), tg_str("replication"),
                                   tg_str_null, &facts.replication, err);
    }

    if (replication != NULL) {
        least = tg_redis_ask(r, tg_str("CONFIG"), tg_str("GET"),
                             tg_str("min-replicas-to-write"),
                             &facts.min_replicas, err);
    }

    if (least != NULL) {
        rc = tg_fleet_check(&facts, err);
        freeReplyObject(least);

        if (rc != TG_OK && r->options->nsentinels != 0
            && tg_str_eq(tg_fleet_info(facts.replication, "role"),
                         tg_str("slave")))
        {
            err->code = TG_REDIS_UNREACHED;
        }
    }

    if (replication != NULL) {
        freeReplyObject(replication);
    }

    if (memory != NULL) {
        freeReplyObject(memory);
    }

    return rc;
}
