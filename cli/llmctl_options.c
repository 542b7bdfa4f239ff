#include "llmctl_options.h"
#include "llmctl.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>


int
options_read(int argc, char **argv, const option_t *options)
{
    int            opt, which = 0;
    struct option  table[OPTIONS_MAX + 1];

    memset(table, 0, sizeof(table));

    for (unsigned i = 0; i < OPTIONS_MAX && options[i].name != NULL; i++) {
        table[i].name = options[i].name;
        table[i].has_arg = options[i].text != NULL ? required_argument
                                                   : no_argument;
    }

    while ((opt = getopt_long(argc, argv, "", table, &which)) != -1) {
        if (opt == '?') {
            return -1;
        }

        if (options[which].text != NULL) {
            *options[which].text = optarg;
        } else {
            *options[which].flag = true;
        }
    }

    return optind;
}


int
options_done(const char *command, int rc)
{
    return fflush(stdout) == EOF || ferror(stdout)
           ? fail(command, "can't be written") : rc;
}
