#include "tg_fleet_view.h"
#include "tg_money.h"

#include <jansson.h>
#include <stdlib.h>

#define TG_FLEET_VIEW_VERSION  1
#define TG_FLEET_VIEW_LINE     (TG_SPEND_NAME_MAX * 6 + 256)

/* Members of tg_spend_sum_t, in the order of the text. */
#define TG_FLEET_SUM_INTS  5


bool
tg_fleet_board_due(tg_fleet_board_t *b, int64_t now)
{
    int64_t  due = atomic_load_explicit(&b->due, memory_order_relaxed);

    /* A clock that was set back does not silence the node. */

    return (now >= due || due - now > TG_FLEET_VIEW_EVERY)
           && atomic_compare_exchange_strong(&b->due, &due,
                                             now + TG_FLEET_VIEW_EVERY);
}


void
tg_fleet_board_put(tg_fleet_board_t *b, const tg_fleet_view_t *view)
{
    uint32_t  turn = atomic_load_explicit(&b->turn, memory_order_relaxed);

    memcpy(&b->views[(turn + 1) & 1], view, sizeof(*view));
    atomic_store_explicit(&b->turn, turn + 1, memory_order_release);
}


const tg_fleet_view_t *
tg_fleet_board_view(const tg_fleet_board_t *b, int64_t now)
{
    uint32_t                turn;
    const tg_fleet_view_t  *view;

    turn = atomic_load_explicit(&b->turn, memory_order_acquire);
    view = &b->views[turn & 1];

    return view->at != 0 && now - view->at <= TG_FLEET_VIEW_AWAY ? view : NULL;
}


static void
tg_fleet_say_str(tg_page_t *pg, const char *name, const char *value)
{
    tg_put_lit(&pg->text, ",\"");
    tg_put_str(&pg->text, tg_strz(name));
    tg_put_lit(&pg->text, "\":\"");
    tg_put_json(&pg->text, tg_strz(value), TG_FLEET_VIEW_LINE);
    tg_put_lit(&pg->text, "\"");
}


static void
tg_fleet_say_int(tg_page_t *pg, const char *name, int64_t n)
{
    tg_put_lit(&pg->text, ",\"");
    tg_put_str(&pg->text, tg_strz(name));
    tg_put_lit(&pg->text, "\":");
    tg_put_int(&pg->text, n);
}


/* "n,n,n,n,n" */
static void
tg_fleet_say_sum(tg_text_t *t, const tg_spend_sum_t *sum)
{
    tg_put_int(t, sum->hourly);
    tg_put_lit(t, ",");
    tg_put_int(t, sum->today);
    tg_put_lit(t, ",");
    tg_put_int(t, sum->month);
    tg_put_lit(t, ",");
    tg_put_int(t, (int64_t) sum->calls_today);
    tg_put_lit(t, ",");
    tg_put_int(t, (int64_t) sum->calls_month);
}


static void
tg_fleet_say_top(tg_page_t *pg, const char *name, const tg_spend_top_t *top,
    unsigned n, const tg_spend_rest_t *rest)
{
    tg_text_t  *t = &pg->text;

    tg_page_room(pg, TG_FLEET_VIEW_LINE);
    tg_put_lit(t, ",\"");
    tg_put_str(t, tg_strz(name));
    tg_put_lit(t, "\":[");

    for (unsigned i = 0; i < n; i++) {
        tg_page_room(pg, TG_FLEET_VIEW_LINE);
        tg_put(t, ",", i != 0);
        tg_put_lit(t, "[\"");
        tg_put_json(t, tg_str_of(top[i].name, top[i].len),
                    TG_SPEND_NAME_MAX * 6);
        tg_put_lit(t, "\",");
        tg_fleet_say_sum(t, &top[i].sum);
        tg_put_lit(t, "]");
    }

    tg_page_room(pg, TG_FLEET_VIEW_LINE);
    tg_put_lit(t, "],\"");
    tg_put_str(t, tg_strz(name));
    tg_put_lit(t, "_others\":[");
    tg_fleet_say_sum(t, &rest->sum);
    tg_put_lit(t, ",");
    tg_put_int(t, (int64_t) rest->n + rest->overflow);
    tg_put_lit(t, "]");
}


int
tg_fleet_view_say(tg_page_t *pg, const tg_fleet_node_t *node,
    const tg_spend_t *spend, const tg_zone_t *zone, int64_t now)
{
    unsigned          n;
    tg_spend_all_t    all;
    tg_spend_date_t   date;
    tg_spend_top_t   *top;
    tg_spend_rest_t   rest;

    top = malloc(TG_FLEET_VIEW_NAMES * sizeof(tg_spend_top_t));

    if (top == NULL) {
        return TG_ERROR;
    }

    memset(&date, 0, sizeof(date));
    tg_spend_date(&date, zone, now);
    tg_spend_all(spend, zone, now, &all);

    tg_page_room(pg, TG_PAGE_SIZE / 2);
    tg_put_lit(&pg->text, "{\"v\":");
    tg_put_int(&pg->text, TG_FLEET_VIEW_VERSION);
    tg_fleet_say_str(pg, "label", node->label);
    tg_fleet_say_str(pg, "config", node->config);
    tg_fleet_say_str(pg, "prices", node->prices);
    tg_fleet_say_str(pg, "keys", node->keys);
    tg_fleet_say_int(pg, "at", now);
    tg_fleet_say_int(pg, "since", node->since);
    tg_fleet_say_int(pg, "in_flight", node->in_flight);
    tg_fleet_say_int(pg, "total", node->total);
    tg_fleet_say_int(pg, "month", (int64_t) date.month);
    tg_fleet_say_int(pg, "day", (int64_t) date.day);
    tg_put_lit(&pg->text, ",\"all\":[");
    tg_fleet_say_sum(&pg->text, &all.sum);
    tg_put_lit(&pg->text, "]");

    for (unsigned d = 0; d < TG_SPEND_DIMENSIONS; d++) {
        n = tg_spend_top(spend, d, zone, now, top, TG_FLEET_VIEW_NAMES, &rest);
        tg_fleet_say_top(pg, tg_spend_names[d], top, n, &rest);
    }

    tg_page_room(pg, 2);
    tg_put_lit(&pg->text, "}");
    free(top);

    return tg_page_end(pg);
}


static void
tg_fleet_hear_str(char *to, size_t size, const json_t *o, const char *name)
{
    size_t       n;
    const char  *s = json_string_value(json_object_get(o, name));

    if (s != NULL) {
        n = strlen(s);
        n = n < size ? n : size - 1;
        memcpy(to, s, n);
        to[n] = '\0';
    }
}


static int64_t
tg_fleet_hear_int(const json_t *o, const char *name)
{
    return json_integer_value(json_object_get(o, name));
}


/* What the asking node knows to be of its own windows. */
typedef struct {
    bool  away;
    bool  day;
    bool  month;
} tg_fleet_fit_t;


/* Five numbers of an array, from `at` on. */
static bool
tg_fleet_hear_sum(tg_spend_sum_t *sum, const json_t *a, size_t at,
    const tg_fleet_fit_t *fit)
{
    int64_t        n[TG_FLEET_SUM_INTS];
    const json_t  *v;

    for (size_t i = 0; i < TG_FLEET_SUM_INTS; i++) {
        v = json_array_get(a, at + i);

        if (!json_is_integer(v)) {
            return false;
        }

        n[i] = json_integer_value(v);
    }

    sum->hourly = fit->away ? 0 : n[0];
    sum->today = fit->day ? n[1] : 0;
    sum->month = fit->month ? n[2] : 0;
    sum->calls_today = fit->day ? (uint64_t) n[3] : 0;
    sum->calls_month = fit->month ? (uint64_t) n[4] : 0;

    return true;
}


static void
tg_fleet_add(tg_spend_sum_t *to, const tg_spend_sum_t *sum)
{
    to->hourly = tg_money_add(to->hourly, sum->hourly);
    to->today = tg_money_add(to->today, sum->today);
    to->month = tg_money_add(to->month, sum->month);
    to->calls_today += sum->calls_today;
    to->calls_month += sum->calls_month;
}


/* The name's place, or that of all that find none. */
static tg_spend_sum_t *
tg_fleet_place(tg_fleet_view_t *view, unsigned d, tg_str_t name)
{
    tg_spend_top_t  *top = view->top[d];

    if (name.len > TG_SPEND_NAME_MAX) {
        name.len = TG_SPEND_NAME_MAX;
    }

    for (unsigned i = 0; i < view->n[d]; i++) {
        if (tg_str_eq(tg_str_of(top[i].name, top[i].len), name)) {
            return &top[i].sum;
        }
    }

    if (view->n[d] == TG_FLEET_VIEW_SUMS) {
        view->rest[d].n++;
        return &view->rest[d].sum;
    }

    top += view->n[d]++;
    top->len = name.len;
    memcpy(top->name, name.p, name.len);

    return &top->sum;
}


static void
tg_fleet_hear_names(tg_fleet_view_t *view, unsigned d, const json_t *o,
    const tg_fleet_fit_t *fit)
{
    char            name[32];
    size_t          i, n;
    const json_t   *list, *row;
    tg_spend_sum_t  sum;

    n = strlen(tg_spend_names[d]);
    memcpy(name, tg_spend_names[d], n);
    memcpy(name + n, "_others", sizeof("_others"));

    row = json_object_get(o, name);

    if (tg_fleet_hear_sum(&sum, row, 0, fit)) {
        tg_fleet_add(&view->rest[d].sum, &sum);

        /* Not which: nodes may have the same. */

        view->rest[d].overflow |=
            json_integer_value(json_array_get(row, TG_FLEET_SUM_INTS)) != 0;
    }

    list = json_object_get(o, tg_spend_names[d]);

    for (i = 0; i < json_array_size(list) && i < TG_FLEET_VIEW_NAMES; i++) {
        row = json_array_get(list, i);

        if (json_is_string(json_array_get(row, 0))
            && tg_fleet_hear_sum(&sum, row, 1, fit))
        {
            tg_fleet_add(tg_fleet_place(view, d,
                                 tg_strz(json_string_value(
                                             json_array_get(row, 0)))),
                         &sum);
        }
    }
}


static void
tg_fleet_hear_node(tg_fleet_node_t *node, const json_t *o)
{
    tg_fleet_hear_str(node->label, sizeof(node->label), o, "label");
    tg_fleet_hear_str(node->config, sizeof(node->config), o, "config");
    tg_fleet_hear_str(node->prices, sizeof(node->prices), o, "prices");
    tg_fleet_hear_str(node->keys, sizeof(node->keys), o, "keys");
    node->at = tg_fleet_hear_int(o, "at");
    node->since = tg_fleet_hear_int(o, "since");
    node->in_flight = tg_fleet_hear_int(o, "in_flight");
    node->total = tg_fleet_hear_int(o, "total");
}


static int
tg_fleet_hear(tg_fleet_view_t *view, tg_fleet_node_t *node, const json_t *o,
    const tg_zone_t *zone, int64_t now)
{
    tg_fleet_fit_t   fit;
    tg_spend_date_t  date;

    tg_fleet_hear_node(node, o);

    if (now - node->at > TG_FLEET_VIEW_GONE) {
        return TG_AGAIN;
    }

    memset(&date, 0, sizeof(date));
    tg_spend_date(&date, zone, now);

    fit.away = tg_fleet_node_away(node, now);
    fit.month = tg_fleet_hear_int(o, "month") == (int64_t) date.month;
    fit.day = fit.month
              && tg_fleet_hear_int(o, "day") == (int64_t) date.day;

    if (!tg_fleet_hear_sum(&node->sum, json_object_get(o, "all"), 0, &fit)) {
        return TG_ERROR;
    }

    view->nodes[view->nnodes++] = *node;
    view->total = tg_money_add(view->total, node->total);
    view->in_flight += fit.away ? 0 : node->in_flight;
    tg_fleet_add(&view->sum, &node->sum);

    for (unsigned d = 0; d < TG_SPEND_DIMENSIONS; d++) {
        tg_fleet_hear_names(view, d, o, &fit);
    }

    return TG_OK;
}


int
tg_fleet_view_hear(tg_fleet_view_t *view, uint64_t number, tg_str_t text,
    const tg_zone_t *zone, int64_t now)
{
    int              rc = TG_ERROR;
    json_t          *o;
    tg_fleet_node_t  node;

    if (view->nnodes == TG_LEDGER_NODES_MAX || text.len > TG_FLEET_VIEW_TEXT) {
        return TG_ERROR;
    }

    o = json_loadb(text.p, text.len, 0, NULL);

    if (tg_fleet_hear_int(o, "v") == TG_FLEET_VIEW_VERSION) {
        memset(&node, 0, sizeof(node));
        node.node = number;
        rc = tg_fleet_hear(view, &node, o, zone, now);
    }

    json_decref(o);

    return rc;
}


static int
tg_fleet_by_month(const void *a, const void *b)
{
    int                    rc;
    const tg_spend_top_t  *one = a, *two = b;

    if (one->sum.month != two->sum.month) {
        return one->sum.month < two->sum.month ? 1 : -1;
    }

    rc = memcmp(one->name, two->name,
                one->len < two->len ? one->len : two->len);

    return rc != 0 ? rc : one->len < two->len ? -1 : 1;
}


static int
tg_fleet_by_number(const void *a, const void *b)
{
    const tg_fleet_node_t  *one = a, *two = b;

    return one->node < two->node ? -1 : one->node > two->node;
}


void
tg_fleet_view_done(tg_fleet_view_t *view, int64_t now)
{
    qsort(view->nodes, view->nnodes, sizeof(view->nodes[0]),
          tg_fleet_by_number);

    for (unsigned d = 0; d < TG_SPEND_DIMENSIONS; d++) {
        qsort(view->top[d], view->n[d], sizeof(view->top[d][0]),
              tg_fleet_by_month);
    }

    view->at = now;
}
