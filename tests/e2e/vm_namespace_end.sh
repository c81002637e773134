#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A namespace ends with ports bound, packets under way and a tunnel open: everything of it is freed, others go on.
#
#      h1 192.0.2.11 ── a, b        h2 192.0.2.12 ── c, d: deleted, and made again, three times
#
. "$(dirname "$0")/lib.sh"

lab_up "$scenario"
cloud_up 2
cloud_vpc red 100 10.0.0.0/16
cloud_guest red a h1 10.0.0.5
cloud_guest red b h1 10.0.0.6
cloud_guest red c h2 10.0.1.7
cloud_guest red d h2 10.0.1.8
lab_synced red 100 h1 h2
# The MAC that CDB has for a guest.
mac() { lab_ctl -j port show "$1" vpc red | jq -r 'if type == "array" then .[0].mac else .mac end'; }
used() { awk '$1 == "vpc" { print $3 }' /proc/modules; }
begin "a host's namespace is deleted under traffic, its guests' too, three times"
before=$(used)
for i in 1 2 3; do
	lab_traffic_start "ac$i" a 10.0.1.7 0.01
	lab_agent_kill h2
	ip netns del h2
	ip netns del vm-c
	ip netns del vm-d
	# h1's two ports are what is left.
	wait_until "same \"\$(used)\" 2" 30
	lab_traffic_stop "ac$i"
	lab_host_add h2 192.0.2.12
	lab_guest_add c h2 t-c 10.0.1.7/16 10.0.0.1 "$(mac c)"
	lab_guest_add d h2 t-d 10.0.1.8/16 10.0.0.1 "$(mac d)"
	lab_agent_start h2
	lab_synced red 100 h2
	wait_until "lab_ping a 10.0.1.7 1" 30
	same "$(used)" "$before" "users of the module"
done

begin "a device that goes leaves its port waiting, and is bound again when it comes back"
ip -n h1 link del t-b
wait_until "same \"\$(used)\" $((before - 1))" 10
has_port h1 t-b
ip netns del vm-b
lab_guest_add b h1 t-b 10.0.0.6/16 10.0.0.1 "$(mac b)"
wait_until "lab_ping a 10.0.0.6 1" 20

begin "the last namespaces go while agents look on, and the module is free"
ip netns del h1
ip netns del h2
lab_agent_stop h1
lab_agent_stop h2
wait_until "same \"\$(used)\" 0" 30
wait_until lab_module_unload 10
