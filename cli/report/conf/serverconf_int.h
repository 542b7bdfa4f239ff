/*
 * serverconf_int.h - what the readers of the two kinds of files share.
 */

#ifndef SERVERCONF_INT_H
#define SERVERCONF_INT_H

#include "serverconf.h"

#define SERVERCONF_FILES_MAX  1024      /* read, in all */
#define SERVERCONF_DEPTH      16        /* of includes */
#define SERVERCONF_BLOCKS     32        /* of blocks in each other */
#define SERVERCONF_FILE_MAX   (16 * 1024 * 1024)
#define SERVERCONF_WORDS      64        /* of a directive that may be ours */

/* What is being read. */
typedef struct {
    serverconf_t  *sc;
    tg_mem_t      *mem;
    const char    *root;                /* relative names are below it */
    unsigned       files;
    unsigned       depth;
    unsigned       nblocks;
    int            place[SERVERCONF_BLOCKS];    /* of each block; -1: nothing in
                                           it is ours */
} serverconf_read_t;

/* A file being read. */
typedef struct {
    serverconf_read_t  *r;
    const char         *name;
    unsigned            line;
} serverconf_at_t;

/* "file:line: why", to stderr; false. */
bool serverconf_failed(const serverconf_at_t *at, const char *why);

/* A directive of ours, or that is none: words[0] is its name. */
bool serverconf_directive(const serverconf_at_t *at, const tg_str_t *words,
    unsigned n);

/* A block opens: `place` as above.  A new place, of a server or a location. */
bool serverconf_open(const serverconf_at_t *at, int place);
int serverconf_add(const serverconf_at_t *at, tg_str_t name, bool location);

/* The block that is open now. */
int serverconf_now(const serverconf_read_t *r);

/* Files of a pattern, in order, each handed to `read`.  must: there has to be
 * one. */
typedef bool (*serverconf_file_t)(serverconf_read_t *r, const char *name);

bool serverconf_include(const serverconf_at_t *at, tg_str_t pattern, bool must,
    serverconf_file_t read);

/* The whole of a file, of r->mem. */
bool serverconf_text(const serverconf_at_t *at, const char *name,
    tg_str_t *text);

bool serverconf_nginx(serverconf_read_t *r, const char *name);
bool serverconf_httpd(serverconf_read_t *r, const char *name);

#endif /* SERVERCONF_INT_H */
