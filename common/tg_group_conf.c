#include "tg_group_conf_int.h"

#include <stdio.h>

const tg_directive_t  tg_upstream_directives[TG_UPSTREAM_DIRECTIVES] = {
#define TG_DIRECTIVE(id, ngx, httpd, contexts, least, most, syntax, def, help) \
    { ngx, httpd, contexts, least, most, syntax, def, help },
#include "tg_upstream_directives.def"
#undef TG_DIRECTIVE
};


int
tg_group_conf_init(tg_group_conf_t *gc, tg_mem_t *mem, tg_str_t name)
{
    memset(gc, 0, sizeof(*gc));

    tg_group_backend_init(&gc->rest);
    tg_group_check_init(&gc->check);
    gc->load = 125;
    gc->name = tg_dup(mem, name);

    return gc->name.p != NULL ? TG_OK : TG_ERROR;
}


static int
tg_group_dispatch(tg_group_draft_t *d, tg_upstream_directive_t id,
    const tg_str_t *args, unsigned nargs)
{
    switch (id) {
    case TG_UPSTREAM_BACKEND:
        return tg_group_backend(d, args, nargs);
    case TG_UPSTREAM_HEALTH_CHECK:
        return tg_group_check(d, args, nargs);
    case TG_UPSTREAM_BALANCE:
        return tg_group_balance(d, args, nargs);
    case TG_UPSTREAM_DCGM:
        return tg_group_dcgm(d, args, nargs);
    case TG_UPSTREAM_SCALE:
        return tg_group_scale(d, args, nargs);
    case TG_UPSTREAM_STATE:
    case TG_UPSTREAM_STATUS:
    case TG_UPSTREAM_DIRECTIVES:
        break;
    }

    return tg_group_fail(d, "is not a directive of an upstream");
}


int
tg_group_conf_add(tg_group_conf_t *gc, tg_mem_t *mem,
    tg_upstream_directive_t id, const tg_str_t *args, unsigned nargs,
    tg_str_t (*full_name)(void *data, tg_str_t name), void *data,
    tg_error_t *err)
{
    const tg_directive_t  *ud = &tg_upstream_directives[id];
    tg_group_draft_t       d = { gc, mem, full_name, data, err, 0 };

    if (nargs < ud->least || nargs > ud->most) {
        return tg_conf_takes(ud->syntax, ud->most, args, nargs, err);
    }

    gc->said = true;

    return tg_group_dispatch(&d, id, args, nargs);
}


/* "10.0.0.5:8000, gpu2:8000, ...": each once, as many as there is room for. */
static const char *
tg_group_list(const tg_str_t *servers, unsigned nservers, char *buf,
    size_t size)
{
    size_t    n = 0;
    unsigned  k;

    buf[0] = '\0';

    for (unsigned i = 0; i < nservers; i++) {
        for (k = 0; k < i && !tg_str_eq(servers[k], servers[i]); k++) {
            /* to an earlier one */
        }

        if (k < i) {
            continue;
        }

        if (n + servers[i].len + sizeof(", , ...") > size) {
            (void) snprintf(buf + n, size - n, ", ...");
            break;
        }

        n += (size_t) snprintf(buf + n, size - n, "%s%.*s", n ? ", " : "",
                               (int) servers[i].len, servers[i].p);
    }

    return buf;
}


static bool
tg_group_has(const tg_str_t *servers, unsigned nservers, tg_str_t said)
{
    for (unsigned i = 0; i < nservers; i++) {
        if (tg_group_same_server(said, servers[i])) {
            return true;
        }
    }

    return false;
}


static int
tg_group_finish_dcgm(const tg_group_conf_t *gc, const tg_dcgm_conf_t *dc,
    const tg_str_t *servers, unsigned nservers, tg_error_t *err)
{
    char      list[96];
    unsigned  i;

    if (dc->server.len != 0) {
        return tg_group_has(servers, nservers, dc->server) ? TG_OK
               : tg_error(err, 0, 0, "upstream \"%.*s\": llm_dcgm (LLMDcgm) has"
                          " server=%.*s, which is not there; there are %s",
                          TG_ARG(gc->name), TG_ARG(dc->server),
                          tg_group_list(servers, nservers, list,
                                        sizeof(list)));
    }

    for (i = 0; i < nservers; i++) {
        if (tg_group_same_host(dc->url, servers[i])) {
            return TG_OK;
        }
    }

    return tg_error(err, 0, 0, "upstream \"%.*s\": no server is on the host of"
                    " llm_dcgm (LLMDcgm) url=%.*s: say which with server=",
                    TG_ARG(gc->name), TG_ARG(dc->url));
}


/* Servers, as far as it can be told: a name and its address count as two. */
static unsigned
tg_group_count(const tg_str_t *servers, unsigned nservers)
{
    unsigned  n = 0;

    for (unsigned i = 0; i < nservers; i++) {
        n += !tg_group_has(servers, i, servers[i]);
    }

    return n;
}


static bool
tg_group_rest_used(const tg_group_conf_t *gc, const tg_str_t *servers,
    unsigned nservers)
{
    for (unsigned i = 0; i < nservers; i++) {
        if (tg_group_conf_backend(gc, servers[i]) == &gc->rest) {
            return true;
        }
    }

    return false;
}


int
tg_group_conf_finish(tg_group_conf_t *gc, const tg_str_t *servers,
    unsigned nservers, tg_error_t *err)
{
    char      list[112];
    tg_str_t  s;

    for (unsigned i = 0; i < gc->nbackends; i++) {
        s = gc->backends[i]->server;

        if (!tg_group_has(servers, nservers, s)) {
            return tg_error(err, 0, 0, "upstream \"%.*s\" has no server"
                            " \"%.*s\", which llm_backend (LLMBackend) names;"
                            " it has %s", TG_ARG(gc->name), TG_ARG(s),
                            tg_group_list(servers, nservers, list,
                                          sizeof(list)));
        }
    }

    for (unsigned i = 0; i < gc->ndcgm; i++) {
        if (tg_group_finish_dcgm(gc, gc->dcgm[i], servers, nservers, err)
            != TG_OK)
        {
            return TG_ERROR;
        }
    }

    gc->nservers = tg_group_count(servers, nservers);
    gc->rest_used = tg_group_rest_used(gc, servers, nservers);

    return TG_OK;
}


const tg_backend_conf_t *
tg_group_conf_backend(const tg_group_conf_t *gc, tg_str_t server)
{
    for (unsigned i = 0; i < gc->nbackends; i++) {
        if (tg_group_same_server(gc->backends[i]->server, server)) {
            return gc->backends[i];
        }
    }

    return &gc->rest;
}


int
tg_upstream_state(const tg_str_t *args, unsigned nargs, tg_mem_t *mem,
    tg_str_t (*full_name)(void *data, tg_str_t name), void *data,
    tg_str_t *file, tg_error_t *err)
{
    tg_str_t          name;
    tg_group_draft_t  d = { NULL, mem, full_name, data, err, 0 };

    if (nargs != 1) {
        return tg_error(err, 0, 0, "takes: %s",
                        tg_upstream_directives[TG_UPSTREAM_STATE].syntax);
    }

    if (file->len != 0) {
        return tg_error(err, 0, 0, "is given twice");
    }

    name = full_name == NULL ? args[0] : full_name(data, args[0]);

    if (args[0].len == 0 || name.len == 0) {
        return tg_error(err, 0, 0, "has a bad file name \"%.*s\"",
                        TG_ARG(args[0]));
    }

    return tg_group_text(&d, "file", name, file);
}


bool
tg_group_conf_dcgm_of(const tg_dcgm_conf_t *dc, tg_str_t server)
{
    return dc->server.len != 0 ? tg_group_same_server(dc->server, server)
           : tg_group_same_host(dc->url, server);
}
