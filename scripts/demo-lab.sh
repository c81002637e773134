#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The part of demo.sh that runs inside the virtual machine. The lab, as lab.sh draws it:
#
#     h1 192.0.2.11              h2 192.0.2.12              h3 192.0.2.13
#     ├─ red-1   10.0.0.5        ├─ red-2   10.0.1.6        └─ blue-2  10.0.1.6
#     └─ blue-1  10.0.0.5        └─ (blue has nothing here)
#
# Each step says what it does, does it, checks it, and says how long it took; the first that fails ends the demonstration.

set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=lab.sh
. scripts/lab.sh

summary=() title='' step_start=0

step() {
	step_end
	title=$1
	step_start=$(date +%s%N)
	printf '\n== %s\n' "$title"
}

step_end() {
	local ms
	[[ -n $title ]] || return 0
	ms=$((($(date +%s%N) - step_start) / 1000000))
	printf '   done in %d.%03d s\n' $((ms / 1000)) $((ms % 1000))
	summary+=("$(printf '%6d.%03d s  %s' $((ms / 1000)) $((ms % 1000)) "$title")")
}

say() { printf '   %s\n' "$*"; }

# Shows a command and what it prints.
run() {
	printf '   $ %s\n' "$*"
	"$@" 2>&1 | sed 's/^/     /'
	return "${PIPESTATUS[0]}"
}

failed() {
	local status=$?
	trap - EXIT
	[[ $status = 0 ]] || { echo "the demonstration failed in: $title"; lab_report; }
	exit "$status"
}
trap failed EXIT

# A guest that tells who it is to whoever connects.
guest() {
	local vpc=$1 name=$2 host=$3 address=$4 mac=$5
	lab_guest_add "$name" "$host" "t-$name" "$address/16" 10.0.0.1 "$mac"
	lab_ctl port add "$name" vpc "$vpc" subnet main host "$host" dev "t-$name" address "$address" mac "$mac" > /dev/null
	say "$name: $address, a port of $vpc on $host"
	lab_spawn "name-$name" ip netns exec "vm-$name" socat TCP-LISTEN:7777,reuseaddr,fork SYSTEM:"echo $name"
}

who_is() { lab_in "$1" timeout 10 socat -u "TCP:$2:7777" -; }

# -- the cloud ---------------------------------------------------------------------------------------------------------

step "Inserting vpc.ko into $(uname -r), the stock kernel of Debian"
lab_up demo
lab_module_load
run modinfo -F description build/vpc.ko

step "Creating CDB's tables; starting vpc_publisher, which carries changes from CDB to ZooKeeper"
run lab_ctl db init
lab_publisher_start

step "Three hosts, each a network namespace with its own tables in the kernel and its own vpc_agent"
for i in 1 2 3; do
	lab_host_add "h$i" "192.0.2.1$i"
	lab_ctl host add "h$i" vtep "192.0.2.1$i" > /dev/null
	lab_agent_start "h$i"
	say "h$i at 192.0.2.1$i, agent $(lab_pid "agent-h$i")"
done

step "Two customers, red and blue, with the same addresses: 10.0.0.0/16 each"
for vpc in "red 100" "blue 200"; do
	read -r name vni <<< "$vpc"
	run lab_ctl vpc add "$name" vni "$vni" range 10.0.0.0/16
	lab_ctl subnet add main vpc "$name" prefix 10.0.0.0/16 > /dev/null
done
guest red red-1 h1 10.0.0.5 02:00:00:00:01:01
guest blue blue-1 h1 10.0.0.5 02:00:00:00:02:01
guest red red-2 h2 10.0.1.6 02:00:00:00:01:02
guest blue blue-2 h3 10.0.1.6 02:00:00:00:02:02
lab_synced red 100 h1 h2
lab_synced blue 200 h1 h3
run lab_kernel vpc show netns h1
run lab_kernel port show netns h1

# -- packets -----------------------------------------------------------------------------------------------------------

step "Packets between hosts, inside each VPC: ping and iperf3"
for vpc in red blue; do
	wait_until "lab_ping $vpc-1 10.0.1.6 1" 30
	lab_ping "$vpc-1" 10.0.1.6 5
	say "$vpc-1 reaches 10.0.1.6: 5 of 5 pings came back"
done
lab_spawn iperf ip netns exec vm-red-2 iperf3 -s
wait_until "lab_in red-2 ss -ltn | grep -q :5201"
lab_in red-1 iperf3 -c 10.0.1.6 -t 3 -J > "$lab_dir/iperf"
say "red-1 to red-2, TCP over VXLAN: $(jq -r '.end.sum_received.bits_per_second / 1e6 | floor' "$lab_dir/iperf") Mbit/s in this emulated machine"

step "Isolation: 10.0.1.6 is somebody else to red than to blue, and red has no way to blue"
for vpc in red blue; do
	name=$(who_is "$vpc-1" 10.0.1.6)
	say "10.0.1.6 tells $vpc-1 that it is \"$name\""
	[[ $name = "$vpc-2" ]]
done
before=$(lab_in blue-2 cat /sys/class/net/eth0/statistics/rx_packets)
lab_ping red-1 10.0.1.6 20
after=$(lab_in blue-2 cat /sys/class/net/eth0/statistics/rx_packets)
say "20 pings from red-1 to 10.0.1.6 put $((after - before)) packets on blue-2's wire"
((after - before < 5))
run lab_kernel explain from t-red-1 to 10.0.1.6 netns h1

# -- a real table ------------------------------------------------------------------------------------------------------

want=$(grep -c '^[^#]' "$VPC_DEMO_DIR/routes")
step "A real table as red's route table: $want prefixes through $(wc -l < "$VPC_DEMO_DIR/regions") gateways, one transaction"
while read -r id region; do
	lab_ctl nexthop add vpc red id "$id" type gateway vtep "198.51.100.$((id % 250 + 1))" > /dev/null
	[[ $(wc -l < "$VPC_DEMO_DIR/regions") -gt 20 ]] || say "$region: gateway 198.51.100.$((id % 250 + 1)), nexthop $id"
done < "$VPC_DEMO_DIR/regions"
run lab_ctl route import vpc red table 1 file "$VPC_DEMO_DIR/routes"
say "in CDB; now it travels: publisher, ZooKeeper, agents of h1 and h2, kernel"
epoch=$(lab_cdb_epoch red)
wait_until "[[ \$(lab_kernel_epoch h1 100) = $epoch ]]" 300
wait_until "[[ \$(lab_kernel_epoch h2 100) = $epoch ]]" 300
run lab_kernel vpc show 100 netns h1

step "The same table in the kernel: prefixes counted, a sample of addresses compared with the file"
# Those of the system have ids from 2^31 on: the VPC's own range, which goes to the mapping.
have=$(vpcctl kernel route show 100 table 1 netns h1 | awk '$NF < 2147483648' | wc -l)
say "the file has $want prefixes, table 1 in h1's kernel $have"
[[ $have = "$want" ]]
while read -r address prefix nexthop; do
	found=$(vpcctl -j kernel explain from t-red-1 to "$address" netns h1 |
		jq -r '[.steps[] | select(.step == "route")][0] | "\(.prefix) \(.nexthop)"')
	say "$address: file $prefix via $nexthop, kernel ${found% *} via ${found#* }"
	[[ $found = "$prefix $nexthop" ]]
done < "$VPC_DEMO_DIR/sample"

# -- what goes wrong ---------------------------------------------------------------------------------------------------

step "The agent of h1 is killed with -9 and started again under a running ping: not one packet may be lost"
lab_traffic_start red red-1 10.0.1.6 0.1
lab_traffic_flows red
old=$(lab_pid agent-h1)
lab_agent_kill h1
say "agent $old is dead, the ping goes on"
lab_traffic_flows red
lives=$(grep -c ' live: ' "$lab_dir/agent-h1.log")
lab_agent_start h1
wait_until "(( \$(grep -c ' live: ' $lab_dir/agent-h1.log) > $lives ))" 60
say "agent $(lab_pid agent-h1) is live:$(grep ' live: ' "$lab_dir/agent-h1.log" | tail -n 1 | sed 's/.* live://')"
lab_traffic_flows red
lost=$(lab_traffic_stop red)
say "$(grep -c icmp_seq "$lab_dir/traffic-red.log") pings came back, $lost were lost"
[[ $lost = 0 ]]

step "Reconciliation: every host's kernel against CDB, past ZooKeeper and the agent"
for host in h1 h2 h3; do run lab_reconcile "$host"; done

step "One route of red is tampered with behind the agent's back; vpc_reconcile must find and name it"
read -r _ prefix nexthop < <(tail -n 1 "$VPC_DEMO_DIR/sample")
other=$(awk -v id="$nexthop" '$1 != id { print $1; exit }' "$VPC_DEMO_DIR/regions")
run lab_kernel route set 100 "$prefix" nexthop "$other" table 1 netns h1
status=0
run lab_reconcile h1 > "$lab_dir/report" || status=$?
cat "$lab_dir/report"
[[ $status = 1 ]]
grep -q "different  route table 1 $prefix: CDB has nexthop $nexthop, the kernel has nexthop $other" "$lab_dir/report"

step "Put right, and found consistent again"
run lab_kernel route set 100 "$prefix" nexthop "$nexthop" table 1 netns h1
run lab_reconcile h1 --verify

step_end
title=''
printf '\n== What was shown\n'
printf '%s\n' "${summary[@]}"

if [[ ${VPC_DEMO_SHELL:-0} = 1 ]]; then
	printf '\n%s\n' "The lab is yours: hosts h1 h2 h3, guests red-1 red-2 blue-1 blue-2. Try:" \
		"  lab_in red-1 ping 10.0.1.6            lab_ctl vpc show              lab_kernel stats show netns h1" \
		"  lab_reconcile h1 -v                   lab_ctl history red | head    exit ends the machine"
	export -f lab_in lab_ctl lab_kernel lab_reconcile lab_conf
	declare -p lab_top lab_dir lab_zk lab_cdb_host lab_cdb_port lab_database lab_chroot lab_outside > "$lab_dir/env"
	bash --rcfile <(echo ". '$lab_top/scripts/lab.sh'; . '$lab_dir/env'; PS1='lab# '") -i || true
fi
lab_down
