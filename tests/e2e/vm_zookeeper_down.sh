#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# ZooKeeper goes away for longer than a session lasts: forwarding goes on, nothing is deleted, and all catch up.
#
#      CDB ─▶ publisher ─▶ relay, cut and mended ─▶ ZooKeeper
#      agents of h1 (a 10.0.0.5), h2 (c 10.0.1.7) ─▶ the same relay
#
. "$(dirname "$0")/lib.sh"

LAB_SESSION_MS=3000
lab_up "$scenario"
lab_relay zookeeper
cloud_up 2
cloud_vpc red 100 10.0.0.0/16
cloud_guest red a h1 10.0.0.5
cloud_guest red c h2 10.0.1.7
lab_synced red 100 h1 h2
lab_traffic_start ac a 10.0.1.7

begin "while it is away nothing changes in the kernel, and intent is still taken"
epoch=$(lab_kernel_epoch h1 100)
lab_relay_cut zookeeper
lab_ctl route add 172.16.0.0/12 vpc red via blackhole
cut=$SECONDS
lab_traffic_flows ac
wait_until "[[ \$(lab_agent_state h1) = isolated ]]"
same "$(lab_kernel_epoch h1 100)" "$epoch" "epoch without ZooKeeper"
has_port h1 t-a

begin "an agent that starts meanwhile leaves the kernel as it is"
lab_agent_kill h2
connecting=$(log_count agent-h2 'connecting to ZooKeeper')
lab_agent_start h2
log_since agent-h2 'connecting to ZooKeeper' "$connecting"
lab_traffic_flows ac
has_port h2 t-c
same "$(lab_agent_state h2)" connecting "state of an agent that never was connected"

begin "the audit names what is behind, as lag and not as drift"
expect 0 'behind' lab_reconcile h1 -v

begin "back after the sessions have expired, the change arrives everywhere"
wait_until "((SECONDS > $((cut + 6))))" 20
lab_alive agent-h1
lab_alive publisher
lab_relay_mend zookeeper
lab_synced red 100 h1 h2

begin "down and up three times in a row"
for i in 1 2 3; do
	lab_relay_cut zookeeper
	lab_ctl route add "10.77.$i.0/24" vpc red via blackhole
	lab_relay_mend zookeeper
done
lab_synced red 100 h1 h2
for host in h1 h2; do
	wait_until "lab_reconcile $host --max-lag 0" 20
	wait_until "[[ \$(lab_agent_state $host) = live ]]"
done

begin "half open: connected, and nobody answers. Noticed by the agents themselves, and over when it answers again"
kill -STOP -- "-$(lab_pid relay-zookeeper)"
for host in h1 h2; do wait_until "[[ \$(lab_agent_state $host) = isolated ]]"; done
lab_ctl route add 10.88.0.0/24 vpc red via blackhole
lab_traffic_flows ac
kill -CONT -- "-$(lab_pid relay-zookeeper)"
lab_synced red 100 h1 h2
for host in h1 h2; do wait_until "[[ \$(lab_agent_state $host) = live ]]"; done

begin "all that time not one packet was lost"
whole ac
