# shellcheck shell=bash disable=SC2034  # what is set here is used by who reads it in
# SPDX-License-Identifier: Apache-2.0
#
# What benchmarks share that need servers on this machine and the module in User Mode Linux. agent.sh and change.sh are
# run twice: on the machine, where guest_bench starts servers and the guest, and there with "guest".
#
#      servers, publisher  10.77.0.1 tap0 ─── vec0 10.77.0.2  User Mode Linux: vpc.ko, vpc_agent

set -euo pipefail
# shellcheck source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
cd "$top"
SERVER=10.77.0.1

# The script again in a network namespace of its own, where nobody else's ports and addresses are.
guest_alone() {
	[[ ${VPC_BENCH_ALONE:-} = 1 ]] || VPC_BENCH_ALONE=1 exec unshare -n "$@"
	ip link set lo up
	ip tuntap add mode tap tap0
	ip address add $SERVER/24 dev tap0
	ip link set tap0 up
}

# guest_run MEGABYTES SECONDS COMMAND...
guest_run() {
	scripts/uml.sh --mem "$1" --timeout "$2" --arg vec0:transport=tap,ifname=tap0,depth=128,gro=1 -- "${@:3}"
}

# -- in the guest ------------------------------------------------------------------------------------------------------

guest_up() {
	PATH=$top/build:$top/build/tools:$PATH
	ip address add 10.77.0.2/24 dev vec0
	ip link set vec0 up
	modprobe -a udp_tunnel ip6_udp_tunnel
	insmod build/vpc.ko
}

# Two hosts and their guests; h1's port is the agent's.
#
#      vm1 10.0.0.5 ── p1 [h1 192.0.2.1] ═══ underlay ═══ [h2 192.0.2.2] p2 ── vm2 10.0.0.6
guest_hosts() {
	local i ns
	for ns in h1 h2 vm1 vm2; do
		ip netns add "$ns"
		ip -n "$ns" link set lo up
	done
	ip link add eth-u netns h1 type veth peer name eth-u netns h2
	for i in 1 2; do
		ip -n "h$i" address add "192.0.2.$i/24" dev eth-u
		ip -n "h$i" link set eth-u up
		ip link add eth0 netns "vm$i" type veth peer name "p$i" netns "h$i"
		ip -n "vm$i" link set eth0 address "02:00:00:00:00:0$i"
		ip -n "vm$i" address add "10.0.0.$((4 + i))/24" dev eth0
		ip -n "vm$i" link set eth0 mtu 1400 up
		ip -n "h$i" link set "p$i" up
	done
}

# Milliseconds of the wall clock.
ms() { echo $(($(date +%s%N) / 1000000)); }

# The middle one of an odd number of numbers, one a line.
median() { sort -n | awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)] }'; }

# agent LOG ...: vpc_agent of host h1 in its namespace; its pid is $AGENT, the beginning in milliseconds $BEGUN.
agent() {
	local log=$1
	BEGUN=$(ms)
	vpc_agent -c /run/agent.conf --netns h1 > "$log" 2>&1 &
	AGENT=$!
}

agent_conf() {
	cat > /run/agent.conf <<-END
		[zookeeper]
		hosts = $1
		[agent]
		name = h1
		metrics_port = 9469
		state_dir = /run/vpc-cache
		run_dir = /run/vpc
	END
}

# Until $1, a pattern, is in the log $2, or the agent has ended; *when* it was written, in milliseconds, is $AT.
agent_says() {
	local line end=$((SECONDS + 120))
	until line=$(grep -m 1 -e "$1" "$2"); do
		kill -0 "$AGENT" || { cat "$2" >&2; exit 1; }
		((SECONDS < end)) || { echo "not in the log within 120 s: $1" >&2; cat "$2" >&2; exit 1; }
		sleep 0.02
	done
	AT=$(($(date -d "${line:0:23}" +%s%N) / 1000000))
}
