/*
 * tg_directive.h - what a table of directives says of each.
 */

#ifndef TG_DIRECTIVE_H
#define TG_DIRECTIVE_H

enum {
    TG_IN_MAIN     = 0x01,
    TG_IN_SERVER   = 0x02,
    TG_IN_LOCATION = 0x04,
    TG_IN_UPSTREAM = 0x08       /* of the companion's directives only */
};

typedef struct {
    const char  *nginx_name;
    const char  *httpd_name;
    unsigned     contexts;
    unsigned     least, most;       /* arguments */
    const char  *syntax;
    const char  *deflt;
    const char  *help;
} tg_directive_t;

#endif /* TG_DIRECTIVE_H */
