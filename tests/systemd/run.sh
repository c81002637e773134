#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What "make units" does: servers on this machine, and units.sh in a virtual machine that systemd has booted.

set -euo pipefail
cd "$(dirname "$0")/../.."
scripts/deps.sh units
services=$PWD/build/units/services
mkdir -p "$services"
trap 'scripts/services.sh stop "$services"' EXIT
scripts/services.sh start "$services"
set -a
# shellcheck source=/dev/null
. "$services/env"
set +a
scripts/vm.sh --systemd --timeout 1500 --log build/units/console --out build/units -- bash -c 'tests/systemd/units.sh 2>&1'
