# shellcheck shell=bash disable=SC2154,SC2034,SC2164  # set by, and used by, who reads this in
# SPDX-License-Identifier: Apache-2.0
#
# What both sides of a chaos run share: run.sh on the machine does the faults of servers, hosts.sh in User Mode Linux
# those of hosts, each by the same plan and from the same beginning.

cd "$top"
PATH=$top/build:$top/build/tools:$PATH
SERVER=10.77.0
ZK_HOSTS=$SERVER.11:2181,$SERVER.12:2181,$SERVER.13:2181
HOSTS=5
FIRST=200 STREAMED=5		# the VPCs whose routes build/tools/changes changes

now_us() { echo "${EPOCHREALTIME/[.,]/}"; }
say() { echo "$(date +%H:%M:%S.%3N) $*"; }
fail() { say "FAILED: $*"; return 1; }
# A pipe that nobody writes to: to wait for it costs no process.
exec {never}<> <(:)
pause_s() { read -rt "$1" -u "$never" || true; }
pause_ms() { pause_s "$(($1 / 1000)).$(printf %03d $(($1 % 1000)))"; }

# wait_for SECONDS COMMAND...
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@" > /dev/null 2>&1; do
		((SECONDS < end)) || { fail "waited in vain for: $*"; return 1; }
		# Each question costs the guest, which has one CPU, more than what is waited for.
		pause_s 0.3
	done
}

# conf FILE USER PASSWORD [LINE...]
conf() {
	(umask 077; printf '%s\n' '[zookeeper]' "hosts = $ZK_HOSTS" 'session_timeout_ms = 4000' '[cdb]' "host = $SERVER.21" \
		"port = $CDB_PORT" "user = $2" "password = $3" 'timeout_s = 5' "${@:4}" > "$1")
}

# daemon NAME COMMAND...: with its pid and its log in $run, in a process group of its own.
daemon() {
	local name=$1
	shift
	rm -f "$run/$name.pid"
	# shellcheck disable=SC2016
	setsid bash -c 'echo $$ > "$0.pid" && exec "$@"' "$run/$name" "$@" < /dev/null >> "$run/$name.log" 2>&1 {never}>&- &
	wait_for 10 test -s "$run/$name.pid"
}
# signal NAME SIGNAL: to the process itself, whatever runs in its group.
signal() { kill -"$2" -- "-$(< "$run/$1.pid")"; }
# Also when nobody has asked for its status yet.
gone() { [[ ! -e /proc/$(< "$run/$1.pid")/exe ]]; }
killed() {
	signal "$1" KILL
	wait_for 30 gone "$1" || { cat "/proc/$(< "$run/$1.pid")"/{status,wchan}; return 1; }
}

# lane NAME: does the faults of the plan, each by "fault_begin FAULT TARGET" and "fault_end FAULT TARGET", and writes down when
# each really was: lines "BEGIN END FAULT TARGET ROLE" in $dir/faults.NAME (fault_role). One that took longer delays the next, up
# to the next pause, which begins when all lanes are there.
lane() {
	local name=$1 start lane at lasts fault target begin wait_us role
	start=$(< "$dir/start")
	while read -r lane at lasts fault target; do
		wait_us=$((start + at * 1000 - $(now_us)))
		((wait_us <= 0)) || pause_ms $((wait_us / 1000))
		if [[ $lane = all ]]; then
			rest "$name" "$at" "$lasts"
			begin=$(now_us)
			((start + (at + lasts) * 1000 >= begin)) || start=$((begin - (at + lasts) * 1000))
			continue
		fi
		role=$(fault_role "$target")
		begin=$(now_us)
		say "$fault $target ($role)"
		fault_begin "$fault" "$target" || return
		pause_ms "$lasts"
		fault_end "$fault" "$target" || return
		say "$fault $target ended"
		echo "$begin $(now_us) $fault $target $role" >> "$dir/faults.$name"
	done < <(awk -v name="$name" '$1 == name || $1 == "all"' "$dir/plan" | sort -s -n -k 2,2)
	touch "$dir/done.$name"
}
LANES="zk cdb hosts"
# rest LANE AT LASTS: writes down when it really was, "BEGIN END" in $dir/pauses.LANE.
rest() {
	local begin
	touch "$dir/rest.$2.$1"
	wait_for 3600 rested "$2"
	begin=$(now_us)
	say "a pause"
	pause_ms "$3"
	echo "$begin $(now_us)" >> "$dir/pauses.$1"
}
rested() {
	local lane
	for lane in $LANES; do [[ -e $dir/rest.$1.$lane ]] || return; done
}
