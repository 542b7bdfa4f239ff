-- Cost lines in BigQuery, from a log of format=underscore:
--
--     llm_log /var/log/nginx/llm_warehouse.jsonl format=underscore;
--
--     bq query --use_legacy_sql=false --dataset_id=llm < bigquery.sql
--     bq load --source_format=NEWLINE_DELIMITED_JSON --ignore_unknown_values \
--         llm.llm_lines llm_warehouse.jsonl
--
-- or all the time, by shipping/fluent-bit-bigquery.yaml. A file may be loaded twice:
-- lines of one event_id count once, in llm_calls. Each llm_tag of yours needs a column,
-- llm_tags_<name>: what has no column is left out without a word.
--
-- Money is llm_cost_total_nusd, nano-dollars: sums of it are exact.

CREATE TABLE IF NOT EXISTS llm_lines
(
    timestamp                                 TIMESTAMP NOT NULL,
    llm_schema                                INT64,
    event_id                                  STRING NOT NULL,
    event_kind                                STRING,
    llm_call_id                               STRING,
    llm_seq                                   INT64,
    llm_attempt                               INT64,
    llm_final                                 BOOL,
    trace_id                                  STRING,
    span_id                                   STRING,
    gen_ai_conversation_id                    STRING,
    gen_ai_agent_name                         STRING,
    llm_retry_count                           INT64,
    llm_key_id                                STRING,
    llm_team                                  STRING,
    user_id                                   STRING,
    organization_id                           STRING,
    llm_tags_feature                          STRING,
    client_address                            STRING,
    client_geo_country_iso_code               STRING,
    client_as_number                          INT64,
    gen_ai_operation_name                     STRING,
    gen_ai_provider_name                      STRING,
    llm_provider                              STRING,
    gen_ai_request_model                      STRING,
    llm_route                                 STRING,
    llm_route_full                            STRING,
    llm_sent_model                            STRING,
    llm_fallbacks                             ARRAY<STRING>,
    llm_route_dry                             STRING,
    llm_route_dry_to                          STRING,
    llm_route_dry_saved                       NUMERIC,
    gen_ai_request_stream                     BOOL,
    gen_ai_request_max_tokens                 INT64,
    llm_sent_max_tokens                       INT64,
    server_address                            STRING,
    llm_server                                STRING,
    llm_prompt_messages                       INT64,
    llm_prompt_system_tokens                  INT64,
    gen_ai_response_model                     STRING,
    gen_ai_response_id                        STRING,
    gen_ai_response_finish_reasons            ARRAY<STRING>,
    llm_tool_calls                            INT64,
    llm_service_tier                          STRING,
    llm_usage_source                          STRING,
    gen_ai_usage_input_tokens                 INT64,
    gen_ai_usage_output_tokens                INT64,
    gen_ai_usage_cache_read_input_tokens      INT64,
    gen_ai_usage_cache_creation_input_tokens  INT64,
    llm_usage_cache_write_5m                  INT64,
    llm_usage_cache_write_1h                  INT64,
    gen_ai_usage_reasoning_output_tokens      INT64,
    llm_usage_audio_input                     INT64,
    llm_usage_image_input                     INT64,
    llm_usage_audio_output                    INT64,
    llm_usage_image_output                    INT64,
    llm_usage_billed_input                    INT64,
    llm_usage_billed_output                   INT64,
    llm_usage_web_searches                    INT64,
    llm_usage_web_fetches                     INT64,
    llm_usage_search_units                    INT64,
    llm_usage_images                          INT64,
    llm_usage_characters                      INT64,
    llm_usage_pages                           INT64,
    llm_usage_duration_ms                     INT64,
    llm_usage_extra                           ARRAY<STRUCT<type STRING, model STRING, input_tokens INT64, cache_read INT64, cache_write INT64, output_tokens INT64>>,
    llm_cost_input                            NUMERIC,
    llm_cost_cache_read                       NUMERIC,
    llm_cost_cache_write                      NUMERIC,
    llm_cost_output                           NUMERIC,
    llm_cost_tools                            NUMERIC,
    llm_cost_extra                            NUMERIC,
    llm_cost_total                            NUMERIC,
    llm_cost_total_nusd                       INT64,
    llm_cost_list                             NUMERIC,
    llm_cost_saved                            NUMERIC,
    llm_cost_source                           STRING,
    llm_cost_gpu                              NUMERIC,
    llm_gpu_seconds                           NUMERIC,
    llm_cost_unpriced                         BOOL,
    llm_cost_incomplete                       BOOL,
    llm_price_id                              STRING,
    llm_decision                              STRING,
    llm_rule                                  STRING,
    llm_served                                BOOL,
    llm_hold_calibrated                       BOOL,
    llm_node                                  STRING,
    llm_config_hash                           STRING,
    event_duration                            INT64,
    gen_ai_response_time_to_first_chunk       NUMERIC,
    http_request_body_bytes                   INT64,
    http_response_body_bytes                  INT64,
    http_response_status_code                 INT64,
    error_type                                STRING,
    event_outcome                             STRING,
    event_reason                              STRING,
    llm_hold                                  NUMERIC,
    llm_waited_ms                             INT64,
    llm_guard_name                            STRING,
    llm_guard_action                          STRING,
    llm_guard_dry_run                         BOOL,
    llm_guard_unfinished                      BOOL,
    llm_guard_found_deny                      INT64,
    llm_guard_found_card                      INT64,
    llm_guard_found_iban                      INT64,
    llm_guard_found_email                     INT64,
    llm_guard_found_ssn                       INT64,
    llm_guard_found_key                       INT64,
    llm_guard_found_phone                     INT64,
    llm_guard_trimmed                         INT64,
    llm_quota_subject                         STRING,
    llm_quota_measure                         STRING,
    llm_quota_spent                           FLOAT64,
    llm_quota_held                            FLOAT64,
    llm_quota_cap                             FLOAT64,
    llm_quota_reset                           TIMESTAMP,
    llm_recovered                             BOOL,
    llm_overhead                              INT64,
    llm_prefix_hash                           STRING,
    event_action                              STRING,
    llm_quota_name                            STRING,
    llm_quota_type                            STRING,
    llm_quota_window                          STRING,
    llm_quota_start                           TIMESTAMP,
    llm_quota_threshold                       INT64,
    llm_quota_used                            FLOAT64,
    llm_quota_dry_run                         BOOL,
    llm_quota_bucket                          STRING,
    llm_outcome_name                          STRING,
    llm_outcome_value                         NUMERIC
)
PARTITION BY DATE(timestamp)
CLUSTER BY llm_team, organization_id;

-- One row a line that counts: calls, and attempts that may be billed (llm_final false).
CREATE OR REPLACE VIEW llm_calls AS
SELECT *
FROM llm_lines
WHERE event_kind IS NULL
QUALIFY ROW_NUMBER() OVER (PARTITION BY event_id
                           ORDER BY IFNULL(llm_recovered, FALSE)) = 1;

CREATE OR REPLACE VIEW llm_outcomes AS
SELECT *
FROM llm_lines
WHERE event_kind = 'outcome'
QUALIFY ROW_NUMBER() OVER (PARTITION BY event_id ORDER BY timestamp) = 1;

-- Sums by day: a scheduled query, each hour or day.
CREATE OR REPLACE TABLE llm_daily AS
SELECT
    DATE(timestamp) AS day,
    IFNULL(llm_team, '') AS team,
    IFNULL(llm_tags_feature, '') AS feature,
    IFNULL(organization_id, '') AS customer,
    gen_ai_provider_name AS provider,
    COALESCE(gen_ai_response_model, gen_ai_request_model, '') AS model,
    COUNTIF(llm_final) AS calls,
    SUM(llm_cost_total_nusd) AS nusd,
    IFNULL(SUM(gen_ai_usage_input_tokens), 0) AS input_tokens,
    IFNULL(SUM(gen_ai_usage_cache_read_input_tokens), 0) AS cached_tokens,
    IFNULL(SUM(gen_ai_usage_output_tokens), 0) AS output_tokens
FROM llm_calls
GROUP BY day, team, feature, customer, provider, model;

-- What customers pay, as your billing exports it: one row a customer and month.
CREATE TABLE IF NOT EXISTS revenue
(
    customer     STRING NOT NULL,
    period       DATE NOT NULL,         -- the month's first day
    revenue_usd  NUMERIC NOT NULL
);
