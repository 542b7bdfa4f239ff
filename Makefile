# Tollgate.
#
#   make demo                  a metered provider on a local port: see dollars
#   make test                  everything, on what Debian 12 has
#
#   make                       the modules of both servers and llmctl
#   make install               what was built, llmctl, prices, docs (DESTDIR=, PREFIX=)
#   make corpus CORPUS=DIR     replays recorded traffic through a real server
#   make bench                 measurements, one line a figure (ROWS="httpd core")
#   make bench-anomalies       what reports find of planted anomalies, and how soon
#   make bench-balance         balancing, beside nginx' own and an oracle
#   make bench-report          cost logs read by llmctl report
#   make fuzz SECONDS=60       each fuzzer for that long
#   make asan                  the test run on a sanitized build
#   make torture SECONDS=60    ledger, backends, fleet and servers under kill -9
#   make test-warehouse        conf-examples/sql in DuckDB and ClickHouse, from PyPI
#   make test-otel OTELCOL=path    otel-collector.yaml in a collector of "contrib"
#   make test-llama LLAMA_SERVER=path MODEL=path.gguf    balancing a real engine
#   make behave-mpm            httpd's tests on its other MPMs, worker and prefork
#   make memcheck              the unit tests under valgrind
#
# NGINX_SRC=DIR builds against any nginx source tree instead of nginx-dev.
# CC=clang works too.

SHELL       = /bin/bash
PYTHON      = /usr/bin/python3
# Tests mostly wait: as many at a time.
JOBS        = $(shell expr 2 '*' $$(nproc))
PYTEST      = $(PYTHON) -m pytest -q
BEHAVE      = $(PYTEST) -n $(JOBS) -m "not quiet" t/behave \
              && $(PYTEST) -m quiet t/behave
BUILD       = build

CC          = gcc
WARN        = -Wall -Wextra -Wconversion -Wformat=2 -Werror
# What dpkg-buildflags gives with hardening=+all.
HARDEN      = -g -O2 -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIC
HARDEN_LD   = -Wl,-z,relro -Wl,-z,now
SAN         =
SECONDS     = 60
SERVER      = nginx
CFLAGS      = $(HARDEN)
ALL_CFLAGS  = -std=gnu11 $(CFLAGS) $(WARN) $(SAN) -Icommon
ALL_LIBS    = $(HARDEN_LD) -ljansson -lcrypto -lpcre2-8 -lm

# Debian's places, which the examples name.
DESTDIR     =
PREFIX      = /usr
NGX_MODULES = /usr/lib/nginx/modules
APX_MODULES = /usr/lib/apache2/modules
NGX_CONF    = /etc/nginx

CORE_SRC    = $(sort $(wildcard common/*.c))
CORE_HDR    = $(wildcard common/*.h common/*.def)
CORE_OBJ    = $(CORE_SRC:common/%.c=$(BUILD)/core/%.o)
CORE        = $(BUILD)/libtg.a
# Redis with TLS where hiredis has it.
HIREDIS_TLS = $(wildcard /usr/include/hiredis/hiredis_ssl.h)
REDIS_FLAGS = $(if $(HIREDIS_TLS),-DTG_REDIS_TLS)
REDIS_LIBS  = -lhiredis $(if $(HIREDIS_TLS),-lhiredis_ssl -lssl)
# What both servers do alike with a library or a system call.
HOSTED_LIBS = -lz -lcurl -lmaxminddb $(REDIS_LIBS)
HOSTED      = $(BUILD)/libtg-hosted.a
HOSTED_OBJ  = $(patsubst hosted/%.c,$(BUILD)/hosted/%.o,$(wildcard hosted/*.c))
# llmctl, and what its reports are made by.
ISAL        = $(wildcard /usr/include/isa-l.h)
CLI_LIBS    = $(if $(ISAL),-lisal)
CLI_OBJ     = $(patsubst cli/%.c,$(BUILD)/cli/%.o,$(wildcard cli/*.c cli/report/*/*.c))
CLI_FLAGS   = -Ihosted -Icli -Icli/report $(if $(ISAL),-DTG_ISAL)
REPORT      = $(BUILD)/libreport.a
UNIT        = $(patsubst t/unit/%.c,$(BUILD)/unit/%,$(wildcard t/unit/test_*.c))
FUZZ        = $(patsubst t/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard t/fuzz/fuzz_*.c))
NGX_SO      = $(BUILD)/nginx/ngx_http_llm_module.so
NGX_UP_SO   = $(BUILD)/nginx/ngx_http_llm_upstream_module.so
APX_SO      = $(BUILD)/apache/mod_llm.so
APX_UP_SO   = $(BUILD)/apache/mod_llm_upstream.so

DEPS        = gcc make nginx nginx-dev apache2 apache2-dev libjansson-dev libssl-dev libpcre2-dev libcurl4-openssl-dev \
              libmaxminddb-dev zlib1g-dev libisal-dev libhiredis-dev redis-server libcmocka-dev python3-pytest \
              python3-jsonschema python3-pytest-xdist python3-selenium chromium chromium-driver \
              python3-yaml jq sqlite3 prometheus curl openssl libxslt1-dev libgd-dev tzdata

.PHONY: all core nginx apache unit behave behave-mpm sdk boundary reference reference-check demo screenshot torture \
        test calendar corpus bench bench-anomalies bench-balance bench-report fuzz asan memcheck deps clean install \
        test-llama test-otel test-warehouse

all: nginx apache $(BUILD)/llmctl

# Debian's packages, where they are not there yet.
deps:
	@missing=$$(dpkg-query -W -f '$${Package} $${Status}\n' $(DEPS) $(MORE) \
	        2>/dev/null | awk '/install ok installed/ { print $$1 }' \
	        | sort | comm -13 - <(printf '%s\n' $(DEPS) $(MORE) | sort)); \
	if [ -n "$$missing" ]; then \
	    sudo=$$([ $$(id -u) = 0 ] || echo sudo); \
	    $$sudo apt-get update -q && DEBIAN_FRONTEND=noninteractive \
	    $$sudo apt-get install -q -y --no-install-recommends $$missing; \
	fi

core: $(CORE)

$(BUILD)/core/%.o: common/%.c $(CORE_HDR)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c $< -o $@

$(CORE): $(CORE_OBJ)
	rm -f $@ && ar rcs $@ $^

$(BUILD)/hosted/%.o: hosted/%.c $(CORE_HDR) $(wildcard hosted/*.h)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(REDIS_FLAGS) -c $< -o $@

$(HOSTED): $(HOSTED_OBJ)
	rm -f $@ && ar rcs $@ $^

nginx: $(NGX_SO)

# Both modules; the companion's is put in its place first.
$(NGX_SO): config $(wildcard ngx_module/* hosted/*) $(CORE_SRC) $(CORE_HDR)
	NGINX_SRC='$(NGINX_SRC)' SAN='$(SAN)' CC='$(CC)' \
	    ngx_module/build.sh $(BUILD)/nginx dynamic

apache: $(APX_SO) $(APX_UP_SO)

$(APX_SO) $(APX_UP_SO) &: $(wildcard apache_module/* hosted/*) $(CORE) $(CORE_HDR)
	LIBTG='$(CURDIR)/$(CORE)' SAN='$(SAN)' CC='$(CC)' \
	    apache_module/build.sh $(BUILD)/apache

$(BUILD)/cli/%.o: cli/%.c $(CORE_HDR) $(wildcard hosted/*.h cli/*.h cli/report/*.h cli/report/*/*.h)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(CLI_FLAGS) -c $< -o $@

# All of llmctl but its main().
$(REPORT): $(filter-out $(BUILD)/cli/llmctl.o,$(CLI_OBJ))
	rm -f $@ && ar rcs $@ $^

$(BUILD)/llmctl: $(BUILD)/cli/llmctl.o $(REPORT) $(HOSTED) $(CORE)
	$(CC) $(ALL_CFLAGS) $^ -o $@ $(HOSTED_LIBS) $(CLI_LIBS) -lpthread $(ALL_LIBS)

$(BUILD)/unit/%: t/unit/%.c $(HOSTED) $(CORE) $(wildcard t/unit/*.h)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Ihosted -It/unit $< -o $@ $(HOSTED) $(CORE) \
	    -lcmocka $(HOSTED_LIBS) $(ALL_LIBS)

$(BUILD)/unit/test_report_%: t/unit/test_report_%.c $(REPORT) $(HOSTED) $(CORE)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(CLI_FLAGS) -It/unit $< -o $@ $(REPORT) $(HOSTED) \
	    $(CORE) -lcmocka $(HOSTED_LIBS) $(CLI_LIBS) -lpthread $(ALL_LIBS)

# The ledger: near a cap, full of what clients make up, and under processes that
# are killed at random; backends and a fleet, in the same way.  Then the same of both
# servers (TORTURE="nginx").
TORTURE     = nginx httpd

torture: $(BUILD)/ledger_cap $(BUILD)/ledger_crowd $(BUILD)/ledger_torture \
         $(BUILD)/torture/backend_torture \
         $(BUILD)/fleet_torture $(BUILD)/unit/test_fleet \
         $(BUILD)/unit/test_fleet_histories nginx apache \
         $(patsubst %,$(BUILD)/torture/%,provider clients look look_fleet)
	$(BUILD)/ledger_cap
	$(BUILD)/ledger_crowd
	$(BUILD)/ledger_torture 8 $(SECONDS)
	$(BUILD)/torture/backend_torture 8 $(SECONDS)
	t/torture/script.sh $(BUILD)/unit
	$(BUILD)/fleet_torture $(SECONDS)
	for s in $(TORTURE); do \
	    $(PYTHON) t/torture/servers.py $$s --seconds $(SECONDS) || exit 1; \
	done

$(BUILD)/torture/%: t/torture/%.c $(HOSTED) $(CORE)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Ihosted $< -o $@ $(HOSTED) $(CORE) $(HOSTED_LIBS) \
	    -lpthread $(ALL_LIBS)

$(BUILD)/ledger_torture: t/torture/ledger_truth.c t/torture/ledger_torture.h

$(BUILD)/ledger_%: t/torture/ledger_%.c $(HOSTED) $(CORE)
	$(CC) $(ALL_CFLAGS) -Ihosted -It/unit $(filter %.c,$^) -o $@ $(HOSTED) \
	    $(CORE) $(HOSTED_LIBS) -lpthread -lm $(ALL_LIBS)

$(BUILD)/fleet_torture: $(wildcard t/torture/fleet_*) $(HOSTED) $(CORE)
	$(CC) $(ALL_CFLAGS) -Ihosted $(filter %.c,$^) -o $@ $(HOSTED) $(CORE) $(HOSTED_LIBS) \
	    -lpthread $(ALL_LIBS)

unit: $(UNIT) $(BUILD)/torture/backend_torture
	@for t in $(UNIT); do $$t || exit 1; done
	@$(BUILD)/torture/backend_torture 4 2

memcheck: $(UNIT)
	@for t in $(UNIT); do \
	    valgrind -q --error-exitcode=9 --leak-check=full \
	        --suppressions=t/unit/valgrind.supp $$t || exit 1; \
	done

# The core knows no server, and no more of libc than it should.
boundary: $(CORE)
	t/boundary.sh $(CORE)

# The picture in the README, by a real Chromium.
screenshot: nginx $(BUILD)/screenshot/month
	$(PYTHON) t/screenshot/shoot.py $(BUILD)/screenshot/month docs/status.png

$(BUILD)/screenshot/%: t/screenshot/%.c $(HOSTED) $(CORE)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Ihosted $< -o $@ $(HOSTED) $(CORE) $(HOSTED_LIBS) \
	    -lpthread $(ALL_LIBS)

reference: $(BUILD)/llmctl
	$(BUILD)/llmctl reference md > docs/directives.md
	$(BUILD)/llmctl reference man > docs/tollgate.5
	$(BUILD)/llmctl reference man1 > docs/llmctl.1

reference-check: $(BUILD)/llmctl
	$(BUILD)/llmctl reference md | diff -u docs/directives.md -
	$(BUILD)/llmctl reference man | diff -u docs/tollgate.5 -
	$(BUILD)/llmctl reference man1 | diff -u docs/llmctl.1 -

# Windows by calendar, held against Python's zoneinfo.
calendar: $(BUILD)/windows
	$(PYTHON) t/calendar/compare.py $(BUILD)/windows

$(BUILD)/windows: t/calendar/windows.c $(CORE)
	$(CC) $(ALL_CFLAGS) $< -o $@ $(CORE) $(ALL_LIBS)

t/behave/node_modules/.done: t/behave/package-lock.json
	cd t/behave && npm ci --no-audit --no-fund --silent && touch $(@:t/behave/%=%)

sdk:
	@command -v npm > /dev/null || $(MAKE) deps MORE='nodejs npm'
	$(MAKE) t/behave/node_modules/.done

# What make test does not take, for Debian does not have it: the databases that
# conf-examples/sql is written for.
test-warehouse: all $(BUILD)/py/.done
	$(PYTEST) t/behave/test_sql.py

test-otel: all
	@[ -x '$(OTELCOL)' ] || { echo "OTELCOL=path of a collector"; exit 1; }
	TG_OTELCOL=$(abspath $(OTELCOL)) $(PYTEST) t/behave/test_collector.py

$(BUILD)/py/.done: t/shipping/requirements.txt
	@$(PYTHON) -m pip --version > /dev/null || $(MAKE) deps MORE=python3-pip
	$(PYTHON) -m pip install -q --no-deps --upgrade --root-user-action=ignore \
	    --target $(@D) -r $<
	touch $@

# Log daemons beside the machine's own.
$(BUILD)/shippers/.done: t/shipping/packages
	rm -rf $(@D) && mkdir -p $(@D)/deb
	cd $(@D)/deb && { apt-get download -q $$(cat $(CURDIR)/$<) || { \
	    sudo=$$([ $$(id -u) = 0 ] || echo sudo); $$sudo apt-get update -q && \
	    apt-get download -q $$(cat $(CURDIR)/$<); }; }
	for deb in $(@D)/deb/*.deb; do dpkg-deb -x $$deb $(@D) || exit 1; done
	touch $@

# What tests run beside the servers.
BESIDE      = $(BUILD)/shippers/.done $(BUILD)/translate $(BUILD)/bench/engine \
              $(BUILD)/report/lines

behave: all sdk $(BESIDE)
	$(BEHAVE)

# httpd's other ways to run children; behave has mpm_event.
behave-mpm: apache $(BUILD)/llmctl sdk $(BESIDE)
	@export TG_SERVER=httpd; \
	for mpm in worker prefork; do \
	    echo "mpm_$$mpm"; \
	    export TG_HTTPD_MPM=$$mpm; \
	    $(BEHAVE) || exit 1; \
	done

# A real llama.cpp server: LLAMA_SERVER=path MODEL=path.gguf
test-llama: all
	LLAMA_SERVER='$(LLAMA_SERVER)' MODEL='$(MODEL)' \
	    $(PYTHON) -m pytest -q t/behave/test_llama.py

test: deps
	$(MAKE) all boundary reference-check unit calendar
	$(MAKE) behave

demo: deps
	$(MAKE) -s all
	$(PYTHON) cli/demo $(SERVER) $(if $(WATCH),--watch)

# A request translated, for t/behave/test_translation.py.
$(BUILD)/translate: t/translate/translate.c $(CORE)
	$(CC) $(ALL_CFLAGS) $< -o $@ $(CORE) $(ALL_LIBS)

$(BUILD)/corpus-%: t/corpus/%.c $(CORE) $(wildcard t/unit/*.h)
	$(CC) $(ALL_CFLAGS) -It/unit $< -o $@ $(CORE) $(ALL_LIBS)

corpus: all sdk \
        $(patsubst %,$(BUILD)/corpus-%,offline oracle splice translate)
	$(BUILD)/corpus-offline $(CORPUS)
	$(BUILD)/corpus-offline --splits $(CORPUS)
	$(BUILD)/corpus-offline --bounds prices/default.json $(CORPUS)
	$(BUILD)/corpus-oracle $(CORPUS)
	$(BUILD)/corpus-splice $(CORPUS)
	rm -rf $(BUILD)/translated && mkdir -p $(BUILD)/translated
	$(BUILD)/corpus-translate --out $(BUILD)/translated $(CORPUS)
	node t/behave/sdk/translated.mjs $(BUILD)/translated $(CORPUS)
	$(PYTHON) t/corpus/replay.py --server nginx --corpus $(CORPUS) \
	    --lines $(BUILD)/corpus-nginx.log
	$(PYTHON) t/corpus/replay.py --server apache --corpus $(CORPUS) \
	    --lines $(BUILD)/corpus-apache.log
	$(PYTHON) t/corpus/compare.py $(BUILD)/corpus-nginx.log \
	    $(BUILD)/corpus-apache.log

# A server of models without a GPU; libc is all that it needs.
$(BUILD)/bench/engine: $(wildcard bench/engine/*.c) bench/engine/engine.h
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(filter %.c,$^) -o $@ $(HARDEN_LD)

$(BUILD)/bench/%: bench/%.c $(CORE)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -It/unit $< -o $@ $(CORE) $(ALL_LIBS)

bench: all $(patsubst bench/%.c,$(BUILD)/bench/%,$(wildcard bench/*.c))
	@$(MAKE) -s deps MORE=wrk
	$(PYTHON) bench/bench.py --only "$(ROWS)"

# Cost lines, as many as wanted.
$(BUILD)/report/lines: t/report/lines.c $(CORE)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $< -o $@ $(CORE) $(ALL_LIBS)

# What is found of what goes wrong with spend, and what of what does not.
bench-anomalies: $(BUILD)/llmctl
	$(PYTHON) t/report/anomaly_bench.py --llmctl $(BUILD)/llmctl

# How calls wait, by how they are spread over engines without a GPU.
bench-balance: nginx $(BUILD)/bench/engine $(BUILD)/bench/openloop
	$(PYTHON) bench/balance.py

# Cost logs read, a gigabyte; BYTES=10G makes more.
BYTES       = 1G

bench-report: $(BUILD)/llmctl $(BUILD)/report/lines
	$(PYTHON) bench/costlog.py --bytes=$(BYTES)

FUZZ_CC     = clang -std=gnu11 -g -O1 -fno-sanitize-recover=undefined -Icommon \
              -It/unit

$(BUILD)/fuzz/core/%.o: common/%.c $(CORE_HDR)
	@mkdir -p $(@D)
	$(FUZZ_CC) -fsanitize=fuzzer-no-link,address,undefined -c $< -o $@

$(BUILD)/fuzz/fuzz_costline: cli/report/line/record.c cli/report/line/scan.c

$(BUILD)/fuzz/%: t/fuzz/%.c $(CORE_SRC:common/%.c=$(BUILD)/fuzz/core/%.o)
	$(FUZZ_CC) -fsanitize=fuzzer,address,undefined $^ -o $@ -ljansson -lcrypto \
	    -lpcre2-8

fuzz:
	@$(MAKE) -s deps MORE='clang libclang-rt-14-dev'
	$(MAKE) $(FUZZ)
	@for f in $(FUZZ); do \
	    n=$$(basename $$f); n=$${n#fuzz_}; mkdir -p $(BUILD)/fuzz/corpus/$$n; \
	    echo "fuzz $$n"; \
	    $$f -max_total_time=$(SECONDS) -timeout=10 -rss_limit_mb=2048 \
	        -artifact_prefix=$(BUILD)/fuzz/$$n- -print_final_stats=1 \
	        $(BUILD)/fuzz/corpus/$$n t/fuzz/seeds/$$n 2>&1 \
	        | grep -E 'ERROR|SUMMARY|number_of_executed' ; \
	    [ $${PIPESTATUS[0]} = 0 ] || exit 1; \
	done

# The modules alone are sanitized; the servers are Debian's, with the runtime
# loaded before them: httpd's by the tests, nginx's by a script.
ASAN_FLAGS  = -fsanitize=address,undefined -fno-omit-frame-pointer
ASAN_ENV    = ASAN_OPTIONS=detect_leaks=0:abort_on_error=1 \
              UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1

asan: deps sdk $(BUILD)/llmctl $(BESIDE)
	$(ASAN_ENV) $(MAKE) BUILD=build-asan CFLAGS='-g -O1 -fPIC' \
	    SAN='$(ASAN_FLAGS)' nginx apache unit
	printf '#!/bin/sh\nexec env LD_PRELOAD=%s:%s $(ASAN_ENV) %s "$$@"\n' \
	    "$$($(CC) -print-file-name=libasan.so)" \
	    "$$($(CC) -print-file-name=libubsan.so)" "$$(command -v nginx)" \
	    > build-asan/nginx/sanitized && chmod +x build-asan/nginx/sanitized
	export TG_ASAN=1 TG_NGINX=$(CURDIR)/build-asan/nginx/sanitized \
	    TG_NGINX_MODULE=$(CURDIR)/build-asan/$(NGX_SO:$(BUILD)/%=%) \
	    TG_HTTPD_MODULE=$(CURDIR)/build-asan/$(APX_SO:$(BUILD)/%=%); \
	$(BEHAVE)

# Neither server is configured or reloaded. A module that a running one has mapped
# is replaced, not written into, as cp would.
install:
	@[ -e $(BUILD)/llmctl ] || { echo "run make first"; exit 1; }
	install -D -t $(DESTDIR)$(PREFIX)/bin $(BUILD)/llmctl
	[ ! -e $(NGX_SO) ] \
	    || install -D -m 644 -t $(DESTDIR)$(NGX_MODULES) $(NGX_SO) $(NGX_UP_SO)
	[ ! -e $(APX_SO) ] \
	    || install -D -m 644 -t $(DESTDIR)$(APX_MODULES) $(APX_SO) $(APX_UP_SO)
	install -D -m 644 prices/default.json \
	    $(DESTDIR)$(PREFIX)/share/tollgate/prices.json
	[ ! -e $(NGX_SO) ] \
	    || install -D -m 644 -t $(DESTDIR)$(NGX_CONF) conf/llm_proxy_params
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man5 docs/tollgate.5
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man1 docs/llmctl.1
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/tollgate \
	    README.md LICENSE
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/tollgate/docs \
	    docs/*.md docs/*.json docs/*.png
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/tollgate/conf-examples \
	    conf-examples/*.json
	for d in $(patsubst %/,%,$(wildcard conf-examples/*/)); do \
	    install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/tollgate/$$d \
	        $$d/* || exit 1; \
	done
	install -d $(DESTDIR)/etc/tollgate $(DESTDIR)/var/lib/tollgate

clean:
	rm -rf build build-asan
