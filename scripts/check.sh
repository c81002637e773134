#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Everything that must be true, on a bare Debian machine as root or with sudo: installs what is missing, builds with
# warnings as errors, runs the unit tests under sanitizers, the bats suites against private servers, the scenarios in a
# virtual machine, and the style checks. Runs on after a failure; the last line is "N passed, N failed", and the one before
# it says how many were skipped, which are neither.
#
#   scripts/check.sh [PART...]        build unit bats scenarios chaos style, which are the default; kunit uml kernels units
#
# chaos (tests/chaos, 12 s of faults) runs in User Mode Linux and is skipped while no current kernel for it is built, unless named.
# kunit (the module's tables and packet code) and uml (the whole module) run in User Mode Linux with a kernel that
# watches memory and locks, which the first of them builds; uml runs what wants speed in the kernel for benchmarks.
# kernels is the module and some scenarios on other Debian releases' kernels. units is the systemd units under a real
# systemd, in a virtual machine.
#
# Logs are under build/check/. Environment: VPC_TEST_DATA names a folder of real route tables for the unit tests; KVER
# picks another installed kernel than the newest.

set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
cd "$top"

parts=(build unit bats scenarios chaos style)
more_parts=(kunit uml kernels units)
for part; do
	[[ " ${parts[*]} ${more_parts[*]} " = *" $part "* ]] ||
		die "unknown part \"$part\": one or more of ${parts[*]} ${more_parts[*]} (HACKING.md tells how to run one test)"
done
named=" $* "
[[ $# = 0 ]] || parts=("$@")
wanted() { [[ " ${parts[*]} " = *" $1 "* ]]; }

logs=build/check
# What is under way: whole rows of steps, and the step that this shell itself is at.
row_pids='' step_pid='' failed=0
# Where the suites have their servers.
export VPC_BATS_DIR=$top/$logs/bats

stop_services() {
	local dir
	for dir in "$logs"/services/* "$VPC_BATS_DIR"/*; do
		[[ ! -d $dir ]] || scripts/services.sh stop "$dir" > /dev/null 2>&1 || true
	done
}

# shellcheck disable=SC2317  # called by the trap
cleanup() {
	local status=$?
	trap - EXIT
	trap '' INT TERM HUP
	for pid in $step_pid $row_pids; do
		if kill -TERM "$pid" 2> /dev/null; then wait "$pid" || true; fi
	done
	[[ -z ${locked:-} ]] || stop_services
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

# Prints what came of a step, in one piece: others may be under way.
report() {
	local text
	text=$(report_text "$1")
	echo "$text"
}

# Counts what a log says: its last line "N passed, N failed[, N skipped]", or TAP, or lines "ok - ", or else one for the
# exit status. The counts go to NAME.count.
report_text() {
	local name=$1 log=$logs/$1.log status took p=0 f=0 s=0
	read -r status took < "$logs/$name.status"
	if [[ $(tail -n 1 "$log") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed(,\ ([0-9]+)\ skipped)?$ ]]; then
		p=${BASH_REMATCH[1]} f=${BASH_REMATCH[2]} s=${BASH_REMATCH[4]:-0}
	elif head -n 1 "$log" | grep -qE '^1\.\.[0-9]+$'; then
		s=$(grep -cE '^ok .*# skip' "$log" || true)
		p=$(($(grep -c '^ok ' "$log" || true) - s)) f=$(grep -c '^not ok ' "$log" || true)
	elif grep -qE '^(not )?ok - ' "$log"; then
		p=$(grep -c '^ok - ' "$log" || true) f=$(grep -c '^not ok - ' "$log" || true)
	elif [[ $status = 0 ]]; then
		p=1
	fi
	[[ $status = 0 || $f != 0 ]] || f=1
	echo "$p $f $s" > "$logs/$name.count"
	printf '%-12s %4d passed, %d failed%s  (%d s)\n' "$name" "$p" "$f" "$( ((s == 0)) || echo ", $s skipped")" "$took"
	if [[ $f != 0 ]]; then
		grep -E -A15 '^not ok |FAILED|ERROR: |runtime error:|: error: ' "$log" | head -n 120 | sed 's/^/    /' || true
		tail -n 25 "$log" | sed 's/^/    /'
		echo "    exit status $status; the whole log: $log"
	fi
}

# The same of what may be given up, and its count. While the shell waits for a child in the background it takes signals, and
# timeout, here without a limit, hands them on to all that the command has started.
step() {
	local name=$1 status=0 begin=$SECONDS
	shift
	if [[ $(type -t "$1") = function ]]; then
		# shellcheck disable=SC2163  # the function of that name
		export -f "$1"
		set -- bash -c '"$@"' bash "$@"
	fi
	timeout -k 10 0 "$@" > "$logs/$name.log" 2>&1 < /dev/null &
	step_pid=$!
	wait "$step_pid" || status=$?
	step_pid=''
	echo "$status $((SECONDS - begin))" > "$logs/$name.status"
	report "$name"
}

# row FUNCTION...: steps one after the other, beside all else.
row() {
	(
		trap - EXIT
		trap '[[ -z $step_pid ]] || { kill -TERM "$step_pid"; wait "$step_pid"; }; exit 143' TERM
		for part; do "$part"; done
	) &
	row_pids+=" $!"
}

# Of a row that did not get to its end some steps have not been counted.
rows_wait() {
	local pid
	for pid in $row_pids; do
		wait "$pid" || { echo "a row of steps ended early, with status $?"; failed=$((failed + 1)); }
	done
	row_pids=''
}

suite() { step "$1" timeout -k 10 1800 bats --tap "tests/e2e/$1.bats"; }

# What compiles and what is short; ctl's first test wants the unit tests built. Style has sparse read the module, with the
# flags that it was compiled with, or it would be compiled anew.
compiling() {
	! wanted unit || step unit make -j2 WERROR=1 unit
	! wanted unit || step fuzz-replay make -j2 WERROR=1 fuzz-replay
	! wanted unit || step valgrind timeout -k 10 600 make -j2 WERROR=1 valgrind
	! wanted bats || suite ctl
	! wanted style || step style make WERROR=1 style
}

# This seed ends MariaDB and a publisher, pauses and slows others and ZooKeepers, reloads the module, takes a guest's device away
# and cuts hosts off; what it did is in build/check/chaos.
chaos_short() {
	make -j2 WERROR=1 user && make -j2 WERROR=1 KVER=uml-normal module && tests/chaos/run.sh 12 79 build/check/chaos
}
no_kernel() { echo "0 passed, 0 failed, 1 skipped"; }
chaos() {
	if scripts/uml/kernel.sh normal --current > /dev/null 2>&1 || [[ $named = *" chaos "* ]]; then
		export -f chaos_short
		step chaos timeout -k 10 1500 bash -c chaos_short
	else
		step chaos no_kernel
	fi
}

# Suites that wait more than they work.
waiting() {
	local file
	! wanted chaos || chaos
	! wanted bats || for file in tests/e2e/*.bats; do
		[[ $file = */ctl.bats ]] || suite "$(basename "$file" .bats)"
	done
}

# All of them, those of which nothing is known first and the longest of the others next: what is begun last should end soon.
scenarios_in_order() {
	local name file known=" $scenarios_by_length "
	for file in tests/e2e/vm_*.sh; do
		name=$(basename "${file#*/vm_}" .sh)
		[[ $known = *" $name "* ]] || echo "$name"
	done
	for name in $scenarios_by_length; do
		[[ ! -e tests/e2e/vm_$name.sh ]] || echo "$name"
	done
}
scenarios_by_length="underlay peers ports publisher_kill reconcile datapath cache module_reload isolation upgrade icmp forwarding"
scenarios_by_length+=" control migration zookeeper_down namespace_end refusals mariadb_down bad_input agent_kill agent_user"

# One of two machines that share the scenarios.
machine() {
	local names log=$logs/scenarios-$1.log
	mapfile -t names < <(scenarios_in_order)
	run "scenarios-$1" scenarios "$KVER" "scenarios-$1" "$logs/scenarios" --shared "${names[@]}"
	report "scenarios-$1"
}
machine_1() { machine 1; }
machine_2() { machine 2; }

# scenarios KVER NAME OUT [SCENARIO...]
# In a subshell of its own, so that its end is vm.sh's, which cleans up when it is told to end.
scenarios() {
	local kver=$1 out=$3 services=$logs/services/$2 console=$logs/$2.console
	shift 3
	scripts/services.sh start "$services" || return
	set -a
	# shellcheck source=/dev/null
	. "$services/env"
	set +a
	mkdir -p "$out"
	scripts/vm.sh --kernel "$kver" --smp 2 --timeout 5400 --out "$out" --log "$console" -- tests/e2e/vm-run.sh "$@" &
	vm=$!
	trap 'kill -TERM "$vm"; wait "$vm"; exit 143' TERM
	wait "$vm"
}

# What differs between kernels: the interfaces that the module is built against and uses.
kernel() {
	local kver out=$logs/kernel-$1
	kver=$(scripts/kernel.sh "$1") || return
	make -j2 user || return
	make -j2 WERROR=1 sparse KVER="$kver" 2>&1 | tee "$logs/sparse-$1"
	[[ ${PIPESTATUS[0]} = 0 ]] || return
	! grep -qE '(warning|error):' "$logs/sparse-$1" || return
	scenarios "$kver" "kernel-$1" "$out" forwarding isolation refusals module_reload namespace_end
}

kernel_6_12() {
	run kernel-6.12 kernel 6.12
	report kernel-6.12
}

# Its tools are user space's.
uml() {
	local status=0
	make -j2 WERROR=1 user || return
	scripts/uml.sh --debug --timeout 3600 -- tests/e2e/uml_debug.sh || status=$?
	scripts/uml.sh --mem 2560 --timeout 900 -- tests/e2e/uml_million.sh || status=$?
	scripts/uml.sh --timeout 1800 -- tests/e2e/uml_cycles.sh 200 || status=$?
	return $status
}

scripts/deps.sh
! wanted units || scripts/deps.sh units
if wanted kunit || wanted uml || [[ $named = *" chaos "* ]]; then
	scripts/deps.sh uml
fi
# One kernel for all: what the module is built for is what boots.
KVER=${KVER:-$(bootable_kernel)} || die "no kernel with image, modules and headers: what scripts/deps.sh installs is gone"
export KVER
mkdir -p build
# The logs and the build are this clone's: one at a time.
exec {lock}> build/check.lock
flock -n "$lock" || die "another check.sh runs in this clone: wait for its end, or clone once more"
locked=1
# Left behind by one that was killed.
stop_services
rm -rf "$logs"
mkdir -p "$logs"
if [[ -z ${VPC_TEST_DATA:-} && -d $top/../shared/data ]]; then
	VPC_TEST_DATA=$(cd "$top/../shared/data" && pwd -P)
	export VPC_TEST_DATA
fi

! wanted build || step build make -j2 WERROR=1 all
# A virtual machine leaves a good part of two processors idle, as a scenario waits more than it works: two at once, which
# take the scenarios by turns, and two rows of other steps beside them.
if wanted scenarios; then
	row machine_1
	row machine_2
fi
row compiling
if wanted bats || wanted chaos; then
	row waiting
fi
rows_wait
! wanted kunit || step kunit make kunit
! wanted uml || step uml uml
! wanted units || step units make units

if wanted kernels; then
	row kernel_6_12
	rows_wait
fi

passed=0 skipped=0
while read -r p f s; do
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done < <(cat "$logs"/*.count)
echo "# $skipped skipped, $SECONDS s"
echo "$passed passed, $failed failed"
[[ $failed = 0 ]]
