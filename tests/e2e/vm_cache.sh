#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A host starts anew while ZooKeeper cannot be reached: its agent restores the kernel from its own disk, and catches up
# when ZooKeeper is back. The disk is full for a while, and the module is taken out and put in again besides.
#
#      h1 192.0.2.11 ── a 10.0.0.5  ═══ ping, all the time ═══▶  c 10.0.1.7 ── h2 192.0.2.12
#      agents ─▶ relay, cut and mended ─▶ ZooKeeper;  their disk is a small tmpfs
#      t-a and t-c are taken out of their hosts for a moment, as an operator unplugs them
#
. "$(dirname "$0")/lib.sh"

# The module, empty, as a reboot leaves it.
module_anew() {
	ip -n h1 link set t-a netns 1
	ip -n h2 link set t-c netns 1
	wait_until lab_module_unload 10
	lab_module_load
	ip link set t-a netns h1
	ip link set t-c netns h2
	ip -n h1 link set t-a up
	ip -n h2 link set t-c up
}

cached() { [[ -s $lab_dir/state/$1/vpc-100 && -s $lab_dir/state/$1/ports ]]; }

LAB_SESSION_MS=3000
lab_up "$scenario"
mkdir -p "$lab_dir/state"
mount -t tmpfs -o size=256k tmpfs "$lab_dir/state"
lab_relay zookeeper
cloud_up 2
cloud_vpc red 100 10.0.0.0/16
cloud_guest red a h1 10.0.0.5
cloud_guest red c h2 10.0.1.7
lab_synced red 100 h1 h2
lab_traffic_start ac a 10.0.1.7
wait_until 'cached h1 && cached h2'

begin "a full disk is said, and costs nothing but the cache"
dd if=/dev/zero of="$lab_dir/state/full" bs=4k 2> /dev/null || true
lab_ctl route add 172.16.0.0/12 vpc red via blackhole
lab_synced red 100 h1 h2
for host in h1 h2; do
	wait_until "grep -q 'No space left on device; keeping what is there' $lab_dir/agent-$host.log"
done
rm "$lab_dir/state/full"
for host in h1 h2; do wait_until "grep -q 'cache: written again' $lab_dir/agent-$host.log"; done
lab_traffic_flows ac

begin "both hosts start anew without ZooKeeper, and forward again"
epoch=$(lab_kernel_epoch h1 100)
lab_relay_cut zookeeper
lab_agent_kill h1
lab_agent_kill h2
module_anew
lab_agent_start h1
lab_agent_start h2
for host in h1 h2; do
	wait_until "[[ \$(lab_agent_state $host) = isolated ]]"
	grep -q 'restored 1 VPCs and 1 ports from the cache of' "$lab_dir/agent-$host.log"
	has_port "$host" "t-$([[ $host = h1 ]] && echo a || echo c)"
done
same "$(lab_kernel_epoch h1 100)" "$epoch" "epoch restored"
expect 0 'restored: 1 VPCs and 1 ports' vpcctl -c "$(lab_conf h1)" agent status host h1
lab_traffic_flows ac 40

begin "the module goes and comes once more, still without ZooKeeper"
module_anew
wait_until "[[ \$(lab_kernel_epoch h1 100) = $epoch && \$(lab_kernel_epoch h2 100) = $epoch ]]"
lab_traffic_flows ac 40

begin "ZooKeeper is back: what changed meanwhile arrives on top"
lab_ctl route add 10.77.0.0/24 vpc red via blackhole
lab_relay_mend zookeeper
lab_synced red 100 h1 h2
for host in h1 h2; do wait_until "lab_reconcile $host --max-lag 0" 30; done
# From what was restored, not from nothing.
same "$(log_count agent-h1 'VPC 100: epoch 0 ->')" 1 "times that the whole was read"
umount -l "$lab_dir/state"
