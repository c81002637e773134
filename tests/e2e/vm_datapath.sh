#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The data plane by itself: kernels are told what to do with `vpcctl kernel restore`, no database, publisher or agent.
#
#      h1 192.0.2.11                 h2 192.0.2.12                    h3 192.0.2.13
#      ├─ a  red   10.0.0.5          ├─ b  red   10.0.0.6             ├─ m3 red  10.0.0.9, ready for m2's move
#      ├─ d  blue  10.1.0.8          ├─ c  blue  10.1.0.7             ├─ x  red  says that it is 10.0.0.5
#      └─ g1 red   172.16.0.1        ├─ g2 red   172.16.0.1           └─ g3 red  172.16.0.1
#                                    └─ m2 red   10.0.0.9
#
# red is VNI 100, 10.0.0.0/16 and 2001:db8:a::/64; blue is VNI 200, 10.1.0.0/16 and 2001:db8:b::/64; the last number of
# an IPv6 address is that of the IPv4 one. g1 to g3 are appliances, members of one group, and each says its name.
#
. "$(dirname "$0")/lib.sh"

red6=2001:db8:a:: blue6=2001:db8:b::

# guest NAME HOST ADDRESS: a guest of both families; the subnet's gateway is number 1.
guest() {
	local name=$1 host=$2 address=$3 a b c d prefix6=$red6
	IFS=. read -r a b c d <<< "$address"
	[[ $b != 1 ]] || prefix6=$blue6
	lab_guest_add "$name" "$host" "t-$name" "$address/16" "$a.$b.0.1" "$(mac "$name")"
	lab_guest_add6 "$name" "$prefix6$d/64" "${prefix6}1"
}

mac() { printf '02:00:00:%s' "$(name_bytes "$1")"; }

# port NAME VNI ADDRESS...: its line. The subnet follows from the VNI.
port() {
	local name=$1 vni=$2 address line subnet=0 prefix6=$red6
	[[ $vni != 200 ]] || { subnet=1 prefix6=$blue6; }
	line="port t-$name vpc $vni mac $(mac "$name") table 1 gateway4 10.$subnet.0.1 gateway6 ${prefix6}1 subnet6 $prefix6/64"
	for address in "${@:3}"; do line+=" addr $address"; done
	echo "$line"
}

# What all hosts have alike; the scenario changes these. Keys are said once, so that a later line can replace one.
declare -A members=()
home=12 strict='' blue_strict='' peer_red=1 peer_blue=1

# content: the VPCs, as text for restore.
content() {
	local key vtep
	echo "vpc 100 $strict"
	echo "vpc 200 $blue_strict"
	for vtep in 11 12 13; do
		printf 'nexthop 100 %d host 192.0.2.%d\nnexthop 200 %d host 192.0.2.%d\n' "$vtep" "$vtep" "$vtep" "$vtep"
		printf 'nexthop 100 %d gateway 192.0.2.%d\n' $((vtep + 10)) "$vtep"
	done
	for key in 100 200; do
		# shellcheck disable=SC2059
		printf "nexthop $key %d %s\n" 1 local 2 blackhole 3 prohibit 4 unreachable
	done
	printf 'nexthop 100 30 group\n'
	[[ -z $peer_red ]] || printf 'nexthop 100 40 peer 200 table 0\nroute 100 1 10.1.0.0/16 40\nroute 100 1 %s/64 40\n' "$blue6"
	[[ -z $peer_blue ]] || printf 'nexthop 200 40 peer 100 table 0\nroute 200 1 10.0.0.0/16 40\nroute 200 1 %s/64 40\n' "$red6"
	printf 'route 100 1 10.0.0.0/16 1\nroute 100 1 %s/64 1\nroute 200 1 10.1.0.0/16 1\nroute 200 1 %s/64 1\n' "$red6" "$blue6"
	mapping 100 10.0.0.5 11
	mapping 100 10.0.0.6 12
	mapping 100 10.0.0.9 "$home"
	mapping 200 10.1.0.7 12
	mapping 200 10.1.0.8 11
	printf 'route 100 1 172.16.0.0/16 30\nroute 100 1 2001:db8:16::/64 30\n'
	printf 'route 100 1 10.66.0.0/16 2\nroute 100 1 10.67.0.0/16 3\nroute 100 1 10.68.0.0/16 4\n'
	printf 'route 100 1 2001:db8:66::/64 2\nroute 100 1 2001:db8:67::/64 3\nroute 100 1 2001:db8:68::/64 4\n'
	printf 'route 100 1 10.70.0.0/16 22\nroute 100 1 2001:db8:70::/64 22\n'
	for key in "${!members[@]}"; do echo "member 100 30 $key weight ${members[$key]}"; done
}

mapping() {
	local prefix6=$red6
	[[ $1 != 200 ]] || prefix6=$blue6
	printf 'route %d 0 %s/32 %d\nroute %d 0 %s%d/128 %d\n' "$1" "$2" "$3" "$1" "$prefix6" "${2##*.}" "$3"
}

appliance() { echo "$(port "$1" 100 172.16.0.1/32 2001:db8:16::1/128) no-source-check"; }

# commit HOST...: these hosts hear of what content says now.
commit() {
	local host
	for host; do
		{
			echo "host vtep4 192.0.2.1${host#h}"
			content
			case $host in
			h1) port a 100 10.0.0.5/32 ${red6}5/128; port d 200 10.1.0.8/32 ${blue6}8/128; appliance g1 ;;
			h2)
				port b 100 10.0.0.6/32 ${red6}6/128
				port c 200 10.1.0.7/32 ${blue6}7/128
				port m2 100 10.0.0.9/32 ${red6}9/128
				appliance g2 ;;
			h3)
				port m3 100 10.0.0.9/32 ${red6}9/128
				port x 100 10.0.0.5/32 ${red6}5/128
				appliance g3 ;;
			esac
		} > "$lab_dir/$host.state"
		lab_kernel restore "$lab_dir/$host.state" netns "$host"
	done
}

explain() { lab_kernel explain "${@:2}" netns "$1"; }

# dropped HOST REASON COMMAND...: the command makes the host drop for that reason.
dropped() {
	local host=$1 reason=$2 before
	shift 2
	before=$(lab_drops "$host" "$reason")
	"$@"
	(($(lab_drops "$host" "$reason") > before)) || lab_fail "$host dropped nothing for $reason"
}

lab_up ''
lab_module_loaded || lab_module_load
for i in 1 2 3; do lab_host_add "h$i" "192.0.2.1$i"; done
guest a h1 10.0.0.5
guest b h2 10.0.0.6
guest c h2 10.1.0.7
guest d h1 10.1.0.8
guest m2 h2 10.0.0.9
guest m3 h3 10.0.0.9
guest x h3 10.0.0.5
for i in 1 2 3; do
	lab_guest_add "g$i" "h$i" "t-g$i" 172.16.0.1/32 10.0.0.1 "$(mac "g$i")"
	lab_guest_add6 "g$i" 2001:db8:16::1/128 ${red6}1
done
members=([21]=1 [22]=1 [23]=1)
peer_red='' peer_blue=''
commit h1 h2 h3

begin "IPv6: guests on one host and on two reach each other"
lab_ping a ${red6}6
lab_ping b ${red6}5
lab_ping d ${blue6}7

begin "IPv6: every byte of a TCP stream arrives as it was sent"
head -c 2000000 /dev/urandom > "$lab_dir/sent"
lab_spawn sink ip netns exec vm-b socat -u TCP6-LISTEN:5000 "CREATE:$lab_dir/received"
wait_until "lab_in b ss -ltn | grep -q :5000"
lab_in a socat -u "FILE:$lab_dir/sent" "TCP6:[${red6}6]:5000"
wait_until "cmp $lab_dir/sent $lab_dir/received"

begin "explain: IPv6 goes the way that the packets go"
expect 0 'verdict +encap' explain h1 from t-a to ${red6}6
expect 0 'port +ok t-b' explain h2 vni 100 vtep 192.0.2.11 src ${red6}5 to ${red6}6

begin "explain: how long a packet may be, to a VTEP and to a port here"
expect 0 'mtu +ok.* 1450' explain h1 from t-a to 10.0.0.6 len 1450
expect 0 'verdict +drop too-big' explain h1 from t-a to 10.0.0.6 len 1451
expect 0 'verdict +drop too-big' explain h2 vni 100 vtep 192.0.2.11 src ${red6}5 to ${red6}6 len 1451
expect 1 '[Mm]essage too long|[Ll]ocal error|Frag needed' lab_in a ping -n -c 1 -M 'do' -s 1423 -W 2 10.0.0.6

begin "the gateway answers ping, in both families"
lab_ping a 10.0.0.1
lab_ping a ${red6}1

begin "an outer source that is no VTEP of the VPC is refused"
expect 0 'verdict +drop outer-source' explain h2 vni 100 vtep 192.0.2.99 src 10.0.0.5 to 10.0.0.6

# -- how packets end ---------------------------------------------------------------------------------------------------

# told GUEST ADDRESS PATTERN REASON: ping hears PATTERN from the gateway, h1 counts REASON and explain says it.
told() {
	local gateway=10.0.0.1
	[[ $2 != *:* ]] || gateway=${red6}1
	dropped h1 "$4" expect 1 "[Ff]rom $gateway.*$3" lab_in "$1" ping -n -c 1 -W 5 "$2"
	expect 0 "verdict +drop $4" explain h1 from "t-$1" to "$2"
}

begin "no route, prohibit and unreachable are told by the gateway"
told a 10.99.0.1 'Net Unreachable' no-route
told a 2001:db8:99::1 'No route' no-route
told a 10.67.0.1 'Packet filtered' prohibit
told a 2001:db8:67::1 'Administratively prohibited' prohibit
told a 10.68.0.1 'Host Unreachable' unreachable
told a 2001:db8:68::1 'Address unreachable' unreachable

begin "a blackhole says nothing"
for to in 10.66.0.1 2001:db8:66::1; do
	output=$(lab_in a ping -n -c 2 -i 0.2 -W 1 "$to" || true)
	[[ $output != *[Ff]rom* ]] || lab_fail "$output"
	expect 0 'verdict +drop blackhole' explain h1 from t-a to "$to"
done

begin "a hop that runs out at a gateway is told by the gateway's address"
for to in 10.70.0.1 2001:db8:70::1; do
	dropped h1 ttl expect 1 '([Tt]ime to live exceeded|Hop limit)' lab_in a ping -n -c 1 -t 1 -W 5 "$to"
	expect 0 'verdict +drop ttl' explain h1 from t-a to "$to" ttl 1
	expect 0 'verdict +encap' explain h1 from t-a to "$to" ttl 2
done

# -- peering -----------------------------------------------------------------------------------------------------------

begin "without a peering two VPCs do not meet"
lab_no_ping a 10.1.0.7
lab_no_ping a 10.1.0.8

begin "with one they do, on one host and across hosts, both ways, in both families"
peer_red=1 peer_blue=1
commit h1 h2 h3
for to in 10.1.0.7 10.1.0.8 ${blue6}7 ${blue6}8; do lab_ping a "$to"; done
for to in 10.0.0.5 10.0.0.6 ${red6}5 ${red6}6; do lab_ping d "$to"; done
expect 0 'peer +ok.* vni 200' explain h1 from t-a to 10.1.0.7
expect 0 'verdict +encap' explain h1 from t-a to 10.1.0.7
expect 0 'verdict +deliver' explain h1 from t-a to 10.1.0.8
expect 0 'verdict +deliver' explain h2 vni 200 vtep 192.0.2.11 src 10.0.0.5 to 10.1.0.7

begin "a hop that runs out at a peering is told by the gateway's address"
dropped h1 ttl expect 1 'From 10.0.0.1.*[Tt]ime to live exceeded' lab_in a ping -n -c 1 -t 1 -W 5 10.1.0.7
lab_in a ping -n -c 1 -t 2 -W 5 10.1.0.7

# -- strict mode -------------------------------------------------------------------------------------------------------

begin "a spoofed inner source comes in, and is refused in strict mode"
# x on h3 says that it is a, whose home is h1.
# shellcheck disable=SC2016
arrived() { lab_in b awk '$1 == "Icmp:" && $2 ~ /^[0-9]/ { print $10 }' /proc/net/snmp; }
spoof() { lab_in x ping -n -c 2 -i 0.2 -W 1 10.0.0.6 > /dev/null || true; }
before=$(arrived)
spoof
(($(arrived) == before + 2)) || lab_fail "b heard $(arrived) echo requests instead of $((before + 2))"
expect 0 'verdict +deliver' explain h2 vni 100 vtep 192.0.2.13 src 10.0.0.5 to 10.0.0.6
strict=strict blue_strict=strict
commit h2
before=$(arrived)
dropped h2 strict spoof
same "$(arrived)" "$before" "echo requests that b heard"
expect 0 'verdict +drop strict' explain h2 vni 100 vtep 192.0.2.13 src 10.0.0.5 to 10.0.0.6

begin "strict mode lets the true sender in, over a peering too"
lab_ping a 10.0.0.6
lab_ping a ${red6}6
lab_ping a 10.1.0.7
expect 0 'strict +ok' explain h2 vni 200 vtep 192.0.2.11 src 10.0.0.5 to 10.1.0.7
strict='' blue_strict=''
commit h2

# -- groups ------------------------------------------------------------------------------------------------------------

for i in 1 2 3; do
	lab_spawn "name-g$i-4" ip netns exec "vm-g$i" udp name "g$i" 172.16.0.1 7
	lab_spawn "name-g$i-6" ip netns exec "vm-g$i" udp name "g$i" 2001:db8:16::1 7
	wait_until "(( \$(lab_in g$i ss -lun | grep -c ':7 ') == 2 ))"
done
# Of 60 flows, "PORT NAME" for each.
flows() { lab_in a udp flows "$1" 7 20001 60; }
share() { grep -c " $2\$" <<< "$1" || true; }
# Flows that are elsewhere than before, and were not at NAME or are not there now: moved BEFORE AFTER NAME
# shellcheck disable=SC2016
moved() { diff <(echo "$1") <(echo "$2") | grep '^[<>]' | awk -v n="$3" '{ at[$2] = at[$2] " " $3 }
	END { for (p in at) if (split(at[p], m) != 2 || (m[1] != n && m[2] != n)) print p at[p] }'; }

begin "a group's flows spread over its members"
declare -A flows3=()
for to in 172.16.0.1 2001:db8:16::1; do
	flows3[$to]=$(flows "$to")
	for name in g1 g2 g3; do
		(($(share "${flows3[$to]}" $name) >= 6)) || lab_fail "$name has $(share "${flows3[$to]}" $name) of 60 flows"
	done
	same "$(share "${flows3[$to]}" none)" 0 "flows without an answer"
done

begin "explain names the member that each flow goes to"
for to in 172.16.0.1 2001:db8:16::1; do
	while read -r port name; do
		expect 0 "group +ok.* 192.0.2.1${name#g}( |\$)" explain h1 from t-a to "$to" proto udp sport "$port" dport 7
	done < <(head -n 8 <<< "${flows3[$to]}")
done

begin "when a member goes only its flows move, and they come back with it"
unset 'members[23]'
commit h1 h2 h3
for to in 172.16.0.1 2001:db8:16::1; do
	flows2=$(flows "$to")
	same "$(share "$flows2" g3)" 0 "flows of the member that is gone"
	same "$(share "$flows2" none)" 0 "flows without an answer"
	same "$(moved "${flows3[$to]}" "$flows2" g3)" '' "flows that had no need to move"
done
members[23]=1
commit h1 h2 h3
same "$(flows 172.16.0.1)" "${flows3[172.16.0.1]}" "the flows"

begin "from one member to two, only the new one's flows move"
members=([21]=1)
commit h1 h2 h3
flows1=$(flows 172.16.0.1)
same "$(share "$flows1" g1)" 60 "flows of the only member"
members=([21]=1 [22]=1)
commit h1 h2 h3
flows2=$(flows 172.16.0.1)
same "$(moved "$flows1" "$flows2" g2)" '' "flows that had no need to move"
(($(share "$flows2" g2) >= 12)) || lab_fail "g2 has $(share "$flows2" g2) of 60 flows"

begin "a group without members ends its packets, and the gateway says so"
members=()
commit h1
told a 172.16.0.1 'Net Unreachable' no-member
members=([21]=1 [22]=1 [23]=1)
commit h1 h2 h3

# -- an address that moves ---------------------------------------------------------------------------------------------

# moves ORDER...: a stream of 1,000 numbered packets a second goes on while the hosts hear of the move one after the other.
moves() {
	local host sent n
	lab_spawn received-m2 ip netns exec vm-m2 udp receive 10.0.0.9 9
	lab_spawn received-m3 ip netns exec vm-m3 udp receive 10.0.0.9 9
	wait_until "lab_in m2 ss -lun | grep -q ':9 ' && lab_in m3 ss -lun | grep -q ':9 '"
	: > "$lab_dir/sent.log"
	lab_spawn sent ip netns exec vm-a udp send 10.0.0.9 9 1000
	wait_until "(( \$(wc -l < $lab_dir/received-m2.log) > 100 ))"
	home=13
	for host; do
		commit "$host"
		n=$(cat "$lab_dir"/received-m[23].log | wc -l)
		wait_until "(( \$(cat $lab_dir/received-m[23].log | wc -l) > $n + 100 ))"
	done
	n=$(wc -l < "$lab_dir/received-m3.log")
	wait_until "(( \$(wc -l < $lab_dir/received-m3.log) > $n + 100 ))"
	lab_stop sent INT
	sent=$(tail -n 1 "$lab_dir/sent.log")
	wait_until "(( \$(cat $lab_dir/received-m[23].log | wc -l) >= $sent ))" 10 || true
	lab_stop received-m2 KILL
	lab_stop received-m3 KILL
	echo "$sent sent, $(wc -l < "$lab_dir/received-m2.log") at the old host, $(wc -l < "$lab_dir/received-m3.log") at the new"
	same "$(sort -un "$lab_dir"/received-m[23].log | wc -l)" "$sent" "packets that arrived"
	rm "$lab_dir"/received-m[23].log "$lab_dir/sent.log"
	home=12
	commit h3 h2 h1
}

begin "an address that moves loses no packet when its old host hears first"
moves h2 h1 h3

begin "nor when its new host hears first and the old one last"
moves h3 h1 h2

begin "explain: what comes to the old host is sent on, with one hop less"
home=13
commit h2
expect 0 'ttl +ok' explain h2 vni 100 vtep 192.0.2.11 src 10.0.0.5 to 10.0.0.9
expect 0 'verdict +encap' explain h2 vni 100 vtep 192.0.2.11 src 10.0.0.5 to 10.0.0.9
expect 0 'verdict +drop loop' explain h2 vni 100 vtep 192.0.2.13 src 10.0.0.6 to 10.0.0.9
