#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Another Debian release's kernel beside this machine's: CACHE/debian/KVER is a root folder with its image, modules and
# headers and the compiler that they want, unpacked and never installed. CACHE is $VPC_KERNEL_CACHE, or vpc/kernels in
# $XDG_CACHE_HOME or ~/.cache; a folder there may be removed when nothing uses it. Fetched once, from the mirror that this machine's
# apt uses, by a private apt that checks signatures and knows nothing of the machine's packages. The Makefile compiles
# in there (KVER=), vm.sh boots it (--kernel), check.sh does both (part kernels).
#
#   scripts/kernel.sh 6.12                   prints KVER
#   scripts/kernel.sh --update 6.12          the same; looks for a newer one first
#   scripts/kernel.sh --where KVER           prints its root folder; exit status 1 when there is none
#   scripts/kernel.sh --in KVER COMMAND...   runs a command in the root folder; this tree is at its own path

set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

kernels=$(kernel_cache)/debian
declare -A suites=([6.12]=trixie)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
log=$kernels/log

usage() { sed -n '/^#   /s/^#   //p' "$0"; }

failed() {
	tail -n 15 "$log" >&2
	die "$1 (the whole log: $log)"
}

# -- fetching ----------------------------------------------------------------------------------------------------------

# What was unpacked whole: found SERIES
found() {
	local marker kver=''
	for marker in $(printf '%s\n' "$kernels/$1".*/complete | sort -V); do
		[[ ! -e $marker ]] || kver=$(basename "$(dirname "$marker")")
	done
	[[ -n $kver ]] && echo "$kver"
}

# The archive that has this machine's own release, whatever its mirror.
mirror() {
	local release
	release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	# shellcheck disable=SC2016  # apt's own variables
	apt-get indextargets --no-release-info --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
		awk -v release="$release" '$1 == release && $2 == "main" { print $3; exit }'
}

# An apt of its own, where nothing is installed but a stand-in for what makes an installed image bootable.
apt_root() {
	local suite=$1 uri
	uri=$(mirror)
	[[ -n $uri ]] || die "apt has no source of this machine's release: look at /etc/apt"
	[[ -r $keyring ]] || die "$keyring is missing: install debian-archive-keyring"
	mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
	echo "deb [arch=amd64 signed-by=$keyring] $uri $suite main" > "$apt/sources.list"
	cat > "$apt/status" <<-END
	Package: stand-in
	Status: install ok installed
	Architecture: all
	Version: 1
	Maintainer: nobody
	Provides: linux-initramfs-tool, kmod, linux-base (= 99)
	Description: stand-in

	END
	cat > "$apt/conf" <<-END
	#clear APT::Update::Post-Invoke;
	#clear APT::Update::Post-Invoke-Success;
	Dir::State "$apt";
	Dir::State::lists "$apt/lists";
	Dir::State::status "$apt/status";
	Dir::Cache "$apt/cache";
	Dir::Cache::archives "$apt/cache/archives";
	Dir::Etc::sourcelist "$apt/sources.list";
	Dir::Etc::sourceparts "/dev/null";
	Dir::Etc::preferences "/dev/null";
	Dir::Etc::preferencesparts "/dev/null";
	APT::Architecture "amd64";
	APT::Architectures { "amd64"; };
	APT::Install-Recommends "false";
	APT::Sandbox::User "root";
	APT::Update::Error-Mode "any";
	Acquire::Languages "none";
	Acquire::Retries "3";
	END
}

# Into a fresh folder, without the packages' own scripts; what those would have done and a build needs follows.
unpack() {
	local root=$1 deb
	# base-files first: it has the links /bin, /lib and so on.
	for deb in "$apt"/cache/archives/base-files_*.deb "$apt"/cache/archives/*.deb; do
		dpkg-deb -x "$deb" "$root" || return
	done
	ln -sf mawk "$root/usr/bin/awk" && mkdir -p "$root/proc" "$root/dev" "$root/tmp" && depmod -b "$root" "$kver"
}

fetch() {
	local series=$1 suite=$2
	apt=$kernels/apt-$suite
	: > "$log"
	apt_root "$suite"
	apt-get -qq -c "$apt/conf" update >> "$log" 2>&1 || failed "no list of the packages of $suite"
	kver=$(apt-cache -c "$apt/conf" pkgnames "linux-headers-$series." |
		sed -nE 's/^linux-headers-([0-9.]+[+-][^-]*-amd64)$/\1/p' | sort -V | tail -n 1)
	[[ -n $kver ]] || die "$suite has no kernel $series"
	[[ ! -e $kernels/$kver/complete ]] || return 0
	echo "kernel.sh: fetching and unpacking $kver of $suite, once" >&2
	rm -f "$apt"/cache/archives/*.deb
	# The headers ask for the image, their own tools and the compiler; the rest is what a build's shell needs.
	apt-get -qq -y -c "$apt/conf" install --download-only "linux-headers-$kver" make sparse base-files bash dash coreutils \
		sed grep findutils diffutils mawk gzip xz-utils >> "$log" 2>&1 || failed "the packages of $kver cannot be had"
	new=$(mktemp -d "$kernels/new-XXXXXX")
	trap 'rm -rf "$new"' EXIT
	chmod 755 "$new"
	unpack "$new" >> "$log" 2>&1 || failed "$kver cannot be unpacked"
	: > "$new/complete"
	rm -rf "${kernels:?}/$kver"
	mv "$new" "$kernels/$kver"
	rm -f "$apt"/cache/archives/*.deb
}

get() {
	local update=$1 series=$2 suite=${suites[$2]:-}
	[[ -n $suite ]] || die "kernel $series is of no known Debian release: one of ${!suites[*]}"
	[[ $update = 1 ]] || ! found "$series" || exit 0
	for tool in apt-get dpkg-deb depmod; do
		command -v "$tool" > /dev/null || die "$tool is missing: this wants Debian, and scripts/deps.sh"
	done
	[[ $(dpkg --print-architecture) = amd64 ]] || die "these kernels are for amd64 only"
	mkdir -p "$kernels"
	exec {lock}> "$kernels/lock"
	flock "$lock"
	# Another one may have fetched it meanwhile.
	[[ $update = 1 ]] || ! found "$series" || exit 0
	fetch "$series" "$suite"
	found "$series"
}

# -- running -----------------------------------------------------------------------------------------------------------

# What is mounted is so for the command alone.
run_in() {
	local root=$kernels/$1 user=()
	[[ -e $root/complete ]] || die "there is no kernel in $root: \"scripts/kernel.sh 6.12\" fetches one"
	shift
	[[ $(id -u) = 0 ]] || user=(--map-root-user)
	# shellcheck disable=SC2016  # expands inside
	exec unshare "${user[@]}" --mount --propagation private bash -c '
		root=$1 tree=$2
		shift 2
		mkdir -p "$root$tree"
		mount --rbind /dev "$root/dev" && mount --rbind /proc "$root/proc" && mount --bind "$tree" "$root$tree" || {
			echo "kernel.sh: nothing can be mounted here: run this as root, in a container with CAP_SYS_ADMIN" >&2
			exit 1
		}
		export PATH=/usr/bin:/usr/sbin LANG=C LC_ALL=C
		cd "$root"
		exec chroot "$root" "$@"' kernel.sh "$root" "$top" "$@"
}

case ${1:-} in
--in)
	[[ $# -ge 3 ]] || { usage >&2; exit 2; }
	shift
	run_in "$@" ;;
--update)
	[[ $# = 2 ]] || { usage >&2; exit 2; }
	get 1 "$2" ;;
--where)
	[[ $# = 2 ]] || { usage >&2; exit 2; }
	[[ -e $kernels/$2/complete ]] || exit 1
	echo "$kernels/$2" ;;
-h | --help) usage ;;
-* | '') usage >&2; exit 2 ;;
*)
	[[ $# = 1 ]] || { usage >&2; exit 2; }
	get 0 "$1" ;;
esac
