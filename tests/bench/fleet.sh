#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# 200 hosts on one ensemble, one change to a VPC that they all have: how long from CDB's commit until the last one has it.
# All on this machine, with private servers: the hosts are whole agents with real ZooKeeper sessions over a kernel in memory
# (tests/tools/simhost.c), each a process. Called by tests/bench/run.sh.
#
#   fleet.sh [HOSTS [CHANGES]]      200 and 21 by default
#
# The times are the ones that `vpcctl trace` shows: CDB's commit by its writer's clock, each host's commit as it reports it
# in its status; one clock here. A host without the change is a failure. The first change is not counted.
#
# Prints "fleet_200_last_s MILLISECONDS,... -", a number for each change.

# shellcheck source=../servers.sh
. "$(dirname "$0")/../servers.sh"

hosts=${1:-200} changes=${2:-21}
dir=$top/build/bench/fleet
conf=$dir/vpc.conf
vpcctl() { build/vpcctl -c "$conf" "$@"; }
fail() { echo "fleet.sh: $*" >&2; exit 1; }

servers
conf "$conf" "$VPC_CDB_USER" "$VPC_CDB_PASSWORD"
vpcctl db init > /dev/null
{
	printf 'vpc add red vni 100 range 10.0.0.0/8\nsubnet add s vpc red prefix 10.1.0.0/16\n'
	printf 'nexthop add vpc red id 1 type blackhole\nnexthop add vpc red id 2 type prohibit\n'
	for ((i = 1; i <= hosts; i++)); do
		echo "host add h$i vtep 192.0.$((2 + i / 250)).$((i % 250 + 1))"
		echo "port add p$i vpc red subnet s host h$i dev p1"
	done
	echo "route add 100.64.0.0/16 vpc red via nexthop 1"
} > "$dir/batch"
vpcctl -b "$dir/batch" > /dev/null
publisher "$conf"
build/tools/simhost -c "$conf" -n "$hosts" h 2> "$dir/hosts.log" &
pids+=($!)
for ((end_s = SECONDS + 120; $(grep -c ' live: ' "$dir/hosts.log" || true) < hosts; )); do
	((SECONDS < end_s)) || fail "not all hosts became live: see $dir/hosts.log"
	sleep 0.1
done

# turn: the route leads elsewhere; what became of it is in trace.json.
to=1
turn() {
	local change
	to=$((3 - to))
	change=$(vpcctl -j --wait=30 route set 100.64.0.0/16 vpc red via nexthop $to | jq -er '.change') &&
		vpcctl -j trace "$change" > "$dir/trace.json"
}
# A host says that it is live a moment before others see it alive; until then nobody waits for it.
for ((end_s = SECONDS + 60; ; )); do
	turn || fail "the first change did not reach everybody"
	! jq -e 'all(.[0].hosts[]; .alive and .applied)' "$dir/trace.json" > /dev/null || break
	((SECONDS < end_s)) || fail "not all hosts have the first change"
done
for ((i = 1; i < changes; i++)); do
	turn || fail "change $i did not reach everybody"
	jq -e --argjson hosts "$hosts" '.[0] | select((.hosts | length) == $hosts and all(.hosts[]; .applied)) |
		([.hosts[].applied] | max) - .committed' "$dir/trace.json" || fail "a host has nothing to say of change $i: $dir/trace.json"
	sleep 0.05$((RANDOM % 10))
done > "$dir/ms"
echo "fleet: the last of $hosts hosts after, in ms: $(sort -n "$dir/ms" | tr '\n' ' ')" >&2
echo "fleet_200_last_s $(paste -sd , "$dir/ms") -"
