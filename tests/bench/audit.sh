#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What the audit costs, inside User Mode Linux (tests/bench/run.sh starts it) with a MariaDB of its own there, on one CPU
# for both:
#
#   audit_1000_vpcs_ms      a round over 1,000 VPCs of 1,000 routes each that are right, each of a watch's
#   audit_cpu_percent       the watch's CPU time a round, of one second, without the server's, five times six rounds. (With --watch=1 a second
#                           passes between two rounds, so there is a little less than one a second.)
#   full_compare_1m_s       every entry of a VPC of 1,000,000 routes compared, from the program's start to its end, five times
#   full_compare_1m_rss_mib and the memory that took
#
#   audit.sh [ROUTES [VPCS]]     fewer for a try
#
# Prints "NAME VALUE,... -" lines, values times 1000; on standard error also what a round asks of the server.

set -euo pipefail
big=${1:-1000000} vpcs=${2:-1000} dir=/run/audit conf=/run/audit/vpc.conf
mkdir -p $dir
say() { echo "audit.sh: $*" >&2; }

modprobe udp_tunnel
modprobe ip6_udp_tunnel
insmod build/vpc.ko
ip link set lo up
ip addr add 192.0.2.11/32 dev lo
trap 'scripts/services.sh stop $dir/svc mariadb > /dev/null 2>&1' EXIT
scripts/services.sh start $dir/svc mariadb > /dev/null
# shellcheck source=/dev/null
. $dir/svc/env
printf '[cdb]\nhost = %s\nport = %s\nuser = root\npassword = %s\ntimeout_s = 300\n[agent]\nname = h1\n' "$VPC_CDB_HOST" \
	"$VPC_CDB_PORT" "$VPC_CDB_PASSWORD" > $conf
ctl() { build/vpcctl -c $conf "$@"; }
sql() { MYSQL_PWD=$VPC_CDB_PASSWORD mariadb --no-defaults -h "$VPC_CDB_HOST" -P "$VPC_CDB_PORT" -u root -N -B -A vpc -e "$1"; }
status() { sql "SHOW GLOBAL STATUS LIKE '$1'" | cut -f2; }

# -- what there is: VPC 100 of a million routes, 1000..1999 of a thousand --------------------------------------------

vpc() {
	ctl vpc add "$1" vni "$2" range 10.0.0.0/16 > /dev/null
	ctl subnet add web vpc "$1" prefix 10.0.1.0/24 > /dev/null
	ctl nexthop add vpc "$1" id 7 type blackhole > /dev/null
	ctl port add p vpc "$1" subnet web host h1 dev "t$2" > /dev/null
	awk -v n="$3" 'BEGIN { for (i = 0; i < n; i++) printf "%d.%d.%d.0/24 7\n", 16 + int(i / 65536), int(i / 256) % 256, i % 256 }' \
		> $dir/routes
	ctl route import vpc "$1" file $dir/routes > /dev/null
}

ctl db init > /dev/null
ctl host add h1 vtep 192.0.2.11 > /dev/null
vpc big 100 "$big"
say "$big routes are in CDB after $SECONDS s"
vpc small 1000 1000
# The others are its copies, which have its digest: a VNI is not in it.
others="seq_1001_to_$((999 + vpcs)) s"
sql "INSERT INTO vpc (vni, name, epoch, digest0, digest1, quota, change_id, flags) SELECT s.seq, CONCAT('v', s.seq), epoch, digest0, digest1, quota, change_id, flags FROM vpc, $others WHERE vni = 1000;
	INSERT INTO route_table SELECT s.seq, id, name FROM route_table, $others WHERE vni = 1000;
	INSERT INTO nexthop (vni, id, type, family, vtep, nh_vni, nh_table, mac) SELECT s.seq, id, type, family, vtep, nh_vni, nh_table, mac FROM nexthop, $others WHERE vni = 1000;
	INSERT INTO subnet SELECT s.seq, name, family, addr, plen, gateway, table_id FROM subnet, $others WHERE vni = 1000;
	INSERT INTO port (vni, name, subnet, host, dev, mac, flags) SELECT s.seq, name, subnet, host, CONCAT('t', s.seq), mac, flags FROM port, $others WHERE vni = 1000;
	INSERT INTO port_addr SELECT s.seq, a.family, a.addr, a.plen, q.id FROM port_addr a JOIN $others JOIN port q ON q.vni = s.seq WHERE a.vni = 1000;
	INSERT INTO change_log SELECT s.seq, epoch, change_id, author, created, summary, n_ops, digest0, digest1, n_items FROM change_log, $others WHERE vni = 1000;
	INSERT INTO route SELECT s.seq, table_id, family, addr, plen, nexthop FROM route, $others WHERE vni = 1000;
	DELETE FROM outbox; ANALYZE TABLE vpc, route, change_log, port, port_addr, nexthop;" > /dev/null
say "and $vpcs VPCs more after $SECONDS s"
addr4="INET_NTOA(CONV(HEX(%s), 16, 10))"
{
	echo 'host vtep4 192.0.2.11'
	sql "SELECT CONCAT('vpc ', vni, ' epoch ', epoch, ' digest ', LPAD(HEX(digest0), 16, '0'), LPAD(HEX(digest1), 16, '0')) FROM vpc;
		SELECT CONCAT('nexthop ', vni, ' ', id, ' ', CASE type WHEN 1 THEN 'local' WHEN 6 THEN 'blackhole' ELSE CONCAT('host ', ${addr4/\%s/vtep}) END) FROM nexthop;
		SELECT CONCAT('route ', vni, ' ', table_id, ' ', ${addr4/\%s/addr}, '/', plen, ' ', nexthop) FROM route;"
	sql "SELECT p.dev, p.vni, HEX(p.mac), s.table_id, ${addr4/\%s/a.addr}, ${addr4/\%s/s.gateway} FROM port p
		JOIN subnet s ON s.vni = p.vni AND s.name = p.subnet JOIN port_addr a ON a.vni = p.vni AND a.port = p.id" |
		awk '{ gsub(/../, "&:", $3); print "port", $1, "vpc", $2, "mac", substr($3, 1, 17), "table", $4, "addr", $5 "/32 gateway4", $6 }'
} | tr A-F a-f > $dir/kernel
build/vpcctl kernel restore $dir/kernel
rm -f $dir/kernel $dir/routes
say "the kernel has it after $SECONDS s"

# -- a watch ---------------------------------------------------------------------------------------------------------

rounds=15
ticks_of() {
	local stat
	read -ra stat <<< "$(sed 's/.*) //' "/proc/$1/stat")"
	echo $((stat[11] + stat[12]))
}
# The big one is one more of them: by digest it costs what each of the others does. With JSON, for the microseconds.
: > $dir/watch
build/vpc_reconcile -c $conf -H h1 --settle 0 --watch=1 -j > $dir/watch &
watch=$!
until (($(wc -l < $dir/watch) >= rounds)); do read -rt 0.2 <> <(:) || true; done
kill $watch
wait $watch
jq -r .result $dir/watch | sort | uniq -c >&2
[[ $(jq -r .result $dir/watch | sort -u) = consistent && $(jq '.vpcs | length' $dir/watch | sort -u) = $((vpcs + 1)) ]]
echo "audit_1000_vpcs_ms $(jq .duration_us $dir/watch | paste -sd ,) -"

# As a service, which says a line a round, and writes its rounds and CPU time together; from its second round on.
build/vpc_reconcile -c $conf -H h1 --settle 0 --watch=1 --metrics $dir/watch.prom > $dir/watch &
watch=$!
# reached ROUNDS: waits for as many, at least; how many they are, and what they took, in microseconds
reached() {
	until [[ -e $dir/watch.prom ]] && read -r n cpu < <(awk '/^vpc_reconcile_rounds_total/ { n += $2 }
		$1 == "vpc_reconcile_cpu_seconds" { cpu = $2 } END { printf "%d %.0f\n", n, cpu * 1e6 }' $dir/watch.prom) && ((n >= $1)); do
		kill -0 $watch
		read -rt 0.2 <> <(:) || true
	done
}
reached 1
first=$n percents=()
server=$(< $dir/svc/mariadb/pid) questions=$(status Questions) server_before=$(ticks_of "$server")
for ((i = 0; i < 5; i++)); do
	before=$n cpu_before=$cpu
	reached $((n + 6))
	# Per cent times 1000, of a second: microseconds by ten.
	percents+=($(((cpu - cpu_before) / (10 * (n - before)))))
done
server_ticks=$(($(ticks_of "$server") - server_before)) rounds=$((n - first))
kill $watch
wait $watch
say "a round asks the server $((($(status Questions) - questions) / rounds)) questions, of $((server_ticks * 1000 / $(getconf CLK_TCK) / rounds)) ms of its CPU"
echo "audit_cpu_percent $(IFS=,; echo "${percents[*]}") -"

# -- everything compared -----------------------------------------------------------------------------------------------

took=() mib=()
for ((i = 0; i < 5; i++)); do
	from=$(date +%s%N)
	build/vpc_reconcile -c $conf -H h1 --settle 0 -V big --full -v --metrics $dir/full.prom > $dir/full
	took+=($((($(date +%s%N) - from) / 1000000)))
	grep -qE '^VPC 100 \(big\): consistent.* [0-9]+ routes.*compared$' $dir/full
	mib+=("$(awk '$1 == "vpc_reconcile_max_resident_bytes" { printf "%d\n", $2 * 1000 / 1048576 }' $dir/full.prom)")
done
cat $dir/full >&2
echo "full_compare_1m_s $(IFS=,; echo "${took[*]}") -"
echo "full_compare_1m_rss_mib $(IFS=,; echo "${mib[*]}") -"

# -- one wrong route in a million, found by its digest and then by checksums of buckets ----------------------------------

build/vpcctl kernel route set 100 16.5.5.0/24 nexthop 2147483648 table 1
sent=$(status Rows_sent) read=$(status Innodb_rows_read) from=$(date +%s%N)
status=0
build/vpc_reconcile -c $conf -H h1 --settle 0 -V big > $dir/one || status=$?
one_took=$(($(date +%s%N) - from))
cat $dir/one >&2
[[ $status = 1 ]]
grep -q 'different  *route table 1 16.5.5.0/24' $dir/one
say "one wrong route of $big was named after $((one_took / 1000000)) ms; the server read $(($(status Innodb_rows_read) - read)) rows and sent $(($(status Rows_sent) - sent))"
