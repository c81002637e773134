#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Each class of difference between CDB and the kernel is found, named, and told apart from lag and from failure.
#
#      CDB ◀──────── vpc_reconcile ────────▶ kernel of h1, tampered with behind the agent's back
#      h1 192.0.2.11: a 10.0.0.5 in red, table 1 of 30 routes
#
. "$(dirname "$0")/lib.sh"

lab_up "$scenario"
cloud_up 1
cloud_vpc red 100 10.0.0.0/16
cloud_guest red a h1 10.0.0.5
lab_ctl nexthop add vpc red id 7 type gateway vtep 192.0.2.13
lab_ctl nexthop add vpc red id 8 type gateway vtep 192.0.2.14
for i in $(seq 30); do echo "172.16.$i.0/24 7"; done > "$lab_dir/routes"
lab_ctl route import vpc red file "$lab_dir/routes"
change=$(lab_ctl -j history red | jq -r 'max_by(.epoch).change')
lab_synced red 100 h1

# finding VNI "CLASS OBJECT"...: the audit finds these, in this order, in that VPC, and nothing else anywhere.
finding() {
	local vni=$1 status=0 found
	shift
	lab_reconcile h1 -j --settle 500 --max-lag 0 > "$lab_dir/report" || status=$?
	cat "$lab_dir/report"
	same "$status" 1 "exit status of vpc_reconcile"
	found=$(jq -r '.vpcs[] | .vni as $vni | .findings[] | "\($vni) \(.class) \(.object)"' "$lab_dir/report")
	same "$found" "$(printf "$vni %s\n" "$@")" "findings"
}
sql() { MYSQL_PWD=$VPC_CDB_PASSWORD mariadb -h "$lab_cdb_host" -P "$lab_cdb_port" -u "$VPC_CDB_USER" "$lab_database" -e "$1"; }
tamper() { ip netns exec h1 tamper "$@"; }
# An audit that could not compare says why: uncomparable PATTERN
uncomparable() {
	expect 2 "$1" lab_reconcile h1
	expect 2 '"could not compare"' lab_reconcile h1 -j
}

# What the agent puts right by itself must not be put right before the audit has seen it.
lab_agent_stop h1

begin "consistent: exit 0 by digest and in full, and --verify reads what forwarding reads"
expect 0 'routes and [0-9]+ nexthops compared by digest' lab_reconcile h1 -v
expect 0 'nexthops compared$' lab_reconcile h1 -v --full
expect 0 '' lab_reconcile h1 --verify

begin "a route that is missing in the kernel"
lab_kernel route del 100 172.16.3.0/24 table 1 netns h1
finding 100 "missing route table 1 172.16.3.0/24"
expect 1 "agent to kernel: ZooKeeper has epoch [0-9]+ right.*; since 20.*, change $change\$" lab_reconcile h1
lab_kernel route set 100 172.16.3.0/24 nexthop 7 table 1 netns h1
expect 0 '' lab_reconcile h1

begin "a route that CDB does not have"
lab_kernel route set 100 192.168.0.0/16 nexthop 8 table 1 netns h1
finding 100 "foreign route table 1 192.168.0.0/16"
lab_kernel route del 100 192.168.0.0/16 table 1 netns h1
expect 0 '' lab_reconcile h1

begin "a route to another nexthop"
lab_kernel route set 100 172.16.4.0/24 nexthop 8 table 1 netns h1
finding 100 "different route table 1 172.16.4.0/24"
expect 1 'CDB has nexthop 7, the kernel has nexthop 8' lab_reconcile h1
lab_kernel route set 100 172.16.4.0/24 nexthop 7 table 1 netns h1
expect 0 '' lab_reconcile h1

begin "a nexthop that is missing, one that CDB does not have, and one that leads elsewhere"
tamper nexthop del 100 8
finding 100 "missing nexthop 8"
tamper nexthop set 100 8 gateway 192.0.2.14
tamper nexthop set 100 9 blackhole
finding 100 "foreign nexthop 9"
tamper nexthop del 100 9
tamper nexthop set 100 7 gateway 192.0.2.99
finding 100 "different nexthop 7"
expect 1 'CDB has .*192\.0\.2\.13.* the kernel has .*192\.0\.2\.99' lab_reconcile h1
tamper nexthop set 100 7 gateway 192.0.2.13
expect 0 '' lab_reconcile h1 --verify

begin "several differences at once are all named"
tamper nexthop set 100 8 blackhole
lab_kernel route del 100 172.16.3.0/24 table 1 netns h1
lab_kernel route set 100 172.16.4.0/24 nexthop 8 table 1 netns h1
finding 100 "different nexthop 8" "missing route table 1 172.16.3.0/24" "different route table 1 172.16.4.0/24"
lab_kernel route set 100 172.16.3.0/24 nexthop 7 table 1 netns h1
lab_kernel route set 100 172.16.4.0/24 nexthop 7 table 1 netns h1
tamper nexthop set 100 8 gateway 192.0.2.14
expect 0 '' lab_reconcile h1 --verify

begin "a VPC that this host should not have"
tamper vpc add 300
finding 300 "foreign VPC"
tamper vpc del 300
expect 0 '' lab_reconcile h1

begin "CDB's rows and its digest do not fit: it could not compare, which is neither drift nor silence"
sql "UPDATE vpc SET digest0 = digest0 ^ 1 WHERE vni = 100"
uncomparable 'its digest is not that of its content'
sql "UPDATE vpc SET digest0 = digest0 ^ 1 WHERE vni = 100"
expect 0 '' lab_reconcile h1

begin "the kernel is behind: lag, which is no alarm until it has lasted"
lab_ctl route add 172.17.0.0/16 vpc red via nexthop 7
expect 0 '1 behind, for [0-9.]+ s' lab_reconcile h1 -v
expect 3 'ZooKeeper to agent: HEAD is at [0-9]+; no agent answers; since' lab_reconcile h1 --max-lag 0

begin "drift in a kernel that is also behind is still drift"
lab_kernel route del 100 172.16.5.0/24 table 1 netns h1
finding 100 "missing route table 1 172.16.5.0/24" "lag content"
lab_kernel route set 100 172.16.5.0/24 nexthop 7 table 1 netns h1

begin "a port whose VPC's content is still on its way is lag, too"
cloud_guest red b h1 10.0.0.6
expect 0 'lag +port t-b' lab_reconcile h1 -v --settle 500

begin "the agent is back and puts everything right"
lab_kernel route del 100 172.16.6.0/24 table 1 netns h1
lab_agent_start h1
lab_synced red 100 h1
wait_until "lab_reconcile h1 --max-lag 0" 30
expect 0 '' lab_reconcile h1 --verify

begin "ways to random destinations are those that CDB says"
expect 0 ', [1-9][0-9]* ways probed$' lab_reconcile h1 -v --probe 40

begin "a repair goes through the agent, is capped, and checked"
lab_kernel route set 100 172.16.7.0/24 nexthop 8 table 1 netns h1
expect 1 'no repair: 1 differences are more than --max-repairs 0: nothing was touched' lab_reconcile h1 --repair --max-repairs 0
expect 1 '172.16.7.0/24' lab_reconcile h1 --table 1
expect 0 'repair of VPC 100 at epoch [0-9]+, 1 differences: the agent was asked' lab_reconcile h1 --repair
expect 0 '' lab_reconcile h1 --verify

begin "a watch says what changes, and ends in order"
lab_spawn watch vpc_reconcile -c "$(lab_conf)" -H h1 -n h1 --watch=1 --settle 500 --metrics-port 9470
wait_until "(( \$(log_count watch '^h1: consistent') > 1 ))"
lab_kernel route del 100 172.16.8.0/24 table 1 netns h1
log_since watch 'missing +route table 1 172.16.8.0/24' 0
same "$(log_count watch 'missing')" 1 "reports of one difference"
expect 0 'afterwards' lab_reconcile h1 --repair
wait_until "tail -n 1 $lab_dir/watch.log | grep -q '^h1: consistent'"
exec {http}<> /dev/tcp/127.0.0.1/9470
printf 'GET /metrics HTTP/1.0\r\n\r\n' >&"$http"
grep -q '^vpc_reconcile_result{result="consistent"} 1$' <&"$http"
exec {http}>&-
lab_stop watch

begin "a long audit that came to its end leaves nothing to resume"
expect 0 'resumed: nothing; no run before' lab_reconcile h1 --full --resume --progress "$lab_dir/progress"
[[ ! -e $lab_dir/progress ]]

begin "what is recorded is seen in the fleet"
expect 2 'h1 +silent .*has never recorded anything' vpc_reconcile fleet -c "$(lab_conf)"
expect 0 '' lab_reconcile h1 --record --metrics "$lab_dir/audit.prom"
grep -q '^vpc_reconcile_result{result="consistent"} 1$' "$lab_dir/audit.prom"
expect 0 '^fleet: 1 hosts: 1 consistent' vpc_reconcile fleet -c "$(lab_conf)"

begin "a port that is not as CDB says, while no change is on its way"
sql "UPDATE port SET flags = 1 WHERE dev = 't-a'"
expect 1 'different +port t-a' lab_reconcile h1 --settle 500 --max-lag 0
expect 1 'CDB to ZooKeeper: ports in ZooKeeper: revision [0-9]+ with something else' lab_reconcile h1 --settle 500 --max-lag 0
sql "UPDATE port SET flags = 0 WHERE dev = 't-a'"
expect 0 '' lab_reconcile h1

begin "the kernel is ahead of CDB, as after CDB was restored from a backup"
lab_agent_stop h1
epoch=$(lab_kernel_epoch h1 100)
tamper epoch 100 $((epoch + 7))
uncomparable "kernel is at epoch $((epoch + 7)), CDB only at $epoch: was CDB restored"

begin "a port that is not there, and a VPC that is not there"
tamper port del t-b
finding 100 "missing port t-b"
tamper port del t-a
tamper vpc del 100
finding 100 "missing VPC" "missing port t-a" "missing port t-b"
lab_agent_start h1
lab_synced red 100 h1
wait_until "lab_reconcile h1 --max-lag 0" 30
expect 0 '' lab_reconcile h1 --verify

begin "could not compare: an unknown host, no module's namespace, a wrong option"
expect 2 'h77' lab_reconcile h77
expect 2 '' vpc_reconcile -c "$(lab_conf)" -H h1 -n no-such-namespace
expect 2 '' vpc_reconcile -c /nonexistent -H h1
expect 2 "unexpected argument|unrecognized option" lab_reconcile h1 --no-such-option
