# SPDX-License-Identifier: Apache-2.0
#
# Everything that is built lands under build/. See HACKING.md.
#
#   make            the module, the daemons and vpcctl       make check    all tests (scripts/check.sh)
#   make unit       unit tests under ASan and UBSan          make style    formatting and static checks
#   make kunit      the module's tables in User Mode Linux   make bench    the same timed, PARTS= picks
#   make cycles     1,000 times rmmod and insmod there       make install  PREFIX=/usr/local DESTDIR=
#   make corrupt    what audits find in tables that a test-only module corrupts; FAULTS="route digest" picks kinds
#   make soak       the audit beside 1,000 changes a second, MINUTES= long
#   make report-screenshot       the fleet's page as headless Chromium shows it
#   make stress     MINUTES=5 SEED= CPUS=4: everything at once on several processors, no datagram lost
#   make chaos      MINUTES=20 SEED=: servers and hosts that fail at random, under changes and traffic
#   make fuzz       MINUTES= of libFuzzer on all parsers     make coverage lines and branches that tests reach
#   make units      the systemd units under systemd
#   make clean
#   V=1 shows commands; KVER= picks the kernel headers; WERROR=1 makes warnings errors
#   KVER=uml-normal, uml-debug, uml-cover: the kernels of scripts/uml.sh, built when need be; vpc.ko stays in build/kmod/KVER
#   KVER=x86-kasan, KVER=x86-kcsan: likewise the kernels of vm.sh --kernel x86-kasan and x86-kcsan
#   KVER=$(scripts/kernel.sh 6.12): another Debian's kernel, with its compiler; vpc.ko stays in build/kmod/KVER

MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

B := build
PREFIX ?= /usr/local
VERSION := $(shell cat VERSION)
# The newest kernel whose headers are installed; the running one's when there are any.
KVER ?= $(or $(notdir $(patsubst %/build/,%,$(wildcard /lib/modules/$(shell uname -r)/build/))),$(shell ls -d /lib/modules/*/build 2>/dev/null | sort -V | tail -n1 | cut -d/ -f4))

ifeq ($(V),1)
Q :=
else
Q := @
say = @printf '  %-7s %s\n' $(1) $(2);
endif

PKGS := libnl-3.0 libnl-genl-3.0 libmariadb json-c libkmod libmicrohttpd libsodium libsystemd zlib
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS))
PKG_LIBS := $(shell pkg-config --libs $(PKGS)) -lzookeeper_mt -linih -lpthread

CC ?= cc
CLANG ?= clang
CFLAGS ?= -O2 -g
WARN := -Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers -Wmissing-prototypes -Wstrict-prototypes -Wvla $(if $(WERROR),-Werror)
CPPFLAGS_ALL := -D_GNU_SOURCE -DTHREADED -DVPC_VERSION='"$(VERSION)"' -I$(B)/gen $(PKG_CFLAGS)
CFLAGS_ALL := -std=gnu11 $(CFLAGS) $(WARN) $(CPPFLAGS_ALL)
SAN := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

LIB_SRC := $(wildcard lib/*.c proto/*.c)
PROGS := vpc_agent vpc_publisher vpc_reconcile vpcctl
vpc_agent_SRC := $(wildcard agent/*.c)
vpc_publisher_SRC := $(wildcard publisher/*.c)
vpc_reconcile_SRC := $(wildcard reconcile/*.c)
vpcctl_SRC := $(wildcard ctl/*.c)
# Unit tests of a program's own modules: test_<name>_SRC := agent/<name>.c
test_reconcile_SRC := $(filter-out reconcile/main.c,$(vpc_reconcile_SRC))
# The whole audit against a real CDB, and a kernel, ZooKeeper and agent in memory.
test_audit_SRC := $(test_reconcile_SRC) tests/unit/cdb_rig.c tests/unit/agent_fake_kernel.c
test_audit_lag_SRC := $(test_audit_SRC)
test_reconcile_metrics_SRC := $(test_reconcile_SRC)
test_audit_resume_SRC := $(test_audit_SRC)
test_progress_SRC := reconcile/progress.c
test_fleet_SRC := $(test_reconcile_SRC) tests/unit/cdb_rig.c
test_agent_sync_SRC := agent/sync.c
test_agent_cachefile_SRC := agent/cachefile.c
test_agent_gate_SRC := agent/gate.c agent/backoff.c
# The whole agent but main(), against fakes of lib/zk.h, lib/kernel.h and lib/log.h.
test_agent_SRC := $(filter-out agent/main.c agent/kmodule.c,$(vpc_agent_SRC)) $(wildcard tests/unit/agent_*.c)
test_agent_failures_SRC := $(test_agent_SRC)
test_agent_head_SRC := $(test_agent_SRC)
test_agent_many_SRC := $(test_agent_SRC)
test_agent_deleted_SRC := $(test_agent_SRC)
test_agent_control_SRC := $(test_agent_SRC)
test_agent_scrape_SRC := $(test_agent_SRC)
test_agent_restore_SRC := $(test_agent_SRC)
test_agent_reload_SRC := $(test_agent_SRC)
test_agent_resync_SRC := $(test_agent_SRC)
test_agent_kports_SRC := agent/kports.c agent/metrics.c tests/unit/agent_fake_kernel.c
test_ctl_args_SRC := ctl/args.c
test_ctl_kernel_SRC := $(filter-out ctl/kernel_swap_cmd.c,$(wildcard ctl/kernel_*.c)) ctl/args.c ctl/output.c tests/unit/agent_fake_kernel.c
test_pub_garbage_SRC := publisher/garbage.c
test_pub_many_SRC := $(addprefix publisher/,many.c pack.c shots.c vpc.c snapshot.c fence.c garbage.c collect.c) tests/unit/pub_rig.c
test_pub_host_SRC := $(test_pub_many_SRC) publisher/host.c publisher/protect.c
test_pub_content_SRC := $(test_pub_many_SRC) publisher/content.c publisher/retry.c
test_kstate_SRC := tests/unit/agent_fake_kernel.c
test_cdb_server_SRC := tests/unit/cdb_rig.c
test_cdb_change_SRC := tests/unit/cdb_rig.c
test_cdb_reader_SRC := tests/unit/cdb_rig.c
test_cdb_group_SRC := tests/unit/cdb_rig.c
test_cdb_doc_SRC := tests/unit/cdb_rig.c
test_cdb_history_SRC := tests/unit/cdb_rig.c
UNIT := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
# What end-to-end tests look with; not installed.
TOOLS := $(patsubst tests/tools/%.c,%,$(wildcard tests/tools/*.c))
simhost_SRC := $(filter-out agent/main.c agent/kmodule.c,$(vpc_agent_SRC)) tests/unit/agent_fake_kernel.c
nlcheck_SRC := $(wildcard tests/tools/nlcheck/*.c)
nlfuzz_SRC := $(wildcard tests/tools/nlfuzz/*.c) tests/tools/fuzzing/engine.c
nlfail_SRC := $(wildcard tests/tools/nlfuzz/*.c)
wirefuzz_SRC := tests/tools/nlfuzz/state.c tests/tools/fuzzing/engine.c $(wildcard tests/tools/wirefuzz/*.c)
# Fuzz targets, and what a target wants besides the library.
FUZZ := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
fuzz_batch_SRC := $(filter-out ctl/main.c ctl/batch.c,$(vpcctl_SRC))
fuzz_agent_SRC = $(test_agent_SRC)
fuzz_agent_LIBS := -lcmocka

obj = $(patsubst %.c,$(1)/%.o,$(2))

all: user module

user: $(foreach p,$(PROGS),$(if $($(p)_SRC),$(B)/$(p))) $(addprefix $(B)/tools/,$(TOOLS) clock.so) $(B)/man/vpcctl.8

# vpcctl's manual, a page an object, and its completion, which vpcctl prints from its own table of commands.
$(B)/man/vpcctl.8: $(B)/vpcctl
	$(call say,GEN,"$(B)/man $(B)/vpcctl.bash")
	$(Q)rm -rf $(@D) && mkdir -p $(@D)
	$(Q)$< help bash-completion > $(B)/vpcctl.bash
	$(Q)for object in $$($< help objects); do $< help manual $$object > $(@D)/vpcctl-$$object.8 || exit; done
	$(Q)$< help manual > $@

# -- user space, once plain and once with sanitizers ($(B)/san) ------------------------------------------------------

# $(1): output folder, $(2): extra flags, $(3): compiler, $(4): what a fuzz target has its main() from
define flavour
$(1)/obj/%.o: %.c | $(B)/gen/schema_sql.h
	@mkdir -p $$(@D)
	$$(call say,CC,$$<)
	$$(Q)$(3) $$(CFLAGS_ALL) $(2) -MMD -MP -c $$< -o $$@

$(1)/libvpc.a: $$(call obj,$(1)/obj,$$(LIB_SRC))
	$$(call say,AR,$$@)
	$$(Q)rm -f $$@ && ar rcs $$@ $$^

$(foreach p,$(PROGS),
$(1)/$(p): $$(call obj,$(1)/obj,$$($(p)_SRC)) $(1)/libvpc.a
	$$(call say,LD,$$@)
	$$(Q)$(3) $$(CFLAGS) $(2) $$(LDFLAGS) -o $$@ $$^ $$(PKG_LIBS)
)

$(foreach t,$(TOOLS),
$(1)/tools/$(t): $(1)/obj/tests/tools/$(t).o $$(call obj,$(1)/obj,$$($(t)_SRC)) $(1)/libvpc.a
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)
	$$(Q)$(3) $$(CFLAGS) $(2) $$(LDFLAGS) -o $$@ $$^ $$(PKG_LIBS)
)

# A unit test links the library, and the sources of a program that it names in <test>_SRC.
$(foreach t,$(UNIT),
$(1)/unit/$(t): $(1)/obj/tests/unit/$(t).o $$(call obj,$(1)/obj,$$($(t)_SRC)) $(1)/libvpc.a
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)
	$$(Q)$(3) $$(CFLAGS) $(2) $$(LDFLAGS) -o $$@ $$^ $$(PKG_LIBS) -lcmocka -lm
)

$(foreach t,$(FUZZ),
$(1)/fuzz/$(t): $$(call obj,$(1)/obj,tests/fuzz/fuzz_$(t).c tests/fuzz/fuzz.c $$(fuzz_$(t)_SRC) $(filter %.c,$(4))) $(1)/libvpc.a
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)
	$$(Q)$(3) $$(CFLAGS) $(2) $(filter -%,$(4)) $$(LDFLAGS) -o $$@ $$^ $$(PKG_LIBS) $$(fuzz_$(t)_LIBS)
)

# The kernel's trie and rendezvous hashing, compiled for user space against a handful of stand-in kernel headers.
$(1)/obj/tests/unit/test_trie.o $(1)/obj/tests/unit/test_hrw.o $(1)/obj/tests/fuzz/fuzz_trie.o: CFLAGS_ALL += -Itests/unit/kshim
endef
$(eval $(call flavour,$(B),,$$(CC),tests/fuzz/replay.c))
$(eval $(call flavour,$(B)/san,$(SAN),$$(CC),tests/fuzz/replay.c))
$(eval $(call flavour,$(B)/cov,--coverage -O1 -Wno-maybe-uninitialized,$$(CC),tests/fuzz/replay.c))
$(eval $(call flavour,$(B)/fuzz,$(SAN) -fsanitize=fuzzer-no-link -Wno-unused-variable -Wno-c2x-extensions,$$(CLANG),-fsanitize=fuzzer))

-include $(shell find $(B)/obj $(B)/san/obj $(B)/fuzz/obj $(B)/cov/obj -name '*.d' 2>/dev/null)

# The schema travels inside vpcctl as one C string.
$(B)/gen/schema_sql.h: proto/schema.sql
	@mkdir -p $(@D)
	$(call say,GEN,$@)
	$(Q){ echo '/* generated from proto/schema.sql */'; echo 'static const char schema_sql[] ='; \
	  sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/\t"/' -e 's/$$/\\n"/' $<; echo ';'; } > $@

$(B)/tools/clock.so: tests/tools/preload/clock.c
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) -std=gnu11 -O2 -Wall -Wextra -D_GNU_SOURCE -shared -fPIC -o $@ $<

unit: $(addprefix $(B)/san/unit/,$(UNIT)) user
	$(Q)scripts/unit.sh $(addprefix $(B)/san/unit/,$(UNIT))

# A whole agent, as it is built for operators: what reads memory that nobody wrote the sanitizers do not see.
valgrind: $(B)/unit/test_agent
	$(Q)CMOCKA_MESSAGE_OUTPUT=TAP valgrind -q --error-exitcode=9 --leak-check=full \
	  --errors-for-leak-kinds=definite,indirect,possible --show-leak-kinds=definite,indirect,possible $<

# -- fuzzing: libFuzzer wants clang (scripts/deps.sh fuzz), the replay of what is kept does not; the kernel's is in UML ---

fuzz: $(addprefix $(B)/fuzz/fuzz/,$(FUZZ)) user
	$(Q)scripts/fuzz.sh run $(or $(MINUTES),10) $(TARGETS)

fuzz-keep: $(addprefix $(B)/fuzz/fuzz/,$(FUZZ)) user
	$(Q)scripts/fuzz.sh keep $(TARGETS)

fuzz-replay: $(addprefix $(B)/san/fuzz/,$(FUZZ))
	$(Q)scripts/fuzz.sh replay $(TARGETS)

# Of user space by its unit tests, and of vpc.ko in User Mode Linux; PARTS=user or PARTS=kernel is one of them.
coverage: $(addprefix $(B)/cov/unit/,$(UNIT)) user
	$(Q)scripts/coverage.sh $(PARTS)

# -- the module: sources are linked into build/kmod/KVER, so that the tree stays clean ---------------------------------

KMOD := $(CURDIR)/$(B)/kmod/$(KVER)
KMOD_SRC := Kbuild VERSION $(wildcard kmod/*.[ch] kmod/*/*.[ch] proto/*.h)
UML := $(patsubst uml-%,%,$(filter uml-%,$(KVER)))
X86 := $(patsubst x86-%,%,$(filter x86-%,$(KVER)))
KDIR := $(if $(UML)$(X86),$(shell scripts/uml/kernel.sh $(UML)$(X86) --where)/obj,/lib/modules/$(KVER)/build)
# UML's UBSAN checks what asks for it.
# For a kernel that scripts/kernel.sh fetched it runs in that one's root folder.
KENTER := $(if $(UML)$(X86)$(wildcard $(KDIR)),,$(if $(KVER),$(if $(shell scripts/kernel.sh --where $(KVER)),scripts/kernel.sh --in $(KVER))))
KMAKE = $(KENTER) $(MAKE) -C $(KDIR) $(if $(UML),ARCH=um UBSAN_SANITIZE=$(if $(filter debug cover,$(UML)),y,n)) M=$(KMOD) $(if $(Q),--no-print-directory -s) $(if $(WERROR),KCFLAGS=-Werror)

module: $(if $(UML)$(X86)$(KENTER),$(KMOD)/vpc.ko,$(B)/vpc.ko)

# Whose kernel build/vpc.ko is for can change without a newer file: compared, not dated.
$(B)/vpc.ko: $(KMOD)/vpc.ko FORCE
	$(Q)cmp -s $< $@ || cp $< $@

# Renewed when the kernel is another than the last time.
$(B)/uml/%.key: FORCE
	$(Q)scripts/uml/kernel.sh $* > /dev/null
	@mkdir -p $(@D)
	$(Q)cmp -s $(KDIR:obj=key) $@ || cp $(KDIR:obj=key) $@

$(KMOD)/vpc.ko: $(KMOD_SRC) $(patsubst %,$(B)/uml/%.key,$(UML) $(X86))
	$(if $(KVER),,$(error no kernel headers found: install linux-headers-amd64, or name a kernel with KVER=))
	$(call say,KBUILD,"vpc.ko for $(KVER)")
	$(Q)for f in $(KMOD_SRC); do mkdir -p $(KMOD)/$$(dirname $$f) && ln -sf $(CURDIR)/$$f $(KMOD)/$$f; done
	+$(Q)$(KMAKE) W=1 modules

# -- KUnit: tables, data path and tests/kunit in one module, run in the debug kernel of scripts/uml.sh --------------

KUNIT := $(KMOD)-kunit
KUNIT_SRC := VERSION $(wildcard kmod/compat.[ch] kmod/tables/*.[ch] kmod/datapath/*.[ch] proto/*.h tests/kunit/*.[ch])

kunit:
	+$(Q)nice $(MAKE) --no-print-directory KVER=uml-debug kunit-module
	$(Q)scripts/uml.sh --debug --no-module -- tests/kunit/run.sh $(B)/kmod/uml-debug-kunit/vpc_kunit.ko $(if $(SEED),seed=$(SEED))

kunit-module: $(KUNIT)/vpc_kunit.ko

$(KUNIT)/vpc_kunit.ko: tests/kunit/Kbuild tests/data/digest-vectors.txt $(KUNIT_SRC) $(UML:%=$(B)/uml/%.key)
	$(call say,KBUILD,"vpc_kunit.ko for $(KVER)")
	$(Q)for f in $(KUNIT_SRC); do mkdir -p $(KUNIT)/$$(dirname $$f) && ln -sf $(CURDIR)/$$f $(KUNIT)/$$f; done
	$(Q)ln -sf $(CURDIR)/tests/kunit/Kbuild $(KUNIT)/Kbuild
	$(Q){ echo 'static const char *const digest_vectors[] = {'; \
	  sed -n -e '/^#/d' -e 's/.*/\t"&",/p' tests/data/digest-vectors.txt; echo '};'; } > $(KUNIT)/tests/kunit/digest_vectors.h
	+$(Q)$(subst M=$(KMOD),M=$(KUNIT),$(KMAKE)) modules

# -- vpc.ko with tests/corrupt/corrupt.c in it: in a folder of its own, and never build/vpc.ko ----------------------------

CORRUPT := $(KMOD)-corrupt

# What audits find in tables that were corrupted.
corrupt: user
	+$(Q)nice $(MAKE) --no-print-directory KVER=uml-normal corrupt-module
	$(Q)tests/audit/corrupt.sh $(FAULTS)

# MINUTES= other than 10: the audit beside 1,000 changes a second, with faults at moments that are known.
soak: user
	+$(Q)nice $(MAKE) --no-print-directory KVER=uml-normal corrupt-module
	$(Q)tests/audit/soak.sh $(MINUTES)

# The fleet's page in a real browser: build/report/*.png, to be looked at.
report-screenshot: user
	$(Q)tests/audit/page.sh

corrupt-module: $(CORRUPT)/vpc.ko

$(CORRUPT)/vpc.ko: tests/corrupt/Kbuild tests/corrupt/corrupt.c $(KMOD_SRC) $(UML:%=$(B)/uml/%.key)
	$(call say,KBUILD,"vpc.ko that can be corrupted for $(KVER)")
	$(Q)for f in $(filter-out Kbuild,$(KMOD_SRC)) tests/corrupt/corrupt.c; do mkdir -p $(CORRUPT)/$$(dirname $$f) && ln -sf $(CURDIR)/$$f $(CORRUPT)/$$f; done
	$(Q)ln -sf $(CURDIR)/tests/corrupt/Kbuild $(CORRUPT)/Kbuild
	$(Q)ln -sf $(CURDIR)/Kbuild $(CORRUPT)/Kbuild.vpc
	+$(Q)$(subst M=$(KMOD),M=$(CORRUPT),$(KMAKE)) modules

units: all
	$(Q)tests/systemd/run.sh

# MINUTES= other than 5, SEED= other than the time, CPUS= other than 4, KERNEL=kasan or kcsan other than Debian's
.PHONY: stress
stress: all
	$(Q)tests/stress/run.sh $(or $(MINUTES),5) $(or $(SEED),$(shell date +%s)) $(or $(CPUS),4) $(KERNEL)

# N= other than 1000
cycles: user
	$(Q)scripts/uml.sh --timeout 3600 -- tests/e2e/uml_cycles.sh $(N)

# MINUTES= other than 20
.PHONY: chaos
chaos: user
	+$(Q)nice $(MAKE) --no-print-directory KVER=uml-normal module
	$(Q)tests/chaos/run.sh $$(($(or $(MINUTES),20) * 60)) $(or $(SEED),$(shell date +%s))

# -- benchmarks: the tables in a module of their own next to the kernel's FIB, and programs; all in User Mode Linux -----

BENCH := $(KMOD)-bench
BENCH_SRC := VERSION $(wildcard kmod/compat.[ch] kmod/tables/*.[ch] proto/*.h tests/bench/tables/*.[ch])

bench:
	$(Q)tests/bench/run.sh $(PARTS)

# The last results' ratios with those that are kept in the tree.
.PHONY: bench-gate
bench-gate:
	$(Q)tests/bench/gate.sh

bench-module: $(BENCH)/vpc_bench.ko

$(BENCH)/vpc_bench.ko: tests/bench/tables/Kbuild $(BENCH_SRC) $(UML:%=$(B)/uml/%.key)
	$(call say,KBUILD,"vpc_bench.ko for $(KVER)")
	$(Q)for f in $(BENCH_SRC); do mkdir -p $(BENCH)/$$(dirname $$f) && ln -sf $(CURDIR)/$$f $(BENCH)/$$f; done
	$(Q)ln -sf $(CURDIR)/tests/bench/tables/Kbuild $(BENCH)/Kbuild
	+$(Q)$(subst M=$(KMOD),M=$(BENCH),$(KMAKE)) modules

$(B)/bench/program $(B)/bench/fib: $(B)/bench/%: $(B)/obj/tests/bench/%.o $(B)/libvpc.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

# -- checks ----------------------------------------------------------------------------------------------------------

check:
	$(Q)scripts/check.sh

style:
	$(Q)scripts/style.sh KVER=$(KVER)

# C=2 checks what needs no compiling, too; what was compiled with other flags is compiled again, so they are the same.
sparse: $(KMOD)/vpc.ko
	+$(Q)$(KMAKE) W=1 C=2 CF="-D__CHECK_ENDIAN__" modules

# -- install ---------------------------------------------------------------------------------------------------------

install: all
	$(Q)PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) KVER=$(KVER) scripts/install.sh

clean:
	$(Q)rm -rf $(B)

FORCE:
.PHONY: FORCE all user unit units valgrind coverage fuzz fuzz-keep fuzz-replay module kunit kunit-module corrupt corrupt-module soak report-screenshot cycles bench bench-module check style sparse install clean
.SECONDARY:
