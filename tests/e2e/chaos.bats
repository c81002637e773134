#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The chaos run's own parts: that a plan is a function of its seed, and that the verdict (tests/chaos/verdict.sh) finds each
# thing that it is there to find, in evidence that is right but for one line. The run itself: check.sh's part "chaos".

# shellcheck disable=SC2154,SC2164,SC2001

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	D=$BATS_TEST_TMPDIR/run
	mkdir "$D"
	# Two faults; seconds 100 to 110 the module, 200 to 203 the agent of host 2.
	printf 'zk 1 1 kill zk1\nhosts 1 1 reload module\nhosts 1 1 kill agent2\n' > "$D/plan"
	echo "50000000 51000000 kill zk1" > "$D/faults.zk"
	printf '100000000 110000000 reload module\n200000000 203000000 kill agent2\n' > "$D/faults.hosts"
	: > "$D/faults.cdb"
	echo "1000000 2000000" > "$D/started"
	printf 'c1 172.16.0.0/24 1\nc2 172.16.0.0/24 2\n' > "$D/acknowledged"
	printf 'c1\nc2\n' > "$D/history"
	echo '[{"prefix":"172.16.0.0/24","nexthop":{"id":2}}]' > "$D/routes.json"
	for i in 1 2 3 4 5; do
		echo "h$i: consistent: VPCs: 6 consistent, 0 drifted" > "$D/final$i.txt"
		echo '{"time_ms":90000,"result":"consistent","vpcs":[]}' > "$D/audit$i.log"
	done
	echo '{"time_ms":105000,"result":"drift","vpcs":[{"lag_ms":0,"findings":[{"class":"missing","object":"port a-1"}]}]}' >> "$D/audit1.log"
	printf 'sent a1 a2 20 119000000\nheard a2 a1 10 0\ngap a2 a1 3 5 99900000 111000000\ngap a2 a1 13 18446744073709551615 119000000 0\n' \
		> "$D/flow-a1.log"
	printf 'sent a2 a1 13 119000000\nheard a1 a2 20 0\ngap a1 a2 20 18446744073709551615 119000000 0\n' > "$D/flow-a2.log"
}

# finds PATTERN: the verdict is not what it was, for that reason only.
finds() {
	run tests/chaos/verdict.sh "$D"
	[[ $status = 1 && $(grep -c '^not ok' <<< "$output") = 1 ]]
	grep -A3 '^not ok' <<< "$output" | grep -E "$1"
}

@test "a plan is a function of its seed, and a long one has every fault" {
	local all=$BATS_TEST_TMPDIR/all
	tests/chaos/plan.sh 1 1200 > "$all"
	tests/chaos/plan.sh 1 1200 | cmp - "$all"
	run -1 cmp <(tests/chaos/plan.sh 2 1200) "$all"
	[[ $(awk '{ print $1, $4, substr($5, 1, 2) }' "$all" | sort -u | wc -l) = 20 ]]
	awk '$2 < at[$1] || $2 + $3 > 1200000 { bad = 1 } { at[$1] = $2 + $3 } END { exit bad }' "$all"
	run -2 tests/chaos/plan.sh x 5
}

@test "good evidence is found good" {
	run -0 tests/chaos/verdict.sh "$D"
	[[ $(grep -c '^ok' <<< "$output") = 6 ]]
}

@test "a fault that was planned and did not happen" {
	: > "$D/faults.zk"
	finds 'not all of the plan'
}

@test "a change that was acknowledged and is not in CDB" {
	echo c1 > "$D/history"
	finds c2
}

@test "a route that is not as it was made last, unless that is in doubt" {
	sed -i 's/"id":2/"id":1/' "$D/routes.json"
	finds '172.16.0.0/24 is 1 and should be 2'
	echo "172.16.0.0/24 1" > "$D/doubtful"
	tests/chaos/verdict.sh "$D"
}

@test "a host that is not right in the end, or did not say" {
	echo "h3: drift: VPCs: 5 consistent, 1 drifted" > "$D/final3.txt"
	finds final3
	rm "$D/final3.txt"
	finds final3
}

@test "datagrams lost outside of any fault, beyond its end, at the end, twice and astray" {
	local good
	good=$(< "$D/flow-a1.log")
	echo "gap a2 a1 8 8 150000000 150100000" >> "$D/flow-a1.log"
	finds 'flow judge: 1'
	sed 's/99900000 111000000/99900000 119000000/' <<< "$good" > "$D/flow-a1.log"
	finds 'flow judge: 1'
	sed 's/sent a1 a2 20/sent a1 a2 21/' <<< "$good" > "$D/flow-a1.log"
	finds 'flow judge: 1'
	sed 's/heard a2 a1 10 0/heard a2 a1 10 1/' <<< "$good" > "$D/flow-a1.log"
	finds 'flow judge: 1'
	printf '%s\nstray a2 a1 a3\n' "$good" > "$D/flow-a1.log"
	finds 'flow judge: 1'
	# The agent's end explains no loss.
	printf '%s\ngap a2 a1 8 8 201000000 201100000\n' "$good" > "$D/flow-a1.log"
	finds 'flow judge: 1'
}

@test "an alarm that no fault explains: drift, lag and what could not be compared" {
	local good report
	good=$(< "$D/audit3.log")
	# An agent's end leaves no drift and a reload nothing that is otherwise; another host's agent makes no lag, and the module
	# is gone when it is reloaded only. What is behind for less than 10 s is no alarm.
	for report in '"time_ms":150000,"result":"drift","vpcs":[]' '"time_ms":201000,"result":"drift","vpcs":[]' \
		'"time_ms":215000,"result":"lag","vpcs":[{"lag_ms":12000,"findings":[]}]' \
		'"time_ms":105000,"result":"drift","vpcs":[{"lag_ms":0,"findings":[{"class":"missing","object":"port a-3"},{"class":"different","object":"route"}]}]' \
		'"time_ms":205000,"result":"could not compare","reason":"is vpc.ko loaded?"' \
		'"time_ms":55000,"result":"could not compare","reason":"CDB: gone"'; do
		printf '%s\n{%s}\n' "$good" "$report" > "$D/audit3.log"
		finds $'^    3\t'
	done
	printf '%s\n{"time_ms":150000,"result":"lag","vpcs":[{"lag_ms":9000,"findings":[]}]}\n' "$good" > "$D/audit3.log"
	tests/chaos/verdict.sh "$D"
}
