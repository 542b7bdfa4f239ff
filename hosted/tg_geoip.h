/*
 * tg_geoip.h - where an address is, by databases in MaxMind's format
 * (https://maxmind.github.io/MaxMind-DB/).
 *
 * Threads may look up while one of them calls tg_geoip_check(). A database is
 * mapped, not copied: a new one takes the file's place, as geoipupdate does it,
 * and is not written into it.
 */

#ifndef TG_GEOIP_H
#define TG_GEOIP_H

#include "tg_conf.h"
#include "tg_error.h"
#include "tg_gate.h"

typedef struct tg_geoip_s  tg_geoip_t;

/* NULL and *err where one of the files is no such database.  The names have to
 * last, and end in NUL. */
tg_geoip_t *tg_geoip_open(const tg_str_t *files, unsigned n, tg_error_t *err);

void tg_geoip_close(tg_geoip_t *g);     /* NULL does nothing */

/*
 * Maps files that have changed anew.  TG_OK: *changed says whether there were
 * any.  TG_ERROR: what was mapped before stays in use.
 */
int tg_geoip_check(tg_geoip_t *g, bool *changed, tg_error_t *err);

/* A tg_geo_pt; data is the tg_geoip_t.  The first database that knows a thing
 * of an address tells it. */
void tg_geoip_look(void *data, tg_str_t address, tg_geo_t *geo);

#endif /* TG_GEOIP_H */
