#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs inside User Mode Linux (tests/bench/run.sh starts it): how long forwarding stands still while the module is
# replaced, with 100,000 routes in each of two hosts' VPC and a ping every 5 ms through them. Five times.
# Prints "module_swap_ms MICROSECONDS,... -", the rest on standard error.
#
#      vm1 10.0.0.5 ── p1 [h1 192.0.2.1] ═══ underlay ═══ [h2 192.0.2.2] p2 ── vm2 10.0.0.6
#
#   upgrade.sh [ROUTES]     in all of both hosts (default 100000)

# shellcheck source=../guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/../guest.sh"
PATH=$top/build:$PATH
routes=${1:-100000}
work=/run/bench-upgrade
mkdir -p "$work"

modprobe -a udp_tunnel ip6_udp_tunnel
[[ -d /sys/module/vpc ]] || insmod build/vpc.ko
guest_hosts
for i in 1 2; do
	{
		echo "host vtep4 192.0.2.$i"
		printf 'vpc 100 epoch 7\nnexthop 100 1 host 192.0.2.1\nnexthop 100 2 host 192.0.2.2\nnexthop 100 3 local\n'
		printf 'route 100 0 10.0.0.5/32 1\nroute 100 0 10.0.0.6/32 2\nroute 100 1 10.0.0.0/24 3\n'
		echo "port p$i vpc 100 mac 02:00:00:00:00:0$i table 1 addr 10.0.0.$((4 + i))/32 gateway4 10.0.0.1"
		awk -v n=$((routes / 2 - 3)) 'BEGIN { for (i = 0; i < n; i++)
			printf "route 100 1 %d.%d.%d.0/24 2\n", 16 + int(i / 65536), int(i / 256) % 256, i % 256 }'
	} > "$work/h$i.txt"
	vpcctl kernel restore "$work/h$i.txt" netns "h$i"
done
ip netns exec vm1 ping -q -c 3 -i 0.2 -W 5 10.0.0.6 > /dev/null

# Pings that got no answer between the first and the last that did.
lost() { awk -F'[= ]' '/bytes from/ { for (i = 1; i < NF; i++) if ($i == "icmp_seq") seq = $(i + 1); n++; if (seq > last) last = seq } END { print last - n }' "$1"; }

for round in 1 2 3 4 5; do
	ip netns exec vm1 ping -n -i 0.005 10.0.0.6 > "$work/ping" 2> /dev/null &
	ping=$!
	until grep -q icmp_seq=100 "$work/ping"; do sleep 0.05; done
	scripts/upgrade-module.sh --module build/vpc.ko --old build/vpc.ko --save "$work/saved" --json > "$work/result"
	before=$(grep -c icmp_seq "$work/ping")
	until (($(grep -c icmp_seq "$work/ping") > before + 50)); do sleep 0.05; done
	kill -INT "$ping"
	wait "$ping" || true
	jq -r --argjson lost "$(lost "$work/ping")" '"round '$round': \(.routes) routes, \(.ports) ports: still for \(.still_us / 1000) ms (unbind \(.unbind_us), remove \(.remove_us), insert \(.insert_us), restore \(.restore_us) us); \($lost) pings lost, 5 ms apart: \($lost * 5) ms"' "$work/result" >&2
	jq .still_us "$work/result" >> "$work/all"
done
echo "module_swap_ms $(paste -sd , "$work/all") -"
