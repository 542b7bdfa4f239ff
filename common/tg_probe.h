/*
 * tg_probe.h - one GET of a check: its request as bytes, and its answer read as
 * it arrives (RFC 9112).  For a server's event loop; where a library does HTTP,
 * only the bodies are ours.
 *
 * Connections are kept where the answer allows.  1xx are passed over.  A head
 * longer than TG_PROBE_HEAD_MAX, both lengths at once, a bad chunk and the like
 * are errors.  A body has no limit here: out() sets it.
 */

#ifndef TG_PROBE_H
#define TG_PROBE_H

#include "tg_error.h"
#include "tg_out.h"

#define TG_PROBE_HEAD_MAX     8192
#define TG_PROBE_REQUEST_MAX  1024

/* Writes the request; 0 where it is longer than size, or where a string has
 * what can't stand there.  host: for the Host header.  accept may be empty. */
size_t tg_probe_request(char *buf, size_t size, tg_str_t host, tg_str_t path,
    tg_str_t accept);

typedef struct {
    unsigned   status;          /* once the head is complete */
    bool       head;            /* it is */
    bool       done;            /* the answer is */
    bool       keep;            /* then: the connection can be used again */
    /* tg_probe.c's */
    unsigned   state;
    bool       old;             /* HTTP/1.0 */
    bool       chunked;
    bool       sized;
    bool       closes;
    bool       keeps;           /* says so */
    uint64_t   left;            /* of the body, or of a chunk */
    size_t     held;
    char       buf[TG_PROBE_HEAD_MAX];
} tg_probe_t;

void tg_probe_init(tg_probe_t *probe);

/* The answer's body goes to out(), decoded of its transfer coding.  TG_OK: more
 * is to come unless probe->done; TG_ERROR: no valid answer, or out() said so.
 * Bytes behind the answer are dropped, and the connection is not to be kept. */
int tg_probe_feed(tg_probe_t *probe, const char *p, size_t n, tg_out_t out,
    void *data, tg_error_t *err);

/* The connection was closed. TG_OK: that was the end of the body. */
int tg_probe_closed(tg_probe_t *probe, tg_error_t *err);

#endif /* TG_PROBE_H */
