#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Replaces the running vpc.ko by another build. Every namespace's state goes along, forwarding stands still for a
# fraction of a second, and when the new module does not do, the old one comes back. For operators; doc/operations.md.
# The work is `vpcctl kernel swap`; this finds its files, and holds the agents still meanwhile: they would take the new
# module for one that has lost everything and install it a second time.

set -euo pipefail

usage() {
	cat <<-END
	usage: upgrade-module.sh [--module FILE] [--old FILE] [--save DIR] [--check] [--json]
	  --module FILE  the new module (default: the installed one, as modinfo finds it)
	  --old FILE     the running module's file, for the way back (default: looked for by its build id)
	  --save DIR     keep each namespace's state there as text (default: /run/vpc-upgrade)
	  --check        only say whether it could be done
	  --json         the result as JSON
	Exit status: 0 done, 1 wrong call, 2 refused and nothing changed, 3 the new module failed and the old one is back
	with everything, 4 neither runs with everything: see --save.
	END
}

new='' old='' save=/run/vpc-upgrade check=() json=()
while [[ $# -gt 0 ]]; do
	case $1 in
	--module | --old | --save)
		[[ $# -ge 2 ]] || { usage >&2; exit 1; }
		case $1 in
		--module) new=$2 ;;
		--old) old=$2 ;;
		--save) save=$2 ;;
		esac
		shift 2 ;;
	--check) check=(check); shift ;;
	--json) json=(-j); shift ;;
	-h | --help) usage; exit 0 ;;
	*) usage >&2; exit 1 ;;
	esac
done
here=$(cd "$(dirname "$0")" && pwd)
refuse() { echo "upgrade-module.sh: $*" >&2; exit 2; }

PATH=$PATH:$here/../build:/usr/local/sbin:/usr/sbin:/sbin
command -v vpcctl > /dev/null || refuse "vpcctl is not in PATH: install it, or run make"
[[ $(id -u) = 0 ]] || refuse "must be run as root"
[[ -d /sys/module/vpc ]] || refuse "vpc.ko is not loaded: insert the new one with modprobe"
installed=$(modinfo -n vpc 2> /dev/null || true)
[[ -n ${new:=$installed} ]] || refuse "vpc.ko is not installed under /lib/modules/$(uname -r): name the new module with --module"
[[ -f $new ]] || refuse "$new: no such file"

build_id() { objcopy -O binary --only-section=.note.gnu.build-id "$1" /dev/stdout 2> /dev/null | od -An -tx1 | tr -d ' \n'; }

# A module that was overwritten on disk has no way back: installers keep the one before as vpc.ko.old.
if [[ -z $old ]]; then
	running=$(od -An -tx1 /sys/module/vpc/notes/.note.gnu.build-id 2> /dev/null | tr -d ' \n' || true)
	for file in "$installed" "$installed.old" "$here/../build/vpc.ko" "$new"; do
		[[ -f $file && -n $running && $(build_id "$file") = "$running" ]] || continue
		old=$file
		break
	done
	[[ -n $old ]] || refuse "the running module's file is not found, so there would be no way back: name it with --old"
fi

# What the new module needs must be there before the old one goes.
IFS=, read -ra needs <<< "$(modinfo -F depends "$new" 2> /dev/null || true)"
for module in "${needs[@]}"; do
	modprobe -q "$module" || refuse "$new needs module $module, which cannot be loaded"
done

# The kernel copies the whole file while forwarding stands still: without debug information it is a tenth. A signature
# would not survive that.
slim() {
	local to=$save/$2.ko
	if command -v strip > /dev/null && ! tail -c 28 "$1" | grep -q 'Module signature appended' &&
		strip --strip-debug -o "$to" "$1" 2> /dev/null; then
		echo "$to"
	else
		echo "$1"
	fi
}

agents=()
# shellcheck disable=SC2317  # called by the trap
go_on() { [[ ${#agents[@]} = 0 ]] || kill -CONT "${agents[@]}" 2> /dev/null || true; }
trap go_on EXIT
# Said of the files that were named, before anything else is done.
vpcctl kernel swap "$new" old "$old" check || exit

if [[ ${#check[@]} = 0 ]]; then
	(umask 077 && mkdir -p "$save")
	slim_new=$(slim "$new" new) slim_old=$(slim "$old" old)
	for comm in /proc/[0-9]*/comm; do
		read -r name 2> /dev/null < "$comm" || continue
		[[ $name = vpc_agent ]] || continue
		pid=${comm#/proc/}
		kill -STOP "${pid%/comm}" 2> /dev/null && agents+=("${pid%/comm}")
	done
	check=(save "$save")
fi
# Not interrupted halfway: vpcctl ignores signals from its point of no return on, and this waits for it.
trap '' INT TERM HUP
status=0
vpcctl "${json[@]}" kernel swap "${slim_new:-$new}" old "${slim_old:-$old}" "${check[@]}" || status=$?
exit "$status"
