#include "tg_status_fleet.h"
#include "tg_status_page_int.h"

#define TG_STATUS_FLEET_LINE  1024


void
tg_status_drift(const tg_fleet_view_t *view, int64_t now,
    tg_fleet_drift_t *drift)
{
    const tg_fleet_node_t  *node, *first = NULL;

    memset(drift, 0, sizeof(*drift));

    for (unsigned i = 0; i < view->nnodes; i++) {
        node = &view->nodes[i];

        if (tg_fleet_node_away(node, now)) {
            continue;
        }

        if (first == NULL) {
            first = node;
        }

        drift->config |= strcmp(node->config, first->config) != 0;
        drift->prices |= strcmp(node->prices, first->prices) != 0;
        drift->keys |= strcmp(node->keys, first->keys) != 0;
    }
}


static void
tg_fleet_put_sum(tg_text_t *t, const tg_spend_sum_t *sum)
{
    tg_put_lit(t, ",\"hourly_nusd\":");
    tg_put_int(t, sum->hourly);
    tg_put_lit(t, ",\"today_nusd\":");
    tg_put_int(t, sum->today);
    tg_put_lit(t, ",\"month_nusd\":");
    tg_put_int(t, sum->month);
    tg_put_lit(t, ",\"calls_today\":");
    tg_put_int(t, (int64_t) sum->calls_today);
    tg_put_lit(t, ",\"calls_month\":");
    tg_put_int(t, (int64_t) sum->calls_month);
}


static void
tg_fleet_put_word(tg_text_t *t, const char *name, const char *value)
{
    tg_put_lit(t, ",\"");
    tg_put_str(t, tg_strz(name));
    tg_put_lit(t, "\":");

    if (*value == '\0') {
        tg_put_lit(t, "null");
        return;
    }

    tg_put_lit(t, "\"");
    tg_put_json(t, tg_strz(value), TG_FLEET_NAME_MAX * 6);
    tg_put_lit(t, "\"");
}


static void
tg_fleet_put_bool(tg_text_t *t, const char *name, bool value)
{
    tg_put_lit(t, ",\"");
    tg_put_str(t, tg_strz(name));
    tg_put_lit(t, "\":");
    tg_put_str(t, value ? tg_str("true") : tg_str("false"));
}


static void
tg_status_fleet_node(tg_page_t *pg, const tg_fleet_node_t *node, bool first,
    int64_t now)
{
    tg_text_t  *t = &pg->text;

    tg_page_room(pg, TG_STATUS_FLEET_LINE);
    tg_put(t, ",", !first);
    tg_put_lit(t, "\n{\"node\":\"");
    tg_put_int(t, (int64_t) node->node);
    tg_put_lit(t, "\"");
    tg_fleet_put_word(t, "name", node->label);
    tg_fleet_put_bool(t, "away", tg_fleet_node_away(node, now));
    tg_put_lit(t, ",\"at\":\"");
    tg_put_time(t, node->at);
    tg_put_lit(t, "\",\"since\":\"");
    tg_put_time(t, node->since);
    tg_put_lit(t, "\"");
    tg_fleet_put_word(t, "config_hash", node->config);
    tg_fleet_put_word(t, "prices_hash", node->prices);
    tg_fleet_put_word(t, "keys_hash", node->keys);
    tg_put_lit(t, ",\"in_flight\":");
    tg_put_int(t, node->in_flight);
    tg_put_lit(t, ",\"cost_nusd\":");
    tg_put_int(t, node->total);
    tg_fleet_put_sum(t, &node->sum);
    tg_put_lit(t, "}");
}


static void
tg_status_fleet_names(tg_page_t *pg, const tg_fleet_view_t *view, unsigned d)
{
    tg_text_t             *t = &pg->text;
    const tg_spend_top_t  *top = view->top[d];

    tg_page_room(pg, TG_STATUS_FLEET_LINE);
    tg_put_lit(t, ",\"");
    tg_put_str(t, tg_strz(tg_spend_names[d]));
    tg_put_lit(t, "\":[");

    for (unsigned i = 0; i < view->n[d]; i++) {
        tg_page_room(pg, TG_STATUS_FLEET_LINE);
        tg_put(t, ",", i != 0);
        tg_put_lit(t, "\n{\"name\":");

        if (top[i].len == 0) {
            tg_put_lit(t, "null");

        } else {
            tg_put_lit(t, "\"");
            tg_put_json(t, tg_str_of(top[i].name, top[i].len),
                        TG_SPEND_NAME_MAX * 6);
            tg_put_lit(t, "\"");
        }

        tg_fleet_put_sum(t, &top[i].sum);
        tg_put_lit(t, "}");
    }

    tg_page_room(pg, TG_STATUS_FLEET_LINE);
    tg_put_lit(t, "],\"");
    tg_put_str(t, tg_strz(tg_spend_names[d]));
    tg_put_lit(t, "_others\":{\"more\":");
    tg_put_str(t, view->rest[d].n != 0 || view->rest[d].overflow
                  ? tg_str("true") : tg_str("false"));
    tg_fleet_put_sum(t, &view->rest[d].sum);
    tg_put_lit(t, "}");
}


void
tg_status_fleet_json(tg_page_t *pg, const tg_status_facts_t *facts)
{
    int64_t                 now = facts->wall_ms;
    tg_text_t              *t = &pg->text;
    tg_fleet_drift_t        drift;
    const tg_fleet_view_t  *view;

    view = tg_fleet_board_view(&facts->tally->fleet, now);

    if (view == NULL) {
        return;
    }

    tg_status_drift(view, now, &drift);
    tg_page_room(pg, TG_STATUS_FLEET_LINE);
    tg_put_lit(t, ",\"fleet\":{\"at\":\"");
    tg_put_time(t, view->at);
    tg_put_lit(t, "\",\"drift\":{\"differ\":");
    tg_put_str(t, drift.config || drift.prices || drift.keys
                  ? tg_str("true") : tg_str("false"));
    tg_fleet_put_bool(t, "config", drift.config);
    tg_fleet_put_bool(t, "prices", drift.prices);
    tg_fleet_put_bool(t, "keys", drift.keys);
    tg_put_lit(t, "},\"in_flight\":");
    tg_put_int(t, view->in_flight);
    tg_put_lit(t, ",\"cost_nusd\":");
    tg_put_int(t, view->total);
    tg_fleet_put_sum(t, &view->sum);
    tg_put_lit(t, ",\"nodes\":[");

    for (unsigned i = 0; i < view->nnodes; i++) {
        tg_status_fleet_node(pg, &view->nodes[i], i == 0, now);
    }

    tg_page_room(pg, TG_STATUS_FLEET_LINE);
    tg_put_lit(t, "]");

    for (unsigned d = 0; d < TG_SPEND_DIMENSIONS; d++) {
        tg_status_fleet_names(pg, view, d);
    }

    tg_page_room(pg, TG_STATUS_FLEET_LINE);
    tg_put_lit(t, "}");
}


/*
 * What has been spent each node tells Prometheus by itself; llm_fleet_nodes is the
 * ledger's.
 */
void
tg_status_fleet_text(tg_page_t *pg, const tg_status_facts_t *facts)
{
    int64_t                 away = 0;
    tg_fleet_drift_t        drift;
    const tg_fleet_view_t  *view;

    view = tg_fleet_board_view(&facts->tally->fleet, facts->wall_ms);

    if (view == NULL) {
        return;
    }

    for (unsigned i = 0; i < view->nnodes; i++) {
        away += tg_fleet_node_away(&view->nodes[i], facts->wall_ms);
    }

    tg_status_drift(view, facts->wall_ms, &drift);

    tg_status_one(pg, "llm_fleet_nodes_away", "gauge",
                  "Hosts that were heard of in the last day, but not in the"
                  " last 15 seconds.", away, 0);
    tg_status_one(pg, "llm_fleet_drift", "gauge",
                  "1 where hosts have different configurations, prices or"
                  " keys.",
                  drift.config || drift.prices || drift.keys, 0);
}
