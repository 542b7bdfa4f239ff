/*
 * llmctl_audit.h - who changed what in a ledger, and why: a JSON object a line,
 * in the file <ledger>.audit.
 */

#ifndef LLMCTL_AUDIT_H
#define LLMCTL_AUDIT_H

#include "llmctl_server.h"

#include <jansson.h>

/*
 * Appends `what` with the time and who does it, and takes it over.  It is on
 * the disk when this returns true; false with a message said.
 */
bool audit(const server_t *s, int64_t now, json_t *what);

#endif /* LLMCTL_AUDIT_H */
