#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The underlay: both IP families around both IP families, VLAN, offloads, a path with a smaller MTU, and what strangers send.
# Ports are programmed by `vpcctl kernel restore`: no daemons.
#
#   vm-a 10.0.0.5 fd00::5                                                       vm-b 10.0.0.6 fd00::6
#     │                                                                            │
#   h1 192.0.2.11 ── eth-u ──────── r, a router ──────── eth-u ── h2 198.51.100.12
#      2001:db8:1::11           192.0.2.1  198.51.100.1              2001:db8:2::12
#                                    2001:db8:X::1

. "$(dirname "$0")/lib.sh"

vtep4_1=192.0.2.11 vtep4_2=198.51.100.12 vtep6_1=2001:db8:1::11 vtep6_2=2001:db8:2::12

# address_up HOST DEV NETWORK4 NETWORK6 NUMBER ROUTER_DEV: addresses and routes of one host's way to the router.
address_up() {
	local host=$1 dev=$2 net4=$3 net6=$4 number=$5 router_dev=$6
	ip -n "$host" -batch - <<-END
		addr add $net4.$number/24 dev $dev
		addr add $net6::$number/64 dev $dev nodad
		link set $dev up
	END
	ip -n r -batch - <<-END
		addr add $net4.1/24 dev $router_dev
		addr add $net6::1/64 dev $router_dev nodad
		link set $router_dev up
	END
	ip -n "$host" route replace default via "$net4.1"
	ip -n "$host" -6 route replace default via "$net6::1"
}

host_up() {
	ip netns add "$1"
	ip -n "$1" link set lo up
	ip -n "$1" link add eth-u type veth peer name "to-$1" netns r
	ip netns exec "$1" sysctl -qw net.ipv6.conf.eth-u.disable_ipv6=0
	ip netns exec r sysctl -qw "net.ipv6.conf.to-$1.disable_ipv6=0"
	address_up "$1" eth-u "$2" "$3" "$4" "to-$1"
}

# guest_up NAME HOST NUMBER
guest_up() {
	lab_guest_add "$1" "$2" "t-$1" "10.0.0.$3/16" 10.0.0.1 "02:00:00:00:00:0$3"
	lab_in "$1" sysctl -qw net.ipv6.conf.eth0.disable_ipv6=0
	ip -n "vm-$1" addr add "fd00::$3/64" dev eth0 nodad
}

# program HOST FAMILY1 FAMILY2 [WORDS OF "host"]: h1 is reached over IPv4 or IPv6 (FAMILY1), h2 by FAMILY2. Both are known
# by both, since a host that is reached by one may send by the other.
program() {
	local host=$1 to1=vtep$2_1 to2=vtep$3_2 dev=t-a number=5 i=1
	[[ $host = h1 ]] || dev=t-b number=6 i=2
	local own4=vtep4_$i own6=vtep6_$i
	vpcctl kernel restore - netns "$host" <<-END
		host ${4-vtep4 ${!own4} vtep6 ${!own6}}
		vpc 100
		nexthop 100 1 local
		nexthop 100 11 host ${!to1}
		nexthop 100 12 host ${!to2}
		nexthop 100 21 host $vtep4_1
		nexthop 100 22 host $vtep4_2
		nexthop 100 23 host $vtep6_1
		nexthop 100 24 host $vtep6_2
		route 100 1 10.0.0.0/16 1
		route 100 1 fd00::/64 1
		route 100 0 10.0.0.5/32 11
		route 100 0 fd00::5/128 11
		route 100 0 10.0.0.6/32 12
		route 100 0 fd00::6/128 12
		port $dev vpc 100 mac 02:00:00:00:00:0$number table 1 addr 10.0.0.$number/32 addr fd00::$number/128 gateway4 10.0.0.1 gateway6 fd00::1
	END
}

program_both() { program h1 "$1" "$2" && program h2 "$1" "$2"; }

pings() {
	lab_ping a 10.0.0.6
	lab_ping a fd00::6
	lab_ping b 10.0.0.5
}

# transfer ADDRESS: a file goes from a to b over TCP and arrives whole.
transfer() { stream "$lab_dir/file" vm-a vm-b "$1" 5001; }

# captured HOST DEV FILTER COMMAND...: runs the command while tcpdump sees a packet; prints what it said of it.
captured() {
	local host=$1 dev=$2 filter=$3
	shift 3
	lab_spawn capture ip netns exec "$host" tcpdump -nvvl -c 1 -i "$dev" "$filter"
	wait_until "grep -q 'listening on' $lab_dir/capture.log"
	"$@" || true
	wait_until "! lab_alive capture" 20
	cat "$lab_dir/capture.log"
	rm -f "$lab_dir/capture.log" "$lab_dir/capture.pid"
}

# From NAMESPACE, a datagram with these bytes (printf's notation) to a VTEP's UDP port: datagram NAMESPACE ADDRESS BYTES
datagram() {
	local to=$2
	[[ $to != *:* ]] || to="[$to]"
	printf '%b' "$3" | ip netns exec "$1" socat -u STDIN "UDP:$to:4789"
}

# counts HOST REASON COMMAND...: the command makes the host count a drop for this reason.
counts() {
	local host=$1 reason=$2 before
	shift 2
	before=$(lab_drops "$host" "$reason")
	"$@"
	wait_until "(( \$(lab_drops $host $reason) > $before ))" 10
}

# What hosts and guests have learned about paths.
forget() {
	local ns
	for ns in h1 h2 vm-a vm-b; do
		ip -n $ns route flush cache
		ip -n $ns -6 route flush cache
	done
}

lab_up "$scenario"
lab_module_loaded || lab_module_load
ip netns add r
ip -n r link set lo up
ip netns exec r sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
host_up h1 192.0.2 2001:db8:1 11
host_up h2 198.51.100 2001:db8:2 12
guest_up a h1 5
guest_up b h2 6
head -c 3000000 /dev/urandom > "$lab_dir/file"

begin "VTEPs that cannot be are refused, and nothing changes"
expect 2 'VTEP' program h1 4 4 'vtep4 224.0.0.1'
expect 2 'VTEP' program h1 4 4 'vtep4 127.0.0.1'
expect 2 'VTEP' program h1 4 4 'vtep6 fe80::1'
expect 2 'VTEP' program h1 4 4 'vtep6 ::1'
expect 2 'VTEP' program h1 4 4 'vtep6 ff02::1'
expect 2 'not an address of this host' program h1 4 4 'vtep4 192.0.2.99'
expect 2 'not an address of this host' program h1 4 4 'vtep6 2001:db8:1::99'
expect 2 'not an address of this host' program h1 4 4 "vtep4 $vtep4_1 vtep6 2001:db8:1::99"
vpcctl kernel host show netns h1 | grep -q "vtep none"

begin "IPv4 and IPv6 over IPv4"
program_both 4 4
pings
transfer 10.0.0.6
transfer fd00::6

begin "IPv4 and IPv6 over IPv6, with true outer checksums"
program_both 6 6
vpcctl kernel host show netns h1 | grep -q "$vtep6_1"
pings
transfer 10.0.0.6
transfer fd00::6
ip netns exec h1 ethtool -K eth-u tx off > /dev/null
captured r to-h1 'ip6 and udp dst port 4789' lab_ping a 10.0.0.6 | grep -q 'udp sum ok'
ip netns exec h1 ethtool -K eth-u tx on > /dev/null

begin "one way over IPv4, the other over IPv6"
program_both 4 6
pings
program_both 6 4
pings
transfer fd00::6

begin "a congestion mark of the underlay reaches the guest, and ECN the underlay"
for family in 4 6; do
	program_both $family $family
	captured r to-h1 'udp dst port 4789' lab_in a ping -n -c 1 -Q 2 10.0.0.6 | grep -qE 'tos 0x2|class 0x02'
	ip netns exec r tc qdisc add dev to-h2 root netem limit 1000 ecn loss 100%
	captured vm-b eth0 'ip and icmp and dst 10.0.0.6' lab_in a ping -n -c 1 -W 3 -Q 2 10.0.0.6 | grep -q 'tos 0x3'
	ip netns exec r tc qdisc del dev to-h2 root
done

begin "a host without a VTEP of the nexthop's family drops, and says why"
program h1 4 6 "vtep4 $vtep4_1"
counts h1 no-vtep lab_no_ping a 10.0.0.6
program h1 4 4 "vtep6 $vtep6_1"
counts h1 no-vtep lab_no_ping a 10.0.0.6

begin "only an IPv6 VTEP"
program h1 6 6 "vtep6 $vtep6_1"
program h2 6 6 "vtep6 $vtep6_2"
pings

begin "offloads off, at either end and between"
for family in 4 6; do
	program_both $family $family
	for what in "vm-a eth0" "h1 t-a" "h1 eth-u" "r to-h1" "h2 eth-u" "h2 t-b" "vm-b eth0"; do
		# shellcheck disable=SC2086
		set -- $what
		ip netns exec "$1" ethtool -K "$2" tx off rx off sg off tso off gso off gro off > /dev/null 2>&1 || true
		transfer 10.0.0.6
		transfer fd00::6
		ip netns exec "$1" ethtool -K "$2" tx on rx on sg on tso on gso on gro on > /dev/null 2>&1 || true
	done
done

begin "GRO on everywhere"
for what in "h1 t-a" "h1 eth-u" "h2 eth-u" "h2 t-b"; do
	# shellcheck disable=SC2086
	set -- $what
	ip netns exec "$1" ethtool -K "$2" gro on
done
for family in 4 6; do
	program_both $family $family
	transfer 10.0.0.6
	transfer fd00::6
done

begin "packet sockets see the underlay's packets whole, and nobody writes into them"
lab_spawn tap ip netns exec h2 tcpdump -i eth-u -w "$lab_dir/tap.pcap"
wait_until "grep -q 'listening on' $lab_dir/tap.log"
program_both 4 4
transfer 10.0.0.6
lab_stop tap INT || true

begin "the path's MTU is learned: tenants are told, and fit"
forget
for family in 4 6; do
	program_both $family $family
	ip -n r link set to-h2 mtu 1400
	ip -n h2 link set eth-u mtu 1400
	# Before and after.
	fits=$((family == 4 ? 1450 : 1430)) mtu=$((family == 4 ? 1350 : 1330))
	lab_in a ping -n -c 1 -W 2 -M "do" -s $((fits - 28)) 10.0.0.6 || true
	expect 1 "mtu ?= ?$mtu" lab_in a ping -n -c 2 -i 0.2 -W 2 -M "do" -s $((fits - 28)) 10.0.0.6
	expect 1 "mtu ?= ?$mtu|mtu=$mtu|too long" lab_in a ping -n -c 2 -i 0.2 -W 2 -M "do" -s $((fits - 48)) fd00::6
	expect 0 ' 0% packet loss' lab_in a ping -n -c 1 -W 5 -M "do" -s $((mtu - 28)) 10.0.0.6
	expect 0 ' 0% packet loss' lab_in a ping -n -c 1 -W 5 -M "do" -s $((mtu - 48)) fd00::6
	# Without Don't Fragment it is cut inside.
	lab_in a ip route flush cache
	expect 0 ' 0% packet loss' lab_in a ping -n -c 1 -W 5 -M dont -s 1400 10.0.0.6
	transfer 10.0.0.6
	transfer fd00::6
	ip -n r link set to-h2 mtu 1500
	ip -n h2 link set eth-u mtu 1500
	forget
done

begin "strangers' packets, and what is malformed, are counted by reason"
program_both 4 4
# UDP and VXLAN: 16 bytes are needed; the flag is 0x08, the VNI 100 is 0x64.
counts h1 outer-header datagram r $vtep4_1 '\x08\0\0\0'
counts h1 outer-header datagram r $vtep4_1 '\0\0\0\0\0\0\x64\0AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
counts h1 vni datagram r $vtep4_1 '\x08\0\0\0\0\0\x65\0AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
counts h1 malformed datagram r $vtep4_1 '\x08\0\0\0\0\0\x64\0AAAA'
ether='\x02\0\0\0\0\x05\xfe\xee\0\0\0\x01\x08\0'
ip4='\x45\0\0\x1c\0\0\0\0\x40\x11\x66\xc7\x0a\0\0\x06\x0a\0\0\x05\0\x01\0\x02\0\x08\0\0'
counts h1 outer-source datagram r $vtep4_1 "\\x08\\0\\0\\0\\0\\0\\x64\\0$ether$ip4"
counts h1 outer-source datagram r $vtep6_1 "\\x08\\0\\0\\0\\0\\0\\x64\\0$ether$ip4"

begin "fragments of an outer packet are put together"
before=$(vpcctl -j kernel stats show 100 netns h1 | jq '[.[].rx_packets // 0] | add')
pad=$(printf '\\0%.0s' {1..1800})
ip netns exec h2 bash -c "printf '%b' '\\x08\\0\\0\\0\\0\\0\\x64\\0$ether$ip4$pad' | socat -u -b 4000 STDIN UDP:$vtep4_1:4789,bind=$vtep4_2"
wait_until "(( \$(vpcctl -j kernel stats show 100 netns h1 | jq '[.[].rx_packets // 0] | add') > $before ))" 10

begin "the tunnel over a VLAN"
for i in 1 2; do
	ip -n h$i addr flush dev eth-u
	ip -n r addr flush dev to-h$i
	ip -n h$i link add link eth-u name eth-u.7 type vlan id 7
	ip -n r link add link to-h$i name to-h$i.7 type vlan id 7
	ip netns exec h$i sysctl -qw net.ipv6.conf.eth-u/7.disable_ipv6=0
	ip netns exec r sysctl -qw net.ipv6.conf.to-h$i/7.disable_ipv6=0
done
address_up h1 eth-u.7 192.0.2 2001:db8:1 11 to-h1.7
address_up h2 eth-u.7 198.51.100 2001:db8:2 12 to-h2.7
for family in 4 6; do
	program_both $family $family
	pings
	transfer 10.0.0.6
	transfer fd00::6
done

ip_count() { ip netns exec h1 nstat -asz "$1" | awk -v counter="$1" '$1 == counter { print $2 }'; }

# goes WAY COUNTER: packets of the tunnel go the short way, which the host's IP does not count, or the long one.
goes() {
	local before
	pings
	before=$(ip_count "$2")
	pings
	if [[ $1 = short ]]; then
		same "$(ip_count "$2")" "$before" "packets that took the long way"
	else
		(($(ip_count "$2") > before)) || lab_fail "no packet took the long way"
	fi
}

# heard HOOK: a firewall there stops the tunnel as long as it is there.
heard() {
	ip netns exec h1 nft "table ip filter { chain c { type filter hook $1 priority 0; udp dport 4789 drop; }; }"
	lab_no_ping b 10.0.0.5
	ip netns exec h1 nft delete table ip filter
}

begin "a firewall in the host's input chain is heard, and the short way in comes back when it goes"
program_both 4 4
goes short IpInReceives
heard input
goes short IpInReceives
echo 0 > /sys/module/vpc/parameters/ingress
goes long IpInReceives

begin "a firewall in the host's output or postrouting chain is heard, and the short way out comes back when it goes"
# A security module that labels packets wants to see them in postrouting, always.
mountpoint -q /sys/kernel/security || mount -t securityfs securityfs /sys/kernel/security || true
out=short
[[ ! $(cat /sys/kernel/security/lsm 2> /dev/null) =~ apparmor|selinux|smack ]] || out=long
for hook in output postrouting; do
	goes $out IpOutRequests
	heard $hook
done
goes $out IpOutRequests
echo 0 > /sys/module/vpc/parameters/egress
goes long IpOutRequests
