#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Netlink messages out of a grammar into the module, in a kernel with KASAN, lockdep and kmemleak (tests/tools/nlfuzz.c).
# Without arguments the inputs that are kept in tests/fuzz/corpus/nlfuzz are replayed. "run" looks for new ones, which --cover
# guides by what of vpc.ko they come through; "keep" chooses the fewest that show all of it (scripts/fuzz.sh calls both):
#
#     scripts/uml.sh --debug -- tests/e2e/uml_fuzz.sh
#     scripts/uml.sh --cover --timeout 1200 -- tests/e2e/uml_fuzz.sh run SECONDS [SEED]
#     scripts/uml.sh --cover --timeout 1200 -- tests/e2e/uml_fuzz.sh keep
#
# What is found comes to build/fuzz/nlfuzz; what was at work when something failed is "current" there.
#
. "$(dirname "$0")/debug.sh"

begin "netlink messages out of a grammar"
lab_module_loaded || lab_module_load
modprobe dummy
# In a namespace of its own: a device to be a port, and the VTEP that each input begins with.
inside() {
	# shellcheck disable=SC2016  # for the inner shell
	unshare -n sh -ec 'for dev in d0 u0; do ip link add $dev type dummy; ip link set $dev up; done
		ip address add 192.0.2.11/24 dev u0; exec "$@"' sh "$@"
}
fuzz nlfuzz "$@"

nothing_leaked
