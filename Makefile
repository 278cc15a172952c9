# itlua: `make demo` shows it at work, `make test` runs every test, `make help` lists the rest.

NAME    := itlua
BUILD   ?= build
CC      ?= cc
PREFIX  ?= /usr/local
DESTDIR ?=
# A release's archive has a file VERSION; a clone asks git.
VERSION := $(shell cat VERSION 2>/dev/null || git describe --tags --match 'v*' --dirty 2>/dev/null | sed 's/^v//')
ifeq ($(VERSION),)
VERSION := 0.1.0$(shell git rev-parse --short HEAD 2>/dev/null | sed 's/^/+g/')
endif

# luassert and say are dependencies: their installed sources are compiled into the program.
LUA_SHARE  ?= /usr/share/lua/5.4 /usr/local/share/lua/5.4 /usr/share/lua/5.3 /usr/share/lua/5.1
installed   = $(firstword $(wildcard $(LUA_SHARE:%=%/$(1))))
BUNDLED    := $(foreach m,luassert say,$(addsuffix :$(m),$(call installed,$(m))))
export LUA_SHARE

# -- what is built from what ----------------------------------------------------------------------

# Bindings whose library takes milliseconds to load are modules of their own, embedded in the
# program, and loaded when first required. The others are linked in, and so are their libraries.
MODULE_BINDINGS := http server crypto redis sql yaml kafka edit
lib_http   := libcurl
lib_server := libmicrohttpd
lib_crypto := libcrypto
lib_redis  := hiredis $(shell pkg-config --exists hiredis_ssl 2>/dev/null && echo hiredis_ssl)
lib_yaml   := yaml-0.1
lib_sql    := libpq
lib_kafka  := rdkafka
lib_edit   := libedit
MAIN_LIBS  := lua5.4 libuv libcjson

module_src  = $(wildcard src/bind/$(1).c src/bind/$(1)_*.c)
BUILT_MODULES := $(foreach b,$(MODULE_BINDINGS),$(if $(call module_src,$(b)),$(b)))
MODULE_SRC := $(foreach b,$(BUILT_MODULES),$(call module_src,$(b)))
CORE_SRC   := $(wildcard src/core/*.c)
BIND_SRC   := $(filter-out $(MODULE_SRC),$(wildcard src/bind/*.c))
APP_SRC    := $(filter-out src/app/pack.c,$(wildcard src/app/*.c))
LUA_SRC    := $(sort $(shell find lua -name '*.lua' -o -name '*.html' -o -name '*.css' -o -name '*.js'))
BUNDLED_SRC := $(foreach b,$(BUNDLED),$(shell find $(firstword $(subst :, ,$(b)))/ -name '*.lua'))

obj         = $(patsubst src/%.c,$(BUILD)/obj/%.o,$(1))
MAIN_OBJ   := $(call obj,$(CORE_SRC) $(APP_SRC) $(BIND_SRC)) $(BUILD)/obj/embedded.o
MODULES    := $(BUILT_MODULES:%=$(BUILD)/bind/%.so)

# -- compiler -------------------------------------------------------------------------------------

LIBS       := $(MAIN_LIBS) $(foreach b,$(MODULE_BINDINGS),$(lib_$(b)))
isystem     = $(patsubst -I%,-isystem %,$(filter -I% -D%,$(shell pkg-config --cflags $(1) 2>/dev/null)))
INCLUDES   := -Iinclude $(call isystem,$(LIBS))
WARNINGS   := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
              -Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wwrite-strings -Wvla -Wformat=2 \
              -Wundef -Werror
OPTIMIZE   ?= -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
HARDEN     := -fstack-protector-strong -fPIC -fvisibility=hidden
SANITIZE   ?=
ALL_CFLAGS := -std=c11 -D_GNU_SOURCE $(WARNINGS) $(OPTIMIZE) $(HARDEN) $(SANITIZE) $(INCLUDES) $(CFLAGS)
ALL_LDFLAGS := $(SANITIZE) -Wl,-z,relro,-z,now,-z,noexecstack $(LDFLAGS)

# One line a file; V=1 shows the commands.
show = $(if $(V),,@echo '  $(1)  $@' && )

.PHONY: all
all: $(BUILD)/$(NAME) $(BUILD)/layers.ok ## build build/itlua (the default)

# Three settings in files that change only when the setting does, so that what depends on a setting
# can depend on its file: how C is compiled, which files the program is made of, its version.
FLAGS  := $(CC) $(ALL_CFLAGS) / $(ALL_LDFLAGS) / $(shell pkg-config --modversion $(LIBS) 2>/dev/null)
INPUTS := $(MAIN_OBJ) $(MODULES) $(LUA_SRC) $(BUNDLED)
.PHONY: FORCE
FORCE:
setting = @mkdir -p $(BUILD); echo '$(1)' | cmp -s - $@ || { $(2)echo '$(1)' > $@; }
$(BUILD)/flags: FORCE
	$(call setting,$(FLAGS),tests/ci/packages build --check &&)
$(BUILD)/inputs: FORCE
	$(call setting,$(INPUTS))
$(BUILD)/version: FORCE
	$(call setting,$(VERSION))

$(BUILD)/$(NAME): $(MAIN_OBJ) $(BUILD)/inputs
	$(call show,LINK)$(CC) $(ALL_LDFLAGS) -rdynamic -o $@ $(MAIN_OBJ) $(shell pkg-config --libs $(MAIN_LIBS)) -ldl -lpthread -lm

$(BUILD)/obj/%.o: src/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call show,CC  )$(CC) $(ALL_CFLAGS) $(DEFINE) -MMD -MP -c -o $@ $<
$(BUILD)/obj/app/main.o: $(BUILD)/version
$(BUILD)/obj/app/main.o: DEFINE = -DITLUA_VERSION='"$(VERSION)"'

define module
$(BUILD)/bind/$(1).so: $(call obj,$(call module_src,$(1))) $(BUILD)/inputs
	@mkdir -p $$(@D)
	$$(call show,LINK)$$(CC) $$(ALL_LDFLAGS) -shared -o $$@ $(call obj,$(call module_src,$(1))) $$(shell pkg-config --libs $(lib_$(1)))
endef
$(foreach b,$(BUILT_MODULES),$(eval $(call module,$(b))))

STUBS := $(BUILD)/lua/itlua/cli/stubs.lua
# Lua as bytecode, and the modules, as one C file of arrays.
$(BUILD)/pack: src/app/pack.c $(BUILD)/flags
	$(call show,CC  )$(CC) -std=c11 -D_GNU_SOURCE $(WARNINGS) -O1 $(INCLUDES) -o $@ $< $(shell pkg-config --libs lua5.4)
$(BUILD)/embedded.c: $(BUILD)/pack $(LUA_SRC) $(BUNDLED_SRC) $(MODULES) $(STUBS) $(BUILD)/inputs tests/ci/texts
	@tests/ci/texts $(BUILD)/lua/itlua/repl/texts.lua
	$(call show,PACK)$(BUILD)/pack $@ lua:lua $(BUILD)/lua:lua $(BUNDLED) $(MODULES)
# What editors are told of the public modules: all but what is ours alone.
STUBBED := $(filter-out $(foreach m,blame cli closing diff event evidence language mask match mediator policy repl report show spec,\
  lua/itlua/$(m).lua lua/itlua/$(m)/%),$(filter %.lua,$(LUA_SRC)))
$(STUBS): $(BUILD)/pack src/app/stubs.lua $(STUBBED) $(BUILD)/inputs
	@mkdir -p $(@D)
	$(call show,STUB)$(BUILD)/pack --run src/app/stubs.lua lua $@ $(STUBBED)
$(BUILD)/obj/embedded.o: $(BUILD)/embedded.c
	@mkdir -p $(@D)
	$(call show,CC  )$(CC) -std=c11 -O0 -fPIC -c -o $@ $<

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# -- the two commands of the README ---------------------------------------------------------------

JOBS = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))

.PHONY: deps demo test
deps: ## install the packages that building needs, where they are missing (apt-get)
	@tests/ci/packages build
demo: deps ## install what is missing, build, and run specs/ against the service in specs/
	@$(MAKE) $(JOBS) --no-print-directory --quiet all
	$(BUILD)/$(NAME) specs/
test: ## install what the tests need and run all of them; the last line is the sum
	@tests/ci/packages test
	@tests/ci/test

# -- single parts of the tests: each ends with a line `N passed, N failed, N skipped` ----------------

.PHONY: unit unit-build specs cli parts
UNIT     := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/test_*.c))
UNIT_OBJ := $(BUILD)/unit/world.o $(BUILD)/unit/probe.o $(call obj,$(CORE_SRC))
$(BUILD)/unit/%.o: tests/unit/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call show,CC  )$(CC) $(ALL_CFLAGS) -Isrc/core -MMD -MP -c -o $@ $<
$(BUILD)/unit/%: $(BUILD)/unit/%.o $(UNIT_OBJ) $(BUILD)/inputs
	$(call show,LINK)$(CC) $(ALL_LDFLAGS) -o $@ $< $(UNIT_OBJ) $(shell pkg-config --libs cmocka lua5.4 libuv) -ldl -lpthread -lm
.SECONDARY: $(UNIT:=.o) $(UNIT_OBJ)

unit: unit-build ## the core's unit tests (cmocka)
	@tests/ci/unit $(UNIT)
unit-build: $(UNIT)

# C modules that specs of the tests load: what crashes, hangs and leaks.
FIXTURES := $(patsubst tests/fixtures/%.c,$(BUILD)/fixtures/%.so,$(wildcard tests/fixtures/*.c))
$(BUILD)/fixtures/%.so: tests/fixtures/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call show,CC  )$(CC) $(ALL_CFLAGS) -fvisibility=default -shared -MMD -MP -o $@ $< $(ALL_LDFLAGS)

SPEC_PATHS := specs tests/specs
# Containers and services are programs beside ours: watching ours while they start shows nothing new.
LIGHT_SPECS := $(filter-out specs/services/ specs/events/ tests/specs/container/ tests/specs/services/,$(wildcard specs/*/ tests/specs/*/))
specs: $(BUILD)/$(NAME) $(FIXTURES) ## the specs in specs/ and tests/specs/, by itlua itself
	@tests/ci/engine
	@BUILD=$(BUILD) tests/ci/kafka
	@SHOP_BUS=real ITLUA="$(BUILD)/$(NAME) $(SPEC_OPTIONS)" tests/ci/specs $(SPEC_PATHS)
demo-docker: $(BUILD)/$(NAME) ## the demo's services in containers
	@tests/ci/engine
	@SHOP_PROVIDER=docker tests/ci/specs specs/services
cli: $(BUILD)/$(NAME) $(FIXTURES) ## transcripts of the command line: commands, what they print, exit codes
	@BUILD=$(BUILD) tests/cli/run
compare: $(BUILD)/$(NAME) $(FIXTURES) ## spec files under busted and under itlua: the same outcomes
	@$(BUILD)/$(NAME) exec tests/compare/compare.lua

bench: $(BUILD)/$(NAME) ## how fast it is against C loops and other tools; ROWS="set gets", ROWS=list, BENCH_RUNS=5
	@tests/ci/packages test
	@BUILD=$(BUILD) $(BUILD)/$(NAME) exec tests/bench/bench.lua $(ROWS)
.PHONY: bench

# The same tests in builds and under tools that see what they do not; each build has a folder of its own.
# Ours beside them once, though: the process that runs services, the reaper, the way to an engine.
SERVICE_SPECS := $(wildcard $(addprefix tests/specs/,services/process_spec.lua services/data_spec.lua \
                 services/docker_spec.lua container/leftover_spec.lua))
ASAN := SPEC_OPTIONS=--exclude-tags=heavy SPEC_PATHS='$(LIGHT_SPECS) $(SERVICE_SPECS)' BUILD=build-asan OPTIMIZE='-O1 -g -fno-omit-frame-pointer' \
        SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=undefined'
# (LeakSanitizer may stumble over threads that only just begin: few of them.)
asan: ## unit, specs and cli with AddressSanitizer, LeakSanitizer and UBSan
	@$(MAKE) $(JOBS) --no-print-directory $(ASAN) asan-build
	@UV_THREADPOOL_SIZE=4 $(MAKE) --no-print-directory --keep-going $(ASAN) unit specs cli
asan-build: all unit-build $(FIXTURES)

VALGRIND := valgrind --quiet --error-exitcode=9 --leak-check=full --show-leak-kinds=definite,possible \
            --errors-for-leak-kinds=definite --suppressions=tests/ci/valgrind.supp --num-callers=30
valgrind: $(BUILD)/$(NAME) unit-build ## unit, and the bindings' specs in one process, under valgrind
	@UNDER='$(VALGRIND)' tests/ci/unit $(UNIT); code=$$?; \
	ITLUA='$(VALGRIND) $(BUILD)/$(NAME) --in-process' TIMEOUT=600 tests/ci/specs $(VALGRIND_SPECS) && exit $$code
VALGRIND_SPECS := tests/specs/json tests/specs/encode tests/specs/jwt tests/specs/fs tests/specs/time

gc-stress: $(BUILD)/$(NAME) unit-build $(FIXTURES) ## unit and specs with a full collection at every operation
	@ITLUA_GC=stress tests/ci/unit $(UNIT); code=$$?; \
	ITLUA_GC=stress ITLUA="$(BUILD)/$(NAME) --exclude-tags=heavy" tests/ci/specs $(LIGHT_SPECS) && exit $$code

rocks: all ## install into an empty folder, build the add-ons in rocks/ on that, run their specs, uninstall
	@tests/ci/rocks

# Fuzz targets: clang's libFuzzer, a build of their own, FUZZ_SECONDS each.
FUZZ_SECONDS ?= 30
FUZZ     := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(filter-out tests/fuzz/replay.c,$(wildcard tests/fuzz/*.c)))
FUZZ_OBJ := $(call obj,$(CORE_SRC) src/app/frame.c $(wildcard src/bind/json*.c))
fuzz: ## JSON and the event frames under libFuzzer, FUZZ_SECONDS=30 each
	@$(MAKE) $(JOBS) --no-print-directory BUILD=build-fuzz CC=clang fuzz-build \
	  OPTIMIZE='-O1 -g' SANITIZE='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined'
	@tests/ci/fuzz $(FUZZ_SECONDS) $(FUZZ:$(BUILD)/%=build-fuzz/%)
fuzz-build: $(FUZZ)
$(BUILD)/fuzz/%: tests/fuzz/%.c $(FUZZ_OBJ) $(BUILD)/flags
	@mkdir -p $(@D)
	$(call show,CC  )$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer -Isrc/core -MMD -MP -o $@ $< $(FUZZ_OBJ) \
	  $(ALL_LDFLAGS) $(shell pkg-config --libs $(MAIN_LIBS)) -lpthread -lm

# What `make test` runs: first what minds a busy machine most.
PARTS := specs cli demo-docker unit compare asan gc-stress valgrind lint fuzz rocks docs layers format-check
parts:
	@echo $(PARTS)
test-build: all unit-build $(FIXTURES)
.PHONY: compare demo-docker rocks asan asan-build valgrind gc-stress fuzz fuzz-build test-build

.PHONY: lint layers format format-check
layers: ## who may include and require whom; sizes of files and functions
	@tests/ci/layers
$(BUILD)/layers.ok: tests/ci/layers $(wildcard src/*/*.[ch]) $(LUA_SRC) $(BUILD)/inputs
	@tests/ci/layers --quick && touch $@

C_FILES := $(wildcard include/*.h src/*/*.[ch] tests/*/*.[ch] rocks/*/*.[ch])
lint: ## luacheck, cppcheck, clang-tidy
	@tests/ci/lint "$(INCLUDES)" $(filter %.c,$(C_FILES))
format: ## clang-format every C file in place
	clang-format -i $(C_FILES)
format-check: ## every C file is as clang-format would leave it
	@tests/ci/format-check $(C_FILES)

# -- the rest -------------------------------------------------------------------------------------

.PHONY: docs install uninstall dist clean help
docs: all ## the reference manual, out of the annotations in lua/: build/docs/README.md
	@$(BUILD)/$(NAME) exec tests/ci/reference.lua $(BUILD)/docs
SHARE := $(DESTDIR)$(PREFIX)/share
INSTALLED := $(DESTDIR)$(PREFIX)/bin/$(NAME) $(DESTDIR)$(PREFIX)/include/itlua.h $(SHARE)/man/man1/itlua.1 \
  $(SHARE)/bash-completion/completions/itlua $(SHARE)/zsh/site-functions/_itlua $(SHARE)/fish/vendor_completions.d/itlua.fish
install: all ## into $(DESTDIR)$(PREFIX): bin/itlua, include/itlua.h, the manual page, completion for bash, zsh and fish
	install -d $(sort $(dir $(INSTALLED)))
	install -m 755 $(BUILD)/$(NAME) $(DESTDIR)$(PREFIX)/bin/$(NAME)
	install -m 644 include/itlua.h $(DESTDIR)$(PREFIX)/include/itlua.h
	$(BUILD)/$(NAME) man >$(SHARE)/man/man1/itlua.1
	$(BUILD)/$(NAME) completion bash >$(SHARE)/bash-completion/completions/itlua
	$(BUILD)/$(NAME) completion zsh >$(SHARE)/zsh/site-functions/_itlua
	$(BUILD)/$(NAME) completion fish >$(SHARE)/fish/vendor_completions.d/itlua.fish
uninstall: ## what install put there
	rm -f $(INSTALLED)
dist: ## build/itlua-VERSION.tar.gz of what is committed
	@mkdir -p $(BUILD)
	git archive --prefix=$(NAME)-$(VERSION)/ --add-virtual-file=$(NAME)-$(VERSION)/VERSION:$(VERSION) \
	  -o $(BUILD)/$(NAME)-$(VERSION).tar.gz HEAD
clean: ## remove everything that was built
	rm -rf $(BUILD) build-*
help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
