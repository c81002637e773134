#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# How many route changes a second vpc_publisher carries from CDB to ZooKeeper, on this machine with private servers on
# loopback; called by tests/bench/run.sh, and by hand:
#
#   publish.sh [CHANGES [VPCS [ROUNDS [SECONDS]]]]     50000 changes over 100 VPCs, 5 rounds, 6 seconds by default
#
# A change is one route of one VPC: an epoch and a row of the outbox of its own, as vpcctl would write it, though many to a
# transaction (tests/tools/changes.c). Each round measures two things:
#
#   drained    CHANGES wait in CDB, nobody writes; then the publisher is started, and the time runs from its "publishing as"
#              until the outbox is empty. Who wrote the changes is not part of it.
#   sustained  writer and publisher at once, for SECONDS: as fast as they come, while no more than 10000 rows wait. What counts
#              is what was published meanwhile: made, less what still waited when the writer ended. Writer, MariaDB, publisher
#              and ZooKeeper share this machine's CPUs. When few rows wait at the end, the publisher has kept up, and writer and
#              MariaDB are what is measured.
#
# Every epoch is published as a delta of its own, logs are compacted, and what HEAD no longer names is deleted after a second
# in place of a minute, so that deleting is part of what is measured. At the end each HEAD, snapshot and delta in ZooKeeper is
# read and compared with CDB's history, digests included; a difference is a failure, not a figure.
#
# The servers do not wait for the disk (scripts/services.sh: innodb-flush-log-at-trx-commit=2, forceSync=no): on servers that
# do, each commit and each multi takes as long as their disks take besides.
#
# Prints "publish_per_s N,... -": the rounds of the one whose median is the smaller; on standard error all figures, and what
# CPU time each process took, which a busy machine leaves as it is.

# shellcheck source=../servers.sh
. "$(dirname "$0")/../servers.sh"

changes=${1:-50000} vpcs=${2:-100} rounds=${3:-5} seconds=${4:-6} first=6000 backlog=10000
dir=$top/build/bench/publish
conf=$dir/vpc.conf log=$dir/publisher.log

fail() { echo "publish.sh: $*" >&2; tail -n 20 "$log" >&2; exit 1; }

# $1: seconds; the rest: a command that must come true meanwhile.
wait_until() {
	local until=$((SECONDS + $1))
	shift
	until "$@"; do
		((SECONDS < until)) || fail "waited in vain for: $*"
		kill -0 "$pub" 2> /dev/null || fail "vpc_publisher has ended"
		sleep 0.02
	done
}
outbox_is_empty() { [[ $(sql 'SELECT COUNT(*) FROM (SELECT 1 FROM outbox LIMIT 1) o') = 0 ]]; }
leads() { grep -q "publishing as" "$log"; }

publisher_start() {
	: > "$log"
	publisher "$conf" build/vpc_publisher --garbage-delay 1
	pub=${pids[-1]}
	wait_until 30 leads
}
publisher_stop() {
	kill "$pub"
	wait "$pub"
	pids=()
}

# Milliseconds of CPU that a process has taken.
cpu_ms() {
	local stat
	stat=$(< "/proc/$1/stat")
	read -ra stat <<< "${stat##*) }"
	echo $(((stat[11] + stat[12]) * 1000 / $(getconf CLK_TCK)))
}

# Each HEAD is CDB's last epoch, each delta one of its history, and they add up to every digest.
compare() {
	sql "SELECT vni, epoch, LOWER(CONCAT(LPAD(HEX(digest0), 16, '0'), LPAD(HEX(digest1), 16, '0'))) FROM change_log
		WHERE vni >= $first AND vni < $first + $vpcs" | tr '\t' ' ' | sort > "$dir/cdb"
	build/tools/zkcat log $first "$vpcs" | sort -u > "$dir/zk" || fail "what is in ZooKeeper does not fit together"
	[[ -z $(comm -13 "$dir/cdb" "$dir/zk") ]] || fail "ZooKeeper has what is not in CDB's history"
	cmp <(last "$dir/cdb") <(last "$dir/zk") || fail "ZooKeeper's epochs are not CDB's"
}
last() { sort -k1,1n -k2,2n "$1" | awk '{ last[$1] = $0 } END { for (v in last) print last[v] }' | sort; }

servers
conf "$conf" "$VPC_CDB_USER" "$VPC_CDB_PASSWORD"
build/vpcctl -c "$conf" db init > /dev/null
for ((vni = first; vni < first + vpcs; vni++)); do
	printf 'vpc add v%d vni %d range 10.0.0.0/8\nsubnet add s vpc v%d prefix 10.1.0.0/16\n' $vni $vni $vni
	printf 'nexthop add vpc v%d id 1 type blackhole\nnexthop add vpc v%d id 2 type prohibit\n' $vni $vni
done > "$dir/vpcs"
build/vpcctl -c "$conf" -b "$dir/vpcs" > /dev/null
publisher_start
wait_until 120 outbox_is_empty
publisher_stop

db=$(< "$dir/svc/mariadb/pid") zk=$(< "$dir/svc/zookeeper/pid")
# What was measured: its name, changes, microseconds, rows that still waited at the end.
figure() {
	local per_s=$(($2 * 1000000 / $3))
	printf '%s: %d a second, %d wait; CPU ms: publisher %d, MariaDB %d, ZooKeeper %d, of %d on the clock; load %s\n' "$1" "$per_s" "$4" \
		"$(cpu_ms "$pub")" $(($(cpu_ms "$db") - db_ms)) $(($(cpu_ms "$zk") - zk_ms)) $(($3 / 1000)) \
		"$(cut -d' ' -f1 /proc/loadavg)" >&2
	echo "$per_s" >> "$dir/$1"
}

drained() {
	build/tools/changes "$conf" $first "$vpcs" 0 600 "$changes" "$changes" > "$dir/made"
	[[ $(sql 'SELECT COUNT(*) FROM outbox') = "$changes" ]] || fail "the outbox is not full"
	db_ms=$(cpu_ms "$db") zk_ms=$(cpu_ms "$zk")
	publisher_start
	start=${EPOCHREALTIME/./}
	wait_until 600 outbox_is_empty
	figure drained "$changes" $((${EPOCHREALTIME/./} - start)) 0
}

sustained() {
	local made left us
	db_ms=$(cpu_ms "$db") zk_ms=$(cpu_ms "$zk")
	start=${EPOCHREALTIME/./}
	build/tools/changes "$conf" $first "$vpcs" 0 "$seconds" $backlog > "$dir/made"
	left=$(sql 'SELECT COUNT(*) FROM outbox')
	us=$((${EPOCHREALTIME/./} - start))
	read -r made _ < "$dir/made"
	figure sustained $((made - left)) "$us" "$left"
	wait_until 600 outbox_is_empty
}

median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

for ((round = 0; round < rounds; round++)); do
	drained
	sustained
	publisher_stop
	grep "published" "$log" | tail -n 1 >&2 || true
done
compare
drained=$(median "$dir/drained") sustained=$(median "$dir/sustained")
echo "medians of $rounds: drained $drained, sustained $sustained a second" >&2
smaller=$dir/$( ((drained < sustained)) && echo drained || echo sustained)
echo "publish_per_s $(paste -sd , "$smaller") -"
