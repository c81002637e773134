#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs a command as root in User Mode Linux: Debian's kernel source as a process, up in half a second and as fast as the
# machine (one CPU). The guest sees this machine's file system at the same paths, read-only below an overlay in memory,
# but build/ really and writable; it starts in the caller's directory. What vm.sh does with a stock kernel in an
# emulator. Benchmarks, KUnit and developers call it; uml/init is the guest's side, uml/kernel.sh builds the kernel.

set -euo pipefail

usage() {
	cat <<-END
	usage: uml.sh [options] [--] COMMAND [ARG...]
	  --debug          the kernel with KASAN, lockdep, kmemleak, failing allocations and KUnit
	  --cover          the same, which also counts what of vpc.ko runs (gcov, kcov)
	  --mem MB         memory (default 1024; with --debug and --cover 2048)
	  --timeout S      end the machine after S seconds (default 300; with --tty none)
	  --out DIR        the folder that is \$VM_OUT in the guest (default build/uml/out-PID, removed when empty)
	  --log FILE       keep the kernel's console log there
	  --allow-warnings do not fail the run for what the console log says
	  --no-module      do not bring vpc.ko up to date (else build/vpc.ko in the guest is the one for its kernel)
	  --arg ARG        one more argument for the kernel's command line (vec0:transport=tap,ifname=...), repeatable
	  --tty            connect the terminal, for an interactive shell: uml.sh --tty -- bash
	Variables that begin with VPC_ are passed on. The exit status is COMMAND's; 99 when the kernel oopsed, warned or
	died (the log is shown), 124 after the time limit, 2 for a wrong call, 1 when the kernel or vpc.ko does not build.
	END
}

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
die() { echo "uml.sh: $*" >&2; exit "${die_status:-2}"; }

number() { [[ $2 =~ ^[1-9][0-9]*$ ]] || die "$1 wants a positive number, not \"$2\""; }

flavour=normal mem='' limit='' out='' log='' tty=0 strict=1 module=1 args=()
while [[ $# -gt 0 ]]; do
	case $1 in
	--mem | --timeout | --out | --log | --arg)
		[[ $# -ge 2 ]] || die "$1 wants a value"
		case $1 in
		--mem) number "$1" "$2"; mem=$2 ;;
		--timeout) number "$1" "$2"; limit=$2 ;;
		--out) out=$2 ;;
		--log) log=$2 ;;
		--arg) args+=("$2") ;;
		esac
		shift 2 ;;
	--debug | --cover) flavour=${1#--}; shift ;;
	--tty) tty=1; shift ;;
	--allow-warnings) strict=0; shift ;;
	--no-module) module=0; shift ;;
	-h | --help) usage; exit 0 ;;
	--) shift; break ;;
	-*) die "unknown option $1 (see --help)" ;;
	*) break ;;
	esac
done
[[ $# -gt 0 ]] || { usage >&2; exit 2; }
[[ -n $mem ]] || mem=$([[ $flavour = normal ]] && echo 1024 || echo 2048)
for tool in busybox setsid; do
	command -v "$tool" > /dev/null || die "$tool is missing: run scripts/deps.sh"
done

# -- the kernel and the module -----------------------------------------------------------------------------------------

# A make that calls us has nothing to say in here.
unset MAKEFLAGS MFLAGS MAKELEVEL
die_status=1
kernel=$("$top/scripts/uml/kernel.sh" "$flavour") || die "no $flavour kernel"
# scripts/uml/kernel.sh --prune leaves it alone while this, which the machine inherits, is open.
exec {kernel_use}< "$kernel/key"
flock -s "$kernel_use"
if [[ $module = 1 ]]; then
	nice make -s -C "$top" -j2 module KVER="uml-$flavour" >&2 || die "vpc.ko does not build for the $flavour kernel"
fi
die_status=2

# Each page that a process of the guest maps may be a mapping of a process here.
max_map_count=2000000
if (($(< /proc/sys/vm/max_map_count) < max_map_count)); then
	sysctl -qw vm.max_map_count=$max_map_count 2> /dev/null ||
		sudo -n sysctl -qw vm.max_map_count=$max_map_count 2> /dev/null ||
		echo "uml.sh: a command that maps much memory may be killed; as root: sysctl -w vm.max_map_count=$max_map_count" >&2
fi

# -- the run's folder --------------------------------------------------------------------------------------------------

cache=$top/build/uml
mkdir -p "$cache"
run=$(mktemp -d "$cache/run-XXXXXX")
[[ -n $out ]] || { out=$cache/out-$$; out_default=1; }
mkdir -p "$out"
out=$(cd "$out" && pwd -P)
: > "$run/console"
uml_pid='' cat_pid='' timer_pid=''

# UML makes itself the leader of a session; its processes, stopped and traced, go with the group.
kill_machine() {
	kill -TERM "$uml_pid" 2> /dev/null || true
	local i
	for ((i = 0; i < 20; i++)); do
		kill -0 "$uml_pid" 2> /dev/null || break
		sleep 0.1
	done
	kill -KILL -- "-$uml_pid" 2> /dev/null || true
	wait "$uml_pid" 2> /dev/null || true
	uml_pid=''
}

# shellcheck disable=SC2317  # called by the trap
cleanup() {
	local status=$?
	trap '' INT TERM HUP
	[[ -z $timer_pid ]] || kill "$timer_pid" 2> /dev/null || true
	[[ -z $uml_pid ]] || kill_machine
	[[ -z ${hold:-} ]] || exec {hold}>&-
	[[ -z $cat_pid ]] || wait "$cat_pid" || true
	[[ -z ${stty_saved:-} ]] || stty "$stty_saved" || true
	[[ -z $log ]] || cp "$run/console" "$log" || true
	rm -rf "$run"
	[[ -z ${out_default:-} ]] || rmdir "$out" 2> /dev/null || true
	exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

cp "$top/scripts/uml/init" "$top/scripts/lib.sh" "$run/"
{
	printf 'uml_top=%q uml_out=%q uml_tty=%q\n' "$top" "$out" "$tty"
	printf 'uml_modules=%q uml_vpc_ko=%q\n' "$kernel/modules/lib/modules" \
		"$([[ $module = 0 ]] || echo "$top/build/kmod/uml-$flavour/vpc.ko")"
} > "$run/env"
machine_command "$tty" "$@" > "$run/cmd"

uml=("$kernel/linux" "mem=${mem}M" root=/dev/root rootfstype=hostfs rootflags=/ ro "init=\"$run/init\""
	panic=-1 oops=panic quiet loglevel=5 log_buf_len=4M kunit.enable=1 con=null ssl=null "uml_dir=$run" umid=machine "${args[@]}")

# A kernel that panics aborts.
ulimit -c 0

# -- the machine -------------------------------------------------------------------------------------------------------

status=0 expired=0
if [[ $tty = 1 ]]; then
	stty_saved=$(stty -g) || die "--tty wants a terminal"
	uml+=("con0=null,fd:9" "ssl0=fd:0,fd:1")
	"${uml[@]}" < /dev/tty 9>> "$run/console" &
else
	# Through a pipe: UML makes what it writes to non-blocking, which our caller's standard output must not become.
	mkfifo "$run/pipe"
	exec {hold}<> "$run/pipe"
	cat < "$run/pipe" {hold}>&- &
	cat_pid=$!
	uml+=("con0=null,fd:1" "ssl0=null,fd:9")
	"${uml[@]}" < /dev/null >> "$run/console" 2>&1 9> "$run/pipe" {hold}>&- &
fi
uml_pid=$!
if [[ $tty = 0 || -n $limit ]]; then
	# In the machine's pipe it would keep "cat" waiting.
	if [[ $tty = 0 ]]; then
		sleep "${limit:-300}" {hold}>&- &
	else
		sleep "$limit" &
	fi
	timer_pid=$!
fi
# shellcheck disable=SC2086
wait -n "$uml_pid" $timer_pid || status=$?
kill -0 "$uml_pid" 2> /dev/null && expired=1
kill_machine
if [[ -n $cat_pid ]]; then
	exec {hold}>&-
	hold=''
	wait "$cat_pid" || true
	cat_pid=''
fi

# -- the verdict -------------------------------------------------------------------------------------------------------

show_log() { echo "uml.sh: $1; the console's last lines:" >&2; tail -n "$2" "$run/console" >&2; }

# Takes out the report that UML's own fork makes under PROVE_RCU, once for each of two places in the kernel; no other.
forgive_fork() {
	awk '
	function flush() {
		if (block !~ /WARNING: suspicious RCU usage\n.*lib\/maple_tree\.c:[0-9]+ / || block !~ /force_flush_all\+/ ||
		    block !~ /fork_handler\+/)
			printf "%s", block
		block = trace = ""
	}
	trace && !/\[<[0-9a-f]+>\]/ { flush() }
	/\] =====+$/ { flush() }
	/\] =====+$/ || block { block = block $0 "\n"; if (/Call Trace:/) trace = 1; next }
	{ print }
	END { flush() }' "$1"
}

forgive_fork "$run/console" > "$run/ours"
if [[ $strict = 1 ]] && machine_complaint "$run/ours" > "$run/complaint"; then
	echo "uml.sh: the kernel complained; its console from there:" >&2
	head -n 120 "$run/complaint" >&2
	exit 99
fi
if [[ $expired = 1 ]]; then
	show_log "ended after ${limit:-300} seconds" 40
	exit 124
fi
if [[ ! -s $run/status ]]; then
	show_log "the machine ended before the command did (its status $status)" 60
	exit 99
fi
exit "$(< "$run/status")"
