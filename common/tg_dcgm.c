#include "tg_dcgm.h"
#include "tg_conf.h"

typedef enum {
    TG_DCGM_UTIL = 0,           /* percent */
    TG_DCGM_ACTIVE,             /* share of time */
    TG_DCGM_USED,               /* MiB */
    TG_DCGM_FREE,
    TG_DCGM_POWER,              /* watts */
    TG_DCGM_PLACES
} tg_dcgm_place_t;

/* Places in tg_gpu_facts_t. */
enum {
    TG_GPU_UTIL = 0,
    TG_GPU_USED,
    TG_GPU_FREE,
    TG_GPU_POWER,
    TG_GPU_GPUS
};

#define TG_DCGM_LABEL_MAX  256

/* Where the library has no figure it gives one that is too large. */
static const struct {
    tg_str_t  name;
    double    max;
    double    unit;
} tg_dcgm_names[TG_DCGM_PLACES] = {
    [TG_DCGM_UTIL] = { TG_STR("DCGM_FI_DEV_GPU_UTIL"), 100, 10000 },
    [TG_DCGM_ACTIVE] = { TG_STR("DCGM_FI_PROF_GR_ENGINE_ACTIVE"), 1, 1e6 },
    [TG_DCGM_USED] = { TG_STR("DCGM_FI_DEV_FB_USED"), 1e8, 1 },
    [TG_DCGM_FREE] = { TG_STR("DCGM_FI_DEV_FB_FREE"), 1e8, 1 },
    [TG_DCGM_POWER] = { TG_STR("DCGM_FI_DEV_POWER_USAGE"), 1e5, 1000 }
};


static bool
tg_dcgm_wanted(void *data, const char *p)
{
    tg_str_t  head = tg_str_of(p, TG_PROM_HEAD);

    (void) data;

    for (unsigned i = 0; i < TG_DCGM_PLACES; i++) {
        if (tg_str_starts(tg_dcgm_names[i].name, head)) {
            return true;
        }
    }

    return false;
}


/* The number in a label; -1: it is not there. */

static int64_t
tg_dcgm_number(tg_str_t labels, tg_str_t name)
{
    char      buf[TG_DCGM_LABEL_MAX];
    tg_str_t  v;

    return tg_prom_label(labels, name, buf, sizeof(buf), &v)
           ? tg_str_int(v) : -1;
}


static uint32_t
tg_dcgm_hash(tg_str_t s)
{
    uint32_t  h = 2166136261u;

    for (size_t i = 0; i < s.len; i++) {
        h = (h ^ (unsigned char) s.p[i]) * 16777619u;
    }

    return h;
}


static tg_dcgm_gpu_t *
tg_dcgm_find(tg_dcgm_read_t *dr, tg_str_t labels, uint16_t gpu, int32_t slice)
{
    char            buf[TG_DCGM_LABEL_MAX];
    uint32_t        hash;
    tg_str_t        host = tg_str("");
    tg_dcgm_gpu_t  *g;

    if (!tg_prom_label(labels, tg_str("Hostname"), buf, sizeof(buf), &host)) {
        (void) tg_prom_label(labels, tg_str("hostname"), buf, sizeof(buf),
                             &host);
    }

    hash = tg_dcgm_hash(host);

    for (unsigned i = 0; i < dr->nseen; i++) {
        g = &dr->seen[i];

        if (g->gpu == gpu && g->slice == slice && g->host == hash) {
            return g;
        }
    }

    if (dr->nseen == TG_DCGM_SEEN_MAX) {
        return NULL;
    }

    g = &dr->seen[dr->nseen++];
    g->gpu = gpu;
    g->slice = slice;
    g->host = hash;
    g->ours = dr->host.len != 0 && tg_str_caseeq(host, dr->host);
    g->known = 0;

    return g;
}


static bool
tg_dcgm_asked(const tg_dcgm_read_t *dr, int64_t gpu)
{
    for (unsigned i = 0; i < dr->ngpus; i++) {
        if (dr->gpu[i] == gpu) {
            return true;
        }
    }

    return dr->ngpus == 0;
}


static void
tg_dcgm_sample(void *data, const tg_prom_sample_t *sample)
{
    double           v = sample->value;
    int64_t          gpu, slice, n;
    unsigned         place;
    tg_dcgm_gpu_t   *g;
    tg_dcgm_read_t  *dr = data;

    for (place = 0; place < TG_DCGM_PLACES; place++) {
        if (tg_str_eq(sample->name, tg_dcgm_names[place].name)) {
            break;
        }
    }

    if (place == TG_DCGM_PLACES || !(v >= 0 && v <= tg_dcgm_names[place].max)) {
        return;
    }

    gpu = tg_dcgm_number(sample->labels, tg_str("gpu"));
    slice = tg_dcgm_number(sample->labels, tg_str("GPU_I_ID"));

    if (gpu < 0 || gpu > UINT16_MAX || slice > INT32_MAX
        || !tg_dcgm_asked(dr, gpu))
    {
        return;
    }

    g = tg_dcgm_find(dr, sample->labels, (uint16_t) gpu, (int32_t) slice);

    if (g == NULL) {
        return;
    }

    n = (int64_t) (v * tg_dcgm_names[place].unit + 0.5);

    if ((g->known & 1u << place) == 0 || g->value[place] < n) {
        g->known |= 1u << place;
        g->value[place] = n;
    }
}


void
tg_dcgm_begin(tg_dcgm_read_t *dr, const tg_dcgm_conf_t *dc)
{
    dr->ngpus = dc->ngpus;
    memcpy(dr->gpu, dc->gpu, sizeof(dr->gpu));
    dr->host = tg_conf_host(dc->server.len != 0 ? dc->server : dc->url);
    dr->nseen = 0;

    tg_prom_init(&dr->prom, tg_dcgm_sample, tg_dcgm_wanted, dr);
}


int
tg_dcgm_feed(tg_dcgm_read_t *dr, const char *p, size_t n)
{
    return tg_prom_feed(&dr->prom, p, n);
}


/* Another series of the same GPU; slices only if they are asked for. */

static bool
tg_dcgm_other(const tg_dcgm_read_t *dr, unsigned i, unsigned end, bool slices)
{
    const tg_dcgm_gpu_t  *g = &dr->seen[i], *o;

    for (unsigned j = 0; j < end; j++) {
        o = &dr->seen[j];

        if (j != i && o->gpu == g->gpu && o->host == g->host
            && (!slices || o->slice >= 0))
        {
            return true;
        }
    }

    return false;
}


static void
tg_dcgm_put(tg_gpu_facts_t *facts, unsigned place, int64_t *sum, int64_t v)
{
    facts->known |= 1u << place;
    *sum += v;
}


/* The most that any series says of that GPU's power, with the first of them. */

static void
tg_dcgm_power(const tg_dcgm_read_t *dr, unsigned i, tg_gpu_facts_t *facts)
{
    bool                  known = false;
    int64_t               most = 0;
    const tg_dcgm_gpu_t  *g = &dr->seen[i], *o;

    if (tg_dcgm_other(dr, i, i, false)) {
        return;
    }

    for (unsigned j = i; j < dr->nseen; j++) {
        o = &dr->seen[j];

        if (o->gpu == g->gpu && o->host == g->host
            && (o->known & 1u << TG_DCGM_POWER) != 0)
        {
            known = true;
            most = o->value[TG_DCGM_POWER] > most ? o->value[TG_DCGM_POWER]
                                                  : most;
        }
    }

    if (known) {
        tg_dcgm_put(facts, TG_GPU_POWER, &facts->power_mw, most);
    }
}


static void
tg_dcgm_gpu(const tg_dcgm_gpu_t *g, tg_gpu_facts_t *facts, int64_t *utils)
{
    tg_dcgm_put(facts, TG_GPU_GPUS, &facts->gpus, 1);

    if ((g->known & 1u << TG_DCGM_USED) != 0) {
        tg_dcgm_put(facts, TG_GPU_USED, &facts->memory_used,
                    g->value[TG_DCGM_USED]);
    }

    if ((g->known & 1u << TG_DCGM_FREE) != 0) {
        tg_dcgm_put(facts, TG_GPU_FREE, &facts->memory_free,
                    g->value[TG_DCGM_FREE]);
    }

    for (unsigned place = TG_DCGM_UTIL; place <= TG_DCGM_ACTIVE; place++) {
        if ((g->known & 1u << place) != 0) {
            tg_dcgm_put(facts, TG_GPU_UTIL, &facts->util, g->value[place]);
            (*utils)++;
            break;
        }
    }
}


int
tg_dcgm_end(tg_dcgm_read_t *dr, tg_gpu_facts_t *facts, tg_error_t *err)
{
    bool                  ours = false;
    int64_t               utils = 0;
    const tg_dcgm_gpu_t  *g;

    if (tg_prom_end(&dr->prom) != TG_OK) {
        return tg_error(err, 0, 0, "it is no page of metrics");
    }

    memset(facts, 0, sizeof(*facts));

    for (unsigned i = 0; i < dr->nseen; i++) {
        ours = ours || dr->seen[i].ours;
    }

    for (unsigned i = 0; i < dr->nseen; i++) {
        g = &dr->seen[i];

        if (g->ours != ours) {
            continue;
        }

        tg_dcgm_power(dr, i, facts);

        /* of a GPU that is cut, its slices are the whole */

        if (g->slice >= 0 || !tg_dcgm_other(dr, i, dr->nseen, true)) {
            tg_dcgm_gpu(g, facts, &utils);
        }
    }

    if (utils != 0) {
        facts->util /= utils;
    }

    return TG_OK;
}
