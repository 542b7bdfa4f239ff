#include "tg_multipart.h"

enum {
    TG_MP_PREAMBLE = 0,     /* before the first boundary */
    TG_MP_BODY,
    TG_MP_DELIM,            /* behind a boundary */
    TG_MP_DELIM_DASH,       /* behind a boundary and one '-' */
    TG_MP_DELIM_BLANK,      /* in blanks behind a boundary */
    TG_MP_DELIM_LF,
    TG_MP_HEADER,           /* at the start of a line */
    TG_MP_HEADER_NAME,
    TG_MP_HEADER_SKIP,
    TG_MP_HEADER_LF,
    TG_MP_HEADERS_LF,       /* the LF of the blank line behind the headers */
    TG_MP_ENCODING,         /* value of Content-Transfer-Encoding */
    TG_MP_DISPOSITION,      /* value of Content-Disposition, up to its ; */
    TG_MP_PARAM,            /* name of a parameter */
    TG_MP_PARAM_VALUE,      /* behind its = */
    TG_MP_TOKEN,
    TG_MP_QUOTED,
    TG_MP_QUOTED_END,
    TG_MP_CLOSED
};

enum {
    TG_MP_P_OTHER = 0,
    TG_MP_P_NAME
};


static int
tg_mp_error(tg_multipart_t *m, const char *error)
{
    m->error = error;

    return TG_ERROR;
}


static bool
tg_mp_blank(char c)
{
    return c == ' ' || c == '\t';
}


static void
tg_mp_word_add(tg_multipart_t *m, char c)
{
    if (m->word_len < sizeof(m->word)) {
        m->word[m->word_len++] = tg_lower(c);
    }
}


/* False for a word that was cut, as that fills word[]. */

static bool
tg_mp_word_is(const tg_multipart_t *m, tg_str_t s)
{
    return tg_str_eq(tg_str_of(m->word, m->word_len), s);
}


static bool
tg_mp_word_starts(const tg_multipart_t *m, tg_str_t s)
{
    return tg_str_starts(tg_str_of(m->word, m->word_len), s);
}


static void
tg_mp_part_begin(tg_multipart_t *m)
{
    m->size = 0;
    m->name_len = 0;
    m->value_len = 0;
    m->has_disposition = false;
    m->has_name = false;
    m->has_filename = false;
}


static void
tg_mp_part_end(tg_multipart_t *m)
{
    tg_multipart_part_t  part;

    part.name = tg_str_of(m->name, m->name_len);
    part.value = tg_str_of(m->value, m->value_len);
    part.size = m->size;
    part.file = m->has_filename;

    if (m->handler(m->data, &part) != 0) {
        (void) tg_mp_error(m, "reading of the form was stopped");
    }
}


static void
tg_mp_body_add(tg_multipart_t *m, const char *p, size_t n)
{
    if (n == 0 || m->state == TG_MP_PREAMBLE) {
        return;
    }

    m->size += n;

    if (m->has_filename) {
        return;
    }

    if (n > (size_t) (TG_MULTIPART_VALUE_MAX - m->value_len)) {
        n = (size_t) (TG_MULTIPART_VALUE_MAX - m->value_len);
    }

    memcpy(m->value + m->value_len, p, n);
    m->value_len = (uint16_t) (m->value_len + n);
}


/* The delimiter is complete. */

static void
tg_mp_body_end(tg_multipart_t *m)
{
    if (m->state == TG_MP_BODY && m->fresh) {
        (void) tg_mp_error(m, "a part of the form has no body");

    } else if (m->state == TG_MP_BODY) {
        tg_mp_part_end(m);
    }

    m->matched = 0;
    m->state = TG_MP_DELIM;
}


/*
 * The delimiter begins with a CR and has no other, so that a failed match can
 * only start anew at the byte where it failed.  The first line of all, and that
 * behind the headers, have had their CRLF: matched begins at 2 there.
 */

static const char *
tg_mp_body(tg_multipart_t *m, const char *p, const char *last)
{
    size_t       skip;
    const char  *cr;

    if (m->matched == 0) {
        cr = memchr(p, '\r', (size_t) (last - p));
        if (cr == NULL) {
            cr = last;
        }

        tg_mp_body_add(m, p, (size_t) (cr - p));
        p = cr;
    }

    for ( ; p < last && m->matched < m->delim_len; p++) {

        if (*p != m->delim[m->matched]) {
            skip = m->fresh ? 2 : 0;
            tg_mp_body_add(m, m->delim + skip, m->matched - skip);
            m->matched = 0;
            m->fresh = false;
            return p;
        }

        m->matched++;
    }

    if (m->matched == m->delim_len) {
        tg_mp_body_end(m);
    }

    return p;
}


/* Behind a boundary: "--" closes, anything but CRLF else is an error. */

static int
tg_mp_delim(tg_multipart_t *m, char c)
{
    if (m->state == TG_MP_DELIM_LF) {
        if (c != '\n') {
            return tg_mp_error(m, "a boundary of the form is not followed by "
                                  "CRLF");
        }

        tg_mp_part_begin(m);
        m->state = TG_MP_HEADER;
        return TG_OK;
    }

    if (m->state == TG_MP_DELIM_DASH && c == '-') {
        m->state = TG_MP_CLOSED;
        return TG_OK;
    }

    if (m->state == TG_MP_DELIM && c == '-') {
        m->state = TG_MP_DELIM_DASH;
        return TG_OK;
    }

    if (m->state != TG_MP_DELIM_DASH) {
        if (c == '\r') {
            m->state = TG_MP_DELIM_LF;
            return TG_OK;
        }

        if (tg_mp_blank(c)) {
            m->state = TG_MP_DELIM_BLANK;
            return TG_OK;
        }
    }

    return tg_mp_error(m, "a boundary of the form has more on its line");
}


/* The name of a header is complete. */

static int
tg_mp_header(tg_multipart_t *m)
{
    static const tg_str_t  disposition = TG_STR("content-disposition");
    static const tg_str_t  encoding = TG_STR("content-transfer-encoding");

    m->state = TG_MP_HEADER_SKIP;

    if (tg_mp_word_is(m, disposition)) {
        if (m->has_disposition) {
            return tg_mp_error(m, "a part of the form has two "
                                  "Content-Disposition headers");
        }

        m->has_disposition = true;
        m->state = TG_MP_DISPOSITION;

    } else if (tg_mp_word_is(m, encoding)) {
        m->state = TG_MP_ENCODING;
    }

    m->word_len = 0;

    return TG_OK;
}


static int
tg_mp_header_name(tg_multipart_t *m, char c)
{
    if (m->state == TG_MP_HEADER) {
        if (c == '\r') {
            m->state = TG_MP_HEADERS_LF;
            return TG_OK;
        }

        m->word_len = 0;
        m->state = TG_MP_HEADER_NAME;

    } else if (c == ':') {
        return tg_mp_header(m);
    }

    if ((unsigned char) c <= ' ' || (unsigned char) c >= 0x7f || c == ':') {
        return tg_mp_error(m, "a part of the form has a malformed header");
    }

    tg_mp_word_add(m, c);

    return TG_OK;
}


static int
tg_mp_lf(tg_multipart_t *m, char c)
{
    if (c != '\n') {
        return tg_mp_error(m, "a CR without an LF in the headers of a part of "
                              "the form");
    }

    if (m->state == TG_MP_HEADER_LF) {
        m->state = TG_MP_HEADER;
        return TG_OK;
    }

    m->state = TG_MP_BODY;
    m->matched = 2;
    m->fresh = true;

    return TG_OK;
}


static int
tg_mp_encoding(tg_multipart_t *m, char c)
{
    if (c != '\r') {
        if (!tg_mp_blank(c)) {
            tg_mp_word_add(m, c);
        }
        return TG_OK;
    }

    m->state = TG_MP_HEADER_LF;

    if (tg_mp_word_is(m, tg_str("7bit")) || tg_mp_word_is(m, tg_str("8bit"))
        || tg_mp_word_is(m, tg_str("binary")))
    {
        return TG_OK;
    }

    return tg_mp_error(m, "a part of the form has a Content-Transfer-Encoding "
                          "other than 7bit, 8bit and binary");
}


/* The name of a parameter of Content-Disposition is complete. */

static int
tg_mp_param(tg_multipart_t *m)
{
    m->state = TG_MP_PARAM_VALUE;
    m->param = TG_MP_P_OTHER;
    m->escaped = false;

    if (tg_mp_word_is(m, tg_str("filename"))
        || tg_mp_word_starts(m, tg_str("filename*")))
    {
        m->has_filename = true;
        return TG_OK;
    }

    if (tg_mp_word_starts(m, tg_str("name*"))) {
        return tg_mp_error(m, "a part of the form has an encoded name");
    }

    if (tg_mp_word_is(m, tg_str("name"))) {
        if (m->has_name) {
            return tg_mp_error(m, "a part of the form has two names");
        }

        m->has_name = true;
        m->param = TG_MP_P_NAME;
    }

    return TG_OK;
}


static int
tg_mp_param_name(tg_multipart_t *m, char c)
{
    switch (c) {

    case '\r':
    case ';':
        if (m->word_len != 0) {
            break;
        }
        m->state = c == ';' ? TG_MP_PARAM : TG_MP_HEADER_LF;
        return TG_OK;

    case '=':
        if (m->word_len == 0) {
            break;
        }
        return tg_mp_param(m);

    case ' ':
    case '\t':
        if (m->word_len != 0) {
            break;
        }
        return TG_OK;

    case '"':
    case '\\':
        break;

    default:
        tg_mp_word_add(m, c);
        return TG_OK;
    }

    return tg_mp_error(m, "a part of the form has a malformed parameter");
}


static void
tg_mp_name_add(tg_multipart_t *m, char c)
{
    if (m->param == TG_MP_P_NAME && m->name_len < sizeof(m->name)) {
        m->name[m->name_len++] = c;
    }
}


static int
tg_mp_quoted(tg_multipart_t *m, char c)
{
    if (m->escaped) {
        m->escaped = false;

        if (c != '"' && c != '\\' && m->param == TG_MP_P_NAME) {
            return tg_mp_error(m, "a part of the form has a backslash in its "
                                  "name");
        }

    } else if (c == '\\') {
        m->escaped = true;
        return TG_OK;

    } else if (c == '"') {
        m->state = TG_MP_QUOTED_END;
        return TG_OK;
    }

    if (c == '\r') {
        return tg_mp_error(m, "a part of the form has an unclosed quote");
    }

    tg_mp_name_add(m, c);

    return TG_OK;
}


/* Within the value of a parameter, and behind it. */

static int
tg_mp_param_value(tg_multipart_t *m, char c)
{
    if (m->state == TG_MP_PARAM_VALUE && c == '"') {
        m->state = TG_MP_QUOTED;
        return TG_OK;
    }

    m->word_len = 0;

    if (c == ';') {
        m->state = TG_MP_PARAM;
        return TG_OK;
    }

    if (c == '\r') {
        m->state = TG_MP_HEADER_LF;
        return TG_OK;
    }

    if (tg_mp_blank(c)) {
        if (m->state == TG_MP_PARAM_VALUE) {
            return tg_mp_error(m, "a part of the form has a malformed "
                                  "parameter");
        }

        m->state = TG_MP_QUOTED_END;
        return TG_OK;
    }

    if (m->state == TG_MP_QUOTED_END || c == '"'
        || (c == '\\' && m->param == TG_MP_P_NAME))
    {
        return tg_mp_error(m, "a part of the form has a malformed parameter");
    }

    m->state = TG_MP_TOKEN;
    tg_mp_name_add(m, c);

    return TG_OK;
}


static int
tg_mp_char(tg_multipart_t *m, char c)
{
    if (m->state <= TG_MP_DELIM_LF) {
        return tg_mp_delim(m, c);
    }

    if (c == '\0' || (c == '\n' && m->state != TG_MP_HEADER_LF
                      && m->state != TG_MP_HEADERS_LF))
    {
        return tg_mp_error(m, "a NUL or a bare LF in the headers of a part of "
                              "the form");
    }

    switch (m->state) {

    case TG_MP_HEADER:
    case TG_MP_HEADER_NAME:
        return tg_mp_header_name(m, c);

    case TG_MP_HEADER_LF:
    case TG_MP_HEADERS_LF:
        return tg_mp_lf(m, c);

    case TG_MP_ENCODING:
        return tg_mp_encoding(m, c);

    case TG_MP_PARAM:
        return tg_mp_param_name(m, c);

    case TG_MP_QUOTED:
        return tg_mp_quoted(m, c);

    case TG_MP_DISPOSITION:
    case TG_MP_HEADER_SKIP:
        if (c == '\r') {
            m->state = TG_MP_HEADER_LF;

        } else if (c == ';' && m->state == TG_MP_DISPOSITION) {
            m->state = TG_MP_PARAM;
        }

        return TG_OK;

    default:
        return tg_mp_param_value(m, c);
    }
}


int
tg_multipart_init(tg_multipart_t *m, tg_str_t content_type,
    tg_multipart_handler_t handler, void *data)
{
    size_t  len;

    memset(m, 0, sizeof(tg_multipart_t));

    m->handler = handler;
    m->data = data;

    len = tg_multipart_boundary(content_type, m->delim + 4);

    if (len == 0) {
        return tg_mp_error(m, "the content type is not multipart/form-data "
                              "with a usable boundary");
    }

    memcpy(m->delim, "\r\n--", 4);
    m->delim_len = (uint8_t) (4 + len);
    m->matched = 2;
    m->fresh = true;

    return TG_OK;
}


int
tg_multipart_feed(tg_multipart_t *m, const char *p, size_t n)
{
    uint64_t     base = m->offset;
    const char  *start = p, *last;

    if (m->error != NULL) {
        return TG_ERROR;
    }

    if (n == 0) {
        return TG_OK;
    }

    last = p + n;

    while (p < last && m->state != TG_MP_CLOSED) {

        if (m->state <= TG_MP_BODY) {
            p = tg_mp_body(m, p, last);

        } else if (tg_mp_char(m, *p) == TG_OK) {
            p++;
        }

        if (m->error != NULL) {
            m->offset = base + (uint64_t) (p - start);
            return TG_ERROR;
        }
    }

    m->offset = base + n;

    return TG_OK;
}


int
tg_multipart_finish(tg_multipart_t *m)
{
    if (m->error != NULL) {
        return TG_ERROR;
    }

    if (m->state != TG_MP_CLOSED) {
        return tg_mp_error(m, "the form ends before its closing boundary");
    }

    return TG_OK;
}
