/*
 * llmctl.h - what the commands share.
 */

#ifndef LLMCTL_H
#define LLMCTL_H

#include <stddef.h>

/* Says it on stderr; returns 1, the exit code. */
int fail(const char *what, const char *why);

/*
 * The whole of a file ("-": of stdin) with a NUL behind it, malloc()ed; NULL
 * with a message said.
 */
char *read_file(const char *name, size_t max, size_t *size);

/* llmctl key ... */
int key_command(int argc, char **argv);

#endif /* LLMCTL_H */
