# SPDX-License-Identifier: Apache-2.0
#
# make            the monitor: build/aerostat
# make demo       a stock Debian guest boots, its balloon takes memory and gives it back
# make check      all tests
# make help       the other targets

ARCH    ?= $(shell uname -m)
B       ?= build
PREFIX  ?= /usr/local
CC      ?= cc
PKGS    := jansson liburing
VERSION := 0.1.0

WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef -Werror
CPPFLAGS += -I. -D_GNU_SOURCE -DAEROSTAT_VERSION='"$(VERSION)"'
CFLAGS   ?= -O2 -g
CFLAGS   += -std=gnu11 $(WARN) -fno-strict-aliasing -fstack-protector-strong -pthread
LDLIBS   += $(shell pkg-config --libs $(PKGS) 2>/dev/null || echo -ljansson -luring) -pthread
# Quiet unless V=1.
ifeq ($(V),)
Q   := @
say  = @printf '  %-4s %s\n' $(1) $(2)
endif
SAN      := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

LIB_SRCS := $(sort $(filter-out vmm/cli/main.c,$(wildcard vmm/*/*.c)) \
                   $(wildcard vmm/arch/$(ARCH)/*.c) $(wildcard devices/*/*.c))
HDRS     := $(wildcard vmm/*/*.h vmm/arch/*/*.h devices/*/*.h)
UNIT     := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
UNIT_AUX := $(filter-out $(wildcard tests/unit/test_*.c),$(wildcard tests/unit/*.c))
FUZZ     := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))

.PHONY: all demo check unit tsan fuzz smoke smoke-all flat stress planted bench bench-native bench-engine lint lint-run setup kernels guest-kernel install \
        uninstall clean help
.DELETE_ON_ERROR:

all: $(B)/aerostat

# ---- the monitor ----

OBJS := $(LIB_SRCS:%.c=$(B)/obj/%.o) $(B)/obj/vmm/cli/main.o

$(B)/aerostat: $(OBJS)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ -o $@ $(LDLIBS)

$(B)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

# ---- unit tests: everything again, under ASan and UBSan ----

SAN_OBJS := $(LIB_SRCS:%.c=$(B)/san/%.o)

$(B)/san/libaerostat.a: $(SAN_OBJS)
	@rm -f $@
	$(Q)$(AR) qcs $@ $^

$(B)/san/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(SAN) -MMD -MP -c $< -o $@

# q, not r: two folders may have a file of the same name. Helpers of the tests come by archive too:
# a test links those it uses.
$(B)/san/libtest.a: $(UNIT_AUX:%.c=$(B)/san/%.o)
	@rm -f $@
	$(Q)$(AR) qcs $@ $^

# Calls that a test stands in for, to make them fail.
WRAP_test_discard := madvise process_madvise fallocate pidfd_open io_uring_queue_init \
                     io_uring_submit __io_uring_get_cqe
WRAP_test_backend_uring  := calloc madvise process_madvise fallocate io_uring_queue_init \
                            io_uring_get_probe_ring io_uring_register_iowq_max_workers \
                            io_uring_submit __io_uring_get_cqe
WRAP_test_backend_thread := malloc pidfd_open madvise process_madvise fallocate
WRAP_test_create         := calloc malloc pthread_create io_uring_queue_init
WRAP_test_dirty          := ioctl
WRAP_test_trim           := ioctl clock_now_ns loop_timer_create loop_timer_set loop_timer_destroy \
                            loop_add loop_del loop_stop vcpus_pause vcpus_resume balloon_hint_take
WRAP_test_trim_ends      := $(WRAP_test_trim)
WRAP_test_trim_parts     := $(WRAP_test_trim)
WRAP_test_trim_pause     := $(WRAP_test_trim)

$(B)/unit/%: $(B)/san/tests/unit/%.o $(B)/san/libtest.a $(B)/san/libaerostat.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(SAN) $(WRAP_$*:%=-Wl,--wrap=%) $^ -o $@ $(LDLIBS) \
	    $$(pkg-config --libs check)

unit: $(UNIT:%=$(B)/unit/%)
	tests/run $(UNIT:%=$(B)/unit/%)

# ---- the engine's tests again, under ThreadSanitizer ----

TSAN       := test_reclaim test_pick test_ranges test_worker test_discard test_engine_model test_audit test_backend_uring test_create
TSAN_FLAGS := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
TSAN_OBJS  := $(patsubst %.c,$(B)/tsan/%.o,$(filter vmm/base/% vmm/mem/% vmm/reclaim/%,$(LIB_SRCS)))

$(B)/tsan/libengine.a: $(TSAN_OBJS)
	@rm -f $@
	$(Q)$(AR) qcs $@ $^

$(B)/tsan/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(TSAN_FLAGS) -MMD -MP -c $< -o $@

$(B)/tsan/bin/%: $(B)/tsan/tests/unit/%.o $(B)/tsan/libengine.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(TSAN_FLAGS) $(WRAP_$*:%=-Wl,--wrap=%) $^ -o $@ $(LDLIBS) \
	    $$(pkg-config --libs check)

# Its shadow memory has fixed addresses, which a kernel that randomises widely may give away.
tsan: $(TSAN:%=$(B)/tsan/bin/%)
	MODEL_SEEDS=$${MODEL_SEEDS:-60} setarch -R tests/run $(TSAN:%=$(B)/tsan/bin/%)

# ---- fuzzers: clang's libFuzzer; FUZZ_SECONDS each ----

FUZZ_CC      := clang
FUZZ_FLAGS   := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
FUZZ_SECONDS ?= 10
FUZZ_OBJS    := $(LIB_SRCS:%.c=$(B)/fuzz/%.o)

$(B)/fuzz/libaerostat.a: $(FUZZ_OBJS)
	@rm -f $@
	$(Q)$(AR) qcs $@ $^

$(B)/fuzz/libtest.a: $(UNIT_AUX:%.c=$(B)/fuzz/%.o)
	@rm -f $@
	$(Q)$(AR) qcs $@ $^

$(B)/fuzz/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(FUZZ_CC) $(CPPFLAGS) $(CFLAGS) $(FUZZ_FLAGS) -MMD -MP -c $< -o $@

$(B)/fuzz/bin/%: $(B)/fuzz/tests/fuzz/%.o $(B)/fuzz/libtest.a $(B)/fuzz/libaerostat.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(FUZZ_CC) $(CFLAGS) -fsanitize=fuzzer,address,undefined $^ -o $@ $(LDLIBS)

fuzz: $(FUZZ:%=$(B)/fuzz/bin/%)
	FUZZ_SECONDS=$(FUZZ_SECONDS) tests/run $(FUZZ:%=tests/fuzz/run:$(B)/fuzz/bin/%)

# ---- guests: kernels and what runs inside ----

setup:
	@tools/setup build test

kernels: setup
	@tools/kernels

guest-kernel:
	@tools/setup kernel
	@tools/guest-kernel

# ---- the flat guest, and what runs it ----

FLAT        := $(B)/guest/flat.elf
FLAT_CFLAGS := -std=gnu11 -O2 -g $(WARN) -I. -ffreestanding -fno-stack-protector -fno-pic \
               -mgeneral-regs-only -mno-red-zone \
               -fcf-protection=none -fno-asynchronous-unwind-tables
FLAT_OBJS   := $(patsubst guest/flat/%,$(B)/flat/%.o,$(wildcard guest/flat/*.c guest/flat/*.S))

flat: $(FLAT)

$(FLAT): $(FLAT_OBJS) guest/flat/flat.ld
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) -static -nostdlib -Wl,-T,guest/flat/flat.ld -Wl,--build-id=none \
	    -Wl,-z,max-page-size=4096 -Wl,--no-warn-rwx-segments $(FLAT_OBJS) -o $@

$(B)/flat/%.o: guest/flat/% Makefile
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(FLAT_CFLAGS) -MMD -MP -c $< -o $@

$(B)/bench/watch: $(B)/obj/tests/bench/watch.o $(B)/obj/tests/bench/child.o
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ -o $@

$(B)/bench/limit: $(B)/obj/tests/bench/limit.o $(filter-out %/cli/main.o,$(OBJS))
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ -o $@ $(LDLIBS)

# The monitor, writing down what its guest's balloon sends: for tests/bench/record.
$(B)/bench/recorder: $(B)/obj/tests/bench/record.o $(OBJS)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -Wl,--wrap=reclaim_take -Wl,--wrap=reclaim_give $^ -o $@ $(LDLIBS)

ENGINE_OBJS := $(patsubst %,$(B)/obj/tests/bench/%.o,engine engine_tracker engine_replay stream)

$(B)/bench/engine: $(ENGINE_OBJS) $(filter-out %/cli/main.o,$(OBJS))
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ -o $@ $(LDLIBS)

bench-engine: $(B)/bench/engine
	@$< -n $${ROUNDS:-3} $(sort $(wildcard tests/bench/streams/*.pfns)) >$(B)/bench/engine.jsonl
	@awk -f tests/bench/lib.awk -f tests/bench/engine.awk $(B)/bench/engine.jsonl

bench-native: all flat $(B)/bench/watch $(B)/bench/limit
	@B=$(B) tests/bench/native

stress: all flat
	@B=$(B) tests/host-setup tests/run tests/kvm/stress

# Bugs that guests must find.
planted: all kernels
	@B=$(B) tests/run tests/planted/run

# ---- tests with a guest ----

# Each is a test, a kernel of the cache, and for some the number of vCPUs and the way to reclaim.
SMOKE_JOBS ?= $(shell nproc)
SMOKE ?= boot:6.1 boot:6.12 boot:small balloon:6.1:1 balloon:6.12:4 balloon:small:1:sync \
         balloon:6.12:1:thread lifecycle:6.12 backings:6.1:1 kexec:6.1:1 reporting:6.12:1 \
         trim:6.1:1 trimload:6.12:2 hints:6.1:1 hintguests:6.12:1
SMOKE_MORE := balloon:6.12:1 balloon:6.1:4 balloon:small:4 balloon:6.1:1:sync emptypool:6.1:1 \
              reporting:6.1:1 reporting:6.1:4 reporting:6.12:4 reporting:small:1 trim:6.12:1 trim:6.12:4 \
              trimload:6.1:1 trimload:6.1:4 trimload:6.12:4 hintguests:small:1

# Set-up comes first, then the build: a recipe's make, so that -j keeps the order.
smoke: kernels guest-kernel
	@$(MAKE) --no-print-directory all
	JOBS=$(SMOKE_JOBS) tests/run $(SMOKE:%=tests/smoke/run:%)

smoke-all:
	@$(MAKE) --no-print-directory smoke SMOKE='$(SMOKE) $(SMOKE_MORE)'

demo: kernels
	@$(MAKE) --no-print-directory all
	@tests/smoke/run demo:6.1

bench: kernels
	@$(MAKE) --no-print-directory all
	@tests/bench/run
	@$(MAKE) --no-print-directory bench-native bench-engine

# ---- everything ----

check:
	@tools/setup build test
	@$(MAKE) --no-print-directory all
	@tests/check $(CHECK)

lint:
	@tools/setup lint
	@$(MAKE) --no-print-directory lint-run

lint-run:
	tests/run tools/layers tests/lint

# ---- installation ----

install: all
	install -D -m 755 $(B)/aerostat $(DESTDIR)$(PREFIX)/bin/aerostat
	install -D -m 644 tools/aerostat.1 $(DESTDIR)$(PREFIX)/share/man/man1/aerostat.1
	install -D -m 644 tools/completion.bash \
	        $(DESTDIR)$(PREFIX)/share/bash-completion/completions/aerostat

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/aerostat $(DESTDIR)$(PREFIX)/share/man/man1/aerostat.1 \
	      $(DESTDIR)$(PREFIX)/share/bash-completion/completions/aerostat

clean:
	rm -rf $(B)

help:
	@sed -n 's/^# make/make/p' Makefile
	@echo 'make unit       unit tests under ASan and UBSan'
	@echo 'make tsan       tests of the reclaim engine under ThreadSanitizer'
	@echo 'make fuzz       every fuzzer for FUZZ_SECONDS (10)'
	@echo 'make smoke      stock and small kernels in the emulated KVM host; smoke-all: more of them'
	@echo 'make stress     the flat guest gives and takes as fast as it can; SECONDS_EACH (10)'
	@echo 'make planted    does it find bugs that are planted?'
	@echo 'make bench-native   the flat guest beside QEMU and the limits, on this KVM'
	@echo 'make bench-engine   the reclaim engine alone, without a VM'
	@echo 'make bench      all of them, and stock guests beside other monitors; JSON and plots under build/bench'
	@echo 'make lint       layers, formatting, static analysis, shell scripts'
	@echo 'make guest-kernel   build the small kernel of kernel-config/'
	@echo 'make install    to DESTDIR and PREFIX ($(PREFIX))'

.SECONDARY:
-include $(shell find $(B) -name '*.d' 2>/dev/null)
