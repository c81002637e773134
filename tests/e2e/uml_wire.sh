#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Packets that no sound host or guest would send into the module, in a kernel with KASAN, lockdep and kmemleak
# (tests/tools/wirefuzz.c).
# Without arguments the inputs that are kept in tests/fuzz/corpus/wirefuzz are replayed. "run" looks for new ones, which --cover
# guides by what of vpc.ko they come through; "keep" chooses the fewest that show all of it (scripts/fuzz.sh calls both):
#
#     scripts/uml.sh --debug -- tests/e2e/uml_wire.sh
#     scripts/uml.sh --cover --timeout 1200 -- tests/e2e/uml_wire.sh run SECONDS [SEED]
#     scripts/uml.sh --cover --timeout 1200 -- tests/e2e/uml_wire.sh keep
#
# What is found comes to build/fuzz/wirefuzz; what was at work when something failed is "current" there.
#
#     p0 10.0.0.5 2001:db8:a::5 ─┬─ this host, VPC 100 ── u0 192.0.2.11, 2001:db8:1::11 ··· .12, .13, ::12
#     p1 10.0.0.9 2001:db8:a::9 ─┘                              all three are taps, whose other end is wirefuzz
#
. "$(dirname "$0")/debug.sh"

state() {
	local net6=2001:db8:a: i
	echo 'host vtep4 192.0.2.11 vtep6 2001:db8:1::11'
	echo 'vpc 100'
	for i in 11 12 13; do echo "nexthop 100 $i host 192.0.2.$i"; done
	cat <<-END
		nexthop 100 1 local
		nexthop 100 14 host 2001:db8:1::12
		nexthop 100 20 blackhole
		nexthop 100 21 prohibit
		nexthop 100 22 unreachable
		nexthop 100 23 gateway 192.0.2.13
		nexthop 100 24 group
		nexthop 100 25 peer 200 table 1
		member 100 24 12
		member 100 24 23 weight 3
		route 100 0 10.0.0.5/32 11
		route 100 0 10.0.0.9/32 11
		route 100 0 10.0.0.6/32 12
		route 100 0 10.0.0.7/32 14
		route 100 0 10.0.1.0/24 13
		route 100 0 ${net6}:5/128 11
		route 100 0 ${net6}:9/128 11
		route 100 0 ${net6}:6/128 12
		route 100 0 ${net6}:7/128 14
		route 100 0 ${net6}1::/64 13
		route 100 1 10.0.0.0/16 1
		route 100 1 ${net6}:/48 1
	END
	for i in 20 21 22 23 24 25; do
		echo "route 100 1 10.$i.0.0/16 $i"
		echo "route 100 1 2001:db8:$i::/48 $i"
	done
	cat <<-END
		vpc 200
		nexthop 200 1 local
		nexthop 200 12 host 192.0.2.12
		route 200 0 10.25.0.1/32 12
		route 200 0 2001:db8:25::1/128 12
		route 200 1 10.25.0.0/16 1
		route 200 1 2001:db8:25::/48 1
		port p0 vpc 100 mac 02:00:00:00:00:05 table 1 addr 10.0.0.5/32 addr ${net6}:5/128 gateway4 10.0.0.1 gateway6 ${net6}:1
		port p1 vpc 100 mac 02:00:00:00:00:09 table 1 addr 10.0.0.9/32 addr ${net6}:9/128 gateway4 10.0.0.1 gateway6 ${net6}:1
	END
}

# In a namespace of its own. Neighbours stay what they are, whatever the fuzzer says of them.
# shellcheck disable=SC2317  # called by the inner shell
host() {
	ip -batch - <<-END
		tuntap add dev p0 mode tap vnet_hdr
		tuntap add dev p1 mode tap vnet_hdr
		tuntap add dev u0 mode tap
	END
	# What comes out there is then the module's alone.
	sysctl -qw net.ipv6.conf.p0.disable_ipv6=1 net.ipv6.conf.p1.disable_ipv6=1
	for name in ipv4.conf.all.accept_redirects ipv4.conf.u0.accept_redirects ipv6.conf.u0.accept_redirects \
		ipv6.conf.u0.accept_ra ipv4.conf.u0.rp_filter ipv4.conf.all.rp_filter; do
		sysctl -qw net.$name=0
	done
	ip -batch - <<-END
		link set p0 mtu 1450 up
		link set p1 mtu 1450 up
		link set u0 address 02:55:c0:00:02:0b up
		address add 192.0.2.11/24 dev u0
		address add 2001:db8:1::11/64 dev u0 nodad
		neigh replace 192.0.2.12 lladdr 02:55:c0:00:02:0c dev u0 nud permanent
		neigh replace 192.0.2.13 lladdr 02:55:c0:00:02:0d dev u0 nud permanent
		neigh replace 2001:db8:1::12 lladdr 02:55:c0:00:02:0c dev u0 nud permanent
	END
	state | vpcctl kernel restore -
	"$@"
}
export -f state host

begin "packets from guests and from the wire"
lab_module_loaded || lab_module_load
modprobe tun
# shellcheck disable=SC2016  # for the inner shell
inside() { unshare -n bash -ec 'host "$@"' bash "$@"; }
fuzz wirefuzz "$@"

nothing_leaked
