/*
 * lines - cost lines as a server writes them, as many as wanted.
 *
 *     lines [--lines=N | --bytes=N[M|G]] [--seed=N]
 *           [--start=2026-11-01T00:00:00Z] [--days=N] [--nodes=N] [--teams=N] [--keys=N] [--users=N]
 *           [--again=PPM] [--lost=PPM] [--torn=PPM] [--format=underscore]
 *
 * The days are filled evenly with the lines that --lines= says, or with as many
 * as a --bytes= of them is likely to have; nodes take turns.  Each call has a
 * session of its own in one of three cases, else a session of some calls; users
 * are --users= many.  PPM of the lines are written twice (again), left out
 * (lost) with their llm.seq, or cut off (torn).
 *
 * On stderr is what a reader has to find, a JSON object: lines, calls, nusd,
 * input, output, again, lost, torn.
 */

#include "tg_rfc3339.h"
#include "tg_text.h"

#include <stdio.h>
#include <stdlib.h>

#define LINE_MAX   4096
#define NODES_MAX  64
#define LIKELY     1480                 /* bytes of a line */

typedef struct {
    uint64_t  lines, bytes, seed, nodes, teams, keys, users;
    uint64_t  again, lost, torn;        /* of a million */
    uint64_t  days;
    int64_t   start;                    /* milliseconds */
    bool      under;
} options_t;

typedef struct {
    uint64_t  lines, calls, again, lost, torn;
    int64_t   nusd, input, output;
} truth_t;

typedef struct {
    const char  *name;
    const char  *vendor;
    const char  *host;
    int64_t      in, cached, out;       /* nano-dollars a token */
} model_t;

static const model_t  models[] = {
    { "gpt-4o-2024-08-06", "openai", "api.openai.com", 2500, 1250, 10000 },
    { "gpt-4o-mini-2024-07-18", "openai", "api.openai.com", 150, 75, 600 },
    { "claude-sonnet-4-20250514", "anthropic", "api.anthropic.com", 3000, 300,
      15000 },
    { "claude-3-5-haiku-20241022", "anthropic", "api.anthropic.com", 800, 80,
      4000 },
    { "gemini-2.5-flash", "gcp.gemini", "generativelanguage.googleapis.com",
      300, 75, 2500 },
    { "meta-llama/Llama-3.3-70B-Instruct", "vllm", "gpu-7.internal", 90, 90,
      350 }
};

#define MODELS  (sizeof(models) / sizeof(models[0]))

typedef struct {
    options_t    o;
    truth_t      truth;
    uint64_t     random;
    uint64_t     seq[NODES_MAX];
    uint64_t     session[2];            /* that goes on */
    char        *p;                     /* where the line goes on */
} lines_t;


/* splitmix64 (Steele, Lea, Flood, 2014). */
static uint64_t
next(lines_t *l)
{
    uint64_t  z = l->random += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);

    return z ^ (z >> 31);
}


/* Below n. */
static uint64_t
below(lines_t *l, uint64_t n)
{
    return n == 0 ? 0 : next(l) % n;
}


/* Small ones are much more frequent. */
static uint64_t
skewed(lines_t *l, uint64_t n)
{
    return below(l, below(l, n) + 1);
}


static void
put(lines_t *l, const char *text)
{
    size_t  n = strlen(text);

    memcpy(l->p, text, n);
    l->p += n;
}


static void
key(lines_t *l, const char *name)
{
    *l->p++ = ',';
    *l->p++ = '"';

    for ( /* void */ ; *name; name++) {
        *l->p++ = l->o.under && *name == '.' ? '_' : *name;
    }

    *l->p++ = '"';
    *l->p++ = ':';
}


static void
text(lines_t *l, const char *name, const char *value)
{
    key(l, name);
    *l->p++ = '"';
    put(l, value);
    *l->p++ = '"';
}


/* "team-17" */
static void
numbered(lines_t *l, const char *name, const char *prefix, uint64_t n)
{
    key(l, name);
    *l->p++ = '"';
    put(l, prefix);
    l->p = tg_text_int(l->p, (int64_t) n);
    *l->p++ = '"';
}


static void
number(lines_t *l, const char *name, int64_t v)
{
    if (v != 0) {
        key(l, name);
        l->p = tg_text_int(l->p, v);
    }
}


static void
dollars(lines_t *l, const char *name, int64_t nusd)
{
    if (nusd != 0) {
        key(l, name);
        l->p = tg_text_decimal(l->p, nusd, 9);
    }
}


static void
hex(lines_t *l, uint64_t v, unsigned digits)
{
    while (digits-- != 0) {
        *l->p++ = "0123456789abcdef"[v >> 4 * digits & 15];
    }
}


static void
uuid(lines_t *l, uint64_t ms, uint64_t a, uint64_t b)
{
    hex(l, ms >> 16, 8);
    *l->p++ = '-';
    hex(l, ms & 0xffff, 4);
    *l->p++ = '-';
    hex(l, 0x7000 | (a & 0xfff), 4);
    *l->p++ = '-';
    hex(l, 0x8000 | (a >> 12 & 0x3fff), 4);
    *l->p++ = '-';
    hex(l, b, 12);
}


static void
ids(lines_t *l, int64_t ms, uint64_t seq, bool final)
{
    char      attempt[] = "-1";
    uint64_t  a = next(l), b = next(l);

    attempt[1] = final ? '1' : '2';
    put(l, l->o.under ? "{\"timestamp\":\"" : "{\"@timestamp\":\"");
    l->p = tg_text_time(l->p, ms);
    *l->p++ = '"';
    number(l, "llm.schema", 1);
    key(l, "event.id");
    *l->p++ = '"';
    uuid(l, (uint64_t) ms, a, b);
    put(l, attempt);
    *l->p++ = '"';
    key(l, "llm.call_id");
    *l->p++ = '"';
    uuid(l, (uint64_t) ms, a, b);
    *l->p++ = '"';
    number(l, "llm.seq", (int64_t) seq);
    number(l, "llm.attempt", 1);
    key(l, "llm.final");
    put(l, final ? "true" : "false");
    key(l, "trace.id");
    *l->p++ = '"';
    hex(l, next(l), 16);
    hex(l, next(l), 16);
    *l->p++ = '"';
    key(l, "span.id");
    *l->p++ = '"';
    hex(l, next(l), 16);
    *l->p++ = '"';
}


static void
who(lines_t *l)
{
    static const char *const  apps[] = {
        "support-bot", "code-review", "search \\\"beta\\\"", "z\u00fcrich"
    };

    uint64_t  k = skewed(l, l->o.keys), team = k % l->o.teams;
    char      client[32];

    if (below(l, 3) == 0) {
        l->session[0] = next(l);
    } else if (below(l, 8) == 0) {
        l->session[1] = next(l);
    }

    key(l, "gen_ai.conversation.id");
    put(l, "\"sess_");
    hex(l, l->session[below(l, 2)], 16);
    *l->p++ = '"';

    if (below(l, 20) != 0) {
        numbered(l, "llm.team", "team-", team);
    }

    numbered(l, "user.id", "user-", below(l, l->o.users));
    numbered(l, "organization.id", "org-", team % 7);
    text(l, "llm.tags.app", apps[below(l, 4)]);
    numbered(l, "llm.key_id", "key_", k);
    (void) snprintf(client, sizeof(client), "10.%u.%u.%u",
                    (unsigned) below(l, 4), (unsigned) below(l, 256),
                    (unsigned) below(l, 256));
    text(l, "client.address", client);
}


static int64_t
used(lines_t *l, const model_t *m, bool final)
{
    int64_t  in = (int64_t) (50 + skewed(l, 12000)), out, cached, cost;

    out = final ? (int64_t) skewed(l, 1500) : 0;
    cached = below(l, 3) == 0 ? in / 2 : 0;
    cost = (in - cached) * m->in + cached * m->cached + out * m->out;

    text(l, "llm.usage.source", below(l, 50) == 0 ? "estimated" : "reported");
    number(l, "gen_ai.usage.input_tokens", in);
    number(l, "gen_ai.usage.output_tokens", out);
    number(l, "gen_ai.usage.cache_read.input_tokens", cached);
    dollars(l, "llm.cost.input", (in - cached) * m->in);
    dollars(l, "llm.cost.cache_read", cached * m->cached);
    dollars(l, "llm.cost.output", out * m->out);
    dollars(l, "llm.cost.list", in * m->in + out * m->out);
    dollars(l, "llm.cost.saved", cached * (m->in - m->cached));
    dollars(l, "llm.cost.total", cost);
    key(l, "llm.cost.total_nusd");
    l->p = tg_text_int(l->p, cost);
    text(l, "llm.cost.source", "prices");
    text(l, "llm.price_id", m->name);
    l->truth.input += in;
    l->truth.output += out;

    return cost;
}


static void
call(lines_t *l, const model_t *m)
{
    text(l, "gen_ai.operation.name", "chat");
    text(l, "gen_ai.provider.name", m->vendor);
    text(l, "llm.provider", m->vendor);
    text(l, "gen_ai.request.model", m->name);

    if (below(l, 2) == 0) {
        key(l, "gen_ai.request.stream");
        put(l, "true");
        number(l, "gen_ai.request.max_tokens", 1024);
    }

    text(l, "server.address", m->host);
    number(l, "llm.prompt.messages", (int64_t) (1 + below(l, 12)));
    number(l, "llm.prompt.system_tokens", (int64_t) (below(l, 4) * 250));
    text(l, "gen_ai.response.model", m->name);
    key(l, "gen_ai.response.id");
    put(l, "\"chatcmpl-");
    hex(l, next(l), 16);
    *l->p++ = '"';
    key(l, "gen_ai.response.finish_reasons");
    put(l, "[\"stop\"]");
}


/* Writes it to buf; its length. */
static size_t
line(lines_t *l, char *buf, int64_t ms, unsigned node)
{
    bool            final = below(l, 40) != 0;
    const model_t  *m = &models[skewed(l, MODELS)];
    int64_t         took = (int64_t) (200000000 + below(l, 9000000000));

    l->p = buf;
    ids(l, ms, ++l->seq[node], final);
    who(l);
    call(l, m);
    l->truth.nusd += used(l, m, final);
    text(l, "llm.decision", "allow");
    numbered(l, "llm.node", "node-", node);
    text(l, "llm.config_hash", "3f2a9c5d1b7e8046");
    number(l, "event.duration", took);
    key(l, "gen_ai.response.time_to_first_chunk");
    l->p = tg_text_decimal(l->p, took / 5, 9);
    number(l, "http.request.body.bytes", (int64_t) below(l, 40000));
    number(l, "http.response.body.bytes", (int64_t) below(l, 9000));
    number(l, "http.response.status_code", final ? 200 : 503);
    text(l, "event.outcome", final ? "success" : "failure");
    put(l, "}\n");
    l->truth.lines++;
    l->truth.calls += final;

    return (size_t) (l->p - buf);
}


static bool
chance(lines_t *l, uint64_t ppm)
{
    return ppm != 0 && below(l, 1000000) < ppm;
}


static bool
write_lines(lines_t *l)
{
    char       buf[LINE_MAX];
    bool       ok = true;
    size_t     n;
    int64_t    ms;
    uint64_t   written = 0, lines = l->o.lines;
    truth_t    before;

    if (lines == 0) {
        lines = l->o.bytes / LIKELY + 1;
    }

    for (uint64_t i = 0; ok && (l->o.lines != 0 ? i < lines
                                                : written < l->o.bytes); i++)
    {
        before = l->truth;
        ms = l->o.start + (int64_t) ((double) i / (double) lines
                                     * (double) l->o.days * 86400000);
        n = line(l, buf, ms, (unsigned) (i % l->o.nodes));

        /* the first of a node is there, so that a gap behind it is one */

        if (i >= l->o.nodes && chance(l, l->o.lost)) {
            l->truth = before;
            l->truth.lost++;
            continue;
        }

        if (i >= l->o.nodes && chance(l, l->o.torn)) {
            l->truth = before;
            l->truth.torn++;
            n = 20 + below(l, n - 30);
            buf[n++] = '\n';
        }

        ok = fwrite(buf, 1, n, stdout) == n;
        written += n;

        if (buf[n - 2] == '}' && chance(l, l->o.again)) {
            l->truth.again++;
            ok = fwrite(buf, 1, n, stdout) == n;
            written += n;
        }
    }

    return ok && fflush(stdout) == 0;
}


static bool
number_option(const char *value, uint64_t *to)
{
    char  *end;

    *to = strtoull(value, &end, 10);

    if (*end == 'M' || *end == 'G') {
        *to <<= *end == 'M' ? 20 : 30;
        end++;
    }

    return *value != '\0' && *end == '\0';
}


static bool
option(options_t *o, const char *arg)
{
    const struct {
        const char  *name;
        uint64_t    *to;
    } numbers[] = {
        { "--lines=", &o->lines }, { "--bytes=", &o->bytes },
        { "--seed=", &o->seed }, { "--days=", &o->days },
        { "--nodes=", &o->nodes }, { "--teams=", &o->teams },
        { "--keys=", &o->keys }, { "--users=", &o->users },
        { "--again=", &o->again }, { "--lost=", &o->lost },
        { "--torn=", &o->torn }
    };

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (strncmp(arg, numbers[i].name, strlen(numbers[i].name)) == 0) {
            return number_option(arg + strlen(numbers[i].name), numbers[i].to);
        }
    }

    if (strncmp(arg, "--start=", 8) == 0) {
        o->start = tg_rfc3339_parse(tg_strz(arg + 8));
        return o->start >= 0;
    }

    o->under = strcmp(arg, "--format=underscore") == 0;

    return o->under;
}


int
main(int argc, char **argv)
{
    lines_t  l;

    memset(&l, 0, sizeof(l));
    l.o = (options_t) { .seed = 1, .nodes = 1, .teams = 40, .keys = 200,
                        .users = 5000, .days = 30 };
    l.o.start = tg_rfc3339_parse(tg_str("2026-11-01T00:00:00Z"));

    for (int i = 1; i < argc; i++) {
        if (!option(&l.o, argv[i])) {
            fprintf(stderr, "lines: %s?\n", argv[i]);
            return 2;
        }
    }

    if (l.o.lines == 0 && l.o.bytes == 0) {
        l.o.lines = 1000;
    }

    if (l.o.nodes == 0 || l.o.nodes > NODES_MAX || l.o.teams == 0) {
        fprintf(stderr, "lines: 1 to %d nodes, and a team\n", NODES_MAX);
        return 2;
    }

    l.random = l.o.seed;

    if (!write_lines(&l)) {
        perror("lines");
        return 1;
    }

    fprintf(stderr, "{\"lines\":%llu,\"calls\":%llu,\"nusd\":%lld,"
            "\"input\":%lld,\"output\":%lld,\"again\":%llu,\"lost\":%llu,"
            "\"torn\":%llu}\n", (unsigned long long) l.truth.lines,
            (unsigned long long) l.truth.calls, (long long) l.truth.nusd,
            (long long) l.truth.input, (long long) l.truth.output,
            (unsigned long long) l.truth.again,
            (unsigned long long) l.truth.lost,
            (unsigned long long) l.truth.torn);

    return 0;
}
