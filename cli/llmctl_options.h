/*
 * llmctl_options.h - what stands behind a command's name.
 */

#ifndef LLMCTL_OPTIONS_H
#define LLMCTL_OPTIONS_H

#include <stdbool.h>

#define OPTIONS_MAX  16

/* "--name=TEXT" is put to *text; "--name" sets *flag.  One of the two is NULL. */
typedef struct {
    const char   *name;             /* NULL behind the last */
    const char  **text;
    bool         *flag;
} option_t;

/*
 * Options anywhere among the words, which then come last: the index of the
 * first.  -1, with a message said: one that is not known, or lacks its text.
 */
int options_read(int argc, char **argv, const option_t *options);

/* The command's exit code, once what it has printed is out. */
int options_done(const char *command, int rc);

#endif /* LLMCTL_OPTIONS_H */
