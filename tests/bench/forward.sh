#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# How fast packets go from a guest through two hosts to another guest, beside what Linux has for the same. Run on one CPU:
#
#   scripts/uml.sh --mem 3000 --timeout 1200 -- tests/bench/forward.sh [--rounds N] [--no-full] [--no-tcp] [PATH...]
#
#   vm1 ──eth0─t1── h1 ──u────u── h2 ──t2─eth0── vm2         four namespaces for each path, veth between them
#
#   ours    vpc.ko on h1 and h2
#   plain   no overlay: h1 and h2 forward IPv4, what no overlay can be much faster than
#   vrf     VRF + VXLAN with lightweight-tunnel routes ("encap ip id ... dst ...")
#   ovs     Open vSwitch's kernel datapath with one cached flow a direction and host, no daemon
#   bridge  a bridge and a VXLAN device on each host, no routing
#   floor   no host at all: what the generator itself and one veth take
#   vxlan   routes over a VXLAN device, for TCP only
#
# 64-byte UDP packets (60 and the checksum) from the kernel's packet generator, as fast as they are taken; counted where vm2's
# device gets them, dropped there as somebody else's. "full" is a real table of the internet (VPC_TEST_DATA, as in
# check.sh) on h1, the same for all paths, with destinations drawn evenly from all unicast addresses and a default
# route for those outside the table. The paths take turns. Prints "NAME OURS PEER" lines (fragment.sh) at the end.

set -eEuo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
PATH=$top/build:$top/build/tools:$PATH
out=$top/build/bench
vni=100 vtep1=192.0.2.11 vtep2=192.0.2.12 src=10.0.0.5 dst=10.0.1.6
mac_vm1=02:00:00:00:00:05 mac_nobody=02:00:00:00:01:06 mac_t1=02:00:00:00:00:01 router=fe:ee:00:00:00:01

fail() { echo "forward.sh: $*" >&2; exit 1; }
trap 'fail "line $LINENO: $BASH_COMMAND"' ERR

rounds=5 full=1 tcp=1 packets=600000 paths=()
while [[ $# -gt 0 ]]; do
	case $1 in
	--rounds) rounds=$2; shift 2 ;;
	--no-full) full=0; shift ;;
	--no-tcp) tcp=0; shift ;;
	--packets) packets=$2; shift 2 ;;
	-*) fail "unknown option $1" ;;
	*) paths+=("$1"); shift ;;
	esac
done
[[ ${#paths[@]} -gt 0 ]] || paths=(ours plain vrf ovs bridge floor)

# -- the paths ---------------------------------------------------------------------------------------------------------

# A namespace of the path that is being built: inside h1 COMMAND...
inside() { ip netns exec "$path-$1" "${@:2}"; }

chain() {
	local ns
	for ns in vm1 h1 h2 vm2; do
		ip netns add "$path-$ns"
		inside $ns sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 net.ipv4.ip_forward=1
		ip -n "$path-$ns" link set lo up
	done
	ip -n "$path-vm1" link add eth0 address $mac_vm1 mtu 1450 type veth peer name t1 address $mac_t1 mtu 1450 netns "$path-h1"
	ip -n "$path-vm2" link add eth0 mtu 1450 type veth peer name t2 mtu 1450 netns "$path-h2"
	ip -n "$path-h1" link add u address 02:00:00:00:02:01 type veth peer name u address 02:00:00:00:02:02 netns "$path-h2"
	for ns in vm1:eth0 h1:t1 h1:u h2:u h2:t2 vm2:eth0; do ip -n "$path-${ns%:*}" link set "${ns#*:}" up; done
	ip -n "$path-h1" addr add $vtep1/24 dev u
	ip -n "$path-h2" addr add $vtep2/24 dev u
	ip -n "$path-h1" neigh replace $vtep2 lladdr 02:00:00:00:02:02 dev u nud permanent
	ip -n "$path-h2" neigh replace $vtep1 lladdr 02:00:00:00:02:01 dev u nud permanent
	gateway=$mac_t1
	vm2_gateway=$(inside h2 cat /sys/class/net/t2/address)
	vm2_mac=$(inside vm2 cat /sys/class/net/eth0/address)
}

# linux_routes [TABLE]: the full table into h1's FIB, all by nexthop 2. What Linux refuses (its own addresses, multicast)
# is little, and no peer may miss more.
linux_routes() {
	local want have
	zcat "$table" | awk 'BEGIN { print "0.0.0.0/0" } { print $1 }' | inside h1 "$out/fib" 2 "$@"
	want=$(zcat "$table" | wc -l)
	# shellcheck disable=SC2016
	have=$(inside h1 awk '/Prefixes/ { n += $2 } END { print n }' /proc/net/fib_triestat)
	((have > want - 1000)) || fail "$path: $have of $want prefixes are in the FIB"
}

ours_up() {
	gateway=$router vm2_gateway=$router
	{
		cat <<-END
			host vtep4 $vtep1
			vpc $vni epoch 1
			nexthop $vni 1 local
			nexthop $vni 2 host $vtep2
			nexthop $vni 3 host $vtep1
			route $vni 0 $src/32 3
			route $vni 1 0.0.0.0/0 1
			port t1 vpc $vni mac $mac_vm1 table 1 addr $src/32
		END
		if [[ $1 = full ]]; then
			echo "route $vni 0 0.0.0.0/0 2"
			zcat "$table" | awk -v vni=$vni '{ print "route", vni, 0, $1, 2 }'
		else
			echo "route $vni 0 $dst/32 2"
		fi
	} | vpcctl kernel restore - netns "$path-h1"
	vpcctl kernel restore - netns "$path-h2" <<-END
		host vtep4 $vtep2
		vpc $vni epoch 1
		nexthop $vni 1 local
		nexthop $vni 2 host $vtep2
		nexthop $vni 3 host $vtep1
		route $vni 0 $src/32 3
		route $vni 0 0.0.0.0/0 2
		route $vni 1 0.0.0.0/0 1
		port t2 vpc $vni mac $2 table 1 addr $([[ $1 = full ]] && echo 0.0.0.0/0 || echo $dst/32)
	END
}

plain_up() {
	ip -n "$path-h1" addr add 10.0.0.1/24 dev t1
	ip -n "$path-h1" neigh replace $src lladdr $mac_vm1 dev t1 nud permanent
	ip -n "$path-h1" nexthop add id 2 via $vtep2 dev u
	ip -n "$path-h2" neigh replace 10.0.1.1 lladdr "$2" dev t2 nud permanent
	ip -n "$path-h2" route add $src via $vtep1
	if [[ $1 = full ]]; then
		linux_routes
		ip -n "$path-h2" route add default via 10.0.1.1 dev t2 onlink
	else
		ip -n "$path-h1" route add $dst nhid 2
		ip -n "$path-h2" route add $dst via 10.0.1.1 dev t2 onlink
	fi
}

vrf_host_up() {
	local ns=$1 port=$2
	ip -n "$path-$ns" link add red type vrf table 10
	ip -n "$path-$ns" link set red up
	ip -n "$path-$ns" link set "$port" master red
	ip -n "$path-$ns" link add vx address 02:00:00:00:03:0"${ns#h}" type vxlan external dstport 4789
	ip -n "$path-$ns" link set vx master red up
	ip -n "$path-$ns" neigh replace 169.254.0.1 lladdr 02:00:00:00:03:01 dev vx nud permanent
	ip -n "$path-$ns" neigh replace 169.254.0.2 lladdr 02:00:00:00:03:02 dev vx nud permanent
}

vrf_up() {
	vrf_host_up h1 t1
	vrf_host_up h2 t2
	ip -n "$path-h1" addr add 10.0.0.1/24 dev t1
	ip -n "$path-h1" neigh replace $src lladdr $mac_vm1 dev t1 nud permanent
	ip -n "$path-h1" nexthop add id 2 via 169.254.0.2 dev vx onlink encap ip id $vni dst $vtep2
	ip -n "$path-h2" neigh replace 10.0.1.1 lladdr "$2" dev t2 nud permanent
	ip -n "$path-h2" route add vrf red $src via 169.254.0.1 dev vx onlink encap ip id $vni dst $vtep1
	if [[ $1 = full ]]; then
		linux_routes 10
		ip -n "$path-h2" route add vrf red default via 10.0.1.1 dev t2 onlink
	else
		ip -n "$path-h1" route add vrf red $dst nhid 2
		ip -n "$path-h2" route add vrf red $dst via 10.0.1.1 dev t2 onlink
	fi
}

# Ports of a new datapath get the numbers 1 (the guest), 2 (VXLAN).
ovs_host_up() {
	local ns=$1 port=$2 own=$3 vtep=$4 to=$5
	inside "$ns" ovs-dpctl add-dp "dp-$ns"
	inside "$ns" ovs-dpctl add-if "dp-$ns" "$port,type=system,port_no=1"
	inside "$ns" ovs-dpctl add-if "dp-$ns" vx,type=vxlan,remote_ip=flow,key=flow,port_no=2
	inside "$ns" ip link set vxlan_sys_4789 up 2> /dev/null || true
	inside "$ns" ovs-dpctl add-flow "dp-$ns" "in_port(1),eth(),eth_type(0x0800),ipv4(frag=no)" \
		"set(tunnel(tun_id=0x64,dst=$vtep,ttl=64,tp_dst=4789,flags(df|key))),2"
	inside "$ns" ovs-dpctl add-flow "dp-$ns" "tunnel(tun_id=0x64,src=$vtep,dst=$own,ttl=64,flags(key)),in_port(2),eth(),eth_type(0x0800),ipv4(frag=no)" \
		"set(eth(src=$router,dst=$to)),1"
}

ovs_up() {
	ovs_host_up h1 t1 $vtep1 $vtep2 $mac_vm1
	ovs_host_up h2 t2 $vtep2 $vtep1 "$2"
}

vxlan_up() {
	local ns other
	for ns in h1 h2; do
		other=$([[ $ns = h1 ]] && echo $vtep2 || echo $vtep1)
		ip -n "$path-$ns" link add vx address 02:00:00:00:03:0"${ns#h}" type vxlan id $vni remote "$other" dstport 4789
		ip -n "$path-$ns" link set vx mtu 1450 up
		ip -n "$path-$ns" neigh replace 169.254.0.1 lladdr 02:00:00:00:03:01 dev vx nud permanent
		ip -n "$path-$ns" neigh replace 169.254.0.2 lladdr 02:00:00:00:03:02 dev vx nud permanent
	done
	ip -n "$path-h1" addr add 10.0.0.1/24 dev t1
	ip -n "$path-h2" addr add 10.0.1.1/24 dev t2
	ip -n "$path-h1" route add 10.0.1.0/24 via 169.254.0.2 dev vx onlink
	ip -n "$path-h2" route add 10.0.0.0/24 via 169.254.0.1 dev vx onlink
	ip -n "$path-h1" neigh replace $src lladdr $mac_vm1 dev t1 nud permanent
	ip -n "$path-h2" neigh replace $dst lladdr "$2" dev t2 nud permanent
}

# One segment: the sender addresses its peer itself. Nothing is learnt or flooded.
bridge_host_up() {
	local ns=$1 port=$2 remote=$3 near=$4 far=$5
	ip -n "$path-$ns" -batch - <<-END
		link add br0 type bridge
		link add vx type vxlan id $vni remote $remote dstport 4789 nolearning
		link set vx master br0 up
		link set $port master br0
		link set br0 up
	END
	bridge -n "$path-$ns" fdb replace "$near" dev "$port" master static
	bridge -n "$path-$ns" fdb replace "$far" dev vx master static
}

bridge_up() {
	gateway=$2
	bridge_host_up h1 t1 $vtep2 $mac_vm1 "$2"
	bridge_host_up h2 t2 $vtep1 "$2" $mac_vm1
}

floor_up() {
	gateway=$2
	ip -n "$path-vm1" link del eth0
	ip -n "$path-vm2" link del eth0
	ip -n "$path-vm1" link add eth0 address $mac_vm1 mtu 1450 type veth peer name eth0 mtu 1450 netns "$path-vm2"
	ip -n "$path-vm1" link set eth0 up
	ip -n "$path-vm2" link set eth0 up
}

# path_up KIND one|full|tcp: its namespaces' names begin with KIND-SIZE
path_up() {
	path=$1-$2
	echo "# building $path"
	chain
	if [[ $2 = tcp ]]; then
		"$1_up" one "$vm2_mac"
		ip -n "$path-vm1" addr add $src/24 dev eth0
		ip -n "$path-vm2" addr add $dst/24 dev eth0
		ip -n "$path-vm1" route add default via 10.0.0.1
		ip -n "$path-vm2" route add default via 10.0.1.1
		ip -n "$path-vm1" neigh replace 10.0.0.1 lladdr "$gateway" dev eth0 nud permanent
		ip -n "$path-vm2" neigh replace 10.0.1.1 lladdr "$vm2_gateway" dev eth0 nud permanent
	else
		"$1_up" "$2" $mac_nobody
	fi
	echo "$gateway" > "/run/bench-$path"
}

path_down() {
	local ns
	for ns in vm1 h1 h2 vm2; do ip netns del "$1-$ns"; done
}

# -- measuring ---------------------------------------------------------------------------------------------------------

pktgen() { echo "$2" > "/proc/net/pktgen/$1" || fail "pktgen $1: $2"; }
export -f pktgen fail

# blast PATH COUNT: sends, prints packets a second that came to vm2
blast() {
	local before after micros
	path=$1
	before=$(inside vm2 cat /sys/class/net/eth0/statistics/rx_packets)
	# shellcheck disable=SC2016
	inside vm1 bash -c '
		pktgen kpktgend_0 rem_device_all; pktgen kpktgend_0 "add_device eth0"
		pktgen eth0 "count $1"; pktgen eth0 "clone_skb 0"; pktgen eth0 "pkt_size 60"; pktgen eth0 "delay 0"
		pktgen eth0 "src_min $2"; pktgen eth0 "src_max $2"; pktgen eth0 "dst_mac $3"
		if [[ $4 = *-full ]]; then
			pktgen eth0 "flag IPDST_RND"; pktgen eth0 "dst_min 1.0.0.0"; pktgen eth0 "dst_max 223.255.255.255"
		else
			pktgen eth0 "dst $5"
		fi
		pktgen eth0 "udp_src_min 4000"; pktgen eth0 "udp_src_max 4000"
		pktgen eth0 "udp_dst_min 5000"; pktgen eth0 "udp_dst_max 5000"
		pktgen pgctrl start' - "$2" $src "$(< "/run/bench-$path")" "$path" $dst
	micros=$(inside vm1 sed -n 's/.*OK: \([0-9]*\).*/\1/p' /proc/net/pktgen/eth0)
	after=$(inside vm2 cat /sys/class/net/eth0/statistics/rx_packets)
	echo $(((after - before) * 1000000 / micros))
}

# stream PATH COUNT: bits a second of one TCP stream
stream() {
	local pid json
	path=$1
	inside vm2 iperf3 -s -1 > /dev/null &
	pid=$!
	for _ in $(seq 100); do
		inside vm2 ss -tln 2> /dev/null | grep -q ':5201' && break
		sleep 0.05
	done
	json=$(inside vm1 iperf3 -c $dst -t 3 -J)
	wait "$pid"
	jq '.end.sum_received.bits_per_second | floor' <<< "$json"
}

median() { tr ' ' '\n' <<< "$1" | sort -n | awk 'NF { v[++n] = $1 } END { print n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2 }'; }

declare -A rates
# measure SIZE MEASURE KIND...: rounds of all, interleaved
measure() {
	local size=$1 how=$2 kind rate i
	shift 2
	for kind; do
		if [[ $how = blast ]]; then blast "$kind-$size" 20000 > /dev/null; fi
	done
	for ((i = 0; i < rounds; i++)); do
		for kind; do
			rate=$("$how" "$kind-$size" "$packets")
			[[ $rate -gt 0 ]] || fail "$kind-$size: nothing comes through"
			rates[$kind-$size]+=${rates[$kind-$size]:+ }$rate
		done
	done
	for kind; do
		printf '%-12s %12s   %s\n' "$kind-$size" "$(median "${rates[$kind-$size]}")" "${rates[$kind-$size]}"
	done
}

# result NAME SIZE PEER: nothing when a side was not measured
result() {
	local ours=${rates[ours-$2]:-} peer=${rates[$3-$2]:-}
	[[ -z $ours || -z $peer ]] || echo "$1 ${ours// /,} ${peer// /,}"
}

lsmod | grep -q '^vpc ' || { modprobe udp_tunnel; modprobe ip6_udp_tunnel; insmod "$top/build/vpc.ko"; }
for module in pktgen veth vrf vxlan openvswitch bridge; do modprobe "$module"; done
sysctl -qw net.core.netdev_max_backlog=10000

if [[ ! " ${paths[*]} " = *" ovs "* ]] || command -v ovs-dpctl > /dev/null; then :; else
	echo "# no ovs-dpctl (package openvswitch-switch): without that peer"
	paths=("${paths[@]/ovs/}")
fi
# shellcheck disable=SC2206
paths=(${paths[@]})

for kind in "${paths[@]}"; do path_up "$kind" one; done
measure one blast "${paths[@]}"
for kind in "${paths[@]}"; do path_down "$kind-one"; done

table=${VPC_TEST_DATA:-/nowhere}/v4_tier1_202312.txt.gz
if [[ $full = 1 && -e $table ]]; then
	full_paths=()
	for kind in "${paths[@]}"; do [[ $kind = @(ovs|bridge|floor) ]] || full_paths+=("$kind"); done
	for kind in "${full_paths[@]}"; do path_up "$kind" full; done
	measure full blast "${full_paths[@]}"
	for kind in "${full_paths[@]}"; do path_down "$kind-full"; done
fi

if [[ $tcp = 1 ]]; then
	path_up ours tcp
	path_up vxlan tcp
	measure tcp stream ours vxlan
fi

result forward_one_vs_vrf_vxlan one vrf
result forward_one_vs_ovs one ovs
result forward_one_vs_plain one plain
result forward_one_vs_bridge one bridge
result forward_one_vs_floor one floor
result forward_full_vs_plain full plain
result forward_full_vs_vrf_vxlan full vrf
result tcp_vs_vxlan tcp vxlan
