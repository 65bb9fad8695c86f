# Roost: store-and-forward MQTT for edge nodes. `make run` shows it, `make test` proves it.
#
# Every target installs what it needs from Debian, asking nothing, and says what it does in a line.

SHELL := /bin/bash
CONFIGURATION ?= release
PREFIX ?= /usr/local
DESTDIR ?=
JOBS ?= $(shell nproc)
SEEDS ?= 1000
VENV := .build/venv

# A release build carries its Swift runtime, SQLite, LZ4 and OpenSSL along, and asks nothing of the machine but glibc;
# roost-bluetooth asks for libsystemd too, which Debian doesn't have to link into a program.
STATIC := .build/static
RELEASE := swift build -c release -j $(JOBS) -Xswiftc -static-stdlib -Xlinker -L$(CURDIR)/$(STATIC) \
	-Xlinker --no-export-dynamic -Xlinker --gc-sections

# Units and the simulation run as debug builds, which check exclusive access; end to end and conformance test what is released.
TEST := ROOST_PYTHON=$(VENV)/bin/python SWIFT_BACKTRACE=enable=no
RELEASED := ROOSTD=$(CURDIR)/.build/release/roostd ROOST=$(CURDIR)/.build/release/roost \
	ROOST_BLUETOOTH=$(CURDIR)/.build/release/roost-bluetooth

BUILD_PACKAGES := gcc g++ libsqlite3-dev liblz4-dev libssl-dev libsystemd-dev
TEST_PACKAGES := mosquitto mosquitto-clients openssl lz4 sqlite3 python3-venv python3-pymodbus python3-serial-asyncio mbpoll \
	socat dbus-daemon python3-dbusmock python3-gi
POWERLOSS_PACKAGES := gcc libc6-dev pkg-config libfuse3-dev fuse3 e2fsprogs util-linux python3
BENCH_PACKAGES := mosquitto mosquitto-clients gcc libc6-dev liblz4-dev libsqlite3-dev libssl-dev openssl lz4 zstd python3 util-linux

# How long `make soak` and `make fuzz` run, and how often `make powerloss` cuts the power.
MINUTES ?= 60
CUTS ?= 100

.PHONY: help run build store-bench test simulate mutate fuzz bench soak powerloss install uninstall format lint clean

help: ## say what there is to make
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## build, and watch a node lose nothing while its link is cut
	@echo "roost: the demo. A node and a cloud on this machine; the link will be cut."
	@.build/release/roost demo

build: ## build roostd, roost, and the bridges
	@$(call install,$(BUILD_PACKAGES))
	@mkdir -p $(STATIC)
	@for name in stdc++ sqlite3 lz4 ssl crypto; do ln -sf "$$(realpath $$(cc -print-file-name=lib$$name.a))" $(STATIC)/lib$$name.a; done
	@echo "roost: building (the first time takes some minutes)"
	@ROOST_PROGRAMS=1 $(RELEASE)

test: build ## build and run every test
	@$(call install,$(TEST_PACKAGES))
	@$(call paho)
	@echo "roost: building the tests"
	@swift build -j $(JOBS) --build-tests
	@echo "roost: testing the parts, and the whole in a simulation"
	@$(TEST) swift test --skip-build --skip '^(EndToEnd|Conformance)\.'
	@echo "roost: testing the programs, as they are released"
	@$(TEST) $(RELEASED) swift test --skip-build --filter '^(EndToEnd|Conformance)\.'

simulate: ## run SEEDS histories of a node and a cloud with every fault; SEED=n shows one
	@$(call install,$(BUILD_PACKAGES))
	@echo "roost: building the simulation"
	@swift build -j $(JOBS) --product simulate
	@SWIFT_BACKTRACE=enable=no .build/debug/simulate $(if $(SEED),--seed $(SEED),--seeds $(SEEDS)) $(SIMULATE)

mutate: ## break the code on purpose, and see that the simulation finds it
	@$(call install,$(BUILD_PACKAGES) python3)
	@Tests/Simulation/Mutations/run

fuzz: ## let libFuzzer look for bytes that break something (MINUTES=60); TARGET=broker looks at one alone
	@$(call install,$(BUILD_PACKAGES))
	@echo "roost: building with libFuzzer, beside the other builds"
	@ROOST_FUZZ=1 swift build --scratch-path .build/fuzz -c release --sanitize=fuzzer -Xswiftc -enable-testing -j $(JOBS) --product fuzz
	@Tests/Fuzz/run $(MINUTES) $(TARGET)

store-bench: build ## build what measures the store by itself
	@$(RELEASE) --product store-bench

bench: store-bench ## measure beside mosquitto, and write Benchmarks/RESULTS.md
	@$(call install,$(BENCH_PACKAGES))
	@echo "roost: measuring; keep the machine quiet for fourteen minutes"
	@Benchmarks/run

soak: build ## an hour on a link that comes and goes: what grows, what is lost (MINUTES=60)
	@echo "roost: soaking for $(MINUTES) minutes"
	@python3 Tests/EndToEnd/Scripts/soak.py --minutes $(MINUTES)

powerloss: build ## cut the power of a recorded disk at random instants, as root (CUTS=100)
	@$(call install,$(POWERLOSS_PACKAGES))
	@echo "roost: cutting the power"
	@python3 Tests/EndToEnd/Scripts/powerloss.py --cuts $(CUTS)

install: build ## install programs, configuration and the systemd unit under PREFIX
	@echo "roost: installing under $(DESTDIR)$(PREFIX)"
	@install -D -s -m 755 .build/release/roostd $(DESTDIR)$(PREFIX)/bin/roostd
	@install -D -s -m 755 .build/release/roost $(DESTDIR)$(PREFIX)/bin/roost
	@install -D -s -m 755 .build/release/roost-modbus $(DESTDIR)$(PREFIX)/libexec/roost/roost-modbus
	@install -D -s -m 755 .build/release/roost-bluetooth $(DESTDIR)$(PREFIX)/libexec/roost/roost-bluetooth
	@install -d -m 755 $(DESTDIR)/etc/roost
	@[ -e $(DESTDIR)/etc/roost/roost.toml ] || install -m 644 conf/roost.toml $(DESTDIR)/etc/roost/roost.toml
	@install -D -m 644 conf/roostd.service $(DESTDIR)/etc/systemd/system/roostd.service

uninstall: ## remove what install put there, but not the configuration
	@echo "roost: removing from $(DESTDIR)$(PREFIX)"
	@rm -f $(DESTDIR)$(PREFIX)/bin/roostd $(DESTDIR)$(PREFIX)/bin/roost $(DESTDIR)$(PREFIX)/libexec/roost/roost-modbus \
		$(DESTDIR)$(PREFIX)/libexec/roost/roost-bluetooth $(DESTDIR)/etc/systemd/system/roostd.service

format: ## put every Swift file in the house's form
	@echo "roost: formatting"
	@swift format -i -r Package.swift Sources Tests

lint: ## check the form of every Swift file
	@echo "roost: checking the form"
	@swift format lint --strict -r Package.swift Sources Tests
	@! grep -rnE '^(@[a-z]+ )?import Foundation' Sources --include='*.swift' | grep -v '^Sources/roost/' \
		|| { echo "roost: only the command line may import Foundation"; exit 1; }

clean: ## remove what was built
	@echo "roost: removing .build"
	@rm -rf .build

# Installs those of the packages that are missing.
define install
missing=""; for package in $(1); do dpkg -s $$package >/dev/null 2>&1 || missing="$$missing $$package"; done; \
if [ -n "$$missing" ]; then \
	echo "roost: installing$$missing"; \
	as_root=""; [ "$$(id -u)" = 0 ] || as_root=sudo; \
	$$as_root apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$as_root apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
fi
endef

# paho-mqtt 2 for Python, Debian's is 1.6; and bthome-ble, the reference for what advertisements say.
define paho
if [ ! -x $(VENV)/bin/python ]; then \
	echo "roost: installing paho-mqtt into $(VENV)"; \
	python3 -m venv $(VENV) && $(VENV)/bin/pip install -q 'paho-mqtt>=2,<3'; \
fi; \
if ! $(VENV)/bin/python -c 'import bthome_ble' 2>/dev/null; then \
	echo "roost: installing bthome-ble into $(VENV)"; \
	$(VENV)/bin/pip install -q 'bthome-ble>=3.9' || echo "roost: without it, one test is left out"; \
fi
endef
