/*
 * Any bytes as what a ledger's slot keeps of a call.  What is taken becomes one
 * line of valid JSON, within its buffer, whichever way it is to be written.
 */

#include "tg_json.h"
#include "tg_recovered.h"

#include <stdlib.h>
#include <jansson.h>

#define REQUIRE(x)  do { if (!(x)) { abort(); } } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
check_line(const tg_conf_t *conf, const tg_ledger_swept_t *call,
    tg_log_format_t format)
{
    char    *buf = malloc(TG_LINE_MAX);
    size_t   n;
    json_t  *line;

    REQUIRE(buf != NULL);
    n = tg_recovered_line(conf, call, buf, UINT64_MAX / 3, format);
    REQUIRE(n <= TG_LINE_MAX);

    if (n != 0) {
        REQUIRE(buf[n - 1] == '\n' && memchr(buf, '\n', n - 1) == NULL);
        line = json_loadb(buf, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL,
                          NULL);
        REQUIRE(json_is_object(line));
        json_decref(line);
    }

    free(buf);
}


/* The first byte: whether the call was sent, and how long a piece is seen. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tg_conf_t          conf;
    tg_ledger_swept_t  call;

    if (size == 0) {
        return 0;
    }

    memset(&conf, 0, sizeof(conf));
    memset(&call, 0, sizeof(call));
    conf.node = tg_str("node");
    call.sent = (data[0] & 1) != 0;
    call.blob_len = (unsigned) (size - 1 < TG_LEDGER_BLOB_MAX
                                ? size - 1 : TG_LEDGER_BLOB_MAX);
    memcpy(call.blob, data + 1, call.blob_len);

    check_line(&conf, &call, TG_LOG_UNDERSCORE);
    check_line(&conf, &call, (tg_log_format_t) 0);
    (void) tg_recovered_wants(&call, tg_str("/var/log/llm.log"));

    return 0;
}
