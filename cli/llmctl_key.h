/*
 * llmctl_key.h - what the commands about keys share.
 */

#ifndef LLMCTL_KEY_H
#define LLMCTL_KEY_H

#include "tg_keys.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define SECRET_SIZE  (sizeof("tg_") + 32)   /* with its NUL: 190 random bits */
#define ID_SIZE      (sizeof("key_") + 12)
#define TIME_SIZE    32

/* Random names; false with a message said. */
bool make_secret(char *secret);
bool make_id(char *id);

/* The "sha256" of a record. */
json_t *digest_of(const char *secret);

int64_t now_ms(void);

/* RFC 3339, or a span from now on ("90d", "24h"): RFC 3339 to out.  False
 * where it is neither. */
bool parse_time(const char *s, char *out);

/* "24h" in milliseconds; -1 where it is no span. */
int64_t parse_span(const char *s);

/*
 * Adds what is given in the text of a CSV or JSON lines file to `list`.
 * Returns how many keys; -1 with a message said.
 */
long import_keys(json_t *list, const char *name, bool csv);

/* llmctl_key.c: getopt has said what is wrong, or the arguments are too few or
 * too many; the command's exit code. */
int key_misused(void);

/* Shows a new secret; the command's exit code. */
int key_print_secret(const char *id, const char *secret, bool json);

/* llmctl_key_new.c: llmctl key new; when the record ends, false with a message
 * said. */
int key_new(int argc, char **argv);
bool key_set_expires(json_t *key, const char *s);

/* llmctl_key_list.c: llmctl key list. */
int key_list(int argc, char **argv);

#endif /* LLMCTL_KEY_H */
