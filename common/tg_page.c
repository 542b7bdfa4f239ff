#include "tg_page.h"
#include "tg_error.h"


void
tg_page_init(tg_page_t *pg, tg_out_t out, void *data)
{
    pg->out = out;
    pg->data = data;
    pg->failed = false;
    pg->openmetrics = false;
    tg_text_init(&pg->text, pg->buf, TG_PAGE_SIZE);
}


static void
tg_page_flush(tg_page_t *pg)
{
    size_t  n = (size_t) (pg->text.p - pg->buf);

    if (n > 0 && !pg->failed) {
        pg->failed = pg->out(pg->data, pg->buf, n) != 0;
    }

    tg_text_init(&pg->text, pg->buf, TG_PAGE_SIZE);
}


void
tg_page_room(tg_page_t *pg, size_t n)
{
    if ((size_t) (pg->text.end - pg->text.p) < n) {
        tg_page_flush(pg);
    }
}


int
tg_page_end(tg_page_t *pg)
{
    tg_page_flush(pg);

    return pg->failed ? TG_ERROR : TG_OK;
}


void
tg_page_family(tg_page_t *pg, const char *prefix, const char *name,
    const char *type, const char *help)
{
    tg_str_t    family = tg_strz(name), end = tg_str("_total");
    tg_text_t  *t = &pg->text;

    /* There a counter's family has the name without what its samples end in. */

    if (pg->openmetrics && tg_str_ends(family, end)) {
        family.len -= end.len;
    }

    tg_page_room(pg, TG_PAGE_FAMILY);
    tg_put_lit(t, "# HELP ");
    tg_put_str(t, tg_strz(prefix));
    tg_put_str(t, family);
    tg_put_lit(t, " ");
    tg_put_str(t, tg_strz(help));
    tg_put_lit(t, "\n# TYPE ");
    tg_put_str(t, tg_strz(prefix));
    tg_put_str(t, family);
    tg_put_lit(t, " ");
    tg_put_str(t, tg_strz(type));
    tg_put_lit(t, "\n");
}
