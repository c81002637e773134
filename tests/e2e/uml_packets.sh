#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What the data plane does with packets that are rare: forged ICMP about the underlay, IPv6 extension headers, prefixes
# that move, packets that are sent on by a narrow way; and what tracers see of all that. uml_debug.sh runs it; tracing
# wants the debug kernel:
#
#     scripts/uml.sh --debug -- tests/e2e/uml_packets.sh
#
#      h1 192.0.2.11                    h2 192.0.2.12                h3 192.0.2.13        w 192.0.2.99
#         2001:db8:1::11                   2001:db8:1::12               2001:db8:1::13       on the underlay, no VTEP
#      ├─ a 10.0.0.5 ..a::5             ├─ b  10.0.0.6 ..a::6        └─ m3 as m2, ready
#      └─ r 10.0.0.9 ..a::9, frames     └─ m2 10.0.0.7 ..a::7, 10.0.7.0/24 ..a:7::/80
#
. "$(dirname "$0")/lib.sh"

net6=2001:db8:a:
router_mac=fe:ee:00:00:00:01 r_mac=02:00:00:00:00:09
tracing=/sys/kernel/debug/tracing

# Underlay and place of the addresses that move; one more route.
family=4 home=12 more=''

vtep() { if [[ $family = 4 ]]; then echo "192.0.2.$1"; else echo "2001:db8:1::$1"; fi; }

# port NAME NUMBER [PREFIX...]
port() {
	local prefix line
	line="port t-$1 vpc 100 mac 02:00:00:00:00:0$2 table 1 addr 10.0.0.$2/32 addr $net6:$2/128"
	for prefix in "${@:3}"; do line+=" addr $prefix"; done
	echo "$line gateway4 10.0.0.1 gateway6 $net6:1"
}

content() {
	local number
	echo 'vpc 100'
	for number in 11 12 13; do echo "nexthop 100 $number host $(vtep $number)"; done
	cat <<-END
		nexthop 100 1 local
		nexthop 100 20 blackhole
		nexthop 100 21 prohibit
		nexthop 100 22 unreachable
		route 100 0 10.0.0.5/32 11
		route 100 0 10.0.0.9/32 11
		route 100 0 10.0.0.6/32 12
		route 100 0 10.0.0.7/32 $home
		route 100 0 10.0.7.0/24 $home
		route 100 0 ${net6}:5/128 11
		route 100 0 ${net6}:9/128 11
		route 100 0 ${net6}:6/128 12
		route 100 0 ${net6}:7/128 $home
		route 100 0 ${net6}7::/80 $home
		route 100 1 10.0.0.0/16 1
		route 100 1 ${net6}:/48 1
		route 100 1 10.20.0.0/16 20
		route 100 1 10.21.0.0/16 21
		route 100 1 10.22.0.0/16 22
	END
	[[ -z $more ]] || echo "$more"
}

# commit HOST...
commit() {
	local host
	for host; do
		{
			echo "host vtep4 192.0.2.1${host#h} vtep6 2001:db8:1::1${host#h}"
			content
			case $host in
			h1) port a 5; port r 9 ;;
			h2) port b 6; port m2 7 10.0.7.0/24 "${net6}7::/80" ;;
			h3) port m3 7 10.0.7.0/24 "${net6}7::/80" ;;
			esac
		} > "$lab_dir/$host.state"
		lab_kernel restore "$lab_dir/$host.state" netns "$host"
	done
}

# host NUMBER
host() {
	lab_host_add "h$1" "192.0.2.1$1"
	ip netns exec "h$1" sysctl -qw net.ipv6.conf.eth-u.disable_ipv6=0
	ip -n "h$1" addr add "2001:db8:1::1$1/64" dev eth-u nodad
}

# guest NAME HOST NUMBER
guest() {
	lab_guest_add "$1" "$2" "t-$1" "10.0.0.$3/16" 10.0.0.1 "02:00:00:00:00:0$3"
	lab_guest_add6 "$1" "$net6:$3/64" "$net6:1"
}

explain() { lab_kernel explain "${@:2}" netns "$1"; }

# dropped N HOST REASON COMMAND...: the command makes the host drop that many.
dropped() {
	local n=$1 host=$2 reason=$3 before
	shift 3
	before=$(lab_drops "$host" "$reason")
	"$@"
	same "$(lab_drops "$host" "$reason")" $((before + n)) "drops on $host for $reason"
}

# echo6 CHAIN_HEX FIRST: an echo request of r to b with right checksum behind these headers, as a frame.
echo6() {
	local sum
	sum=$(perl -MSocket=inet_pton,AF_INET6 -e '
		my $icmp = pack("H*", "8000000012340001deadbeef");
		my $all = inet_pton(AF_INET6, $ARGV[0]) . inet_pton(AF_INET6, $ARGV[1]) . pack("NN", length $icmp, 58) . $icmp;
		my $sum = unpack("%32n*", $all);
		$sum = ($sum & 0xffff) + ($sum >> 16) while $sum >> 16;
		printf "%04x", ~$sum & 0xffff' "$net6:9" "$net6:6")
	echo "$router_mac $r_mac 86dd 60000000 0000 ${2}40 $net6:9 $net6:6 $1 8000 $sum 12340001 deadbeef"
}

# frames ARG... < FRAMES: sent by r.
frames() { lab_in r frame "$@"; }

# reaches_b FILTER FRAME: b's device is given it as it was sent.
reaches_b() {
	rm -f "$lab_dir/capture".*
	lab_spawn capture ip netns exec vm-b tcpdump -nlx -c 1 -i eth0 "$1"
	wait_until "grep -q 'listening on' $lab_dir/capture.log"
	frames eth0 <<< "$2"
	wait_until "! lab_alive capture" 10
}

# wire SOURCE DESTINATION HEX: from h1's namespace or another's: a VXLAN packet of VPC 100 with this inner frame.
# shellcheck disable=SC2016  # Perl
wire() {
	local netns=h1
	[[ $1 != 192.0.2.99 ]] || netns=w
	ip netns exec $netns perl -MIO::Socket::IP -e '
		my $s = IO::Socket::IP->new(LocalAddr => $ARGV[0], PeerAddr => $ARGV[1], PeerPort => 4789, Proto => "udp") or die $@;
		$s->send(pack("NN", 0x08000000, 100 << 8) . pack("H*", $ARGV[2] =~ s/ //gr))' "$1" "$2" "$3"
}

lab_up ''
lab_module_loaded || lab_module_load
for i in 1 2 3; do host $i; done
lab_host_add w 192.0.2.99
guest a h1 5
guest b h2 6
guest m2 h2 7
guest m3 h3 7
for name in m2 m3; do ip -n vm-$name addr add 10.0.7.7/32 dev eth0; done
ip netns add vm-r
ip -n vm-r link add eth0 address $r_mac mtu 1450 type veth peer name t-r mtu 1450 netns h1
ip -n vm-r link set eth0 up
ip -n h1 link set t-r up
commit h1 h2 h3

begin "both families reach each other"
lab_ping a 10.0.0.6
lab_ping a "$net6:6"

# -- ICMP about the underlay -------------------------------------------------------------------------------------------

# About a packet of h1's to h2 on a narrow way: needed4 SOURCE SOURCE_PORT DESTINATION_PORT VXLAN_FLAGS, and needed6
to_h1="02:55:c0:00:02:0b 02:55:c0:00:02:63"
needed4() {
	echo "$to_h1 0800 45000000 1234 0000 4001 0000 192.0.2.99 192.0.2.11 0304 0000 0000 04b0" \
		"45000400 0001 4000 4011 0000 $1 192.0.2.12 $2 $3 03ec 0000 ${4}000000 00006400"
}
needed6() {
	echo "$to_h1 86dd 60000000 0000 3a40 2001:db8:1::99 2001:db8:1::11 0200 0000 00000564" \
		"60000000 0400 1140 $1 2001:db8:1::12 $2 $3 03ec 0000 ${4}000000 00006400"
}
# heard NAME COMMAND: sends what COMMAND says, and waits until h1 has counted it.
heard() {
	local before
	before=$(ip netns exec h1 nstat -asz "$1" | awk -v n="$1" '$1 == n { print $2 }')
	"${@:2}" | ip netns exec w frame eth-u
	wait_until "(( \$(ip netns exec h1 nstat -asz $1 | awk '\$1 == \"$1\" { print \$2 }') > $before ))" 10
}
way() { expect 0 "mtu +[a-z]+.* $1" explain h1 from t-a to 10.0.0.6 len 100; }

begin "ICMP about what is not from here changes nothing"
for source in 192.0.2.13 192.0.2.99; do
	heard IcmpInDestUnreachs needed4 $source c000 12b5 08
	way 1450
done

begin "ICMP about a packet of this host's VTEP is heeded"
heard IcmpInDestUnreachs needed4 192.0.2.11 c000 12b5 08
way 1150
ip -n h1 route flush cache
way 1450

# Over IPv4 the kernel itself believes what it is told of any UDP packet from here (udp_err()); over IPv6 we are asked.
begin "over IPv6: nor about what we have not sent: other ports, or no VXLAN"
family=6
commit h1 h2
lab_ping a 10.0.0.6
while read -r source sport dport flags; do
	heard Icmp6InPktTooBigs needed6 "$source" "$sport" "$dport" "$flags"
	way 1430
done <<- END
	2001:db8:1::13 c000 12b5 08
	2001:db8:1::99 c000 12b5 08
	2001:db8:1::11 c000 12b6 08
	2001:db8:1::11 0400 12b5 08
	2001:db8:1::11 ffff 12b5 08
	2001:db8:1::11 c000 12b5 00
END
heard Icmp6InPktTooBigs needed6 2001:db8:1::11 c000 12b5 08
way 1310
ip -n h1 -6 route flush cache
way 1430
family=4
commit h1 h2

# -- IPv6 extension headers --------------------------------------------------------------------------------------------

begin "a ping behind hop-by-hop and destination options and a fragment header of its own comes back"
output=$(echo6 '3c00 0104 00000000 2c00 0104 00000000 3a00 0000 00000007' 00 | frames -n 1 eth0)
grep -E "ip6 $net6:6 > $net6:9 .*echo reply bytes 4" <<< "$output"

begin "segment routing's and authentication's headers are carried as they are"
reaches_b 'ip6[6] = 43 and ip6[42] = 4' "$(echo6 '3a00 0400 00000000' 2b)"
reaches_b 'ip6[6] = 51' "$(echo6 '3a04 0000 00000001 00000001 000102030405060708090a0b' 33)"
lab_in a ping -n -c 2 -i 0.2 -W 5 -s 3000 "$net6:6"

begin "source routing, options out of place and chains that end nowhere are refused, from a port and from the wire"
chains=('3a02 0001 00000000 *16' '3c00 0104 00000000 0000 0104 00000000 3a00 0104 00000000' '3aff 0104 00000000')
firsts=(2b 3c 3c)
for i in 0 1 2; do
	dropped 1 h1 malformed frames eth0 $r_mac <<< "$(echo6 "${chains[i]}" "${firsts[i]}")"
done
# Of r to b: an echo request of 8 bytes behind 8 of these.
inner6() {
	echo "020000000006 feee00000001 86dd 60000000 0010 ${1}40" \
		"20010db8000a0000 0000000000000009 20010db8000a0000 0000000000000006 $2 8000 0000 1234 0001"
}
dropped 1 h2 malformed wire 192.0.2.11 192.0.2.12 "$(inner6 2b '3a00 0001 00000000')"
dropped 1 h2 malformed wire 192.0.2.11 192.0.2.12 "$(inner6 3c '0000 0104 00000000')"
dropped 1 h2 malformed wire 192.0.2.11 192.0.2.12 "$(inner6 00 '3aff 0104 00000000')"
# Seen there when it is as it should be.
dropped 0 h2 malformed wire 192.0.2.11 192.0.2.12 "$(inner6 00 '3a00 0104 00000000')"
dropped 1 h2 outer-source wire 192.0.2.99 192.0.2.12 "$(inner6 00 '3a00 0104 00000000')"

# -- what moves --------------------------------------------------------------------------------------------------------

# echoes GUEST: echo requests that it has been given, of both families.
# shellcheck disable=SC2016
echoes() {
	lab_in "$1" awk 'FILENAME ~ /snmp$/ && $1 == "Icmp:" && $2 ~ /^[0-9]/ { n += $10 } $1 == "Icmp6InEchos" { n += $2 }
		END { print n + 0 }' /proc/net/snmp /proc/net/snmp6
}

# sent_on ADDRESS...: h1 sends them to h2, and m3 on h3 answers.
sent_on() {
	local address before
	for address; do
		before=$(echoes m3)
		lab_ping a "$address"
		same "$(echoes m3)" $((before + 2)) "echo requests for $address that have come to m3"
	done
}

for family in 4 6; do
	begin "addresses and prefixes that move, over IPv$family: the old host sends on what still comes to it"
	home=12
	commit h3 h2 h1
	before=$(echoes m2)
	for address in 10.0.0.7 10.0.7.7 "$net6:7"; do lab_ping a "$address"; done
	same "$(echoes m2)" $((before + 6)) "echo requests before the move"
	home=13
	commit h2
	sent_on 10.0.0.7 10.0.7.7 "$net6:7"
	expect 0 "encap +ok.* $(vtep 13)( |\$)" explain h2 vni 100 vtep "$(vtep 11)" src 10.0.0.5 to 10.0.7.200
	expect 0 "encap +ok.* $(vtep 13)( |\$)" explain h2 vni 100 vtep "$(vtep 11)" src "$net6:5" to "${net6}7::9"
	# And not back to where it came from.
	expect 0 'verdict +drop loop' explain h2 vni 100 vtep "$(vtep 13)" src 10.0.0.6 to 10.0.7.200
done

begin "one address of a prefix is mapped elsewhere: guests go there, and the prefix stays the port's"
family=4 home=12 more='route 100 0 10.0.7.8/32 13'
commit h3 h2 h1
expect 0 'encap +ok.* 192.0.2.13( |$)' explain h1 from t-a to 10.0.7.8
expect 0 'encap +ok.* 192.0.2.13( |$)' explain h2 from t-b to 10.0.7.8
expect 0 'port +ok t-m2' explain h2 vni 100 vtep 192.0.2.11 src 10.0.0.5 to 10.0.7.8
more=''

begin "what is sent on by a narrower way is fragmented, or dropped and counted, and nobody is told"
home=12
commit h3 h2 h1
home=13
commit h2
ip -n h2 route add 192.0.2.13/32 dev eth-u mtu 1400
before=$(echoes m3)
lab_in a ping -n -c 2 -i 0.2 -W 5 -M dont -s 1400 10.0.7.7
same "$(echoes m3)" $((before + 2)) "echo requests that have come to m3"
silent() {
	local output
	output=$(lab_in a ping -n -c 1 -W 1 "$@" 2>&1) && lab_fail "it went through: $output"
	[[ $output != *[Ff]rom* ]] || lab_fail "somebody was told: $output"
}
dropped 1 h2 too-big silent -M 'do' -s 1400 10.0.7.7
dropped 1 h2 too-big silent -s 1390 "$net6:7"
expect 0 'verdict +drop too-big' explain h2 vni 100 vtep 192.0.2.11 src 10.0.0.5 to 10.0.7.7 len 1351
ip -n h2 route del 192.0.2.13/32
home=12
commit h3 h2 h1

# -- tracers -----------------------------------------------------------------------------------------------------------

[[ -d $tracing/events ]] || lab_fail "this kernel has no tracing: run this in \"scripts/uml.sh --debug\""

# traced COMMAND...: what both tracepoints say meanwhile, in $lab_dir/trace; but for the multicast (reason 4) that guests'
# own stacks send now and then.
traced() {
	: > $tracing/trace
	echo 1 > $tracing/events/vpc/enable
	"$@"
	echo 0 > $tracing/events/vpc/enable
	grep -E ' vpc_(forward|drop): ' $tracing/trace | grep -v 'vpc_drop: .* reason=4$' > "$lab_dir/trace" || true
}
# seen N PATTERN
seen() { same "$(grep -cE -- "$2" "$lab_dir/trace" || true)" "$1" "events like /$2/"; }

begin "each packet that is forwarded is one event, with its way and length"
lab_ping a 10.0.0.6
traced lab_in a ping -n -c 3 -i 0.1 -s 100 10.0.0.6
cat "$lab_dir/trace"
seen 3 'vpc_forward: .* vni=100 in=t-a out=wire out_vni=100 vtep=::ffff:192.0.2.12 len=128 verdict=2$'
seen 3 'vpc_forward: .* vni=100 in=wire out=t-b out_vni=100 vtep=:: len=128 verdict=1$'
seen 3 'vpc_forward: .* vni=100 in=t-b out=wire out_vni=100 vtep=::ffff:192.0.2.11 len=128 verdict=2$'
seen 3 'vpc_forward: .* vni=100 in=wire out=t-a out_vni=100 vtep=:: len=128 verdict=1$'
seen 0 'vpc_drop: '
family=6
commit h1 h2
traced lab_in a ping -n -c 2 -i 0.1 -s 200 "$net6:6"
seen 2 'vpc_forward: .* in=t-a out=wire out_vni=100 vtep=2001:db8:1::12 len=248 verdict=2$'
family=4
commit h1 h2

# Reasons in the order of their numbers, as vpcctl calls them.
mapfile -t reasons < <(sed -n '/^enum vpc_drop {/,/^}/s/^\tVPC_DROP_\([A-Z_]*\),.*/\1/p' proto/vpc_genl.h | tr 'A-Z_' 'a-z-')
# All counters of all hosts, but for that one, summed: "REASON N" a line.
counted() {
	local host
	for host in h1 h2 h3; do vpcctl -j kernel stats show netns "$host"; done |
		jq -rs '[.[][].drops // {} | del(.multicast) | to_entries[]] | group_by(.key)[] | "\(.[0].key) \(map(.value) | add)"'
}
mishaps() {
	local i
	for i in 20 21 22 99; do lab_in a ping -n -c 3 -i 0.1 -W 1 "10.$i.0.1" > /dev/null || true; done
	for i in 0 1 2; do frames eth0 $r_mac <<< "$(echo6 "${chains[i]}" "${firsts[i]}")"; done
	frames -r 7 eth0 $r_mac <<< "$router_mac 02:00:00:00:00:08 0800 45000000 1234 0000 4011 0000 10.0.0.9 10.0.0.6 *8"
	frames -r 5 eth0 $r_mac <<< "$router_mac $r_mac 0800 45000000 1234 0000 4011 0000 10.0.0.8 10.0.0.6 *8"
	frames eth0 $r_mac <<< "$router_mac $r_mac 88cc *40"
	lab_in a ping -n -c 2 -i 0.1 -W 1 -t 1 10.0.0.6 > /dev/null
	for i in 1 2; do wire 192.0.2.99 192.0.2.12 "$(inner6 00 '3a00 0104 00000000')"; done
	wire 192.0.2.11 192.0.2.12 "$(inner6 2b '3a00 0001 00000000')"
	lab_in a ping -n -c 2 -i 0.2 -W 1 -M 'do' -s 1422 10.0.7.7 > /dev/null || true
}

begin "each drop is one event, and its reason is the counter's"
ip -n h1 route add 192.0.2.12/32 dev eth-u mtu 1400
counted > "$lab_dir/before"
traced mishaps
counted > "$lab_dir/after"
ip -n h1 route del 192.0.2.12/32
sed -n 's/.* vpc_drop: .* reason=\([0-9]*\)$/\1/p' "$lab_dir/trace" | sort -n | uniq -c |
	while read -r n number; do echo "${reasons[number]} $n"; done | sort > "$lab_dir/events"
awk 'FILENAME == ARGV[1] { n[$1] = $2; next } $2 > n[$1] { print $1, $2 - n[$1] }' "$lab_dir/before" "$lab_dir/after" | sort > "$lab_dir/grown"
cat "$lab_dir/events"
same "$(cat "$lab_dir/grown")" "$(cat "$lab_dir/events")" "counters"
(($(wc -l < "$lab_dir/events") >= 9)) || lab_fail "too few reasons for a test"
seen 3 'vpc_drop: .* in=t-a protocol=0x0800 len=84 reason=9$'
seen 7 'vpc_drop: .* in=t-r protocol=0x0800 len=28 reason=2$'
seen 1 'vpc_drop: .* in=t-r protocol=0x88cc len=40 reason=5$'
