#include "mod_llm.h"

#include "apr_lib.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <netdb.h>
#include <time.h>
#include <unistd.h>

#define LLM_SYSLOG_HEAD  384
#define LLM_SYSLOG_TAG   32         /* RFC 3164 */

struct llm_syslog_s {
    int                      fd;            /* a child's own; -1: not yet */
    int                      priority;
    const char              *tag;
    const char              *host;          /* NULL: left out */
    struct sockaddr_storage  address;
    socklen_t                address_len;
    pthread_mutex_t          lock;
};

static const char *const  llm_facilities[] = {
    "kern", "user", "mail", "daemon", "auth", "intern", "lpr", "news", "uucp",
    "clock", "authpriv", "ftp", "ntp", "audit", "alert", "cron", "local0",
    "local1", "local2", "local3", "local4", "local5", "local6", "local7", NULL
};

static const char *const  llm_severities[] = {
    "emerg", "alert", "crit", "error", "warn", "notice", "info", "debug", NULL
};


static int
llm_syslog_index(const char *const *names, const char *name)
{
    for (int i = 0; names[i] != NULL; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }

    return -1;
}


static const char *
llm_syslog_unix(llm_syslog_t *sl, const char *path)
{
    struct sockaddr_un  *un = (struct sockaddr_un *) &sl->address;

    if (*path == '\0' || strlen(path) >= sizeof(un->sun_path)) {
        return "syslog server= has a bad path";
    }

    un->sun_family = AF_UNIX;
    apr_cpystrn(un->sun_path, path, sizeof(un->sun_path));
    sl->address_len = sizeof(*un);

    return NULL;
}


static const char *
llm_syslog_address(apr_pool_t *p, llm_syslog_t *sl, const char *value)
{
    char             *host, *scope;
    apr_port_t        port;
    struct addrinfo   hints, *found;

    if (strncmp(value, "unix:", 5) == 0) {
        return llm_syslog_unix(sl, value + 5);
    }

    if (apr_parse_addr_port(&host, &scope, &port, value, p) != APR_SUCCESS
        || host == NULL)
    {
        return apr_psprintf(p, "syslog server=\"%s\" is no address", value);
    }

    memset(&hints, 0, sizeof(hints));
    hints.ai_socktype = SOCK_DGRAM;

    if (getaddrinfo(host, apr_itoa(p, port != 0 ? port : 514), &hints, &found)
        != 0)
    {
        return apr_psprintf(p, "syslog server \"%s\" is not found", host);
    }

    memcpy(&sl->address, found->ai_addr, found->ai_addrlen);
    sl->address_len = found->ai_addrlen;
    freeaddrinfo(found);

    return NULL;
}


static const char *
llm_syslog_parameter(apr_pool_t *p, llm_syslog_t *sl, const char *word,
    int *facility, int *severity)
{
    if (strncmp(word, "server=", 7) == 0) {
        return llm_syslog_address(p, sl, word + 7);
    }

    if (strncmp(word, "facility=", 9) == 0) {
        *facility = llm_syslog_index(llm_facilities, word + 9);
        return *facility >= 0 ? NULL
               : apr_psprintf(p, "unknown syslog facility \"%s\"", word + 9);
    }

    if (strncmp(word, "severity=", 9) == 0) {
        *severity = llm_syslog_index(llm_severities, word + 9);
        return *severity >= 0 ? NULL
               : apr_psprintf(p, "unknown syslog severity \"%s\"", word + 9);
    }

    if (strncmp(word, "tag=", 4) == 0) {
        sl->tag = word + 4;

        for (const char *c = sl->tag; *c != '\0'; c++) {
            if (!apr_isalnum(*c) && *c != '_') {
                return "syslog tag= takes letters, digits and _";
            }
        }

        return *sl->tag != '\0' && strlen(sl->tag) <= LLM_SYSLOG_TAG ? NULL
               : "syslog tag= takes 1 to 32 characters";
    }

    if (strcmp(word, "nohostname") == 0) {
        sl->host = NULL;
        return NULL;
    }

    return apr_psprintf(p, "unknown syslog parameter \"%s\"", word);
}


llm_syslog_t *
llm_syslog_parse(apr_pool_t *p, const char *target, const char **error)
{
    int            facility = 23, severity = 6;     /* local7.info */
    char           name[APRMAXHOSTLEN + 1], *word, *state;
    llm_syslog_t  *sl = apr_pcalloc(p, sizeof(llm_syslog_t));

    sl->fd = -1;
    sl->tag = "llm";
    (void) pthread_mutex_init(&sl->lock, NULL);

    if (apr_gethostname(name, sizeof(name), p) == APR_SUCCESS) {
        sl->host = apr_pstrdup(p, name);
    }

    word = apr_strtok(apr_pstrdup(p, target + sizeof("syslog:") - 1), ",",
                      &state);

    for ( ; word != NULL; word = apr_strtok(NULL, ",", &state)) {
        *error = llm_syslog_parameter(p, sl, word, &facility, &severity);
        if (*error != NULL) {
            return NULL;
        }
    }

    if (sl->address_len == 0) {
        *error = "syslog needs server=";
        return NULL;
    }

    sl->priority = facility * 8 + severity;

    return sl;
}


static size_t
llm_syslog_head(const llm_syslog_t *sl, char *buf)
{
    int                      n;
    time_t                   now = time(NULL);
    struct tm                tm;
    static const char *const months[] = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct",
        "Nov", "Dec"
    };

    (void) localtime_r(&now, &tm);

    n = apr_snprintf(buf, LLM_SYSLOG_HEAD, "<%d>%s %2d %02d:%02d:%02d %s%s%s: ",
                     sl->priority, months[tm.tm_mon], tm.tm_mday, tm.tm_hour,
                     tm.tm_min, tm.tm_sec, sl->host != NULL ? sl->host : "",
                     sl->host != NULL ? " " : "", sl->tag);

    return (size_t) n;
}


/* A datagram a line, its newline left off.  0, or errno. */
int
llm_syslog_send(llm_syslog_t *sl, const char *line, size_t n)
{
    int            rc = 0;
    char           head[LLM_SYSLOG_HEAD];
    struct iovec   parts[2];
    struct msghdr  msg;

    parts[0].iov_base = head;
    parts[0].iov_len = llm_syslog_head(sl, head);
    parts[1].iov_base = (void *) (uintptr_t) line;
    parts[1].iov_len = n - 1;

    memset(&msg, 0, sizeof(msg));
    msg.msg_name = &sl->address;
    msg.msg_namelen = sl->address_len;
    msg.msg_iov = parts;
    msg.msg_iovlen = 2;

    (void) pthread_mutex_lock(&sl->lock);

    if (sl->fd == -1) {
        sl->fd = socket(sl->address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    }

    if (sl->fd == -1 || sendmsg(sl->fd, &msg, MSG_DONTWAIT) == -1) {
        rc = errno;
    }

    (void) pthread_mutex_unlock(&sl->lock);

    return rc;
}
