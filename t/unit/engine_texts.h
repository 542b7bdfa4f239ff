/*
 * engine_texts.h - metrics pages in the formats of engines, shortened where a
 * family repeats itself.
 */

#ifndef ENGINE_TEXTS_H
#define ENGINE_TEXTS_H

/* vLLM 0.32, two engines (data parallel), LoRA adapters. */
#define PAGE_VLLM                                                             \
    "# HELP python_gc_objects_collected_total Objects collected during gc\n"  \
    "# TYPE python_gc_objects_collected_total counter\n"                      \
    "python_gc_objects_collected_total{generation=\"0\"} 17731.0\n"           \
    "# HELP process_resident_memory_bytes Resident memory size in bytes.\n"   \
    "# TYPE process_resident_memory_bytes gauge\n"                            \
    "process_resident_memory_bytes 4.917608448e+09\n"                         \
    "# HELP vllm:num_requests_running Number of requests in model execution"  \
    " batches.\n"                                                             \
    "# TYPE vllm:num_requests_running gauge\n"                                \
    "vllm:num_requests_running{engine=\"0\",model_name=\"acme/m-70b\"} 5.0\n" \
    "vllm:num_requests_running{engine=\"1\",model_name=\"acme/m-70b\"} 3.0\n" \
    "# HELP vllm:num_requests_waiting Number of requests waiting to be"       \
    " processed.\n"                                                           \
    "# TYPE vllm:num_requests_waiting gauge\n"                                \
    "vllm:num_requests_waiting{engine=\"0\",model_name=\"acme/m-70b\"} 2.0\n" \
    "vllm:num_requests_waiting{engine=\"1\",model_name=\"acme/m-70b\"} 0.0\n" \
    "# TYPE vllm:num_requests_waiting_by_reason gauge\n"                      \
    "vllm:num_requests_waiting_by_reason{engine=\"0\",model_name="            \
    "\"acme/m-70b\",reason=\"capacity\"} 2.0\n"                               \
    "vllm:num_requests_waiting_by_reason{engine=\"0\",model_name="            \
    "\"acme/m-70b\",reason=\"deferred\"} 7.0\n"                               \
    "# TYPE vllm:engine_sleep_state gauge\n"                                  \
    "vllm:engine_sleep_state{engine=\"0\",model_name=\"acme/m-70b\","         \
    "sleep_state=\"awake\"} 1.0\n"                                            \
    "vllm:engine_sleep_state{engine=\"0\",model_name=\"acme/m-70b\","         \
    "sleep_state=\"weights_offloaded\"} 0.0\n"                                \
    "vllm:engine_sleep_state{engine=\"1\",model_name=\"acme/m-70b\","         \
    "sleep_state=\"awake\"} 1.0\n"                                            \
    "# TYPE vllm:kv_cache_usage_perc gauge\n"                                 \
    "vllm:kv_cache_usage_perc{engine=\"0\",model_name=\"acme/m-70b\"}"        \
    " 0.28125\n"                                                              \
    "vllm:kv_cache_usage_perc{engine=\"1\",model_name=\"acme/m-70b\"}"        \
    " 0.7431\n"                                                               \
    "# TYPE vllm:prefix_cache_hits_total counter\n"                           \
    "vllm:prefix_cache_hits_total{engine=\"0\",model_name=\"acme/m-70b\"}"    \
    " 999.0\n"                                                                \
    "# TYPE vllm:prefix_cache_hits_created gauge\n"                           \
    "vllm:prefix_cache_hits_created{engine=\"0\",model_name=\"acme/m-70b\"}"  \
    " 1.7637e+09\n"                                                           \
    "# TYPE vllm:prompt_tokens_total counter\n"                               \
    "vllm:prompt_tokens_total{engine=\"0\",model_name=\"acme/m-70b\"}"        \
    " 8.128902e+06\n"                                                         \
    "vllm:prompt_tokens_total{engine=\"1\",model_name=\"acme/m-70b\"}"        \
    " 100.0\n"                                                                \
    "# TYPE vllm:prompt_tokens_by_source_total counter\n"                     \
    "vllm:prompt_tokens_by_source_total{engine=\"0\",model_name="             \
    "\"acme/m-70b\",source=\"local_compute\"} 77.0\n"                         \
    "# TYPE vllm:prompt_tokens_cached_total counter\n"                        \
    "vllm:prompt_tokens_cached_total{engine=\"0\",model_name="                \
    "\"acme/m-70b\"} 4096.0\n"                                                \
    "vllm:prompt_tokens_cached_total{engine=\"1\",model_name="                \
    "\"acme/m-70b\"} 4.0\n"                                                   \
    "# TYPE vllm:generation_tokens_total counter\n"                           \
    "vllm:generation_tokens_total{engine=\"0\",model_name=\"acme/m-70b\"}"    \
    " 7.557572e+06\n"                                                         \
    "vllm:generation_tokens_total{engine=\"1\",model_name=\"acme/m-70b\"}"    \
    " 28.0\n"                                                                 \
    "# TYPE vllm:generation_tokens_created gauge\n"                           \
    "vllm:generation_tokens_created{engine=\"0\",model_name=\"acme/m-70b\"}"  \
    " 1.763700000001e+09\n"                                                   \
    "# TYPE vllm:time_to_first_token_seconds histogram\n"                     \
    "vllm:time_to_first_token_seconds_bucket{engine=\"0\",le=\"0.001\","      \
    "model_name=\"acme/m-70b\"} 0.0\n"                                        \
    "vllm:time_to_first_token_seconds_bucket{engine=\"0\",le=\"+Inf\","       \
    "model_name=\"acme/m-70b\"} 1314.0\n"                                     \
    "vllm:time_to_first_token_seconds_sum{engine=\"0\",model_name="           \
    "\"acme/m-70b\"} 311.52\n"                                                \
    "# TYPE vllm:lora_requests_info gauge\n"                                  \
    "vllm:lora_requests_info{max_lora=\"4\",running_lora_adapters="           \
    "\"sql,legal \\\"eu\\\"\",waiting_lora_adapters=\"{x}\"} 1.7637e+09\n"

/* vLLM 0.6: before the rename, one engine, with swapped requests. */
#define PAGE_VLLM_OLD                                                         \
    "# HELP vllm:num_requests_running Number of requests currently running"   \
    " on GPU.\n"                                                              \
    "# TYPE vllm:num_requests_running gauge\n"                                \
    "vllm:num_requests_running{model_name=\"m\"} 12.0\n"                      \
    "# TYPE vllm:num_requests_swapped gauge\n"                                \
    "vllm:num_requests_swapped{model_name=\"m\"} 2.0\n"                       \
    "# TYPE vllm:num_requests_waiting gauge\n"                                \
    "vllm:num_requests_waiting{model_name=\"m\"} 4.0\n"                       \
    "# TYPE vllm:gpu_cache_usage_perc gauge\n"                                \
    "vllm:gpu_cache_usage_perc{model_name=\"m\"} 0.93\n"                      \
    "# TYPE vllm:cpu_cache_usage_perc gauge\n"                                \
    "vllm:cpu_cache_usage_perc{model_name=\"m\"} 0.01\n"                      \
    "# TYPE vllm:prompt_tokens_total counter\n"                               \
    "vllm:prompt_tokens_total{model_name=\"m\"} 1000.0\n"                     \
    "# TYPE vllm:generation_tokens_total counter\n"                           \
    "vllm:generation_tokens_total{model_name=\"m\"} 2000.0\n"

/* SGLang of 2025: one scheduler, no ranks. */
#define PAGE_SGLANG_OLD                                                       \
    "# HELP sglang:prompt_tokens_total Number of prefill tokens processed.\n" \
    "# TYPE sglang:prompt_tokens_total counter\n"                             \
    "sglang:prompt_tokens_total{model_name=\"acme/8b\"} 8.128902e+06\n"       \
    "# TYPE sglang:generation_tokens_total counter\n"                         \
    "sglang:generation_tokens_total{model_name=\"acme/8b\"} 7.557572e+06\n"   \
    "# TYPE sglang:token_usage gauge\n"                                       \
    "sglang:token_usage{model_name=\"acme/8b\"} 0.28\n"                       \
    "# TYPE sglang:cache_hit_rate gauge\n"                                    \
    "sglang:cache_hit_rate{model_name=\"acme/8b\"} 0.007507552643049313\n"    \
    "# TYPE sglang:num_running_reqs gauge\n"                                  \
    "sglang:num_running_reqs{model_name=\"acme/8b\"} 162.0\n"                 \
    "# TYPE sglang:gen_throughput gauge\n"                                    \
    "sglang:gen_throughput{model_name=\"acme/8b\"} 86.50814177726902\n"       \
    "# TYPE sglang:num_queue_reqs gauge\n"                                    \
    "sglang:num_queue_reqs{model_name=\"acme/8b\"} 2826.0\n"

/* SGLang of 2026: two replicas (dp), two ranks each, priorities. */
#define SGL(n, dp, tp)                                                        \
    n "{engine_type=\"unified\",model_name=\"q\",moe_ep_rank=\"0\","          \
    "pp_rank=\"0\",tp_rank=\"" tp "\"" dp "} "

#define PAGE_SGLANG                                                           \
    "# TYPE sglang:num_running_reqs gauge\n"                                  \
    SGL("sglang:num_running_reqs", ",dp_rank=\"0\",priority=\"\"", "0")       \
    "4.0\n"                                                                   \
    SGL("sglang:num_running_reqs", ",dp_rank=\"0\",priority=\"5\"", "0")      \
    "3.0\n"                                                                   \
    SGL("sglang:num_running_reqs", ",dp_rank=\"1\",priority=\"\"", "2")       \
    "6.0\n"                                                                   \
    "# TYPE sglang:num_queue_reqs gauge\n"                                    \
    SGL("sglang:num_queue_reqs", ",dp_rank=\"0\"", "0") "1.0\n"               \
    SGL("sglang:num_queue_reqs", ",dp_rank=\"1\"", "2") "0.0\n"               \
    "# TYPE sglang:token_usage gauge\n"                                       \
    SGL("sglang:token_usage", ",dp_rank=\"0\"", "0") "0.51\n"                 \
    SGL("sglang:token_usage", ",dp_rank=\"1\"", "2") "0.62\n"                 \
    "# TYPE sglang:gen_throughput gauge\n"                                    \
    SGL("sglang:gen_throughput", ",dp_rank=\"0\"", "0") "100.25\n"            \
    SGL("sglang:gen_throughput", ",dp_rank=\"1\"", "2") "50.0\n"              \
    "# TYPE sglang:realtime_tokens_total counter\n"                           \
    SGL("sglang:realtime_tokens_total",                                       \
        ",dp_rank=\"0\",mode=\"prefill_compute\"", "0") "500.0\n"             \
    SGL("sglang:realtime_tokens_total",                                       \
        ",dp_rank=\"0\",mode=\"prefill_cache\"", "0") "200.0\n"               \
    SGL("sglang:realtime_tokens_total", ",dp_rank=\"0\",mode=\"decode\"",     \
        "0") "900.0\n"                                                        \
    SGL("sglang:realtime_tokens_total", ",dp_rank=\"1\",mode=\"decode\"",     \
        "2") "100.0\n"                                                        \
    "# TYPE sglang:prompt_tokens_total counter\n"                             \
    "sglang:prompt_tokens_total{model_name=\"q\"} 650.0\n"                    \
    "# TYPE sglang:generation_tokens_total counter\n"                         \
    "sglang:generation_tokens_total{is_streaming=\"true\",model_name=\"q\"}"  \
    " 800.0\n"                                                                \
    "# TYPE sglang:cached_tokens_total counter\n"                             \
    "sglang:cached_tokens_total{cache_source=\"device\",model_name=\"q\"}"    \
    " 180.0\n"

/* One replica whose two tensor ranks both report. */
#define PAGE_SGLANG_RANKS                                                     \
    SGL("sglang:num_running_reqs", "", "0") "4.0\n"                           \
    SGL("sglang:num_running_reqs", "", "1") "4.0\n"

#define PAGE_LLAMACPP                                                         \
    "# HELP llamacpp:prompt_tokens_total Number of prompt tokens"             \
    " processed.\n"                                                           \
    "# TYPE llamacpp:prompt_tokens_total counter\n"                           \
    "llamacpp:prompt_tokens_total 1234\n"                                     \
    "# TYPE llamacpp:prompt_seconds_total counter\n"                          \
    "llamacpp:prompt_seconds_total 7.591\n"                                   \
    "# TYPE llamacpp:tokens_predicted_total counter\n"                        \
    "llamacpp:tokens_predicted_total 4321\n"                                  \
    "# TYPE llamacpp:tokens_predicted_seconds_total counter\n"                \
    "llamacpp:tokens_predicted_seconds_total 61.2\n"                          \
    "# TYPE llamacpp:n_decode_total counter\n"                                \
    "llamacpp:n_decode_total 4400\n"                                          \
    "# TYPE llamacpp:n_busy_slots_per_decode gauge\n"                         \
    "llamacpp:n_busy_slots_per_decode 1.5\n"                                  \
    "# TYPE llamacpp:prompt_tokens_seconds gauge\n"                           \
    "llamacpp:prompt_tokens_seconds 162.561\n"                                \
    "# TYPE llamacpp:predicted_tokens_seconds gauge\n"                        \
    "llamacpp:predicted_tokens_seconds 70.6046\n"                             \
    "# TYPE llamacpp:requests_processing gauge\n"                             \
    "llamacpp:requests_processing 2\n"                                        \
    "# TYPE llamacpp:requests_deferred gauge\n"                               \
    "llamacpp:requests_deferred 3\n"

#define PAGE_LLAMACPP_OLD                                                     \
    PAGE_LLAMACPP                                                             \
    "# TYPE llamacpp:kv_cache_usage_ratio gauge\n"                            \
    "llamacpp:kv_cache_usage_ratio 0.125\n"                                   \
    "# TYPE llamacpp:kv_cache_tokens gauge\n"                                 \
    "llamacpp:kv_cache_tokens 512\n"

#define PAGE_TGI                                                              \
    "# TYPE tgi_batch_inference_count counter\n"                              \
    "tgi_batch_inference_count{method=\"prefill\"} 10\n"                      \
    "tgi_batch_inference_count{method=\"decode\"} 1190\n"                     \
    "\n"                                                                      \
    "# TYPE tgi_batch_current_size gauge\n"                                   \
    "tgi_batch_current_size 4\n"                                              \
    "\n"                                                                      \
    "# TYPE tgi_queue_size gauge\n"                                           \
    "tgi_queue_size 7\n"                                                      \
    "\n"                                                                      \
    "# TYPE tgi_request_generated_tokens histogram\n"                         \
    "tgi_request_generated_tokens_bucket{le=\"1\"} 0\n"                       \
    "tgi_request_generated_tokens_bucket{le=\"+Inf\"} 44\n"                   \
    "tgi_request_generated_tokens_sum 8123\n"                                 \
    "tgi_request_generated_tokens_count 44\n"                                 \
    "\n"                                                                      \
    "# TYPE tgi_request_input_length histogram\n"                             \
    "tgi_request_input_length_bucket{le=\"+Inf\"} 44\n"                       \
    "tgi_request_input_length_sum 5120\n"                                     \
    "tgi_request_input_length_count 44\n"

#define PAGE_TRITON                                                           \
    "# HELP nv_inference_request_success Number of successful inference"      \
    " requests, all batch sizes\n"                                            \
    "# TYPE nv_inference_request_success counter\n"                           \
    "nv_inference_request_success{model=\"ensemble\",version=\"1\"} 44\n"     \
    "# TYPE nv_gpu_utilization gauge\n"                                       \
    "nv_gpu_utilization{gpu_uuid=\"GPU-3c5d\"} 0.97\n"                        \
    "nv_gpu_utilization{gpu_uuid=\"GPU-99aa\"} 0.5\n"                         \
    "# HELP nv_trt_llm_request_metrics TRT LLM request metrics\n"             \
    "# TYPE nv_trt_llm_request_metrics gauge\n"                               \
    "nv_trt_llm_request_metrics{model=\"tensorrt_llm\","                      \
    "request_type=\"waiting\",version=\"1\"} 9\n"                             \
    "nv_trt_llm_request_metrics{model=\"tensorrt_llm\","                      \
    "request_type=\"context\",version=\"1\"} 1\n"                             \
    "nv_trt_llm_request_metrics{model=\"tensorrt_llm\","                      \
    "request_type=\"scheduled\",version=\"1\"} 21\n"                          \
    "nv_trt_llm_request_metrics{model=\"tensorrt_llm\","                      \
    "request_type=\"max\",version=\"1\"} 512\n"                               \
    "nv_trt_llm_request_metrics{model=\"tensorrt_llm\","                      \
    "request_type=\"active\",version=\"1\"} 30\n"                             \
    "# TYPE nv_trt_llm_kv_cache_block_metrics gauge\n"                        \
    "nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type=\"fraction\","     \
    "model=\"tensorrt_llm\",version=\"1\"} 0.4875\n"                          \
    "nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type=\"max\","          \
    "model=\"tensorrt_llm\",version=\"1\"} 6239\n"                            \
    "# TYPE nv_trt_llm_general_metrics gauge\n"                               \
    "nv_trt_llm_general_metrics{general_type=\"iteration_counter\","          \
    "model=\"tensorrt_llm\",version=\"1\"} 1100\n"                            \
    "nv_trt_llm_general_metrics{general_type=\"timestamp\","                  \
    "model=\"tensorrt_llm\",version=\"1\"} 1700074049\n"                      \
    "# TYPE nv_llm_input_token_len histogram\n"                               \
    "nv_llm_input_token_len_sum{model=\"tensorrt_llm\","                      \
    "response_metric_type=\"total_input_tokens\",version=\"1\"} 4100\n"       \
    "# TYPE nv_llm_output_token_len histogram\n"                              \
    "nv_llm_output_token_len_sum{model=\"tensorrt_llm\","                     \
    "response_metric_type=\"total_output_tokens\",version=\"1\"} 5200\n"

#define TRT  "{engine_type=\"trtllm\",model_name=\"nemo\"} "

#define PAGE_TRTLLM                                                           \
    "# TYPE trtllm_request_success_total counter\n"                           \
    "trtllm_request_success_total{engine_type=\"trtllm\","                    \
    "finished_reason=\"stop\",model_name=\"nemo\"} 44.0\n"                    \
    "# TYPE trtllm_kv_cache_utilization gauge\n"                              \
    "trtllm_kv_cache_utilization" TRT "0.07\n"                                \
    "trtllm_kv_cache_hit_rate" TRT "0.9\n"                                    \
    "trtllm_num_requests_running" TRT "17.0\n"                                \
    "trtllm_num_requests_waiting" TRT "1.0\n"                                 \
    "trtllm_max_num_active_requests" TRT "256.0\n"                            \
    "trtllm_prompt_tokens_total" TRT "9000.0\n"                               \
    "trtllm_generation_tokens_total" TRT "8000.0\n"                           \
    "trtllm_prompt_cached_tokens_total" TRT "1000.0\n"                        \
    "trtllm_kv_cache_gen_alloc_blocks_total" TRT "250.0\n"

#define PAGE_NIM                                                              \
    "# TYPE num_requests_running gauge\n"                                     \
    "num_requests_running{model_name=\"meta/llama3-8b-instruct\"} 2.0\n"      \
    "# TYPE num_requests_waiting gauge\n"                                     \
    "num_requests_waiting{model_name=\"meta/llama3-8b-instruct\"} 1.0\n"      \
    "# TYPE num_request_max gauge\n"                                          \
    "num_request_max{model_name=\"meta/llama3-8b-instruct\"} 2048.0\n"        \
    "# TYPE gpu_cache_usage_perc gauge\n"                                     \
    "gpu_cache_usage_perc{model_name=\"meta/llama3-8b-instruct\"} 0.33\n"     \
    "# TYPE prompt_tokens_total counter\n"                                    \
    "prompt_tokens_total{model_name=\"meta/llama3-8b-instruct\"} 603.0\n"     \
    "# TYPE generation_tokens_total counter\n"                                \
    "generation_tokens_total{model_name=\"meta/llama3-8b-instruct\"} 997.0\n"

/* NIM 2: vLLM's names inside. */
#define PAGE_NIM_2                                                            \
    "# TYPE num_request_max gauge\n"                                          \
    "num_request_max{model_name=\"g\"} 1024.0\n"                              \
    "# TYPE vllm:num_requests_running gauge\n"                                \
    "vllm:num_requests_running{engine=\"0\",model_name=\"g\"} 3.0\n"          \
    "# TYPE vllm:num_requests_waiting gauge\n"                                \
    "vllm:num_requests_waiting{engine=\"0\",model_name=\"g\"} 2.0\n"          \
    "# TYPE vllm:kv_cache_usage_perc gauge\n"                                 \
    "vllm:kv_cache_usage_perc{engine=\"0\",model_name=\"g\"} 0.5\n"

#define DCGM(n, i, more)                                                      \
    n "{gpu=\"" i "\",UUID=\"GPU-" i "\",pci_bus_id=\"00000000:0" i           \
    ":00.0\",device=\"nvidia" i "\",modelName=\"NVIDIA H100 80GB HBM3\""      \
    more "} "

#define DCGM_HOST  ",Hostname=\"gpu-a\""

/* Two whole GPUs; two pods share the second. */
#define PAGE_DCGM                                                             \
    "# HELP DCGM_FI_DEV_SM_CLOCK SM clock frequency (in MHz).\n"              \
    "# TYPE DCGM_FI_DEV_SM_CLOCK gauge\n"                                     \
    DCGM("DCGM_FI_DEV_SM_CLOCK", "0", DCGM_HOST) "1980\n"                     \
    "# TYPE DCGM_FI_DEV_GPU_TEMP gauge\n"                                     \
    DCGM("DCGM_FI_DEV_GPU_TEMP", "0", DCGM_HOST) "51\n"                       \
    "# TYPE DCGM_FI_DEV_POWER_USAGE gauge\n"                                  \
    DCGM("DCGM_FI_DEV_POWER_USAGE", "0", DCGM_HOST) "412.250000\n"            \
    DCGM("DCGM_FI_DEV_POWER_USAGE", "1", DCGM_HOST ",pod=\"a\"")              \
    "100.5\n"                                                                 \
    DCGM("DCGM_FI_DEV_POWER_USAGE", "1", DCGM_HOST ",pod=\"b\"")              \
    "100.5\n"                                                                 \
    "# TYPE DCGM_FI_DEV_GPU_UTIL gauge\n"                                     \
    DCGM("DCGM_FI_DEV_GPU_UTIL", "0", DCGM_HOST) "97\n"                       \
    DCGM("DCGM_FI_DEV_GPU_UTIL", "1", DCGM_HOST ",pod=\"a\"") "41\n"          \
    DCGM("DCGM_FI_DEV_GPU_UTIL", "1", DCGM_HOST ",pod=\"b\"") "41\n"          \
    "# TYPE DCGM_FI_DEV_FB_FREE gauge\n"                                      \
    DCGM("DCGM_FI_DEV_FB_FREE", "0", DCGM_HOST) "5690\n"                      \
    DCGM("DCGM_FI_DEV_FB_FREE", "1", DCGM_HOST ",pod=\"a\"") "70000\n"        \
    DCGM("DCGM_FI_DEV_FB_FREE", "1", DCGM_HOST ",pod=\"b\"") "70000\n"        \
    "# TYPE DCGM_FI_DEV_FB_USED gauge\n"                                      \
    DCGM("DCGM_FI_DEV_FB_USED", "0", DCGM_HOST) "75310\n"                     \
    DCGM("DCGM_FI_DEV_FB_USED", "1", DCGM_HOST ",pod=\"a\"") "11000\n"        \
    DCGM("DCGM_FI_DEV_FB_USED", "1", DCGM_HOST ",pod=\"b\"") "11000\n"        \
    "# TYPE DCGM_FI_PROF_GR_ENGINE_ACTIVE gauge\n"                            \
    DCGM("DCGM_FI_PROF_GR_ENGINE_ACTIVE", "0", DCGM_HOST) "0.88\n"

#define DCGM_SLICE(id)                                                        \
    ",GPU_I_PROFILE=\"3g.40gb\",GPU_I_ID=\"" id "\",hostname=\"gpu-b\""

/* One GPU that is cut into two slices: the label is hostname by now. */
#define PAGE_DCGM_MIG                                                         \
    "# TYPE DCGM_FI_DEV_POWER_USAGE gauge\n"                                  \
    DCGM("DCGM_FI_DEV_POWER_USAGE", "0", DCGM_SLICE("1")) "300.0\n"           \
    DCGM("DCGM_FI_DEV_POWER_USAGE", "0", DCGM_SLICE("2")) "300.0\n"           \
    "# TYPE DCGM_FI_DEV_FB_USED gauge\n"                                      \
    DCGM("DCGM_FI_DEV_FB_USED", "0", DCGM_SLICE("1")) "30000\n"               \
    DCGM("DCGM_FI_DEV_FB_USED", "0", DCGM_SLICE("2")) "1000\n"                \
    DCGM("DCGM_FI_DEV_FB_USED", "0", ",hostname=\"gpu-b\"") "31000\n"         \
    "# TYPE DCGM_FI_DEV_FB_FREE gauge\n"                                      \
    DCGM("DCGM_FI_DEV_FB_FREE", "0", DCGM_SLICE("1")) "10000\n"               \
    DCGM("DCGM_FI_DEV_FB_FREE", "0", DCGM_SLICE("2")) "39000\n"               \
    "# TYPE DCGM_FI_PROF_GR_ENGINE_ACTIVE gauge\n"                            \
    DCGM("DCGM_FI_PROF_GR_ENGINE_ACTIVE", "0", DCGM_SLICE("1")) "0.8\n"       \
    DCGM("DCGM_FI_PROF_GR_ENGINE_ACTIVE", "0", DCGM_SLICE("2")) "0.2\n"

#endif /* ENGINE_TEXTS_H */
