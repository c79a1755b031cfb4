# SPDX-License-Identifier: Apache-2.0
#
# make            the monitor: build/aerostat
# make demo       a stock Debian guest boots, its balloon takes memory and gives it back
# make check      all tests
# make help       the other targets
#
# With ARCH=arm64 or ARCH=riscv64 they build for another architecture, into build/ARCH, and test in an emulated host of it.
# CROSS_COMPILE is the prefix of the compiler (aarch64-linux-gnu-).

# An architecture goes by the name that its folder has in vmm/arch.
as_arch   = $(patsubst aarch64,arm64,$(1))
as_triplet = $(patsubst arm64,aarch64,$(1))
HOST_ARCH := $(call as_arch,$(shell uname -m))
ARCH      ?= $(HOST_ARCH)
override ARCH := $(call as_arch,$(ARCH))

ARCH_DIRS_x86_64  := vmm/arch/x86_64
ARCH_DIRS_arm64   := vmm/arch/arm64 vmm/arch/fdt vmm/arch/kimage
ARCH_DIRS_riscv64 := vmm/arch/riscv64 vmm/arch/fdt vmm/arch/kimage
ARCH_DIRS         := $(ARCH_DIRS_$(ARCH))
ifeq ($(ARCH_DIRS),)
$(error ARCH is $(ARCH); known: $(patsubst ARCH_DIRS_%,%,$(filter ARCH_DIRS_%,$(.VARIABLES))))
endif

PREFIX  ?= /usr/local
CC      ?= cc
PKGS    := jansson liburing $(if $(filter vmm/arch/fdt,$(ARCH_DIRS)),libfdt zlib)
VERSION := 0.1.0

WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef -Werror
CPPFLAGS += -I. -D_GNU_SOURCE -DAEROSTAT_VERSION='"$(VERSION)"'
CFLAGS   ?= -O2 -g
CFLAGS   += -std=gnu11 $(WARN) -fno-strict-aliasing -fstack-protector-strong -pthread
LIBS     := $(patsubst %,-l%,$(patsubst lib%,%,$(patsubst zlib,libz,$(PKGS))))
# Quiet unless V=1.
ifeq ($(V),)
Q   := @
say  = @printf '  %-4s %s\n' $(1) $(2)
endif

ifeq ($(ARCH),$(HOST_ARCH))
B        ?= build
LDLIBS   += $(shell pkg-config --libs $(PKGS) 2>/dev/null || echo $(LIBS)) -pthread
else
# From x86-64, say, for arm64: with a cross compiler and its C library, and with the kernel's headers and the static
# libraries of that architecture's Debian, unpacked in a folder of the cache.
B        ?= build/$(ARCH)
TRIPLET  := $(call as_triplet,$(ARCH))-linux-gnu
CROSS_COMPILE ?= $(TRIPLET)-
FOREIGN_ROOT  := $(abspath $(or $(AEROSTAT_CACHE),.cache))/root-$(ARCH)
FOREIGN       := $(FOREIGN_ROOT)/.packages
FOREIGN_FLAGS := -isystem $(FOREIGN_ROOT)/usr/include/$(TRIPLET) -isystem $(FOREIGN_ROOT)/usr/include
CPPFLAGS += $(FOREIGN_FLAGS)
LDFLAGS  += -static
LDLIBS   += -L$(FOREIGN_ROOT)/usr/lib/$(TRIPLET) $(LIBS) -pthread
# Debian 13's libraries call what glibc 2.38 renamed; Debian 12's cross compilers come with 2.36.
LDLIBS_riscv64 := $(foreach f,strtoll strtoul,-Wl,--defsym=__isoc23_$f=$f)
LDLIBS   += $(LDLIBS_$(ARCH))
endif
ifneq ($(CROSS_COMPILE),)
ifeq ($(origin CC),default)
CC       := $(CROSS_COMPILE)gcc
endif
ifeq ($(origin AR),default)
AR       := $(CROSS_COMPILE)ar
endif
endif
OBJCOPY  := $(CROSS_COMPILE)objcopy

LIB_SRCS := $(sort $(filter-out vmm/cli/main.c,$(wildcard vmm/*/*.c)) \
                   $(wildcard $(ARCH_DIRS:%=%/*.c)) $(wildcard devices/*/*.c))
# Parts of other architectures that need no KVM: tested and fuzzed wherever that is done.
PURE_SRCS := $(wildcard vmm/arch/fdt/*.c vmm/arch/kimage/*.c vmm/arch/arm64/tree.c vmm/arch/arm64/report.c \
                        $(foreach part,exit isa report tree,vmm/arch/riscv64/$(part).c) \
                        guest/flat/kimage/tree.c)
PURE_HDRS := $(PURE_SRCS:.c=.h) vmm/arch/arm64/layout.h vmm/arch/riscv64/layout.h
TEST_SRCS := $(sort $(LIB_SRCS) $(PURE_SRCS))
TEST_LIBS := $(LDLIBS) -lfdt -lz
HDRS     := $(wildcard vmm/*/*.h vmm/arch/*/*.h devices/*/*.h)
# A test that includes a header of what is not compiled here is for another architecture; as is what runs or loads code
# of one.
UNIT_OWN_x86_64 := kernels kvm_guest tiny_kernel
UNIT_OWN_arm64  := arm64_box
UNIT_HDRS := $(wildcard $(ARCH_DIRS:%=%/*.h)) $(PURE_HDRS) $(UNIT_OWN_$(ARCH):%=tests/unit/%.h)
UNIT_USES := $(shell grep -oE '"(vmm/arch/[a-z0-9_]+/[a-z0-9_]+|tests/unit/(kernels|kvm_guest|tiny_kernel|arm64_box))\.h' tests/unit/*.[ch])
UNIT_NOT  := $(foreach use,$(filter-out $(UNIT_HDRS:%=\%:"%),$(UNIT_USES)),$(firstword $(subst :, ,$(use))))
# This one fails allocations in turn, and in a static program the C library's own are among them.
UNIT_NOT  += $(if $(filter-out $(HOST_ARCH),$(ARCH)),tests/unit/test_create.c)
UNIT_ALL  := $(filter-out $(UNIT_NOT),$(wildcard tests/unit/*.c))
UNIT     := $(patsubst tests/unit/%.c,%,$(filter tests/unit/test_%,$(UNIT_ALL)))
UNIT_AUX := $(filter-out tests/unit/test_%,$(UNIT_ALL))
FUZZ     := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))

.PHONY: all demo check unit tsan fuzz smoke smoke-all flat stress planted bench bench-native bench-engine lint lint-run show-cc show-unit-not setup kernels guest-kernel install \
        uninstall clean help
.DELETE_ON_ERROR:

all: $(B)/aerostat

# ---- the monitor ----

OBJS := $(LIB_SRCS:%.c=$(B)/obj/%.o) $(B)/obj/vmm/cli/main.o

$(B)/aerostat: $(OBJS)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ -o $@ $(LDLIBS)

$(FOREIGN):
	@tools/setup $(ARCH) >&2

$(B)/obj/%.o: %.c Makefile | $(FOREIGN)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

# ---- unit tests: everything again, under ASan and UBSan; for another architecture under what needs no library ----

SAN         := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CHECK_LIBS   = $(shell pkg-config --libs check)
UNIT_RUN     = $(UNIT:%=$(B)/unit/%)
ifneq ($(ARCH),$(HOST_ARCH))
SAN         := -O1 -fsanitize=undefined -fsanitize-undefined-trap-on-error
CHECK_LIBS  := -lcheck -lsubunit -lm -lrt
comma       := ,
chosen       = $(if $(filter command,$(firstword $(origin UNIT))),:$(subst $() ,$(comma),$(strip $(UNIT))))
UNIT_RUN     = tests/foreign-unit:$(ARCH):$(B)/unit$(chosen)
endif

SAN_OBJS := $(TEST_SRCS:%.c=$(B)/san/%.o)

$(B)/san/libaerostat.a: $(SAN_OBJS)
	@rm -f $@
	$(Q)$(AR) qcs $@ $^

$(B)/san/%.o: %.c Makefile | $(FOREIGN)
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
WRAP_test_balloon_worker := pthread_create
WRAP_test_dirty          := ioctl
WRAP_test_trim           := ioctl clock_now_ns loop_timer_create loop_timer_set loop_timer_destroy \
                            loop_add loop_del loop_stop vcpus_pause vcpus_resume balloon_hint_take
WRAP_test_trim_ends      := $(WRAP_test_trim)
WRAP_test_trim_parts     := $(WRAP_test_trim)
WRAP_test_trim_pause     := $(WRAP_test_trim)
WRAP_test_vcpu           := ioctl
WRAP_test_irqs           := ioctl
WRAP_test_backing        := sysconf

$(B)/unit/%: $(B)/san/tests/unit/%.o $(B)/san/libtest.a $(B)/san/libaerostat.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(SAN) $(LDFLAGS) $(WRAP_$*:%=-Wl,--wrap=%) $^ -o $@ $(TEST_LIBS) $(CHECK_LIBS)

unit: $(UNIT:%=$(B)/unit/%)
	tests/run $(UNIT_RUN)

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
FUZZ_SECONDS ?= 5
FUZZ_OBJS    := $(TEST_SRCS:%.c=$(B)/fuzz/%.o)

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
	$(Q)$(FUZZ_CC) $(CFLAGS) -fsanitize=fuzzer,address,undefined $^ -o $@ $(TEST_LIBS)

fuzz: $(FUZZ:%=$(B)/fuzz/bin/%)
	JOBS=$$(nproc) FUZZ_SECONDS=$(FUZZ_SECONDS) tests/run $(FUZZ:%=tests/fuzz/run:$(B)/fuzz/bin/%)

# ---- guests: kernels and what runs inside ----

# How scripts compile a static program for ARCH.
show-cc: | $(FOREIGN)
	@echo $(CC) $(FOREIGN_FLAGS)

# Files of the unit tests that are for another architecture: tests/lint has to know.
show-unit-not:
	@echo $(sort $(UNIT_NOT))

setup:
	@tools/setup build test $(filter-out $(HOST_ARCH),$(ARCH))

kernels: setup
	@tools/kernels --arch $(ARCH)

guest-kernel:
ifeq ($(ARCH),x86_64)
	@tools/setup kernel
	@tools/guest-kernel
endif

# ---- the flat guest, and what runs it ----

# On x86-64 it is an ELF file, elsewhere an Image.
FLAT_DIRS_x86_64    := guest/flat/x86_64
FLAT_DIRS_arm64     := guest/flat/arm64 guest/flat/kimage
FLAT_DIRS_riscv64   := guest/flat/riscv64 guest/flat/kimage
FLAT_CFLAGS_x86_64  := -mgeneral-regs-only -mno-red-zone -fcf-protection=none
FLAT_CFLAGS_arm64   := -mgeneral-regs-only
FLAT_CFLAGS_riscv64 := -march=rv64imac_zicsr -mabi=lp64 -mcmodel=medany

FLAT        := $(B)/guest/flat.$(if $(filter x86_64,$(ARCH)),elf,image)
FLAT_CFLAGS := -std=gnu11 -O2 -g $(WARN) -I. -ffreestanding -fno-stack-protector -fno-pic \
               -fno-asynchronous-unwind-tables $(FLAT_CFLAGS_$(ARCH))
FLAT_OBJS   := $(patsubst guest/flat/%,$(B)/flat/%.o, \
                 $(foreach dir,guest/flat $(FLAT_DIRS_$(ARCH)),$(wildcard $(dir)/*.c $(dir)/*.S)))

flat: $(FLAT)

$(B)/guest/flat.elf: $(FLAT_OBJS) $(wildcard guest/flat/*/flat.ld)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) -static -nostdlib -Wl,-T,guest/flat/$(ARCH)/flat.ld -Wl,--build-id=none \
	    -Wl,-z,max-page-size=4096 -Wl,--no-warn-rwx-segments $(FLAT_OBJS) -o $@

$(B)/guest/flat.image: $(B)/guest/flat.elf
	$(Q)$(OBJCOPY) -O binary $< $@

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

# On this machine's KVM, or for another architecture in an emulated host.
STRESS_EMULATED := $(if $(filter-out $(HOST_ARCH),$(ARCH)),tests/kvm/emulated:$(ARCH):$(B))

stress: all flat
ifeq ($(STRESS_EMULATED),)
	@B=$(B) tests/host-setup tests/run tests/kvm/stress
else
	@tests/run $(STRESS_EMULATED)
endif

# Bugs that guests must find.
planted: all kernels
	@B=$(B) tests/run tests/planted/run

# ---- tests with a guest ----

# Each is a test, a kernel of the cache, and for some the number of vCPUs, the way to reclaim, and the kind of host.
# One more than there are processors: guests wait now and then.
SMOKE_JOBS ?= $(shell expr $$(nproc) + 1)
SMOKE ?= $(SMOKE_$(ARCH))
# The long ones come first: at the end no processor is idle.
SMOKE_x86_64 := balloon:6.12:2 reporting:6.12:1 backings:small:1 hintguests:6.12:1 trimload:6.12:2 \
         hints:6.1:1 lifecycle:6.12 trim:6.1:1 boot:6.1 boot:6.12 boot:small
SMOKE_arm64 := balloon:6.12:2:auto:nvhe,gic2 trim:6.12:2 lifecycle:6.12 boot:6.1 boot:6.12:2:auto:gic2
SMOKE_riscv64 := balloon:6.12:2:auto:aia trim:6.12:2:auto:aia boot:6.12:2:auto:aia boot:6.12
SMOKE_MORE_x86_64 := balloon:6.12:1 balloon:6.12:4 balloon:6.1:4 balloon:small:4 balloon:small:1:sync balloon:6.1:1 balloon:6.1:1:sync \
         balloon:6.1:1:thread balloon:6.12:1:thread emptypool:6.1:1 backings:6.1:1 kexec:6.1:1 reporting:6.1:1 reporting:6.1:4 \
         reporting:6.12:4 reporting:small:1 trim:6.1:4 trim:6.12:1 trim:6.12:4 trimload:6.1:1 trimload:6.1:4 \
         trimload:6.12:4 hintguests:small:1
SMOKE_MORE_arm64 := balloon:6.1:1:auto:nvhe balloon:6.12:2:auto:gic2 boot:6.1:2:auto:nvhe boot:6.1:2:auto:gic2 \
         boot:6.1:2:auto:nvhe,gic2 boot:6.1:1:auto:16k balloon:6.1:1:auto:16k boot:6.12 boot:6.12:2:auto:nvhe \
         reporting:6.12:1 trimload:6.12:1 hints:6.1:1 hintguests:6.12:1 backings:6.1:1 kexec:6.1:1
SMOKE_MORE_riscv64 := balloon:6.12:1 reporting:6.12:1 trim:6.12:2 lifecycle:6.12 boot:6.12:2 boot:6.12:1:auto:aia \
         trimload:6.12:1 hints:6.12:1 hintguests:6.12:1 backings:6.12:1
SMOKE_SIZE ?= 512

# Set-up comes first, then the build: a recipe's make, so that -j keeps the order. What runs in an emulated host anyway
# has the flat guest with it.
smoke: kernels guest-kernel
	@$(MAKE) --no-print-directory all $(if $(STRESS_EMULATED),flat)
	ARCH=$(ARCH) SMOKE_SIZE=$(SMOKE_SIZE) JOBS=$(SMOKE_JOBS) tests/run $(STRESS_EMULATED) $(SMOKE:%=tests/smoke/run:%)

smoke-all:
	@$(MAKE) --no-print-directory smoke SMOKE_SIZE=1024 SMOKE='$(SMOKE) $(SMOKE_MORE_$(ARCH))'

DEMO_KERNEL := $(if $(filter riscv64,$(ARCH)),6.12,6.1)

demo: kernels
	@$(MAKE) --no-print-directory all
	@ARCH=$(ARCH) tests/smoke/run demo:$(DEMO_KERNEL)

bench: kernels
	@$(MAKE) --no-print-directory all
	@tests/bench/run
	@$(MAKE) --no-print-directory bench-native bench-engine

# ---- everything ----

check: setup
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
	@echo 'make fuzz       every fuzzer for FUZZ_SECONDS (5)'
	@echo 'make smoke      stock and small kernels in the emulated KVM host; smoke-all: more and larger ones'
	@echo 'make ARCH=arm64|riscv64   all, demo, smoke, stress or unit of another architecture, built into build/ARCH'
	@echo 'make stress     the flat guest gives and takes as fast as it can, and breaks rules; SECONDS_EACH (10)'
	@echo 'make planted    does it find bugs that are planted?'
	@echo 'make bench-native   the flat guest beside QEMU and the limits, on this KVM'
	@echo 'make bench-engine   the reclaim engine alone, without a VM'
	@echo 'make bench      all of them, and stock guests beside other monitors; JSON and plots under build/bench'
	@echo 'make lint       layers, formatting, static analysis, shell scripts'
	@echo 'make guest-kernel   build the small kernel of kernel-config/'
	@echo 'make install    to DESTDIR and PREFIX ($(PREFIX))'

.SECONDARY:
-include $(shell find $(B) -name '*.d' 2>/dev/null)
