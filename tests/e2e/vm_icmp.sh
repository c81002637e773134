#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What a port's router says: neighbour discovery, router advertisements, ICMP errors, echo; and packets that are too
# long for their way. Ports are programmed by `vpcctl kernel restore`: no daemons.
#
#      h1 192.0.2.11                                   h2 192.0.2.12
#      ├─ a 10.0.0.5  ...:1:0:ff:fe00:5 (SLAAC)        └─ c 10.0.0.7  ...:1::7
#      ├─ b 10.0.0.6  ...:1::6
#      ├─ r 10.0.0.9  ...:1::9, no IP stack: sends and receives frames (tests/tools/frame.c)
#      ├─ d 10.0.0.4  ...:1::4, its device is absent
#      └─   10.0.0.8  ...:1::8 is mapped here, and no port owns it
#
. "$(dirname "$0")/lib.sh"

net=2001:db8:0:1
router=fe80::fcee:ff:fe00:1 router_mac=fe:ee:00:00:00:01
r_mac=02:00:00:00:00:09 r_ll=fe80::ff:fe00:9

# host_add NAME ADDRESS: its devices to guests have no IPv6 of their own.
host_add() {
	lab_host_add "$1" "$2"
	ip netns exec "$1" sysctl -qw net.ipv6.conf.default.disable_ipv6=1
}

# guest_add NAME HOST MAC: its link is up when guest_up says so.
guest_add() {
	ip netns add "vm-$1"
	ip -n "vm-$1" link set lo up
	ip -n "vm-$1" link add eth0 address "$3" mtu 1450 type veth peer name "t-$1" mtu 1450 netns "$2"
	ip -n "$2" link set "t-$1" up
}

# guest_up NAME ADDRESS4 [ADDRESS6]
guest_up() {
	# b's port will have a smaller MTU than its guest knows of.
	lab_in "$1" sysctl -qw net.ipv6.conf.eth0.accept_ra_mtu=0
	ip -n "vm-$1" addr add "$2/16" dev eth0
	ip -n "vm-$1" link set eth0 up
	ip -n "vm-$1" route add default via 10.0.0.1 dev eth0 onlink
	[[ -z ${3:-} ]] || ip -n "vm-$1" addr add "$3/128" dev eth0
}

# port NAME MAC ADDRESS4 PREFIX6
port() { echo "port t-$1 vpc 100 mac $2 table 1 addr $3/32 addr $4 gateway4 10.0.0.1 gateway6 $net::1 subnet6 $net::/64"; }

state() {
	cat <<-END
		host vtep4 $1
		vpc 100
		nexthop 100 1 host 192.0.2.11
		nexthop 100 2 host 192.0.2.12
		nexthop 100 10 prohibit
		nexthop 100 11 unreachable
		nexthop 100 12 blackhole
		nexthop 100 13 group
		nexthop 100 14 gateway 192.0.2.12
		nexthop 100 15 peer 200
		nexthop 100 2147483648 local
		route 100 1 10.0.0.0/16 2147483648
		route 100 1 $net::/64 2147483648
	END
	for i in 10 11 12 13 14 15; do
		echo "route 100 1 10.$i.0.0/16 $i"
		echo "route 100 1 2001:db8:$i::/48 $i"
	done
	for i in 4 6 8 9; do
		echo "route 100 0 10.0.0.$i/32 1"
		echo "route 100 0 $net::$i/128 1"
	done
	echo "route 100 0 10.0.0.5/32 1"
	echo "route 100 0 $net:0:ff:fe00:5/128 1"
	echo "route 100 0 10.0.0.7/32 2"
	echo "route 100 0 $net::7/128 2"
}

lab_up "$scenario"
lab_module_loaded || lab_module_load
host_add h1 192.0.2.11
host_add h2 192.0.2.12
guest_add a h1 02:00:00:00:00:05
guest_add b h1 02:00:00:00:00:06
guest_add r h1 "$r_mac"
guest_add c h2 02:00:00:00:00:07
# What h1 has; r has this prefix.
state_h1() {
	state 192.0.2.11
	port a 02:00:00:00:00:05 10.0.0.5 "$net:0:ff:fe00:5/128"
	port b 02:00:00:00:00:06 10.0.0.6 "$net::6/128"
	port r "$r_mac" 10.0.0.9 "$1"
	port d 02:00:00:00:00:04 10.0.0.4 "$net::4/128"
}
state_h1 "$net::9/128" | lab_kernel restore - netns h1
{
	state 192.0.2.12
	port c 02:00:00:00:00:07 10.0.0.7 "$net::7/128"
} | lab_kernel restore - netns h2
lab_in r sysctl -qw net.ipv6.conf.all.disable_ipv6=1
ip -n vm-r link set eth0 arp off up
# Unsolicited advertisements come a few times soon after the module, and seldom later.
lab_spawn unsolicited ip netns exec vm-r frame -n 1000 -t 60 eth0
guest_up a 10.0.0.5
guest_up b 10.0.0.6 "$net::6"
guest_up c 10.0.0.7 "$net::7"

# -- frames ------------------------------------------------------------------------------------------------------------

# raw FRAME...: what the router says to r about them; unsolicited advertisements may come at any time.
raw() {
	local line
	printf '%s\n' "$@" | lab_in r frame eth0 "$r_mac" | while IFS= read -r line; do
		[[ $line =~ '> ff02::1 ttl 255 '.*' advertisement' ]] || echo "$line"
	done
}

# answered PATTERN FRAME: by exactly one frame, which matches.
answered() {
	local output
	output=$(raw "$2")
	echo "$output"
	[[ $output != *$'\n'* ]] || lab_fail "not one answer to $2"
	says "$1\$" "$output" || lab_fail "not \"$1\": \"$output\" to $2"
}

# refused REASON FRAME...: none is answered, and each is counted for this reason.
refused() {
	local reason=$1 before output
	shift
	before=$(lab_drops h1 "$reason")
	output=$(raw "$@")
	same "$output" '' "answers to what must be refused"
	same "$(lab_drops h1 "$reason")" $((before + $#)) "drops counted as $reason"
}

# nd TYPE SOURCE BODY [DESTINATION [MAC [HOPS]]]: ICMPv6 straight behind the IPv6 header.
nd() { echo "${5:-33:33:ff:00:00:01} $r_mac 86dd 60000000 0000 3a${6:-ff} $2 ${4:-ff02::1:ff00:1} $1 0000 $3"; }
# ns SOURCE TARGET [OPTIONS]
ns() { nd 8700 "$1" "00000000 $2 ${3-0101 $r_mac}"; }
# na TARGET [FLAGS [OPTIONS]]
na() { nd 8800 "$net::9" "${2:-20000000} $1 ${3-0201 $r_mac}" ff02::1 33:33:00:00:00:01; }
rs() { nd 8500 "$1" "00000000 ${2-0101 $r_mac}" ff02::2 33:33:00:00:00:02; }

# udp4 DESTINATION [TTL [SOURCE [FRAGMENT]]], udp6 DESTINATION [HOPS [SOURCE]]
udp4() { echo "$router_mac $r_mac 0800 45000000 1234 ${4:-0000} ${2:-40}11 0000 ${3:-10.0.0.9} $1 04d2 162e 000c 0000 *4"; }
udp6() { echo "$router_mac $r_mac 86dd 60000000 0000 11${2:-40} ${3:-$net::9} $1 04d2 162e 000c 0000 *4"; }
# icmp4 DESTINATION MESSAGE: type, code, checksum 0 and the rest.
icmp4() { echo "$router_mac $r_mac 0800 45000000 1234 0000 4001 0000 10.0.0.9 $1 $2"; }
icmp6() { nd "${2:0:4}" "${3:-$net::9}" "${2:4}" "$1" "$router_mac" 40; }

# neighbour FLAGS ADDRESS FROM TO [MAC]: how an advertisement reads.
neighbour() { echo "^$router_mac > ${5:-$r_mac} ip6 $3 > $4 ttl 255 len 72 neighbour is $2 flags $1 target $router_mac"; }

# -- neighbour discovery -----------------------------------------------------------------------------------------------

begin "every address but its own is at the router's MAC, whoever has it"
answered "$(neighbour RSO "$net::1" "$net::1" "$net::9")" "$(ns "$net::9" "$net::1")"
answered "$(neighbour RS- "$net::6" $router "$net::9")" "$(ns "$net::9" "$net::6")"
answered "$(neighbour RS- "$net::7" $router "$net::9")" "$(ns "$net::9" "$net::7")"
answered "$(neighbour RS- "$net::77" $router "$net::9")" "$(ns "$net::9" "$net::77")"
answered "$(neighbour RSO $router $router $r_ll)" "$(ns $r_ll $router)"
# Any link-local address will do for asking, and an answer needs no option.
answered "$(neighbour RS- "$net::6" $router fe80::1:2:3)" "$(ns fe80::1:2:3 "$net::6" '')"
same "$(raw "$(ns "$net::9" "$net::9")" "$(ns $r_ll $r_ll)" "$(ns $r_ll fe80::1234)")" '' "answers for its own"

begin "a neighbour that is probed by a unicast solicitation is still there"
answered "$(neighbour RS- "$net::6" $router "$net::9")" "$(nd 8700 "$net::9" "00000000 $net::6" "$net::6" $router_mac)"
answered "$(neighbour RSO "$net::1" "$net::1" "$net::9")" "$(nd 8700 "$net::9" "00000000 $net::1" "$net::1" $router_mac)"

begin "duplicate address detection: taken addresses are answered to all nodes, free ones and its own are not"
to_all=33:33:00:00:00:01
answered "$(neighbour R-- "$net::6" $router ff02::1 $to_all)" "$(ns :: "$net::6" '')"
answered "$(neighbour R-O "$net::1" "$net::1" ff02::1 $to_all)" "$(ns :: "$net::1" '')"
answered "$(neighbour R-O $router $router ff02::1 $to_all)" "$(ns :: $router 0e01aabbccddeeff)"
same "$(raw "$(ns :: "$net::9" '')" "$(ns :: "$net::77" '')" "$(ns :: $r_ll '')")" '' "answers about free addresses"

begin "a guest's own stack keeps a free address and gives up a taken one"
wait_until "! lab_in b ip -6 addr show dev eth0 tentative | grep -q inet6"
lab_in b ip -6 addr show dev eth0 | grep -F "$net::6"
ip -n vm-b addr add "$net::7/128" dev eth0
wait_until "lab_in b ip -6 addr show dev eth0 dadfailed | grep -qF $net::7"
ip -n vm-b addr del "$net::7/128" dev eth0

begin "announcements and defences of its own addresses are taken in silence"
same "$(raw "$(na "$net::9")" "$(na $r_ll)" "$(na "$net::9" 20000000 '')")" '' "answers to advertisements"

begin "claims to others' addresses and MACs, and to be a router, are refused and counted"
refused source-addr "$(ns "$net::6" "$net::1")" "$(na "$net::6")" "$(na "$net::1")" "$(na $router)" \
	"$(ns $router "$net::1")" "$(rs "$net::6")" \
	"$(nd 8600 $r_ll "40000708 *8 0101 $r_mac" ff02::1 33:33:00:00:00:01)" \
	"$(nd 8900 $r_ll "00000000 $net::6 $net::6")"
refused source-mac "$(ns "$net::9" "$net::6" "0101 02:00:00:00:00:06")" "$(na "$net::9" 20000000 "0201 02:00:00:00:00:06")" \
	"$(rs $r_ll "0101 $router_mac")"

begin "neighbour discovery that is not as the RFC has it is refused and counted"
refused malformed \
	"$(nd 8700 "$net::9" "00000000 $net::6 0101 $r_mac" ff02::1:ff00:1 33:33:ff:00:00:01 fe)" \
	"$(ns "$net::9" "$net::6" "0100 $r_mac")" \
	"$(ns "$net::9" "$net::6" "0102 $r_mac")" \
	"$(ns "$net::9" "$net::6" "0102 $r_mac *8")" \
	"$(ns "$net::9" "$net::6" "0e01 0102")" \
	"$(ns "$net::9" "$net::6" "0e")" \
	"$(ns "$net::9" "$net::6" "0e00 *6 0101 $r_mac")" \
	"$(ns "$net::9" ff02::1)" \
	"$(ns :: "$net::6" "0101 $r_mac")" \
	"$(nd 8700 :: "00000000 $net::6" "$net::6" $router_mac)" \
	"$(nd 8701 "$net::9" "00000000 $net::6")" \
	"$(nd 8700 "$net::9" 00000000)" \
	"$(nd 8700 "$net::9" "00000000 *15")" \
	"$(na "$net::9" 60000000)" \
	"$(na "$net::9" 20000000 "0201")" \
	"$(na ff02::1)" \
	"$(rs :: "0101 $r_mac")" \
	"$(rs $r_ll "0100 *6")" \
	"33:33:ff:00:00:01 $r_mac 86dd 60000000 0000 3aff $net::9 ff02::1:ff00:1 8700 dead 00000000 $net::6" \
	"33:33:ff:00:00:01 $r_mac 86dd 60000000 0100 3aff $net::9 ff02::1:ff00:1 8700 0000 00000000 $net::6" \
	"33:33:ff:00:00:01 $r_mac 86dd 60000000 0000 3aff $net::9 ff02::1:ff00:1 870000" \
	"33:33:ff:00:00:01 $r_mac 86dd 60000000 0000 00ff $net::9 ff02::1:ff00:1 3a00 0104 0000 0000 8700 0000 00000000 $net::6" \
	"33:33:ff:00:00:01 $r_mac 86dd 60000000 0000 2cff $net::9 ff02::1:ff00:1 3a00 0001 00000001 8700 0000 00000000 $net::6"

begin "padding behind the packet is nothing of it"
answered "$(neighbour RS- "$net::6" $router "$net::9")" \
	"33:33:ff:00:00:01 $r_mac 86dd 60000000 0018 3aff $net::9 ff02::1:ff00:1 8700 0000 00000000 $net::6 *9"

# -- router advertisements ---------------------------------------------------------------------------------------------

begin "a router solicitation is answered: lifetime, MTU, prefix off-link, autonomous only where its addresses are the port's"
ra='ttl 255 len 104 advertisement hops 64 flags 00 lifetime 1800'
answered "^$router_mac > $r_mac ip6 $router > $r_ll $ra source $router_mac mtu 1450 prefix $net::/64 flags --" "$(rs $r_ll)"
rs :: '' | lab_in r frame eth0 "$r_mac" |
	grep -E "^$router_mac > $to_all ip6 $router > ff02::1 $ra source $router_mac mtu 1450 prefix $net::/64 flags --$"

begin "a guest configures itself from it: address, default router, MTU"
wait_until "lab_in a ip -6 addr show dev eth0 scope global | grep -qF $net:0:ff:fe00:5/64" 40
wait_until "lab_in a ip -6 route show default | grep -qF 'via $router'"
expect 0 'via fe80::fcee:ff:fe00:1' lab_in a ip -6 route get "$net::6"

# -- reachability ------------------------------------------------------------------------------------------------------

begin "IPv6 guests reach each other from a cold neighbour cache, here and across hosts"
for guest in b c; do wait_until "lab_in $guest ip -6 route show default | grep -qF $router" 40; done
for target in "$net::6" "$net::7"; do
	lab_in a ip -6 neigh flush dev eth0
	lab_ping a "$target"
done
lab_in a ip -6 neigh show dev eth0 | grep -F "$router lladdr $router_mac router"

begin "the gateway answers echo requests of both families, as far as they are whole"
lab_ping a 10.0.0.1
lab_ping a "$net::1"
lab_ping a "$router%eth0"
answered "^$router_mac > $r_mac ip4 10.0.0.1 > 10.0.0.9 ttl 64 len 41 echo reply bytes 13" "$(icmp4 10.0.0.1 '0800 0000 1234 0001 *13')"
answered "ip6 $net::1 > $net::9 ttl 64 len 61 echo reply bytes 13" "$(icmp6 "$net::1" '8000 00000000 *13')"
refused malformed "$(icmp4 10.0.0.1 '0800 dead 1234 0001 *13')" "$(icmp4 10.0.0.1 '0800')" \
	"$router_mac $r_mac 86dd 60000000 0000 3a40 $net::9 $net::1 8000 dead 12340001 *5"
refused proto "$(icmp4 10.0.0.1 '0d00 0000 *12')" "$(icmp4 10.0.0.1 '0000 0000 *12')" "$(icmp6 "$net::1" '8100 00000000 *13')" \
	"$router_mac $r_mac 0800 45000000 1234 2000 4001 0000 10.0.0.9 10.0.0.1 0800 0000 *12"

# -- errors ------------------------------------------------------------------------------------------------------------

begin "each reason has its ICMP error, from the port's gateway and about the packet"
while read -r destination type code ttl; do
	answered "^$router_mac > $r_mac ip4 10.0.0.1 > 10.0.0.9 ttl 64 len 60 type $type code $code about 10.0.0.9 > $destination" \
		"$(udp4 "$destination" "$ttl")"
done <<- END
	10.200.0.1  3 0
	10.10.0.1   3 13
	10.11.0.1   3 1
	10.13.0.1   3 0
	10.15.0.1   3 0
	10.0.0.8    3 1
	10.0.0.4    3 1
	10.14.0.1   11 0 01
END

begin "the same in ICMPv6"
while read -r destination type code hops; do
	answered "^$router_mac > $r_mac ip6 $net::1 > $net::9 ttl 64 len 100 type $type code $code about $net::9 > $destination" \
		"$(udp6 "$destination" "$hops")"
done <<- END
	2001:db8:200::1  1 0
	2001:db8:10::1   1 1
	2001:db8:11::1   1 3
	2001:db8:13::1   1 0
	2001:db8:15::1   1 0
	$net::8          1 3
	$net::4          1 3
	2001:db8:14::1   3 0 01
END

begin "long packets are quoted as far as the RFCs want"
answered "ip4 10.0.0.1 > 10.0.0.9 ttl 64 len 576 type 3 code 0 about .*" "$(udp4 10.200.0.1) *1300"
answered "ip6 $net::1 > $net::9 ttl 64 len 1280 type 1 code 0 about .*" "$(udp6 2001:db8:200::1) *1300"

begin "no error about blackholes, errors, later fragments, multicast and foreign sources"
about4="45000000 1234 0000 4011 0000 10.0.0.9 10.200.0.1 *8"
same "$(raw "$(udp4 10.12.0.1)" "$(udp4 10.200.0.1 40 10.0.0.9 0001)" "$(udp4 10.200.0.1 40 10.0.0.6)" \
	"$(udp4 224.0.0.5)" "$(udp4 255.255.255.255)" "$(udp4 10.200.0.1 40 0.0.0.0)" \
	"$(icmp4 10.200.0.1 "0300 0000 00000000 $about4")" "$(icmp4 10.200.0.1 "0b00 0000 00000000 $about4")" \
	"$(icmp4 10.200.0.1 "0500 0000 00000000 $about4")" "$(icmp4 10.200.0.1 "2a00 0000 00000000")" \
	"$(udp6 2001:db8:12::1)" "$(udp6 2001:db8:200::1 40 "$net::6")" "$(udp6 ff0e::1)" "$(udp6 2001:db8:200::1 40 ::)" \
	"$(icmp6 2001:db8:200::1 '0100 00000000 *48')" "$(icmp6 2001:db8:200::1 '0200 00000000 *48')" \
	"$router_mac $r_mac 86dd 60000000 0000 2c40 $net::9 2001:db8:200::1 1100 0008 00000001 *16")" '' "errors"
# Echo is a question, and a first fragment is answered for all.
answered 'type 3 code 0 about .*' "$(icmp4 10.200.0.1 '0800 0000 12340001')"
answered 'type 3 code 0 about .*' "$(udp4 10.200.0.1 40 10.0.0.9 2000)"
answered 'type 1 code 0 about .*' "$(icmp6 2001:db8:200::1 '8000 00000000')"

begin "errors have a rate: a burst of 50 and 1000 a second, each family by itself"
start=${EPOCHREALTIME/./}
udp4 10.200.0.1 | lab_in r frame -t 60 -r 5000 eth0 "$r_mac" > "$lab_dir/errors"
took_ms=$(((${EPOCHREALTIME/./} - start) / 1000))
errors=$(wc -l < "$lab_dir/errors")
echo "$errors errors about 5000 packets in $took_ms ms"
((errors >= 50 && errors <= 51 + took_ms && errors < 5000))
answered 'type 1 code 0 about .*' "$(udp6 2001:db8:200::1)"

begin "a sender on another host is told too, through the tunnel"
expect 1 'From 10.0.0.1 icmp_seq=1 Destination Host Unreachable' lab_in c ping -n -c 1 -W 5 10.0.0.4
expect 1 "From $net::1 icmp_seq=1 Destination unreachable: Address unreachable" lab_in c ping -n -c 1 -W 5 "$net::4"

# -- too long ----------------------------------------------------------------------------------------------------------

begin "with Don't Fragment and in IPv6 the sender is told the MTU, wherever it is"
ip -n h1 link set t-b mtu 1400
# What b sends is no longer than that, but it asks TCP's other end for more.
ip -n vm-b route replace 10.0.0.0/16 dev eth0 mtu 1400 advmss 1410
ip -n vm-b route add "$net::/64" via $router dev eth0 mtu 1400 advmss 1390
for guest in a c; do
	expect 1 'From 10.0.0.1 icmp_seq=1 Frag needed and DF set \(mtu = 1400\)' \
		lab_in $guest ping -n -c 1 -W 5 -M 'do' -s 1400 10.0.0.6
	expect 1 "From $net::1 icmp_seq=1 Packet too big: mtu=1400" \
		lab_in $guest ping -n -c 1 -W 5 -M 'do' -s 1390 "$net::6"
	lab_in $guest ping -n -c 2 -i 0.2 -W 5 -s 1390 "$net::6"
done

begin "without it IPv4 is fragmented, and what comes in fragments is fragmented again"
for guest in a c; do
	lab_in $guest ip route flush cache
	lab_in $guest ping -n -c 2 -i 0.2 -W 5 -M dont -s 1400 10.0.0.6
	lab_in $guest ip route flush cache
	lab_in $guest ping -n -c 2 -i 0.2 -W 5 -M dont -s 8000 10.0.0.6
done

# transfer FROM ADDRESS: 2 MB to b arrive as they were sent.
head -c 2000000 /dev/urandom > "$lab_dir/sent"
transfer() { stream "$lab_dir/sent" "vm-$1" vm-b "$2" 5000; }

begin "TCP with offloads finds the MTU of its way, in both families"
lab_in a ethtool -k eth0 | grep -E '^tcp-segmentation-offload: on'
for guest in a c; do
	lab_in $guest ip route flush cache
	lab_in $guest ip -6 route flush cache
	transfer $guest 10.0.0.6
	transfer $guest "$net::6"
done

begin "TCP without Don't Fragment is segmented and fragmented"
for guest in a c; do
	lab_in $guest sysctl -qw net.ipv4.ip_no_pmtu_disc=1
	lab_in $guest ip route flush cache
	transfer $guest 10.0.0.6
	lab_in $guest sysctl -qw net.ipv4.ip_no_pmtu_disc=0
done
ip -n h1 link set t-b mtu 1450

begin "a narrow underlay is a narrow way: the same, before the tunnel"
ip -n h1 link set eth-u mtu 1400
ip -n h2 link set eth-u mtu 1400
expect 1 'From 10.0.0.1 icmp_seq=1 Frag needed and DF set \(mtu = 1350\)' lab_in a ping -n -c 1 -W 5 -M 'do' -s 1400 10.0.0.7
expect 1 "From $net::1 icmp_seq=1 Packet too big: mtu=1350" lab_in a ping -n -c 1 -W 5 -M 'do' -s 1390 "$net::7"
lab_in a ip route flush cache
lab_in a ping -n -c 2 -i 0.2 -W 5 -M dont -s 4000 10.0.0.7
lab_in a ping -n -c 2 -i 0.2 -W 5 -s 1390 "$net::7"

begin "a port that has its whole subnet configures itself in it, and minds the addresses of others"
state_h1 "$net::/64" | lab_kernel restore - netns h1
answered "$ra source $router_mac mtu 1450 prefix $net::/64 flags -A" "$(rs $r_ll)"
answered "$(neighbour RSO "$net::1" "$net::1" "$net::9")" "$(ns "$net::9" "$net::1")"
answered "$(neighbour R-- "$net::6" $router ff02::1 $to_all)" "$(ns :: "$net::6" '')"
same "$(raw "$(ns :: "$net::77" '')" "$(ns "$net::9" "$net::77")")" '' "answers about its own"

begin "unsolicited advertisements have come to every port"
wait_until "grep -qE '> $to_all ip6 $router > ff02::1 ttl 255 .* lifetime 1800 source $router_mac mtu 1450' $lab_dir/unsolicited.log" 30
lab_stop unsolicited || true
