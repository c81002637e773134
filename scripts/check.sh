#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Everything that must be true, on a bare Debian machine as root or with sudo: installs what is missing, builds with
# warnings as errors, runs the unit tests under sanitizers, the bats suites against private servers, the scenarios in a
# virtual machine, and the style checks. Runs on after a failure; the last line is "N passed, N failed".
#
#   scripts/check.sh [PART...]        build unit bats scenarios style; all by default
#
# Logs are under build/check/. Environment: VPC_TEST_DATA names a folder of real route tables for the unit tests; KVER
# picks another installed kernel than the newest.

set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
cd "$top"

parts=(build unit bats scenarios style)
for part; do
	[[ " ${parts[*]} " = *" $part "* ]] || die "unknown part \"$part\": one or more of ${parts[*]} (HACKING.md tells how to run one test)"
done
[[ $# = 0 ]] || parts=("$@")
wanted() { [[ " ${parts[*]} " = *" $1 "* ]]; }

logs=build/check services=build/check/services
passed=0 failed=0
scenarios_pid=''

# shellcheck disable=SC2317  # called by the trap
cleanup() {
	local status=$?
	trap - EXIT
	trap '' INT TERM HUP
	if [[ -n $scenarios_pid ]] && kill -TERM "$scenarios_pid" 2> /dev/null; then
		wait "$scenarios_pid" || true
	fi
	[[ ! -d $services ]] || scripts/services.sh stop "$services" > /dev/null 2>&1 || true
	exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# run NAME COMMAND...: keeps what it says and how it ends.
run() {
	local name=$1 status=0 begin=$SECONDS
	shift
	"$@" > "$logs/$name.log" 2>&1 < /dev/null || status=$?
	echo "$status $((SECONDS - begin))" > "$logs/$name.status"
}

# Counts what a log says: its last line "N passed, N failed", or TAP, or else one for the exit status.
report() {
	local name=$1 log=$logs/$1.log status took p=0 f=0
	read -r status took < "$logs/$name.status"
	if [[ $(tail -n 1 "$log") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
		p=${BASH_REMATCH[1]} f=${BASH_REMATCH[2]}
	elif head -n 1 "$log" | grep -qE '^1\.\.[0-9]+$'; then
		p=$(grep -c '^ok ' "$log" || true) f=$(grep -c '^not ok ' "$log" || true)
	elif [[ $status = 0 ]]; then
		p=1
	fi
	[[ $status = 0 || $f != 0 ]] || f=1
	passed=$((passed + p)) failed=$((failed + f))
	printf '%-12s %4d passed, %d failed  (%d s)\n' "$name" "$p" "$f" "$took"
	if [[ $f != 0 ]]; then
		grep -E -A15 '^not ok |FAILED|ERROR: |runtime error:|: error: ' "$log" | head -n 120 | sed 's/^/    /' || true
		tail -n 25 "$log" | sed 's/^/    /'
		echo "    exit status $status; the whole log: $log"
	fi
}

step() {
	run "$@"
	report "$1"
}

# In a subshell of its own, so that its end is vm.sh's, which cleans up when it is told to end.
scenarios() {
	scripts/services.sh start "$services" || return
	set -a
	# shellcheck source=/dev/null
	. "$services/env"
	set +a
	mkdir -p "$logs/scenarios"
	scripts/vm.sh --kernel "$KVER" --smp 2 --timeout 1500 --out "$logs/scenarios" --log "$logs/scenarios/console" -- \
		tests/e2e/vm-run.sh &
	vm=$!
	trap 'kill -TERM "$vm"; wait "$vm"; exit 143' TERM
	wait "$vm"
}

scripts/deps.sh
# One kernel for all: what the module is built for is what boots.
KVER=${KVER:-$(bootable_kernel)} || die "no kernel with image, modules and headers: what scripts/deps.sh installs is gone"
export KVER
mkdir -p build
# The logs and the build are this clone's: one at a time.
exec {lock}> build/check.lock
flock -n "$lock" || die "another check.sh runs in this clone: wait for its end, or clone once more"
rm -rf "$logs"
mkdir -p "$logs"
if [[ -z ${VPC_TEST_DATA:-} && -d $top/../shared/data ]]; then
	VPC_TEST_DATA=$(cd "$top/../shared/data" && pwd -P)
	export VPC_TEST_DATA
fi

! wanted build || step build make -j2 WERROR=1 all
# The virtual machine leaves a good part of two processors idle: the rest runs beside it.
if wanted scenarios; then
	run scenarios scenarios &
	scenarios_pid=$!
fi
! wanted unit || step unit make -j2 WERROR=1 unit
if wanted bats; then
	for suite in tests/e2e/*.bats; do
		step "$(basename "$suite" .bats)" timeout -k 10 300 bats --tap "$suite"
	done
fi
if wanted scenarios; then
	wait "$scenarios_pid" || true
	scenarios_pid=''
	report scenarios
fi
# Last, because sparse compiles the module's objects anew.
! wanted style || step style make style

echo "# $SECONDS s"
echo "$passed passed, $failed failed"
[[ $failed = 0 ]]
