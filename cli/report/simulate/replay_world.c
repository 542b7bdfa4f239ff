#define _GNU_SOURCE

#include "replay_int.h"
#include "llmctl.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/mman.h>

#define LEDGER_LEAST  (64 * 1024 * 1024)


static void
hexadecimal(const unsigned char digest[32], char *out)
{
    static const char  digits[] = "0123456789abcdef";

    for (size_t i = 0; i < 32; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }

    out[64] = '\0';
}


void
replay_secret(tg_str_t id, char *secret)
{
    unsigned char  digest[32];

    tg_key_digest(id, digest);
    hexadecimal(digest, secret);
}


static json_t *
digest_json(const char *secret)
{
    char           hex[REPLAY_SECRET];
    unsigned char  digest[32];

    tg_key_digest(tg_strz(secret), digest);
    hexadecimal(digest, hex);

    return json_string(hex);
}


/* The keys with secrets that we know: nobody knows their own from their hashes. */
static bool
open_roster(replay_t *p)
{
    char        *text;
    size_t       i;
    json_t      *root, *key;
    tg_str_t     file = p->conf.conf->keys.file, id;
    tg_error_t   err;

    if (file.len == 0) {
        return true;
    }

    root = json_load_file(file.p, 0, NULL);

    json_array_foreach(json_object_get(root, "keys"), i, key) {
        char  secret[REPLAY_SECRET];

        id = tg_str_of(json_string_value(json_object_get(key, "id")),
                       json_string_length(json_object_get(key, "id")));
        replay_secret(id, secret);
        (void) json_object_set_new(key, "sha256", digest_json(secret));
        (void) json_object_del(key, "previous");
    }

    text = json_dumps(root, JSON_COMPACT);
    json_decref(root);

    p->roster = text == NULL ? NULL
                : tg_roster_load(&p->conf.conf->quotas, file, tg_strz(text),
                                 &err);
    free(text);

    return p->roster != NULL || failed("keys", text == NULL ? strerror(ENOMEM)
                                               : err.message);
}


static bool
never_dead(void *baton, uint32_t owner)
{
    (void) baton;
    (void) owner;

    return false;
}


static bool
never_waits(void *baton, uint64_t *since)
{
    (void) baton;
    (void) since;

    return false;
}


/* Before the first call, at whose time it begins. */
static bool
open_ledger(replay_t *p)
{
    uint64_t                       want = p->conf.conf->ledger.size;
    tg_error_t                     err;
    const unsigned char            any[16] = "tollgate replay";
    static const tg_ledger_host_t  host = { never_dead, never_waits, NULL };

    if (p->conf.conf->ledger.file.len == 0) {
        return true;
    }

    p->size = (size_t) (want < LEDGER_LEAST ? LEDGER_LEAST
                        : want & ~UINT64_C(4095));
    p->base = mmap(NULL, p->size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p->base == MAP_FAILED) {
        p->base = NULL;
        return failed("the ledger", strerror(errno));
    }

    if (tg_ledger_format(p->base, p->size, any, any, p->now, &err) != TG_OK
        || tg_ledger_attach(&p->ledger, p->base, p->size, &host, &err)
           != TG_OK
        || tg_ledger_claim(&p->ledger, 1) != TG_LEDGER_OK)
    {
        return failed("the ledger", "can't be made");
    }

    p->gate.ledger = &p->ledger;

    if (p->roster != NULL
        && tg_roster_reserve(p->roster, &p->conf.conf->quotas, p->desk.zone,
                             &p->ledger, p->now)
           == TG_LEDGER_FULL)
    {
        return failed("llm_ledger", "its size= is too small for the keys");
    }

    return true;
}


static void
say(void *data, tg_desk_level_t level, const char *message)
{
    (void) data;
    (void) level;
    (void) fail("--conf", message);
}


/* Each tag is what the line has it for, wherever it came from. */
static void
bind_tags(tg_conf_t *conf)
{
    for (unsigned i = 0; i < conf->ntags; i++) {
        conf->tags[i].nsources = 1;
        conf->tags[i].sources[0].kind = TG_SOURCE_VARIABLE;
        conf->tags[i].sources[0].handle = i;
    }

    conf->nfields = 0;
    conf->fields = NULL;
}


static void
geo(void *data, tg_str_t address, tg_geo_t *to)
{
    const replay_live_t  *live = *(replay_live_t **) data;
    tg_str_t              country = live->r.text[REC_COUNTRY];

    (void) address;

    if (country.len == 2) {
        memcpy(to->country, country.p, 2);
    }

    to->asn = live->r.number[REC_ASN];
}


static bool
open_conf(replay_t *p)
{
    tg_conf_t   *conf = p->conf.conf;
    tg_error_t   err;

    conf->node = tg_str("replay");
    conf->placed = true;

    if (tg_conf_finish(conf, &err) != TG_OK) {
        return failed("--conf", err.message);
    }

    /* what a replay has no use for is not read */

    for (unsigned i = 0; i < conf->nproviders; i++) {
        conf->providers[i].key_file = tg_str_null;
    }

    if (tg_desk_load(&p->desk, conf, p->mem, say, NULL, &err) != TG_OK) {
        return failed("--conf", err.message);
    }

    bind_tags(conf);

    return true;
}


bool
replay_open(replay_t *p)
{
    p->scope = p->conf.place->scope;

    if (!open_conf(p) || !open_roster(p)) {
        return false;
    }

    p->scratch.expr = tg_expr_scratch(p->mem);
    tg_desk_gate(&p->desk, p->conf.book, &p->scratch, &p->gate);
    p->gate.roster = p->roster;
    p->gate.geo = geo;
    p->gate.geo_data = NULL;

    return open_ledger(p);
}


void
replay_close(replay_t *p)
{
    if (p->desk.loaded) {
        tg_desk_close(&p->desk);
    }

    tg_roster_unref(p->roster);
    p->roster = NULL;

    if (p->base != NULL) {
        (void) munmap(p->base, p->size);
        p->base = NULL;
    }
}
