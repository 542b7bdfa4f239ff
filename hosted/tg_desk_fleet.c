/* What this node tells its fleet of what it has spent, and hears of the others:
 * in a thread of the carrier's, of one process at a time. */

#include "tg_desk_int.h"
#include "tg_fleet_view.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <time.h>

typedef struct {
    size_t  len;
    char   *text;                       /* TG_FLEET_VIEW_TEXT bytes */
} tg_desk_said_t;


static int
tg_desk_say(void *data, const char *p, size_t n)
{
    tg_desk_said_t  *said = data;

    if (n > TG_FLEET_VIEW_TEXT - said->len) {
        return TG_ERROR;
    }

    memcpy(said->text + said->len, p, n);
    said->len += n;

    return TG_OK;
}


void
tg_desk_priced(tg_desk_t *desk, const tg_price_book_t *book)
{
    tg_str_t  hash;

    if (book == NULL) {
        return;
    }

    hash = tg_price_book_hash(book);

    (void) pthread_mutex_lock(&desk->lock);
    memcpy(desk->prices, hash.p, hash.len < sizeof(desk->prices)
                                 ? hash.len : sizeof(desk->prices) - 1);
    (void) pthread_mutex_unlock(&desk->lock);
}


static void
tg_desk_myself(tg_desk_t *desk, tg_fleet_node_t *node)
{
    tg_str_t                   hash;
    tg_roster_t               *roster;
    tg_metrics_sum_t           sum;
    tg_ledger_fleet_stats_t    stats;
    const tg_fleet_options_t  *options = desk->conf->ledger.fleet;

    memset(node, 0, sizeof(*node));
    tg_ledger_fleet_stats(&desk->ledger.ledger, &stats);
    tg_metrics_sum(&desk->tally->metrics, &sum);

    node->node = stats.node;
    node->since = desk->tally->since;
    node->in_flight = tg_desk_in_flight(desk);
    node->total = sum.cost;
    memcpy(node->label, options->label, sizeof(node->label));
    memcpy(node->config, desk->conf->hash_text,
           strnlen(desk->conf->hash_text, TG_FLEET_VIEW_HASH));

    (void) pthread_mutex_lock(&desk->lock);
    memcpy(node->prices, desk->prices, sizeof(desk->prices));
    (void) pthread_mutex_unlock(&desk->lock);

    roster = tg_desk_roster(desk);

    if (roster != NULL) {
        hash = tg_keys_hash(tg_roster_keys(roster));
        memcpy(node->keys, hash.p, hash.len < TG_FLEET_VIEW_HASH
                                   ? hash.len : TG_FLEET_VIEW_HASH);
        tg_roster_unref(roster);
    }
}


static redisReply *
tg_desk_ask(tg_redis_pool_t *pool, const tg_fleet_command_t *c)
{
    tg_error_t   err;
    redisReply  *reply;

    /* The messages that calls depend on go the same way: what is wrong with it
     * they tell. */

    reply = tg_redis_pool_command(pool, c, &err);

    if (reply != NULL && reply->type == REDIS_REPLY_ERROR) {
        freeReplyObject(reply);
        return NULL;
    }

    return reply;
}


static void
tg_desk_hear(tg_desk_t *desk, tg_redis_pool_t *pool, const tg_fleet_t *fleet,
    tg_fleet_command_t *c, tg_fleet_view_t *view, int64_t now)
{
    size_t       i;
    uint64_t     number;
    redisReply  *all, *name, *text;

    tg_fleet_hear_command(fleet, c);
    all = tg_desk_ask(pool, c);

    if (all == NULL) {
        return;
    }

    for (i = 0; all->type == REDIS_REPLY_ARRAY && i + 1 < all->elements;
         i += 2)
    {
        name = all->element[i];
        text = all->element[i + 1];

        if (name->type != REDIS_REPLY_STRING
            || text->type != REDIS_REPLY_STRING)
        {
            continue;
        }

        number = strtoull(name->str, NULL, 10);

        if (tg_fleet_view_hear(view, number,
                               tg_str_of(text->str, (size_t) text->len),
                               desk->zone, now)
            == TG_AGAIN)
        {
            tg_fleet_forget_command(fleet, number, c);
            freeReplyObject(tg_desk_ask(pool, c));
        }
    }

    freeReplyObject(all);
    tg_fleet_view_done(view, now);
    tg_fleet_board_put(&desk->tally->fleet, view);
}


static int64_t
tg_desk_fleet_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


void
tg_desk_fleet(tg_desk_t *desk, tg_redis_pool_t *pool, const tg_fleet_t *fleet)
{
    int64_t               now = tg_desk_fleet_now();
    tg_page_t            *pg;
    redisReply           *reply = NULL;
    tg_desk_said_t        said;
    tg_fleet_node_t       node;
    tg_fleet_view_t      *view;
    tg_fleet_command_t   *c;

    if (desk->tally == NULL || !tg_fleet_board_due(&desk->tally->fleet, now)) {
        return;
    }

    said.len = 0;
    said.text = malloc(TG_FLEET_VIEW_TEXT);
    pg = malloc(sizeof(tg_page_t));
    view = calloc(1, sizeof(tg_fleet_view_t));
    c = malloc(sizeof(tg_fleet_command_t));

    if (said.text == NULL || pg == NULL || view == NULL || c == NULL) {
        goto done;
    }

    tg_desk_myself(desk, &node);
    tg_page_init(pg, tg_desk_say, &said);

    if (tg_fleet_view_say(pg, &node, &desk->tally->spend, desk->zone, now)
        != TG_OK)
    {
        goto done;
    }

    tg_fleet_say_command(fleet, node.node, tg_str_of(said.text, said.len), c);
    reply = tg_desk_ask(pool, c);

    if (reply != NULL) {
        tg_desk_hear(desk, pool, fleet, c, view, now);
    }

done:

    freeReplyObject(reply);
    free(said.text);
    free(pg);
    free(view);
    free(c);
}
