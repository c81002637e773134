#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Hosts that are not ours: one is Linux's VXLAN device with a VRF, one Open vSwitch's kernel datapath. Guests reach each other
# in both directions, IPv4 and IPv6 in IPv4 and in IPv6; and tshark, a decoder that is not ours, finds nothing malformed and
# no bad checksum in what was on the wire and at the port. No daemons, ours or theirs.
#
#                    underlay 192.0.2.0/24, 2001:db8:2::/64
#         ┌────────────────────────┼───────────────────────────┐
#     h1 .11 vpc.ko            h2 .12 VRF + VXLAN          h3 .13 Open vSwitch
#       │ t-a                    │ t-c                       │ t-e
#     a 10.0.0.5               c 10.0.1.7                  e 10.0.2.9
#       2001:db8:a::5            2001:db8:c::7               2001:db8:e::9
. "$(dirname "$0")/lib.sh"
wants ovs-dpctl tshark editcap

router=fe:ee:00:00:00:01 vx=02:00:00:00:03:02 mac_a=02:00:00:00:00:05 mac_c=02:00:00:00:00:07 mac_e=02:00:00:00:00:09
declare -A vtep=([h14]=192.0.2.11 [h24]=192.0.2.12 [h34]=192.0.2.13 [h16]=2001:db8:2::11 [h26]=2001:db8:2::12 [h36]=2001:db8:2::13)

six_on() { ip netns exec "$1" sysctl -qw "net.ipv6.conf.$2.disable_ipv6=0" "net.ipv6.conf.$2.accept_dad=0"; }

# What a network card without offloads would send: complete checksums and frames of at most 1514 bytes.
host_up() {
	lab_host_add "$1" "${vtep[${1}4]}"
	six_on "$1" eth-u
	ip -n "$1" address add "${vtep[${1}6]}/64" dev eth-u nodad
	ip netns exec "$1" ethtool -K eth-u tx off tso off gso off gro off > /dev/null
}

# ours 4|6: by which family the others are reached. Both addresses of each are known, as either may be a source.
ours() {
	vpcctl kernel restore - netns h1 <<-END
		host vtep4 ${vtep[h14]} vtep6 ${vtep[h16]}
		vpc 100
		nexthop 100 1 local
		nexthop 100 11 host ${vtep[h1$1]}
		nexthop 100 12 host ${vtep[h2$1]} mac $vx
		nexthop 100 13 host ${vtep[h3$1]} mac $mac_e
		nexthop 100 21 host ${vtep[h1$((10 - $1))]}
		nexthop 100 22 host ${vtep[h2$((10 - $1))]}
		nexthop 100 23 host ${vtep[h3$((10 - $1))]}
		nexthop 100 30 prohibit
		nexthop 100 31 unreachable
		route 100 1 10.0.0.0/8 1
		route 100 1 2001:db8::/32 1
		route 100 1 10.66.0.0/16 30
		route 100 1 2001:db8:66::/48 31
		route 100 0 10.0.0.5/32 11
		route 100 0 2001:db8:a::5/128 11
		route 100 0 10.0.1.0/24 12
		route 100 0 2001:db8:c::/64 12
		route 100 0 10.0.2.0/24 13
		route 100 0 2001:db8:e::/64 13
		port t-a vpc 100 mac $mac_a table 1 addr 10.0.0.5 addr 2001:db8:a::5 gateway4 10.0.0.1 gateway6 2001:db8:a::1 subnet6 2001:db8:a::/64
	END
}

linux_up() {
	ip netns exec h2 sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	ip -n h2 -batch - <<-END
		link add red type vrf table 10
		link set red up
		link set t-c master red
		link add vx address $vx mtu 1430 type vxlan external dstport 4789
		link set vx master red up
		address add 10.0.1.1/24 dev t-c
		neigh replace 169.254.0.1 lladdr $router dev vx nud permanent
	END
	for dev in t-c vx red; do six_on h2 $dev; done
	ip -n h2 address add 2001:db8:c::1/64 dev t-c nodad
	ip -n h2 neigh replace fe80::fe lladdr $router dev vx nud permanent
}
linux() {
	local how=ip
	[[ $1 = 4 ]] || how=ip6
	ip -n h2 route replace vrf red 10.0.0.0/24 via 169.254.0.1 dev vx onlink encap $how id 100 dst "${vtep[h1$1]}"
	ip -n h2 -6 route replace vrf red 2001:db8:a::/64 via fe80::fe dev vx onlink encap $how id 100 dst "${vtep[h1$1]}"
}

# Ports of a new datapath have the numbers that they are given: 1 the guest, 2 VXLAN.
ovs_up() {
	local in_h3="ip netns exec h3"
	$in_h3 ovs-dpctl add-dp dp
	$in_h3 ovs-dpctl add-if dp t-e,type=system,port_no=1
	$in_h3 ovs-dpctl add-if dp vx,type=vxlan,remote_ip=flow,key=flow,port_no=2
	lab_in e ip neigh replace 10.0.2.1 lladdr $router dev eth0 nud permanent
	lab_in e ip neigh replace 2001:db8:e::1 lladdr $router dev eth0 nud permanent
}
ovs() {
	local type to="dst=${vtep[h14]}" from="src=${vtep[h14]},dst=${vtep[h34]}" flags=key own="df|key"
	if [[ $1 = 6 ]]; then
		to="ipv6_dst=${vtep[h16]}" from="ipv6_src=${vtep[h16]},ipv6_dst=${vtep[h36]}" flags="csum|key" own="csum|key"
	fi
	ip netns exec h3 ovs-dpctl del-flows dp
	for type in "0x0800),ipv4(frag=no" "0x86dd),ipv6(frag=no"; do
		ip netns exec h3 ovs-dpctl add-flow dp "in_port(1),eth(),eth_type($type)" \
			"set(tunnel(tun_id=0x64,$to,ttl=64,tp_dst=4789,flags($own))),2"
		ip netns exec h3 ovs-dpctl add-flow dp "tunnel(tun_id=0x64,$from,ttl=64,flags($flags)),in_port(2),eth(),eth_type($type)" \
			"set(eth(src=$router,dst=$mac_e)),1"
	done
}

# Both families, both directions: reaches GUEST ADDRESS4 ADDRESS6
reaches() {
	lab_ping a "$2"
	lab_ping "$1" 10.0.0.5
	lab_ping a "$3"
	lab_ping "$1" 2001:db8:a::5
}
# The same with a file over TCP, which comes to the tunnel in pieces of up to 64 KiB.
streams() {
	stream "$lab_dir/file" vm-a "vm-$1" "$2" 39000
	stream "$lab_dir/file" "vm-$1" vm-a 10.0.0.5 39001
	stream "$lab_dir/file" vm-a "vm-$1" "$3" 39002
	stream "$lab_dir/file" "vm-$1" vm-a 2001:db8:a::5 39003
}

modprobe -a vrf vxlan openvswitch
lab_module_load
lab_up ""
for host in h1 h2 h3; do host_up $host; done
lab_guest_add a h1 t-a 10.0.0.5/24 10.0.0.1 $mac_a
lab_guest_add c h2 t-c 10.0.1.7/24 10.0.1.1 $mac_c
lab_guest_add e h3 t-e 10.0.2.9/24 10.0.2.1 $mac_e
lab_guest_add6 a 2001:db8:a::5/64 2001:db8:a::1
lab_guest_add6 c 2001:db8:c::7/64 2001:db8:c::1
lab_guest_add6 e 2001:db8:e::9/64 2001:db8:e::1
for guest in a c e; do ip -n vm-$guest link set eth0 mtu 1430; done
linux_up
ovs_up
head -c 300000 /dev/urandom > "$lab_dir/file"
lab_spawn wire ip netns exec h1 tcpdump -nn -U -i eth-u -w "$lab_dir/wire.pcap"
lab_spawn port ip netns exec h1 tcpdump -nn -U -i t-a -w "$lab_dir/port.pcap" 'arp or icmp or icmp6'
wait_until "[[ -s $lab_dir/wire.pcap && -s $lab_dir/port.pcap ]]"

for outer in 4 6; do
	ours $outer
	linux $outer
	ovs $outer

	begin "over IPv$outer: Linux's VXLAN device with VRF reaches our guest and is reached"
	reaches c 10.0.1.7 2001:db8:c::7
	streams c 10.0.1.7 2001:db8:c::7

	begin "over IPv$outer: Open vSwitch's datapath reaches our guest and is reached"
	reaches e 10.0.2.9 2001:db8:e::9
	streams e 10.0.2.9 2001:db8:e::9
done

begin "UDP without a checksum arrives as it was sent, and errors, advertisements and neighbours are answered"
lab_spawn sink ip netns exec vm-c socat -u UDP4-RECV:39005 "CREATE:$lab_dir/received"
wait_until "lab_in c ss -lun | grep -q :39005"
# SO_NO_CHECK
wait_until "echo nothing-covers-me | lab_in a socat -u STDIN UDP4-SENDTO:10.0.1.7:39005,setsockopt-int=1:11:1; grep -q covers $lab_dir/received"
expect 1 'Packet filtered' lab_in a ping -n -c 1 -W 5 10.66.0.1
expect 1 'Address unreachable' lab_in a ping -n -c 1 -W 5 2001:db8:66::1
expect 1 'refused' lab_in c socat -T 5 - UDP4:10.0.0.5:39009 <<< x
lab_in a sysctl -qw net.ipv6.conf.eth0.accept_ra=1
ip -n vm-a link set eth0 down
ip -n vm-a link set eth0 up
wait_until "ip -n vm-a -6 route | grep -q 'proto ra'"
lab_stop wire INT || true
lab_stop port INT || true

# decoded NAME: NAME.txt has a line a frame: protocols, who sent it, whether it is malformed, and the checksums' statuses.
decoded() {
	tshark -n -r "$lab_dir/$1.pcap" -o ip.check_checksum:TRUE -o udp.check_checksum:TRUE -o tcp.check_checksum:TRUE \
		-T fields -E separator='|' -e frame.protocols -e eth.src -e _ws.malformed -e ip.checksum.status \
		-e udp.checksum.status -e tcp.checksum.status -e icmp.checksum.status -e icmpv6.checksum.status \
		> "$lab_dir/$1.txt" 2> "$lab_dir/tshark.log" || { cat "$lab_dir/tshark.log"; return 1; }
}
# sent NAME MAC: what that device sent. A status 0 is a bad checksum, 4 one that is not there and must be (UDP over IPv6).
sent() { awk -F '|' -v from="$2" 'index($2, from) == 1' "$lab_dir/$1.txt"; }
wrong() { sent "$@" | awk -F '|' '$3 != "" || ($4 "," $5 "," $6 "," $7 "," $8 ",") ~ /(^|,)[04],/'; }
# has KIND...: of each there is a frame in the standard input.
has() {
	local frames kind
	frames=$(cut -d '|' -f 1 | sort -u)
	for kind; do says "^eth:ethertype:$kind" "$frames" || lab_fail "no $kind"; done
}

begin "tshark finds nothing malformed and no bad checksum in what we sent, on the wire and at the port"
decoded wire
decoded port
mac_u=$(ip netns exec h1 cat /sys/class/net/eth-u/address)
same "$(wrong wire "$mac_u" | head -n 5)" "" "on the wire"
same "$(wrong port $router | head -n 5)" "" "at the port"
inside=udp:vxlan:eth:ethertype
sent wire "$mac_u" | has ip:$inside:ip:tcp ip:$inside:ipv6:tcp ipv6:$inside:ip:tcp ipv6:$inside:ipv6:tcp ip:$inside:ip:icmp \
	ipv6:$inside:ipv6:icmpv6 ipv6:$inside:ip:udp ipv6:$inside:ip:icmp:ip:udp
sent port $router | has arp ip:icmp:data ip:icmp:ip:icmp ipv6:icmpv6 ipv6:icmpv6:ipv6:icmpv6

begin "and it finds wrong bytes in a copy"
editcap -E 0.02 --seed 1 "$lab_dir/wire.pcap" "$lab_dir/broken.pcap"
decoded broken
[[ -n $(wrong broken "$mac_u" | head -n 1) ]]
