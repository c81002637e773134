#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# "make bench": runs every benchmark in User Mode Linux, where timings repeat, save "publish", and prints what was measured
# next to what must be reached. Raw results, one fragment a benchmark, and build/bench/results.json, all of them together.
#
#   run.sh [PART...]      tables program forward upgrade publish agent change fleet audit; all by default. The others' last results are kept.
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

tables() {
	make -s KVER=uml-normal bench-module
	scripts/uml.sh --mem 3500 --timeout 1200 --no-module -- \
		tests/bench/tables.sh build/kmod/uml-normal-bench/vpc_bench.ko "$folder"
	fragment tables < "$folder/tables.txt"
}

program() {
	scripts/uml.sh --mem 3000 --timeout 600 -- tests/bench/program.sh "$folder/program" > "$folder/program.txt"
	fragment program < "$folder/program.txt"
}

forward() { VPC_TEST_DATA=$data scripts/uml.sh --mem 3000 --timeout 1800 -- tests/bench/forward.sh; }
audit() {
	scripts/uml.sh --mem 4000 --timeout 900 -- tests/bench/audit.sh > "$folder/audit.txt"
	fragment audit < "$folder/audit.txt"
}
publish() { tests/bench/publish.sh > "$folder/publish.txt" && fragment publish < "$folder/publish.txt"; }
# Benchmarks that print lines for fragment themselves, and what else there is to say on standard error.
agent() { tests/bench/agent.sh > "$folder/agent.txt" && fragment agent < "$folder/agent.txt"; }
change() { tests/bench/change.sh > "$folder/change.txt" && fragment change < "$folder/change.txt"; }
fleet() { tests/bench/fleet.sh > "$folder/fleet.txt" && fragment fleet < "$folder/fleet.txt"; }
upgrade() { scripts/uml.sh --mem 2000 --timeout 600 -- tests/bench/upgrade.sh; }

# Lines "NAME OURS PEER" to NAME.json, with what the goal is. Numbers come multiplied by the third column. What a guest says
# besides, its standard error included, is passed over.
fragment() {
	jq -nR --rawfile goals tests/bench/goals.txt '
		($goals | split("\n") | map(select(test("^[a-z]")) | [splits(" +")] |
			{ (.[0]): { unit: .[1], by: (.[2] | tonumber), goal: (.[3] | tonumber), op: .[4], peer: (.[5:] | join(" ")) } })
			| add) as $goals |
		[inputs | select(test("^[a-z0-9_]+ [0-9.]+ (-|[0-9.]+)$")) | split(" ") | . as [$name, $ours, $peer] | $goals[$name] as $g |
			($ours | tonumber / $g.by) as $o | (if $peer == "-" then null else $peer | tonumber / $g.by end) as $p |
			{ name: $name, ours: $o, unit: $g.unit, peer: $p, peer_name: (if $p then $g.peer else null end),
			  ratio: (if $p == null then null elif $g.unit == "ns" then $p / $o else $o / $p end), goal: $g.goal, op: $g.op }]
	' > "$folder/$1.json"
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
	rm -f "$folder/$part.json" "$folder/$part.commit"
	# In a shell of its own, which ends at the first thing that fails; as part of a condition it would not.
	set +e
	(set -e; "$part")
	status=$?
	set -e
	if [[ $status = 0 ]]; then echo "$commit" > "$folder/$part.commit"; else failed+=("$part"); fi
done
status=0
tests/bench/results.sh "$folder" "${all_parts[@]}" || status=$?
[[ ${#failed[@]} = 0 ]] || die "failed: ${failed[*]}"
[[ $status = 0 ]]
