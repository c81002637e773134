#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Which lines and branches of user space the unit tests reach, a file a line, and in all; "make coverage" calls it. Tests
# that want a server are skipped unless it is there, as ever. Lines that nothing reached are in build/coverage/*.gcov, marked
# "#####"; doc/testing.md says what they are.

set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
cd "$top"

out=build/coverage

# table: gcov's summaries on standard input, those of our files as a table and in all.
table() {
	awk '
	function percent(part, all) { return all ? sprintf("%5.1f%%", 100 * part / all) : "     -" }
	/^File / {
		file = $0
		sub(/^File ./, "", file)
		sub(/.$/, "", file)
		ours = file ~ /^(lib|proto|agent|publisher|reconcile|ctl)\/.*\.[ch]$/
	}
	# The last lines are the sums.
	/^$/ { ours = 0 }
	ours && /^Lines executed:/ {
		match($0, /:[0-9.]+/); p = substr($0, RSTART + 1, RLENGTH - 1); n = $NF
		# A header is in many objects: the best of them.
		if (!(file in lines) || p * n > got[file] * 100) { lines[file] = n; got[file] = p * n / 100 }
	}
	ours && /^Taken at least once:/ {
		match($0, /:[0-9.]+/); p = substr($0, RSTART + 1, RLENGTH - 1); n = $NF
		if (!(file in branches) || p * n > taken[file] * 100) { branches[file] = n; taken[file] = p * n / 100 }
	}
	END {
		for (file in lines) {
			printf "%-36s %6d lines %s %6d branches %s\n", file, lines[file], percent(got[file], lines[file]),
				branches[file], percent(taken[file], branches[file]) | "sort"
			all += lines[file]; all_got += got[file]; b += branches[file]; b_got += taken[file]
		}
		close("sort")
		printf "%-36s %6d lines %s %6d branches %s\n", "all of it", all, percent(all_got, all), b, percent(b_got, b)
	}'
}

user() {
	local unit
	find build/cov -name '*.gcda' -delete
	for unit in build/cov/unit/test_*; do
		[[ $unit = *.d ]] || nice timeout 300 "$unit" > "build/coverage/$(basename "$unit").log" 2>&1 < /dev/null ||
			echo "$unit failed: its coverage counts all the same"
	done
	find build/cov/obj -name '*.gcda' ! -path '*/tests/*' -print0 | xargs -0 gcov -b 2> "$out/gcov.log" > "$out/user.txt"
	mv ./*.gcov "$out/"
	echo "user space, by its unit tests:"
	table < "$out/user.txt"
}

mkdir -p "$out"
user
