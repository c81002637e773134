#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What a chaos run's evidence says. Called by run.sh at its end, and by chaos.bats with evidence that was tampered with.
#
#   verdict.sh DIR       lines "ok - ..." and "not ok - ..."; exit status 1 when there is one of the latter
#
# DIR has plan, faults.LANE ("BEGIN END FAULT TARGET ROLE", microseconds), pauses.LANE ("BEGIN END"), waits (run.sh), acknowledged, doubtful, history, streamed ("VNI
# CHANGES") and routes.json (CDB's in the end), flow-*.log (tests/tools/flow.c), audit[1-5].log (vpc_reconcile -j, a report
# every two seconds), final[1-5].txt. What is not there is no good evidence.

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
# The same seed is the same faults in the same order, whatever the machine is like.
for lane in zk cdb hosts; do
	diff <(awk -v lane=$lane '$1 == lane { print lane, $4, $5 }' "$dir/plan") \
		<(awk -v lane=$lane '{ print lane, $3, $4 }' "$dir/faults.$lane") | grep "^[<>]" || true
done > "$work/undone" 2>&1
touch "$work/undone"
verdict "$(wc -l < "$work/faults") faults, those of the plan" "$work/undone"

# -- changes -----------------------------------------------------------------------------------------------------------

# One in four seconds, and in each VPC of the stream one a second: a quarter of what there is while nothing is broken.
seconds=$(awk '$2 > end { end = $2 } NR == 1 || $1 < begin { begin = $1 } END { printf "%d", (end - begin) / 1e6 }' "$work/faults")
n=$(wc -l < "$dir/acknowledged")
((n > 0 && n >= seconds / 4)) || echo "$n changes acknowledged in $seconds s" > "$work/few"
for vni in 200 201 202 203 204; do
	awk -v vni=$vni -v want="$seconds" '$1 == vni { n = $2 } END { if (n < 1 || n < want) print "VPC " vni ": " n + 0 " changes in " want " s" }' \
		"$dir/streamed"
done >> "$work/few" 2>&1
verdict "changes went on all the time, one after the other and as a stream" "$work/few"

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
	$3 ~ /^underlay-/ || $3 == "device" { for (f = 0; f < ($3 == "device" ? 1 : 2); f++) printf "%.0f %.0f %s\n", $1 - 300000, $2 + 2000000, (f ? "b" : "a") n }
	$3 == "reload" { printf "%.0f %.0f *\n", $1 - 300000, $2 + 2000000 }' "$work/faults" > "$work/windows"
# Each of ten guests to two others and from two others.
awk '$1 == "sent" && $4 > 0 { sent[$2]++ } $1 == "heard" && $4 > 0 { heard[$3]++ }
	END { for (i = 1; i <= 5; i++) for (f = 0; f < 2; f++) { g = (f ? "b" : "a") i
		if (sent[g] != 2 || heard[g] != 2) print g " sent to " sent[g] + 0 " and heard from " heard[g] + 0 } }' \
	"$dir"/flow-*.log > "$work/silent"
verdict "ten guests sent to two others each, and heard from two" "$work/silent"
# Until all of them are there.
awk '{ print $1, $2, "*" }' "$dir/started" >> "$work/windows"
"$top/build/tools/flow" judge "$work/windows" "$dir"/flow-*.log > "$work/judged" 2>&1 || { echo "flow judge: $?" && cat "$work/judged"; } > "$work/unexplained"
touch "$work/unexplained"
tail -n 1 "$work/judged" | sed 's/^/# /'
verdict "no datagram was lost that no fault explains, none came twice, none to somebody else" "$work/unexplained"

# -- audits ------------------------------------------------------------------------------------------------------------

# What is said, a line a report: host, time, result, what is not only late, how late in ms, reason.
for i in 1 2 3 4 5; do
	jq -r --arg i "$i" '[$i, .time_ms, .result,
		([.vpcs[]? | .findings[]? | select(.class != "lag") | "\(.class) \(.object)"] | unique | join(";")),
		([.vpcs[]? | .lag_ms] | max // 0), ([.reason, (.vpcs[]? | .reason)] | map(strings) | unique | join(" ")), (.duration_us // 0) / 1000] | @tsv' "$dir/audit$i.log"
done > "$work/said"
touch "$work/waited"
# One of its processes may be at work while another waits.
[[ ! -s $dir/waits ]] || awk '{ free = $2 - $1 - $4; if (free < 0) free = 0
	printf "%.0f %.0f %.0f %.0f\n", $1, $2, ($3 < free ? $3 : free), $4 }' "$dir/waits" > "$work/waited"
# Late by the time that the guest has had: when others are busy on this machine, the guest waits for a processor, and nothing in
# there is late for that. What its own processes take from each other is no such wait.
awk 'FILENAME == ARGV[1] { b[++n] = $1 / 1000; e[n] = $2 / 1000; waited[n] = $3 / 1000; next }
	{
		late = $5
		for (k = 1; k <= n; k++) {
			from = b[k] > $2 - $5 ? b[k] : $2 - $5
			to = e[k] < $2 ? e[k] : $2
			if (from < to) late -= waited[k] * (to - from) / (e[k] - b[k])
		}
		$5 = late > 0 ? int(late) : 0
		print
	}' "$work/waited" FS='\t' OFS='\t' "$work/said" > "$work/reports"
awk '{ all += $2 - $1; waited += $3; ran += $4; share = $3 / ($2 - $1); if (share > worst) worst = share }
	END { if (!all) exit 1
		printf "# the guest ran %d%% of the time and waited for the machine %d%% of it, %d%% at the worst\n", 100 * ran / all, 100 * waited / all, 100 * worst
		if (waited > all / 2) exit 2 }' "$work/waited" > "$work/share-of-waits" && status=0 || status=$?
cat "$work/share-of-waits"
case $status in
0) ;;
2) echo "more than half of the time: who waits so long excuses too much; another time, on an idle machine" ;;
*) echo "waits: not there" ;;
esac > "$work/waits"
verdict "what the machine kept from the guest is known, and not most of its time" "$work/waits"

# A report in ten seconds, and one that is good when all is over. In the plan's pauses, where no fault is, each host comes to
# rest, though changes go on: no more than two seconds late.
{
	awk '{ printf "fault %.0f %.0f\n", $1 / 1000, $2 / 1000 }' "$work/faults"
	# What all lanes had in common of it.
	{ cat "$dir"/pauses.* 2> /dev/null || true; } | awk '{ printf "pause %.0f %.0f\n", $1 / 1000, $2 / 1000 }'
	awk -F '\t' '{ print "report", $1, $2, $3, $5 }' "$work/reports"
} | awk -v want="$(grep -c '^all ' "$dir/plan" || true)" '
	$1 == "fault" { n++; b[n] = $2; e[n] = $3; if (n == 1 || $2 < first) first = $2; if ($3 > last) last = $3 }
	$1 == "pause" {
		for (p = 1; p <= m; p++) if ($2 < to[p] && $3 > from[p]) break
		if (p > m) { m = p; from[m] = $2; to[m] = $3 }
		lanes[p]++
		if ($2 > from[p]) from[p] = $2
		if ($3 < to[p]) to[p] = $3
	}
	$1 == "report" { host[++r] = $2; at[r] = $3; good[r] = $4 == "consistent"; calm[r] = good[r] || ($4 == "lag" && $5 <= 2000); count[$2]++ }
	function any(what, h, since, until, i) {
		for (i = 1; i <= r; i++) if (host[i] == h && what[i] && since <= at[i] && at[i] <= until) return 1
	}
	END {
		if (m + 0 != want) print m + 0 " pauses, and " want " in the plan"
		for (p = 1; p <= m; p++) {
			if (lanes[p] != 3 || to[p] - from[p] < 30000) printf "the pause from %.0f on was short\n", from[p]
			for (k = 1; k <= n; k++) if (b[k] < to[p] && e[k] > from[p]) printf "a fault in the pause from %.0f on\n", from[p]
			for (h = 1; h <= 5; h++) if (!any(calm, h, from[p], to[p])) printf "host %d: not at rest in the pause from %.0f on\n", h, from[p]
		}
		for (h = 1; h <= 5; h++) {
			if (count[h] < 1 || count[h] < (last - first) / 10000) print "host " h ": " count[h] + 0 " reports"
			if (!any(good, h, last, 1e15)) print "host " h ": not consistent after the end"
		}
	}' > "$work/restless"
verdict "all audits went on, came to rest in each pause, and ended consistent" "$work/restless"

# Being behind is no alarm before --max-lag, 10 s.
awk -F '\t' '$3 != "consistent" && ($3 != "lag" || $5 > 10000)' "$work/reports" > "$work/alarms"
# A report is about the seconds just before it, and what it says may stand for some more while agents catch up, at emulation's
# pace. Only things that are not there are explained, nothing that is otherwise than it should be; by a reload all of them, by
# a device its port. What cannot be reached explains that it was not compared: the module its own absence, CDB all else. Who is
# late is not so for longer than the fault and 10 s, unless by a reload, behind which tables begin with nothing; one ZooKeeper that does not lead, a publisher that stands by, the underlay
# and another host's agent make nobody late. For each report and fault beside it, whether it would have explained a lag just past
# the limit is counted too: where everything is explained, nothing is found.
awk -v after_ms=20000 -v before_ms=10000 -v unexcused="$work/unexcused" '
	FILENAME == ARGV[1] { b[++n] = $1 / 1000; e[n] = $2 / 1000; what[n] = $3; whom[n] = $4; role[n] = $5; next }
	# From its beginning to its end: a round that takes long may meet a fault in its midst.
	function near(k) { return b[k] - 500 <= $2 + $7 && $2 <= e[k] + after_ms }
	# Its own host, or what all hosts have alike.
	function mine(k) { return whom[k] ~ /^(host|agent)/ ? whom[k] ~ $1 "$" : 1 }
	function drift(k) {
		if (what[k] == "device") return $4 == "missing port a-" $1
		return what[k] == "reload" && (";" $4) !~ /;(excess|different|foreign|digest)/ && $4 != ""
	}
	function failed(k) {
		if ($6 ~ /vpc.ko/) return what[k] == "reload"
		return $6 ~ /CDB: (Can.t connect|Lost connection|.*gone away)/ && (whom[k] == "cdb1" || what[k] ~ /^control/)
	}
	function late(k, ms) {
		if (what[k] ~ /^underlay/ || role[k] == "follower" || role[k] == "standby") return 0
		return what[k] == "reload" || ms <= $2 - b[k] + before_ms
	}
	{
		alarm = $3 != "consistent" && ($3 != "lag" || $5 > 10000)
		ok = !alarm
		excused = 0
		for (k = 1; k <= n; k++) if (near(k) && mine(k)) {
			ok = ok || ($3 == "drift" ? drift(k) : $3 == "could not compare" ? failed(k) : late(k, $5))
			excused = excused || late(k, 10001)
		}
		all++
		free += !excused
		if (!ok) print
	}
	END { printf "%d\n", all ? 100 * free / all : 0 > unexcused }' "$work/faults" FS='\t' "$work/reports" > "$work/unjustified"
verdict "each of the $(wc -l < "$work/alarms") alarms has a fault that explains it, in $(wc -l < "$work/reports") reports" \
	"$work/unjustified"
# A short run is faults and the catching up behind them, a long one has pauses.
share=$(< "$work/unexcused") least=5
grep -q '^all ' "$dir/plan" || least=1
((share >= least)) || echo "$share%, and should be $least" > "$work/share"
touch "$work/share"
verdict "in $share% of the reports nothing would have excused a lag" "$work/share"
exit $bad
