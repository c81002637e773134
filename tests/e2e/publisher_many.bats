#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# vpc_publisher and many VPCs, or many changes of one: as publisher.bats, which has the rest of it.

# As in publisher.bats.
# shellcheck disable=SC2030,SC2031,SC2164,SC2154,SC1091,SC2013,SC2206

bats_require_minimum_version 1.5.0

load publisher

fewer_rows() { (($(sql 'SELECT COUNT(*) FROM outbox') < $1)); }

@test "many VPCs are written together; those with something in the way are not, and keep no other from it" {
	local vni good
	vpcs 5300 40
	# New ones share multis, too, save one that is not what its digest says.
	sql 'UPDATE vpc SET digest1 = digest1 + 1 WHERE vni = 5307'
	run -2 once
	logged "one multi: [23][0-9] VPCs, 0 deltas, [23][0-9] snapshots"
	logged "VPC 5307, epoch .*: its digest is not that of its routes"
	in_step 5306
	in_step 5339
	run -2 zkcat get "$(head_path 5307)"
	sql 'UPDATE vpc SET digest1 = digest1 - 1 WHERE vni = 5307'
	once
	in_step 5307
	good=$(zkcat get "$(head_path 5320)")
	for ((vni = 5300; vni < 5340; vni++)); do echo "route add 172.16.0.0/12 vpc v$vni via blackhole"; done > "$BATS_TEST_TMPDIR/routes"
	vpcctl -b "$BATS_TEST_TMPDIR/routes"
	# A delta in the way; no HEAD; one that cannot be read; another history's; a history that ends in another digest.
	zkcat put "$(head_path 5305)/l$(($(head_field 5305 epoch) + 1))" 'half of a del'
	zkcat put "$(head_path 5310)" ''
	zkcat put "$(head_path 5315)" '{"v":1,"vni":5315,"epoch":"nine"}'
	zkcat put "$(head_path 5320)" "${good/\"digest\":\"????/\"digest\":\"0bad}"
	sql 'UPDATE vpc SET digest0 = digest0 + 1 WHERE vni = 5325'
	run -2 once
	for ((vni = 5300; vni < 5340; vni++)); do
		[[ $vni = 5320 || $vni = 5325 ]] || in_step $vni
	done
	outbox_is 2
	logged "VPC 5320: .* not in CDB's history"
	logged "VPC 5325, epoch .* have different digests"
	logged "$(head_path 5315): epoch: string"
	logged "$(head_path 5305)/l.* is in the way"
	zkcat put "$(head_path 5320)" "$good"
	sql 'UPDATE vpc SET digest0 = digest0 - 1 WHERE vni = 5325'
	sed -i 's/add/del/; s/ via.*//' "$BATS_TEST_TMPDIR/routes"
	vpcctl -b "$BATS_TEST_TMPDIR/routes"
	: > "$LOG"
	once
	for ((vni = 5300; vni < 5340; vni++)); do in_step $vni; done
	logged "one multi: 40 VPCs, 42 deltas"
}

@test "a long history is published in order, through several multis, and a change of the quota with it" {
	vpcs 5400 2
	once
	"$B/tools/changes" "$CONF" 5400 2 0 60 3000 3000
	vpcctl vpc set v5401 quota 1000000
	once
	in_step 5400
	in_step 5401
	exactly 5400 2
	[[ $(head_field 5401 quota) = 1000000 ]]
	(($(grep -c "one multi: " "$LOG") > 5))
	vpcctl vpc set v5401 quota 2000000
	once
	[[ $(head_field 5401 quota) = 2000000 ]]
	# What is left over is deleted, many at once, also where some of it is gone already.
	zkcat rm "$(head_path 5400)/l700"
	(($(zkcat ls "$(head_path 5400)" | wc -l) > 1400))
	publisher --garbage-delay 0
	wait_for logged "publishing as"
	printf 'route add 172.16.0.0/12 vpc v%d via blackhole\n' 5400 5401 > "$BATS_TEST_TMPDIR/routes"
	vpcctl -b "$BATS_TEST_TMPDIR/routes"
	wait_for only_named 5400
	wait_for only_named 5401
	exactly 5400 2
	# And so is what this one has left over.
	"$B/tools/changes" "$CONF" 5400 2 0 60 600 600
	wait_for outbox_is 0
	logged "one multi: 2 VPCs, 0 deltas, 2 snapshots"
	wait_for only_named 5400
	exactly 5400 2
}

@test "large deltas of many VPCs are more than one multi, and none is larger than ZooKeeper takes" {
	local vni
	vpcs 5700 12
	once
	# 64 KiB are the limit of one delta, 128 KiB that of a multi.
	awk 'BEGIN { for (i = 0; i < 2500; i++) printf "100.64.%d.%d/32 1\n", i / 256, i % 256 }' > "$BATS_TEST_TMPDIR/routes"
	for ((vni = 5700; vni < 5712; vni++)); do
		echo "route import vpc v$vni table 1 file $BATS_TEST_TMPDIR/routes"
	done > "$BATS_TEST_TMPDIR/imports"
	vpcctl -b "$BATS_TEST_TMPDIR/imports"
	: > "$LOG"
	once
	for ((vni = 5700; vni < 5712; vni++)); do
		in_step $vni
		(($(head_field $vni oldest) == $(head_field $vni epoch)))
	done
	(($(zkcat get "$(head_path 5700)/l$(head_field 5700 epoch)" | wc -c) > 45000))
	run ! logged "one multi: [3-9] VPCs"
	run ! logged "one multi: [0-9][0-9] VPCs"
	(($(grep -c "one multi: " "$LOG") >= 6))
}

@test "more rows than one round reads cannot be published: they are named, and keep none behind them waiting" {
	vpcs 5800 1
	once
	# More than a page of rows that name nothing, before a change.
	sql "SET check_constraint_checks = 0; INSERT INTO outbox (kind, vni, created) SELECT 'vpc', 0, 0 FROM seq_1_to_10050"
	vpcctl route add 172.16.0.0/12 vpc v5800 via blackhole
	publisher
	wait_for in_step 5800
	wait_for logged "10000 rows of the outbox wait for another try"
	vpcctl route del 172.16.0.0/12 vpc v5800
	wait_for in_step 5800
	outbox_is 10050
	sql 'DELETE FROM outbox'
	wait_for logged "few rows of the outbox wait"
	[[ $(grep -c "rows of the outbox wait for another try: " "$LOG") = 1 ]]
}

# Below its node there is one snapshot, and the deltas that HEAD names.
only_named() { [[ $(zkcat ls "$(head_path "$1")" | wc -l) = $(($(head_field "$1" epoch) - $(head_field "$1" oldest) + 2)) ]]; }

@test "changes of one VPC that follow each other closely share one HEAD" {
	vpcs 5500 1
	publisher
	wait_for in_step 5500
	local before
	before=$(zkcat version "$(head_path 5500)")
	"$B/tools/changes" "$CONF" 5500 1 200 2
	wait_for outbox_is 0
	exactly 5500 1
	(($(zkcat version "$(head_path 5500)") - before < 80))
}

asked_to_compare() { zkcat get /vpc/v1/compare; }
not_asked_to_compare() { ! zkcat get /vpc/v1/compare 2> /dev/null; }

@test "a comparison of everything whose leader ends in the middle is completed by the next one" {
	local vni
	vpcs 5600 3
	once
	# ZooKeeper is emptied; of one VPC CDB cannot be believed, so that the comparison is not completed.
	sql 'UPDATE vpc SET digest0 = digest0 + 1 WHERE vni = 5601'
	zkcat rm /vpc/v1/fence
	for vni in 5600 5601 5602; do zkcat put "$(head_path $vni)" ''; done
	: > "$LOG"
	publisher
	wait_for logged "VPC 5601, epoch .*digest"
	in_step 5600
	in_step 5602
	asked_to_compare
	kill -9 "$PUB"
	wait "$PUB" || true
	sql 'UPDATE vpc SET digest0 = digest0 - 1 WHERE vni = 5601'
	zkcat put "$(head_path 5602)" ''
	outbox_is 0
	: > "$LOG"
	publisher
	wait_for in_step 5601
	wait_for in_step 5602
	wait_for not_asked_to_compare
	logged "every VPC and host is compared"
	# The one after that has nothing to compare.
	kill "$PUB"
	wait "$PUB"
	zkcat put "$(head_path 5602)" ''
	: > "$LOG"
	once
	[[ -z $(zkcat get "$(head_path 5602)") ]]
	once --all
	in_step 5602
	not_asked_to_compare
}

@test "--once --all beside a leader: the leader compares everything, and it waits for that" {
	vpcs 5610 2
	publisher
	wait_for in_step 5611
	wait_for outbox_is 0
	zkcat put "$(head_path 5610)" ''
	once
	[[ -z $(zkcat get "$(head_path 5610)") ]]
	once --all
	in_step 5610
	not_asked_to_compare
	[[ $(grep -c "publishing as" "$LOG") = 1 ]]
	# And again: the watch was renewed.
	zkcat put "$(head_path 5611)" ''
	once --all
	in_step 5611
}

@test "the sweep finds what is lost without a row of the outbox, repairs it and says so; what is ahead it reports" {
	local vni ports before good
	vpcs 5620 8
	make_vpc 150
	once
	sed '/session_timeout_ms/a sweep_s = 1\nsweep_per_s = 2000' "$CONF" > "$BATS_TEST_TMPDIR/sweep.conf"
	chmod 600 "$BATS_TEST_TMPDIR/sweep.conf"
	: > "$LOG"
	publisher -c "$BATS_TEST_TMPDIR/sweep.conf"
	wait_for logged "publishing as"
	ports=$(host_path h150)/ports before=$(head_field 5627 epoch) good=$(zkcat get "$(head_path 5622)")
	# Two are changed without a row: one with deltas to go on from, and one without HEAD.
	zkcat put "$(head_path 5621)" ''
	zkcat put "$(head_path 5622)" "${good/\"epoch\":/\"epoch\":7}"
	zkcat put "$(head_path 5623)" 'no head'
	zkcat rm "$ports"
	printf 'route add 172.16.0.0/12 vpc v%d via blackhole\n' 5620 5627 > "$BATS_TEST_TMPDIR/routes"
	kill -STOP "$PUB"
	vpcctl -b "$BATS_TEST_TMPDIR/routes"
	sql 'DELETE FROM outbox'
	kill -CONT "$PUB"
	for vni in 5620 5621 5623 5627; do wait_for in_step $vni; done
	wait_for zkcat get "$ports"
	logged "VPC 5621: HEAD is empty, and the outbox does not say so: the sweep has published it"
	logged "VPC 5623: HEAD is malformed, "
	logged "VPC 5627: HEAD is at epoch $before, CDB at $((before + 1)), and the outbox does not say so"
	logged "host h150: ports are not there, "
	# Ahead of CDB: said once, and left alone.
	wait_for logged "VPC 5622: the sweep finds: HEAD is at epoch 7[0-9]*, CDB at [0-9]*: VPC 5622: .*not in CDB's history"
	wait_for swept_again
	[[ $(grep -c "VPC 5622: the sweep finds" "$LOG") = 1 ]]
	[[ $(zkcat get "$(head_path 5622)") = *'"epoch":7'* ]]
	# Under changes, with sweeps in between, nothing is taken for lost.
	zkcat put "$(head_path 5622)" "$good"
	: > "$LOG"
	"$B/tools/changes" "$CONF" 5620 8 300 3
	wait_for outbox_is 0
	wait_for swept_again
	exactly 5620 8
	[[ $(grep -c "the sweep" "$LOG") = 0 ]]
}

@test "chunks and deltas that HEAD names and that are not there: --all and the sweep find them, a snapshot repairs it" {
	local path round vni
	vpcs 5630 3
	once
	for vni in 5630 5631 5632; do vpcctl route add 172.16.0.0/12 vpc v$vni via blackhole; done
	once
	for round in all sweep; do
		[[ $round = all ]] || for vni in 5630 5631 5632; do vpcctl route add 172.32.0.0/12 vpc v$vni via blackhole; done
		[[ $round = all ]] || once
		path=$(head_path 5630)
		zkcat rm "$path/s$(head_field 5630 snapshot)/c000"
		path=$(head_path 5631)
		zkcat rm "$path/l$(head_field 5631 epoch)"
		: > "$LOG"
		if [[ $round = all ]]; then
			once --all
		else
			sed '/session_timeout_ms/a sweep_s = 1\nsweep_per_s = 2000' "$CONF" > "$BATS_TEST_TMPDIR/sweep.conf"
			chmod 600 "$BATS_TEST_TMPDIR/sweep.conf"
			publisher -c "$BATS_TEST_TMPDIR/sweep.conf"
			wait_for logged "VPC 5631: .*the sweep"
		fi
		logged "VPC 5630: 1 of the 1 snapshot's chunks that HEAD names are not there: the sweep has published a snapshot"
		logged "VPC 5631: 1 of the [12] deltas that HEAD names are not there: the sweep has published a snapshot"
		[[ $(grep -c "the sweep has" "$LOG") = 2 ]]
		for vni in 5630 5631 5632; do in_step $vni; done
		[[ $(head_field 5631 snapshot) = "$(head_field 5631 epoch)" ]]
		(($(head_field 5632 snapshot) < $(head_field 5632 epoch)))
	done
	wait_for swept_again
	[[ $(grep -c "the sweep has" "$LOG") = 2 ]]
}

# Another route in place of the one that a node has; text in place of the node's; what was written of it is less than all.
tamper() {
	local data
	data=$(zkcat get "$1")
	zkcat put "$1" "${data/"$2"/"$3"}"
}
truncate_node() {
	local data
	data=$(zkcat get "$1")
	zkcat put "$1" "${data:0:${#data}/2}"
}

@test "chunks and deltas that hold something else than CDB: the sweep reads them, names the node, a snapshot repairs it" {
	local vni p=() before
	vpcs 5650 7
	import 5650 20000 0
	once
	for vni in {5651..5656}; do vpcctl route add 172.16.0.0/12 vpc "v$vni" via blackhole; done
	once
	for vni in {5650..5656}; do p+=("$(head_path "$vni")"); done
	(($(head_field 5650 chunks) > 1))
	before=$(zkcat get "${p[6]}")
	p[0]+=/s$(head_field 5650 snapshot)/c001
	p[1]+=/s$(head_field 5651 snapshot)/c000
	for vni in 2 3 4 5; do p[vni]+=/l$(head_field 565$vni epoch); done
	truncate_node "${p[0]}"
	tamper "${p[1]}" '"type":"prohibit"' '"type":"unreachable"'
	tamper "${p[2]}" 172.16. 172.32.
	truncate_node "${p[3]}"
	tamper "${p[4]}" '"base":' '"base":1'
	tamper "${p[5]}" '"vni":5655' '"vni":5656'
	sed '/session_timeout_ms/a sweep_s = 1\nsweep_per_s = 2000' "$CONF" > "$BATS_TEST_TMPDIR/sweep.conf"
	chmod 600 "$BATS_TEST_TMPDIR/sweep.conf"
	: > "$LOG"
	publisher -c "$BATS_TEST_TMPDIR/sweep.conf"
	for vni in 0 1 2 3 4 5; do
		wait_for logged "VPC 565$vni: ${p[vni]}: .*: the sweep has published a snapshot"
		in_step 565$vni
		[[ $(head_field 565$vni oldest) = $(($(head_field 565$vni epoch) + 1)) ]]
	done
	# What was right stays as it is, and what is right again, too; deltas that were wrong are no one's any more.
	wait_for logged "nodes below .* HEADs read, 0 VPCs published anew, 0 cannot be"
	[[ $(grep -c "the sweep has" "$LOG") = 6 ]]
	[[ $(zkcat get "${p[6]}") = "$before" ]]
}

no_vpc() { ! zkcat get "$(head_path "$1")" 2> /dev/null; }
no_host() { [[ -z $(host_path "$1") ]]; }

@test "the sweep finds what CDB has no more, and takes away what is certain: a VPC of its history, a host without ports" {
	local good vni
	vpcs 5640 3
	make_vpc 151
	vpcctl host add h152 vtep 192.0.2.152
	once
	good=$(zkcat get "$(head_path 5642)")
	# Ends without a row; a host that is another one; VPCs that CDB never had, or not like that.
	vpcctl subnet del s vpc v5640
	vpcctl vpc del v5640
	vpcctl subnet del s vpc v5641
	vpcctl vpc del v5641
	vpcctl host del h152
	sql "DELETE FROM outbox; UPDATE host SET name = 'h199' WHERE name = 'h151'"
	zkcat put "$(head_path 5641)" "${good/\"vni\":5642,\"epoch\":/\"vni\":5641,\"epoch\":7}"
	zkcat put "$(head_path $((5642 + 256)))" "${good/\"vni\":5642/\"vni\":$((5642 + 256))}"
	sed '/session_timeout_ms/a sweep_s = 1\nsweep_per_s = 2000' "$CONF" > "$BATS_TEST_TMPDIR/sweep.conf"
	chmod 600 "$BATS_TEST_TMPDIR/sweep.conf"
	: > "$LOG"
	publisher -c "$BATS_TEST_TMPDIR/sweep.conf"
	wait_for no_vpc 5640
	wait_for no_host h152
	wait_for swept_again
	logged "VPC 5640: CDB does not have it any more, and the outbox does not say so: the sweep has removed it"
	logged "host h152: CDB does not have it any more, "
	# What is not certain is said once, and left alone.
	for vni in 5641 5898; do
		[[ $(grep -c "VPC $vni: the sweep finds: CDB has no such VPC, and never had HEAD's epoch" "$LOG") = 1 ]]
		[[ -n $(zkcat get "$(head_path $vni)") ]]
	done
	[[ $(grep -c "host h151: the sweep finds: CDB has no such host, and it has 1 ports" "$LOG") = 1 ]]
	zkcat get "$(host_path h151)/ports"
	in_step 5642
	[[ $(grep -c "the sweep has removed" "$LOG") = 2 ]]
}

swept_again() { (($(grep -c "sweep: .* compared" "$LOG") >= 2)); }

# How much the last pass could not put right, of other tests' too.
cannot_be() { sed -n 's/.* removed, \([0-9]*\) cannot be$/\1/p' "$LOG" | tail -n 1; }

@test "the sweep goes on while more rows than one round reads wait for another try" {
	local before
	vpcs 5850 3
	once
	sed '/session_timeout_ms/a sweep_s = 1\nsweep_per_s = 2000' "$CONF" > "$BATS_TEST_TMPDIR/sweep.conf"
	chmod 600 "$BATS_TEST_TMPDIR/sweep.conf"
	: > "$LOG"
	publisher -c "$BATS_TEST_TMPDIR/sweep.conf"
	wait_for swept_again
	before=$(cannot_be)
	kill "$PUB"
	wait "$PUB"
	# The first cannot be published, and has a row that says so, before a page of rows that name nothing.
	vpcctl route add 172.16.0.0/12 vpc v5851 via blackhole
	sql "UPDATE vpc SET digest0 = digest0 + 1 WHERE vni = 5851; SET check_constraint_checks = 0;
		INSERT INTO outbox (kind, vni, created) SELECT 'vpc', 0, 0 FROM seq_1_to_10050"
	: > "$LOG"
	publisher -c "$BATS_TEST_TMPDIR/sweep.conf"
	wait_for logged "rows of the outbox wait for another try"
	zkcat put "$(head_path 5850)" ''
	wait_for in_step 5850
	logged "VPC 5850: HEAD is empty, and the outbox does not say so: the sweep has published it"
	: > "$LOG"
	wait_for swept_again
	# What waits is no find of the sweep's.
	[[ $(cannot_be) = "$before" ]]
	outbox_is 10051
	sql "UPDATE vpc SET digest0 = digest0 - 1 WHERE vni = 5851; DELETE FROM outbox"
}

@test "--all finds what CDB has no more, too" {
	local good
	vpcs 5860 3
	vpcctl host add h155 vtep 192.0.2.155
	once
	good=$(zkcat get "$(head_path 5862)")
	vpcctl subnet del s vpc v5860
	vpcctl vpc del v5860
	vpcctl host del h155
	sql "DELETE FROM outbox"
	zkcat put "$(head_path 6118)" "${good/\"vni\":5862/\"vni\":6118}"
	: > "$LOG"
	once
	run ! no_vpc 5860
	once --all
	no_vpc 5860
	no_host h155
	logged "VPC 5860: CDB does not have it any more, and the outbox does not say so: the sweep has removed it"
	logged "VPC 6118: the sweep finds: CDB has no such VPC, and never had HEAD's epoch"
	[[ -n $(zkcat get "$(head_path 6118)") ]]
	not_asked_to_compare
	# Beside one that leads, and whose own sweep is ten minutes away.
	publisher
	wait_for logged "publishing as .* term"
	vpcctl subnet del s vpc v5861
	vpcctl vpc del v5861
	sql "DELETE FROM outbox"
	once --all
	no_vpc 5861
	in_step 5862
	zkcat rm "$(head_path 6118)"
}

@test "a change to a VPC does not wait for two thousand hosts" {
	local i
	vpcs 7000 1
	once
	for ((i = 0; i < 2000; i++)); do echo "host add many$i vtep 198.18.$((i / 200)).$((i % 200 + 1))"; done > "$BATS_TEST_TMPDIR/hosts"
	vpcctl -b "$BATS_TEST_TMPDIR/hosts" > /dev/null
	publisher
	wait_for fewer_rows 2000
	vpcctl route add 172.16.0.0/12 vpc v7000 via blackhole
	wait_for in_step 7000
	(($(sql "SELECT COUNT(*) FROM outbox WHERE kind = 'host'") > 0))
	wait_for outbox_is 0
}
