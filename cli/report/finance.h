/*
 * finance.h - the reports that a month's end is made of: docs/finance.md.
 */

#ifndef FINANCE_H
#define FINANCE_H

/* Kinds of llmctl report, as report.h has them. */
int report_focus(int argc, char **argv);
int report_commitments(int argc, char **argv);
int report_batch(int argc, char **argv);
int report_gpu(int argc, char **argv);
int report_prompts(int argc, char **argv);

/* Commands of their own. */
int reconcile_command(int argc, char **argv);
int close_command(int argc, char **argv);

#endif /* FINANCE_H */
