# itlua: `make help` lists the targets.

NAME      := itlua
PREFIX    ?= /usr/local
DESTDIR   ?=
BUILD     ?= build
CC        ?= cc
VERSION   := $(shell git describe --tags --match 'v*' --dirty 2>/dev/null | sed 's/^v//')
ifeq ($(VERSION),)
VERSION   := 0.1.0$(shell git rev-parse --short HEAD 2>/dev/null | sed 's/^/+g/')
endif

# luassert and say are dependencies: their installed sources are compiled into the program.
LUA_SHARE ?= $(firstword $(wildcard $(foreach d,/usr/share/lua/5.4 /usr/local/share/lua/5.4,$(d)/luassert/init.lua)))
BUNDLED   := $(patsubst %/luassert/init.lua,%,$(LUA_SHARE))

# -- compiler ---------------------------------------------------------------------------------------------------------

isystem    = $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(1) 2>/dev/null))
WARNINGS  := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
             -Wcast-qual -Wwrite-strings -Wvla -Wformat=2 -Wundef -Werror
OPTIMIZE  ?= -O2 -g -D_FORTIFY_SOURCE=2
HARDEN    := -fstack-protector-strong -fPIC
LUA_CF    := $(call isystem,lua5.4)
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE $(WARNINGS) $(OPTIMIZE) $(HARDEN) $(SANITIZE) -fvisibility=hidden -Iinclude $(LUA_CF) $(CFLAGS)
ALL_LDFLAGS = $(SANITIZE) -Wl,-z,relro,-z,now,-z,noexecstack $(LDFLAGS)

# -- what is built from what ------------------------------------------------------------------------------------------

# Bindings whose library takes milliseconds to load are modules of their own, embedded, and loaded when first required.
LAZY_BINDINGS := $(filter $(patsubst src/bind/%.c,%,$(wildcard src/bind/*.c)),http server crypto)
lib_http      := libcurl
lib_server    := libmicrohttpd
lib_crypto    := libcrypto
src_http      := $(wildcard src/bind/http*.c)
src_server    := $(wildcard src/bind/server*.c)
src_crypto    := $(wildcard src/bind/crypto*.c)

CORE_SRC  := $(wildcard src/core/*.c)
APP_SRC   := $(filter-out src/app/pack.c,$(wildcard src/app/*.c))
LAZY_SRC  := $(foreach b,$(LAZY_BINDINGS),$(src_$(b)))
BIND_SRC  := $(filter-out $(LAZY_SRC),$(wildcard src/bind/*.c))
LUA_SRC   := $(shell find lua -name '*.lua' | LC_ALL=C sort)
MAIN_LIBS := lua5.4 libuv libcjson

obj        = $(patsubst src/%.c,$(BUILD)/obj/%.o,$(1))
MAIN_OBJ  := $(call obj,$(CORE_SRC) $(APP_SRC) $(BIND_SRC)) $(BUILD)/obj/embedded.o
MODULES   := $(LAZY_BINDINGS:%=$(BUILD)/bind/%.so)

.PHONY: all
all: $(BUILD)/$(NAME) ## build build/itlua

$(BUILD)/$(NAME): $(MAIN_OBJ)
	$(CC) $(ALL_LDFLAGS) -rdynamic -o $@ $^ $(shell pkg-config --libs $(MAIN_LIBS)) -ldl -lpthread -lm

$(BUILD)/obj/%.o: src/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(call isystem,$(MAIN_LIBS)) -DITLUA_VERSION='"$(VERSION)"' -MMD -MP -c -o $@ $<

# The version is the only thing that changes without a source file changing.
$(BUILD)/version: FORCE
	@mkdir -p $(@D); echo '$(VERSION)' | cmp -s - $@ || echo '$(VERSION)' > $@
$(BUILD)/obj/app/main.o: $(BUILD)/version
.PHONY: FORCE
FORCE:

define lazy_binding
$(patsubst src/%.c,$(BUILD)/obj/%.o,$(src_$(1))): ALL_CFLAGS += $(call isystem,$(lib_$(1)))
$(BUILD)/bind/$(1).so: $(patsubst src/%.c,$(BUILD)/obj/%.o,$(src_$(1)))
	@mkdir -p $$(@D)
	$$(CC) $$(ALL_LDFLAGS) -shared -o $$@ $$^ $$(shell pkg-config --libs $(lib_$(1)))
endef
$(foreach b,$(LAZY_BINDINGS),$(eval $(call lazy_binding,$(b))))

# Lua compiled to bytecode, and the binding modules, as one C file of arrays.
$(BUILD)/pack: src/app/pack.c
	@mkdir -p $(@D)
	$(CC) -std=c11 -D_GNU_SOURCE $(WARNINGS) -O1 $(LUA_CF) -o $@ $< $(shell pkg-config --libs lua5.4)

$(BUILD)/embedded.c: $(BUILD)/pack $(LUA_SRC) $(MODULES) Makefile
	@test -n "$(BUNDLED)" || { echo "make: luassert is not installed (Debian: lua-luassert, lua-say); 'make deps' installs it" >&2; exit 1; }
	$(BUILD)/pack $@ lua:lua $(BUNDLED)/luassert:luassert $(BUNDLED)/say:say $(MODULES)
$(BUILD)/obj/embedded.o: $(BUILD)/embedded.c
	@mkdir -p $(@D)
	$(CC) -std=c11 -O0 -fPIC -c -o $@ $<

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

.PHONY: clean help
clean: ## remove build/
	rm -rf $(BUILD)

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
