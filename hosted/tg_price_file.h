/*
 * tg_price_file.h - the files of llm_prices.
 */

#ifndef TG_PRICE_FILE_H
#define TG_PRICE_FILE_H

#include "tg_conf.h"
#include "tg_file.h"
#include "tg_price.h"

/* Adds one file to a book, as tg_price_book_add(). */
int tg_price_file_add(tg_price_book_t *book, tg_str_t name, tg_error_t *err);

/* A book of all the configuration's files; NULL and *err. */
tg_price_book_t *tg_price_file_read(const tg_conf_t *conf, tg_error_t *err);

/* True where one is another than *states say, which are brought up to date:
 * TG_FILES_MAX of them, zeroed at first. */
bool tg_price_file_changed(const tg_conf_t *conf, tg_file_state_t *states);

#endif /* TG_PRICE_FILE_H */
