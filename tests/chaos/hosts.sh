#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The hosts of a chaos run, in User Mode Linux; called by run.sh. Each host is a network namespace with vpc.ko's tables, an
# agent and an audit of its own, and two guests that send numbered datagrams to those of the next host and the one before:
#
#      run.sh's bridge ── vec0 ── br-m ─┬─ eth-m [hN] eth-u ─┬─ underlay
#                                       ┆   a-N │ b-N        ┆
#                                       ┆ vm-aN │ vm-bN      ┆        N = 1..5
#
#   hosts.sh DIR CDB_PORT       DIR is the run's folder, which both sides see
#
# It ends well when in the end every host has all of CDB and nothing else (vpc_reconcile --full --verify).

set -euo pipefail
# shellcheck source=../../scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"
# shellcheck source=../../scripts/lab.sh
. "$top/scripts/lab.sh"
dir=$1 CDB_PORT=$2 run=/run/chaos
# shellcheck source=lane.sh
. "$top/tests/chaos/lane.sh"
mkdir -p $run

mac() { printf '02:00:00:00:%02x:%02x' "$1" "$2"; }

# plug N FAMILY: the guest's cable, as a hypervisor makes a tap.
plug() {
	local i=$1 guest=vm-$2$1 dev=$2-$1
	ip link add eth0 netns "$guest" address "$(mac "$i" "$((16#$2))")" mtu 1400 type veth peer name "$dev" mtu 1400 netns "h$i"
	if [[ $2 = a ]]; then
		ip -n "$guest" address add "10.0.0.1$i/16" dev eth0
		ip -n "$guest" link set eth0 up
		ip -n "$guest" route add default via 10.0.0.1 dev eth0
	else
		ip netns exec "$guest" sysctl -qw net.ipv6.conf.eth0.disable_ipv6=0 net.ipv6.conf.eth0.accept_ra=0
		ip -n "$guest" address add "2001:db8:a::1$i/64" dev eth0 nodad
		ip -n "$guest" link set eth0 up
		ip -n "$guest" route add default via 2001:db8:a::1 dev eth0
	fi
	ip -n "h$i" link set "$dev" up
}

host_up() {
	local i=$1 family vni
	lab_host_add "h$i" "192.0.2.1$i"
	ip link add "m-$i" type veth peer name eth-m netns "h$i"
	ip link set "m-$i" master br-m up
	ip -n "h$i" address add "$SERVER.10$i/24" dev eth-m
	ip -n "h$i" link set eth-m up
	for family in a b; do
		ip netns add "vm-$family$i"
		ip -n "vm-$family$i" link set lo up
		plug "$i" $family
	done
	# The streamed VPCs' ports.
	for ((vni = FIRST; vni < FIRST + STREAMED; vni++)); do
		ip -n "h$i" link add "s-$vni-$i" type veth peer name "s-$vni-peer"
		ip -n "h$i" link set "s-$vni-$i" up
	done
	conf "$run/h$i.conf" vpc_auditor a '[agent]' "name = h$i" "state_dir = $run/state$i" "run_dir = $run/run$i" \
		'status_interval_s = 2' 'metrics_port = 0'
}

agent() { daemon "agent$1" ip netns exec "h$1" vpc_agent -c "$run/h$1.conf"; }
audit() {
	# Its log is the evidence.
	daemon "audit$1" ip netns exec "h$1" vpc_reconcile -c "$run/h$1.conf" -H "h$1" --watch=2 -j --max-lag 10
}

# has_ports [N]: its own, or everybody's.
has_ports() {
	local i ports
	for ((i = ${1:-1}; i <= ${1:-HOSTS}; i++)); do
		ports=$(vpcctl -j kernel port show netns "h$i") && [[ $ports = *'"a-'* && $ports = *'"b-'* ]] || return
	done
}

# -- faults ------------------------------------------------------------------------------------------------------------

# As an operator reloads the module: ports' devices out of the way first, since they hold it.
ports_move() {
	local i dev vni devs
	for ((i = 1; i <= HOSTS; i++)); do
		devs=("a-$i" "b-$i")
		for ((vni = FIRST; vni < FIRST + STREAMED; vni++)); do devs+=("s-$vni-$i"); done
		if [[ $1 = out ]]; then
			printf 'link set %s netns 1\n' "${devs[@]}" | ip -n "h$i" -batch -
		else
			printf "link set %s netns h$i\n" "${devs[@]}" | ip -batch -
			printf 'link set %s up\n' "${devs[@]}" | ip -n "h$i" -batch -
		fi
	done
}

# link_fault N eth-m|eth-u FAULT: on both ends of the cable nothing passes, or one of ten is lost and all the others are late.
link_fault() {
	local what=(loss 10% delay 40ms limit 10000) other=m-$1
	[[ $3 = *slow ]] || what=(loss 100%)
	[[ $2 = eth-m ]] || other=u-h$1
	tc -n "h$1" qdisc replace dev "$2" root netem "${what[@]}"
	tc qdisc replace dev "$other" root netem "${what[@]}"
}
link_mend() {
	local other=m-$1
	[[ $2 = eth-m ]] || other=u-h$1
	tc -n "h$1" qdisc del dev "$2" root
	tc qdisc del dev "$other" root
}

fault_role() { echo -; }
fault_begin() {
	local i=${2//[a-z]/}
	case $1 in
	kill) killed "agent$i" ;;
	pause) signal "agent$i" STOP ;;
	control-*) link_fault "$i" eth-m "$1" ;;
	underlay-*) link_fault "$i" eth-u "$1" ;;
	device) ip -n "h$i" link del "a-$i" ;;
	reload)
		ports_move out
		wait_for 300 lab_module_unload ;;
	*) fail "no such fault: $1" ;;
	esac
}

# Until nothing is to be seen of it any more, as far as the traffic is concerned.
fault_end() {
	local i=${2//[a-z]/}
	case $1 in
	kill) agent "$i" ;;
	pause) signal "agent$i" CONT ;;
	control-*) link_mend "$i" eth-m ;;
	underlay-*) link_mend "$i" eth-u ;;
	device)
		plug "$i" a
		wait_for 90 has_ports "$i" ;;
	reload)
		lab_module_load
		ports_move in
		wait_for 90 has_ports ;;
	esac
}

# -- traffic -----------------------------------------------------------------------------------------------------------

RATE=10
flows_begun() { grep -q begun "$run/flow-a$1.log" && grep -q begun "$run/flow-b$1.log"; }
flows_start() {
	local i next last begin
	begin=$(now_us)
	for ((i = 1; i <= HOSTS; i++)); do
		next=$((i % HOSTS + 1)) last=$(((i + HOSTS - 2) % HOSTS + 1))
		daemon "flow-a$i" ip netns exec "vm-a$i" flow "a$i" 5000 $RATE "a$next=10.0.0.1$next" "a$last=10.0.0.1$last"
		daemon "flow-b$i" ip netns exec "vm-b$i" flow "b$i" 5000 $RATE "b$next=2001:db8:a::1$next" "b$last=2001:db8:a::1$last"
	done
	for ((i = 1; i <= HOSTS; i++)); do wait_for 120 flows_begun "$i"; done
	echo "$begin $(($(now_us) + 500000))" > "$dir/started"
}

# All senders first, so that nobody misses what was sent behind its end.
flows_stop() {
	local f
	for f in "$run"/flow-*.pid; do kill -TERM "$(< "$f")"; done
	for f in "$run"/flow-*.pid; do
		f=${f##*/}
		wait_for 120 gone "${f%.pid}"
		cp "$run/${f%.pid}.log" "$dir/"
	done
}

# -- the end -----------------------------------------------------------------------------------------------------------

right() {
	timeout 60 ip netns exec "h$1" vpc_reconcile -c "$run/h$1.conf" -H "h$1" --full --verify --max-lag 0 --settle 200 -v > "$dir/final$1.txt" 2>&1
}

# shellcheck disable=SC2317  # called by the trap
at_end() {
	local status=$?
	cp "$run"/*.log "$dir/" || true
	[[ $status = 0 ]] || dmesg > "$dir/dmesg"
	exit $status
}
trap at_end EXIT

modprobe sch_netem
lab_up ""
ip link add br-m type bridge
ip link set vec0 master br-m up
ip link set br-m up
lab_module_load
for ((i = 1; i <= HOSTS; i++)); do host_up $i; done
for ((i = 1; i <= HOSTS; i++)); do agent $i; done
wait_for 300 has_ports
for ((i = 1; i <= HOSTS; i++)); do wait_for 300 right $i; done
for ((i = 1; i <= HOSTS; i++)); do audit $i; done
flows_start
say "hosts are there"
touch "$dir/ready"
wait_for 300 test -s "$dir/start"
lane hosts
wait_for 7200 test -e "$dir/quiet"
settle=$SECONDS
for ((i = 1; i <= HOSTS; i++)); do wait_for 90 right $i; done
say "every host has what CDB has, $((SECONDS - settle)) s after the last change"
flows_stop
# The last word of an audit is about the end.
audit_right() { [[ $(tail -n 1 "$run/audit$1.log") = *'"result":"consistent"'* ]]; }
for ((i = 1; i <= HOSTS; i++)); do wait_for 300 audit_right $i; done
for ((i = 1; i <= HOSTS; i++)); do signal "audit$i" TERM; done
for ((i = 1; i <= HOSTS; i++)); do wait_for 120 gone "audit$i"; done
