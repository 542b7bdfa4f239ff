#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "tg_geoip.h"
#include "tg_file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <maxminddb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define TG_GEOIP_PATH_MAX  3
#define TG_GEOIP_ASN_MAX   10       /* digits of an AS number */

typedef struct {
    MMDB_s            db;
    bool              open;
    tg_str_t          name;
    tg_file_state_t   state;
} tg_geoip_file_t;

struct tg_geoip_s {
    pthread_rwlock_t  lock;
    unsigned          n;
    tg_geoip_file_t   file[TG_GEOIP_FILES_MAX];
};

/*
 * Where databases have it: GeoIP2, GeoLite2 and DB-IP; IPinfo.
 *
 * https://dev.maxmind.com/geoip/docs/databases
 * https://ipinfo.io/developers/ipinfo-lite-database
 */
static const char *const  tg_geoip_country[][TG_GEOIP_PATH_MAX] = {
    { "country", "iso_code", NULL },
    { "country_code", NULL, NULL },
    { "country", NULL, NULL }
};

static const char *const  tg_geoip_asn[][TG_GEOIP_PATH_MAX] = {
    { "autonomous_system_number", NULL, NULL },
    { "asn", NULL, NULL }
};

#define TG_GEOIP_WAYS(paths)  (sizeof(paths) / sizeof((paths)[0]))


static int
tg_geoip_map(tg_geoip_file_t *f, MMDB_s *db, tg_error_t *err)
{
    int  rc = MMDB_open(f->name.p, MMDB_MODE_MMAP, db);

    return rc == MMDB_SUCCESS ? TG_OK
           : tg_error(err, 0, 0, "\"%s\": %s", f->name.p,
                      rc == MMDB_FILE_OPEN_ERROR ? strerror(errno)
                                                 : MMDB_strerror(rc));
}


tg_geoip_t *
tg_geoip_open(const tg_str_t *files, unsigned n, tg_error_t *err)
{
    tg_geoip_t  *g = calloc(1, sizeof(tg_geoip_t));

    if (g == NULL) {
        (void) tg_error(err, 0, 0, "no memory");
        return NULL;
    }

    (void) pthread_rwlock_init(&g->lock, NULL);

    for (g->n = 0; g->n < n; g->n++) {
        tg_geoip_file_t  *f = &g->file[g->n];

        f->name = files[g->n];
        (void) tg_file_changed(f->name.p, &f->state);

        if (tg_geoip_map(f, &f->db, err) != TG_OK) {
            tg_geoip_close(g);
            return NULL;
        }

        f->open = true;
    }

    return g;
}


void
tg_geoip_close(tg_geoip_t *g)
{
    if (g == NULL) {
        return;
    }

    for (unsigned i = 0; i < g->n; i++) {
        if (g->file[i].open) {
            MMDB_close(&g->file[i].db);
        }
    }

    (void) pthread_rwlock_destroy(&g->lock);
    free(g);
}


int
tg_geoip_check(tg_geoip_t *g, bool *changed, tg_error_t *err)
{
    int     rc = TG_OK;
    MMDB_s  db, old;

    *changed = false;

    for (unsigned i = 0; i < g->n; i++) {
        tg_geoip_file_t  *f = &g->file[i];

        if (!tg_file_changed(f->name.p, &f->state)) {
            continue;
        }

        if (tg_geoip_map(f, &db, err) != TG_OK) {
            rc = TG_ERROR;
            continue;
        }

        (void) pthread_rwlock_wrlock(&g->lock);
        old = f->db;
        f->db = db;
        (void) pthread_rwlock_unlock(&g->lock);

        MMDB_close(&old);
        *changed = true;
    }

    return rc;
}


/* IPv4 in IPv6's clothes is IPv4. */
static bool
tg_geoip_address(tg_str_t s, struct sockaddr_storage *to)
{
    char                  text[INET6_ADDRSTRLEN];
    struct sockaddr_in   *v4 = (struct sockaddr_in *) to;
    struct sockaddr_in6  *v6 = (struct sockaddr_in6 *) to;

    if (s.len == 0 || s.len >= sizeof(text)) {
        return false;
    }

    memcpy(text, s.p, s.len);
    text[s.len] = '\0';
    memset(to, 0, sizeof(struct sockaddr_storage));

    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        return true;
    }

    if (inet_pton(AF_INET6, text, &v6->sin6_addr) != 1) {
        return false;
    }

    if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
        struct in_addr  in;

        memcpy(&in, v6->sin6_addr.s6_addr + 12, sizeof(in));
        memset(to, 0, sizeof(struct sockaddr_storage));
        v4->sin_family = AF_INET;
        v4->sin_addr = in;

    } else {
        v6->sin6_family = AF_INET6;
    }

    return true;
}


static void
tg_geoip_set_country(const MMDB_entry_data_s *d, tg_geo_t *geo)
{
    const char  *s = d->utf8_string;

    if (d->type == MMDB_DATA_TYPE_UTF8_STRING && d->data_size == 2
        && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'A' && s[1] <= 'Z')
    {
        memcpy(geo->country, s, 2);
    }
}


/* A number, or "AS15169". */
static void
tg_geoip_set_asn(const MMDB_entry_data_s *d, tg_geo_t *geo)
{
    int64_t  asn = -1;

    if (d->type == MMDB_DATA_TYPE_UINT32) {
        asn = d->uint32;

    } else if (d->type == MMDB_DATA_TYPE_UTF8_STRING && d->data_size > 2
               && d->data_size <= TG_GEOIP_ASN_MAX + 2
               && memcmp(d->utf8_string, "AS", 2) == 0)
    {
        asn = tg_str_int(tg_str_of(d->utf8_string + 2, d->data_size - 2));
    }

    if (asn > 0) {
        geo->asn = asn;
    }
}


static void
tg_geoip_entry(MMDB_entry_s *entry, tg_geo_t *geo)
{
    MMDB_entry_data_s  d;

    for (size_t i = 0; geo->country[0] == '\0'
                       && i < TG_GEOIP_WAYS(tg_geoip_country); i++)
    {
        if (MMDB_aget_value(entry, &d, tg_geoip_country[i]) == MMDB_SUCCESS
            && d.has_data)
        {
            tg_geoip_set_country(&d, geo);
        }
    }

    for (size_t i = 0; geo->asn <= 0 && i < TG_GEOIP_WAYS(tg_geoip_asn); i++) {
        if (MMDB_aget_value(entry, &d, tg_geoip_asn[i]) == MMDB_SUCCESS
            && d.has_data)
        {
            tg_geoip_set_asn(&d, geo);
        }
    }
}


void
tg_geoip_look(void *data, tg_str_t address, tg_geo_t *geo)
{
    int                      error;
    tg_geoip_t              *g = data;
    MMDB_lookup_result_s     found;
    struct sockaddr_storage  at;

    memset(geo, 0, sizeof(tg_geo_t));

    if (!tg_geoip_address(address, &at)) {
        return;
    }

    (void) pthread_rwlock_rdlock(&g->lock);

    for (unsigned i = 0; i < g->n; i++) {
        found = MMDB_lookup_sockaddr(&g->file[i].db,
                                     (const struct sockaddr *) &at, &error);

        if (error == MMDB_SUCCESS && found.found_entry) {
            tg_geoip_entry(&found.entry, geo);
        }
    }

    (void) pthread_rwlock_unlock(&g->lock);
}
