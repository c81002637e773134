#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A port moves to another host under a stream of packets, by vpcctl's three steps, and none is lost.
#
#      h1 192.0.2.11            h2 192.0.2.12            h3 192.0.2.13
#      └─ a 10.0.0.5            └─ m2 10.0.0.9           └─ m3 10.0.0.9: the same guest, where it will be
#
. "$(dirname "$0")/lib.sh"

mac=02:00:00:00:00:09
lines() { wc -l < "$lab_dir/received-m$1.log"; }
# So many packets more at m2 or m3: more NUMBER COUNT
more() {
	local n
	n=$(lines "$1")
	wait_until "(( \$(lines $1) >= $n + $2 ))"
}
step() { lab_ctl --wait=120 port "$@"; }

lab_up "$scenario"
cloud_up 3
cloud_vpc red 100 10.0.0.0/16
cloud_guest red a h1 10.0.0.5
for i in 2 3; do lab_guest_add m$i h$i t-m 10.0.0.9/16 10.0.0.1 $mac; done
lab_ctl --wait=120 port add m vpc red subnet main host h2 dev t-m address 10.0.0.9 mac $mac
for i in 2 3; do
	lab_spawn received-m$i ip netns exec vm-m$i udp receive 10.0.0.9 9
	wait_until "lab_in m$i ss -lun | grep -q ':9 '"
done
lab_spawn sent ip netns exec vm-a udp send 10.0.0.9 9 1000
more 2 100

begin "prepared, the new host has the port, and packets go to the old one"
step prepare m vpc red host h3
has_port h3 t-m
more 2 100
same "$(lines 3)" 0 "packets at the new host"
expect 0 ' ok .* host 192.0.2.12( |$)' lab_kernel explain from t-a to 10.0.0.9 netns h1

begin "moved, they go to the new one, and the old one has the port to send on"
step move m vpc red
more 3 100
has_port h2 t-m
expect 0 ' ok .* host 192.0.2.13( |$)' lab_kernel explain from t-a to 10.0.0.9 netns h1
expect 0 ' ok .* host 192.0.2.13( |$)' lab_kernel explain vni 100 vtep 192.0.2.11 src 10.0.0.5 to 10.0.0.9 netns h2
lab_ping m3 10.0.0.5

begin "released, the old host has nothing of it any more"
step release m vpc red
more 3 100
wait_until "has_no_port h2 t-m"

begin "of 1,000 packets a second none was lost, and none came twice"
lab_stop sent INT
sent=$(tail -n 1 "$lab_dir/sent.log")
wait_until "(( \$(lines 2) + \$(lines 3) >= $sent ))" 10 || true
echo "$sent sent, $(lines 2) at the old host, $(lines 3) at the new"
same "$(sort -un "$lab_dir"/received-m[23].log | wc -l)" "$sent" "packets that arrived"
same "$(($(lines 2) + $(lines 3)))" "$sent" "packets that arrived, those that came twice counted twice"

begin "all hosts hold what CDB says"
for host in h1 h2 h3; do wait_until "lab_reconcile $host --max-lag 0" 20; done
