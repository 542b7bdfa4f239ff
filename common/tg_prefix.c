#include "tg_balance.h"

/* Two odd constants of splitmix64 (Steele, Lea, Flood: Fast splittable
 * pseudorandom number generators, 2014). */
#define TG_PREFIX_A      UINT64_C(0xbf58476d1ce4e5b9)
#define TG_PREFIX_B      UINT64_C(0x94d049bb133111eb)
#define TG_PREFIX_START  UINT64_C(0x9e3779b97f4a7c15)

#define TG_PREFIX_FIRST  1024           /* bytes; each next is twice as long */

/* English text in current tokenizers: four bytes a token.  What counts is how
 * lengths compare, and that they are of the order of the estimates. */
#define TG_PREFIX_TOKEN  4

/* Of a key=, where the prompt's length is not known. */
#define TG_PREFIX_GUESS  1024


/* One to one in each of its arguments: no beginning is lost. */
static inline uint64_t
tg_prefix_step(uint64_t state, uint64_t word)
{
    state = (state ^ word) * TG_PREFIX_A;

    return state ^ state >> 32;
}


static uint64_t
tg_prefix_final(uint64_t state, uint64_t len)
{
    state = (state ^ len ^ state >> 30) * TG_PREFIX_A;
    state = (state ^ state >> 27) * TG_PREFIX_B;

    return state ^ state >> 31;
}


static uint64_t
tg_prefix_string(uint64_t state, tg_str_t s)
{
    uint64_t  word;

    for (size_t i = 0; i < s.len; i += 8) {
        word = 0;
        memcpy(&word, s.p + i, s.len - i < 8 ? s.len - i : 8);
        state = tg_prefix_step(state, word);
    }

    return tg_prefix_final(state, s.len);
}


void
tg_prefix_begin(tg_prefix_hash_t *ph, tg_str_t model, tg_str_t tenant)
{
    memset(ph, 0, sizeof(tg_prefix_hash_t));
    ph->state = tg_prefix_string(TG_PREFIX_START, model);
    ph->state = tg_prefix_string(ph->state, tenant);
}


/* Whole words, up to the next beginning at most. */
static size_t
tg_prefix_words(tg_prefix_hash_t *ph, const char *p, size_t n)
{
    uint64_t  state = ph->state, word;
    uint64_t  left = ((uint64_t) TG_PREFIX_FIRST << ph->prefixes.n) - ph->len;

    n = (n < left ? n : (size_t) left) & ~(size_t) 7;

    for (size_t i = 0; i < n; i += 8) {
        memcpy(&word, p + i, 8);
        state = tg_prefix_step(state, word);
    }

    ph->state = state;
    ph->len += n;

    return n;
}


static void
tg_prefix_reached(tg_prefix_hash_t *ph)
{
    unsigned  i = ph->prefixes.n;

    if (ph->len != (uint64_t) TG_PREFIX_FIRST << i) {
        return;
    }

    ph->prefixes.hash[i] = tg_prefix_final(ph->state, ph->len);
    ph->prefixes.tokens[i] = (uint32_t) (ph->len / TG_PREFIX_TOKEN);
    ph->prefixes.n++;
}


void
tg_prefix_feed(tg_prefix_hash_t *ph, const char *p, size_t n)
{
    size_t  done;

    while (n > 0 && ph->prefixes.n < TG_PREFIXES_MAX) {
        if (ph->len % 8 == 0 && n >= 8) {
            done = tg_prefix_words(ph, p, n);

        } else {
            ((unsigned char *) &ph->carry)[ph->len % 8] = (unsigned char) *p;
            ph->len++;
            done = 1;

            if (ph->len % 8 == 0) {
                ph->state = tg_prefix_step(ph->state, ph->carry);
                ph->carry = 0;
            }
        }

        p += done;
        n -= done;
        tg_prefix_reached(ph);
    }
}


void
tg_prefix_end(tg_prefix_hash_t *ph, tg_prefixes_t *prefixes)
{
    *prefixes = ph->prefixes;
}


void
tg_prefix_key(tg_str_t key, const tg_work_t *work, tg_prefixes_t *prefixes)
{
    memset(prefixes, 0, sizeof(tg_prefixes_t));

    if (key.len == 0) {
        return;
    }

    prefixes->n = 1;
    prefixes->hash[0] = tg_prefix_string(TG_PREFIX_START, key);
    prefixes->tokens[0] = work->prompt_tokens > 0 ? work->prompt_tokens
                                                  : TG_PREFIX_GUESS;
}
