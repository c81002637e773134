#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Two customers with the same addresses on the same hosts never meet, and nobody else gets in through the tunnel.
#
#      h1 192.0.2.11                     h2 192.0.2.12                 h3 192.0.2.13: a stranger in the underlay
#      ├─ ra  10.0.0.5 red  (VNI 100)    ├─ rc 10.0.1.7 red            who speaks VXLAN, later a host of blue
#      └─ ba  10.0.0.5 blue (VNI 200)    ├─ bc 10.0.1.7 blue
#                                        └─ bx 10.0.1.8 blue only
#
. "$(dirname "$0")/lib.sh"

lab_up "$scenario"
cloud_up 2
cloud_vpc red 100 10.0.0.0/16
cloud_vpc blue 200 10.0.0.0/16
cloud_guest red ra h1 10.0.0.5
cloud_guest blue ba h1 10.0.0.5
cloud_guest red rc h2 10.0.1.7
cloud_guest blue bc h2 10.0.1.7
cloud_guest blue bx h2 10.0.1.8
lab_synced red 100 h1 h2
lab_synced blue 200 h1 h2

begin "the same address means another machine in each VPC"
for vpc in r:red b:blue; do
	guest=${vpc%%:*}c
	lab_spawn "name-$guest" ip netns exec "vm-$guest" socat TCP-LISTEN:80,fork,reuseaddr "SYSTEM:echo ${vpc#*:}"
	wait_until "lab_in $guest ss -ltn | grep -q :80"
done
same "$(lab_in ra socat -u TCP:10.0.1.7:80 -)" red "the answer red gets"
same "$(lab_in ba socat -u TCP:10.0.1.7:80 -)" blue "the answer blue gets"

begin "an address that only blue has is not there for red"
lab_ping ba 10.0.1.8
lab_no_ping ra 10.0.1.8

# stranger VNI ADDRESS [OPTION...]: h3 sends tunnel packets of VNI to h1, three pings from ADDRESS to 10.0.0.5.
stranger() {
	local vni=$1 address=$2
	shift 2
	ip -n h3 link add vx type vxlan id "$vni" remote 192.0.2.11 dstport 4789 "$@"
	ip -n h3 link set vx up
	ip -n h3 addr add "$address/16" dev vx
	ip -n h3 neigh add 10.0.0.5 lladdr fe:ee:00:00:00:01 dev vx
	# Nobody answers, even who is heard: vx has not the MAC that answers are sent to.
	expect 1 '3 packets transmitted.*100% packet loss' ip netns exec h3 ping -n -c 3 -i 0.1 -W 1 10.0.0.5
	ip -n h3 link del vx
}
# Pings that a guest got. Its device also gets what the host's own IPv6 sends on the port's device, now and then.
# shellcheck disable=SC2016
received() {
	lab_in "$1" awk '/^Icmp:/ { if (at) print $at; for (i = 2; i <= NF; i++) if ($i == "InEchos") at = i }' /proc/net/snmp
}

begin "a stranger's tunnel packets are dropped and counted, whatever they claim"
lab_host_add h3 192.0.2.13
before=$(lab_drops h1 outer-source)
stranger 100 10.0.1.7 noudpcsum
grown outer-source h1 "$before" 3
before=$(lab_drops h1 outer-source)
stranger 200 10.0.1.8
grown outer-source h1 "$before" 3

begin "a VNI that this host does not have is dropped and counted"
before=$(lab_drops h1 vni)
stranger 4242 10.0.1.7
grown vni h1 "$before" 3

begin "a host that is in blue gets into blue by its tunnel, and by the same tunnel not into red"
lab_ctl host add h3 vtep 192.0.2.13
lab_ctl port add bz vpc blue subnet main host h3 dev t-bz address 10.0.1.9
lab_synced blue 200 h1
before=$(received ba)
stranger 200 10.0.1.9
same "$(received ba)" $((before + 3)) "pings that blue's guest got"
before=$(lab_drops h1 outer-source) quiet=$(received ra)
stranger 100 10.0.1.9
grown outer-source h1 "$before" 3
same "$(received ra)" "$quiet" "pings that red's guest got"

begin "a guest cannot send tunnel packets of its own making into the underlay"
lab_in ra ip link add vx type vxlan id 200 local 10.0.0.5 remote 192.0.2.12 dstport 4789
lab_in ra ip link set vx up
lab_in ra ip addr add 10.99.0.1/16 dev vx
lab_in ra ip neigh add 10.99.0.2 lladdr fe:ee:00:00:00:01 dev vx
before=$(port_drops h1 t-ra no-route)
expect 1 '100% packet loss' lab_in ra ping -n -c 3 -i 0.1 -W 1 10.99.0.2
(($(port_drops h1 t-ra no-route) >= before + 3))
lab_in ra ip link del vx

begin "what one customer changes, the other does not notice"
lab_traffic_start blue ba 10.0.1.7
lab_ctl port del rc vpc red
lab_ctl route add 10.0.0.0/8 vpc red via blackhole
lab_synced red 100 h1
lab_no_ping ra 10.0.1.7
whole blue
