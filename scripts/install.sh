#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What "make install" does: programs, vpcctl's manual and completion, module, systemd units and the example
# configuration, below DESTDIR.
#
#   PREFIX=/usr/local DESTDIR= KVER=kernel scripts/install.sh

set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
cd "$top"

prefix=${PREFIX:-/usr/local} destdir=${DESTDIR:-}
[[ -n ${KVER:-} ]] || die "KVER is not set: use \"make install\""
[[ $prefix = /* ]] || die "PREFIX \"$prefix\" must be an absolute path"

for product in vpc.ko vpc_agent vpc_publisher vpc_reconcile vpcctl vpcctl.bash man/vpcctl.8; do
	[[ -f build/$product ]] || die "build/$product is missing: run make"
done

install -d "$destdir$prefix/sbin"
install -m 755 build/vpc_agent build/vpc_publisher build/vpc_reconcile build/vpcctl "$destdir$prefix/sbin/"
install -d "$destdir$prefix/share/man/man8"
install -m 644 build/man/*.8 "$destdir$prefix/share/man/man8/"
install -D -m 644 build/vpcctl.bash "$destdir$prefix/share/bash-completion/completions/vpcctl"
module=$destdir/lib/modules/$KVER/updates/vpc.ko
# The build before stays: it is upgrade-module.sh's way back.
if [[ -f $module ]] && ! cmp -s build/vpc.ko "$module"; then
	cp -p "$module" "$module.old"
fi
install -D -m 644 build/vpc.ko "$module"

# The units name the programs by /usr/local/sbin.
for unit in scripts/systemd/*.service scripts/systemd/*.timer; do
	[[ -f $unit ]] || continue
	install -d "$destdir/etc/systemd/system"
	sed "s|/usr/local/sbin/|$prefix/sbin/|g" "$unit" > "$destdir/etc/systemd/system/${unit##*/}"
	chmod 644 "$destdir/etc/systemd/system/${unit##*/}"
done
# The working configuration, with its passwords, is the operator's own and is never overwritten.
install -D -m 644 scripts/systemd/vpc.conf.example "$destdir/etc/vpc/vpc.conf.example"
install -D -m 644 scripts/systemd/agent.conf.example "$destdir/etc/vpc/agent.conf.example"
install -D -m 644 scripts/systemd/reconcile.conf.example "$destdir/etc/vpc/reconcile.conf.example"
install -D -m 644 scripts/systemd/vpc-agent.sysusers "$destdir/usr/lib/sysusers.d/vpc-agent.conf"
install -D -m 644 scripts/systemd/vpc-reconcile.sysusers "$destdir/usr/lib/sysusers.d/vpc-reconcile.conf"

if [[ -z $destdir ]]; then
	depmod "$KVER"
	! command -v systemd-sysusers > /dev/null || systemd-sysusers vpc-agent.conf vpc-reconcile.conf
	echo "Installed. Next: write /etc/vpc/vpc.conf, agent.conf and reconcile.conf after the examples beside them, \"systemctl daemon-reload\", and start the units."
fi
