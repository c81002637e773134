#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What scripts/coverage.sh counts vpc.ko's lines with, in the kernel of "uml.sh --cover": KUnit, scenarios that need no
# services, the kept netlink inputs and packets, and failing allocations. Counts outlive the modules; they go to
# $VM_OUT, a tar for each.
#
. "$(dirname "$0")/lib.sh"

gcov=/sys/kernel/debug/gcov
[[ -e $gcov/reset ]] || lab_fail "this kernel does not count: run this in \"scripts/uml.sh --cover\""
echo 1 > $gcov/reset

bad=''
begin "what is counted holds"
tests/kunit/run.sh build/kmod/uml-cover-kunit/vpc_kunit.ko > "$VM_OUT/kunit.log" || bad+=" kunit"
for name in uml_fail uml_fuzz uml_wire vm_refusals uml_packets vm_datapath; do
	bash "tests/e2e/$name.sh" || bad+=" $name"
done
lab_module_loaded && lab_module_unload

begin "counts"
for module in uml-cover uml-cover-kunit; do
	# Below the folder that the objects were built in; files there have no size before they are read.
	from=$gcov/$(realpath build/kmod/$module)
	find "$from" -name '*.gcda' -printf '%P\n' | while read -r file; do
		mkdir -p "/run/$module/$(dirname "$file")"
		cat "$from/$file" > "/run/$module/$file"
	done
	tar -cf "$VM_OUT/$module.tar" -C "/run/$module" .
done
same "$bad" "" "failed"
