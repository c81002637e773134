# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What publisher.bats and publisher_many.bats work with: private servers for the file, publishers in the background, and
# what CDB and ZooKeeper say of a VPC.

# bats runs all of it under errexit; env is written at run time; pids have no blanks.
# shellcheck disable=SC2164,SC1091,SC2206,SC2013

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.."
	mkdir -p "${VPC_BATS_DIR:=build/bats}"
	SVC=$(mktemp -d "$VPC_BATS_DIR/publisher-XXXXXX")
	export SVC CONF=$BATS_FILE_TMPDIR/vpc.conf
	export B=${VPC_BUILD:-build} LSAN_OPTIONS=print_suppressions=0
	scripts/services.sh start "$SVC"
	set -a
	. "$SVC/env"
	set +a
	(umask 077; cat > "$CONF" <<-END
		[zookeeper]
		hosts = $VPC_ZK_HOSTS
		[cdb]
		host = $VPC_CDB_HOST
		port = $VPC_CDB_PORT
		user = $VPC_CDB_USER
		password = $VPC_CDB_PASSWORD
		timeout_s = 5
		[publisher]
		session_timeout_ms = 2000
		[log]
		level = debug
	END
	)
	vpcctl db init
}

teardown_file() {
	cd "$BATS_TEST_DIRNAME/../.."
	scripts/services.sh stop "$SVC"
	rm -rf "$SVC"
}

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	PIDS=()
	LOG=$BATS_TEST_TMPDIR/log
}

teardown() {
	local pid
	for pid in $(cat "$SVC"/*/pid) "${PIDS[@]}"; do kill -CONT "$pid" 2> /dev/null || true; done
	# In order, so that no session is left that the next test's publisher has to wait for.
	for pid in "${PIDS[@]}"; do kill "$pid" 2> /dev/null || true; done
	for pid in "${PIDS[@]}"; do wait "$pid" 2> /dev/null || true; done
	scripts/services.sh start "$SVC"
	[[ ! -e $LOG ]] || sed 's/^/# /' "$LOG" | tail -n 40
}

vpcctl() { "$B/vpcctl" -c "$CONF" "$@"; }
zkcat() { "$B/tools/zkcat" "$@"; }
sql() { MYSQL_PWD=$VPC_CDB_PASSWORD mariadb --no-defaults -h "$VPC_CDB_HOST" -P "$VPC_CDB_PORT" -u "$VPC_CDB_USER" -N -B vpc -e "$1"; }
once() { "$B/vpc_publisher" -c "$CONF" --once "$@" 2>> "$LOG"; }

# In the background; its pid is $PUB.
publisher() {
	"$B/vpc_publisher" -c "$CONF" "$@" 2>> "$LOG" 3>&- 7>&- &
	PUB=$!
	PIDS+=($PUB)
}

# Until the command succeeds, or 20 s have gone.
wait_for() {
	local end=$((SECONDS + 20))
	until "$@"; do
		if ((SECONDS >= end)); then
			echo "waited in vain for: $*" >&2
			return 1
		fi
		sleep 0.05
	done
}

logged() { grep -q -e "$1" "$LOG"; }
head_path() { printf '/vpc/v1/vpcs/%02x/%d' $(($1 & 255)) "$1"; }
# Wherever the hash has put it.
host_path() {
	local hh
	for hh in $(zkcat ls /vpc/v1/hosts); do
		if zkcat ls "/vpc/v1/hosts/$hh" | grep -qx "$1"; then echo "/vpc/v1/hosts/$hh/$1"; fi
	done
}
ended() { ! kill -0 "$1" 2> /dev/null; }
outbox_is() { [[ $(sql 'SELECT COUNT(*) FROM outbox') = "$1" ]]; }

# "epoch digest" of a VPC: what CDB says, and what snapshot and deltas in ZooKeeper add up to.
cdb_state() { sql "SELECT epoch, LOWER(CONCAT(LPAD(HEX(digest0), 16, '0'), LPAD(HEX(digest1), 16, '0'))) FROM vpc WHERE vni = $1" | tr '\t' ' '; }
zk_state() { zkcat state "$1" | sed -n 's/.*"epoch":\([0-9]*\),"digest":"\([0-9a-f]*\)".*/\1 \2/p'; }
in_step() {
	local cdb
	cdb=$(cdb_state "$1")
	[[ -n $cdb && $cdb = "$(zk_state "$1" 2> /dev/null)" ]]
}
# A number out of HEAD.
head_field() { zkcat get "$(head_path "$1")" | sed -n "s/.*\"$2\":\([0-9]*\).*/\1/p"; }

# VPC named v<VNI>, subnet, host h<VNI> and a port.
make_vpc() {
	vpcctl vpc add "v$1" vni "$1" range 10.0.0.0/8
	vpcctl subnet add s vpc "v$1" prefix 10.1.0.0/16
	vpcctl host add "h$1" vtep "192.0.$(($1 / 250)).$(($1 % 250 + 1))"
	vpcctl port add p1 vpc "v$1" subnet s host "h$1" dev tap1
}

# $2 host routes for table 1 of VPC v<$1>, from 100.<$3>.0.0 on, to nexthop 1.
import() {
	local file
	file=$(mktemp -p "$BATS_TEST_TMPDIR")
	awk -v n="$2" -v b="$3" 'BEGIN { for (i = 0; i < n; i++) printf "100.%d.%d.%d/32 1\n", b + int(i / 65536), int(i / 256) % 256, i % 256 }' > "$file"
	vpcctl route import vpc "v$1" table 1 file "$file"
}

# VPCs FIRST to FIRST+N-1, for build/tools/changes: vpcs FIRST N
vpcs() {
	local vni
	for ((vni = $1; vni < $1 + $2; vni++)); do
		printf 'vpc add v%d vni %d range 10.0.0.0/8\nsubnet add s vpc v%d prefix 10.1.0.0/16\n' $vni $vni $vni
		printf 'nexthop add vpc v%d id 1 type blackhole\nnexthop add vpc v%d id 2 type prohibit\n' $vni $vni
	done > "$BATS_TEST_TMPDIR/vpcs"
	vpcctl -b "$BATS_TEST_TMPDIR/vpcs"
}

# All that CDB's history says of these VPCs, "VNI EPOCH DIGEST"
history() {
	sql "SELECT vni, epoch, LOWER(CONCAT(LPAD(HEX(digest0), 16, '0'), LPAD(HEX(digest1), 16, '0'))) FROM change_log
		WHERE vni >= $1 AND vni < $1 + $2" | tr '\t' ' ' | sort
}

# What ZooKeeper has of them, exactly as CDB: each HEAD is CDB's epoch, each delta is the history's, written once, and they
# add up to every digest. exactly FIRST N
exactly() {
	local cdb=$BATS_TEST_TMPDIR/cdb zk=$BATS_TEST_TMPDIR/zk
	history "$1" "$2" > "$cdb"
	zkcat log "$1" "$2" > "$zk.log" || return
	sort -u "$zk.log" > "$zk"
	[[ -z $(comm -13 "$cdb" "$zk") ]] || { echo "not in CDB's history:"; comm -13 "$cdb" "$zk" | head; return 1; }
	diff <(sort -k1,1n -k2,2n "$cdb" | awk '{ last[$1] = $0 } END { for (v in last) print last[v] }' | sort) \
		<(sort -k1,1n -k2,2n "$zk" | awk '{ last[$1] = $0 } END { for (v in last) print last[v] }' | sort)
}
