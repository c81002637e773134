#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The module itself in the debug kernel (KASAN, lockdep, PROVE_RCU, debug objects, kmemleak), whose first complaint fails
# the run: all netlink commands, all that the data plane decides, versions that change under TCP, devices and namespaces
# that go, the module out and in again, and all commands again while allocations fail at random. No agent, no services:
#
#     scripts/uml.sh --debug --timeout 3600 -- tests/e2e/uml_debug.sh
#
#     vm-a 10.0.0.5 ── t-a  h1 192.0.2.11 ── bridge underlay ── 192.0.2.12 h2  t-b ── 10.0.0.6 vm-b
#
. "$(dirname "$0")/debug.sh"

cloud() {
	lab_module_loaded || lab_module_load
	# shellcheck disable=SC2119  # its argument is optional
	lab_up
	lab_host_add h1 192.0.2.11
	lab_host_add h2 192.0.2.12
	lab_guest_add a h1 t-a 10.0.0.5/16 10.0.0.1 02:00:00:00:00:05
	lab_guest_add b h2 t-b 10.0.0.6/16 10.0.0.1 02:00:00:00:00:06
}

cloud_down() {
	lab_down
	mkdir -p "$LAB_DIR"
}

# state VTEP DEV ADDRESS [WEIGHT]: what a host's kernel has to have, as text.
state() {
	cat <<-END
		host vtep4 $1
		vpc 100
		nexthop 100 1 local
		nexthop 100 11 host 192.0.2.11
		nexthop 100 12 host 192.0.2.12
		nexthop 100 20 blackhole
		nexthop 100 30 group
		member 100 30 11 weight ${4:-1}
		member 100 30 12
		route 100 0 10.0.0.5/32 11
		route 100 0 10.0.0.6/32 12
		route 100 1 10.0.0.0/16 1
		route 100 1 10.9.0.0/16 20
		route 100 1 10.10.0.0/16 30
		port $2 vpc 100 mac 02:00:00:00:00:0${3##*.} table 1 addr $3/32 gateway4 10.0.0.1
	END
}

hosts() {
	state 192.0.2.11 t-a 10.0.0.5 "$@" | lab_kernel restore - netns h1
	state 192.0.2.12 t-b 10.0.0.6 "$@" | lab_kernel restore - netns h2
}

traffic() {
	lab_ping a 10.0.0.6 10
	lab_in a ping -n -c 5 -i 0.05 -s 1400 10.0.0.6 > /dev/null
	lab_spawn iperf ip netns exec vm-b iperf3 -s -1 -B 10.0.0.6
	wait_until "lab_in b ss -Htln | grep -q :5201" 30
	lab_in a iperf3 -c 10.0.0.6 -n 8M > /dev/null
	lab_stop iperf || true
}

# Each looks for leaks of its own, and clears what was found before: so they are first.
bad=''
for name in uml_fuzz uml_wire uml_fail; do
	bash "tests/e2e/$name.sh" || bad+=" $name"
done
echo clear > $debug/kmemleak

# Scenarios of the virtual machine that need no services, and ours. One that fails is told of at the end: the rest is
# run first.
for name in vm_refusals uml_packets vm_datapath uml_cycles; do
	bash "tests/e2e/$name.sh" 20 || bad+=" $name"
done

begin "packets between two hosts, TCP with offloads among them"
cloud
hosts
traffic

begin "versions change under traffic"
lab_traffic_start flow a 10.0.0.6 0.01
for weight in {2..30}; do hosts "$weight"; done
same "$(lab_traffic_stop flow)" 0 "packets lost"

begin "a port's device goes and comes back, as another guest's"
ip -n h1 link del t-a
lab_guest_add c h1 t-a 10.0.0.5/16 10.0.0.1 02:00:00:00:00:05
wait_until "lab_ping c 10.0.0.6"
ip -n h1 link set t-a down
lab_no_ping c 10.0.0.6
ip -n h1 link set t-a up
wait_until "lab_ping c 10.0.0.6"

begin "namespaces end with VPCs, ports and packets in them"
lab_traffic_start flow c 10.0.0.6 0.01
ip netns del h2
ip netns del h1
lab_traffic_stop flow
cloud_down

begin "allocations that fail at random in netlink commands"
cloud
hosts
echo N > $debug/failslab/ignore-gfp-wait
echo 0 > $debug/failslab/verbose
echo -1 > $debug/failslab/times
echo Y > $debug/failslab/task-filter
# starved PERCENT STATE: a restore of which so many allocations fail, from where vpcctl has started and waits for lines.
starved() {
	local pid
	mkfifo "$LAB_DIR/pipe"
	bash -c 'echo 1 > /proc/self/make-it-fail; exec vpcctl kernel restore - netns h1' < "$LAB_DIR/pipe" \
		> "$LAB_DIR/starved" 2>&1 &
	pid=$!
	exec {pipe}> "$LAB_DIR/pipe"
	wait_until "[[ \$(< /proc/$pid/comm) = vpcctl ]] && grep -q '^State:.*sleeping' /proc/$pid/status"
	echo "$1" > $debug/failslab/probability
	echo "$2" >&"$pipe"
	exec {pipe}>&-
	wait "$pid" || refused=$((refused + 1))
	echo 0 > $debug/failslab/probability
	rm "$LAB_DIR/pipe"
}
refused=0
for percent in 1 2 3 6; do
	for weight in {1..8}; do
		starved $percent "$(state 192.0.2.11 t-a 10.0.0.5 "$weight")"
		# Refused or not: what is there is whole.
		lab_kernel verify 100 netns h1
	done
done
echo "$refused of 32 restores were refused"
((refused > 5 && refused < 32)) || lab_fail "allocations that fail make some fail, not all and not none"

begin "it works as before when there is memory again"
cloud_down
cloud
hosts
traffic
cloud_down

# Namespaces that have just been ended let go of it in their own time.
wait_until "! lab_module_loaded || rmmod vpc"
nothing_leaked

begin "the other scenarios hold here too"
same "$bad" "" "failed"
