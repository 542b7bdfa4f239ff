/*
 * tg_keys.h - who calls: virtual keys, and the users, teams and organisations
 * that they belong to.
 *
 * Read from the JSON file of llm_keys, whose format is docs/keys.md.  A keys
 * object is immutable once loaded, owns its memory, and may be shared by
 * threads; a changed file is a new object.  What outlives it (a call that began
 * before the change) copies the strings it needs.
 *
 * Secrets are never kept: a key is known by the SHA-256 of its secret.
 */

#ifndef TG_KEYS_H
#define TG_KEYS_H

#include "tg_error.h"
#include "tg_mem.h"

#define TG_KEY_SECRET_MAX   512         /* bytes; a longer one is unknown */
#define TG_KEY_SECRET_MIN   16          /* that llmctl imports */
#define TG_KEY_ID_MAX       128
#define TG_KEY_TEXT_MAX     256         /* of any other text */
#define TG_KEY_TAGS_MAX     16          /* of one key, with inherited ones */
#define TG_KEY_MODELS_MAX   256
#define TG_KEY_LIMITS_MAX   16          /* of one key, user, team or org */
#define TG_KEY_WORDS_MAX    16          /* of one limit */
#define TG_KEYS_MAX         1000000
#define TG_KEYS_TEXT_MAX    (256 * 1024 * 1024)
#define TG_KEYS_HASH_HEX    16

/*
 * A budget or a rate, in the words of llm_quota.  They are only split here;
 * what they mean is the quotas' business, whose complaint is to name `line`.
 * At least one of them begins with the name of a measure and '=', none with
 * "per=".
 */
typedef struct {
    tg_str_t         name;              /* empty: it has none */
    const tg_str_t  *words;
    unsigned         nwords;
    unsigned         line;              /* in the file */
} tg_key_limit_t;

typedef struct {
    tg_str_t  name;
    tg_str_t  value;
} tg_key_tag_t;

typedef enum {
    TG_SUBJECT_USER = 0,
    TG_SUBJECT_TEAM,
    TG_SUBJECT_ORG,
    TG_SUBJECTS
} tg_subject_kind_t;

/* A user, a team or an organisation. */
typedef struct {
    tg_str_t               name;        /* "*": each that is not listed */
    tg_str_t               org;         /* a team's; or empty */
    bool                   disabled;
    const tg_key_tag_t    *tags;
    unsigned               ntags;
    const tg_key_limit_t  *limits;      /* budgets, then rates */
    unsigned               nlimits;
    unsigned               line;
} tg_subject_t;

typedef struct {
    tg_str_t               id;          /* immutable: spend hangs on it */
    tg_str_t               name;        /* these: empty where not given */
    tg_str_t               user;
    tg_str_t               team;
    tg_str_t               org;         /* its own, else its team's */
    tg_str_t               owner;
    tg_str_t               purpose;
    const tg_key_tag_t    *tags;        /* its own, then those of its user, team
                                           and org that have other names */
    unsigned               ntags;
    const tg_str_t        *models;      /* patterns; none: every model */
    unsigned               nmodels;
    const tg_key_limit_t  *limits;      /* its own only: budgets, then rates */
    unsigned               nlimits;
    const tg_subject_t    *subjects[TG_SUBJECTS];   /* or NULL: not listed */
    int64_t                expires_ms;  /* since 1970; INT64_MAX: never */
    bool                   disabled;    /* or its user, team or org is */
    unsigned               line;
} tg_key_t;

typedef struct tg_keys_s  tg_keys_t;

/* err->code. */
enum {
    TG_KEYS_SYNTAX = 1,     /* not JSON, or not our format */
    TG_KEYS_CONTENT,        /* the message names the record and the field */
    TG_KEYS_MEMORY
};

/*
 * Reads a keys file's text; `name` is the file's, for messages, which begin
 * with "name:line: "; the line is in err->offset, too: that of the value at
 * fault, or where something is missing or of two records, the one where a
 * record begins. NULL and *err on any mistake: a file is taken whole or not at
 * all.
 */
tg_keys_t *tg_keys_load(tg_str_t name, tg_str_t text, tg_error_t *err);
void tg_keys_destroy(tg_keys_t *keys);

size_t tg_keys_count(const tg_keys_t *keys);

/* In the file's order. */
const tg_key_t *tg_keys_key(const tg_keys_t *keys, size_t i);

/* NULL where there is none of that id. */
const tg_key_t *tg_keys_by_id(const tg_keys_t *keys, tg_str_t id);

/* Those listed, "*" among them, in the file's order. */
size_t tg_keys_subjects(const tg_keys_t *keys, tg_subject_kind_t kind);
const tg_subject_t *tg_keys_subject(const tg_keys_t *keys,
    tg_subject_kind_t kind, size_t i);

/* The one of that name, else "*", else NULL.  Empty name: NULL. */
const tg_subject_t *tg_keys_subject_of(const tg_keys_t *keys,
    tg_subject_kind_t kind, tg_str_t name);

/* First 16 hex digits of the SHA-256 of the text. */
tg_str_t tg_keys_hash(const tg_keys_t *keys);

typedef enum {
    TG_KEY_OK = 0,
    TG_KEY_UNKNOWN,         /* `key` is NULL */
    TG_KEY_EXPIRED,         /* the key, or the secret that was rotated out */
    TG_KEY_DISABLED
} tg_key_state_t;

typedef struct {
    const tg_key_t  *key;
    bool             previous;      /* by the secret rotated out */
} tg_key_found_t;

/*
 * Whose secret this is, in constant time of the digests compared and in the
 * same time whatever the number of keys.  Neither allocates nor locks.
 */
tg_key_state_t tg_keys_find(const tg_keys_t *keys, tg_str_t secret,
    int64_t now_ms, tg_key_found_t *found);

/* Case counts; "models/" before a name (Gemini) does not. */
bool tg_key_allows_model(const tg_key_t *key, tg_str_t model);

/* The SHA-256 that stands for a secret in the file. */
void tg_key_digest(tg_str_t secret, unsigned char digest[32]);

#endif /* TG_KEYS_H */
