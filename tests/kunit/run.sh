#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs the KUnit suites inside the debug kernel: make kunit calls it through "uml.sh --debug". Loading the module runs
# them; their results (KTAP) are in the kernel's log. Ends with "N passed, N failed", one a test case, and one for what
# kmemleak finds after the module is gone.
#
#   tests/kunit/run.sh MODULE [seed=NUMBER]

set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
module=$1
shift

# Tests let the n-th allocation of their own task fail; here is only set which allocations those are, and no message.
debug=/sys/kernel/debug
for kind in failslab fail_page_alloc; do
	echo 0 > $debug/$kind/verbose
	echo N > $debug/$kind/ignore-gfp-wait
done
echo 0 > $debug/fail_page_alloc/min-order
echo clear > $debug/kmemleak

passed=0 failed=0
dmesg -C
# What the data path calls.
modprobe udp_tunnel && modprobe ip6_udp_tunnel && insmod "$module" "$@" || exit 1
rmmod vpc_kunit || failed=$((failed + 1))
log=$(dmesg -t)
echo "$log"
passed=$((passed + $(grep -cE '^    ok [0-9]+ ' <<< "$log")))
failed=$((failed + $(grep -cE '^    not ok [0-9]+ |# SKIP' <<< "$log")))

# One suite a file; one that is missing in the log was not run.
suites=$(grep -lE '^kunit_test_suite\(' tests/kunit/*.c | wc -l)
seen=$(grep -cE '^(not )?ok [0-9]+ ' <<< "$log")
if [[ $suites != "$seen" ]]; then
	echo "$seen of $suites suites have come to their end"
	failed=$((failed + 1))
fi

# kmemleak does not speak of what is younger than 5 seconds, and of nothing before a second scan.
echo scan > $debug/kmemleak
sleep 6
echo scan > $debug/kmemleak
leaks=$(cat $debug/kmemleak)
if [[ -z $leaks ]]; then
	passed=$((passed + 1))
	echo "ok - kmemleak: nothing leaked"
else
	failed=$((failed + 1))
	echo "not ok - kmemleak:"
	head -n 60 <<< "$leaks"
fi
echo "$passed passed, $failed failed"
[[ $failed = 0 ]]
