/*
 * serverconf.h - what a server's configuration says of us, read without the
 * server: nginx's or httpd's files with what they include, or what a server left
 * beside its ledger (tg_desk_publish()).
 *
 * Only directives of what calls may do and cost are taken: where lines go, who is
 * alerted and what a status page shows is left out.  nginx's variables and httpd's
 * ${...} are not expanded.
 */

#ifndef SERVERCONF_H
#define SERVERCONF_H

#include "tg_conf.h"

#define SERVERCONF_PLACES_MAX  256

/* Where calls may come in: a location, or the server, or what is above both. */
typedef struct {
    tg_str_t    name;           /* "/v1/"; "" of a server or of all */
    tg_scope_t  scope;          /* merged with what is above it */
    int         above;          /* place; -1: none */
    bool        location;
} serverconf_place_t;

typedef enum {
    SERVERCONF_NGINX = 0,
    SERVERCONF_HTTPD,
    SERVERCONF_PUBLISHED        /* says nothing of locations */
} serverconf_kind_t;

typedef struct {
    tg_conf_t           *conf;          /* not finished yet */
    serverconf_kind_t    kind;
    unsigned             nplaces;       /* the first is that of all */
    serverconf_place_t   places[SERVERCONF_PLACES_MAX];
    unsigned             directives;    /* of ours that were taken */
    unsigned             companion;     /* of the upstream module, left out */
} serverconf_t;

/*
 * `conf` is new; files' names become absolute: those that are relative are below
 * root, NULL for where the file is (httpd's ServerRoot goes before both).  False
 * with a message said that names the file and the line.
 */
bool serverconf_read(serverconf_t *sc, tg_conf_t *conf, const char *file,
    const char *root);

/*
 * Where calls come in that location says (NULL: the only one, or where several
 * are alike, or else the first that looks at calls; *several is set then).  NULL
 * with a message said: there is none such.
 */
const serverconf_place_t *serverconf_place(const serverconf_t *sc,
    const char *location, bool *several);

#endif /* SERVERCONF_H */
