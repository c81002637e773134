#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# An agent that dies or restarts at any moment costs no packet, and the next one takes over what the kernel has.
#
#      h1 192.0.2.11 ── a 10.0.0.5  ═══ ping, all the time ═══▶  c 10.0.1.7 ── h2 192.0.2.12
#      its agent is killed, restarted, terminated
#
. "$(dirname "$0")/lib.sh"

lab_up "$scenario"
cloud_up 2
cloud_vpc red 100 10.0.0.0/16
cloud_guest red a h1 10.0.0.5
cloud_guest red c h2 10.0.1.7
lab_synced red 100 h1 h2
lab_traffic_start ac a 10.0.1.7 0.02

begin "killed with -9 and restarted: the kernel keeps its epoch, and a change made meanwhile arrives"
lab_agent_kill h1
epoch=$(lab_kernel_epoch h1 100)
lab_ctl route add 172.16.0.0/12 vpc red via blackhole
lab_traffic_flows ac
same "$(lab_kernel_epoch h1 100)" "$epoch" "epoch while no agent runs"
: > "$lab_dir/agent-h1.log"
lab_agent_start h1
lab_synced red 100 h1
grep "taking over 1 VPCs and 1 ports" "$lab_dir/agent-h1.log"

begin "a restart with nothing to do changes nothing"
epoch=$(lab_kernel_epoch h1 100)
lab_agent_stop h1
: > "$lab_dir/agent-h1.log"
lab_agent_start h1
wait_until "grep -q 'live: ' $lab_dir/agent-h1.log"
same "$(lab_kernel_epoch h1 100)" "$epoch" "epoch"
expect 1 '' grep -E 'removed|in VPC' "$lab_dir/agent-h1.log"

begin "what was deleted from CDB meanwhile is taken out of the kernel, and nothing else"
cloud_guest red b h1 10.0.0.6
lab_synced red 100 h1
wait_until "lab_ping a 10.0.0.6 1"
lab_agent_kill h1
lab_ctl port del b vpc red
lab_ctl route del 172.16.0.0/12 vpc red
lab_agent_start h1
lab_synced red 100 h1
wait_until "has_no_port h1 t-b"
has_port h1 t-a
lab_kernel route show 100 netns h1 > "$lab_dir/routes"
grep -F 10.0.0.0/16 "$lab_dir/routes"
expect 1 '' grep -F 172.16.0.0/12 "$lab_dir/routes"

begin "killed again and again while changes pour in, it ends where CDB is"
for i in 1 2 3 4; do
	for j in 1 2 3; do lab_ctl route add "172.16.$i$j.0/24" vpc red via blackhole; done &
	changes=$!
	lab_agent_kill h1
	lab_agent_start h1
	wait "$changes"
done
lab_synced red 100 h1 h2
wait_until "lab_reconcile h1 --max-lag 0" 20
expect 0 '' lab_reconcile h1 --verify

begin "all that time not one packet was lost"
whole ac
