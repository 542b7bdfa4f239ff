/*
 * llmctl.h - what the commands share.
 */

#ifndef LLMCTL_H
#define LLMCTL_H

#include <stdbool.h>
#include <stddef.h>

/* Says it on stderr; returns 1, the exit code. */
int fail(const char *what, const char *why);

/* The same; returns false. */
bool failed(const char *what, const char *why);

/*
 * The whole of a file ("-": of stdin) with a NUL behind it, malloc()ed; NULL
 * with a message said.
 */
char *read_file(const char *name, size_t max, size_t *size);

/* Each in a file of its own; argv[0] is what follows the command's name, of
 * those without verbs its name. */
int key_command(int argc, char **argv);
int budget_command(int argc, char **argv);
int ledger_command(int argc, char **argv);
int node_command(int argc, char **argv);
int backend_command(int argc, char **argv);
int report_command(int argc, char **argv);
int why_command(int argc, char **argv);
int explain_command(int argc, char **argv);
int simulate_command(int argc, char **argv);
int trace_command(int argc, char **argv);

#endif /* LLMCTL_H */
