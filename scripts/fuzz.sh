#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The fuzz targets of user space (tests/fuzz/fuzz_*.c), which "make fuzz" and "make fuzz-replay" have built, and those of
# the kernel (nlfuzz: netlink messages, wirefuzz: packets), which run in the kernel of "uml.sh --cover" and which
# uml_debug.sh replays. Ends with "N passed, N failed", one a target.
#
#   scripts/fuzz.sh run MINUTES [TARGET...]     libFuzzer, MINUTES for all together, by turns: looks for new inputs
#   scripts/fuzz.sh replay [TARGET...]          the inputs kept in tests/fuzz/corpus, without libFuzzer; some seconds
#   scripts/fuzz.sh keep [TARGET...]            the smallest set with the coverage of all found becomes tests/fuzz/corpus
#
# What run finds is kept in build/fuzz/corpus, from which the next run goes on; what fails is build/fuzz/failures/TARGET-*.

set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
cd "$top"

kept=tests/fuzz/corpus found=build/fuzz/corpus failures=build/fuzz/failures logs=build/fuzz/logs
verb=${1:-}
shift $(($# > 0))
minutes=''
if [[ $verb = run ]]; then
	minutes=${1:-}
	[[ $minutes =~ ^[1-9][0-9]*$ ]] || die "run wants a number of minutes, not \"$minutes\""
	shift
fi
targets=("$@")
if [[ $# = 0 ]]; then
	for file in tests/fuzz/fuzz_*.c; do
		name=$(basename "$file" .c)
		targets+=("${name#fuzz_}")
	done
	[[ $verb = replay ]] || targets+=(nlfuzz wirefuzz)
fi
# of_kernel TARGET: its script is known.
declare -A scripts=([nlfuzz]=uml_fuzz.sh [wirefuzz]=uml_wire.sh)
of_kernel() { [[ -n ${scripts[$1]:-} ]]; }
for target in "${targets[@]}"; do
	of_kernel "$target" || [[ -e tests/fuzz/fuzz_$target.c ]] || die "no target \"$target\": tests/fuzz/fuzz_$target.c is not there"
done
mkdir -p "$found" "$failures" "$logs"
passed=0 failed=0

# count TARGET STATUS
count() {
	if [[ $2 = 0 ]]; then
		passed=$((passed + 1))
		return
	fi
	failed=$((failed + 1))
	{ grep -aE -A14 'ERROR: |runtime error:|not true: |SUMMARY: ' "$logs/$1" || tail -n 15 "$logs/$1"; } |
		head -n 40 | sed 's/^/    /'
	echo "    exit status $2; the whole log: $logs/$1"
}

# libFuzzer's own figures in a log.
figure() { sed -n "s/.*stat::$1: *//p" "$logs/$2" | tail -n 1; }

run() {
	local target=$1 seconds=$2 status=0 before edges
	mkdir -p "$found/$target" "$kept/$target"
	before=$(find "$failures" -name "$target-*" | wc -l)
	# It may stop at its time only between two inputs.
	timeout -k 10 $((seconds + 120)) nice -n 15 "build/fuzz/fuzz/$target" -max_total_time="$seconds" -timeout=20 \
		-print_final_stats=1 -verbosity=1 -artifact_prefix="$failures/$target-" "$found/$target" "$kept/$target" \
		> "$logs/$target" 2>&1 < /dev/null || status=$?
	# One that fails at once has said nothing of it.
	edges=$(grep -aoE ' cov: [0-9]+' "$logs/$target" | tail -n 1) || true
	edges=${edges##* }
	printf '%-12s %10s executions %6s edges %5d inputs %3d failures\n' "$target" \
		"$(figure number_of_executed_units "$target")" "${edges:-?}" "$(find "$found/$target" -type f | wc -l)" \
		$(($(find "$failures" -name "$target-*" | wc -l) - before))
	count "$target" "$status"
}

# kernel TARGET ARGUMENT...: its script in User Mode Linux; the last figures that it says
kernel() {
	local target=$1 status=0
	timeout -k 10 3600 nice -n 15 scripts/uml.sh --cover --timeout 3500 --log "$logs/$target.console" -- \
		"tests/e2e/${scripts[$target]}" "${@:2}" > "$logs/$target" 2>&1 < /dev/null || status=$?
	printf '%-12s %s\n' "$target" "$(grep -aE '(^|: )[0-9]+ inputs, ' "$logs/$target" | tail -n 1)"
	[[ $status = 0 ]] || cp "build/fuzz/$target/current" "$failures/$target-crash-$(date +%s)" 2> /dev/null || true
	if [[ $status = 0 && $2 = keep ]]; then
		rm -rf "${kept:?}/$target"
		cp -r "build/fuzz/$target-kept" "$kept/$target"
	fi
	count "$target" "$status"
}

replay() {
	local target=$1 status=0
	timeout -k 5 60 "build/san/fuzz/$target" "$kept/$target" > "$logs/$target" 2>&1 < /dev/null || status=$?
	printf '%-12s %s\n' "$target" "$(tail -n 1 "$logs/$target")"
	count "$target" "$status"
}

keep() {
	local target=$1 status=0 small
	small=$(mktemp -d build/fuzz/keep-XXXXXX)
	mkdir -p "$found/$target" "$kept/$target"
	# What was kept because it once failed is first, and stays.
	find "$kept/$target" -name 'bug-*' -exec cp {} "$small" \;
	nice -n 15 "build/fuzz/fuzz/$target" -merge=1 -max_len=16384 "$small" "$kept/$target" "$found/$target" \
		> "$logs/$target" 2>&1 < /dev/null || status=$?
	if [[ $status = 0 ]]; then
		rm -rf "${kept:?}/$target"
		mkdir -p "$kept/$target"
		cp "$small"/* "$kept/$target/"
		echo "$target: $(find "$kept/$target" -type f | wc -l) inputs, $(du -sb --apparent-size "$kept/$target" | cut -f1) bytes"
	fi
	rm -rf "$small"
	count "$target" "$status"
}

case $verb in
run)
	for target in "${targets[@]}"; do
		seconds=$((minutes * 60 / ${#targets[@]} + 1))
		if of_kernel "$target"; then
			kernel "$target" run "$seconds" "${SEED:-$(date +%s)}"
		else
			run "$target" "$seconds"
		fi
	done ;;
replay | keep)
	for target in "${targets[@]}"; do
		if of_kernel "$target"; then
			kernel "$target" "$verb"
		else
			"$verb" "$target"
		fi
	done ;;
*) die "run, replay or keep, not \"$verb\"" ;;
esac
echo "$passed passed, $failed failed"
((failed == 0))
