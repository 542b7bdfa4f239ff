"""Options of shippers that Debian does not have, as their documentation names
them.  A word of an example that is in no list is a mistake, of the example or
of the list.  Each list: where it was read, and the names; "a.b" is b within a,
"a[]" a list."""

READ = "2026-11-22"

VECTOR = "https://vector.dev/docs/reference/configuration/"
FLUENT = "https://docs.fluentbit.io/manual/"
ELASTIC = "https://www.elastic.co/docs/reference/beats/filebeat/"
OTEL = "https://github.com/open-telemetry/opentelemetry-collector"
CONTRIB = OTEL + "-contrib/tree/main/"

OPTIONS = {
    "vector": {
        "global": (VECTOR + "global-options/",
                   "data_dir sources transforms sinks"),
        "sources.file": (VECTOR + "sources/file/", """
            type include exclude read_from data_dir fingerprint.strategy
            fingerprint.lines fingerprint.ignored_header_bytes file_key
            glob_minimum_cooldown_ms host_key ignore_checkpoints
            ignore_not_found ignore_older_secs line_delimiter max_line_bytes
            max_read_bytes multiline offset_key oldest_first
            remove_after_secs rotate_wait_secs encoding.charset"""),
        "transforms.remap": (VECTOR + "transforms/remap/", """
            type inputs source file files timezone drop_on_error
            drop_on_abort reroute_dropped metric_tags_values runtime"""),
        "sinks.clickhouse": (VECTOR + "sinks/clickhouse/", """
            type inputs endpoint database table skip_unknown_fields
            date_time_best_effort insert_random_shard format compression
            auth.strategy auth.user auth.password batch.max_bytes
            batch.max_events batch.timeout_secs buffer.type buffer.max_size
            buffer.max_events buffer.when_full acknowledgements.enabled
            encoding.timestamp_format encoding.only_fields
            encoding.except_fields request tls healthcheck"""),
        "sinks.file": (VECTOR + "sinks/file/", """
            type inputs path idle_timeout_secs compression encoding.codec
            framing timezone buffer acknowledgements.enabled"""),
    },
    "fluent-bit": {
        "service": (FLUENT + "administration/configuring-fluent-bit/yaml/"
                    "service-section", """
            flush grace daemon dns.mode log_file log_level parsers_file
            plugins_file streams_file http_server http_listen http_port
            hot_reload coro_stack_size scheduler.cap scheduler.base
            json.convert_nan_to_null storage.path storage.sync
            storage.checksum storage.max_chunks_up
            storage.backlog.mem_limit storage.metrics
            storage.delete_irrecoverable_chunks storage.keep.rejected"""),
        "parsers": (FLUENT + "data-pipeline/parsers/configuring-parser", """
            name format regex time_key time_format time_offset time_keep
            time_system_timezone time_strict types decode_field
            decode_field_as skip_empty_values"""),
        "inputs.tail": (FLUENT + "data-pipeline/inputs/tail", """
            name tag buffer_chunk_size buffer_max_size path path_key
            exclude_path offset_key read_from_head read_newly_discovered
            refresh_interval rotate_wait ignore_older skip_long_lines
            skip_empty_lines db db.sync db.locking db.journal_mode
            db.compare_filename mem_buf_limit exit_on_eof parser key
            inotify_watcher tag_regex static_batch_size storage.type
            threaded multiline.parser"""),
        "outputs.bigquery": (FLUENT + "data-pipeline/outputs/bigquery", """
            name match retry_limit storage.total_limit_size
            google_service_credentials project_id dataset_id table_id
            skip_invalid_rows ignore_unknown_values
            enable_workload_identity_federation aws_region project_number
            pool_id provider_id google_service_account workers"""),
        "outputs.splunk": (FLUENT + "data-pipeline/outputs/splunk", """
            name match retry_limit storage.total_limit_size host port tls
            tls.verify tls.ca_file splunk_token http_user http_passwd
            http_buffer_size compress channel http_debug_bad_request workers
            splunk_send_raw event_key event_host event_source
            event_sourcetype event_sourcetype_key event_index
            event_index_key event_field"""),
    },
    "filebeat": {
        "filestream": (ELASTIC + "filebeat-input-filestream", """
            type id paths enabled file_identity.fingerprint
            prospector.scanner.fingerprint.length message_max_bytes
            buffer_size encoding compression exclude_lines include_lines
            harvester_limit index tags fields clean_inactive clean_removed
            close.on_state_change.inactive parsers[].ndjson.target
            parsers[].ndjson.overwrite_keys parsers[].ndjson.expand_keys
            parsers[].ndjson.add_error_key parsers[].ndjson.message_key
            parsers[].ndjson.document_id
            parsers[].ndjson.ignore_decoding_error"""),
        "drop_fields": (ELASTIC + "drop-fields", "fields ignore_missing"),
        "queue.disk": (ELASTIC + "configuring-internal-queue", """
            max_size path segment_size read_ahead write_ahead
            retry_interval max_retry_interval"""),
        "output.elasticsearch": (ELASTIC + "elasticsearch-output", """
            hosts api_key username password enabled index indices pipeline
            protocol path headers proxy_url compression_level worker
            loadbalance max_retries bulk_max_size backoff.init backoff.max
            timeout ssl escape_html"""),
        "setup.template": (ELASTIC + "configuration-template", """
            enabled type name pattern overwrite settings fields append_fields
            priority"""),
    },
    "otel": {
        "file_log": (CONTRIB + "receiver/filelogreceiver", """
            include exclude exclude_older_than start_at multiline
            force_flush_period encoding include_file_name include_file_path
            poll_interval fingerprint_size initial_buffer_size max_log_size
            max_concurrent_files max_batches delete_after_read
            acquire_fs_lock attributes resource operators storage
            retry_on_failure.enabled retry_on_failure.initial_interval
            retry_on_failure.max_interval
            retry_on_failure.max_elapsed_time"""),
        "json_parser": (CONTRIB + "pkg/stanza/docs/operators/json_parser.md",
                        """
            type id output parse_from parse_to on_error if parse_ints
            timestamp.parse_from timestamp.layout_type timestamp.layout
            timestamp.location severity"""),
        "file_storage": (CONTRIB + "extension/storage/filestorage", """
            directory timeout compaction fsync create_directory
            recreate max_size"""),
        "filter": (CONTRIB + "processor/filterprocessor",
                   "error_mode logs.log_record"),
        "transform": (CONTRIB + "processor/transformprocessor", """
            error_mode log_statements trace_statements metric_statements
            flatten_data"""),
        "batch": (OTEL + "/tree/main/processor/batchprocessor", """
            send_batch_size timeout send_batch_max_size metadata_keys
            metadata_cardinality_limit"""),
        "otlp_json": (CONTRIB + "connector/otlpjsonconnector", ""),
        "signal_to_metrics": (CONTRIB
                              + "connector/signaltometricsconnector", """
            logs[].name logs[].description logs[].unit logs[].conditions
            logs[].include_resource_attributes logs[].attributes[].key
            logs[].attributes[].optional logs[].attributes[].default_value
            logs[].histogram.buckets logs[].histogram.count
            logs[].histogram.value logs[].exponential_histogram.max_size
            logs[].exponential_histogram.count
            logs[].exponential_histogram.value logs[].sum.value
            logs[].sum.monotonic
            logs[].gauge.value"""),
        "otlp_http": (OTEL + "/tree/main/exporter/otlphttpexporter", """
            endpoint traces_endpoint metrics_endpoint logs_endpoint tls
            timeout read_buffer_size write_buffer_size encoding compression
            headers sending_queue.enabled sending_queue.storage
            sending_queue.num_consumers sending_queue.queue_size
            retry_on_failure.enabled retry_on_failure.initial_interval
            retry_on_failure.max_interval
            retry_on_failure.max_elapsed_time"""),
    },
    "nginx-otel": {
        "directives": ("https://nginx.org/en/docs/ngx_otel_module.html", """
            otel_exporter otel_service_name otel_resource_attr otel_trace
            otel_trace_context otel_span_name otel_span_attr"""),
        "otel_exporter": ("https://nginx.org/en/docs/ngx_otel_module.html", """
            endpoint trusted_certificate header interval batch_size
            batch_count"""),
    },
    "splunk": {
        "props.conf": ("https://help.splunk.com/en/splunk-enterprise/"
                       "administer/admin-manual/props.conf", """
            SHOULD_LINEMERGE LINE_BREAKER TRUNCATE CHARSET KV_MODE
            TIME_PREFIX TIME_FORMAT MAX_TIMESTAMP_LOOKAHEAD TZ
            INDEXED_EXTRACTIONS DATETIME_CONFIG AUTO_KV_JSON"""),
    },
}

# https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/
GEN_AI = set("""
    gen_ai.operation.name gen_ai.provider.name gen_ai.request.model
    gen_ai.response.model gen_ai.response.id gen_ai.response.finish_reasons
    gen_ai.conversation.id gen_ai.agent.name gen_ai.usage.input_tokens
    gen_ai.usage.cache_read.input_tokens
    gen_ai.usage.cache_creation.input_tokens gen_ai.usage.output_tokens
    gen_ai.token.type gen_ai.request.max_tokens
    gen_ai.request.stream""".split())

# https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/
GEN_AI_BUCKETS = {
    "gen_ai.client.token.usage": (
        "{token}", [4 ** n for n in range(14)]),
    "gen_ai.client.operation.duration": (
        "s", [round(0.01 * 2 ** n, 2) for n in range(14)])}


def names(system, part):
    return set(OPTIONS[system][part][1].split())


def paths(value, at=""):
    """The options that a configuration sets, by their names."""
    if isinstance(value, dict) and value:
        return [p for name, inner in value.items()
                for p in paths(inner, (at + "." if at else "") + str(name))]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [p for inner in value for p in paths(inner, at + "[]")]

    return [at] if at else []


def unknown(system, part, value):
    """Those that no list has; of an option that is in it as a whole all within is
    taken."""
    known = names(system, part)

    return [p for p in paths(value)
            if not any(p == k or p.startswith((k + ".", k + "["))
                       for k in known)]
