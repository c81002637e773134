#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# "make stress": several virtual processors, each a thread of QEMU's, in vpc.ko at once (tests/stress/guest.sh says what
# they do there), for as long as one likes. Uses no services.
#
#   tests/stress/run.sh MINUTES SEED CPUS [KERNEL]      KERNEL: kasan or kcsan (scripts/uml/kernel.sh) instead of Debian's
#
# The seed decides what each of churn's tasks asks for; which of them comes first, no seed does. Output, the datagrams'
# account and the kernel's console are left in
# build/stress. Of the race detector's reports those fail the run whose racing function is in vpc.ko, or was called by it
# right from there; Linux has some of its own, which are counted. Exit status: 0, else what went wrong was said.

set -euo pipefail
# shellcheck source=../../scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"
[[ $# -ge 3 && $1 =~ ^[1-9][0-9]*$ && $2 =~ ^[0-9]+$ && $3 =~ ^[1-9][0-9]*$ ]] || { sed -n '/^#   tests/s/^#   //p' "$0" >&2; exit 2; }

# A summary, then each report in which one of the two that race is our code, or what it called itself.
races() {
	awk '
	function done() {
		if (report ~ /BUG: KCSAN/) {
			n++
			if (ours) { n_ours++; reports = reports report }
		}
		report = ""; ours = depth = 0
	}
	{ sub(/\r$/, "") }
	/\] =====+$/ { done(); inside = !inside; next }
	inside { report = report $0 "\n" }
	inside && /BUG: KCSAN/ && /\[vpc\]/ { ours = 1 }
	inside && / by (task|interrupt)/ { depth = 0; next }
	inside && /\+0x[0-9a-f]+\/0x/ { if (++depth <= 2 && /\[vpc\]/) ours = 1 }
	END { done(); printf "data races: %d reports, %d of them ours\n%s", n, n_ours, reports }' "$dir/console"
}

# What of the console is not KCSAN's, which names its own option as it starts, is judged as vm.sh does.
no_other_complaint() {
	awk '/\] =====+\r?$/ { inside = !inside; next } !inside && !/ kcsan: /' "$dir/console" > "$dir/console.rest"
	! machine_complaint "$dir/console.rest"
}

seconds=$(($1 * 60)) seed=$2 cpus=$3
# What comes before and behind takes its time under emulation.
limit=$((seconds * 2 + 900))
kernel=${4:-}
dir=$top/build/stress${kernel:+-$kernel}
machine=(--smp "$cpus")
case $kernel in
'') ;;
kasan) machine+=(--kernel x86-kasan --mem 3072) ;;
# Its complaints are looked at below.
kcsan) machine+=(--kernel x86-kcsan --allow-warnings) ;;
*) die "KERNEL is kasan, kcsan or nothing, not \"$kernel\"" ;;
esac
# Numbered datagrams a second, to each of three others, from each guest: these kernels are several times slower.
[[ -z $kernel ]] || export VPC_STRESS_RATE=${VPC_STRESS_RATE:-10} limit=$((limit * 2))
rm -rf "$dir"
mkdir -p "$dir"
cd "$top"

status=0
nice scripts/vm.sh "${machine[@]}" --timeout "$limit" --out "$dir" --log "$dir/console" -- \
	tests/stress/guest.sh "$seconds" "$seed" > "$dir/output" 2>&1 || status=$?
if [[ $kernel = kcsan ]]; then
	races > "$dir/races"
	head -n 1 "$dir/races" >> "$dir/output"
	if [[ $status = 0 ]] && { grep -q ' 0 of them ours$' "$dir/races" && no_other_complaint; }; then :; else
		cat "$dir/races" >> "$dir/output"
		[[ $status != 0 ]] || status=99
	fi
fi
if [[ $status = 0 ]]; then
	grep -E '^(ok|flows:|seconds|h[12] |data races:)' "$dir/output"
	echo "stress: nothing went wrong in $1 minutes with seed $seed on $cpus processors${kernel:+, kernel $kernel}"
else
	tail -n 150 "$dir/output"
	echo "stress: FAILED with status $status; all of it is in $dir"
fi
exit "$status"
