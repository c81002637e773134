#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# "make stress": several virtual processors, each a thread of QEMU's, in vpc.ko at once (tests/stress/guest.sh says what
# they do there), for as long as one likes. Uses no services.
#
#   tests/stress/run.sh MINUTES SEED CPUS [DIR]      DIR is build/stress
#
# The seed decides what each of churn's tasks asks for; which of them comes first, no seed does. Output, the datagrams'
# account and the kernel's console are left in DIR. Exit status: 0, else what went wrong was said.

set -euo pipefail
# shellcheck source=../../scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"
[[ $# -ge 3 && $1 =~ ^[1-9][0-9]*$ && $2 =~ ^[0-9]+$ && $3 =~ ^[1-9][0-9]*$ ]] || { sed -n '/^#   tests/s/^#   //p' "$0" >&2; exit 2; }

seconds=$(($1 * 60)) seed=$2 cpus=$3
dir=${4:-$top/build/stress}
rm -rf "$dir"
mkdir -p "$dir"
cd "$top"

status=0
# What comes before and behind takes its time under emulation.
nice scripts/vm.sh --smp "$cpus" --timeout $((seconds * 2 + 900)) --out "$dir" --log "$dir/console" -- \
	tests/stress/guest.sh "$seconds" "$seed" > "$dir/output" 2>&1 || status=$?
if [[ $status = 0 ]]; then
	grep -E '^(ok|flows:|seconds|h[12] )' "$dir/output"
	echo "stress: nothing went wrong in $1 minutes with seed $seed on $cpus processors"
else
	tail -n 150 "$dir/output"
	echo "stress: FAILED with status $status; all of it is in $dir"
fi
exit "$status"
