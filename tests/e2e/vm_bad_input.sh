#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Nonsense in ZooKeeper or in a configuration: one clear line that names it, the last good state stays, and the daemon
# goes on once it is put right.
#
#      h1 192.0.2.11: a 10.0.0.5 in red (VNI 100), whose HEAD, delta and ports are overwritten with nonsense
#
. "$(dirname "$0")/lib.sh"

lab_up "$scenario"
cloud_up 1
cloud_vpc red 100 10.0.0.0/16
cloud_guest red a h1 10.0.0.5
cloud_guest red b h1 10.0.0.6
lab_synced red 100 h1
lab_traffic_start ab a 10.0.0.6
head=$(lab_head 100)
epoch=$(lab_kernel_epoch h1 100)
# No publisher that could put it right meanwhile.
lab_publisher_stop

# complains PATTERN: the agent says so, in one line, and keeps what it has.
complains() {
	wait_until "grep -qE '$1' $lab_dir/agent-h1.log" 20
	same "$(lab_kernel_epoch h1 100)" "$epoch" "epoch"
	lab_alive agent-h1
}

begin "a HEAD that is no JSON, of an unknown version, of another VPC, with wrong types"
good=$(lab_zkcat get "$head")
for bad in '{"v":1,"vni":100,"epo' '[]' "${good/\"v\":1/\"v\":9}" "${good/\"vni\":100/\"vni\":101}" \
	"$(jq -c '.epoch = "many"' <<< "$good")" "$(jq -c '.digest = "xyz"' <<< "$good")" "$(jq -c 'del(.snapshot)' <<< "$good")"; do
	: > "$lab_dir/agent-h1.log"
	lab_zkcat put "$head" "$bad"
	complains "$head.*keeping epoch $epoch"
done
lab_zkcat put "$head" "$good"

begin "a HEAD larger than any may be"
: > "$lab_dir/agent-h1.log"
lab_zkcat put "$head" "$(head -c 5000 /dev/zero | tr '\0' ' ')$good"
complains "$head.*keeping epoch $epoch"
lab_zkcat put "$head" "$good"

begin "a delta that does not end in its digest is not installed"
: > "$lab_dir/agent-h1.log"
zeros=00000000000000000000000000000000
lab_zkcat put "$head/l$((epoch + 1))" "{\"v\":1,\"vni\":100,\"base\":$epoch,\"epoch\":$((epoch + 1)),\"digest\":\"$zeros\",\"change\":\"x\",\"nexthops\":{\"set\":[{\"id\":9,\"type\":\"blackhole\"}],\"del\":[]},\"routes\":{\"set\":[[1,\"0.0.0.0/0\",9]],\"del\":[]}}"
lab_zkcat put "$head" "$(jq -c --arg d "$zeros" ".epoch = $((epoch + 1)) | .digest = \$d" <<< "$good")"
complains 'digest'
lab_traffic_flows ab
lab_zkcat put "$head" "$good"
lab_zkcat rm "$head/l$((epoch + 1))"

begin "ports that make no sense leave the ports as they are"
ports=$(lab_zkcat ls /vpc/v1/hosts | while read -r bucket; do echo "/vpc/v1/hosts/$bucket/h1/ports"; done | head -n1)
goodports=$(lab_zkcat get "$ports")
for bad in '{' "$(jq -c '.ports[0].addrs = ["10.0.0.5/33"]' <<< "$goodports")" "$(jq -c '.ports[0].mac = 7' <<< "$goodports")" \
	"$(jq -c '.ports[1].dev = .ports[0].dev' <<< "$goodports")" "$(jq -c '.host = "h9"' <<< "$goodports")"; do
	: > "$lab_dir/agent-h1.log"
	lab_zkcat put "$ports" "$bad"
	complains "$ports"
	has_port h1 t-a
	has_port h1 t-b
done
lab_zkcat put "$ports" "$goodports"

begin "put right, everything flows again"
lab_publisher_start
lab_ctl route add 172.16.0.0/12 vpc red via blackhole
lab_synced red 100 h1
wait_until "lab_reconcile h1 --max-lag 0" 20
whole ab

begin "a wrong configuration: exit 1 and one line that names file, line and key"
for bad in 's/^port = .*/port = 99999/' 's/^session_timeout_ms = .*/session_timeout_ms = soon/' 's/^level = .*/level = loud/' \
	's/^\[log\]/[lag]/' 's/^hosts = .*/hosts = somewhere/' 's/^status_interval_s/status_interval/'; do
	sed "$bad" "$(lab_conf h1)" > "$lab_dir/bad.conf"
	expect 1 'bad.conf' vpc_agent -c "$lab_dir/bad.conf" --netns h1
	expect 1 'bad.conf' vpc_publisher -c "$lab_dir/bad.conf"
	same "$(vpc_agent -c "$lab_dir/bad.conf" --netns h1 2>&1 | wc -l)" 1 "lines"
done
expect 1 'no-such-option' vpc_agent --no-such-option
expect 1 'nowhere' vpc_agent -c "$(lab_conf h1)" --netns nowhere
