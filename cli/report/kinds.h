/*
 * kinds.h - what llmctl calls: the kinds of llmctl report, and the commands of
 * their own that are made of the same.
 */

#ifndef KINDS_H
#define KINDS_H

/* A kind: argv[0] is its name. Returns the exit code. */
typedef int (*report_kind_t)(int argc, char **argv);

/* spend/ */
int report_spend(int argc, char **argv);
int report_sessions(int argc, char **argv);
int report_outcomes(int argc, char **argv);
int report_customers(int argc, char **argv);
int report_batch(int argc, char **argv);
int report_gpu(int argc, char **argv);
int report_prompts(int argc, char **argv);
int report_dry_run(int argc, char **argv);

/* focus/ */
int report_focus(int argc, char **argv);
int report_commitments(int argc, char **argv);

/* anomalies/, forecast/ */
int report_anomalies(int argc, char **argv);
int report_forecast(int argc, char **argv);
int report_changes(int argc, char **argv);

/* invoice/, close/ */
int reconcile_command(int argc, char **argv);
int close_command(int argc, char **argv);

#endif /* KINDS_H */
