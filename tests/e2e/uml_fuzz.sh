#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Netlink messages out of a grammar into the module, in a kernel with KASAN, lockdep and kmemleak (tests/tools/nlfuzz.c).
# Without arguments the inputs that are kept in tests/fuzz/corpus/nlfuzz are replayed; with them, new ones are looked for:
#
#     scripts/uml.sh --debug -- tests/e2e/uml_fuzz.sh
#     scripts/uml.sh --debug --timeout 1200 -- tests/e2e/uml_fuzz.sh SECONDS [SEED]
#
# What is found comes to build/fuzz/netlink; what was at work when something failed is "current" there.
#
. "$(dirname "$0")/lib.sh"

debug=/sys/kernel/debug
[[ -e $debug/kmemleak ]] || lab_fail "this is not the debug kernel: run this in \"scripts/uml.sh --debug\""
echo clear > $debug/kmemleak

begin "netlink messages out of a grammar"
lab_module_loaded || lab_module_load
modprobe dummy
# In a namespace of its own: a device to be a port, and the VTEP that each input begins with.
inside() {
	# shellcheck disable=SC2016  # for the inner shell
	unshare -n sh -ec 'for dev in d0 u0; do ip link add $dev type dummy; ip link set $dev up; done
		ip address add 192.0.2.11/24 dev u0; exec "$@"' sh "$@"
}
if [[ $# -gt 0 ]]; then
	mkdir -p build/fuzz/netlink
	inside build/tools/nlfuzz run "$1" "${2:-1}" build/fuzz/netlink tests/fuzz/corpus/nlfuzz
else
	inside build/tools/nlfuzz replay tests/fuzz/corpus/nlfuzz | tail -n 1
fi

begin "nothing has leaked"
rmmod vpc
echo scan > $debug/kmemleak
sleep 6
echo scan > $debug/kmemleak
same "$(cat $debug/kmemleak)" "" "kmemleak"
