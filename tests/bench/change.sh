#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# How long a change takes from CDB's commit to the kernel's, through publisher, ZooKeeper and agent: on an idle system, and
# while 1,000 other changes a second go to 100 VPCs that this host has as well. Servers and publisher run on this machine,
# who makes the measured changes (tests/tools/latency.c), vpc_agent and vpc.ko in User Mode Linux (tests/guest.sh), by one clock.
# Called by tests/bench/run.sh.
#
#   change.sh [CHANGES [RATE]]      500 measured changes each, and 1000 others a second, by default
#
# Agent, publisher and module are configured as they are delivered. One ZooKeeper and one MariaDB stand for CDB and ensemble,
# on the same machine; both write to disk before they answer (VPC_SERVICES_DURABLE). In the end the kernel must have every VPC
# at CDB's epoch and digest (vpc_reconcile).
#
# Prints "NAME N,N,N,N,N -", a round being a fifth of a run: change_idle_* and change_load_p99_ms are the measured changes', to a
# VPC of their own; change_loaded_p99_ms is that of the others (the agent reads what changes much at a slower pace), from just
# before their transaction in CDB, by CDB's clock; change_load_per_s ("N -"), how many of those there really were.

# shellcheck source=../guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/../guest.sh"

FIRST=6000 VPCS=100
dir=$top/build/bench/change

# percentiles NAME P FILE: of each fifth of FILE's microseconds, in their order.
percentiles() {
	jq -nr --arg name "$1" --argjson p "$2" '[inputs] | length as $n |
		[range(5) as $i | .[$n * $i / 5 | floor:$n * ($i + 1) / 5 | floor] | sort | .[length * $p / 100 | ceil - 1] | tostring] |
		"\($name) \(join(",")) -"' "$3"
	echo "$1: $(wc -l < "$3") changes, from $(sort -n "$3" | head -n 1) to $(sort -n "$3" | tail -n 1) us" >&2
}

# The loaded VPCs, and "probe"; h1 has a port in each.
seed() {
	local vni name
	{
		echo "host add h1 vtep 192.0.2.1"
		for ((vni = FIRST; vni <= FIRST + VPCS; vni++)); do
			name=v$vni
			((vni < FIRST + VPCS)) || name=probe
			printf 'vpc add %s vni %d range 10.0.0.0/8\nsubnet add s vpc %s prefix 10.1.0.0/16\n' $name $vni $name
			printf 'nexthop add vpc %s id 1 type blackhole\nnexthop add vpc %s id 2 type prohibit\n' $name $name
			printf 'port add p vpc %s subnet s host h1 dev p%d\n' $name $vni
		done
	} > "$dir/vpcs"
	build/vpcctl -c "$dir/admin.conf" -b "$dir/vpcs" > /dev/null
}

# From when the guest asks for it until it has enough.
load() {
	local changes end
	until [[ -e $dir/load ]]; do sleep 0.1; done
	build/tools/changes "$dir/admin.conf" $FIRST $VPCS "$1" 600 > "$dir/load.txt" &
	changes=$!
	until [[ -e $dir/enough ]]; do sleep 0.1; done
	kill "$changes"
	wait "$changes"
	echo "load: $(< "$dir/load.txt")" >&2
	end=$((SECONDS + 60))
	until [[ $(sql "SELECT COUNT(*) FROM outbox") = 0 ]]; do
		((SECONDS < end)) || { echo "the publisher has not caught up with the load in 60 s" >&2; exit 1; }
		sleep 0.1
	done
	touch "$dir/loaded"
}

on_machine() {
	local changes=${1:-500} rate=${2:-1000}
	VPC_SERVICES_DURABLE=${VPC_SERVICES_DURABLE:-1} servers
	guest_cdb
	seed
	publisher "$dir/publisher.conf"
	load "$rate" &
	pids+=($!)
	guest_run 1500 600 "$changes"
	wait "${pids[-1]}"
	loaded
	awk '{ printf "change_load_per_s %.0f -\n", $1 * 1000 / $4 }' "$dir/load.txt"
}

# Each of the others' changes came with the first commit at its epoch or a later one. What was before a VPC's first commit
# that was seen is not counted.
loaded() {
	sql "SELECT vni, epoch, created FROM change_log WHERE vni >= $FIRST AND vni < $((FIRST + VPCS))" > "$dir/created"
	awk 'NR == FNR { created[$1, $2] = $3; next }
		$1 in at { for (e = at[$1] + 1; e <= $2; e++) if (($1, e) in created) printf "%.0f\n", $3 - created[$1, e] * 1000 }
		{ at[$1] = $2 }' "$dir/created" "$dir/commits" > "$dir/loaded.us"
	[[ -s $dir/loaded.us ]] || { echo "no change of the load was seen in the kernel" >&2; exit 1; }
	percentiles change_loaded_p99_ms 99 "$dir/loaded.us"
}

in_guest() {
	local onlooker end
	guest_up
	guest_hosts
	trap 'cp /run/agent.log "$dir/"' EXIT
	agent /run/agent.log
	agent_says ' live: ' /run/agent.log
	latency "$dir/writer.conf" h1 probe "$1" 100 > "$dir/idle.us"
	percentiles change_idle_p50_ms 50 "$dir/idle.us"
	percentiles change_idle_p99_ms 99 "$dir/idle.us"
	latency "$dir/writer.conf" h1 $FIRST $VPCS > "$dir/commits" &
	onlooker=$!
	touch "$dir/load"
	until [[ -s $dir/commits ]]; do
		kill -0 "$onlooker"
		sleep 0.1
	done
	latency "$dir/writer.conf" h1 probe "$1" 100 > "$dir/load.us"
	percentiles change_load_p99_ms 99 "$dir/load.us"
	touch "$dir/enough"
	until [[ -e $dir/loaded ]]; do sleep 0.1; done
	end=$((SECONDS + 60))
	until vpc_reconcile -c "$dir/host.conf" --netns h1 --host h1 > /run/reconcile; do
		((SECONDS < end)) || { cat /run/reconcile >&2; exit 1; }
		sleep 1
	done
	kill "$onlooker"
	wait "$onlooker"
}

both_sides "$@"
