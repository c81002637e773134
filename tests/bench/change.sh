#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# How long a change takes from CDB's commit to the kernel's, through publisher, ZooKeeper and agent: on an idle system, and
# while 1,000 other changes a second go to 100 VPCs that this host has as well. Servers and publisher run on this machine,
# who makes the measured changes (tests/tools/latency.c), vpc_agent and vpc.ko in User Mode Linux (guest.sh), by one clock.
# Called by tests/bench/run.sh.
#
#   change.sh [CHANGES [RATE]]      300 measured changes each, and 1000 others a second, by default
#
# Everything is configured as it is delivered. The others' changes must keep their pace, and in the end the kernel must have
# every VPC at CDB's epoch and digest (vpc_reconcile).
#
# Prints "NAME MICROSECONDS -".

# shellcheck source=guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/guest.sh"

FIRST=6000 VPCS=100
dir=$top/build/bench/change

conf() {
	(umask 077; cat > "$1" <<-END
		[zookeeper]
		hosts = $2:$ZK_PORT
		[cdb]
		host = $2
		port = $VPC_CDB_PORT
		user = $3
		password = $4
	END
	)
}

# The loaded VPCs, and "probe"; h1 has a port in each.
seed() {
	local vni name
	build/vpcctl -c "$dir/admin.conf" db init --accounts > /dev/null
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

# Until the guest asks for it.
load() {
	until [[ -e $dir/load ]]; do sleep 0.1; done
	build/tools/changes "$dir/admin.conf" $FIRST $VPCS "$1" "$2" > "$dir/load.txt" 2>&1
	echo "load: $(< "$dir/load.txt")" >&2
	touch "$dir/loaded"
}

on_machine() {
	local changes=${1:-300} rate=${2:-1000}
	guest_alone "${BASH_SOURCE[0]}" "$@"
	pids=()
	# shellcheck disable=SC2317  # called by the trap
	end() {
		[[ ${#pids[@]} = 0 ]] || kill "${pids[@]}" 2> /dev/null || true
		scripts/services.sh stop "$dir/svc"
	}
	trap end EXIT
	rm -rf "$dir"
	mkdir -p "$dir"
	VPC_SERVICES_BIND=0.0.0.0 scripts/services.sh start "$dir/svc"
	# shellcheck disable=SC1091
	. "$dir/svc/env"
	ZK_PORT=${VPC_ZK_HOSTS##*:}
	export VPC_WRITER_PASSWORD=w VPC_PUBLISHER_PASSWORD=p VPC_AUDITOR_PASSWORD=a
	conf "$dir/admin.conf" 127.0.0.1 "$VPC_CDB_USER" "$VPC_CDB_PASSWORD"
	conf "$dir/publisher.conf" 127.0.0.1 vpc_publisher p
	conf "$dir/writer.conf" $SERVER vpc_writer w
	conf "$dir/auditor.conf" $SERVER vpc_auditor a
	seed
	build/vpc_publisher -c "$dir/publisher.conf" 2> "$dir/publisher.log" &
	pids+=($!)
	# A change takes a pause of 0.1 s and what it takes itself.
	load "$rate" $((changes * 3 / 10 + 15)) &
	pids+=($!)
	guest_run 1500 600 tests/bench/change.sh guest "$SERVER:$ZK_PORT" "$changes"
}

# part NAME CHANGES: prints p50 and p99.
part() {
	latency "$dir/writer.conf" h1 probe "$2" 100 | sort -n > "/run/$1"
	awk -v name="$1" '{ a[NR] = $1 } END { print name "_p50_ms", a[int(NR / 2 + 0.5)], "-"; print name "_p99_ms", a[int(NR * 0.99 + 0.999)], "-" }' \
		"/run/$1"
	echo "$1: $(wc -l < "/run/$1") changes, from $(head -n 1 "/run/$1") to $(tail -n 1 "/run/$1") us" >&2
}

in_guest() {
	guest_up
	agent_conf "$1"
	guest_hosts
	trap 'cp /run/agent.log "$dir/"' EXIT
	agent /run/agent.log
	agent_says ' live: ' /run/agent.log
	part change_idle "$2"
	touch "$dir/load"
	sleep 5
	[[ ! -e $dir/loaded ]]
	part change_load "$2" | grep p99
	[[ ! -e $dir/loaded ]] || { echo "the load ended before the measurement did" >&2; exit 1; }
	until [[ -e $dir/loaded ]]; do sleep 0.1; done
	sleep 2
	vpc_reconcile -c "$dir/auditor.conf" --netns h1 --host h1 > /run/reconcile || { cat /run/reconcile >&2; exit 1; }
}

if [[ ${1:-} = guest ]]; then
	in_guest "${@:2}"
else
	on_machine "$@"
fi
