# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What the scripts of this folder share; sourced with "set -euo pipefail" in force.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# The last is what deps.sh only unpacks.
PATH=$PATH:/usr/sbin:/sbin:$top/build/ovs/usr/bin
# Not the caller's business: messages of tools are searched and shown in English.
export LC_ALL=C.UTF-8

die() { echo "${0##*/}: $*" >&2; exit 1; }

# Runs a command as root: as it is, or through sudo.
as_root() {
	if [[ $(id -u) = 0 ]]; then
		"$@"
	elif command -v sudo > /dev/null; then
		sudo -- "$@"
	else
		die "\"$*\" wants root, and sudo is not there: run this as root"
	fi
}

# The newest kernel that can be built for and booted in a virtual machine: image, modules and headers are installed.
bootable_kernel() {
	local image kver found=''
	for image in $(printf '%s\n' /boot/vmlinuz-* | sort -V); do
		kver=${image#/boot/vmlinuz-}
		[[ -r $image && -f /lib/modules/$kver/modules.dep && -e /lib/modules/$kver/build/Makefile ]] && found=$kver
	done
	[[ -n $found ]] && echo "$found"
}

# Where kernels are kept, which take minutes to build or to fetch and belong to no clone: another process, another clone and
# the next "make" after "make clean" find them. Without a home folder, or with one that cannot be written to, it is the clone's.
kernel_cache() {
	local home=${HOME:-} dir=${VPC_KERNEL_CACHE:-}
	if [[ -n $dir ]]; then
		mkdir -p "$dir" || die "VPC_KERNEL_CACHE: $dir cannot be made"
		(cd "$dir" && pwd -P)
		return
	fi
	[[ $home = /* ]] || home=$(getent passwd "$(id -u)" | cut -d: -f6) || true
	# A relative path counts for nothing, says the standard that has named the variable.
	dir=${XDG_CACHE_HOME:-}
	[[ $dir = /* ]] || dir=${home:+$home/.cache}
	dir+=/vpc/kernels
	if [[ $dir = /vpc/kernels ]] || ! mkdir -p "$dir" 2> /dev/null || [[ ! -w $dir ]]; then
		dir=$top/build/kernels
		mkdir -p "$dir"
	fi
	(cd "$dir" && pwd -P)
}

# Where Debian's tor-geoipdb is: installed, or unpacked by deps.sh.
geoip_dir() {
	local dir
	for dir in /usr/share/tor "$top/build/geoip/usr/share/tor"; do
		[[ ! -r $dir/geoip ]] || { echo "$dir"; return; }
	done
	return 1
}

# -- vm.sh and uml.sh --------------------------------------------------------------------------------------------------

# The shell script that a machine runs for a command in the caller's folder: machine_command TTY COMMAND [ARG...]
machine_command() {
	local name rows columns
	for name in "${!VPC_@}"; do printf 'export %s=%q\n' "$name" "${!name}"; done
	if [[ $1 = 1 ]]; then
		printf 'export TERM=%q\n' "${TERM:-vt100}"
		read -r rows columns < <(stty size 2> /dev/null) || true
		[[ ${rows:-0} = 0 ]] || printf 'stty rows %d columns %d\n' "$rows" "$columns"
	fi
	shift
	printf 'cd -- %q || exit 2\n' "$PWD"
	printf 'exec'
	printf ' %q' "$@"
	echo
}

# What no kernel's console may say: machine_complaint CONSOLE prints it from a little before there, and is true.
machine_complaint() {
	local line trouble='BUG: |WARNING: |Oops|Kernel panic|general protection|stack guard|UBSAN|KASAN|KCSAN|refcount_t: '
	trouble+='|rcu.*stall|blocked for more than|soft lockup|hard LOCKUP|locking dependency|lock state|possible recursive'
	trouble+='|suspicious RCU|scheduling while atomic|sleeping function|corruption|unregister_netdevice: waiting'
	trouble+='|Call Trace:|ODEBUG: |INFO: trying to register|new suspected memory leaks'
	line=$(grep -anE -m1 "$trouble" "$1") || return
	tail -n "+$((${line%%:*} > 5 ? ${line%%:*} - 5 : 1))" "$1"
}
