#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Shows the main job on a bare Debian machine, as root or with sudo: installs what is missing, builds, starts a private
# MariaDB and ZooKeeper, boots a virtual machine with a stock Debian kernel, and there runs demo-lab.sh: three hosts with
# an agent each, two customers with the same addresses, a real route table, a killed agent, a route tampered with. The
# machine's own services are not touched; all that it makes is under build/ and ends with it, on Ctrl-C too.

set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
cd "$top"

usage() {
	cat <<-END
	usage: demo.sh [--routes FILE] [--shell]
	  --routes FILE   the customer's route table, "prefix nexthop-id" a line, gzip too; by default Debian's
	                  tor-geoipdb: every country's networks through its region's gateway
	  --shell         stay in the lab with a shell at the end
	END
}

routes='' shell=0
while [[ $# -gt 0 ]]; do
	case $1 in
	--routes)
		[[ $# -ge 2 && -r $2 ]] || die "--routes wants a file that can be read"
		routes=$(realpath "$2")
		shift 2 ;;
	--shell) shell=1; shift ;;
	-h | --help) usage; exit 0 ;;
	*) usage >&2; die "unknown argument \"$1\"" ;;
	esac
done
if [[ $shell = 1 && ! -t 0 ]]; then
	die "--shell wants a terminal"
fi

start=$SECONDS
dir=build/demo-$$
cleanup() {
	local status=$?
	trap - EXIT INT TERM
	scripts/services.sh stop "$dir/services" > /dev/null 2>&1 || true
	rm -rf "$dir"
	exit "$status"
}

echo "== Installing what is missing and building (the first time takes minutes)"
scripts/deps.sh
# What the module is built for is what boots.
KVER=${KVER:-$(bootable_kernel)} || die "no kernel with image, modules and headers: what scripts/deps.sh installs is gone"
export KVER
make -s -j2 all
echo "   done in $((SECONDS - start)) s"
trap cleanup EXIT
trap 'exit 130' INT TERM
mkdir -p "$dir"

echo "== Starting a private MariaDB (the truth, CDB) and ZooKeeper (carries the changes) on free loopback ports"
step=$SECONDS
scripts/services.sh start "$dir/services"
echo "   done in $((SECONDS - step)) s"

# The table that the customer brings, and the nexthops that it names.
if [[ -z $routes ]]; then
	geoip=$(geoip_dir) || die "Debian's tor-geoipdb is not there: run scripts/deps.sh"
	awk -f scripts/geoip-routes.awk -v regions="$dir/regions" /usr/share/zoneinfo/zone.tab "$geoip/geoip" > "$dir/routes"
else
	case $routes in *.gz) zcat "$routes" ;; *) cat "$routes" ;; esac > "$dir/routes"
	! grep -q : "$dir/routes" || die "--routes $routes: the demonstration compares IPv4 routes only, and this has others"
	[[ $(awk '/^[0-9]/ { print $2 }' "$dir/routes" | sort -u | wc -l) -ge 2 ]] ||
		die "--routes $routes: the demonstration needs \"prefix nexthop-id\" lines with two nexthops or more"
	awk '/^[^#]/ && !($2 in seen) { seen[$2] = 1; print $2, "gateway-" $2 }' "$dir/routes" > "$dir/regions"
fi
# A dozen addresses from all over it, each with the longest prefix that covers it: computed from the file alone, naively.
awk '
	function number(a,    p) { split(a, p, "."); return ((p[1] * 256 + p[2]) * 256 + p[3]) * 256 + p[4] }
	FNR == 1 { pass++ }
	!/^[0-9]/ { next }
	pass == 1 { n++; next }
	{ split($1, prefix, "/"); first = number(prefix[1]) }
	pass == 2 && i++ % int(n / 12 + 1) == 0 { text[++samples] = prefix[1]; want[samples] = first; best[samples] = -1 }
	pass == 3 {
		size = 2 ^ (32 - prefix[2])
		for (s = 1; s <= samples; s++)
			if (want[s] >= first && want[s] < first + size && prefix[2] + 0 > best[s]) {
				best[s] = prefix[2] + 0
				line[s] = $1 " " $2
			}
	}
	END { for (s = 1; s <= samples; s++) print text[s], line[s] }' "$dir/routes" "$dir/routes" "$dir/routes" > "$dir/sample"

echo "== Booting a virtual machine with a stock Debian kernel (emulated: every step in it is some ten times slower than life)"
set -a
# shellcheck source=/dev/null
. "$dir/services/env"
set +a
export VPC_DEMO_DIR=$top/$dir VPC_DEMO_SHELL=$shell
vm=(scripts/vm.sh --kernel "$KVER" --mem 4096 --smp 2)
if [[ $shell = 1 ]]; then vm+=(--tty); else vm+=(--timeout 1800); fi
"${vm[@]}" -- scripts/demo-lab.sh
echo "== The whole demonstration took $((SECONDS - start)) s. Next: scripts/check.sh runs the tests, --shell lets you play."
