#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The kernel's own tables are corrupted, by a module that is built for this alone (tests/corrupt, "make corrupt"), and each
# way of auditing must find what it can, name it and its leg, and find nothing where nothing is. CDB, ZooKeeper and
# publisher on this machine, agent and module in User Mode Linux (tests/guest.sh).
#
#   tests/audit/corrupt.sh [KIND...]      only these: route drop index nexthop peer group recent port digest
#
#   vm1 10.0.0.5 ── p1 [h1 192.0.2.1: red 100, its peer blue 200] ═══ [h2 192.0.2.2, without a module's state]
#
# Prints a row a fault: what digest, --full, --verify and --probe found of it (class, leg), and after how many
# milliseconds, from the audit's start to its end; "-": nothing, as it must be.

# shellcheck source=../guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/../guest.sh"

dir=$top/build/corrupt
module=build/kmod/uml-normal-corrupt/vpc.ko

seed() {
	local i
	for ((i = 0; i < 200; i++)); do echo "172.16.$i.0/24 7"; done > "$dir/routes"
	cat > "$dir/batch" <<-END
		host add h1 vtep 192.0.2.1
		host add h2 vtep 192.0.2.2
		vpc add blue vni 200 range 10.1.0.0/16
		vpc add red vni 100 range 10.0.0.0/16
		subnet add main vpc red prefix 10.0.0.0/16
		nexthop add vpc red id 7 type gateway vtep 192.0.2.13
		nexthop add vpc red id 8 type gateway vtep 192.0.2.14
		nexthop add vpc red id 30 type group member 7 member 8
		nexthop add vpc red id 40 type peer to blue
		port add p1 vpc red subnet main host h1 dev p1 address 10.0.0.5 mac 02:00:00:00:00:01
		port add p2 vpc red subnet main host h2 dev p2 address 10.0.0.6 mac 02:00:00:00:00:02
		route add 100.64.0.0/10 vpc red via nexthop 30
		route add 198.18.0.0/15 vpc red via nexthop 40
		route import vpc red file $dir/routes
	END
	build/vpcctl -c "$dir/admin.conf" -b "$dir/batch" > /dev/null
}

on_machine() {
	servers
	guest_cdb
	seed
	publisher "$dir/publisher.conf"
	guest_run 1024 300 "$@"
}

# -- in the guest ------------------------------------------------------------------------------------------------------

fail() { echo "corrupt.sh: $*" >&2; exit 1; }

# The module anew, with all that the agent brings; the agent goes on, says that all is right, and repairs nothing by itself.
anew() {
	if [[ -n ${AGENT:-} ]]; then
		kill "$AGENT"
		wait "$AGENT" || true
		ip netns exec h1 tamper port del p1
		rmmod vpc
		insmod "$module"
	fi
	rm -rf /run/vpc-cache
	agent /run/agent.log
	agent_says ' live: ' /run/agent.log
	consistent
}

reconcile() { vpc_reconcile -c "$dir/host.conf" --netns h1 --host h1 --settle 100 "$@"; }
consistent() { reconcile --full --verify --probe 200 > /run/report || { cat /run/report >&2; fail "not consistent to begin with"; }; }
corrupt() { ip netns exec h1 tee /sys/module/vpc/parameters/corrupt <<< "$*" > /dev/null; }

# Packets of a flow, so that its destination is remembered. Nobody answers.
flow() { ip netns exec vm1 ping -n -c 3 -i 0.05 -W 0.05 "$1" > /dev/null || true; }

# found WANT OPTION...: what this audit says. WANT: "-" nothing, else a pattern for all of "CLASS OBJECT [LEG]".
found() {
	local want=$1 status=0 says begun
	shift
	begun=$(ms)
	reconcile -j "$@" > /run/report || status=$?
	says=$(jq -r '[.vpcs[].findings[] | "\(.class) \(.object) [\(.leg)]"] | unique | .[]' /run/report)
	if [[ $want = - ]]; then
		[[ $status = 0 && -z $says ]] || fail "$fault: $* found (status $status): $says"
		printf ' | -'
		return
	fi
	[[ $status = 1 ]] || fail "$fault: $* ended with $status and not 1: $(< /run/report)"
	grep -qE -- "$want" <<< "$says" || fail "$fault: $* did not find /$want/ but: $says"
	grep -qvE "\[(kernel against itself|agent to kernel)\]" <<< "$says" && fail "$fault: $*: another leg: $says"
	printf ' | %s, %d ms' "$(head -n 1 <<< "$says" | cut -d' ' -f1)" $(($(ms) - begun))
}

# fault "NAME" "COMMAND" DIGEST FULL VERIFY PROBE: after the corruption, what each of the four must find.
fault() {
	fault=$1
	[[ " ${kinds:-${2%% *}} " = *" ${2%% *} "* ]] || return 0
	found_any=1
	printf '%s' "$fault"
	# The destinations that CPUs remember are those of the version that is there.
	flow 10.0.0.6
	flow 172.16.3.1
	corrupt "$2" || fail "$fault: \"$2\" found nothing to corrupt"
	found "$3"
	found "$4" --full
	found "$5" --verify
	found "$6" --probe 4000
	echo
	anew
}

in_guest() {
	kinds=$* found_any=''
	guest_up
	guest_hosts
	ip -n vm1 route add default via 10.0.0.1
	anew
	echo 'fault | digest | --full | --verify | --probe'
	fault 'a route leads elsewhere, written over in the trie' 'route 100 1 172.16.3.0 24 8' - \
		'different route table 1 172.16.3.0/24' 'digest digest of what forwarding reads' 'different way from p1 to 172.16.3'
	fault 'a route is gone from the trie' 'drop 100 1 172.16.4.0 24' - \
		'digest digest of what forwarding reads' 'digest digest of what forwarding reads' 'different way from p1 to 172.16.4'
	fault "the index has lost a /16 that the trie has" 'index 100 1 172.16.0.0' - \
		- 'digest index of a large table' 'different way from p1 to 172.16'
	fault 'a mapping leads to a gateway' 'route 100 0 10.0.0.6 32 8' - \
		'different route table 0 10.0.0.6/32' 'digest digest of what forwarding reads' 'different way from p1 to 10.0.0.6'
	fault "a gateway's VTEP" 'nexthop 100 7 192.0.2.99' - \
		'different nexthop 7' 'digest digest of what forwarding reads' 'different way from p1 to 172.16'
	fault 'a peering leads to another VPC' 'peer 100 40 999' - \
		'different nexthop 40' 'digest digest of what forwarding reads' 'different way from p1 to 198.1[89]'
	fault 'all flows of a group go to one member' 'group 100 30' - \
		- 'digest buckets of a group' -
	fault 'a remembered destination leads elsewhere' 'recent 100 8' - \
		- 'digest remembered destinations' -
	fault "a port's address is lost on the way in" 'port 100 p1' - \
		- 'digest map of addresses to ports' -
	fault 'the digest that is kept, and nothing else' 'digest 100' 'digest digest of the kernel.s dump' \
		'digest digest of the kernel.s dump' 'digest digest of what forwarding reads' 'digest digest of the kernel.s dump'
	[[ -n $found_any ]] || fail "no fault is of these kinds: $kinds"
	kill "$AGENT"
	wait "$AGENT" || true
}

both_sides "$@"
