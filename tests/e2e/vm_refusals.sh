#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Every netlink command's refusals, and what transactions, dumps and events promise, asked of the module itself by
# nlcheck: no agent, no services. Each part has a network namespace of its own:
#
#     lo    eth-u 192.0.2.1 (this host's VTEP)    t0 (a port's device)    t-bridged ── bridge br0
#
. "$(dirname "$0")/lib.sh"

# nlcheck PART [SEED]
in_namespace() {
	local netns=nlcheck-$1
	ip netns add "$netns"
	ip -n "$netns" -batch - <<-END
		link set lo up
		link add eth-u type veth peer name t0
		addr add 192.0.2.1/24 dev eth-u
		link set eth-u up
		link set t0 up
		link add br0 type bridge
		link add t-bridged type veth peer name t-other
		link set t-bridged master br0
	END
	ip netns exec "$netns" nlcheck "$@"
	ip netns del "$netns"
}

lab_module_load

begin "every command refuses what is malformed, unknown or not allowed, says why, and changes nothing"
in_namespace refusals

begin "transactions refuse what does not fit, and go on, can only be aborted, or are over"
in_namespace txn

begin "delta and replace, compare-and-set, repair, quota and their events"
in_namespace semantics

begin "a transaction belongs to its socket and ends with it"
in_namespace sockets

# KASAN holds freed memory back for a while; where it is on, kmemleak looks for what this looks for.
if [[ ! -e /sys/kernel/debug/kmemleak ]]; then
	begin "a big transaction that is given up leaves no memory behind"
	in_namespace memory
fi

begin "a dump is one epoch's content while others commit"
in_namespace snapshot

begin "random transactions: kernel and model agree"
in_namespace oracle 1

begin "nothing holds the module at the end"
used() { awk '$1 == "vpc" { print $3 }' /proc/modules; }
wait_until "same \"\$(used)\" 0" 30
lab_module_unload
