# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What the scripts of this folder share; sourced with "set -euo pipefail" in force.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
PATH=$PATH:/usr/sbin:/sbin
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

# Where Debian's tor-geoipdb is: installed, or unpacked by deps.sh.
geoip_dir() {
	local dir
	for dir in /usr/share/tor "$top/build/geoip/usr/share/tor"; do
		[[ ! -r $dir/geoip ]] || { echo "$dir"; return; }
	done
	return 1
}
