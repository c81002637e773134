#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What a chaos run's evidence says. Called by run.sh at its end, and by chaos.bats with evidence that was tampered with.
#
#   verdict.sh DIR       lines "ok - ..." and "not ok - ..."; exit status 1 when there is one of the latter
#
# DIR has faults.LANE ("BEGIN END FAULT TARGET", microseconds), acknowledged, doubtful, history and routes.json (CDB's in the
# end), flow-*.log (tests/tools/flow.c), audit[1-5].log (vpc_reconcile -j, a report a second), final[1-5].txt.

set -euo pipefail
# shellcheck source=../../scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"
[[ $# = 1 && -d $1 ]] || { sed -n '/^#   verdict/s/^#   //p' "$0" >&2; exit 2; }
dir=$1
bad=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# verdict "WHAT IS TRUE" FILE: it is when the file, what speaks against it, is empty.
verdict() {
	if [[ -s $2 ]]; then
		echo "not ok - $1"
		head -n 20 "$2" | sed 's/^/    /'
		bad=1
	else
		echo "ok - $1"
	fi
}

cat "$dir"/faults.{zk,cdb,hosts} > "$work/faults"
[[ $(wc -l < "$work/faults") = $(wc -l < "$dir/plan") ]] || echo "not all of the plan" > "$work/undone"
touch "$work/undone"
verdict "$(wc -l < "$work/faults") faults, all of the plan" "$work/undone"

# -- changes -----------------------------------------------------------------------------------------------------------

[[ -s $dir/acknowledged ]] || echo "no change at all" > "$work/lost"
awk '{ print $1 }' "$dir/acknowledged" | sort | comm -23 - "$dir/history" >> "$work/lost"
verdict "CDB's history has all $(wc -l < "$dir/acknowledged") changes that were acknowledged" "$work/lost"

# The last that was acknowledged, or one that was not and came after it.
touch "$dir/doubtful"
jq -r '.[] | "\(.prefix) \(.nexthop.id)"' "$dir/routes.json" | sort > "$work/routes"
awk 'FILENAME == ARGV[1] { at[$1] = $2; next }
	FILENAME == ARGV[2] { doubt[$1 " " $2] = 1; next }
	{ want[$2] = $3 }
	END { for (p in want) if (at[p] != want[p] && !((p " " at[p]) in doubt)) print p, "is", at[p], "and should be", want[p] }' \
	"$work/routes" "$dir/doubtful" "$dir/acknowledged" > "$work/wrong"
verdict "the routes are as they were made last" "$work/wrong"

for i in 1 2 3 4 5; do
	grep -q "^h$i: consistent: " "$dir/final$i.txt" || echo "final$i.txt: $(head -n 3 "$dir/final$i.txt")"
done > "$work/final" 2>&1
verdict "every host has exactly what CDB has, entry by entry and digest by digest" "$work/final"

# -- traffic -----------------------------------------------------------------------------------------------------------

# What cuts the way of a host's guests: from just before to just after.
awk '{ n = $4; sub(/[a-z]*/, "", n) }
	$3 ~ /^underlay-/ || $3 == "device" { for (f = 0; f < 2; f++) printf "%.0f %.0f %s\n", $1 - 300000, $2 + 2000000, (f ? "b" : "a") n }
	$3 == "reload" { printf "%.0f %.0f *\n", $1 - 300000, $2 + 2000000 }' "$work/faults" > "$work/windows"
# Until all of them are there.
awk '{ print $1, $2, "*" }' "$dir/started" >> "$work/windows"
"$top/build/tools/flow" judge "$work/windows" "$dir"/flow-*.log > "$work/judged" 2>&1 || { echo "flow judge: $?" && cat "$work/judged"; } > "$work/unexplained"
touch "$work/unexplained"
tail -n 1 "$work/judged" | sed 's/^/# /'
verdict "no datagram was lost that no fault explains, none came twice, none to somebody else" "$work/unexplained"

# -- alarms ------------------------------------------------------------------------------------------------------------

# What is said, a line a report: host, time, result, what is not only late, how late in ms, reason.
for i in 1 2 3 4 5; do
	jq -r --arg i "$i" 'select(.result != "consistent") | [$i, .time_ms, .result,
		([.vpcs[]? | .findings[]? | select(.class != "lag") | "\(.class) \(.object)"] | unique | join(";")),
		([.vpcs[]? | .lag_ms] | max // 0), ([.reason, (.vpcs[]? | .reason)] | map(strings) | unique | join(" "))] | @tsv' "$dir/audit$i.log"
# Being behind is no alarm before --max-lag, 10 s.
done | awk -F '\t' '$3 != "lag" || $5 > 10000' > "$work/alarms"
# A report is about the seconds just before it, and what it says may stand for some more while agents catch up, at emulation's
# pace. Only things that are not there are explained, nothing that is otherwise than it should be; by a reload all of them, by
# a device its port. What cannot be reached explains that it was not compared: the module its own absence, CDB all else.
awk -v after_ms=20000 '
	FILENAME == ARGV[1] { b[++n] = $1 / 1000; e[n] = $2 / 1000; what[n] = $3; whom[n] = $4; next }
	function near(k) { return b[k] - 500 <= $2 && $2 <= e[k] + after_ms }
	# Its own host, or what all hosts have alike.
	function mine(k) { return whom[k] ~ /^(host|agent)/ ? whom[k] ~ $1 "$" : 1 }
	function drift(k) {
		if (what[k] == "device") return $4 == "missing port a-" $1
		return what[k] == "reload" && (";" $4) !~ /;(excess|different|foreign|digest)/ && $4 != ""
	}
	function failed(k) {
		if ($6 ~ /vpc.ko/) return what[k] == "reload"
		return $6 ~ /CDB/ && (whom[k] == "cdb1" || what[k] ~ /^control/)
	}
	{
		ok = 0
		for (k = 1; k <= n && !ok; k++)
			if (near(k) && mine(k)) ok = $3 == "drift" ? drift(k) : $3 == "could not compare" ? failed(k) : 1
		if (!ok) print
	}' "$work/faults" FS='\t' "$work/alarms" > "$work/unjustified"
verdict "each of the $(wc -l < "$work/alarms") alarms has a fault that explains it, in $(cat "$dir"/audit?.log | wc -l) reports" \
	"$work/unjustified"
exit $bad
