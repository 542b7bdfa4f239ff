-- Cost lines in ClickHouse (24.10 or later), from a log of format=underscore:
--
--     llm_log /var/log/nginx/llm_warehouse.jsonl format=underscore;
--
--     clickhouse-client --multiquery < clickhouse.sql
--     clickhouse-client -d llm -q "INSERT INTO llm_lines FORMAT JSONEachRow" < llm_warehouse.jsonl
--
-- or all the time, by shipping/vector.yaml. A file may be loaded twice: lines of one
-- event_id count once. Each llm_tag of yours needs a column, llm_tags_<name>: what has
-- no column is left out without a word (input_format_skip_unknown_fields).
--
-- Money is llm_cost_total_nusd, nano-dollars: sums of it are exact.

CREATE DATABASE IF NOT EXISTS llm ENGINE = Atomic;
USE llm;

CREATE TABLE IF NOT EXISTS llm_lines
(
    timestamp                                 DateTime64(3, 'UTC'),
    llm_schema                                Int64,
    event_id                                  String,
    event_kind                                LowCardinality(String),
    llm_call_id                               String,
    llm_seq                                   Int64,
    llm_attempt                               Int64,
    llm_final                                 Bool,
    trace_id                                  String,
    span_id                                   String,
    gen_ai_conversation_id                    String,
    gen_ai_agent_name                         LowCardinality(String),
    llm_retry_count                           Int64,
    llm_key_id                                LowCardinality(String),
    llm_team                                  LowCardinality(String),
    user_id                                   String,
    organization_id                           String,
    llm_tags_feature                          LowCardinality(String),
    client_address                            String,
    client_geo_country_iso_code               LowCardinality(String),
    client_as_number                          Int64,
    gen_ai_operation_name                     LowCardinality(String),
    gen_ai_provider_name                      LowCardinality(String),
    llm_provider                              LowCardinality(String),
    gen_ai_request_model                      LowCardinality(String),
    llm_route                                 LowCardinality(String),
    llm_route_full                            LowCardinality(String),
    llm_sent_model                            LowCardinality(String),
    llm_fallbacks                             Array(String),
    llm_route_dry                             LowCardinality(String),
    llm_route_dry_to                          LowCardinality(String),
    llm_route_dry_saved                       Decimal(18, 9),
    gen_ai_request_stream                     Bool,
    gen_ai_request_max_tokens                 Int64,
    llm_sent_max_tokens                       Int64,
    server_address                            LowCardinality(String),
    llm_server                                LowCardinality(String),
    llm_prompt_messages                       Int64,
    llm_prompt_system_tokens                  Int64,
    gen_ai_response_model                     LowCardinality(String),
    gen_ai_response_id                        String,
    gen_ai_response_finish_reasons            Array(String),
    llm_tool_calls                            Int64,
    llm_service_tier                          LowCardinality(String),
    llm_usage_source                          LowCardinality(String),
    gen_ai_usage_input_tokens                 Int64,
    gen_ai_usage_output_tokens                Int64,
    gen_ai_usage_cache_read_input_tokens      Int64,
    gen_ai_usage_cache_creation_input_tokens  Int64,
    llm_usage_cache_write_5m                  Int64,
    llm_usage_cache_write_1h                  Int64,
    gen_ai_usage_reasoning_output_tokens      Int64,
    llm_usage_audio_input                     Int64,
    llm_usage_image_input                     Int64,
    llm_usage_audio_output                    Int64,
    llm_usage_image_output                    Int64,
    llm_usage_billed_input                    Int64,
    llm_usage_billed_output                   Int64,
    llm_usage_web_searches                    Int64,
    llm_usage_web_fetches                     Int64,
    llm_usage_search_units                    Int64,
    llm_usage_images                          Int64,
    llm_usage_characters                      Int64,
    llm_usage_pages                           Int64,
    llm_usage_duration_ms                     Int64,
    llm_usage_extra                           Array(Tuple(type String, model String, input_tokens Int64, cache_read Int64, cache_write Int64, output_tokens Int64)),
    llm_cost_input                            Decimal(18, 9),
    llm_cost_cache_read                       Decimal(18, 9),
    llm_cost_cache_write                      Decimal(18, 9),
    llm_cost_output                           Decimal(18, 9),
    llm_cost_tools                            Decimal(18, 9),
    llm_cost_extra                            Decimal(18, 9),
    llm_cost_total                            Decimal(18, 9),
    llm_cost_total_nusd                       Int64,
    llm_cost_list                             Decimal(18, 9),
    llm_cost_saved                            Decimal(18, 9),
    llm_cost_source                           LowCardinality(String),
    llm_cost_gpu                              Decimal(18, 9),
    llm_gpu_seconds                           Decimal(18, 9),
    llm_cost_unpriced                         Bool,
    llm_cost_incomplete                       Bool,
    llm_price_id                              LowCardinality(String),
    llm_decision                              LowCardinality(String),
    llm_rule                                  LowCardinality(String),
    llm_served                                Bool,
    llm_hold_calibrated                       Bool,
    llm_node                                  LowCardinality(String),
    llm_config_hash                           LowCardinality(String),
    event_duration                            Int64,
    gen_ai_response_time_to_first_chunk       Decimal(18, 9),
    http_request_body_bytes                   Int64,
    http_response_body_bytes                  Int64,
    http_response_status_code                 Int64,
    error_type                                LowCardinality(String),
    event_outcome                             LowCardinality(String),
    event_reason                              String,
    llm_hold                                  Decimal(18, 9),
    llm_waited_ms                             Int64,
    llm_guard_name                            LowCardinality(String),
    llm_guard_action                          LowCardinality(String),
    llm_guard_dry_run                         Bool,
    llm_guard_unfinished                      Bool,
    llm_guard_found_deny                      Int64,
    llm_guard_found_card                      Int64,
    llm_guard_found_iban                      Int64,
    llm_guard_found_email                     Int64,
    llm_guard_found_ssn                       Int64,
    llm_guard_found_key                       Int64,
    llm_guard_found_phone                     Int64,
    llm_guard_trimmed                         Int64,
    llm_quota_subject                         String,
    llm_quota_measure                         LowCardinality(String),
    llm_quota_spent                           Float64,
    llm_quota_held                            Float64,
    llm_quota_cap                             Float64,
    llm_quota_reset                           Nullable(DateTime64(3, 'UTC')),
    llm_recovered                             Bool,
    llm_overhead                              Int64,
    llm_prefix_hash                           String,
    event_action                              LowCardinality(String),
    llm_quota_name                            LowCardinality(String),
    llm_quota_type                            LowCardinality(String),
    llm_quota_window                          LowCardinality(String),
    llm_quota_start                           Nullable(DateTime64(3, 'UTC')),
    llm_quota_threshold                       Int64,
    llm_quota_used                            Float64,
    llm_quota_dry_run                         Bool,
    llm_quota_bucket                          String,
    llm_outcome_name                          LowCardinality(String),
    llm_outcome_value                         Decimal(38, 9),
    version                                   UInt8 MATERIALIZED NOT llm_recovered
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(timestamp)
ORDER BY event_id;      -- begins with a UUID v7: in the order of time

-- One row a line that counts: calls, and attempts that may be billed (llm_final false).
CREATE VIEW IF NOT EXISTS llm_calls AS
SELECT * FROM llm_lines FINAL WHERE event_kind = '';

CREATE VIEW IF NOT EXISTS llm_outcomes AS
SELECT * FROM llm_lines FINAL WHERE event_kind = 'outcome';

-- Sums by day, made anew each hour: a view that adds up what is inserted would count
-- what is loaded twice twice.
CREATE MATERIALIZED VIEW IF NOT EXISTS llm_daily
REFRESH EVERY 1 HOUR
ENGINE = MergeTree
ORDER BY (day, team, feature)
AS SELECT
    toDate(timestamp, 'UTC') AS day,
    llm_team AS team,
    llm_tags_feature AS feature,
    organization_id AS customer,
    gen_ai_provider_name AS provider,
    if(gen_ai_response_model != '', gen_ai_response_model, gen_ai_request_model) AS model,
    countIf(llm_final) AS calls,
    sum(llm_cost_total_nusd) AS nusd,
    sum(gen_ai_usage_input_tokens) AS input_tokens,
    sum(gen_ai_usage_cache_read_input_tokens) AS cached_tokens,
    sum(gen_ai_usage_output_tokens) AS output_tokens
FROM llm_calls
GROUP BY day, team, feature, customer, provider, model;

-- What customers pay, as your billing exports it: one row a customer and month.
CREATE TABLE IF NOT EXISTS revenue
(
    customer     String,
    period       Date,          -- the month's first day
    revenue_usd  Decimal(18, 9)
)
ENGINE = ReplacingMergeTree
ORDER BY (customer, period);
