#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# CDB goes away: tools say so in one line and change nothing, daemons wait, and all goes on when it is back.
#
#      vpcctl, publisher, vpc_reconcile ─▶ relay, cut and mended ─▶ MariaDB
#      h1 192.0.2.11 ── a 10.0.0.5  ═══ ping ═══▶  b 10.0.0.6 ── h1
#
. "$(dirname "$0")/lib.sh"

lab_up "$scenario"
lab_relay mariadb
cloud_up 1
cloud_vpc red 100 10.0.0.0/16
cloud_guest red a h1 10.0.0.5
cloud_guest red b h1 10.0.0.6
lab_synced red 100 h1
lab_traffic_start ab a 10.0.0.6

begin "vpcctl is refused with one line"
epoch=$(lab_kernel_epoch h1 100)
lab_relay_cut mariadb
expect 2 'CDB' lab_ctl route add 172.16.0.0/12 vpc red via blackhole
same "$(lab_ctl vpc show 2>&1 | wc -l)" 1 "lines of the refusal"

begin "the audit could not compare: never a false alarm, never silence"
expect 2 'could not compare' lab_reconcile h1
status=0
lab_reconcile h1 -j > "$lab_dir/report" || status=$?
same "$status" 2 "exit status"
same "$(jq -r .result "$lab_dir/report")" "could not compare" "result in JSON"

begin "publisher and agent stay, and forwarding goes on"
lab_traffic_flows ab
lab_alive publisher
lab_alive agent-h1
same "$(lab_kernel_epoch h1 100)" "$epoch" "epoch without CDB"

begin "CDB is back: changes flow again, from the same publisher"
lab_relay_mend mariadb
lab_ctl route add 172.16.0.0/12 vpc red via blackhole
lab_synced red 100 h1
lab_alive publisher
wait_until "lab_reconcile h1 --max-lag 0" 20

begin "cut in the middle of changes, each change is whole or not there"
for i in 1 2 3; do
	(
		for j in 1 2 3 4 5; do
			lab_ctl route add "10.88.$i$j.0/24" vpc red via blackhole || true
		done
	) > /dev/null 2>&1 &
	changes=$!
	lab_traffic_flows ab
	lab_relay_cut mariadb
	lab_relay_mend mariadb
	wait "$changes"
done
expect 0 '' lab_ctl db check red
lab_ctl route add 10.99.0.0/24 vpc red via blackhole
lab_synced red 100 h1
expect 0 '' lab_reconcile h1 --verify

begin "all that time not one packet was lost"
whole ab
