/*
 * input.h - a file's bytes; gzip's (RFC 1952, any number of members) unpacked.
 */

#ifndef INPUT_H
#define INPUT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct input_s  input_t;

/* "-": stdin.  NULL: *why says it, static. */
input_t *input_open(const char *name, const char **why);
void input_close(input_t *in);

/* Waits, in pieces of a tenth of a second, until *stop.  What was read; 0 at
 * the end, and where it stopped; -1: *why says it. */
ptrdiff_t input_read(input_t *in, char *to, size_t room,
    const atomic_bool *stop, const char **why);

/* Bytes of the file that were taken so far, packed. */
uint64_t input_taken(const input_t *in);

#endif /* INPUT_H */
