#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What customers say to vpcctl is what packets do: a group of gateways and a peering, from the command through CDB,
# publisher, ZooKeeper and agents into the kernels; and packets go where explain says.
#
#      h1 192.0.2.11            h2 192.0.2.12             h3 192.0.2.13
#      └─ a red 10.0.0.5        ├─ s2 east 172.16.9.9     └─ s3 west 172.16.9.9
#                               └─ c  blue 10.1.0.7
#
# red is VNI 100, blue 200, east 302, west 303. red's group 30 has gateways 31 to east on h2 and 32 to west on h3, whose
# appliances have the same address, each in its own VPC, and say their name to every datagram.
#
. "$(dirname "$0")/lib.sh"

# service NAME VPC VNI HOST: an appliance, in a VPC that knows the way back to red.
service() {
	cloud_vpc "$2" "$3" 172.16.0.0/16
	cloud_guest "$2" "$1" "$4" 172.16.9.9
	lab_ctl -b - <<-END
		nexthop add vpc $2 id 1 type gateway vtep 192.0.2.11 vni 100
		route add 10.0.0.0/16 vpc $2 via nexthop 1
	END
	lab_spawn "name-$1" ip netns exec "vm-$1" udp name "$1" 172.16.9.9 7
}

explain() { lab_kernel explain "${@:2}" netns "$1"; }
# Of 20 flows, "PORT NAME" for each.
flows() { lab_in a udp flows 172.16.9.9 7 20001 20; }
share() { grep -c " $2\$" <<< "$1" || true; }
# Where h1's kernel sends the flow from this port: the name of the appliance there.
sent_to() {
	case $(explain h1 from t-a to 172.16.9.9 proto udp sport "$1" dport 7) in
	*' gateway 192.0.2.12'*'verdict  encap') echo s2 ;;
	*' gateway 192.0.2.13'*'verdict  encap') echo s3 ;;
	esac
}
# The next change is there when vpcctl says so, and no question of the kernel is needed.
change() { lab_ctl --wait=120 "$@"; }

lab_up "$scenario"
cloud_up 3
cloud_vpc red 100 10.0.0.0/16
cloud_vpc blue 200 10.1.0.0/16
cloud_guest red a h1 10.0.0.5
cloud_guest blue c h2 10.1.0.7
service s2 east 302 h2
service s3 west 303 h3

begin "a group of two gateways in one change: its flows go to both, and each where explain says"
change -b - <<-END
	nexthop add vpc red id 31 type gateway vtep 192.0.2.12 vni 302
	nexthop add vpc red id 32 type gateway vtep 192.0.2.13 vni 303
	nexthop add vpc red id 30 type group member 31 member 32:2
	route add 172.16.0.0/16 vpc red via nexthop 30
END
lab_synced east 302 h2
lab_synced west 303 h3
both=$(flows)
same "$(share "$both" none)" 0 "flows without an answer"
for name in s2 s3; do (($(share "$both" $name) >= 2)) || lab_fail "$name has $(share "$both" $name) of 20 flows"; done
while read -r port name; do same "$(sent_to "$port")" "$name" "flow $port"; done < <(head -n 6 <<< "$both")

begin "a member that goes takes its flows to the other, and back when it returns"
change nexthop set vpc red id 30 del-member 31
same "$(share "$(flows)" s3)" 20 "flows of the only member"
change nexthop set vpc red id 30 add-member 31
same "$(flows)" "$both" "the flows"

begin "without a peering two VPCs do not meet"
lab_no_ping a 10.1.0.7

begin "a peering on both sides brings the other VPC to hosts without a port in it, and packets across"
change -b - <<-END
	nexthop add vpc red id 40 type peer to blue
	route add 10.1.0.0/16 vpc red via nexthop 40
	nexthop add vpc blue id 40 type peer to red
	route add 10.0.0.0/16 vpc blue via nexthop 40
END
lab_ping a 10.1.0.7
lab_ping c 10.0.0.5
expect 0 'peer +ok.* vni 200' explain h1 from t-a to 10.1.0.7
expect 0 ' ok .* host 192.0.2.12( |$)' explain h1 from t-a to 10.1.0.7
expect 0 'verdict +deliver' explain h2 vni 200 vtep 192.0.2.11 src 10.0.0.5 to 10.1.0.7

begin "trace: the change of both VPCs is on all hosts that have them, with its times"
id=$(lab_ctl -j history red last 1 | jq -r '.[0].change')
lab_ctl trace "$id"
expect 0 'change .* VPC 200 ' lab_ctl trace "$id"
expect 0 'published \+[0-9]+ ms' lab_ctl trace "$id"
same "$(lab_ctl -j trace "$id" | jq -c '[.[] | [.vni, .is_published, (.hosts[] | [.host, .alive, .seen <= .applied])]]')" \
	'[[100,true,["h1",true,true],["h2",true,true]],[200,true,["h1",true,true],["h2",true,true]]]' "the trace"
grep -q "VPC 100: epoch .* -> .*, change $id" "$lab_dir/agent-h1.log"

begin "back to the epoch before: the peering ends, the group stays"
epoch=$(($(lab_cdb_epoch red) - 1))
change rollback red "$epoch"
lab_no_ping a 10.1.0.7
same "$(flows)" "$both" "the flows"

begin "all hosts hold what CDB says"
for host in h1 h2 h3; do wait_until "lab_reconcile $host --max-lag 0" 20; done
