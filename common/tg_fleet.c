#include "tg_fleet.h"

#include <openssl/evp.h>
#include <stdio.h>

#define TG_FLEET_PORT           6379
#define TG_FLEET_SENTINEL_PORT  26379

#define TG_FLEET_ARG(s)  (int) ((s).len < 60 ? (s).len : 60), (s).p


void
tg_fleet_options_init(tg_fleet_options_t *o)
{
    memset(o, 0, sizeof(*o));
    o->quarantine_ms = TG_FLEET_QUARANTINE;
    o->ledger.lease = TG_LEASE_AHEAD;
    o->ledger.down = TG_DOWN_REJECT;
    o->ledger.timeout_ms = TG_FLEET_TIMEOUT;
    o->ledger.tick_ms = TG_FLEET_TICK;
    o->ledger.idle_ms = TG_FLEET_IDLE;
}


static int
tg_fleet_copy(char *to, size_t size, const char *name, tg_str_t value,
    tg_error_t *err)
{
    if (value.len == 0 || value.len >= size
        || memchr(value.p, '\0', value.len) != NULL)
    {
        return tg_error(err, 0, 0, "%s must have 1 to %zu bytes", name,
                        size - 1);
    }

    memcpy(to, value.p, value.len);
    to[value.len] = '\0';

    return TG_OK;
}


static int
tg_fleet_copy_name(char *to, const char *name, tg_str_t value,
    tg_error_t *err)
{
    if (!tg_str_is_name(value)) {
        return tg_error(err, 0, 0, "%s\"%.*s\" must be letters, digits, \"_\" "
                        "and \"-\", at most %d", name, TG_FLEET_ARG(value),
                        TG_FLEET_NAME_MAX);
    }

    return tg_fleet_copy(to, TG_FLEET_NAME_MAX + 1, name, value, err);
}


/* "host", "host:port", "[v6]:port", "/path/of.a.socket". */
static int
tg_fleet_host(tg_fleet_host_t *h, const char *name, tg_str_t v,
    unsigned port, tg_error_t *err)
{
    int64_t     n;
    size_t      len = v.len;
    const char  *p;

    h->port = port;

    if (v.len > 0 && v.p[0] == '/') {
        return tg_fleet_copy(h->host, sizeof(h->host), name, v, err);
    }

    if (v.len > 0 && v.p[0] == '[') {
        p = memchr(v.p, ']', v.len);

        if (p == NULL) {
            return tg_error(err, 0, 0, "%s\"%.*s\" lacks a \"]\"", name,
                            TG_FLEET_ARG(v));
        }

        len = (size_t) (p - v.p) + 1;

    } else {
        p = memchr(v.p, ':', v.len);
        len = p != NULL ? (size_t) (p - v.p) : v.len;
    }

    if (len < v.len) {
        n = v.p[len] == ':' ? tg_str_int(tg_str_of(v.p + len + 1,
                                                   v.len - len - 1)) : -1;

        if (n < 1 || n > 65535) {
            return tg_error(err, 0, 0, "%s\"%.*s\" must be <host>[:<port>]",
                            name, TG_FLEET_ARG(v));
        }

        h->port = (unsigned) n;
    }

    if (v.len > 0 && v.p[0] == '[') {
        return tg_fleet_copy(h->host, sizeof(h->host), name,
                             tg_str_of(v.p + 1, len - 2), err);
    }

    return tg_fleet_copy(h->host, sizeof(h->host), name, tg_str_of(v.p, len),
                         err);
}


/* sentinel=<master>@<host>[:<port>][,<host>[:<port>]...] */
static int
tg_fleet_sentinels(tg_fleet_options_t *o, tg_str_t v, tg_error_t *err)
{
    size_t       n;
    const char  *p = memchr(v.p, '@', v.len);

    if (p == NULL) {
        return tg_error(err, 0, 0, "\"sentinel=%.*s\" must be "
                        "sentinel=<master>@<host>[:<port>],...",
                        TG_FLEET_ARG(v));
    }

    n = (size_t) (p - v.p);

    if (tg_fleet_copy_name(o->master, "sentinel=", tg_str_of(v.p, n), err)
        != TG_OK)
    {
        return TG_ERROR;
    }

    v = tg_str_of(p + 1, v.len - n - 1);
    o->nsentinels = 0;

    for ( ;; ) {
        p = memchr(v.p, ',', v.len);
        n = p != NULL ? (size_t) (p - v.p) : v.len;

        if (o->nsentinels == TG_FLEET_SENTINELS) {
            return tg_error(err, 0, 0, "sentinel= has more than %d hosts",
                            TG_FLEET_SENTINELS);
        }

        if (tg_fleet_host(&o->sentinels[o->nsentinels++], "sentinel=",
                          tg_str_of(v.p, n), TG_FLEET_SENTINEL_PORT, err)
            != TG_OK)
        {
            return TG_ERROR;
        }

        if (p == NULL) {
            break;
        }

        v = tg_str_of(p + 1, v.len - n - 1);
    }

    o->on = true;

    return TG_OK;
}


static int
tg_fleet_down(tg_fleet_options_t *o, tg_str_t v, tg_error_t *err)
{
    int64_t   n;
    tg_str_t  local = tg_str("local=");

    if (tg_str_eq(v, tg_str("reject"))) {
        o->ledger.down = TG_DOWN_REJECT;
        return TG_OK;
    }

    if (tg_str_eq(v, tg_str("allow"))) {
        o->ledger.down = TG_DOWN_ALLOW;
        return TG_OK;
    }

    if (tg_str_starts(v, local)) {
        v = tg_str_of(v.p + local.len, v.len - local.len);
        v.len -= v.len > 0 && v.p[v.len - 1] == '%';
        n = tg_str_int(v);

        if (n >= 1 && n <= 100) {
            o->ledger.down = TG_DOWN_LOCAL;
            o->ledger.local_percent = (unsigned) n;
            return TG_OK;
        }
    }

    return tg_error(err, 0, 0, "redis_down= must be reject, allow or "
                    "local=<percent>, 1 to 100");
}


/* Milliseconds: "500ms", "2s", "2". */
static int
tg_fleet_time(int64_t *to, const char *name, tg_str_t v, int64_t least,
    int64_t most, tg_error_t *err)
{
    bool      ms = tg_str_ends(v, tg_str("ms"));
    int64_t   n;

    v.len -= ms ? 2 : tg_str_ends(v, tg_str("s")) ? 1 : 0;
    n = tg_str_int(v);
    n = n < 0 || ms || n > most ? n : n * 1000;

    if (n < least || n > most) {
        return tg_error(err, 0, 0, "%s must be from %lldms to %lldms", name,
                        (long long) least, (long long) most);
    }

    *to = n;

    return TG_OK;
}


static int
tg_fleet_switch(tg_fleet_options_t *o, tg_str_t name, tg_str_t v,
    tg_error_t *err)
{
    if (tg_str_eq(name, tg_str("lease="))) {
        o->ledger.lease = tg_str_eq(v, tg_str("strict")) ? TG_LEASE_STRICT
                                                         : TG_LEASE_AHEAD;
        if (tg_str_eq(v, tg_str("strict")) || tg_str_eq(v, tg_str("ahead"))) {
            return TG_OK;
        }

        return tg_error(err, 0, 0, "lease= must be ahead or strict, not"
                        " \"%.*s\"", (int) (v.len < 40 ? v.len : 40), v.p);
    }

    if (tg_str_eq(name, tg_str("tls="))) {
        o->tls = !tg_str_eq(v, tg_str("off"));

        if (tg_str_eq(v, tg_str("on")) || !o->tls) {
            return TG_OK;
        }

        return tg_fleet_copy(o->ca_file, sizeof(o->ca_file), "tls=", v, err);
    }

    if (tg_str_eq(name, tg_str("password="))) {
        if (!tg_str_starts(v, tg_str("file:"))) {
            return tg_error(err, 0, 0, "password= must be file:<name>: a "
                            "secret has no place in a configuration");
        }

        return tg_fleet_copy(o->password_file, sizeof(o->password_file),
                             "password=", tg_str_of(v.p + 5, v.len - 5), err);
    }

    return TG_AGAIN;
}


int
tg_fleet_option(tg_fleet_options_t *o, tg_str_t word, tg_error_t *err)
{
    int          rc;
    size_t       n;
    tg_str_t     name, v;
    const char  *p = word.len > 0 ? memchr(word.p, '=', word.len) : NULL;

    if (p == NULL) {
        return TG_AGAIN;
    }

    n = (size_t) (p - word.p) + 1;
    name = tg_str_of(word.p, n);
    v = tg_str_of(word.p + n, word.len - n);

    if (tg_str_eq(name, tg_str("redis="))) {
        o->on = true;
        return tg_fleet_host(&o->redis, "redis=", v, TG_FLEET_PORT, err);
    }

    if (tg_str_eq(name, tg_str("sentinel="))) {
        return tg_fleet_sentinels(o, v, err);
    }

    if (tg_str_eq(name, tg_str("fleet="))) {
        return tg_fleet_copy_name(o->name, "fleet=", v, err);
    }

    if (tg_str_eq(name, tg_str("node="))) {
        return tg_fleet_copy_name(o->label, "node=", v, err);
    }

    if (tg_str_eq(name, tg_str("user="))) {
        return tg_fleet_copy(o->user, sizeof(o->user), "user=", v, err);
    }

    if (tg_str_eq(name, tg_str("redis_down="))) {
        return tg_fleet_down(o, v, err);
    }

    if (tg_str_eq(name, tg_str("redis_timeout="))) {
        return tg_fleet_time(&o->ledger.timeout_ms, "redis_timeout=", v, 10,
                             10000, err);
    }

    if (tg_str_eq(name, tg_str("quarantine="))) {
        return tg_fleet_time(&o->quarantine_ms, "quarantine=", v, 1000,
                             3600000, err);
    }

    rc = tg_fleet_switch(o, name, v, err);

    return rc;
}


int
tg_fleet_options_finish(tg_fleet_options_t *o, tg_error_t *err)
{
    if (!o->on) {
        if (o->name[0] != '\0' || o->user[0] != '\0' || o->tls
            || o->password_file[0] != '\0')
        {
            return tg_error(err, 0, 0, "fleet=, user=, password= and tls= are "
                            "for a ledger with redis= or sentinel=");
        }

        return TG_OK;
    }

    if (o->redis.host[0] != '\0' && o->nsentinels != 0) {
        return tg_error(err, 0, 0, "redis= and sentinel= exclude each other");
    }

    if (o->name[0] == '\0') {
        return tg_error(err, 0, 0, "redis= needs fleet=<name>: hosts of one "
                        "name share their budgets");
    }

    if (o->user[0] != '\0' && o->password_file[0] == '\0') {
        return tg_error(err, 0, 0, "user= needs password=file:<name>");
    }

    if (o->tls && o->redis.host[0] == '/') {
        return tg_error(err, 0, 0, "tls= is of no use on a Unix socket");
    }

    return TG_OK;
}


int
tg_fleet_init(tg_fleet_t *fleet, tg_str_t name, tg_str_t label,
    int64_t quarantine_ms, tg_error_t *err)
{
    unsigned       len = 0;
    unsigned char  md[EVP_MAX_MD_SIZE];

    memset(fleet, 0, sizeof(*fleet));

    if (!tg_str_is_name(name)) {
        return tg_error(err, 0, 0, "a fleet's name is letters, digits, \"_\" "
                        "and \"-\"");
    }

    if (EVP_Digest(tg_fleet_script.p, tg_fleet_script.len, md, &len,
                   EVP_sha1(), NULL) != 1 || len != 20)
    {
        return tg_error(err, 0, 0, "libcrypto has no SHA-1, by which Redis "
                        "names scripts");
    }

    for (unsigned i = 0; i < len; i++) {
        snprintf(fleet->sha + i * 2, 3, "%02x", md[i]);
    }

    snprintf(fleet->prefix, sizeof(fleet->prefix), "{tg:%.*s}:",
             (int) name.len, name.p);
    fleet->prefix_len = strlen(fleet->prefix);
    fleet->label = label;
    fleet->quarantine_ms = quarantine_ms;

    return TG_OK;
}


tg_str_t
tg_fleet_info(tg_str_t text, const char *name)
{
    size_t       len = strlen(name), n;
    const char  *end;

    while (text.len > 0) {
        end = memchr(text.p, '\n', text.len);
        n = end != NULL ? (size_t) (end - text.p) : text.len;

        if (n > len && text.p[len] == ':' && memcmp(text.p, name, len) == 0) {
            n -= len + 1;
            n -= n > 0 && text.p[len + n] == '\r';
            return tg_str_of(text.p + len + 1, n);
        }

        n += end != NULL;
        text = tg_str_of(text.p + n, text.len - n);
    }

    return tg_str_null;
}


int
tg_fleet_check(const tg_fleet_facts_t *facts, tg_error_t *err)
{
    tg_str_t  policy = tg_fleet_info(facts->memory, "maxmemory_policy");
    tg_str_t  role = tg_fleet_info(facts->replication, "role");
    tg_str_t  slaves = tg_fleet_info(facts->replication, "connected_slaves");

    if (err != NULL) {
        err->message[0] = '\0';
    }

    if (role.len == 0
        || tg_fleet_info(facts->replication, "master_replid").len == 0)
    {
        return tg_error(err, 0, 0, "its INFO has no role or master_replid: "
                        "without them a failover goes unnoticed");
    }

    if (!tg_str_eq(role, tg_str("master"))) {
        return tg_error(err, 0, 0, "it is a replica: name the master, or its "
                        "sentinels");
    }

    if (policy.len != 0 && !tg_str_eq(policy, tg_str("noeviction"))) {
        return tg_error(err, 0, 0, "its maxmemory-policy is %.*s: it must be "
                        "noeviction, else budgets are forgotten when memory is "
                        "short", TG_FLEET_ARG(policy));
    }

    if (policy.len == 0) {
        (void) tg_error(err, 0, 0, "its maxmemory-policy can't be seen: it "
                        "must be noeviction");
        return TG_OK;
    }

    if (tg_str_int(slaves) > 0 && tg_str_int(facts->min_replicas) <= 0) {
        (void) tg_error(err, 0, 0, "it has replicas, and "
                        "min-replicas-to-write is 0 or can't be seen: a master "
                        "that is cut off would go on to grant");
    }

    return TG_OK;
}
