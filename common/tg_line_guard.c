/* What the cost line says of guards. */

#include "tg_line_int.h"


char *
tg_line_guard(char *p, bool under, const tg_guarded_t *g)
{
    static const tg_str_t  did[] = {
        [TG_GUARD_DID_FLAG] = TG_STR("flag"),
        [TG_GUARD_DID_CAP] = TG_STR("cap"),
        [TG_GUARD_DID_TRIM] = TG_STR("trim"),
        [TG_GUARD_DID_REDACT] = TG_STR("redact"),
        [TG_GUARD_DID_REJECT] = TG_STR("reject")
    };

    if (g->did != TG_GUARD_DID_NOTHING) {
        tg_line_str(p, under, "llm.guard.name", g->name);
        tg_line_lit(p, under, ",\"llm.guard.action\":\"");
        p = tg_line_plain(p, did[g->did]);
        *p++ = '"';
    }

    if (g->dry) {
        tg_line_lit(p, under, ",\"llm.guard.dry_run\":true");
    }

    if (g->unfinished) {
        tg_line_lit(p, under, ",\"llm.guard.unfinished\":true");
    }

    tg_line_int(p, under, "llm.guard.found.deny", g->denied);
    tg_line_int(p, under, "llm.guard.found.card", g->found[TG_PII_CARD]);
    tg_line_int(p, under, "llm.guard.found.iban", g->found[TG_PII_IBAN]);
    tg_line_int(p, under, "llm.guard.found.email", g->found[TG_PII_EMAIL]);
    tg_line_int(p, under, "llm.guard.found.ssn", g->found[TG_PII_SSN]);
    tg_line_int(p, under, "llm.guard.found.key", g->found[TG_PII_KEY]);
    tg_line_int(p, under, "llm.guard.found.phone", g->found[TG_PII_PHONE]);
    tg_line_int(p, under, "llm.guard.trimmed", g->trimmed);

    return p;
}
