#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A host with one VPC of 1,000,000 routes: how long its agent takes from its start to "live" with an empty kernel and how
# much memory it has had when its disk cache is written, too (the peak), and how long, and at what price, it takes over a kernel that has them all.
# ZooKeeper runs on this machine, vpc_agent and vpc.ko in User Mode Linux (tests/guest.sh). Called by tests/bench/run.sh.
#
#   agent.sh [ROUTES [ROUNDS]]      1000000 and 5 by default
#
# A cold start begins with a module that was just inserted, the disk cache empty. A restart begins with kill -9; from
# before it until after "live" a ping goes every 5 ms between two guests, through the routes. Rewritten routes would be in
# the agent's own log and count of calls: any is a failure, not a figure.
#
# Prints "NAME N,... -", a number for each round.

# shellcheck source=../guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/../guest.sh"

dir=$top/build/bench/agent

on_machine() {
	servers zookeeper
	host_conf
	build/tools/zkfill h1 100 "${1:-1000000}" >&2
	guest_run 3000 900 "${2:-5}"
}

# The other host, which has no agent.
second_host() {
	vpcctl kernel restore - netns h2 <<-END
		host vtep4 192.0.2.2
		vpc 100 epoch 1
		nexthop 100 1 host 192.0.2.1
		nexthop 100 2 host 192.0.2.2
		nexthop 100 3 local
		route 100 0 10.0.0.5/32 1
		route 100 0 10.0.0.6/32 2
		route 100 1 10.0.0.0/24 3
		port p2 vpc 100 mac 02:00:00:00:00:02 table 1 addr 10.0.0.6/32 gateway4 10.0.0.1
	END
}

peak_mib() { awk '$1 == "VmHWM:" { printf "%.1f\n", $2 / 1024 }' "/proc/$AGENT/status"; }

# A host without anything: everything in the module is its namespace's.
anew() {
	local ns
	for ns in vm1 vm2 h1 h2; do [[ ! -e /run/netns/$ns ]] || ip netns del "$ns"; done
	guest_hosts
	second_host
	rm -rf /run/vpc-cache
}

cold_start() {
	local log=/run/cold-$1
	anew
	agent "$log"
	agent_says ' live: ' "$log"
	echo $((AT - BEGUN)) >> /run/cold_ms
	# The disk cache is written behind it, and costs memory, too.
	until [[ -e /run/vpc-cache/h1/vpc-100 ]]; do kill -0 "$AGENT"; sleep 0.1; done
	peak_mib >> /run/cold_mib
	echo "cold start $1: $((AT - BEGUN)) ms, $(peak_mib) MiB; $(grep -o 'snapshot, .*' "$log")" >&2
}

# What the agent has written into the kernel's tables since its start. No answer is not "nothing".
writes() {
	local fd answer
	exec {fd}<> /dev/tcp/127.0.0.1/9469
	printf 'GET /metrics HTTP/1.0\r\n\r\n' >&"$fd"
	answer=$(cat <&"$fd")
	exec {fd}>&-
	grep -q 'calls_total.*callee="kernel"' <<< "$answer" || { echo "no metrics of calls to the kernel: $answer" >&2; return 1; }
	grep -E 'calls_total.*callee="kernel".*call="(apply|replace|vpc_set|vpc_del|port_set|port_del|host_set)"' <<< "$answer" || true
}

# Pings that got no answer between the first and the last that did.
lost() { awk -F'[= ]' '/bytes from/ { for (i = 1; i < NF; i++) if ($i == "icmp_seq") seq = $(i + 1); n++; if (seq > last) last = seq } END { print last - n }' "$1"; }

pings() { grep -c icmp_seq "$1"; }
restart() {
	local log=/run/restart-$1 answers=/run/ping-$1 ping before written
	ip netns exec vm1 ping -n -i 0.005 10.0.0.6 > "$answers" &
	ping=$!
	until [[ $(pings "$answers") -ge 50 ]]; do sleep 0.02; done
	kill -9 "$AGENT"
	{ wait "$AGENT"; } 2> /dev/null || true
	agent "$log"
	agent_says ' live: ' "$log"
	before=$(pings "$answers")
	until [[ $(pings "$answers") -ge $((before + 50)) ]]; do sleep 0.02; done
	kill -INT "$ping"
	wait "$ping" || true
	written=$(writes)
	[[ -z $written ]] || { echo "the restarted agent wrote: $written" >&2; exit 1; }
	echo $((AT - BEGUN)) >> /run/restart_ms
	lost "$answers" >> /run/restart_lost
	echo "restart $1: $((AT - BEGUN)) ms, $(lost "$answers") of $(pings "$answers") pings lost" >&2
	kill "$AGENT"
	wait "$AGENT"
}

in_guest() {
	local round
	guest_up
	for ((round = 1; round <= $1; round++)); do
		cold_start "$round"
		restart "$round"
	done
	echo "cold_start_1m_s $(paste -sd , /run/cold_ms) -"
	echo "cold_start_1m_rss_mib $(paste -sd , /run/cold_mib) -"
	echo "agent_restart_1m_s $(paste -sd , /run/restart_ms) -"
	echo "agent_restart_lost $(paste -sd , /run/restart_lost) -"
}

both_sides "$@"
