#include "llmctl.h"
#include "report/kinds.h"
#include "report/kind/report.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    const char     *name;
    const char     *args;
    const char     *help;
    report_kind_t   run;
} kind_t;

static const kind_t  kinds[] = {
    { "spend", "[--by=DIMENSION,...] [OPTION...] FILE...",
      "what was spent, by any dimensions and period", report_spend },
    { "focus", "[--period=day|hour] [--account=ID] [--invoice=ID]"
      " [--commitments=FILE]\n      [OPTION...] FILE...",
      "cost and usage as FOCUS 1.2 has them, CSV", report_focus },
    { "commitments", "[--commitments=FILE] [OPTION...] FILE...",
      "committed against on demand, and what could be committed to",
      report_commitments },
    { "batch", "[--discount=50%] [--by=DIMENSION,...] [OPTION...] FILE...",
      "which calls could go in batches, and what that would save",
      report_batch },
    { "gpu", "[--gpu-cost=USD] [--instead=PROVIDER/MODEL] [--prices=FILE]"
      " [OPTION...]\n      FILE...",
      "own GPUs against the cloud: where both cost the same", report_gpu },
    { "prompts", "[--by=DIMENSION,...] [OPTION...] FILE...",
      "system prompts, cache hits, output and its limits", report_prompts },
    { "anomalies", "[--min-usd=DOLLARS] [--share=PERCENT] [--exit-code]"
      " [OPTION...] FILE...",
      "what is not as it was, since when, and what it costs a day",
      report_anomalies },
    { "forecast", "[--to=month|year] [--by=DIMENSION,...] [OPTION...] FILE...",
      "what this month and this year will cost, and how far that may be off",
      report_forecast },
    { "changes", "[--by=DIMENSION,...] [--before=TIME] [OPTION...] FILE...",
      "why a period cost more than the one before: calls, models, tokens,"
      " prices",
      report_changes },
    { "sessions", "[--by=DIMENSION,...] [OPTION...] FILE...",
      "what sessions cost: the dearest, or on average by dimensions",
      report_sessions },
    { "outcomes", "[--by=DIMENSION,...] [OPTION...] FILE...",
      "what a result costs, by its name: llm_outcome's lines joined by session",
      report_outcomes },
    { "customers", "--revenue=FILE.csv [--by=DIMENSION] [--periods] FILE...",
      "what customers cost and pay, who costs more than they pay",
      report_customers },
    { "dry-run", "[--json] FILE...",
      "who would have been refused, by cost lines of a dry run",
      report_dry_run }
};


static int
usage(FILE *to)
{
    fprintf(to, "usage:\n");

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        fprintf(to, "  llmctl report %s %s\n      %s\n", kinds[i].name,
                kinds[i].args, kinds[i].help);
    }

    fprintf(to, "FILE is a cost log, also one of gzip; - is stdin\n"
            "options of all but dry-run: --since=TIME --until=TIME --zone=NAME"
            " --where=DIMENSION=VALUE\n"
            "  --top=N --format=table|csv|json --output=FILE --memory=MB"
            " --quiet; docs/llmctl.md says more\n");

    return to == stderr ? 2 : 0;
}


/* llmctl report spend --format=focus is llmctl report focus. */
static bool
wants_focus(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--format=focus") == 0
            || (strcmp(argv[i], "--format") == 0 && i + 1 < argc
                && strcmp(argv[i + 1], "focus") == 0))
        {
            return strcmp(argv[0], "spend") == 0;
        }
    }

    return false;
}


int
report_command(int argc, char **argv)
{
    if (argc < 1) {
        return usage(stderr);
    }

    if (wants_focus(argc, argv)) {
        return report_focus(argc, argv);
    }

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].name, argv[0]) == 0) {
            return kinds[i].run(argc, argv);
        }
    }

    return usage(strcmp(argv[0], "help") == 0
                 || strcmp(argv[0], "--help") == 0 ? stdout : stderr);
}
