#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Two customers with the same addresses on the same hosts never meet, and nobody else gets in through the tunnel.
#
#      h1 192.0.2.11                     h2 192.0.2.12                 h3 192.0.2.13: no host of ours, a stranger
#      ├─ ra  10.0.0.5 red  (VNI 100)    ├─ rc 10.0.1.7 red            in the underlay who speaks VXLAN
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
	lab_spawn "name-$guest" ip netns exec "vm-$guest" socat -u "EXEC:echo ${vpc#*:}" TCP-LISTEN:80,fork,reuseaddr
	lab_spawn "name-$guest" ip netns exec "vm-$guest" socat TCP-LISTEN:80,fork,reuseaddr "SYSTEM:echo ${vpc#*:}"
	wait_until "lab_in $guest ss -ltn | grep -q :80"
done
same "$(lab_in ra socat -u TCP:10.0.1.7:80 -)" red "the answer red gets"
same "$(lab_in ba socat -u TCP:10.0.1.7:80 -)" blue "the answer blue gets"

begin "an address that only blue has is not there for red"
lab_ping ba 10.0.1.8
lab_no_ping ra 10.0.1.8

begin "a stranger's tunnel packets are dropped and counted, whatever they claim"
lab_host_add h3 192.0.2.13
ip -n h3 link add vx type vxlan id 100 remote 192.0.2.11 dstport 4789 noudpcsum
ip -n h3 link set vx up
ip -n h3 addr add 10.0.1.7/16 dev vx
ip -n h3 neigh add 10.0.0.5 lladdr fe:ee:00:00:00:01 dev vx
before=$(lab_drops h1 outer-source)
expect 1 '100% packet loss' ip netns exec h3 ping -n -c 3 -i 0.1 -W 1 10.0.0.5
((  $(lab_drops h1 outer-source) > before ))

begin "a VNI that this host does not have is dropped and counted"
ip -n h3 link del vx
ip -n h3 link add vx type vxlan id 4242 remote 192.0.2.11 dstport 4789
ip -n h3 link set vx up
ip -n h3 addr add 10.0.1.7/16 dev vx
ip -n h3 neigh add 10.0.0.5 lladdr fe:ee:00:00:00:01 dev vx
before=$(lab_drops h1 vni)
expect 1 '100% packet loss' ip netns exec h3 ping -n -c 3 -i 0.1 -W 1 10.0.0.5
(( $(lab_drops h1 vni) > before ))

begin "a guest cannot send tunnel packets of its own making into the underlay"
expect 1 '' lab_in ra ping -n -c 2 -i 0.1 -W 1 192.0.2.12

begin "what one customer changes, the other does not notice"
lab_traffic_start blue ba 10.0.1.7
lab_ctl port del rc vpc red
lab_ctl route add 10.0.0.0/8 vpc red via blackhole
lab_synced red 100 h1
lab_no_ping ra 10.0.1.7
same "$(lab_traffic_stop blue)" 0 "blue's lost packets"
