#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Each allocation of each netlink command failing in turn (tests/tools/nlfail.c, which prints the
# table); then kmemleak. uml_debug.sh does it at random with whole hosts.
#
#     scripts/uml.sh --debug --timeout 1800 -- tests/e2e/uml_fail.sh
#
. "$(dirname "$0")/debug.sh"

for kind in failslab fail_page_alloc; do
	echo 0 > $debug/$kind/verbose
	echo N > $debug/$kind/ignore-gfp-wait
done
echo N > $debug/failslab/cache-filter
echo 0 > $debug/fail_page_alloc/min-order
echo N > $debug/fail_page_alloc/ignore-gfp-highmem

begin "every command, every allocation"
lab_module_loaded || lab_module_load
modprobe dummy
# The VTEPs that the host has, and is to have.
# shellcheck disable=SC2016  # for the inner shell
unshare -n sh -ec 'ip link add u0 type dummy; ip link set u0 up; ip address add 192.0.2.11/24 dev u0
	ip address add 192.0.2.77/24 dev u0; ip address add 2001::7/64 dev u0 nodad; exec "$@"' sh build/tools/nlfail d0

nothing_leaked
