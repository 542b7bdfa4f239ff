#include "tg_html.h"
#include "tg_window_int.h"

#define TG_HTML_PIECE  1024

#define TG_HTML_LOST   "\xef\xbf\xbd"   /* U+FFFD */

static const struct {
    char         c;
    const char  *entity;
} tg_html_entities[] = {
    { '<', "&lt;" }, { '>', "&gt;" }, { '&', "&amp;" }, { '"', "&quot;" },
    { '\'', "&#39;" }
};


void
tg_html_raw(tg_page_t *pg, const char *z)
{
    size_t  n = strlen(z), part;

    for ( ; n != 0; z += part, n -= part) {
        part = n < TG_HTML_PIECE ? n : TG_HTML_PIECE;
        tg_page_room(pg, part);
        tg_put(&pg->text, z, part);
    }
}


/* The bytes of a character of UTF-8, its value in *c; 0: it is none. */
static size_t
tg_html_char(const unsigned char *p, size_t n, uint32_t *c)
{
    size_t                 len;
    static const uint32_t  least[] = { 0, 0, 0x80, 0x800, 0x10000 };

    if (p[0] < 0x80) {
        *c = p[0];
        return 1;
    }

    len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;

    if (p[0] < 0xc2 || p[0] > 0xf4 || len > n) {
        return 0;
    }

    *c = p[0] & (0x7fu >> len);

    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }

        *c = *c << 6 | (p[i] & 0x3f);
    }

    return *c < least[len] || *c > 0x10ffff || (*c >= 0xd800 && *c < 0xe000)
           ? 0 : len;
}


/* Not to be shown: controls, line ends, what turns or overrides directions. */
static bool
tg_html_is_odd(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c
           || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e)
           || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}


static const char *
tg_html_entity(uint32_t c)
{
    for (size_t i = 0;
         i < sizeof(tg_html_entities) / sizeof(tg_html_entities[0]); i++)
    {
        if (c == (unsigned char) tg_html_entities[i].c) {
            return tg_html_entities[i].entity;
        }
    }

    return NULL;
}


void
tg_html_text(tg_page_t *pg, tg_str_t s)
{
    size_t       len;
    uint32_t     c;
    const char  *entity;

    for (size_t i = 0; i < s.len; i += len) {
        len = tg_html_char((const unsigned char *) s.p + i, s.len - i, &c);
        entity = len == 0 || tg_html_is_odd(c) ? TG_HTML_LOST
                 : tg_html_entity(c);

        tg_page_room(pg, 8);

        if (entity != NULL) {
            tg_put_str(&pg->text, tg_strz(entity));
        } else {
            tg_put(&pg->text, s.p + i, len);
        }

        len = len != 0 ? len : 1;
    }
}


void
tg_html_name(tg_page_t *pg, tg_str_t s, const char *none)
{
    if (s.len == 0) {
        tg_html_raw(pg, "<i>");
        tg_html_raw(pg, none);
        tg_html_raw(pg, "</i>");
        return;
    }

    tg_html_raw(pg, "<bdi>");
    tg_html_text(pg, s);
    tg_html_raw(pg, "</bdi>");
}


/* With a comma between each three digits. */
static void
tg_html_digits(tg_text_t *t, uint64_t n)
{
    char    digits[TG_TEXT_INT_MAX + 1];
    size_t  len;

    len = (size_t) (tg_text_int(digits, (int64_t) n) - digits);

    for (size_t i = 0; i < len; i++) {
        if (i != 0 && (len - i) % 3 == 0) {
            tg_put_lit(t, ",");
        }

        tg_put(t, &digits[i], 1);
    }
}


void
tg_html_count(tg_page_t *pg, int64_t n)
{
    tg_page_room(pg, 64);

    if (n < 0) {
        tg_put_lit(&pg->text, "\xe2\x88\x92");
    }

    tg_html_digits(&pg->text, n < 0 ? -(uint64_t) n : (uint64_t) n);
}


/* shown: of the nine decimals; what is behind the second is small. */
static void
tg_html_dollars(tg_page_t *pg, int64_t nusd, uint64_t v, unsigned shown)
{
    char        decimals[10];
    tg_text_t  *t = &pg->text;

    tg_page_room(pg, 256);
    tg_put_str(t, shown == 9 ? tg_str("<data value=\"")
                             : tg_str("<data class=\"about\" value=\""));
    tg_put_decimal(t, nusd, 9);
    tg_put_lit(t, "\">");

    if (nusd < 0) {
        tg_put_lit(t, "\xe2\x88\x92");
    }

    tg_put_lit(t, "$");
    tg_html_digits(t, v / 1000000000);

    v %= 1000000000;

    for (unsigned i = 9; i-- > 0; v /= 10) {
        decimals[i] = (char) ('0' + v % 10);
    }

    while (shown > 2 && decimals[shown - 1] == '0') {
        shown--;
    }

    tg_put_lit(t, ".");
    tg_put(t, decimals, 2);
    tg_put_lit(t, "<small>");
    tg_put(t, decimals + 2, shown - 2);
    tg_put_lit(t, "</small></data>");
}


void
tg_html_usd(tg_page_t *pg, int64_t nusd)
{
    tg_html_dollars(pg, nusd, nusd < 0 ? -(uint64_t) nusd : (uint64_t) nusd,
                    9);
}


void
tg_html_usd_about(tg_page_t *pg, int64_t nusd)
{
    uint64_t  v = nusd < 0 ? -(uint64_t) nusd : (uint64_t) nusd, unit = 1;
    unsigned  shown = v >= 1000000000 ? 2 : v >= 10000000 ? 4 : 6;

    for (unsigned i = shown; i < 9; i++) {
        unit *= 10;
    }

    tg_html_dollars(pg, nusd, (v + unit / 2) / unit * unit, shown);
}


void
tg_html_time(tg_page_t *pg, const tg_zone_t *zone, int64_t ms)
{
    static const char  months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    int64_t     t = tg_floor_div(ms, 1000), until, day, year, of_day;
    unsigned    month;
    tg_text_t  *text = &pg->text;

    tg_page_room(pg, 128);
    tg_put_lit(text, "<time datetime=\"");
    tg_put_time(text, ms);
    tg_put_lit(text, "\">");

    t += tg_zone_offset(zone, t, &until);
    day = tg_floor_div(t, TG_DAY);
    of_day = t - day * TG_DAY;
    tg_days_date(day, &year, &month);

    tg_put_int(text, day - tg_days_of(year, month, 1) + 1);
    tg_put_lit(text, " ");
    tg_put(text, months + 3 * (month - 1), 3);
    tg_put_str(text, of_day / 3600 < 10 ? tg_str(" 0") : tg_str(" "));
    tg_put_int(text, of_day / 3600);
    tg_put_str(text, of_day / 60 % 60 < 10 ? tg_str(":0") : tg_str(":"));
    tg_put_int(text, of_day / 60 % 60);
    tg_put_lit(text, "</time>");
}


void
tg_html_span(tg_page_t *pg, int64_t ms)
{
    static const struct {
        int64_t      seconds;
        const char  *name;
    } units[] = {
        { 86400, " d" }, { 3600, " h" }, { 60, " min" }, { 1, " s" }
    };

    int64_t   s = ms < 0 ? 0 : ms / 1000;
    unsigned  i = 0;

    while (i < 3 && s < units[i].seconds) {
        i++;
    }

    tg_page_room(pg, 64);
    tg_put_int(&pg->text, s / units[i].seconds);
    tg_put_str(&pg->text, tg_strz(units[i].name));
    s %= units[i].seconds;

    /* Of days the hours as well. */

    if (i < 2 && s >= units[i + 1].seconds) {
        tg_put_lit(&pg->text, " ");
        tg_put_int(&pg->text, s / units[i + 1].seconds);
        tg_put_str(&pg->text, tg_strz(units[i + 1].name));
    }
}


void
tg_html_bar(tg_page_t *pg, int64_t part, int64_t whole, const char *kind)
{
    double   share = whole <= 0 ? 0 : (double) part / (double) whole;
    int64_t  width = share <= 0 ? 0 : share >= 1 ? 1000
                     : (int64_t) (share * 1000 + 0.5);

    tg_page_room(pg, 512);
    tg_put_lit(&pg->text, "<svg class=\"bar ");
    tg_put_str(&pg->text, tg_strz(kind));
    tg_put_lit(&pg->text, "\" viewBox=\"0 0 1000 6\""
                          " preserveAspectRatio=\"none\" aria-hidden=\"true\""
                          " focusable=\"false\"><rect class=\"track\""
                          " width=\"1000\" height=\"6\"/><rect"
                          " class=\"fill\" height=\"6\" width=\"");
    tg_put_int(&pg->text, width);
    tg_put_lit(&pg->text, "\"/></svg>");
}
