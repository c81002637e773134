#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# insmod and rmmod many times while packets come from guests and from the wire: each time the module forwards, and at the
# end the kernel holds no more memory than after the first tenth of the cycles. "make cycles" runs it in User Mode Linux;
# uml_debug.sh in the debug kernel, with fewer, where KASAN holds memory back and kmemleak looks instead.
#
#     uml_cycles.sh [CYCLES]                       1000 by default
#
#     vm-a 10.0.0.5 ── t-a  h1 192.0.2.11 ── bridge underlay ── 192.0.2.12 h2  t-b ── 10.0.0.6 vm-b
#                                                 └── 192.0.2.13 w, which sends a's packets from the wire
#
. "$(dirname "$0")/lib.sh"

cycles=${1:-1000}
warm=$(((cycles + 9) / 10))
# In one cache; one object lost in every third cycle is more.
few=$(((cycles - warm) / 3 + 32))

# state VTEP DEV ADDRESS: a host with a VPC of two thousand routes, groups and every way out.
state() {
	cat <<-END
		host vtep4 $1
		vpc 100
		nexthop 100 1 local
		nexthop 100 11 host 192.0.2.11
		nexthop 100 12 host 192.0.2.12
		nexthop 100 13 host 192.0.2.13
		nexthop 100 20 blackhole
		nexthop 100 30 group
		member 100 30 11
		member 100 30 12
		route 100 0 10.0.0.5/32 11
		route 100 0 10.0.0.6/32 12
		route 100 1 10.0.0.0/16 1
		route 100 1 10.10.0.0/16 30
		port $2 vpc 100 mac 02:00:00:00:00:0${3##*.} table 1 addr $3/32 gateway4 10.0.0.1
	END
	awk 'BEGIN { for (i = 0; i < 2000; i++) printf "route 100 1 172.16.%d.%d/32 20\n", i / 250, i % 250 }'
}

# What the kernel holds: caches' objects, and pages in bytes. Files' caches are dropped first.
holds() {
	echo 3 > /proc/sys/vm/drop_caches
	awk 'NR > 2 { print "slab", $1, $2 }' /proc/slabinfo
	awk '/^(SUnreclaim|VmallocUsed|Percpu|KernelStack|PageTables):/ { print "pages", $1, $2 * 1024 }' /proc/meminfo
}

# lost BEFORE AFTER: what has grown by more than chance: objects of a cache, or half a page a cycle.
lost() {
	awk -v few=$few -v pages=$(((cycles - warm) * 2048 + 1048576)) '
		NR == FNR { before[$1, $2] = $3; next }
		{ grown = $3 - before[$1, $2] }
		grown > ($1 == "slab" ? few : pages) { print $2, grown }' <(echo "$1") <(echo "$2")
}

lab_up ''
lab_host_add h1 192.0.2.11
lab_host_add h2 192.0.2.12
lab_host_add w 192.0.2.13
lab_guest_add a h1 t-a 10.0.0.5/16 10.0.0.1 02:00:00:00:00:05
lab_guest_add b h2 t-b 10.0.0.6/16 10.0.0.1 02:00:00:00:00:06
cat > "$lab_dir/vxlan.pl" <<'EOP'
# Echo requests of 10.0.0.6 to 10.0.0.5 from the wire, 500 a second; ICMP about the closed port is no end.
use IO::Socket::IP;
use Time::HiRes qw(sleep);
my $s = IO::Socket::IP->new(LocalAddr => "192.0.2.13", PeerAddr => "192.0.2.11", PeerPort => 4789, Proto => "udp") or die $@;
my $inner = pack("H*", "020000000005feee000000010800" . "4500001c00000000400166d70a0000060a000005" . "0800f7ff00000000");
while (1) {
	$s->send(pack("NN", 0x08000000, 100 << 8) . $inner);
	sleep 0.002;
}
EOP
state 192.0.2.11 t-a 10.0.0.5 > "$lab_dir/h1.state"
state 192.0.2.12 t-b 10.0.0.6 > "$lab_dir/h2.state"

# Without what debuggers want the kernel has less to copy.
strip --strip-debug -o "$lab_dir/vpc.ko" build/vpc.ko

run() { cycles "$1" "$lab_dir/vpc.ko" vm-a 10.0.0.6 h1="$lab_dir/h1.state" h2="$lab_dir/h2.state"; }

begin "$cycles times in and out under traffic, forwarding each time"
modprobe udp_tunnel
modprobe ip6_udp_tunnel
lab_spawn a-to-b ip netns exec vm-a ping -q -n -i 0.01 10.0.0.6
lab_spawn b-to-a ip netns exec vm-b ping -q -n -i 0.01 10.0.0.5
lab_spawn wire ip netns exec w perl "$lab_dir/vxlan.pl"
run $warm
before=$(holds)
start=${EPOCHREALTIME/./}
run $((cycles - warm))
took_ms=$(((${EPOCHREALTIME/./} - start) / 1000))
after=$(holds)
echo "$((cycles - warm)) cycles in $took_ms ms, after $warm to get warm"
same "$(lab_alive a-to-b && lab_alive b-to-a && lab_alive wire && echo alive)" alive "traffic"
lab_stop wire KILL
for name in a-to-b b-to-a; do
	lab_stop "$name" INT || true
	grep transmitted "$lab_dir/$name.log"
done

[[ ! -e /sys/kernel/debug/kmemleak ]] || exit 0
begin "nothing of it is left in the kernel's memory"
diff <(echo "$before") <(echo "$after") | grep '^[<>]' | sort -k3 || true
same "$(lost "$before" "$after")" '' "what has grown"
