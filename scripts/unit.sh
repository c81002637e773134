#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs cmocka test programs, two at a time, from the top of the tree: one line a program, and what failed. Ends with
# "N passed, N failed", counting single tests, and ", N skipped" where there are any. "make unit" calls it with all of
# build/san/unit.
#
#   scripts/unit.sh BINARY...                     CMOCKA_TEST_FILTER=PATTERN picks single tests

set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

limit_s=600
logs=$top/build/unit-logs

skips() { (($1 == 0)) || printf ', %d skipped' "$1"; }

# One program; its result goes to $logs/NAME.result as "passed failed skipped".
run_one() {
	local name log status=0 passed failed skipped
	name=$(basename "$1")
	log=$logs/$name.log
	CMOCKA_MESSAGE_OUTPUT=TAP timeout -k 5 "$limit_s" "$1" > "$log" 2>&1 < /dev/null || status=$?
	passed=$(grep -cE '^ok ' "$log" || true)
	# cmocka calls a skipped test "not ok", too.
	failed=$(grep -E '^not ok ' "$log" | grep -cv '# SKIP' || true)
	skipped=$(grep -cE '^not ok .*# SKIP' "$log" || true)
	# A crash, a sanitizer's report, a time limit: no "not ok" line says it.
	if ((failed == 0 && (status != 0 || passed + skipped == 0))); then
		failed=1
	fi
	echo "$passed $failed $skipped" > "$logs/$name.result"
	printf '  %-28s %3d passed, %d failed%s\n' "$name" "$passed" "$failed" "$(skips "$skipped")"
	if ((failed)); then
		[[ $status != 124 ]] || echo "    stopped after $limit_s s"
		{ grep -E -A12 '^not ok [0-9]+ - |ERROR: |runtime error:' "$log" || tail -n 30 "$log"; } | sed 's/^/    /'
		echo "    exit status $status; the whole log: $log"
	fi
}

if [[ ${1:-} = --one ]]; then
	run_one "$2"
	exit
fi

cd "$top"
rm -rf "$logs"
mkdir -p "$logs"
[[ $# -gt 0 ]] || die "which test programs? (make unit runs all)"
for binary; do
	[[ -x $binary ]] || die "$binary is not there: make unit builds it"
done
printf '%s\0' "$@" | xargs -0 -n1 -P2 "$top/scripts/unit.sh" --one

cat "$logs"/*.result | {
	passed=0 failed=0 skipped=0
	while read -r p f s; do passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s)); done
	echo "$passed passed, $failed failed$(skips "$skipped")"
	((failed == 0))
}
