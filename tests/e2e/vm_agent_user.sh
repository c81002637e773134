#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The agent as the user that its unit gives it, with CAP_NET_ADMIN and nothing else, for the machine's own namespace.
# Metrics, status, cache, SIGHUP and a restart work like that. The unit's other walls are systemd's: tests/systemd/units.sh.
#
#      h9, this machine's own namespace: agent as nobody ─▶ vpc.ko, the same one that h1 has
#      h1 192.0.2.11 ── a 10.0.0.5
#
. "$(dirname "$0")/lib.sh"

agent_start() {
	lab_spawn agent-h9 setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs \
		--inh-caps=-all,+net_admin --ambient-caps=-all,+net_admin --bounding-set=-all,+net_admin \
		"$(command -v vpc_agent)" -c /run/vpc-h9/agent.conf
}
status() { vpcctl -c /run/vpc-h9/agent.conf agent status; }
live() { says ': live for' "$(status)"; }

lab_up "$scenario"
cloud_up 1
cloud_vpc red 100 10.0.0.0/16
cloud_guest red a h1 10.0.0.5
lab_ctl host add h9 vtep 192.0.2.19
lab_ctl port add z vpc red subnet main host h9 dev t-z
lab_synced red 100 h1
install -d -o 65534 -g 65534 -m 755 /run/vpc-h9 /run/vpc-h9/state
sed "s|^state_dir.*|state_dir = /run/vpc-h9/state\nrun_dir = /run/vpc-h9|; s|^metrics_port.*|metrics_port = 9469|" \
	"$(lab_conf h9)" > /run/vpc-h9/agent.conf
chmod 644 /run/vpc-h9/agent.conf

begin "with CAP_NET_ADMIN alone it gets live, and everything of it works"
agent_start
wait_until live
same "$(sed -n 's/^CapEff:\t//p' "/proc/$(lab_pid agent-h9)/status")" 0000000000001000 "capabilities"
same "$(sed -n 's/^CapBnd:\t//p' "/proc/$(lab_pid agent-h9)/status")" 0000000000001000 "capabilities it could have"
expect 0 'vni 100: epoch [0-9]+$' status
exec {http}<> /dev/tcp/127.0.0.1/9469
printf 'GET /metrics HTTP/1.0\r\n\r\n' >&"$http"
expect 0 '^vpc_agent_state\{state="live"\} 1$' cat <&"$http"
exec {http}>&-
wait_until '[[ -s /run/vpc-h9/state/h9/vpc-100 ]]'

begin "SIGHUP: a new level at once, and what needs a restart is named"
sed -i 's/^level.*/level = info/; s/^session_timeout_ms.*/session_timeout_ms = 9000/' /run/vpc-h9/agent.conf
kill -HUP "$(lab_pid agent-h9)"
log_since agent-h9 'configuration read again: \[log\] level changed' 0
log_since agent-h9 '\[zookeeper\] session_timeout_ms: needs a restart' 0
sed -i 's/^level.*/level = loud/' /run/vpc-h9/agent.conf
expect 1 'level: .loud. is not a level' vpc_agent -c /run/vpc-h9/agent.conf --check-config
kill -HUP "$(lab_pid agent-h9)"
log_since agent-h9 'the configuration stays as it was' 0
sed -i 's/^level.*/level = info/' /run/vpc-h9/agent.conf
expect 0 '' vpc_agent -c /run/vpc-h9/agent.conf --check-config

begin "a second one of the name is refused; killed and started again it takes over"
expect 1 'another agent answers for host h9' vpc_agent -c /run/vpc-h9/agent.conf
lab_stop agent-h9 KILL
agent_start
wait_until live
log_since agent-h9 'taking over 1 VPCs and 1 ports' 0
lab_stop agent-h9
