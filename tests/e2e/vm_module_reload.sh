#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# rmmod and insmod ten times under traffic: refused while a port is bound, clean otherwise, and the agents, which run
# on, install everything anew.
#
#      h1 192.0.2.11 ── a 10.0.0.5  ═══ ping, all the time ═══▶  c 10.0.1.7 ── h2 192.0.2.12
#      t-a and t-c are taken out of their hosts for a moment, as an operator unplugs them
#
. "$(dirname "$0")/lib.sh"

lab_up "$scenario"
cloud_up 2
cloud_vpc red 100 10.0.0.0/16
cloud_guest red a h1 10.0.0.5
cloud_guest red c h2 10.0.1.7
lab_synced red 100 h1 h2
lab_traffic_start ac a 10.0.1.7

begin "refused while ports are bound, and nothing changes"
expect 1 'in use' lab_module_unload
lab_traffic_flows ac

begin "ten times out and in, with packets arriving all the while"
for i in 1 2 3 4 5 6 7 8 9 10; do
	echo "round $i, after $SECONDS s"
	ip -n h1 link set t-a netns 1
	ip -n h2 link set t-c netns 1
	wait_until lab_module_unload 10
	same "$(lab_module_loaded && echo loaded)" "" "module after rmmod"
	lab_module_load
	ip link set t-a netns h1
	ip link set t-c netns h2
	ip -n h1 link set t-a up
	ip -n h2 link set t-c up
	lab_traffic_flows ac 40
done

begin "afterwards all is as CDB says"
lab_synced red 100 h1 h2
for host in h1 h2; do wait_until "lab_reconcile $host --max-lag 0" 30; done
lab_traffic_stop ac
