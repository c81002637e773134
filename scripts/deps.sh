#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs what building, tests and demo need, from Debian only, as root or through sudo; silent and quick when nothing
# is missing. Starts no service: the packages are those without one (stunnel4 has one that is off), and a policy-rc.d stands guard
# meanwhile. Of packages with a daemon that would begin with the next boot one file is wanted, and they are only unpacked, below
# build/. Without those of scenario "peers" (tshark, ovs-dpctl) it is skipped; all others are indispensable.
# check.sh and demo.sh call it first. "deps.sh uml" adds what User Mode Linux and the kernels of "make stress KERNEL="
# are built from, a large package,
# "deps.sh fuzz" clang with libFuzzer, "deps.sh units" the systemd that the machine of "make units" boots with.

set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

packages=(
	# to build
	gcc libc6-dev make pkg-config libnl-3-dev libnl-genl-3-dev libzookeeper-mt-dev libmariadb-dev libjson-c-dev
	libkmod-dev libmicrohttpd-dev libsodium-dev libsystemd-dev libinih-dev zlib1g-dev libcmocka-dev linux-headers-amd64
	# the virtual machine and the lab in it
	linux-image-amd64 qemu-system-x86 busybox-static cpio kmod iproute2 iputils-ping iperf3 ethtool tcpdump nftables procps
	socat util-linux bsdextrautils stunnel4 openssl
	# the private servers
	mariadb-server-core mariadb-client-core libzookeeper-java libslf4j-java default-jre-headless
	# tests and checks
	bats jq clang-format shellcheck sparse valgrind
	# scripts/geoip-routes.awk
	mawk tzdata
)
case ${1:-} in
'') ;;
uml) packages+=(linux-source-6.1 flex bison bc xz-utils libelf-dev) ;;
fuzz) packages+=(clang libclang-rt-dev llvm) ;;
units) packages+=(systemd) ;;
*) die "unknown argument \"$1\": none, uml, fuzz or units" ;;
esac

# What ovs-dpctl is linked to comes with them.
peers=(tshark libunbound8 libxdp1 libbpf1 libnuma1 libcap-ng0)

missing=()
installed=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' 2> /dev/null | sed -n 's/^ii *//p')
for package in "${packages[@]}"; do
	grep -qxF "$package" <<< "$installed" || missing+=("$package")
done
missing_peers=()
for package in "${peers[@]}"; do
	grep -qxF "$package" <<< "$installed" || missing_peers+=("$package")
done
# An image installed long ago and headers of today do not fit together: both are brought up to date.
bootable_kernel > /dev/null || missing+=(linux-image-amd64 linux-headers-amd64)
if [[ ${#missing[@]} = 0 && ${#missing_peers[@]} = 0 ]] && geoip_dir > /dev/null && command -v ovs-dpctl > /dev/null; then
	exit 0
fi

[[ -r /etc/debian_version ]] || die "this is not Debian: install by hand what is missing: ${missing[*]}"
mkdir -p "$top/build"
log=$top/build/deps.log
: > "$log"

failed() {
	tail -n 15 "$log" >&2
	die "$1 (the whole log: $log)"
}

apt() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@" \
		>> "$log" 2>&1 < /dev/null
}

policy=/usr/sbin/policy-rc.d
# shellcheck disable=SC2317  # called by the trap
remove_policy() { [[ -z ${our_policy:-} ]] || as_root rm -f "$policy"; }
trap remove_policy EXIT
trap 'exit 130' INT TERM HUP

# unpack PACKAGE FOLDER: below build/, nothing of it is installed.
unpack() {
	rm -rf "$top/build/$2"
	mkdir -p "$top/build/$2"
	(cd "$top/build/$2" && apt-get -qq download "$1" >> "$log" 2>&1 && dpkg-deb -x "$1"_*.deb . && rm -f "$1"_*.deb)
}

apt update || failed "apt-get update failed"
for package in "${missing_peers[@]}"; do
	if apt-cache show "$package" > /dev/null 2>&1; then
		missing+=("$package")
	else
		echo "deps.sh: Debian's package \"$package\" is not to be had: scenario peers will be skipped"
	fi
done
if [[ ${#missing[@]} -gt 0 ]]; then
	echo "deps.sh: installing ${missing[*]}"
	for package in "${missing[@]}"; do
		apt-cache show "$package" > /dev/null 2>&1 || die "Debian's package \"$package\" is not to be had: look at apt's sources"
	done
	if [[ ! -e $policy ]]; then
		our_policy=1
		printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" > /dev/null
		as_root chmod 755 "$policy"
	fi
	apt install -y --no-install-recommends "${missing[@]}" || failed "apt-get install failed"
fi

# The package wants the whole of Tor, with its service; we only want its table of countries.
geoip_dir > /dev/null || unpack tor-geoipdb geoip || failed "tor-geoipdb cannot be downloaded"
# And of a switch the tool for the kernel's datapath.
command -v ovs-dpctl > /dev/null || unpack openvswitch-switch ovs ||
	echo "deps.sh: openvswitch-switch cannot be downloaded: scenario peers will be skipped ($log)"
