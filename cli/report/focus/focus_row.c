#include "focus_row.h"
#include "table/table.h"

#include "tg_money.h"
#include "tg_text.h"

#include <time.h>

#define PRICE_DIGITS  24
#define MILLION       1000000
#define FIELD_MAX     2048              /* bytes of a text */

/* A row's quantities, and what it is called. */
typedef struct {
    const char  *sku;
    const char  *meter;
    const char  *what;              /* behind the model's name */
    const char  *consumed_unit;
    const char  *pricing_unit;
    int          consumed_scale;    /* decimals of a quantity */
    int          pricing_scale;
} meter_t;

static const meter_t  meters[FOCUS_CLASSES + 1] = {
    { "input", "Input Tokens", "input tokens", "Tokens", "1000000 Tokens", 0,
      6 },
    { "cache_read", "Cached Input Tokens", "input tokens from the cache",
      "Tokens", "1000000 Tokens", 0, 6 },
    { "cache_write", "Cache Write Tokens", "input tokens written to the cache",
      "Tokens", "1000000 Tokens", 0, 6 },
    { "output", "Output Tokens", "output tokens", "Tokens", "1000000 Tokens",
      0, 6 },
    { "tools", "Tool Requests", "tools and pieces", "Requests", "Requests", 0,
      0 },
    { "extra", "Extra Model Requests", "other models called within",
      "Requests", "Requests", 0, 0 },
    { "tokens", "Tokens", "tokens", "Tokens", "1000000 Tokens", 0, 6 },
    { "gpu", "GPU Time", "GPU time", "Seconds", "Seconds", 9, 9 },
    { "requests", "Requests", "requests", "Requests", "Requests", 0, 0 },
    { "commitment", "Committed Hours", "committed hours", "Hours", "Hours", 9,
      9 }
};

static const char  header[] =
    "BilledCost,BillingAccountId,BillingAccountName,BillingAccountType,"
    "BillingCurrency,BillingPeriodEnd,BillingPeriodStart,ChargeCategory,"
    "ChargeClass,ChargeDescription,ChargeFrequency,ChargePeriodEnd,"
    "ChargePeriodStart,CommitmentDiscountCategory,CommitmentDiscountId,"
    "CommitmentDiscountName,CommitmentDiscountQuantity,"
    "CommitmentDiscountStatus,CommitmentDiscountType,CommitmentDiscountUnit,"
    "ConsumedQuantity,ConsumedUnit,ContractedCost,ContractedUnitPrice,"
    "EffectiveCost,InvoiceId,InvoiceIssuerName,ListCost,ListUnitPrice,"
    "PricingCategory,PricingCurrency,PricingCurrencyContractedUnitPrice,"
    "PricingCurrencyEffectiveCost,PricingCurrencyListUnitPrice,"
    "PricingQuantity,PricingUnit,ProviderName,PublisherName,"
    "ResourceId,ResourceName,ResourceType,ServiceCategory,ServiceName,"
    "ServiceSubcategory,SkuId,SkuMeter,SkuPriceDetails,SkuPriceId,"
    "SubAccountId,SubAccountName,SubAccountType,Tags,x_Calls,x_CostSource,"
    "x_Model,x_PriceId,x_UsageSource\r\n";


/* Adds one at the end of a decimal whose first place is there for a carry. */
static void
digits_up(char *digits, size_t n)
{
    while (n-- > 0) {
        if (digits[n] == '.') {
            continue;
        }
        if (digits[n] != '9') {
            digits[n]++;
            return;
        }
        digits[n] = '0';
    }
}


/*
 * cost * scale / (quantity * 1e9) by long division.  What is left after d
 * digits is rest / den of the last place, which the quantity makes
 * rest / (scale * 10^d) nano-dollars: below a half it rounds to the cost.
 */
tg_str_t
focus_price(char *buf, int64_t cost, int64_t quantity, int64_t scale)
{
    int           n;
    char         *p = buf + 1;
    unsigned      d = 0;
    __int128      num = (__int128) cost * scale, reach = scale;
    __int128      den = (__int128) quantity * TG_NUSD_PER_USD, rest;

    rest = num % den;
    buf[0] = '0';
    n = snprintf(p, FOCUS_PRICE_SIZE - 2, "%lld", (long long) (num / den));
    p += n;

    while (d < PRICE_DIGITS && 2 * rest >= reach && 2 * (den - rest) >= reach) {
        if (d == 0) {
            *p++ = '.';
        }
        rest *= 10;
        *p++ = (char) ('0' + (int) (rest / den));
        rest %= den;
        reach *= 10;
        d++;
    }

    if (2 * rest >= reach || den - rest < rest) {
        digits_up(buf, (size_t) (p - buf));
    }

    return buf[0] == '0' ? tg_str_of(buf + 1, (size_t) (p - buf) - 1)
                         : tg_str_of(buf, (size_t) (p - buf));
}


void
focus_header(FILE *to)
{
    (void) fwrite(header, 1, sizeof(header) - 1, to);
}


/* A field in quotes, without what table_plain() takes away; never one that a
 * spreadsheet runs. */
static void
put_field(FILE *to, tg_str_t s)
{
    char  plain[FIELD_MAX];

    s.len = s.len < FIELD_MAX ? s.len : FIELD_MAX;
    s = tg_str_of(plain, (size_t) (table_plain(plain, s, s.len) - plain));

    if (s.len != 0 && memchr("=+-@\t\r", s.p[0], 6) != NULL) {
        fputs("\"'", to);
    } else {
        (void) putc_unlocked('"', to);
    }

    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '"') {
            (void) putc_unlocked('"', to);
        }
        (void) putc_unlocked(s.p[i], to);
    }

    fputs("\",", to);
}


/* Null where it is empty. */
static void
put_text(FILE *to, tg_str_t s)
{
    if (s.len == 0) {
        (void) putc_unlocked(',', to);
    } else {
        put_field(to, s);
    }
}


static void
put(FILE *to, const char *s)
{
    fputs(s, to);
    (void) putc_unlocked(',', to);
}


static void
put_money(FILE *to, int64_t nusd)
{
    char  buf[TG_MONEY_TEXT_MAX];

    (void) fwrite(buf, 1, tg_money_text(buf, nusd), to);
    (void) putc_unlocked(',', to);
}


/* v / 10^scale, without zeros at its end. */
static void
put_decimal(FILE *to, int64_t v, int scale)
{
    int64_t  unit = 1;

    while (scale > 0 && v % 10 == 0) {
        v /= 10;
        scale--;
    }

    for (int i = 0; i < scale; i++) {
        unit *= 10;
    }

    if (scale == 0) {
        fprintf(to, "%lld,", (long long) v);
    } else {
        fprintf(to, "%lld.%0*lld,", (long long) (v / unit), scale,
                (long long) (v % unit));
    }
}


static void
put_time(FILE *to, int64_t ms)
{
    char       buf[32];
    time_t     t = (time_t) (ms / 1000);
    struct tm  tm;

    (void) gmtime_r(&t, &tm);
    (void) strftime(buf, sizeof(buf), "%Y-%m-%dT%H:%M:%SZ,", &tm);
    fputs(buf, to);
}


/* Within a CSV field in quotes: a quote is two. */
static void
put_json_string(FILE *to, tg_str_t s)
{
    char        json[6 * FIELD_MAX];
    const char  *end;

    s.len = s.len < FIELD_MAX ? s.len : FIELD_MAX;
    end = tg_text_json(json, s, sizeof(json));
    fputs("\"\"", to);

    for (const char *p = json; p < end; p++) {
        if (*p == '"') {
            (void) putc_unlocked('"', to);
        }
        (void) putc_unlocked(*p, to);
    }

    fputs("\"\"", to);
}


static void
put_tags(FILE *to, const focus_row_t *r)
{
    const char  *sep = "\"{";

    for (unsigned i = 0; i < r->ntags; i++) {
        if (r->tags[i].value.len == 0) {
            continue;
        }
        fputs(sep, to);
        put_json_string(to, r->tags[i].name);
        (void) putc_unlocked(':', to);
        put_json_string(to, r->tags[i].value);
        sep = ",";
    }

    fputs(*sep == ',' ? "}\"," : "{},", to);
}


/* vendor/model/what, and behind it /tier of a price. */
static void
put_sku(FILE *to, const focus_row_t *r, bool tier)
{
    char  buf[1600];
    int   n;

    n = snprintf(buf, sizeof(buf), "%.*s/%.*s/%s%s%.*s",
                 (int) r->vendor.len, r->vendor.p, (int) r->model.len,
                 r->model.p, meters[r->class].sku, tier ? "/" : "",
                 tier ? (int) r->tier.len : 0, r->tier.p);

    put_field(to, tg_str_of(buf, (size_t) n < sizeof(buf) ? (size_t) n
                                                          : sizeof(buf) - 1));
}


static void
put_description(FILE *to, const focus_row_t *r)
{
    char  buf[700];
    int   n = snprintf(buf, sizeof(buf), "%.*s: %s", (int) r->model.len,
                       r->model.p, meters[r->class].what);

    put_field(to, tg_str_of(buf, (size_t) n < sizeof(buf) ? (size_t) n
                                                          : sizeof(buf) - 1));
}


static void
put_price(FILE *to, const focus_row_t *r, int64_t cost)
{
    char      buf[FOCUS_PRICE_SIZE];
    int64_t   scale = 1;
    tg_str_t  s;

    for (int i = 0; i < meters[r->class].pricing_scale; i++) {
        scale *= 10;
    }

    s = focus_price(buf, cost, r->quantity, scale);
    (void) fwrite(s.p, 1, s.len, to);
    (void) putc_unlocked(',', to);
}


static void
put_commitment(FILE *to, const focus_row_t *r)
{
    if (r->kind == FOCUS_ON_DEMAND) {
        fputs(",,,,,,,", to);
        return;
    }

    put(to, "Usage");
    put_field(to, r->commitment);
    put_field(to, r->commitment);
    put_decimal(to, r->hours, 9);
    put(to, r->kind == FOCUS_USED ? "Used"
            : r->kind == FOCUS_UNUSED ? "Unused" : "");
    put(to, "Provisioned Throughput");
    put(to, "Hours");
}


/* From PricingCategory on. */
static void
put_rest(FILE *to, const focus_row_t *r)
{
    const meter_t  *m = &meters[r->class];

    put(to, r->kind == FOCUS_USED || r->kind == FOCUS_UNUSED ? "Committed"
                                                            : "Standard");
    put(to, "USD");
    put_price(to, r, r->cost);
    put_money(to, r->effective);
    put_price(to, r, r->list);
    put_decimal(to, r->quantity, m->pricing_scale);
    put(to, m->pricing_unit);
    put_field(to, focus_vendor(r->vendor));
    put_field(to, focus_publisher(r->vendor, r->model));
    put_text(to, r->resource);
    put(to, "");
    put(to, r->resource.len == 0 ? "" : "GPU Server");
    put(to, "AI and Machine Learning");
    put_field(to, focus_service(r->vendor));
    put(to, "Generative AI");
    put_sku(to, r, false);
    put(to, m->meter);
    fprintf(to, "\"{\"\"x_ServiceTier\"\":");
    put_json_string(to, r->tier);
    fprintf(to, ",\"\"x_TokenClass\"\":\"\"%s\"\"}\",", m->sku);
    put_sku(to, r, true);
    put_text(to, r->team);
    put_text(to, r->team);
    put(to, r->team.len == 0 ? "" : "Team");
    put_tags(to, r);
    fprintf(to, "%lld,", (long long) r->calls);
    put_text(to, r->cost_source);
    put_field(to, r->model);
    put_text(to, r->price_id);
    fprintf(to, "%.*s\r\n", (int) r->usage_source.len, r->usage_source.p);
}


void
focus_row(FILE *to, const focus_row_t *r)
{
    const meter_t  *m = &meters[r->class];

    put_money(to, r->cost);
    put_field(to, r->account);
    put_field(to, r->account);
    put(to, "API Account");
    put(to, "USD");
    put_time(to, r->bill_end);
    put_time(to, r->bill_start);
    put(to, r->kind == FOCUS_PURCHASE ? "Purchase" : "Usage");
    put(to, "");
    put_description(to, r);
    put(to, r->kind == FOCUS_PURCHASE ? "Recurring" : "Usage-Based");
    put_time(to, r->end);
    put_time(to, r->start);
    put_commitment(to, r);

    if (r->kind == FOCUS_PURCHASE || r->kind == FOCUS_UNUSED) {
        fputs(",,", to);
    } else {
        put_decimal(to, r->quantity, m->consumed_scale);
        put(to, m->consumed_unit);
    }

    put_money(to, r->cost);
    put_price(to, r, r->cost);
    put_money(to, r->effective);
    put_text(to, r->invoice);
    put_field(to, focus_vendor(r->vendor));
    put_money(to, r->list);
    put_price(to, r, r->list);
    put_rest(to, r);
}
