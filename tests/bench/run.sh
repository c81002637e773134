#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# "make bench": runs every benchmark in User Mode Linux, where timings repeat, save "publish", and prints what was measured
# next to what must be reached. What each part says is build/bench/PART.txt, its figures PART.json, all of them together
# build/bench/results.json.
#
#   run.sh [PART...]      tables program forward upgrade publish agent change fleet audit; all by default. The others' last results are kept.
#
# Exit status: 1 when a part fails, or lacks one of its figures (goals.txt), now or from before; each is named.
#
# Environment: VPC_TEST_DATA, the folder of real route tables (default: shared/data beside the repository).

set -euo pipefail
# shellcheck source=../../scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"
cd "$top"

all_parts=(tables program forward upgrade publish agent change fleet audit)
parts=("${all_parts[@]}")
for part; do
	[[ " ${parts[*]} " = *" $part "* ]] || { echo "run.sh: unknown part \"$part\": one or more of ${parts[*]}" >&2; exit 2; }
done
[[ $# = 0 ]] || parts=("$@")

data=${VPC_TEST_DATA:-$top/../shared/data}
folder=$top/build/bench
mkdir -p "$folder"
scripts/deps.sh uml
make -s -j2 user build/bench/program build/bench/fib

unpack() {
	[[ -r $data/$1 ]] || { echo "run.sh: $data/$1 is not there: name the folder of route tables in VPC_TEST_DATA" >&2; exit 2; }
	[[ $folder/$2 -nt $data/$1 ]] || gzip -dc "$data/$1" > "$folder/$2"
}

# huge COMMAND...: the guest that it starts has its memory in huge pages, as a kernel has its own anywhere but in User Mode Linux.
# In a mount namespace of its own, with which the memory goes.
huge() {
	mkdir -p "$folder/memory"
	# shellcheck disable=SC2016
	unshare -m bash -c 'mount -t tmpfs -o huge=always,mode=700 bench "$1" && TMPDIR=$1 exec "${@:2}"' - "$folder/memory" "$@"
}

# Each says its numbers to PART.txt as lines for fragment.sh; what is of interest besides is on standard error.
tables() {
	make -s KVER=uml-normal bench-module
	huge scripts/uml.sh --mem 3500 --timeout 1200 --no-module -- \
		tests/bench/tables.sh build/kmod/uml-normal-bench/vpc_bench.ko "$folder"
}
program() { scripts/uml.sh --mem 3000 --timeout 600 -- tests/bench/program.sh "$folder/program" > "$folder/program.txt"; }
forward() {
	VPC_TEST_DATA=$data scripts/uml.sh --mem 3000 --timeout 1800 -- tests/bench/forward.sh | tee "$folder/forward.txt"
}
upgrade() { scripts/uml.sh --mem 2000 --timeout 600 -- tests/bench/upgrade.sh > "$folder/upgrade.txt"; }
publish() { tests/bench/publish.sh > "$folder/publish.txt"; }
agent() { tests/bench/agent.sh > "$folder/agent.txt"; }
change() { tests/bench/change.sh > "$folder/change.txt"; }
fleet() { tests/bench/fleet.sh > "$folder/fleet.txt"; }
audit() { scripts/uml.sh --mem 4000 --timeout 900 -- tests/bench/audit.sh > "$folder/audit.txt"; }

# measure PART: its figures, whole, or nothing
measure() {
	local begun=$SECONDS
	"$1"
	tests/bench/fragment.sh "$1" < "$folder/$1.txt" > "$folder/$1.new"
	mv "$folder/$1.new" "$folder/$1.json"
	echo "-- $1: $((SECONDS - begun)) s"
}

unpack v4_tier1_202312.txt.gz v4.txt
unpack v6_tier1_202312.txt.gz v6.txt
unpack v4_hosts_ipsum_20260822.txt.gz hosts.txt
# Whose figures they are; results.sh and gate.sh want them of one.
commit=$(git -c safe.directory="$top" describe --always --dirty 2> /dev/null || cat VERSION)
failed=()
for part in "${parts[@]}"; do
	echo "-- $part"
	# What was measured before is no result of now.
	rm -f "$folder/$part".{txt,json,new,commit}
	# In a shell of its own, which ends at the first thing that fails; as part of a condition it would not.
	set +e
	(set -e; measure "$part")
	status=$?
	set -e
	if [[ $status = 0 ]]; then echo "$commit" > "$folder/$part.commit"; else failed+=("$part"); fi
done
status=0
tests/bench/results.sh "$folder" "${all_parts[@]}" || status=$?
[[ ${#failed[@]} = 0 ]] || die "failed: ${failed[*]}"
[[ $status = 0 ]]
