#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The machine's side of stress.sh: two hosts whose VPC never rests, and guests who must notice nothing.
#
#   tests/stress/guest.sh SECONDS SEED
#
#     vm-a .5, vm-c .7, vm-x ── h1 192.0.2.11 ──┬── 192.0.2.12 h2 ── vm-b .6, vm-d .8, vm-x2
#                                        bridge underlay
#                           192.0.2.13 e1, with vm-e .9: a host that comes and goes
#
# a to d send each other numbered datagrams of both families (build/tools/flow) by routes that nobody changes, while
# build/tools/churn changes everything else on both hosts, a device with a port on each goes and comes back, and a
# namespace with VPC, port and packets begins and ends. a and b also send to where the changed routes lead.
#
# In the end no datagram was lost, came twice or to somebody else; the content is what was committed (churn); the
# module is unloaded, which finds what was not freed. vm.sh looks at the kernel's log.

. "$(dirname "$0")/../e2e/lib.sh"

seconds=$1 seed=$2 rate=${VPC_STRESS_RATE:-50}
wait_s=180

mac_of() { printf '02:00:00:00:00:%02x' "$1"; }
# Neighbours that are known, the other guests being on the link too: under load an answer may be late, and a guest's own kernel
# then drops what it has for that address; that is not what is asked here (e asks).
known() {
	local i
	for i in 1 5 6 7 8; do
		ip -n "vm-$1" neighbour replace 10.0.0.$i lladdr fe:ee:00:00:00:01 dev eth0 nud permanent
		ip -n "vm-$1" neighbour replace 2001:db8:a::$i lladdr fe:ee:00:00:00:01 dev eth0 nud permanent
	done
}

# guest NAME HOST NUMBER
guest() {
	lab_guest_add "$1" "$2" "t-$1" "10.0.0.$3/16" 10.0.0.1 "$(mac_of "$3")"
	lab_guest_add6 "$1" "2001:db8:a::$3/64" 2001:db8:a::1
	known "$1"
}

# port DEV NUMBER
port() {
	echo "port $1 vpc 100 mac $(mac_of "$2") table 1 addr 10.0.0.$2/32 addr 2001:db8:a::$2/128 gateway4 10.0.0.1 gateway6 2001:db8:a::1"
}

# state VTEP: what every host has; its ports come behind it.
state() {
	local i
	echo "host vtep4 $1"
	echo "vpc 100"
	echo "nexthop 100 1 local"
	for i in 1 2 3; do echo "nexthop 100 1$i host 192.0.2.1$i"; done
	echo "nexthop 100 20 blackhole"
	echo "nexthop 100 21 prohibit"
	echo "nexthop 100 22 unreachable"
	echo "nexthop 100 30 group"
	for i in 0 1 2 3 4 5 6 7; do echo "nexthop 100 4$i gateway 192.0.2.1$((i % 6 + 1))"; done
	echo "member 100 30 40"
	for i in 5:11 6:12 7:11 8:12 9:13 10:11 12:12; do
		echo "route 100 0 10.0.0.${i%:*}/32 ${i#*:}"
		echo "route 100 0 2001:db8:a::${i%:*}/128 ${i#*:}"
	done
	echo "route 100 1 10.0.0.0/24 1"
	echo "route 100 1 2001:db8:a::/64 1"
}

# flow_start NAME GUEST PEER=ADDRESS...
flow_start() {
	local name=$1 guest=$2 port=5000
	shift 2
	[[ $name != *6 ]] || port=5006
	[[ $name != noise* ]] || port=5001
	lab_spawn "flow-$name" ip netns exec "vm-$guest" flow "$name" $port "$rate" "$@"
}

flows_start() {
	local name peers peers6 numbers=([0]=5 6 7 8) names=(a b c d) i j
	for i in 0 1 2 3; do
		peers=() peers6=()
		for j in 0 1 2 3; do
			[[ $i != "$j" ]] || continue
			peers+=("${names[j]}=10.0.0.${numbers[j]}")
			peers6+=("${names[j]}6=2001:db8:a::${numbers[j]}")
		done
		flow_start "${names[i]}" "${names[i]}" "${peers[@]}"
		flow_start "${names[i]}6" "${names[i]}" "${peers6[@]}"
	done
	for name in a b; do
		flow_start "noise-$name" "$name" w1=172.16.3.5 w2=172.16.99.70 w3=10.0.77.1 w4=10.0.0.70 w5=10.0.0.140 w6=2001:db8:b:7::1 w7=192.168.1.1
	done
	for name in a b c d a6 b6 c6 d6; do wait_until "grep -q begun '$lab_dir/flow-$name.log'" $wait_s; done
}

flows_stop() {
	local file
	for file in "$lab_dir"/flow-*.pid; do kill -TERM "$(< "$file")"; done
	for file in "$lab_dir"/flow-*.pid; do wait_until "! kill -0 $(< "$file") 2> /dev/null" $wait_s; done
	rm -f "$lab_dir"/flow-*.pid
}

# plug NAME HOST NUMBER: a guest of a device that comes and goes; without the time for more than IPv4.
plug() { lab_guest_add "$1" "$2" "t-$1" "10.0.0.$3/16" 10.0.0.1 "$(mac_of "$3")"; }

# What comes and goes beside churn, until it has ended.
devices() {
	local n=0
	while [[ ! -e $lab_dir/enough ]]; do
		ip -n h1 link set t-x down
		ip netns del vm-x
		plug x h1 10
		ip -n h2 link del t-y
		ip netns del vm-y
		plug y h2 12
		# Its own packets are under way when it goes; no answer need come.
		lab_in x ping -n -c 3 -i 0.01 -W 0.1 10.0.0.6 > /dev/null || true
		n=$((n + 2))
		echo $n > "$lab_dir/devices"
	done
}

# A host of its own: VPC, port, a guest who reaches the others, and then the end of it with packets under way.
namespaces() {
	local n=0
	while [[ ! -e $lab_dir/enough ]]; do
		lab_host_add e1 192.0.2.13
		plug e e1 9
		lab_kernel restore "$lab_dir/e1.state" netns e1
		wait_until "lab_in e ping -n -c 1 -W 5 10.0.0.5" $wait_s
		lab_in e ping -q -n -i 0.005 -c 200 10.0.0.6 > /dev/null 2>&1 &
		lab_in e ping -n -c 5 -i 0.01 10.0.0.5 > /dev/null || true
		ip netns del e1
		wait $! || true
		ip netns del vm-e
		n=$((n + 1))
		echo $n > "$lab_dir/namespaces"
	done
}

begin "two hosts and guests who reach each other"
lab_module_load
lab_up ''
# More than the datagrams under way when the machine has no time for a second: what a queue drops is not the module's.
sysctl -qw net.core.netdev_max_backlog=100000
lab_host_add h1 192.0.2.11
lab_host_add h2 192.0.2.12
guest a h1 5
guest c h1 7
guest b h2 6
guest d h2 8
plug x h1 10
plug y h2 12
ip -n h1 neighbour replace 192.0.2.12 lladdr 02:55:c0:00:02:0c dev eth-u nud permanent
ip -n h2 neighbour replace 192.0.2.11 lladdr 02:55:c0:00:02:0b dev eth-u nud permanent
{ state 192.0.2.11; port t-a 5; port t-c 7; port t-x 10; } > "$lab_dir/h1.state"
{ state 192.0.2.12; port t-b 6; port t-d 8; port t-y 12; } > "$lab_dir/h2.state"
{ state 192.0.2.13; port t-e 9; } > "$lab_dir/e1.state"
for host in h1 h2; do lab_kernel restore "$lab_dir/$host.state" netns $host; done
for to in 10.0.0.{6,7,8} 2001:db8:a::{6,7,8}; do wait_until "lab_ping a $to 1" $wait_s; done
# The race detector, where the kernel has one, looks on from here.
kcsan=/sys/kernel/debug/kcsan
if [[ $(uname -r) = *-kcsan ]]; then
	mount -t debugfs debugfs /sys/kernel/debug
	echo on > $kcsan
fi

begin "everything at once for $seconds seconds with seed $seed, and no datagram of an unchanged route is lost"
began=$((${EPOCHREALTIME/./}))
flows_start
echo "0 $((${EPOCHREALTIME/./} + 1000000)) *" > "$lab_dir/windows"
sleep 1.1
devices > "$lab_dir/devices.log" 2>&1 &
devices_pid=$!
namespaces > "$lab_dir/namespaces.log" 2>&1 &
namespaces_pid=$!
status=0
churn "$seconds" "$seed" h1=t-a,t-x h2=t-b,t-y | tee "$lab_dir/churn.log" || status=$?
touch "$lab_dir/enough"
wait $devices_pid || lab_fail "devices: $(tail -n 5 "$lab_dir/devices.log")"
wait $namespaces_pid || lab_fail "namespaces: $(tail -n 5 "$lab_dir/namespaces.log")"
echo "${EPOCHREALTIME/./} 9000000000000000000 *" >> "$lab_dir/windows"
echo "seconds $(((${EPOCHREALTIME/./} - began) / 1000000)), processors $(nproc), devices that went and came $(< "$lab_dir/devices"), namespaces that ended $(< "$lab_dir/namespaces")"
flows_stop
cp "$lab_dir"/{windows,churn.log,flow-*.log} "${VM_OUT:-$lab_dir}/" 2> /dev/null || true
same "$status" 0 "churn"
flow judge "$lab_dir/windows" "$lab_dir"/flow-[abcd]{,6}.log

if [[ -e $kcsan ]]; then
	grep -E '^(enabled|setup_watchpoints|data_races):' $kcsan
	(($(sed -n 's/^setup_watchpoints: //p' $kcsan) > 0)) || lab_fail "the race detector watched nothing"
	echo off > $kcsan
fi

begin "VERIFY holds, and the hosts still reach each other"
for host in h1 h2; do lab_kernel verify 100 netns "$host"; done
for to in 10.0.0.{6,7,8} 2001:db8:a::{6,7,8}; do lab_ping a "$to" 2; done
for host in h1 h2; do lab_kernel stats show netns $host | head -n 40; done

begin "nothing is left: the module can go at once, with all its memory"
for host in h1 h2; do
	lab_kernel save netns $host > /dev/null
	ip netns del $host
done
wait_until lab_module_unload $wait_s
same "$(grep -c '^vpc' /proc/slabinfo)" 0 "caches of the module"
lab_module_load
lab_module_unload
