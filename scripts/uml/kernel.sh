#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds a kernel for uml.sh out of Debian's linux-source-6.1, once: build/uml/FLAVOUR/linux and its modules, with the
# objects that vpc.ko is built against in build/uml/FLAVOUR/obj. Silent and quick when it is there. The Makefile calls it
# for KVER=uml-FLAVOUR; build/uml/FLAVOUR/key says what was built and is renewed by nothing else.
#
# kcsan is no program but the kernel of a machine with several processors, for vm.sh --kernel x86-kcsan:
# build/uml/kcsan/bzImage, out of the same source, with what of normal.config is not about User Mode Linux.
#
#   scripts/uml/kernel.sh normal|debug|cover|kcsan [--current]      with the latter builds nothing: exit status 1 when it would

set -euo pipefail
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
unset MAKEFLAGS MFLAGS MAKELEVEL

flavour=${1:-}
configs=("$top/scripts/uml/normal.config")
arch=um image=linux built=linux
case $flavour in
normal) ;;
debug) configs+=("$top/scripts/uml/debug.config") ;;
cover) configs+=("$top/scripts/uml/debug.config" "$top/scripts/uml/cover.config") ;;
kcsan)
	arch=x86 image=bzImage built=arch/x86/boot/bzImage
	configs+=("$top/scripts/x86/machine.config" "$top/scripts/x86/$flavour.config") ;;
*) die "one of normal, debug, cover and kcsan, not \"$flavour\"" ;;
esac

package=linux-source-6.1
cache=$top/build/uml
dir=$cache/$flavour
log=$dir/build.log

version() { dpkg-query -W -f '${db:Status-Abbrev} ${Version}' "$package" 2> /dev/null | sed -n 's/^ii *//p'; }

key() { { version && gcc --version | head -n 1 && cat "${configs[@]}"; } | sha256sum | cut -d' ' -f1; }

failed() {
	tail -n 20 "$log" >&2
	die "$1 (the whole log: $log)"
}

quietly() { "$@" >> "$log" 2>&1 < /dev/null; }
kbuild() { quietly nice make -s -C "$cache/source" O="$dir/obj" ARCH=$arch "$@"; }

unpack() {
	local archive=/usr/src/$package.tar.xz
	unpack_all "$1"
	[[ $arch = um || -e $cache/source/arch/x86/boot/Makefile ]] ||
		quietly tar -xJf "$archive" -C "$cache/source" --strip-components=1 "$package/arch/x86/boot" ||
		failed "$archive cannot be unpacked"
}

unpack_all() {
	[[ $(cat "$cache/source.version" 2> /dev/null) != "$1" ]] || return 0
	rm -rf "$cache/source" "$cache/source.version" "$cache"/*/obj "$cache"/*/key
	mkdir "$cache/source"
	# A third of it is headers of graphics cards and descriptions of boards.
	quietly tar -xJf "$archive" -C "$cache/source" --strip-components=1 --exclude="$package/drivers/gpu/drm/amd/include" \
		--exclude="$package/arch/*/boot" --exclude="$package/tools/testing" ||
		failed "$archive cannot be unpacked"
	echo "$1" > "$cache/source.version"
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
	kbuild -j2 all || failed "the kernel does not build"
	rm -rf "$dir/modules"
	kbuild INSTALL_MOD_PATH="$dir/modules" modules_install || failed "the kernel's modules cannot be installed"
	# Not in place: a machine may run it.
	quietly cp "$dir/obj/$built" "$dir/$image.new" && mv "$dir/$image.new" "$dir/$image"
}

current() { [[ -e $dir/$image && $(cat "$dir/key" 2> /dev/null) = "$want" ]]; }

if [[ ${2:-} = --current ]]; then
	want=$(key) && current
	exit
fi
[[ -n $(version) ]] || die "Debian's $package is not installed: run scripts/deps.sh uml"
for tool in flex bison bc depmod xz; do
	command -v "$tool" > /dev/null || die "$tool is missing: run scripts/deps.sh uml"
done
want=$(key)
! current || exit 0

mkdir -p "$dir/obj"
exec {lock}> "$cache/lock"
if ! flock -n "$lock"; then
	echo "uml.sh: waiting for the other build of a kernel in $cache" >&2
	# The other one may build just this.
	until flock -w 2 "$lock"; do
		! current || exit 0
	done
fi
! current || exit 0
: > "$log"
unpack "$(version)"
mkdir -p "$dir/obj"
configure
build
echo "$want" > "$dir/key"
