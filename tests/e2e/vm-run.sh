#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs scenarios one after the other inside the virtual machine: check.sh and developers call it through vm.sh, with the
# services' addresses in the environment. Prints "ok - ..." and "not ok - ..." lines, failed scenarios' output, and
# "N passed, N failed[, N skipped]" at the end; each scenario's whole output goes to $VM_OUT.
#
#   tests/e2e/vm-run.sh [--shared] [SCENARIO...]     names or files; all by default
#
# --shared: several machines with one $VM_OUT are given the same scenarios, and each takes the next that none has begun.

set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
limit_s=900
out=${VM_OUT:-/tmp}

shared=0
if [[ ${1:-} = --shared ]]; then
	shared=1
	mkdir -p "$out/begun"
	shift
fi
if [[ $# = 0 ]]; then
	set -- tests/e2e/vm_*.sh
fi

trouble='BUG: |WARNING: |Oops|refcount_t: |Call Trace:|unregister_netdevice: waiting|blocked for more than|stall'
bash -c '. scripts/lab.sh && lab_guard && lab_warm' || exit 2

passed=0 failed=0 skipped=0
not_ok() {
	echo "not ok - $1"
	failed=$((failed + 1))
}

for scenario; do
	name=$(basename "$scenario" .sh)
	name=${name#vm_}
	file=tests/e2e/vm_$name.sh
	log=$out/$name.log
	((shared == 0)) || mkdir "$out/begun/$name" 2> /dev/null || continue
	[[ -r $file ]] || { not_ok "$name: there is no $file"; continue; }
	dmesg -C
	start=$SECONDS
	timeout -k 30 "$limit_s" bash "$file" 2>&1 < /dev/null | tee "$log" | grep --line-buffered -E '^((not )?ok|skipped) - '
	status=${PIPESTATUS[0]}
	good=$(grep -c '^ok - ' "$log") bad=$(grep -c '^not ok - ' "$log")
	passed=$((passed + good)) failed=$((failed + bad))
	if [[ $status != 0 ]]; then
		tail -n 150 "$log" | sed 's/^/    /'
		[[ $bad != 0 ]] || not_ok "$name: ended with status $status after $((SECONDS - start)) s"
		# What it could not take down itself, so that the next ones have a clean machine.
		LAB_DIR=/run/lab-$name bash -c '. scripts/lab.sh && lab_down' > /dev/null 2>&1
	elif grep -q '^skipped - ' "$log"; then
		skipped=$((skipped + 1))
	elif [[ $good = 0 && $bad = 0 ]]; then
		not_ok "$name: tested nothing"
	fi
	dmesg > "$out/$name.dmesg"
	if grep -E -m1 -A20 "$trouble" "$out/$name.dmesg"; then
		not_ok "$name: the kernel complained"
	fi
	echo "# $name: $((SECONDS - start)) s"
done
echo "$passed passed, $failed failed$( ((skipped == 0)) || echo ", $skipped skipped")"
[[ $failed = 0 ]]
