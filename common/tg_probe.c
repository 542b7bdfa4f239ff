#include "tg_probe.h"
#include "tg_text.h"

enum {
    TG_PROBE_HEAD = 0,
    TG_PROBE_LENGTH,            /* left: of the body */
    TG_PROBE_CLOSE,             /* until the connection is closed */
    TG_PROBE_SIZE,              /* a chunk's size line, in buf */
    TG_PROBE_CHUNK,             /* left: of its data */
    TG_PROBE_CHUNK_END,         /* the line's end behind the data */
    TG_PROBE_TRAILER,
    TG_PROBE_DONE
};

/* Of a line with a chunk's size, extensions included. */
#define TG_PROBE_SIZE_MAX    256

/* Hex digits of a chunk's size, and digits of a length. */
#define TG_PROBE_DIGITS_MAX  15


static bool
tg_probe_plain(tg_str_t s, bool blank)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char  c = (unsigned char) s.p[i];

        if (c < 0x20 || c == 0x7f || (c == ' ' && !blank)) {
            return false;
        }
    }

    return true;
}


size_t
tg_probe_request(char *buf, size_t size, tg_str_t host, tg_str_t path,
    tg_str_t accept)
{
    tg_text_t  t;

    if (host.len == 0 || path.len == 0 || path.p[0] != '/'
        || !tg_probe_plain(host, false) || !tg_probe_plain(path, false)
        || !tg_probe_plain(accept, true))
    {
        return 0;
    }

    tg_text_init(&t, buf, size);

    tg_put_lit(&t, "GET ");
    tg_put_str(&t, path);
    tg_put_lit(&t, " HTTP/1.1\r\nHost: ");
    tg_put_str(&t, host);
    tg_put_lit(&t, "\r\nUser-Agent: tollgate\r\nAccept-Encoding: identity\r\n");

    if (accept.len != 0) {
        tg_put_lit(&t, "Accept: ");
        tg_put_str(&t, accept);
        tg_put_lit(&t, "\r\n");
    }

    tg_put_lit(&t, "\r\n");

    return t.full ? 0 : (size_t) (t.p - buf);
}


void
tg_probe_init(tg_probe_t *probe)
{
    memset(probe, 0, offsetof(tg_probe_t, buf));
}


static void
tg_probe_done(tg_probe_t *probe)
{
    probe->state = TG_PROBE_DONE;
    probe->done = true;
    probe->keep = !probe->closes && (!probe->old || probe->keeps);
}


/* The line at the beginning of *s, without its end; false: it has none. */

static bool
tg_probe_line(tg_str_t *s, tg_str_t *line)
{
    if (!tg_str_cut(s, '\n', line)) {
        return false;
    }

    if (line->len != 0 && line->p[line->len - 1] == '\r') {
        line->len--;
    }

    return true;
}


/* "HTTP/1.x 200 ..." */

static int
tg_probe_status(tg_probe_t *probe, tg_str_t line, tg_error_t *err)
{
    int64_t  status;

    if (!tg_str_starts(line, tg_str("HTTP/1.")) || line.len < 12
        || (line.p[7] != '0' && line.p[7] != '1') || line.p[8] != ' '
        || (line.len > 12 && line.p[12] != ' '))
    {
        return tg_error(err, 0, 0, "it is no HTTP/1 answer");
    }

    status = tg_str_int(tg_str_of(line.p + 9, 3));

    if (status < 100 || status > 599) {
        return tg_error(err, 0, 0, "the answer has no valid status");
    }

    probe->status = (unsigned) status;
    probe->old = line.p[7] == '0';

    return TG_OK;
}


static int
tg_probe_length(tg_probe_t *probe, tg_str_t value, tg_error_t *err)
{
    int64_t  n = value.len <= TG_PROBE_DIGITS_MAX ? tg_str_int(value) : -1;

    if (n < 0 || (probe->sized && probe->left != (uint64_t) n)) {
        return tg_error(err, 0, 0, "the answer's Content-Length is invalid");
    }

    probe->sized = true;
    probe->left = (uint64_t) n;

    return TG_OK;
}


static void
tg_probe_connection(tg_probe_t *probe, tg_str_t value)
{
    bool      more;
    tg_str_t  word;

    do {
        more = tg_str_cut(&value, ',', &word);
        word = tg_str_trim(word);

        if (tg_str_caseeq(word, tg_str("close"))) {
            probe->closes = true;

        } else if (tg_str_caseeq(word, tg_str("keep-alive"))) {
            probe->keeps = true;
        }
    } while (more);
}


static int
tg_probe_header(tg_probe_t *probe, tg_str_t line, tg_error_t *err)
{
    tg_str_t  name, value = line;

    /* a folded line begins with a blank (RFC 9112 section 5.2) */

    if (!tg_str_cut(&value, ':', &name) || name.len == 0
        || !tg_probe_plain(name, false))
    {
        return tg_error(err, 0, 0, "the answer has a header that is none");
    }

    value = tg_str_trim(value);

    if (tg_str_caseeq(name, tg_str("content-length"))) {
        return tg_probe_length(probe, value, err);
    }

    if (tg_str_caseeq(name, tg_str("transfer-encoding"))) {

        if (probe->chunked || probe->old
            || !tg_str_caseeq(value, tg_str("chunked")))
        {
            return tg_error(err, 0, 0, "the answer's transfer coding is not"
                            " known");
        }

        probe->chunked = true;

    } else if (tg_str_caseeq(name, tg_str("connection"))) {
        tg_probe_connection(probe, value);
    }

    return TG_OK;
}


/* The head is complete: how the body ends. */

static int
tg_probe_framed(tg_probe_t *probe, tg_error_t *err)
{
    if (probe->chunked && probe->sized) {
        return tg_error(err, 0, 0, "the answer has two lengths");
    }

    if (probe->status < 200) {

        if (probe->status == 101) {
            return tg_error(err, 0, 0, "the answer changes the protocol");
        }

        /* an answer for the time being: the real one follows */
        probe->chunked = probe->sized = probe->closes = probe->keeps = false;
        probe->left = 0;
        probe->status = 0;
        return TG_OK;
    }

    probe->head = true;

    if (probe->status == 204 || probe->status == 304
        || (probe->sized && probe->left == 0))
    {
        tg_probe_done(probe);

    } else if (probe->chunked) {
        probe->state = TG_PROBE_SIZE;

    } else if (probe->sized) {
        probe->state = TG_PROBE_LENGTH;

    } else {
        probe->closes = true;
        probe->state = TG_PROBE_CLOSE;
    }

    return TG_OK;
}


static int
tg_probe_head(tg_probe_t *probe, tg_error_t *err)
{
    tg_str_t  head = tg_str_of(probe->buf, probe->held), line;

    probe->held = 0;

    if (!tg_probe_line(&head, &line)
        || tg_probe_status(probe, line, err) != TG_OK)
    {
        return TG_ERROR;
    }

    while (tg_probe_line(&head, &line) && line.len != 0) {
        if (tg_probe_header(probe, line, err) != TG_OK) {
            return TG_ERROR;
        }
    }

    return tg_probe_framed(probe, err);
}


/* Takes a line, newline included, into buf; *p goes behind it.  TG_AGAIN: it
 * has no end yet. */

static int
tg_probe_take(tg_probe_t *probe, const char **p, const char *last, size_t max,
    tg_error_t *err)
{
    size_t       n = (size_t) (last - *p);
    const char  *eol = memchr(*p, '\n', n);

    if (eol != NULL) {
        n = (size_t) (eol - *p) + 1;
    }

    if (n > max - probe->held) {
        return tg_error(err, 0, 0, "the answer has too long a %s",
                        probe->state == TG_PROBE_HEAD ? "head" : "chunk head");
    }

    memcpy(probe->buf + probe->held, *p, n);
    probe->held += n;
    *p += n;

    return eol != NULL ? TG_OK : TG_AGAIN;
}


/* True: what is held ends in an empty line, or is one. */

static bool
tg_probe_empty(const tg_probe_t *probe)
{
    const char  *p = probe->buf + probe->held;

    if (probe->held >= 2 && p[-2] == '\r') {
        p--;
    }

    return p - probe->buf == 1 || p[-2] == '\n';
}


static int
tg_probe_size(tg_probe_t *probe, tg_error_t *err)
{
    size_t    i;
    uint64_t  n = 0;

    for (i = 0; i < probe->held; i++) {
        char  c = probe->buf[i];

        if (c >= '0' && c <= '9') {
            n = n << 4 | (uint64_t) (c - '0');

        } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
            n = n << 4 | (uint64_t) ((c | 0x20) - 'a' + 10);

        } else {
            break;
        }
    }

    if (i == 0 || i > TG_PROBE_DIGITS_MAX
        || memchr("; \t\r\n", probe->buf[i], 5) == NULL)
    {
        return tg_error(err, 0, 0, "the answer has a chunk of no size");
    }

    probe->held = 0;
    probe->left = n;
    probe->state = n != 0 ? TG_PROBE_CHUNK : TG_PROBE_TRAILER;

    return TG_OK;
}


/* A step that takes lines. */

static int
tg_probe_lines(tg_probe_t *probe, const char **p, const char *last,
    tg_error_t *err)
{
    int     rc;
    size_t  max = probe->state == TG_PROBE_SIZE ? TG_PROBE_SIZE_MAX
                                                : TG_PROBE_HEAD_MAX;

    rc = tg_probe_take(probe, p, last, max, err);

    if (rc != TG_OK) {
        return rc == TG_AGAIN ? TG_OK : rc;
    }

    switch (probe->state) {

    case TG_PROBE_HEAD:
        return tg_probe_empty(probe) ? tg_probe_head(probe, err) : TG_OK;

    case TG_PROBE_SIZE:
        return tg_probe_size(probe, err);

    case TG_PROBE_CHUNK_END:
        if (!tg_probe_empty(probe)) {
            return tg_error(err, 0, 0, "the answer has a chunk that does not"
                            " end");
        }

        probe->held = 0;
        probe->state = TG_PROBE_SIZE;
        return TG_OK;

    default: /* TG_PROBE_TRAILER */
        if (tg_probe_empty(probe)) {
            tg_probe_done(probe);
        }

        return TG_OK;
    }
}


static int
tg_probe_body(tg_probe_t *probe, const char **p, const char *last, tg_out_t out,
    void *data, tg_error_t *err)
{
    size_t  n = (size_t) (last - *p);

    if (probe->state != TG_PROBE_CLOSE) {
        n = n < probe->left ? n : (size_t) probe->left;
        probe->left -= n;
    }

    if (out(data, *p, n) != 0) {
        return tg_error(err, 0, 0, "the answer is too long");
    }

    *p += n;

    if (probe->left == 0 && probe->state == TG_PROBE_LENGTH) {
        tg_probe_done(probe);

    } else if (probe->left == 0 && probe->state == TG_PROBE_CHUNK) {
        probe->state = TG_PROBE_CHUNK_END;
    }

    return TG_OK;
}


int
tg_probe_feed(tg_probe_t *probe, const char *p, size_t n, tg_out_t out,
    void *data, tg_error_t *err)
{
    int          rc;
    const char  *last = p + n;

    while (p < last) {

        switch (probe->state) {

        case TG_PROBE_LENGTH:
        case TG_PROBE_CLOSE:
        case TG_PROBE_CHUNK:
            rc = tg_probe_body(probe, &p, last, out, data, err);
            break;

        case TG_PROBE_DONE:
            probe->keep = false;
            return TG_OK;

        default:
            rc = tg_probe_lines(probe, &p, last, err);
        }

        if (rc != TG_OK) {
            probe->done = probe->keep = false;
            return TG_ERROR;
        }
    }

    return TG_OK;
}


int
tg_probe_closed(tg_probe_t *probe, tg_error_t *err)
{
    if (probe->state == TG_PROBE_CLOSE) {
        tg_probe_done(probe);
    }

    probe->keep = false;

    if (probe->done) {
        return TG_OK;
    }

    return probe->head || probe->held != 0
           ? tg_error(err, 0, 0, "the connection was closed before the end of"
                      " the answer")
           : tg_error(err, 0, 0, "the connection was closed without an answer");
}
