/* llm_metrics and llm_status. */

#include "tg_conf_int.h"
#include "tg_status.h"

#define TG_METRICS_SERIES_USUAL  1000

static const tg_str_t  tg_metrics_words[TG_LABELS] = {
    [TG_LABEL_TEAM] = TG_STR("team"),
    [TG_LABEL_MODEL] = TG_STR("model"),
    [TG_LABEL_PROVIDER] = TG_STR("provider"),
    [TG_LABEL_OPERATION] = TG_STR("operation"),
    [TG_LABEL_KEY] = TG_STR("key"),
    [TG_LABEL_USER] = TG_STR("user"),
    [TG_LABEL_ORG] = TG_STR("org"),
    [TG_LABEL_ROUTE] = TG_STR("route")
};


void
tg_metrics_label(tg_labels_t *l, const tg_conf_metrics_t *mc,
    tg_metrics_label_t label, tg_str_t value)
{
    if (value.len != 0 && (mc->labels & 1u << label) != 0) {
        tg_labels_add(l, tg_metrics_words[label], value);
    }
}


void
tg_conf_metrics_init(tg_conf_metrics_t *mc)
{
    mc->series = TG_METRICS_SERIES_USUAL;
    mc->labels = 1u << TG_LABEL_TEAM | 1u << TG_LABEL_MODEL
                 | 1u << TG_LABEL_PROVIDER;
}


/* A tag's name as a label's: "-" is none of its characters. */
static int
tg_conf_metrics_tag(tg_conf_t *conf, tg_str_t name, tg_error_t *err)
{
    char               *label;
    tg_conf_metrics_t  *mc = &conf->metrics;

    if (!tg_str_is_name(name)) {
        return tg_error(err, 0, 0, "tag:%.*s is no name of a tag",
                        TG_ARG(name));
    }

    if (mc->ntags == TG_METRICS_TAGS_MAX) {
        return tg_error(err, 0, 0, "has more than %d tags",
                        TG_METRICS_TAGS_MAX);
    }

    label = tg_alloc(conf->mem, name.len + 4);

    if (label == NULL) {
        return tg_error(err, 0, 0, "no memory");
    }

    memcpy(label, "tag_", 4);

    for (size_t i = 0; i < name.len; i++) {
        label[4 + i] = name.p[i] == '-' ? '_' : name.p[i];
    }

    /* No page may have a label twice. */

    for (unsigned i = 0; i < mc->ntags; i++) {
        if (tg_str_eq(mc->label[i], tg_str_of(label, name.len + 4))) {
            return tg_error(err, 0, 0, "labels= has two tags that are the label"
                            " %.*s", TG_ARG(mc->label[i]));
        }
    }

    mc->label[mc->ntags] = tg_str_of(label, name.len + 4);
    mc->tag[mc->ntags] = tg_dup(conf->mem, name);

    if (mc->tag[mc->ntags].p == NULL) {
        return tg_error(err, 0, 0, "no memory");
    }

    mc->ntags++;

    return TG_OK;
}


static int
tg_conf_metrics_label(tg_conf_t *conf, tg_str_t name, tg_error_t *err)
{
    if (tg_str_starts(name, tg_str("tag:"))) {
        return tg_conf_metrics_tag(conf, tg_str_of(name.p + 4, name.len - 4),
                                   err);
    }

    for (unsigned i = 0; i < TG_LABELS; i++) {
        if (tg_str_eq(name, tg_metrics_words[i])) {
            if (conf->metrics.labels >> i & 1) {
                return tg_error(err, 0, 0, "labels= has %.*s twice",
                                TG_ARG(name));
            }

            conf->metrics.labels |= 1u << i;
            return TG_OK;
        }
    }

    return tg_error(err, 0, 0, "labels= has \"%.*s\", known are team, model,"
                    " provider, operation, key, user, org, route and"
                    " tag:<name>", TG_ARG(name));
}


static int
tg_conf_metrics_list(tg_conf_t *conf, tg_str_t list, tg_error_t *err)
{
    bool      more;
    tg_str_t  name;

    conf->metrics.labels = 0;

    do {
        more = tg_str_cut(&list, ',', &name);

        if (tg_conf_metrics_label(conf, name, err) != TG_OK) {
            return TG_ERROR;
        }
    } while (more);

    return TG_OK;
}


int
tg_conf_metrics(tg_conf_t *conf, const tg_str_t *args, unsigned nargs,
    tg_error_t *err)
{
    int64_t             n;
    tg_str_t            value;
    tg_conf_metrics_t  *mc = &conf->metrics;

    if (mc->said) {
        return tg_error(err, 0, 0, "is given twice");
    }

    mc->said = true;

    for (unsigned i = 0; i < nargs; i++) {
        if (tg_conf_param(args[i], "labels", &value)) {
            if (tg_conf_metrics_list(conf, value, err) != TG_OK) {
                return TG_ERROR;
            }

        } else if (tg_conf_param(args[i], "series", &value)) {
            n = tg_str_int(value);

            if (n < 1 || n > TG_METRIC_SERIES) {
                return tg_error(err, 0, 0, "series=%.*s is no number from 1 to"
                                " %d", TG_ARG(value), TG_METRIC_SERIES);
            }

            mc->series = (unsigned) n;

        } else if (tg_conf_param(args[i], "fleet", &value)) {
            mc->alone = tg_str_eq(value, tg_str("off"));

            if (!mc->alone && !tg_str_eq(value, tg_str("on"))) {
                return tg_error(err, 0, 0, "fleet= takes on or off, not"
                                " \"%.*s\"", TG_ARG(value));
            }

        } else {
            return tg_conf_unknown_param(args[i], "labels=, series= and fleet=",
                                         err);
        }
    }

    return TG_OK;
}


int
tg_conf_metrics_finish(tg_conf_t *conf, tg_error_t *err)
{
    unsigned            k;
    tg_conf_metrics_t  *mc = &conf->metrics;

    for (unsigned i = 0; i < mc->ntags; i++) {
        for (k = 0; k < conf->ntags; k++) {
            if (tg_str_eq(conf->tags[k].name, mc->tag[i])) {
                break;
            }
        }

        if (k == conf->ntags) {
            return tg_error(err, 0, 0, "llm_metrics has tag:%.*s, and there is"
                            " no llm_tag of that name", TG_ARG(mc->tag[i]));
        }

        mc->place[i] = k;
    }

    return TG_OK;
}


int
tg_conf_status(tg_scope_t *scope, const tg_str_t *args, unsigned nargs,
    tg_error_t *err)
{
    tg_status_format_t  format;

    if (scope->status != TG_UNSET) {
        return tg_error(err, 0, 0, "is given twice here");
    }

    if (scope->own != TG_UNSET) {
        return tg_error(err, 0, 0, "is given where another directive says what"
                        " the location answers");
    }

    if (tg_status_format(args, nargs, true, &format, err) != TG_OK) {
        return TG_ERROR;
    }

    scope->status = (int8_t) format;

    return TG_OK;
}
