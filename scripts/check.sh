#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Everything that must be true, on a bare Debian machine as root or with sudo: installs what is missing, builds with
# warnings as errors, runs the unit tests under sanitizers, the bats suites against private servers, the scenarios in a
# virtual machine, and the style checks. Runs on after a failure; the last line is "N passed, N failed".
#
# Logs are under build/check/. Environment: VPC_TEST_DATA names a folder of real route tables for the unit tests.

set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
cd "$top"

if [[ $# -gt 0 ]]; then
	echo "usage: check.sh   (no arguments; HACKING.md tells how to run one test)" >&2
	exit 2
fi

logs=build/check services=build/check/services
passed=0 failed=0
start=$SECONDS

cleanup() {
	local status=$?
	trap - EXIT INT TERM
	[[ ! -d $services ]] || scripts/services.sh stop "$services" > /dev/null 2>&1 || true
	exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# The counts a log ends in; a step without them that failed counts as one failure.
count() {
	local log=$1 status=$2 p=0 f=0
	if [[ $(tail -n 1 "$log") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
		p=${BASH_REMATCH[1]} f=${BASH_REMATCH[2]}
	elif head -n 1 "$log" | grep -qE '^1\.\.[0-9]+$'; then
		p=$(grep -c '^ok ' "$log" || true) f=$(grep -c '^not ok ' "$log" || true)
	elif [[ $status = 0 ]]; then
		p=1
	fi
	[[ $status = 0 || $f != 0 ]] || f=1
	passed=$((passed + p)) failed=$((failed + f))
	counted="$p passed, $f failed"
}

# step NAME COMMAND...
step() {
	local name=$1 log=$logs/$1.log status=0 begin=$SECONDS
	shift
	"$@" > "$log" 2>&1 < /dev/null || status=$?
	count "$log" "$status"
	printf '%-22s %s, %d s\n' "$name" "$counted" $((SECONDS - begin))
	if [[ $status != 0 || $counted != *" 0 failed" ]]; then
		grep -E -A15 '^not ok |FAILED|ERROR: |runtime error:|: error: ' "$log" | head -n 120 | sed 's/^/    /' || true
		tail -n 25 "$log" | sed 's/^/    /'
		echo "    exit status $status; the whole log: $log"
	fi
	return 0
}

scenarios() {
	scripts/services.sh start "$services" || return
	set -a
	# shellcheck source=/dev/null
	. "$services/env"
	set +a
	mkdir -p "$logs/vm"
	scripts/vm.sh --smp 2 --mem 3072 --timeout 1500 --out "$logs/vm" --log "$logs/vm/console.log" -- tests/e2e/vm-run.sh
}

scripts/deps.sh
rm -rf "$logs"
mkdir -p "$logs"
if [[ -z ${VPC_TEST_DATA:-} && -d $top/../shared/data ]]; then
	VPC_TEST_DATA=$(cd "$top/../shared/data" && pwd -P)
	export VPC_TEST_DATA
fi
step build make -j2 WERROR=1 all
step unit make -j2 WERROR=1 unit
for suite in tests/e2e/*.bats; do
	name=$(basename "$suite" .bats)
	step "$name" bats --tap "$suite"
done
step scenarios scenarios
step style make style

echo "# $((SECONDS - start)) s"
echo "$passed passed, $failed failed"
[[ $failed = 0 ]]
