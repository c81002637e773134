#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs inside User Mode Linux (tests/bench/run.sh starts it): the tables against the kernel's FIB, by vpc_bench.ko.
#
#   tables.sh VPC_BENCH_KO FOLDER     FOLDER has v4.txt, v6.txt and hosts.txt; tables.txt is written there

set -euo pipefail

ko=$1 folder=$2
address() { awk -v name="$1" '$3 == name { print "0x" $1; exit }' /proc/kallsyms; }

ip link set lo up
# The loopback has to have IPv6 for its routes, and the FIB's IPv6 table a place for all of them.
sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.route.max_size=2147483647
dmesg -C
insmod "$ko" "v4=$folder/v4.txt" "v6=$folder/v6.txt" "hosts=$folder/hosts.txt" \
	"fib_table_insert_at=$(address fib_table_insert)" "ip6_route_add_at=$(address ip6_route_add)" 2> /run/insmod || true
dmesg | sed -n 's/.*bench \([a-z0-9_]* [0-9,]* [0-9,-]*\)$/\1/p' > "$folder/tables.txt"
# Whether all have found the same.
dmesg | sed -n 's/.*\] bench: //p'
# It ends with ECANCELED when all is done.
if ! grep -q "Operation canceled" /run/insmod; then
	cat /run/insmod >&2
	dmesg | tail -n 20 >&2
	exit 1
fi
