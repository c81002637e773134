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

# results RATIO RATIO [PART]: of two that have a peer, the lowest round of which is PART of the ratio, and one that has none.
results() {
	jq -n --argjson a "$1" --argjson b "$2" --argjson part "${3:-1}" '[
		{ name: "a", ours: 2, unit: "M/s", peer: 1, peer_name: "p", ratio: $a, goal: 1, op: "ge" },
		{ name: "b", ours: 9, unit: "ns", peer: 45, peer_name: "p", ratio: $b, goal: 1, op: "ge" },
		{ name: "c", ours: 7, unit: "us", peer: null, peer_name: null, ratio: null, goal: 8, op: "le" }] |
		map(. + { rounds: 5 } + if .ratio then { ratio_min: (.ratio * $part), ratio_max: .ratio } else {} end)' > "$R"
}
gate() { tests/bench/gate.sh "$R" "$K"; }

@test "the same ratios pass, better ones and a tenth less too, and what has no peer is not compared" {
	[[ $(jq -c '.ratios | map_values(.ratio)' "$K") = '{"a":2,"b":5}' ]]
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
	grep -E '^a +2 .* 1.79 .* FALLEN' <<< "$output"
	grep -E '^b .* ok' <<< "$output"
	jq 'map(select(.name != "b"))' "$R" > "$R.new"
	mv "$R.new" "$R"
	run -1 gate
	grep -E '^b +5 .* - .*NOT THERE' <<< "$output"
}

@test "what rounds differed by when the figures were kept is no fall, and what is below all of them is" {
	results 2.0 5.0 0.85
	tests/bench/gate.sh --keep "a machine" "$R" "$K"
	[[ $(jq -c .ratios.a "$K") = '{"ratio":2,"min":1.7,"max":2,"rounds":5}' ]]
	results 1.71 5
	gate
	# Not what they differ by now.
	results 1.69 5 0.1
	run -1 gate
	grep -E '^a +2 +1.7 +1.7 +1.69 .* FALLEN' <<< "$output"
}

@test "rounds that differed by little make no limit of less than 10%" {
	results 2.0 5.0 0.98
	tests/bench/gate.sh --keep "a machine" "$R" "$K"
	results 1.81 5
	gate
	results 1.79 5
	run -1 gate
	grep -E '^a +2 +1.96 +1.8 +1.79 .* FALLEN' <<< "$output"
}

@test "figures whose rounds differ too much are not kept, by name, and what was kept stays" {
	cp "$K" "$K.before"
	results 2.0 5.0 0.79
	run -2 tests/bench/gate.sh --keep "a busy machine" "$R" "$K"
	[[ $output = *'a (2, a round 1.58), b (5, a round 3.95)'* ]]
	# Nor those that say nothing of their rounds.
	jq 'map(del(.ratio_min))' "$R" > "$R.new"
	mv "$R.new" "$R"
	run -2 tests/bench/gate.sh --keep "another" "$R" "$K"
	cmp "$K" "$K.before"
}

@test "a reference with a number for each ratio is read, and what is not in it is named" {
	echo '{ "note": "before", "ratios": { "a": 2 } }' > "$K"
	results 1.81 5
	run -0 gate
	grep -E '^b +- .* 5 .*NOT KEPT' <<< "$output"
	results 1.79 5
	run -1 gate
	grep -E '^a .*FALLEN' <<< "$output"
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

# goals: figures of the parts that results.sh is asked about here.
goals() {
	export VPC_BENCH_GOALS=$BATS_TEST_TMPDIR/goals
	cat > "$VPC_BENCH_GOALS" <<-END
		# name part unit divisor over goal op peer
		a one M/s 1000 median 1 ge p
		b one ns  1000 median 1 ge the peer
		c one us  1000 max    8 le -
		d two us  1    sum    8 le -
	END
}

@test "a part without a result is named, and what the others have is kept" {
	local folder=$BATS_TEST_TMPDIR/folder
	goals
	mkdir "$folder"
	cp "$R" "$folder/one.json"
	tests/bench/results.sh "$folder" one
	run -1 tests/bench/results.sh "$folder" one two three
	[[ $output = *'no result of two three'* && $output = *reached* ]]
	[[ $(jq length "$folder/results.json") = 3 ]]
	for broken in '[]' '' '{"name":"d","ours":1}' '[{"name":"d","ours":1'; do
		echo "$broken" > "$folder/two.json"
		run -1 tests/bench/results.sh "$folder" one two
		[[ $output = *'no result of two'* ]]
	done
	rm "$folder"/*.json
	run -1 tests/bench/results.sh "$folder" one two
	[[ ! -e $folder/results.json ]]
}

@test "a part that lacks a figure is named with it" {
	local folder=$BATS_TEST_TMPDIR/folder
	goals
	mkdir "$folder"
	jq 'map(select(.name != "b"))' "$R" > "$folder/one.json"
	run -1 tests/bench/results.sh "$folder" one
	[[ $output = *'no figure of b'*'no result of one'* && $output = *reached* ]]
	# One that is no number is none.
	jq 'map(if .name == "c" then .ours = null else . end)' "$R" > "$folder/one.json"
	run -1 tests/bench/results.sh "$folder" one
	[[ $output = *'no figure of c'* ]]
}

fragment() { tests/bench/fragment.sh "$@" "$VPC_BENCH_GOALS"; }

@test "rounds become a figure, with the least, the most and how far they are apart" {
	goals
	printf '# a guest says\na 4000,1000,2000 1000,1000,1000\nb 10000,20000,30000 50000,60000,40000\nc 1000,3000,2000 -\nd 9 -\n' \
		> "$BATS_TEST_TMPDIR/lines"
	fragment one < "$BATS_TEST_TMPDIR/lines" > "$BATS_TEST_TMPDIR/one.json"
	[[ $(jq -c '.[0] | [.name, .ours, .peer, .ratio, .rounds, .ours_min, .ours_max, .peer_min, .peer_max, .ratio_min, .ratio_max, .spread]' \
		"$BATS_TEST_TMPDIR/one.json") = '["a",2,1,2,3,1,4,1,1,1,4,1.5]' ]]
	# Less nanoseconds are more; each round is compared with the peer's in its place.
	[[ $(jq -c '.[1] | [.ours, .peer, .peer_name, .ratio, .ratio_min, .ratio_max]' "$BATS_TEST_TMPDIR/one.json") = \
		'[20,50,"the peer",2.5,1.3333333333333333,5]' ]]
	[[ $(jq -c '.[2] | [.ours, .peer, .ratio, .spread, .ours_rounds]' "$BATS_TEST_TMPDIR/one.json") = '[3,null,null,0.6666666666666666,[1,3,2]]' ]]
	[[ $(fragment two < "$BATS_TEST_TMPDIR/lines" | jq -c '.[] | [.ours, .rounds, .spread]') = '[9,1,null]' ]]
	for how in 'mean 3' 'sum 9' 'max 6' 'median 2'; do
		sed -i "s/^d .*/d two us 1 ${how% *} 8 le -/" "$VPC_BENCH_GOALS"
		[[ $(fragment two <<< 'd 6,1,2 -' | jq -c '.[] | [.ours, .rounds]') = "[${how#* },3]" ]]
	done
	cp "$BATS_TEST_TMPDIR/one.json" "$R"
	tests/bench/results.sh "$BATS_TEST_TMPDIR" one | grep -E '^a .* 2 +3 +1 +4 +150% '
}

@test "lines that are not whole make no figures" {
	goals
	whole() { printf 'a 2,3 1,1\nb 1,2 3,4\nc 1 -\n'; }
	whole | fragment one > /dev/null
	# A figure less, one twice, rounds less than the peer's, a peer too few, one too many, and no number.
	for edit in /^b/d '/^b/p' 's/3,4/3/' 's/3,4/-/' 's/^c 1 -/c 1 2/' 's/2,3/2,,3/'; do
		run -1 fragment one < <(whole | sed "$edit")
		[[ $output = *'no figures of one'* ]]
	done
	run -1 fragment nobody < <(whole)
}

@test "results of several commits are refused, and named" {
	local folder=$BATS_TEST_TMPDIR
	mkdir "$folder/parts"
	export VPC_BENCH_GOALS=/dev/null
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
