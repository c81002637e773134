# shellcheck shell=bash disable=SC2034  # what is set here is used by who reads it in
# SPDX-License-Identifier: Apache-2.0
#
# What has servers on this machine and agent and module in User Mode Linux: tests/audit/{corrupt,soak}.sh,
# tests/bench/{agent,change}.sh. Such a script runs twice, both times by its last line, both_sides "$@": on the machine, where
# its on_machine starts servers (servers.sh) and the guest (guest_run), and again in there, as its in_guest.
#
#      servers, publisher  10.77.0.1 tap0 ─── vec0 10.77.0.2  User Mode Linux: vpc.ko, vpc_agent
#
# tests/bench/upgrade.sh has of this the hosts only.

script=$(realpath "$0")
# shellcheck source=servers.sh
. "$(dirname "${BASH_SOURCE[0]}")/servers.sh"
SERVER=10.77.0.1
# What is inserted. A script that builds another one says so.
module=build/vpc.ko

# both_sides ARGUMENT...: on_machine ARGUMENT..., in a network namespace of its own, where nobody else's ports and addresses are;
# in_guest with what guest_run was given.
both_sides() {
	if [[ ${1:-} = guest ]]; then
		in_guest "${@:2}"
		return
	fi
	[[ ${VPC_GUEST_ALONE:-} = 1 ]] || VPC_GUEST_ALONE=1 exec unshare -n "$script" "$@"
	ip link set lo up
	ip tuntap add mode tap tap0
	ip address add $SERVER/24 dev tap0
	ip link set tap0 up
	export VPC_SERVICES_BIND=0.0.0.0
	on_machine "$@"
}

# An empty CDB with its accounts, and configurations: $dir/admin.conf and publisher.conf for here, writer.conf and host.conf
# (agent and audit of host h1) for the guest.
guest_cdb() {
	export VPC_WRITER_PASSWORD=w VPC_PUBLISHER_PASSWORD=p VPC_AUDITOR_PASSWORD=a
	conf "$dir/admin.conf" "$VPC_CDB_USER" "$VPC_CDB_PASSWORD"
	conf "$dir/publisher.conf" vpc_publisher p
	conf "$dir/writer.conf" vpc_writer w $SERVER
	host_conf vpc_auditor a
	build/vpcctl -c "$dir/admin.conf" db init --accounts > /dev/null
}
# host_conf [USER PASSWORD]
host_conf() {
	conf "$dir/host.conf" "${1:-}" "${2:-}" $SERVER '[agent]' 'name = h1' 'metrics_port = 9469' 'state_dir = /run/vpc-cache' \
		'run_dir = /run/vpc'
}

# guest_run MEGABYTES SECONDS [ARGUMENT...]: in_guest with these
guest_run() {
	local options=()
	[[ $module = build/vpc.ko ]] || options=(--no-module)
	scripts/uml.sh "${options[@]}" --mem "$1" --timeout "$2" --arg vec0:transport=tap,ifname=tap0,depth=128,gro=1 -- \
		"$script" guest "${@:3}"
}

# -- in the guest ------------------------------------------------------------------------------------------------------

guest_up() {
	PATH=$top/build:$top/build/tools:$PATH
	ip address add 10.77.0.2/24 dev vec0
	ip link set vec0 up
	modprobe -a udp_tunnel ip6_udp_tunnel
	insmod "$module"
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

# agent LOG ...: vpc_agent of host h1 in its namespace; its pid is $AGENT, the beginning in milliseconds $BEGUN.
agent() {
	local log=$1
	BEGUN=$(ms)
	vpc_agent -c "$dir/host.conf" --netns h1 > "$log" 2>&1 &
	AGENT=$!
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
