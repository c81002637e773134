#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The benchmarks' gate and the file that it reads, with results that were made up; nothing is measured here.

# shellcheck disable=SC2154,SC2164

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	R=$BATS_TEST_TMPDIR/results.json
	K=$BATS_TEST_TMPDIR/reference.json
	results 2.0 5.0
	tests/bench/gate.sh --keep "a machine" "$R" "$K"
}

# results RATIO RATIO: of two that have a peer, and one that has none.
results() {
	jq -n --argjson a "$1" --argjson b "$2" '[
		{ name: "a", ours: 2, unit: "M/s", peer: 1, peer_name: "p", ratio: $a, goal: 1, op: "ge" },
		{ name: "b", ours: 9, unit: "ns", peer: 45, peer_name: "p", ratio: $b, goal: 1, op: "ge" },
		{ name: "c", ours: 7, unit: "us", peer: null, peer_name: null, ratio: null, goal: 8, op: "le" }]' > "$R"
}
gate() { tests/bench/gate.sh "$R" "$K"; }

@test "the same ratios pass, better ones and a tenth less too, and what has no peer is not compared" {
	[[ $(jq -c .ratios "$K") = '{"a":2,"b":5}' ]]
	gate
	results 4.0 4.51
	gate
	jq 'map(if .name == "c" then .ours = 99 else . end)' "$R" > "$R.new"
	mv "$R.new" "$R"
	gate
}

@test "a ratio that has fallen by more than 10% fails, by name, and so does one that is gone" {
	results 1.79 5
	run -1 gate
	grep -E '^a +2 +1.79 +FALLEN' <<< "$output"
	grep -E '^b .* ok' <<< "$output"
	jq 'map(select(.name != "b"))' "$R" > "$R.new"
	mv "$R.new" "$R"
	run -1 gate
	grep -E '^b +5 +- +NOT THERE' <<< "$output"
}

@test "nothing to compare is no success" {
	run -2 tests/bench/gate.sh "$BATS_TEST_TMPDIR/none" "$K"
	run -2 tests/bench/gate.sh "$R" "$BATS_TEST_TMPDIR/none"
	echo '{"note":"","ratios":{}}' > "$K"
	run -2 gate
	echo '[]' > "$R"
	run -2 gate
	run -2 tests/bench/gate.sh --keep "" "$R" "$K"
}

@test "a part without a result is named, and what the others have is kept" {
	local folder=$BATS_TEST_TMPDIR/folder
	mkdir "$folder"
	cp "$R" "$folder/one.json"
	tests/bench/results.sh "$folder" one
	run -1 tests/bench/results.sh "$folder" one two three
	[[ $output = *'no result of two three'* && $output = *reached* ]]
	[[ $(jq length "$folder/results.json") = 3 ]]
	echo '[]' > "$folder/two.json"
	run -1 tests/bench/results.sh "$folder" one two
	[[ $output = *'no result of two'* ]]
}

@test "results of several commits are refused, and named" {
	local folder=$BATS_TEST_TMPDIR
	mkdir "$folder/parts"
	jq '.[:1]' "$R" > "$folder/parts/x.json"
	jq '.[1:]' "$R" > "$folder/parts/y.json"
	echo one > "$folder/parts/x.commit"
	echo one > "$folder/parts/y.commit"
	tests/bench/results.sh "$folder/parts" x y
	tests/bench/gate.sh "$folder/parts/results.json" "$K"
	echo two > "$folder/parts/y.commit"
	tests/bench/results.sh "$folder/parts" x y
	run -2 tests/bench/gate.sh "$folder/parts/results.json" "$K"
	[[ $output = *'several commits (one two)'* ]]
}
