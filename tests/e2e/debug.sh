# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What the scenarios uml_{debug,fail,fuzz,wire}.sh share, which want the kernel that watches memory and locks (uml.sh --debug
# or --cover); they source this in place of lib.sh.

# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

debug=/sys/kernel/debug
[[ -e $debug/kmemleak && -d $debug/failslab ]] || lab_fail "this is not the debug kernel: run this in \"scripts/uml.sh --debug\""
echo clear > $debug/kmemleak

# The last test of each, with the module gone. kmemleak does not speak of what is younger than 5 seconds, and of nothing before
# a second scan.
nothing_leaked() {
	begin "nothing has leaked"
	! lab_module_loaded || rmmod vpc
	echo scan > $debug/kmemleak
	sleep 6
	echo scan > $debug/kmemleak
	same "$(cat $debug/kmemleak)" "" "kmemleak"
}

# fuzz TARGET [VERB [SECONDS [SEED]]]: build/tools/TARGET in what the script's "inside" makes around it: replays the inputs that
# are kept; or run: looks for new ones; or keep: chooses the fewest that show all of it (scripts/fuzz.sh).
fuzz() {
	local program=build/tools/$1 kept=tests/fuzz/corpus/$1 found=build/fuzz/$1
	case ${2:-replay} in
	replay) inside "$program" replay "$kept" | tail -n 1 ;;
	run)
		mkdir -p "$found"
		inside "$program" run "$3" "${4:-1}" "$found" "$kept" ;;
	keep)
		rm -rf "$found-kept"
		mkdir -p "$found" "$found-kept"
		inside "$program" keep "$found-kept" "$kept" "$found" ;;
	*) lab_fail "replay, run or keep, not \"$2\"" ;;
	esac
}
