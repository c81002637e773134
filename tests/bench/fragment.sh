#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Makes one part's figures out of the lines that its benchmark has printed. Called by run.sh.
#
#   fragment.sh PART [GOALS] < LINES > PART.json
#
# A line is "NAME OURS PEER": the numbers of all rounds with commas between them, PEER "-" where there is none. GOALS
# (tests/bench/goals.txt) has for each figure its part, divisor, goal and peer. Other lines are passed over: a guest says this
# and that besides. Written is an array, and doc/testing.md says what is in it.
#
# Exit status: 1 when a figure of the part is not there, is there twice, is no number, or has other rounds than its peer;
# the first is named.

set -euo pipefail
part=$1 goals=${2:-$(dirname "$0")/goals.txt}

jq -nR --arg part "$part" --rawfile goals "$goals" '
	def median: sort | if length % 2 == 1 then .[length / 2 | floor] else (.[length / 2 - 1] + .[length / 2]) / 2 end;
	def over($how):
		if $how == "median" then median elif $how == "mean" then add / length elif $how == "max" then max
		elif $how == "sum" then add else error("over \($how)?") end;
	def rounds($by): if . == "-" then null else split(",") | map(tonumber / $by) end;
	# More is better, whatever the unit.
	def ratio($unit; $o; $p): if $unit == "ns" then [$p, $o] else [$o, $p] end | if .[1] == 0 then null else .[0] / .[1] end;
	def lowest: if . then min else null end;
	def highest: if . then max else null end;

	($goals | split("\n") | map(select(test("^[a-z]")) | [splits(" +")] |
		{ name: .[0], part: .[1], unit: .[2], by: (.[3] | tonumber), over: .[4], goal: (.[5] | tonumber), op: .[6],
		  peer: (if .[7] == "-" then null else .[7:] | join(" ") end) }) | map(select(.part == $part))) as $goals |
	[inputs | select(test("^[a-z0-9_]+ [0-9.,]+ (-|[0-9.,]+)$")) | split(" ")] as $lines |
	if $goals == [] then error("no figure of this part has a goal") else . end |
	[$goals[] | . as $g | [$lines[] | select(.[0] == $g.name)] as $found |
		if ($found | length) != 1 then error("\($g.name) is there \($found | length) times") else . end |
		($found[0][1] | rounds($g.by)) as $ours | ($found[0][2] | rounds($g.by)) as $peer |
		if ($peer == null) != ($g.peer == null) then error("\($g.name) has a peer where there is none, or none") else . end |
		if $peer and ($peer | length) != ($ours | length) then error("\($g.name) has other rounds than its peer") else . end |
		($ours | over($g.over)) as $o | (if $peer then $peer | over($g.over) else null end) as $p |
		(if $peer then [range($ours | length) as $i | ratio($g.unit; $ours[$i]; $peer[$i])] else null end) as $ratios |
		(if $peer then ratio($g.unit; $o; $p) else null end) as $ratio |
		($ratio // $o) as $counts | ($ratios // $ours) as $all |
		{ name: $g.name, ours: $o, unit: $g.unit, peer: $p, peer_name: $g.peer, $ratio, goal: $g.goal, op: $g.op,
		  part: $part, over: $g.over, rounds: ($ours | length),
		  ours_min: ($ours | min), ours_max: ($ours | max), peer_min: ($peer | lowest), peer_max: ($peer | highest),
		  ratio_min: ($ratios | lowest), ratio_max: ($ratios | highest),
		  spread: (if ($all | length) < 2 or $counts == 0 then null else (($all | max) - ($all | min)) / $counts end),
		  ours_rounds: $ours, peer_rounds: $peer }]' || { echo "fragment.sh: no figures of $part" >&2; exit 1; }
