#include "tg_alert_record.h"
#include "tg_crc32.h"
#include "tg_text.h"

#define TG_ALERT_CRC_HEAD  "{\"crc\":\""
#define TG_ALERT_CRC_LEN   8
#define TG_ALERT_CRC_ALL                                                      \
    (sizeof(TG_ALERT_CRC_HEAD) - 1 + TG_ALERT_CRC_LEN + 2)

static const char *const  tg_alert_hows[] = {
    [TG_ALERT_HOW_SENT] = "sent",
    [TG_ALERT_HOW_REFUSED] = "refused",
    [TG_ALERT_HOW_EXPIRED] = "expired"
};


static void
tg_alert_crc(tg_str_t s, char *out)
{
    static const char  hex[] = "0123456789abcdef";

    uint32_t  crc = tg_crc32(0, s.p, s.len);

    for (unsigned i = 0; i < TG_ALERT_CRC_LEN; i++) {
        out[i] = hex[crc >> (28 - 4 * i) & 15];
    }
}


size_t
tg_alert_record_write(const tg_alert_record_t *rec, char *buf)
{
    tg_text_t  t;

    tg_text_init(&t, buf, TG_ALERT_RECORD_MAX);
    tg_put_lit(&t, TG_ALERT_CRC_HEAD "00000000\",");
    tg_put_str(&t, rec->how ? tg_str("\"done\":\"") : tg_str("\"id\":\""));
    tg_put(&t, rec->id, sizeof(rec->id));

    if (!rec->how) {
        tg_put_lit(&t, "\",\"at\":");
        tg_put_int(&t, rec->at);
        tg_put_lit(&t, ",\"to\":[");

    } else {
        tg_put_lit(&t, "\",\"to\":[");
    }

    for (unsigned i = 0; i < rec->n; i++) {
        tg_put_str(&t, i == 0 ? tg_str("\"") : tg_str(",\""));
        tg_put(&t, rec->to[i], sizeof(rec->to[i]));
        tg_put_lit(&t, "\"");
    }

    if (rec->how) {
        tg_put_lit(&t, "],\"how\":\"");
        tg_put_str(&t, tg_strz(tg_alert_hows[rec->how]));
        tg_put_lit(&t, "\"}\n");

    } else {
        tg_put_lit(&t, "],\"body\":");
        tg_put_str(&t, rec->body);
        tg_put_lit(&t, "}\n");
    }

    if (t.full) {
        return 0;
    }

    tg_alert_crc(tg_str_of(buf + TG_ALERT_CRC_ALL,
                           (size_t) (t.p - buf) - TG_ALERT_CRC_ALL - 1),
                 buf + sizeof(TG_ALERT_CRC_HEAD) - 1);

    return (size_t) (t.p - buf);
}


/* True, and *s goes on behind it, where s begins so. */
static bool
tg_alert_skip(tg_str_t *s, tg_str_t head)
{
    if (!tg_str_starts(*s, head)) {
        return false;
    }

    s->p += head.len;
    s->len -= head.len;

    return true;
}


static bool
tg_alert_take(tg_str_t *s, char *to, size_t n)
{
    if (s->len < n) {
        return false;
    }

    memcpy(to, s->p, n);
    s->p += n;
    s->len -= n;

    return true;
}


static bool
tg_alert_read_targets(tg_alert_record_t *rec, tg_str_t *s)
{
    rec->n = 0;

    do {
        if (rec->n == TG_ALERTS_MAX || !tg_alert_skip(s, tg_str("\""))
            || !tg_alert_take(s, rec->to[rec->n], TG_ALERT_TARGET_LEN)
            || !tg_alert_skip(s, tg_str("\"")))
        {
            return false;
        }

        rec->n++;

    } while (tg_alert_skip(s, tg_str(",")));

    return tg_alert_skip(s, tg_str("],"));
}


static int
tg_alert_read_done(tg_alert_record_t *rec, tg_str_t s)
{
    if (!tg_alert_take(&s, rec->id, sizeof(rec->id))
        || !tg_alert_skip(&s, tg_str("\",\"to\":["))
        || !tg_alert_read_targets(rec, &s)
        || !tg_alert_skip(&s, tg_str("\"how\":\"")))
    {
        return TG_ERROR;
    }

    for (int how = TG_ALERT_HOW_SENT; how <= TG_ALERT_HOW_EXPIRED; how++) {
        if (tg_alert_skip(&s, tg_strz(tg_alert_hows[how]))) {
            rec->how = (tg_alert_how_t) how;
            return tg_str_eq(s, tg_str("\"}")) ? TG_OK : TG_ERROR;
        }
    }

    return TG_ERROR;
}


static int
tg_alert_read_alert(tg_alert_record_t *rec, tg_str_t s)
{
    size_t  n = 0;

    if (!tg_alert_take(&s, rec->id, sizeof(rec->id))
        || !tg_alert_skip(&s, tg_str("\",\"at\":")))
    {
        return TG_ERROR;
    }

    while (n < s.len && s.p[n] != ',') {
        n++;
    }

    rec->at = tg_str_int(tg_str_of(s.p, n));
    s.p += n;
    s.len -= n;

    if (rec->at < 0 || !tg_alert_skip(&s, tg_str(",\"to\":["))
        || !tg_alert_read_targets(rec, &s)
        || !tg_alert_skip(&s, tg_str("\"body\":"))
        || s.len < 3 || s.p[0] != '{')
    {
        return TG_ERROR;
    }

    rec->body = tg_str_of(s.p, s.len - 1);

    return TG_OK;
}


int
tg_alert_record_read(tg_alert_record_t *rec, tg_str_t line)
{
    char      crc[TG_ALERT_CRC_LEN];
    tg_str_t  s = line;

    memset(rec, 0, sizeof(*rec));

    if (line.len < TG_ALERT_CRC_ALL
        || !tg_alert_skip(&s, tg_str(TG_ALERT_CRC_HEAD)))
    {
        return TG_ERROR;
    }

    tg_alert_crc(tg_str_of(line.p + TG_ALERT_CRC_ALL,
                           line.len - TG_ALERT_CRC_ALL), crc);

    if (!tg_alert_skip(&s, tg_str_of(crc, sizeof(crc)))
        || !tg_alert_skip(&s, tg_str("\",")))
    {
        return TG_ERROR;
    }

    if (tg_alert_skip(&s, tg_str("\"done\":\""))) {
        return tg_alert_read_done(rec, s);
    }

    return tg_alert_skip(&s, tg_str("\"id\":\"")) ? tg_alert_read_alert(rec, s)
                                                  : TG_ERROR;
}
