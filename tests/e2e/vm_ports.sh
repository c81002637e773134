#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Ports at their edges: prefixes of their own, taps, devices that change, and the way from one VPC into another.
#
#      h1 192.0.2.11                                    h2 192.0.2.12
#      ├─ a  10.0.0.5 red                               └─ c  10.0.1.7 red
#      ├─ p  10.0.4.128/25 red (guest 10.0.4.129)
#      ├─ t-tap  10.0.0.9 red, a tap without a guest
#      └─ ba 10.20.0.5 blue                             red's nexthop 9: VNI 200 at 192.0.2.11, h1 itself
#
. "$(dirname "$0")/lib.sh"

lab_up "$scenario"
cloud_up 2
cloud_vpc red 100 10.0.0.0/16
cloud_vpc blue 200 10.20.0.0/16
cloud_guest red a h1 10.0.0.5
cloud_guest red c h2 10.0.1.7
cloud_guest blue ba h1 10.20.0.5
lab_guest_add p h1 t-p 10.0.4.129/16 10.0.0.1 02:00:00:00:04:81
lab_ctl port add p vpc red subnet main host h1 dev t-p address 10.0.4.128/25 mac 02:00:00:00:04:81
lab_synced red 100 h1 h2
lab_synced blue 200 h1

# Whether h1's port on DEV has its device, or waits for it; 4: there is no such port, or no answer.
bound() {
	local port
	port=$(port_json h1 "$1") && [[ -n $port ]] || return 4
	[[ $port = *'"ifindex":'* ]]
}
absent() {
	local status=0
	bound "$1" || status=$?
	[[ $status = 1 ]]
}
# answered ADDRESS / unanswered ADDRESS: whether guest p is told by ARP that somebody else has it.
answered() { lab_in p busybox arping -q -c 1 -w 5 -I eth0 -s 10.0.4.129 "$1"; }
unanswered() { expect 1 '' lab_in p busybox arping -c 2 -w 2 -I eth0 -s 10.0.4.129 "$1"; }

begin "a port with a prefix is reached at, and may send from, each address in it"
lab_in p ip addr add 10.0.4.200/32 dev eth0
lab_ping a 10.0.4.129
lab_ping c 10.0.4.200
lab_in p ping -n -c 2 -i 0.1 -W 5 -I 10.0.4.200 10.0.1.7

begin "ARP inside its own prefix is answered for nobody, unless the mapping knows better or it is the gateway"
answered 10.0.1.7
answered 10.0.0.1
unanswered 10.0.4.130
unanswered 10.0.4.255
# Intent lets no two ports have one address; the module goes by what the mapping says.
nexthop=$(vpcctl -j kernel route show 100 table 0 prefix 10.0.1.7/32 netns h1 | jq -e '.[0].nexthop')
lab_kernel route set 100 10.0.4.130/32 nexthop "$nexthop" netns h1
answered 10.0.4.130
unanswered 10.0.4.131
lab_kernel route del 100 10.0.4.130/32 netns h1
unanswered 10.0.4.130
expect 2 '' lab_ctl port add q vpc red subnet main host h2 dev t-q address 10.0.4.130

begin "a nexthop with another VPC's VNI whose VTEP is this host delivers here, and only where that VPC agrees"
lab_ctl nexthop add vpc red id 9 type gateway vtep 192.0.2.11 vni 200
lab_ctl route add 10.20.0.0/16 vpc red via nexthop 9
lab_ctl nexthop add vpc blue id 9 type gateway vtep 192.0.2.11 vni 100
lab_ctl route add 10.0.0.0/16 vpc blue via nexthop 9
lab_synced red 100 h1
lab_synced blue 200 h1
lab_ping a 10.20.0.5
lab_ping ba 10.0.0.5
# One of the two sides has the other's TTL: it is a gateway's way.
lab_in a ping -n -c 1 -W 5 10.20.0.5 | grep -w ttl=63
before=$(lab_drops h1 no-port)
lab_no_ping a 10.20.0.77
grown no-port h1 "$before" 2

begin "a VNI that this host does not have, at its own VTEP, is a drop that says so"
lab_ctl nexthop add vpc red id 10 type gateway vtep 192.0.2.11 vni 4242
lab_ctl route add 10.42.0.0/16 vpc red via nexthop 10
lab_synced red 100 h1
before=$(lab_drops h1 vni)
lab_no_ping a 10.42.0.5
grown vni h1 "$before" 2

begin "a tap is a port like any other; one whose reader is slow drops, and counts it as its queue's"
modprobe tun
ip -n h1 tuntap add mode tap t-tap
ip -n h1 link set t-tap txqueuelen 4
lab_ctl port add tap vpc red subnet main host h1 dev t-tap address 10.0.0.9 mac 02:00:00:00:00:09
lab_synced red 100 h1
wait_until "bound t-tap"
lab_spawn holder ip netns exec h1 tapctl hold t-tap
wait_until "grep -q holding $lab_dir/holder.log"
# Without a queue of the device layer's in between, whose drops nobody would tell us.
ip netns exec h1 tc qdisc replace dev t-tap root noqueue
ip -n h1 link set t-tap up
wait_until "ip -n h1 link show t-tap | grep -q LOWER_UP"
before=$(lab_drops h1 queue)
expect 1 '100% packet loss' lab_in a ping -n -c 20 -i 0.05 -W 1 10.0.0.9
grown queue h1 "$before" 10

begin "a port's device changes its MAC and its MTU: the port follows, bound as before"
lab_ping a 10.0.4.129
ip -n h1 link set t-p address 02:aa:bb:cc:dd:ee
bound t-p
lab_ping a 10.0.4.129
lab_in a ping -n -c 1 -W 5 -M "do" -s 1272 10.0.4.129
ip -n h1 link set t-p mtu 1280
bound t-p
expect 1 'mtu = 1280' lab_in a ping -n -c 1 -W 2 -M "do" -s 1272 10.0.4.129
lab_in a ping -n -c 1 -W 5 -M "do" -s 1252 10.0.4.129
ip -n h1 link set t-p mtu 1400
lab_in a ip route flush cache
lab_in a ping -n -c 1 -W 5 -M "do" -s 1272 10.0.4.129
lab_ping c 10.0.4.200

begin "a tap without a reader has no carrier: a port that is down"
lab_stop holder KILL
wait_until "ip -n h1 link show t-tap | grep -q NO-CARRIER"
before=$(lab_drops h1 port-down)
lab_no_ping a 10.0.0.9
grown port-down h1 "$before" 2

begin "a bound device cannot become another type; once unbound it can, and then cannot be bound"
ip -n h1 link set t-tap down
expect 1 'TUNSETLINK: Device or resource busy' ip netns exec h1 tapctl type t-tap 65534
bound t-tap
ip -n h1 link show t-tap | grep link/ether
lab_ctl port del tap vpc red
lab_synced red 100 h1
wait_until "! bound t-tap"
ip netns exec h1 tapctl type t-tap 65534
ip -n h1 link show t-tap | grep link/none
lab_ctl port add tap vpc red subnet main host h1 dev t-tap address 10.0.0.9 mac 02:00:00:00:00:09
lab_synced red 100 h1
wait_until "grep -qE 'port.*t-tap.*(Ethernet|ethernet)' $lab_dir/agent-h1.log"
expect 4 '' bound t-tap
lab_ctl port del tap vpc red
lab_synced red 100 h1

begin "a port is known by its device's name alone: an alternative name binds nothing, a rename does"
ip -n h1 link add t-other type veth peer name t-peer
ip -n h1 link property add dev t-other altname t-alias
lab_ctl port add alias vpc red subnet main host h1 dev t-alias address 10.0.0.10 mac 02:00:00:00:00:0a
lab_synced red 100 h1
wait_until "absent t-alias"
before=$(lab_drops h1 port-down)
lab_no_ping a 10.0.0.10
grown port-down h1 "$before" 2
ip -n h1 link property del dev t-other altname t-alias
ip -n h1 link set t-other name t-alias
wait_until "bound t-alias"
ip -n h1 link set t-alias name t-again
wait_until "absent t-alias"

begin "a change over the quota leaves the kernel as it is and says so; within it all goes on, and when it is lifted"
lab_ctl nexthop add vpc red id 11 type blackhole
for i in $(seq 0 99); do echo "172.16.$i.0/24 11"; done > "$lab_dir/routes"
lab_ctl route import vpc red file "$lab_dir/routes"
lab_synced red 100 h1
memory=$(vpcctl -j kernel vpc show 100 netns h1 | jq -e '.[0].memory')
lab_ctl vpc set red quota $((memory + 8192))
lab_synced red 100 h1
wait_until "[[ \$(vpcctl -j kernel vpc show 100 netns h1) = *'\"quota\":$((memory + 8192)),'* ]]"
# As many routes, to another nexthop.
sed 's/ 11$/ 9/' "$lab_dir/routes" > "$lab_dir/other"
lab_ctl route import vpc red file "$lab_dir/other"
lab_synced red 100 h1
epoch=$(lab_kernel_epoch h1 100)
for i in $(seq 0 4095); do echo "100.$((64 + i / 256)).$((i % 256)).64/26 11"; done > "$lab_dir/many"
lab_ctl route import vpc red file "$lab_dir/many"
wait_until "grep -q 'VPC 100: its quota of kernel memory is reached' $lab_dir/agent-h1.log"
same "$(lab_kernel_epoch h1 100)" "$epoch" "epoch over the quota"
lab_ping a 10.0.1.7
lab_ctl vpc set red quota 0
lab_synced red 100 h1 h2
wait_until "lab_reconcile h1 --max-lag 0" 20
expect 0 '' lab_reconcile h1 --verify
