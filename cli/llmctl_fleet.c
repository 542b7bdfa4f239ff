#define _GNU_SOURCE

#include "llmctl_fleet.h"
#include "llmctl.h"

#include <hiredis/hiredis.h>


bool
fleet_open(fleet_t *f, const server_t *s)
{
    tg_error_t                 err;
    const tg_fleet_options_t  *o = s->conf->ledger.fleet;

    if (!s->fleet || o == NULL) {
        return failed(s->path, "is not a fleet's ledger: its llm_ledger names"
                               " no redis=");
    }

    if (tg_fleet_init(&f->fleet, tg_strz(o->name), tg_strz(o->label),
                      o->quarantine_ms, &err) != TG_OK
        || tg_redis_password(o, &f->password, &err) != TG_OK)
    {
        return failed("the fleet's store", err.message);
    }

    tg_redis_init(&f->redis, o, &f->fleet, f->password);

    return true;
}


void
fleet_close(fleet_t *f)
{
    tg_redis_close(&f->redis);
    tg_redis_forget(f->password);
    f->password = NULL;
}


struct redisReply *
fleet_ask(fleet_t *f)
{
    tg_error_t   err;
    redisReply  *reply = tg_redis_command(&f->redis, &f->command, &err);

    if (reply == NULL) {
        (void) fail("the fleet's store", err.message);
        return NULL;
    }

    if (reply->type == REDIS_REPLY_ERROR) {
        (void) fail("the fleet's store", reply->str);
        freeReplyObject(reply);
        return NULL;
    }

    return reply;
}
