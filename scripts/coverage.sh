#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Which lines and branches tests reach, a file a line, and in all; "make coverage" calls it. User space: the unit tests,
# of which those that want a server are skipped unless it is there, as ever. vpc.ko: KUnit and the scenarios of
# tests/e2e/uml_coverage.sh in User Mode Linux. The sources with counts are build/coverage/FILE.gcov; what nothing reached is
# marked "#####" there, and listed in build/coverage/{user,kernel}.missing. What that is, says doc/testing.md.
#
#   scripts/coverage.sh [user|kernel...]          both by default

set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
cd "$top"

out=build/coverage

# table NAME: what gcov says of many objects on standard input becomes the table, sources with counts, and NAME.missing.
# A line or branch of a header, or of a source that is in two modules, is reached when it is in one of them.
table() {
	mkdir -p "$out"/{lib,proto,agent,publisher,reconcile,ctl,kmod/tables,kmod/datapath,kmod/control}
	awk -v out="$out" -v missing="$out/$1.missing" '
	function percent(part, all) { return all ? sprintf("%5.1f%%", 100 * part / all) : "     -" }
	BEGIN { printf "" > missing }
	/^ *-: *0:Source:/ {
		file = $0
		sub(/^ *-: *0:Source:(.*\/build\/kmod\/[^\/]*\/)?/, "", file)
		ours = file ~ /^(lib|proto|agent|publisher|reconcile|ctl|kmod)\/.*\.[ch]$/
		next
	}
	!ours { next }
	/^branch / {
		branch = file SUBSEP line SUBSEP $2
		if (!(branch in taken)) { taken[branch] = 0; branches[file]++ }
		if ($3 == "taken" && $4 + 0 > 0 && !taken[branch]) { taken[branch] = 1; branches_taken[file]++ }
		next
	}
	/^ *[^ :]+: *[0-9]+:/ {
		split($0, part, ":")
		line = part[2] + 0
		if (!line) next
		count = part[1]
		gsub(/[ *]/, "", count)
		at = file SUBSEP line
		if (line > last[file]) last[file] = line
		text[at] = substr($0, length(part[1]) + length(part[2]) + 3)
		if (count == "-") next
		if (!(at in times)) { times[at] = 0; lines[file]++ }
		# No number for what never ran: "#####" and the like.
		if (count + 0 > 0) {
			if (!times[at]) reached[file]++
			times[at] += count
		}
	}
	END {
		for (file in lines) {
			printf "%-36s %6d lines %s %6d branches %s\n", file, lines[file], percent(reached[file], lines[file]),
				branches[file], percent(branches_taken[file], branches[file]) | "sort"
			all += lines[file]; all_reached += reached[file]
			b += branches[file]; b_taken += branches_taken[file]
			marked = out "/" file ".gcov"
			printf "" > marked
			for (line = 1; line <= last[file]; line++) {
				at = file SUBSEP line
				what = at in times ? (times[at] ? sprintf("%.0f", times[at]) : "#####") : "-"
				printf "%9s:%5d:%s\n", what, line, text[at] > marked
				if (what == "#####") printf "%s:%d:%s\n", file, line, text[at] > missing
			}
			close(marked)
		}
		close("sort")
		printf "%-36s %6d lines %s %6d branches %s\n", "all of it", all, percent(all_reached, all), b, percent(b_taken, b)
	}'
}

user() {
	local unit
	find build/cov -name '*.gcda' -delete
	for unit in build/cov/unit/test_*; do
		[[ $unit = *.d ]] || nice timeout 300 "$unit" > "$out/$(basename "$unit").log" 2>&1 < /dev/null ||
			echo "$unit failed: its coverage counts all the same"
	done
	echo "user space, by its unit tests:"
	find build/cov/obj -name '*.gcda' ! -path '*/tests/*' -print0 | xargs -0 gcov -bct 2> "$out/gcov.log" | table user
}

kernel() {
	local module data=$out/gcda modules=(build/kmod/uml-cover build/kmod/uml-cover-kunit)
	rm -rf "$data"
	mkdir -p "$data"
	unset MAKEFLAGS MFLAGS MAKELEVEL
	nice make -s -j2 KVER=uml-cover kunit-module
	scripts/uml.sh --cover --timeout 2400 --out "$data" --log "$out/console" -- tests/e2e/uml_coverage.sh > "$out/kernel.log" 2>&1 ||
		{ tail -n 30 "$out/kernel.log"; die "the scenarios do not hold: $out/kernel.log"; }
	for module in "${modules[@]}"; do
		find "$module" -name '*.gcda' -delete
		tar -xf "$data/$(basename "$module").tar" -C "$module"
	done
	echo "vpc.ko, by KUnit and by scenarios in User Mode Linux:"
	find "${modules[@]}" -path 'build/kmod/uml-*/kmod/*.gcda' -print0 | xargs -0 gcov -bct 2>> "$out/gcov.log" |
		table kernel
}

mkdir -p "$out"
parts=("$@")
[[ $# -gt 0 ]] || parts=(user kernel)
for part in "${parts[@]}"; do
	case $part in
	user | kernel) "$part" ;;
	*) die "user or kernel, not \"$part\"" ;;
	esac
done
