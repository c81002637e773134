#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The main job: a customer's machines reach each other, on one host and across hosts, and a change moves traffic.
#
#      h1 192.0.2.11            h2 192.0.2.12            h3 192.0.2.13
#      ├─ a 10.0.0.5            ├─ c 10.0.1.7            (c moves here)
#      └─ b 10.0.0.6            └─ e 10.0.2.9, its own prefix 10.9.0.0/24 by a route
#
. "$(dirname "$0")/lib.sh"

lab_up "$scenario"
cloud_up 3
cloud_vpc red 100 10.0.0.0/16
cloud_guest red a h1 10.0.0.5
cloud_guest red b h1 10.0.0.6
cloud_guest red c h2 10.0.1.7
lab_synced red 100 h1 h2

begin "two guests on one host reach each other"
lab_ping a 10.0.0.6
lab_ping b 10.0.0.5

begin "guests on two hosts reach each other through the tunnel"
lab_ping a 10.0.1.7
lab_ping c 10.0.0.6

begin "full-size packets pass, larger ones with DF are refused by the guest's own MTU"
lab_in a ping -n -c 2 -M 'do' -s 1422 -W 5 10.0.1.7
expect 1 'message too long|local error' lab_in a ping -n -c 1 -M 'do' -s 1423 -W 2 10.0.1.7

begin "TCP runs through the tunnel with offloads on, and every byte arrives as it was sent"
for offload in tx-checksumming tcp-segmentation-offload; do lab_in a ethtool -k eth0 | grep "^$offload: on"; done
head -c 4000000 /dev/urandom > "$lab_dir/sent"
lab_spawn sink ip netns exec vm-c socat -u TCP-LISTEN:5000 "CREATE:$lab_dir/received"
wait_until "lab_in c ss -ltn | grep -q :5000"
lab_in a socat -u "FILE:$lab_dir/sent" TCP:10.0.1.7:5000
wait_until "cmp $lab_dir/sent $lab_dir/received"

begin "iperf3 runs both ways between hosts"
lab_spawn iperf ip netns exec vm-c iperf3 -s -p 5201
wait_until "lab_in c ss -ltn | grep -q :5201"
lab_in a iperf3 -c 10.0.1.7 -t 2 -J > "$lab_dir/iperf.json"
jq -e '.end.sum_received.bytes > 1000000' "$lab_dir/iperf.json"
lab_in a iperf3 -c 10.0.1.7 -t 2 -R -J > "$lab_dir/iperf.json"
jq -e '.end.sum_received.bytes > 1000000' "$lab_dir/iperf.json"

begin "the gateway's address and every other are answered by ARP with the router's MAC"
lab_ping a 10.0.1.7 1
lab_in a ip neigh show 10.0.0.6 | grep -i fe:ee:00:00:00:01

begin "an address that nobody has is not reached, and the drop is counted with its reason"
before=$(port_drops h1 t-a no-route)
lab_no_ping a 10.0.200.200
(($(port_drops h1 t-a no-route) == before + 2))

begin "a guest that uses another guest's address is not heard, and each of its packets is counted"
lab_in a ip addr add 10.0.0.6/32 dev eth0
before=$(port_drops h1 t-a source-addr)
expect 1 '100% packet loss' lab_in a ping -n -c 3 -i 0.2 -W 1 -I 10.0.0.6 10.0.1.7
(($(port_drops h1 t-a source-addr) >= before + 3))
lab_in a ip addr del 10.0.0.6/32 dev eth0

begin "a guest that uses another MAC is not heard, and is again with its own"
mac=$(lab_in a cat /sys/class/net/eth0/address)
lab_in a ip link set eth0 address 02:00:00:00:66:66
lab_in a ip neigh replace 10.0.1.7 lladdr fe:ee:00:00:00:01 dev eth0
lab_in a ip neigh replace 10.0.0.1 lladdr fe:ee:00:00:00:01 dev eth0
before=$(port_drops h1 t-a source-mac)
expect 1 '100% packet loss' lab_in a ping -n -c 3 -i 0.2 -W 1 10.0.1.7
(($(port_drops h1 t-a source-mac) >= before + 3))
lab_in a ip link set eth0 address "$mac"
lab_in a ip neigh flush dev eth0
lab_ping a 10.0.1.7

begin "a customer's route sends a prefix to a gateway, and blackholes another"
lab_ctl nexthop add vpc red id 7 type gateway vtep 192.0.2.13
lab_ctl route add 172.16.0.0/12 vpc red via nexthop 7
lab_ctl route add 172.16.66.0/24 vpc red via blackhole
lab_synced red 100 h1
lab_ctl kernel explain from t-a to 172.16.1.1 netns h1 | grep -F 192.0.2.13
lab_ctl kernel explain from t-a to 172.16.66.1 netns h1 | grep -i blackhole

begin "a guest that moves to another host is reached there"
lab_guest_move c h3 t-c
lab_ctl port set c vpc red host h3
lab_synced red 100 h1 h3
wait_until "lab_ping a 10.0.1.7 1" 20
lab_ping c 10.0.0.6

begin "all hosts hold what CDB says"
for host in h1 h2 h3; do wait_until "lab_reconcile $host --max-lag 0" 20; done
expect 0 '' lab_reconcile h1 --verify

begin "the daemons end when they are told to, with status 0"
lab_agent_stop h1
lab_publisher_stop
lab_ping a 10.0.0.6

begin "the module is refused its end while ports are bound, and goes when the hosts have gone"
expect 1 'in use' lab_module_unload
