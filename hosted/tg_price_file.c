#include "tg_price_file.h"

#include <stdlib.h>

#define TG_PRICE_FILE_MAX  (64 * 1024 * 1024)


int
tg_price_file_add(tg_price_book_t *book, tg_str_t name, tg_error_t *err)
{
    int       rc;
    tg_str_t  text;

    if (tg_file_read(name.p, TG_PRICE_FILE_MAX, false, &text, err) != TG_OK) {
        return TG_ERROR;
    }

    rc = tg_price_book_add(book, name, text, err);
    free((char *) text.p);

    return rc;
}


tg_price_book_t *
tg_price_file_read(const tg_conf_t *conf, tg_error_t *err)
{
    tg_price_book_t  *book = tg_price_book_create();

    if (book == NULL) {
        (void) tg_error(err, 0, 0, "no memory");
        return NULL;
    }

    for (unsigned i = 0; i < conf->nprices; i++) {
        if (tg_price_file_add(book, conf->prices[i], err) != TG_OK) {
            tg_price_book_destroy(book);
            return NULL;
        }
    }

    return book;
}


bool
tg_price_file_changed(const tg_conf_t *conf, tg_file_state_t *states)
{
    bool  changed = false;

    for (unsigned i = 0; i < conf->nprices; i++) {
        changed |= tg_file_changed(conf->prices[i].p, &states[i]);
    }

    return changed;
}
