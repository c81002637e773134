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
	# Nobody takes the machine from the guest.
	for t in {40..239}; do echo "${t}000000 $((t + 1))000000 0 700000"; done > "$D/waits"
	for ((i = 1; i <= 40; i++)); do echo "c$i 172.16.0.0/24 $(((i - 1) % 2 + 1))"; done > "$D/acknowledged"
	cut -d ' ' -f 1 "$D/acknowledged" | sort > "$D/history"
	for i in 200 201 202 203 204; do echo "$i 160"; done > "$D/streamed"
	echo '[{"prefix":"172.16.0.0/24","nexthop":{"id":2}}]' > "$D/routes.json"
	for i in 1 2 3 4 5; do
		echo "h$i: consistent: VPCs: 6 consistent, 0 drifted" > "$D/final$i.txt"
		for t in {40..230..10}; do echo "{\"time_ms\":${t}000,\"result\":\"consistent\",\"vpcs\":[]}"; done > "$D/audit$i.log"
	done
	echo '{"time_ms":105000,"result":"drift","vpcs":[{"lag_ms":0,"findings":[{"class":"missing","object":"port a-1"}]}]}' >> "$D/audit1.log"
	# To the next and the one before, and from them. What the second host sends to the first misses three while the module is away.
	for f in a b; do
		for i in 1 2 3 4 5; do
			for to in $((i % 5 + 1)) $(((i + 3) % 5 + 1)); do
				if [[ $f$i$to = a21 ]]; then
					echo "sent a2 a1 13 119000000" >> "$D/flow-a2.log"
					printf 'heard a2 a1 10 0\ngap a2 a1 3 5 99900000 111000000\n' >> "$D/flow-a1.log"
					echo "gap a2 a1 13 18446744073709551615 119000000 0" >> "$D/flow-a1.log"
				else
					echo "sent $f$i $f$to 20 119000000" >> "$D/flow-$f$i.log"
					printf '%s\n' "heard $f$i $f$to 20 0" "gap $f$i $f$to 20 18446744073709551615 119000000 0" >> "$D/flow-$f$to.log"
				fi
			done
		done
	done
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
	# In its pauses there is nothing.
	awk '$1 == "all" { n++; from[n] = $2; to[n] = $2 + $3; next }
		{ b[++m] = $2; e[m] = $2 + $3 }
		END { for (p = 1; p <= n; p++) for (k = 1; k <= m; k++) if (b[k] < to[p] && e[k] > from[p]) exit 1; exit n != 6 }' "$all"
	sed -i '/^all /d' "$all"
	run -1 cmp <(tests/chaos/plan.sh 2 1200 | grep -v '^all ') "$all"
	[[ $(awk '{ print $1, $4, substr($5, 1, 2) }' "$all" | sort -u | wc -l) = 20 ]]
	awk '$2 < at[$1] || $2 + $3 > 1200000 { bad = 1 } { at[$1] = $2 + $3 } END { exit bad }' "$all"
	run -2 tests/chaos/plan.sh x 5
}

@test "good evidence is found good" {
	run -0 tests/chaos/verdict.sh "$D"
	[[ $(grep -c '^ok' <<< "$output") = 11 ]]
}

@test "a fault that was planned and did not happen, or another one" {
	local good
	good=$(< "$D/plan")
	sed -i 1p "$D/plan"
	finds '< zk kill zk1'
	echo "$good" | sed 's/zk1/zk2/' > "$D/plan"
	finds '> zk kill zk1'
	{ sed 2d <<< "$good"; sed -n 2p <<< "$good"; } > "$D/plan"
	finds 'hosts kill agent2'
}

@test "a change that was acknowledged and is not in CDB" {
	sed -i '/^c2$/d' "$D/history"
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

@test "evidence that is not there is no good evidence" {
	local good
	cp "$D/streamed" "$BATS_TEST_TMPDIR/streamed"
	sed -i '/^203/d' "$D/streamed"
	finds 'VPC 203: 0 changes'
	echo "203 20" >> "$D/streamed"
	finds 'VPC 203: 20 changes'
	cp "$BATS_TEST_TMPDIR/streamed" "$D/streamed"
	good=$(< "$D/acknowledged")
	tail -n 20 <<< "$good" > "$D/acknowledged"
	finds '20 changes acknowledged'
	echo "$good" > "$D/acknowledged"
	good=$(< "$D/flow-b4.log")
	echo begun > "$D/flow-b4.log"
	run -1 tests/chaos/verdict.sh "$D"
	[[ $output = *'b4 sent to 0 and heard from 0'* ]]
	echo "$good" > "$D/flow-b4.log"
	good=$(< "$D/audit4.log")
	: > "$D/audit4.log"
	finds 'host 4: 0 reports'
	head -n 16 <<< "$good" > "$D/audit4.log"
	finds 'host 4: not consistent after the end'
}

@test "a guest's device cuts off that guest only" {
	echo "150000000 152000000 device host1" >> "$D/faults.hosts"
	echo "hosts 1 1 device host1" >> "$D/plan"
	echo "gap b2 b1 8 8 150500000 151000000" >> "$D/flow-b1.log"
	finds 'flow judge: 1'
	sed -i 's/^gap b2 b1 8 8/gap a2 a1 8 8/' "$D/flow-b1.log"
	tests/chaos/verdict.sh "$D"
}

@test "a lag is no longer than its fault, and who does not lead makes none" {
	local fault
	at() { printf '{"time_ms":%d,"result":"lag","vpcs":[{"lag_ms":%d,"findings":[]}]}\n' "$1" "$2" >> "$D/audit3.log"; }
	cp "$D/audit3.log" "$BATS_TEST_TMPDIR/audit3.log"
	at 55000 14000
	tests/chaos/verdict.sh "$D"
	at 55000 16000
	finds $'^    3\t'
	for fault in "kill zk1 follower" "pause pub2 standby" "underlay-cut host3 -"; do
		cp "$BATS_TEST_TMPDIR/audit3.log" "$D/audit3.log"
		echo "50000000 51000000 $fault" > "$D/faults.zk"
		sed -i "s/^zk .*/zk 1 1 ${fault% *}/" "$D/plan"
		at 55000 14000
		finds $'^    3\t'
	done
}

@test "CDB refuses what is asked of it: that is no fault's doing" {
	echo "50000000 51000000 kill cdb1" > "$D/faults.cdb"
	echo "cdb 1 1 kill cdb1" >> "$D/plan"
	echo '{"time_ms":51000,"result":"could not compare","reason":"CDB: Lost connection to server during query"}' >> "$D/audit3.log"
	tests/chaos/verdict.sh "$D"
	# A round that met it in its midst, and one that was over before.
	echo '{"time_ms":44000,"duration_us":7000000,"result":"could not compare","reason":"CDB: Lost connection to server during query"}' >> "$D/audit3.log"
	tests/chaos/verdict.sh "$D"
	cp "$D/audit3.log" "$BATS_TEST_TMPDIR/audit3.log"
	echo '{"time_ms":44000,"duration_us":5000000,"result":"could not compare","reason":"CDB: Lost connection to server during query"}' >> "$D/audit3.log"
	finds $'^    3\t44000'
	cp "$BATS_TEST_TMPDIR/audit3.log" "$D/audit3.log"
	echo '{"time_ms":51000,"result":"could not compare","reason":"CDB: You have an error in your SQL syntax"}' >> "$D/audit3.log"
	finds 'SQL syntax'
}

@test "a pause in which a host does not come to rest, and faults that leave nothing unexcused" {
	echo "all 75000 45000 quiet -" >> "$D/plan"
	finds '0 pauses, and 1 in the plan'
	for lane in zk cdb; do echo "124900000 168900000" > "$D/pauses.$lane"; done
	finds 'the pause from 124900 on was short'
	echo "125000000 169000000" > "$D/pauses.hosts"
	tests/chaos/verdict.sh "$D"
	# Changes that are under way are no unrest.
	sed -i '/"time_ms":1[2-6]0000/s/"consistent","vpcs":\[/"lag","vpcs":[{"lag_ms":1500,"findings":[]}/' "$D/audit2.log"
	tests/chaos/verdict.sh "$D"
	sed -i 's/"lag_ms":1500/"lag_ms":2500/' "$D/audit2.log"
	finds 'host 2: not at rest in the pause'
	sed -i 's/"lag_ms":2500/"lag_ms":1500/' "$D/audit2.log"
	echo "160000000 161000000 kill zk1 leader" >> "$D/faults.zk"
	echo "zk 1 1 kill zk1" >> "$D/plan"
	finds 'a fault in the pause'
	sed -i '$d' "$D/faults.zk"
	sed -i '$d' "$D/plan"
	echo "125000000 150000000" > "$D/pauses.hosts"
	finds 'the pause from 125000 on was short'
	sed -i '/^all/d' "$D/plan"
	rm "$D"/pauses.*
	for ((i = 30; i < 230; i += 10)); do echo "${i}000000 $((i + 8))000000 kill cdb1"; done > "$D/faults.cdb"
	for ((i = 30; i < 230; i += 10)); do echo "cdb 1 1 kill cdb1"; done >> "$D/plan"
	run -1 tests/chaos/verdict.sh "$D"
	[[ $output = *'0%, and should be'* ]]
}

@test "what the machine kept from the guest makes nobody late, and nothing else does" {
	local t
	echo '{"time_ms":170000,"result":"lag","vpcs":[{"lag_ms":14000,"findings":[]}]}' >> "$D/audit3.log"
	finds $'^    3\t'
	# Five of these 14 seconds, and before or behind them.
	for t in {158..162}; do sed -i "s/^${t}000000 \(.*\) 0 700000/${t}000000 \1 1000000 0/" "$D/waits"; done
	run -0 tests/chaos/verdict.sh "$D"
	[[ $output = *'waited for the machine 2% of it, 100% at the worst'* ]]
	sed -i 's/1000000 0$/0 1000000/; s/^15\([0-5]\)\(.*\) 0 700000/15\1\2 1000000 0/' "$D/waits"
	finds $'^    3\t'
	# No more than there was time for, beside what it ran.
	sed -i "s/^16\(.\)000000 \(.*\) 0 700000/16\1000000 \2 5000000 700000/" "$D/waits"
	finds $'^    3\t'
	rm "$D/waits"
	run -1 tests/chaos/verdict.sh "$D"
	[[ $output = *'waits: not there'* ]]
}

@test "a guest that waited for the machine most of the time shows nothing" {
	sed -i 's/000000 0 700000$/000000 900000 100000/' "$D/waits"
	finds 'more than half of the time'
}

@test "a lane that is late begins its pause with the others, and they with it" {
	local pids=''
	# shellcheck disable=SC2317  # called by lane
	late() {
		top=$PWD dir=$D
		. tests/chaos/lane.sh
		fault_role() { echo -; }
		fault_begin() { [[ $2 != host1 ]] || pause_ms 1500; }
		fault_end() { :; }
		lane "$1"
	}
	printf '%s\n' "zk 100 100 kill zk1" "zk 4600 100 kill zk2" "cdb 100 100 kill cdb1" "hosts 100 100 device host1" \
		"hosts 4600 100 device host2" "all 400 4000 quiet -" > "$D/plan"
	rm "$D"/faults.*
	(now_us() { echo "${EPOCHREALTIME/[.,]/}"; }; now_us > "$D/start")
	for lane in zk cdb hosts; do
		late $lane > "$D/$lane.out" &
		pids+=" $!"
	done
	for pid in $pids; do wait "$pid"; done
	read -r begin end < <(cat "$D"/pauses.* | awk '{ if ($1 > b) b = $1; if (!e || $2 < e) e = $2 } END { printf "%.0f %.0f\n", b, e }')
	((end - begin >= 1600000))
	[[ $(cat "$D"/faults.* | awk -v b="$begin" -v e="$end" '$2 <= b { before++ } $1 >= e { after++ } END { print before, after }') = "3 2" ]]
}
