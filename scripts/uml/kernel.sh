#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds a kernel for uml.sh out of Debian's linux-source-6.1, once, and prints its folder: CACHE/FLAVOUR-HASH, with "linux", its
# modules and obj/, the objects that vpc.ko is built against. CACHE is $VPC_KERNEL_CACHE, or vpc/kernels in $XDG_CACHE_HOME or
# ~/.cache; HASH is that of the source's version, the compiler and the configuration's fragments, so that clones with other
# configurations have their kernels side by side. A folder is whole when "key" is in it, which is written last. The Makefile
# calls it for KVER=uml-FLAVOUR, uml.sh and vm.sh for what they boot.
#
# kasan and kcsan are no programs but kernels of a machine with several processors, for vm.sh --kernel x86-kasan, x86-kcsan:
# "bzImage", out of the same source, with what of normal.config is not about User Mode Linux.
#
#   scripts/uml/kernel.sh normal|debug|cover|kasan|kcsan              builds it when need be
#   scripts/uml/kernel.sh normal|debug|cover|kasan|kcsan --current    builds nothing: exit status 1 when it would
#   scripts/uml/kernel.sh normal|debug|cover|kasan|kcsan --where      prints the folder, be there something in it or not
#   scripts/uml/kernel.sh normal|debug|cover|kasan|kcsan --hash       prints all of the hash, as it stands in "key"
#   scripts/uml/kernel.sh --prune [DAYS]    removes kernels that were not used for DAYS (30), and source that no kernel is from;
#                                           every build does so too, with 30

set -euo pipefail
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
unset MAKEFLAGS MFLAGS MAKELEVEL

cache=$(kernel_cache)
[[ $cache != *[[:space:]:]* ]] || die "a kernel cannot be built below \"$cache\": VPC_KERNEL_CACHE wants a path without spaces and colons"

flavour=${1:-} prune=0
configs=("$top/scripts/uml/normal.config")
arch=um image=linux built=linux
case $flavour in
normal) configs+=("$top/scripts/uml/peers.config") ;;
debug) configs+=("$top/scripts/uml/debug.config") ;;
cover) configs+=("$top/scripts/uml/debug.config" "$top/scripts/uml/cover.config") ;;
kasan | kcsan)
	arch=x86 image=bzImage built=arch/x86/boot/bzImage
	configs+=("$top/scripts/x86/machine.config" "$top/scripts/x86/$flavour.config") ;;
--prune)
	prune=1 days=${2:-30}
	[[ $days =~ ^[0-9]+$ ]] || die "--prune wants a number of days, not \"$days\"" ;;
*) die "one of normal, debug, cover, kasan and kcsan, not \"$flavour\"" ;;
esac

package=linux-source-6.1

version() { dpkg-query -W -f '${db:Status-Abbrev} ${Version}' "$package" 2> /dev/null | sed -n 's/^ii *//p'; }

key() { { version && gcc --version | head -n 1 && cat "${configs[@]}"; } | sha256sum | cut -d' ' -f1; }

failed() {
	tail -n 20 "$log" >&2
	die "$1 (the whole log: $log)"
}

quietly() { "$@" >> "$log" 2>&1 < /dev/null; }
kbuild() { quietly nice make -s -C "$source" O="$dir/obj" ARCH=$arch "$@"; }

unpack() {
	local archive=/usr/src/$package.tar.xz
	[[ ! -e $source ]] || return 0
	rm -rf "$source.new"
	mkdir "$source.new"
	# A third of it is headers of graphics cards and descriptions of boards.
	{
		quietly tar -xJf "$archive" -C "$source.new" --strip-components=1 --exclude="$package/drivers/gpu/drm/amd/include" \
			--exclude="$package/arch/*/boot" --exclude="$package/tools/testing" &&
			quietly tar -xJf "$archive" -C "$source.new" --strip-components=1 "$package/arch/x86/boot"
	} || failed "$archive cannot be unpacked"
	mv "$source.new" "$source"
}

wanted() {
	if [[ $arch = um ]]; then
		cat "${configs[@]}"
		return
	fi
	sed -E '/^# User Mode Linux/,/^$/d; /HOSTFS|UML_NET|PREEMPT_NONE|OPTIMIZE_FOR_PERF/d' "${configs[0]}"
	cat "${configs[@]:1}"
	echo "CONFIG_LOCALVERSION=\"-vpc-$flavour\""
}

configure() {
	local missing
	wanted | grep '^CONFIG_' > "$dir/obj/wanted"
	kbuild KCONFIG_ALLCONFIG="$dir/obj/wanted" allnoconfig || failed "the kernel cannot be configured"
	# The same option twice: the last one counts.
	missing=$(tac "$dir/obj/wanted" | sort -u -t= -k1,1 | grep -v '=n$' | grep -vxFf "$dir/obj/.config" || true)
	[[ -z $missing ]] || die "this kernel has no such options: ${missing//$'\n'/ }"
}

build() {
	echo "kernel.sh: building the $flavour kernel, once: some minutes ($log)" >&2
	# What one left that was ended: nothing of it is trusted.
	rm -rf "$dir"
	mkdir -p "$dir/obj"
	: > "$log"
	unpack
	configure
	kbuild -j2 all || failed "the kernel does not build"
	kbuild INSTALL_MOD_PATH="$dir/modules" modules_install || failed "the kernel's modules cannot be installed"
	quietly cp "$dir/obj/$built" "$dir/$image" || failed "$image cannot be copied"
	echo "$want" > "$dir/key.new"
	mv "$dir/key.new" "$dir/key"
}

current() { [[ -e $dir/$image && -e $source/Makefile && $(cat "$dir/key" 2> /dev/null) = "$want" ]]; }

# Its last use, and where the source is: the cache may have been moved. One that is whole may be somebody else's, to be read only.
use() {
	touch -c "$dir/key" 2> /dev/null || true
	if [[ $(readlink "$dir/obj/source") != "$source" ]]; then
		printf 'include %s/Makefile\n' "$source" > "$dir/obj/Makefile.$$"
		mv "$dir/obj/Makefile.$$" "$dir/obj/Makefile"
		ln -sfn "$source" "$dir/obj/source"
	fi
	echo "$dir"
}

# Those that a machine runs are locked, and those that somebody builds are kept away from by the caller, who has the lock.
prune() {
	local days=$1 folder key
	for folder in "$cache"/*/; do
		[[ $folder =~ /[a-z]+-[0-9a-f]{16}/$ ]] || continue
		key=${folder}key
		if [[ -e $key ]]; then
			[[ -n $(find "$key" -mmin "+$((days * 1440))") ]] || continue
			flock -n "$key" true || continue
		fi
		rm -f "$key"
		rm -rf "$folder"
	done
	for folder in "$cache"/source-*/; do
		[[ -d $folder ]] || continue
		grep -qsxF "include ${folder%/}/Makefile" "$cache"/*/obj/Makefile || rm -rf "$folder"
	done
}

if [[ $prune = 1 ]]; then
	exec {lock}> "$cache/lock"
	flock "$lock"
	prune "$days"
	exit
fi
[[ -n $(version) ]] || die "Debian's $package is not installed: run scripts/deps.sh uml"
want=$(key)
source=$cache/source-$(version)
dir=$cache/$flavour-${want:0:16}
log=$dir/build.log
case ${2:-} in
--where) echo "$dir"; exit ;;
--hash) echo "$want"; exit ;;
--current) current || exit 1 ;;
'') ;;
*) die "unknown option $2" ;;
esac
! current || { use; exit; }

for tool in flex bison bc depmod xz; do
	command -v "$tool" > /dev/null || die "$tool is missing: run scripts/deps.sh uml"
done
exec {lock}> "$cache/lock"
if ! flock -n "$lock"; then
	echo "kernel.sh: waiting for the other build of a kernel in $cache" >&2
	# The other one may build just this.
	until flock -w 2 "$lock"; do
		! current || { use; exit; }
	done
fi
! current || { use; exit; }
build
use
# What cannot be removed is another user's.
prune 30 || true
