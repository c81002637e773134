#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs inside User Mode Linux (tests/bench/run.sh starts it): loads the module and runs program.c on it.
#
#   program.sh PROGRAM

set -euo pipefail
modprobe udp_tunnel
modprobe ip6_udp_tunnel
insmod build/vpc.ko
"$1"
