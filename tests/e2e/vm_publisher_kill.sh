#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# kill -9 of the publisher between the database and ZooKeeper loses nothing and publishes nothing twice.
#
#      vpcctl ─▶ CDB ─▶ publisher, killed at any moment ─▶ ZooKeeper ─▶ agent of h1 ─▶ kernel
#
. "$(dirname "$0")/lib.sh"

# So that it is killed in the middle of many small rounds, not of few large ones.
LAB_POLL_MS=30
lab_up "$scenario"
cloud_up 1
cloud_vpc red 100 10.0.0.0/16
cloud_guest red a h1 10.0.0.5
lab_synced red 100 h1

begin "changes made while it is killed six times all arrive, each epoch once"
for i in 1 2 3 4 5 6; do
	for j in 1 2 3; do lab_ctl route add "172.$((15 + i)).$j.0/24" vpc red via blackhole; done &
	changes=$!
	# A moment that differs from round to round, by what the round has written.
	wait_until "(( \$(lab_epoch_in \"\$(lab_zkcat get $(lab_head 100))\") > $((i * 3)) ))"
	lab_publisher_kill
	lab_publisher_start
	wait "$changes"
done
lab_synced red 100 h1

begin "snapshot and deltas in ZooKeeper fit together step by step and end in CDB's digest"
lab_zkcat state 100 | tee "$lab_dir/published"
same "$(jq -r .epoch "$lab_dir/published")" "$(lab_cdb_epoch red)" "epoch in ZooKeeper"
expect 0 '' lab_ctl db check red
expect 0 '' lab_reconcile h1 --verify

begin "one killed between changes publishes what was left over, once, with --once"
lab_publisher_kill
lab_ctl route add 192.168.0.0/16 vpc red via blackhole
expect 0 '' vpc_publisher -c "$(lab_conf)" --once
lab_synced red 100 h1
version=$(lab_zkcat version "$(lab_head 100)")
expect 0 '' vpc_publisher -c "$(lab_conf)" --once
same "$(lab_zkcat version "$(lab_head 100)")" "$version" "HEAD's version after publishing nothing"

begin "two at once: one stands by, and leads when the other is killed"
publishing=$(log_count publisher 'publishing as')
lab_publisher_start
log_since publisher 'publishing as' "$publishing"
lab_spawn younger vpc_publisher -c "$(lab_conf)"
wait_until "grep -q 'standing by' $lab_dir/younger.log"
lab_ctl route add 192.169.1.0/24 vpc red via blackhole
lab_synced red 100 h1
lab_publisher_kill
lab_ctl route add 192.169.2.0/24 vpc red via blackhole
lab_synced red 100 h1
wait_until "grep -q 'publishing as' $lab_dir/younger.log"
lab_alive younger
