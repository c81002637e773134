#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# vpc_publisher between a private MariaDB and a private ZooKeeper, all on this machine's loopback:
#
#	vpcctl -> MariaDB -> vpc_publisher -> ZooKeeper -> zkcat (reads as an agent does, checks every digest)
#
# Each test has VPCs and hosts of its own. VPC_BUILD: where the programs are, build/ by default.

# bats runs tests under errexit, and sets stderr and stderr_lines; env is written at run time; pids have no blanks.
# Each test has its own PIDS.
# shellcheck disable=SC2030,SC2031,SC2164,SC2154,SC1091,SC2013,SC2206

bats_require_minimum_version 1.5.0

load publisher

@test "options and configuration that make no sense are refused with a line, status 1" {
	run -1 --separate-stderr "$B/vpc_publisher" --frobnicate
	[[ $stderr = *frobnicate* ]]
	run -1 --separate-stderr "$B/vpc_publisher" extra
	[[ $stderr = *"unexpected argument 'extra'"* ]]
	run -1 --separate-stderr "$B/vpc_publisher" --garbage-delay soon
	[[ $stderr = *"'soon'"* ]]
	run -1 --separate-stderr "$B/vpc_publisher" -c /nonexistent --check-config
	[[ $stderr = *"/nonexistent"* ]]
	printf '[zookeeper]\nhosts = nowhere\n' > "$BATS_TEST_TMPDIR/bad.conf"
	run -1 --separate-stderr "$B/vpc_publisher" -c "$BATS_TEST_TMPDIR/bad.conf" --check-config
	[[ $stderr = *"bad.conf"* && ${#stderr_lines[@]} = 1 ]]
	run -0 "$B/vpc_publisher" -c "$CONF" --check-config
	run -0 "$B/vpc_publisher" --help
	run -0 "$B/vpc_publisher" --version
}

@test "a new VPC is a snapshot, a change is one delta, the host's ports follow, the outbox is emptied" {
	make_vpc 100
	once
	outbox_is 0
	in_step 100
	local epoch
	epoch=$(head_field 100 epoch)
	[[ $(zkcat ls "$(head_path 100)") = "s$epoch" ]]
	publisher
	vpcctl route add 172.16.0.0/12 vpc v100 via blackhole
	wait_for in_step 100
	[[ $(zkcat ls "$(head_path 100)") = l$((epoch + 1))$'\n'"s$epoch" ]]
	[[ $(head_field 100 oldest) = $((epoch + 1)) && $(head_field 100 snapshot) = "$epoch" ]]
	# HEAD has what leads to it.
	[[ $(zkcat get "$(head_path 100)") = *"\"last\":[$(zkcat get "$(head_path 100)/l$((epoch + 1))")]}" ]]
	vpcctl port add p2 vpc v100 subnet s host h100 dev tap2
	wait_for outbox_is 0
	in_step 100
	[[ $(zkcat get "$(host_path h100)/ports") = *'"dev":"tap1"'*'"dev":"tap2"'* ]]
}

@test "an import that no delta holds becomes a snapshot of many chunks, flipped last" {
	make_vpc 101
	vpcctl nexthop add vpc v101 id 1 type blackhole
	publisher
	wait_for in_step 101
	import 101 60000 64
	wait_for in_step 101
	(($(head_field 101 chunks) > 4))
	[[ $(head_field 101 snapshot) = "$(head_field 101 epoch)" ]]
	# A small change afterwards is a delta again.
	vpcctl route del 100.64.0.7/32 vpc v101
	wait_for in_step 101
	[[ $(head_field 101 snapshot) = $(($(head_field 101 epoch) - 1)) ]]
}

@test "the log is compacted, lagging readers keep 64 deltas, what HEAD no longer names is deleted" {
	make_vpc 102
	once
	local first i
	first=$(head_field 102 snapshot)
	for ((i = 0; i < 70; i++)); do echo "route add 172.20.$i.0/24 vpc v102 via blackhole"; done | vpcctl_lines
	# The first of two batches cannot be written.
	zkcat put "$(head_path 102)/l$((first + 1))/stuck" ''
	run -2 once
	logged "l$((first + 1)): the node has children"
	[[ $(head_field 102 epoch) = "$first" ]]
	zkcat rm "$(head_path 102)/l$((first + 1))/stuck"
	once
	in_step 102
	(($(head_field 102 snapshot) > first))
	[[ $(($(head_field 102 epoch) - $(head_field 102 oldest))) = 63 ]]
	# What the run before left over is found by the next, whose delay is none.
	zkcat ls "$(head_path 102)" | grep -qx "s$first"
	publisher --garbage-delay 0
	vpcctl route del 172.20.0.0/24 vpc v102
	wait_for in_step 102
	wait_for gone "$(head_path 102)" "s$first"
	wait_for gone "$(head_path 102)" "l$((first + 1))"
	in_step 102
}

gone() { ! zkcat ls "$1" | grep -qx "$2"; }
vpcctl_lines() { while read -ra words; do vpcctl "${words[@]}" > /dev/null; done; }

@test "a VPC and a host that end are taken out; the VNI's next life goes on with higher epochs" {
	make_vpc 103
	publisher
	wait_for in_step 103
	local last path
	wait_for outbox_is 0
	path=$(host_path h103)/ports
	zkcat get "$path"
	vpcctl port del p1 vpc v103
	vpcctl subnet del s vpc v103
	vpcctl vpc del v103
	vpcctl host del h103
	wait_for outbox_is 0
	run -2 zkcat get "$(head_path 103)"
	run -2 zkcat get "$path"
	last=$(sql 'SELECT MAX(epoch) FROM change_log WHERE vni = 103')
	make_vpc 103
	wait_for in_step 103
	(($(head_field 103 epoch) > last))
}

head_beyond() {
	local epoch
	epoch=$(head_field "$1" epoch)
	((${epoch:-0} > $2))
}

# Changes of every kind, until told to stop.
writer() {
	local i=0
	until [[ -e $BATS_TEST_TMPDIR/stop ]]; do
		i=$((i + 1))
		vpcctl route set "172.16.$((i % 50)).0/24" vpc v104 via blackhole
		vpcctl port add "q$i" vpc v104 subnet s host h104 dev "q$i"
		if ((i % 4 == 0)); then import 104 $((3000 + i)) $((64 + i % 50)); fi
		vpcctl port del "q$i" vpc v104
	done > /dev/null
	echo "$i" > "$BATS_TEST_TMPDIR/rounds"
}

# What ZooKeeper does when a session expires, seconds after its publisher was killed: the next one leads at once.
bury() {
	local name
	for name in $(zkcat ls /vpc/v1/election); do zkcat rm "/vpc/v1/election/$name"; done
}

@test "killed with -9 again and again under changes: nothing lost, nothing published twice" {
	make_vpc 104
	vpcctl nexthop add vpc v104 id 1 type blackhole
	writer 3>&- &
	PIDS+=($!)
	local writer_pid=$! i epoch last=0 name
	for ((i = 0; i < 25; i++)); do
		: > "$LOG"
		publisher --garbage-delay 0
		# A different moment each time: while it starts, once it may write, and after so many of its first epochs.
		case $((i % 3)) in
		0) wait_for logged "connected to ZooKeeper" ;;
		1) wait_for logged "publishing as .*:$PUB," ;;
		2) wait_for head_beyond 104 $((last + i % 5)) ;;
		esac
		kill -9 "$PUB"
		wait "$PUB" || true
		bury
		epoch=$(head_field 104 epoch || true)
		((${epoch:-0} >= last))
		last=${epoch:-0}
		[[ $last = 0 ]] || zkcat state 104 > /dev/null
	done
	touch "$BATS_TEST_TMPDIR/stop"
	wait "$writer_pid"
	echo "# $(< "$BATS_TEST_TMPDIR/rounds") rounds of changes, killed at epoch $last of $(cdb_state 104)" >&3
	once
	outbox_is 0
	in_step 104
	for name in $(zkcat ls "$(head_path 104)" | grep '^l'); do
		[[ $(zkcat version "$(head_path 104)/$name") = 0 ]]
	done
}

@test "of several publishers one leads, the others stand by and take over within 10 s of its end" {
	make_vpc 105
	publisher
	local first=$PUB second third start
	wait_for in_step 105
	publisher
	second=$PUB
	wait_for logged "standing by, [^ ]*:$first leads"
	publisher
	third=$PUB
	wait_for logged_twice "standing by, [^ ]*:$first leads"
	vpcctl route add 172.16.0.0/12 vpc v105 via blackhole
	wait_for in_step 105
	kill -9 "$first"
	start=$SECONDS
	vpcctl route add 172.17.0.0/16 vpc v105 via blackhole
	wait_for in_step 105
	((SECONDS - start < 10))
	logged "publishing as .*:$second,"
	# One that ends in order is succeeded at once.
	kill "$second"
	wait "$second"
	vpcctl route add 172.18.0.0/16 vpc v105 via blackhole
	wait_for in_step 105
	logged "publishing as .*:$third,"
	[[ $(grep -c "publishing as" "$LOG") = 3 ]]
}

logged_twice() { (($(grep -c -e "$1" "$LOG") >= 2)); }

@test "a leader that was asleep, or whose fence was taken, stands by again and does not end" {
	make_vpc 124
	publisher
	local first=$PUB second
	wait_for in_step 124
	publisher
	second=$PUB
	wait_for logged "standing by"
	kill -STOP "$first"
	vpcctl route add 172.16.0.0/12 vpc v124 via blackhole
	wait_for in_step 124
	logged "publishing as .*:$second,"
	kill -CONT "$first"
	wait_for logged "standing by, [^ ]*:$second leads"
	# Its turn again.
	zkcat put /vpc/v1/fence '{"v":1,"term":1000,"publisher":"somebody"}'
	vpcctl route add 172.17.0.0/16 vpc v124 via blackhole
	wait_for in_step 124
	logged "another publisher has taken over; standing by"
	wait_for logged "publishing as .*, term 1001"
	kill -0 "$first" "$second"
}

@test "--once waits for its turn, or sees the leader do the work" {
	make_vpc 125
	publisher
	wait_for in_step 125
	vpcctl route add 172.16.0.0/12 vpc v125 via blackhole
	once
	in_step 125
	[[ $(grep -c "publishing as" "$LOG") = 1 ]]
	kill -STOP "$PUB"
	vpcctl route add 172.17.0.0/16 vpc v125 via blackhole
	once
	in_step 125
	[[ $(grep -c "publishing as" "$LOG") = 2 ]]
}

# For SECONDS, under RATE changes a second in N VPCs from FIRST on, the leader of three publishers is killed or stopped at
# random: chaos FIRST N RATE SECONDS
chaos() {
	local pids=() end stream heads i leader terms=0
	vpcs "$1" "$2"
	for i in 0 1 2; do publisher --garbage-delay 5; pids[i]=$PUB; done
	wait_for outbox_is 0
	"$B/tools/changes" "$CONF" "$1" "$2" "$3" "$4" > "$BATS_TEST_TMPDIR/stream" 3>&- &
	stream=$!
	PIDS+=($stream)
	mkfifo "$BATS_TEST_TMPDIR/go"
	zkcat heads "$1" "$2" < "$BATS_TEST_TMPDIR/go" > "$BATS_TEST_TMPDIR/heads" 3>&- &
	heads=$!
	PIDS+=($heads)
	exec 7> "$BATS_TEST_TMPDIR/go"
	end=$((SECONDS + $4))
	while ((SECONDS < end)); do
		# Between nothing and two seconds after it leads.
		leader=$(zkcat get /vpc/v1/fence | sed 's/.*:\([0-9]*\)".*/\1/')
		read -rt "$((RANDOM % 2)).$((RANDOM % 10))" < <(exec sleep 3) || true
		for i in 0 1 2; do
			[[ ${pids[i]} = "$leader" ]] || continue
			terms=$((terms + 1))
			if ((RANDOM % 2)); then
				kill -9 "$leader"
				wait "$leader" || true
				taken_over "$leader" || return
				publisher --garbage-delay 5
				pids[i]=$PUB
			else
				kill -STOP "$leader"
				taken_over "$leader" || return
				kill -CONT "$leader"
			fi
		done
	done
	wait "$stream"
	wait_for outbox_is 0
	exec 7>&-
	wait "$heads" || { echo "heads: $?"; return 1; }
	exactly "$1" "$2" || return
	# Every HEAD that anybody could see is of the history.
	sort -u "$BATS_TEST_TMPDIR/heads" > "$BATS_TEST_TMPDIR/seen"
	[[ -z $(comm -13 <(history "$1" "$2") "$BATS_TEST_TMPDIR/seen") ]] || return
	echo "# $(< "$BATS_TEST_TMPDIR/stream"); $terms leaders ended, $(wc -l < "$BATS_TEST_TMPDIR/seen") HEADs seen" >&3
	for i in 0 1 2; do kill -0 "${pids[i]}" || return; done
}

# Within 10 s.
taken_over() {
	local since=$SECONDS
	wait_for another_leads "$1" || return
	((SECONDS - since <= 10)) || { echo "taken over after $((SECONDS - since)) s"; return 1; }
}

another_leads() {
	local now
	now=$(zkcat get /vpc/v1/fence | sed 's/.*:\([0-9]*\)".*/\1/')
	[[ $now != "$1" ]]
}

chaos_s() { if [[ -n ${CHAOS_MINUTES:-} ]]; then echo $((CHAOS_MINUTES * 60)); else echo 12; fi; }

# The long one: CHAOS_MINUTES=3 CHAOS_VPCS=100 CHAOS_RATE=1000 bats -f random tests/e2e/publisher.bats
@test "leaders killed and stopped at random under a stream of changes: CDB and ZooKeeper agree exactly" {
	chaos 5000 "${CHAOS_VPCS:-20}" "${CHAOS_RATE:-200}" "$(chaos_s)"
}

@test "ZooKeeper away and back: one line each, and what happened meanwhile is published" {
	make_vpc 106
	publisher
	wait_for in_step 106
	scripts/services.sh stop "$SVC" zookeeper
	vpcctl route add 172.16.0.0/12 vpc v106 via blackhole
	wait_for logged "connection to ZooKeeper .* lost"
	scripts/services.sh start "$SVC" zookeeper
	wait_for in_step 106
	[[ $(grep -c "connection to ZooKeeper" "$LOG") = 1 ]]
	kill -0 "$PUB"
}

@test "MariaDB away and back: one line each, and publishing goes on" {
	make_vpc 107
	publisher
	wait_for in_step 107
	scripts/services.sh stop "$SVC" mariadb
	wait_for logged "CDB is not there"
	scripts/services.sh start "$SVC" mariadb
	vpcctl route add 172.16.0.0/12 vpc v107 via blackhole
	wait_for in_step 107
	[[ $(grep -c "CDB is not there" "$LOG") = 1 ]]
}

nobody_stands() { [[ -z $(zkcat ls /vpc/v1/election) ]]; }

@test "a leader whose CDB does not answer lets others lead within 10 s, before it tries again" {
	local since
	make_vpc 126
	# However long others wait for CDB.
	sed 's/^timeout_s = 5/timeout_s = 60/' "$CONF" > "$BATS_TEST_TMPDIR/patient.conf"
	chmod 600 "$BATS_TEST_TMPDIR/patient.conf"
	publisher -c "$BATS_TEST_TMPDIR/patient.conf"
	wait_for in_step 126
	wait_for outbox_is 0
	kill -STOP "$(< "$SVC/mariadb/pid")"
	since=$SECONDS
	wait_for nobody_stands
	((SECONDS - since < 10))
	logged "CDB cannot be read"
	[[ $(grep -c "CDB is not there" "$LOG") = 0 ]]
	kill -CONT "$(< "$SVC/mariadb/pid")"
	vpcctl route add 172.16.0.0/12 vpc v126 via blackhole
	wait_for in_step 126
}

@test "neither server is there at the start: it waits for both" {
	make_vpc 108
	scripts/services.sh stop "$SVC"
	publisher
	wait_for logged "ZooKeeper at .* does not answer, trying again"
	scripts/services.sh start "$SVC" zookeeper
	wait_for logged "CDB is not there"
	scripts/services.sh start "$SVC"
	wait_for in_step 108
	[[ $(grep -c "does not answer" "$LOG") = 1 ]]
}

# Some connections to CDB that are not those of the polling.
reconnected() {
	POLLS=$((POLLS + 1))
	(($(connections) > BEFORE + POLLS + 3))
}
connections() { sql "SHOW GLOBAL STATUS LIKE 'Connections'" | cut -f 2; }

# $1: what all that read CDB say, in one line.
schema_is_another() {
	local log=$LOG
	run -2 --separate-stderr vpcctl vpc show
	[[ $stderr =~ $1 && ${#stderr_lines[@]} = 1 ]]
	run -2 --separate-stderr "$B/vpc_reconcile" fleet -c "$CONF"
	[[ $stderr =~ $1 && $stderr != *';'* && ${#stderr_lines[@]} = 1 ]]
	LOG=$log.once
	SECONDS=0
	run -2 once
	((SECONDS < 10))
	[[ $(grep -c 'schema version' "$LOG") = 1 && $(grep -c -E "$1" "$LOG") = 1 ]]
	rm "$LOG"
	LOG=$log
	rm -f "$LOG"
	publisher
	wait_for logged "$1"
}

@test "a schema that is older or newer than the programs': each says so in one line, and what to do" {
	local known
	known=$(sql 'SELECT MAX(version) FROM schema_version')
	make_vpc 132
	sql "INSERT INTO schema_version (version) VALUES (999)"
	schema_is_another "has schema version 999, this program knows $known: upgrade this program"
	sql "DELETE FROM schema_version WHERE version = 999"
	# The publisher that waits goes on by itself.
	wait_for in_step 132
	[[ $(grep -c 'CDB cannot be used, trying again: .*schema version' "$LOG") = 1 ]]
	kill "$PUB"
	wait_for ended "$PUB"
	vpcctl route add 172.16.0.0/12 vpc v132 via blackhole
	sql "DELETE FROM schema_version WHERE version = $known"
	schema_is_another "has schema version [0-9]*, this program needs $known: run .vpcctl db init"
	vpcctl db init
	wait_for in_step 132
}

@test "an outbox that cannot be read is reported once, and tried again" {
	make_vpc 119
	sql 'RENAME TABLE outbox TO outbox_hidden'
	BEFORE=$(connections) POLLS=0
	publisher
	wait_for reconnected
	sql 'RENAME TABLE outbox_hidden TO outbox'
	wait_for in_step 119
	[[ $(grep -c "outbox' doesn't exist" "$LOG") = 1 ]]
	[[ $(grep -c "connected to CDB" "$LOG") = 1 ]]
}

@test "a row of the outbox that names nothing is reported once and left, others go on" {
	make_vpc 120
	sql "SET check_constraint_checks = 0;
		INSERT INTO outbox (kind, vni, created) VALUES ('vpc', 0, 0), ('vpc', 16777216, 0);
		INSERT INTO outbox (kind, host, created) VALUES ('host', '', 0)"
	publisher
	wait_for in_step 120
	vpcctl route add 172.16.0.0/12 vpc v120 via blackhole
	wait_for in_step 120
	wait_for outbox_is 3
	[[ $(grep -c "outbox row [0-9]* names no VPC and no host" "$LOG") = 3 ]]
	kill "$PUB"
	wait "$PUB"
	run -2 once
	sql 'DELETE FROM outbox'
	once
}

@test "a malformed HEAD is named and published anew; one that is ahead of CDB is left alone, others go on" {
	make_vpc 109
	make_vpc 110
	make_vpc 111
	once
	zkcat put "$(head_path 109)" '{"v":1,"vni":109,"epoch":"nine"}'
	zkcat put "$(head_path 110)" "$(zkcat get "$(head_path 110)" | sed 's/"epoch":[0-9]*/"epoch":1000/')"
	local ahead
	ahead=$(zkcat get "$(head_path 110)")
	for vni in 109 110 111; do vpcctl route add 172.16.0.0/12 vpc "v$vni" via blackhole; done
	publisher
	wait_for in_step 109
	wait_for in_step 111
	wait_for outbox_is 1
	logged "$(head_path 109): epoch: string"
	logged "VPC 110: ZooKeeper's epoch 1000 is not in CDB's history"
	[[ $(zkcat get "$(head_path 110)") = "$ahead" ]]
	kill "$PUB"
	wait "$PUB"
	run -2 once
	# Told what to do, the operator raises the epoch, makes a change, and deletes the node.
	sql 'UPDATE vpc SET epoch = 1001 WHERE vni = 110'
	vpcctl route add 172.17.0.0/16 vpc v110 via blackhole
	run -2 once
	[[ $(zkcat get "$(head_path 110)") = "$ahead" ]]
	zkcat ls "$(head_path 110)" | while read -r name; do
		zkcat ls "$(head_path 110)/$name" | while read -r chunk; do zkcat rm "$(head_path 110)/$name/$chunk"; done
		zkcat rm "$(head_path 110)/$name"
	done
	zkcat rm "$(head_path 110)"
	once
	in_step 110
	[[ $(head_field 110 epoch) = 1002 ]]
	vpcctl route del 172.17.0.0/16 vpc v110
	once
	in_step 110
	[[ $(head_field 110 snapshot) = 1002 ]]
	outbox_is 0
}

@test "HEAD of another history (CDB restored and gone on) is not built upon" {
	make_vpc 112
	# More than a delta holds: the history is compared all the same.
	vpcctl nexthop add vpc v112 id 1 type blackhole
	import 112 7000 64
	once
	local good
	good=$(zkcat get "$(head_path 112)")
	zkcat put "$(head_path 112)" "$(zkcat get "$(head_path 112)" | sed 's/"digest":"..../"digest":"0bad/')"
	local before
	before=$(zkcat get "$(head_path 112)")
	vpcctl route add 172.16.0.0/12 vpc v112 via blackhole
	run -2 once
	logged "VPC 112: .* not in CDB's history"
	[[ $(zkcat get "$(head_path 112)") = "$before" ]]
	zkcat put "$(head_path 112)" "$good"
	once
	in_step 112
}

@test "what a killed run left behind at the same epoch is written over" {
	make_vpc 113
	vpcctl nexthop add vpc v113 id 1 type blackhole
	import 113 20000 64
	local epoch
	epoch=$(sql 'SELECT epoch FROM vpc WHERE vni = 113')
	zkcat put "$(head_path 113)/s$epoch/c000" 'half of a chu'
	zkcat put "$(head_path 113)/s$epoch/c001" ''
	zkcat put "$(head_path 113)/l$((epoch + 1))" 'half of a del'
	[[ -z $(zkcat get "$(head_path 113)") ]]
	once
	in_step 113
	vpcctl route add 172.16.0.0/12 vpc v113 via blackhole
	once
	in_step 113
	logged "l$((epoch + 1)) is in the way"
}

@test "garbage in CDB is named and not published; other VPCs go on" {
	make_vpc 114
	make_vpc 115
	sql 'UPDATE vpc SET digest0 = digest0 + 1 WHERE vni = 114'
	publisher
	wait_for in_step 115
	wait_for logged "CDB: VPC 114, epoch [0-9]*: its digest is not that of its routes and nexthops"
	run -2 zkcat get "$(head_path 114)"
	sql 'UPDATE vpc SET digest0 = digest0 - 1 WHERE vni = 114'
	wait_for in_step 114
	[[ $(grep -c 'CDB: VPC 114' "$LOG") = 1 ]]
}

@test "a node that cannot be deleted is reported once, others go on, and once it can be it is deleted once" {
	make_vpc 121
	vpcctl nexthop add vpc v121 id 1 type blackhole
	import 121 7000 64
	once
	local first second
	first=$(head_field 121 snapshot)
	zkcat put "$(head_path 121)/s$first/c000/stuck" ''
	publisher --garbage-delay 0
	import 121 7000 65
	wait_for in_step 121
	second=$(head_field 121 snapshot)
	import 121 7000 66
	wait_for in_step 121
	wait_for gone "$(head_path 121)" "s$second"
	[[ $(grep -c "it is not deleted" "$LOG") = 1 ]]
	logged "s$first/c000: .*it is not deleted"
	zkcat rm "$(head_path 121)/s$first/c000/stuck"
	wait_for gone "$(head_path 121)" "s$first"
	vpcctl route del 100.66.0.7/32 vpc v121
	wait_for in_step 121
	[[ $(grep -c "s$first: deleted" "$LOG") = 1 ]]
}

@test "a missing table is an error, not the end of a VPC or a host" {
	make_vpc 116
	once
	vpcctl route add 172.16.0.0/12 vpc v116 via blackhole
	sql "INSERT INTO outbox (kind, host, created) VALUES ('host', 'h116', 0)"
	sql 'SET foreign_key_checks = 0; RENAME TABLE vpc TO vpc_hidden, host TO host_hidden'
	run -2 once
	sql 'SET foreign_key_checks = 0; RENAME TABLE vpc_hidden TO vpc, host_hidden TO host'
	zkcat state 116
	once
	in_step 116
	outbox_is 0
}

@test "ZooKeeper emptied: the fence is gone, everything is published anew" {
	make_vpc 118
	publisher
	wait_for in_step 118
	wait_for outbox_is 0
	local path
	path=$(host_path h118)/ports
	sql 'DELETE FROM outbox'
	zkcat rm /vpc/v1/fence
	zkcat put "$(head_path 118)" ''
	zkcat rm "$path"
	vpcctl route add 172.16.0.0/12 vpc v118 via blackhole
	wait_for in_step 118
	logged "/vpc/v1/fence is gone"
	logged "/vpc/v1/fence is new"
	wait_for zkcat get "$path"
	[[ $(zkcat get "$path") = *tap1* ]]
}

@test "--all compares everything once; what fails is tried again by itself" {
	make_vpc 122
	make_vpc 123
	once
	local path
	path=$(host_path h123)/ports
	vpcctl route add 172.16.0.0/12 vpc v122 via blackhole
	sql 'DELETE FROM outbox; UPDATE vpc SET digest0 = digest0 + 1 WHERE vni = 122'
	zkcat rm "$path"
	publisher --all
	wait_for zkcat get "$path"
	logged "VPC 122, epoch"
	zkcat rm "$path"
	vpcctl route add 172.16.0.0/12 vpc v123 via blackhole
	wait_for in_step 123
	run -2 zkcat get "$path"
	sql 'UPDATE vpc SET digest0 = digest0 - 1 WHERE vni = 122'
	wait_for in_step 122
	kill "$PUB"
	wait "$PUB"
	once --all
	zkcat get "$path"
}

@test "a fence that cannot be read stops it with status 1, whatever failed before" {
	local fence
	once
	fence=$(zkcat get /vpc/v1/fence)
	zkcat put /vpc/v1/fence '{"v":1,"term":-1}'
	run -1 "$B/vpc_publisher" -c "$CONF"
	[[ $output = *"/vpc/v1/fence: term: -1"* ]]
	# CDB keeps it waiting until ZooKeeper hangs, so that the fence is first met by a lost connection.
	local status=0
	sed 's/^hosts.*/&\nsession_timeout_ms = 3000/' "$CONF" > "$BATS_TEST_TMPDIR/short.conf"
	chmod 600 "$BATS_TEST_TMPDIR/short.conf"
	kill -STOP "$(< "$SVC/mariadb/pid")"
	: > "$LOG"
	publisher -c "$BATS_TEST_TMPDIR/short.conf"
	wait_for logged "connected to ZooKeeper"
	kill -STOP "$(< "$SVC/zookeeper/pid")"
	kill -CONT "$(< "$SVC/mariadb/pid")"
	wait_for logged "connection to ZooKeeper .* lost"
	kill -CONT "$(< "$SVC/zookeeper/pid")"
	wait_for ended "$PUB"
	wait "$PUB" || status=$?
	[[ $status = 1 ]]
	logged "/vpc/v1/fence: term: -1"
	zkcat put /vpc/v1/fence "$fence"
}

# Milliseconds from SIGTERM to the end.
stop_ms() {
	local start=${EPOCHREALTIME/./}
	kill -TERM "$1"
	wait "$1"
	echo $(((${EPOCHREALTIME/./} - start) / 1000))
}

@test "SIGTERM ends it within a second or two, whatever hangs" {
	make_vpc 117
	publisher
	wait_for in_step 117
	stop_ms "$PUB" > "$BATS_TEST_TMPDIR/ms"
	(($(< "$BATS_TEST_TMPDIR/ms") < 2000))
	local service
	for service in zookeeper mariadb; do
		: > "$LOG"
		publisher
		wait_for logged "publishing as"
		kill -STOP "$(< "$SVC/$service/pid")"
		[[ $service = mariadb ]] || vpcctl route add 172.16.0.0/12 vpc v117 via blackhole
		stop_ms "$PUB" > "$BATS_TEST_TMPDIR/ms"
		kill -CONT "$(< "$SVC/$service/pid")"
		(($(< "$BATS_TEST_TMPDIR/ms") < 2000))
	done
	once
	in_step 117
}

# What an agent says that it has: says_status PATH HOST VNI EPOCH REVISION [RECENT]
says_status() {
	local path=$1
	shift
	zkcat put "$path/status" "{\"v\":1,\"host\":\"$1\",\"boot_id\":\"b\",\"instance\":\"0000000000000001\",\"revision\":$4,\"time\":1,\"vpcs\":[[$2,$3,\"00000000000000000000000000000000\"]]${5:+,\"recent\":[$5]}}"
}

@test "--wait: returns when the live hosts have it, else says who lags, status 3" {
	publisher
	vpcctl vpc add waits vni 4700 range 10.0.0.0/16
	vpcctl subnet add s vpc waits prefix 10.0.1.0/24
	for i in 1 2 3; do
		vpcctl host add w$i vtep 198.18.9.$i
		vpcctl port add p$i vpc waits subnet s host w$i dev tap1
	done
	wait_for outbox_is 0
	# A search that takes its time.
	local w1 w2
	w1=$(host_path w1) w2=$(host_path w2)
	says_status "$w1" w1 4700 5 2
	says_status "$w2" w2 4700 3 2
	zkcat put "$w1/alive" ''
	zkcat put "$w2/alive" ''
	run --separate-stderr vpcctl --wait=8 route add 0.0.0.0/0 vpc waits via blackhole
	echo "status $status: $stderr"
	[[ $status = 3 && $stderr =~ '2 of 2 live hosts' ]]
	[[ $output = *'VPC 4700 is at epoch 6'*'host w2 lags: VPC 4700 at epoch 3 of 6, 3 behind'* ]]
	[[ $output = *'host w1 lags: VPC 4700 at epoch 5 of 6, 1 behind'*'host w3 is not alive'* ]]
	# They come while it waits: seen by the watch, not by a poll of the last second.
	(wait_for head_beyond 4700 6; says_status "$w2" w2 4700 7 2; says_status "$w1" w1 4700 7 2) 3>&- &
	run --separate-stderr vpcctl --wait=20 route del 0.0.0.0/0 vpc waits
	wait $!
	[[ $status = 0 && $output = *'2 hosts there, the others are not alive'* ]]
	# A port more is a revision, too; and nobody has to have what nothing changed.
	(wait_for head_beyond 4700 7; says_status "$w1" w1 4700 8 3) 3>&- &
	run --separate-stderr vpcctl --wait=10 port add p4 vpc waits subnet s host w1 dev tap4
	wait $!
	[[ $status = 3 && $output = *'host w2 lags'* && $output != *'host w1'* ]]
	run vpcctl --wait=0 vpc set waits quota 0
	[[ $status = 0 && $output = *'nothing to change'* ]]
	run vpcctl --wait=soon vpc set waits quota 1
	[[ $status = 1 ]]
}

@test "trace: when a change was committed, published, seen and applied" {
	local change w1 w2 committed published
	vpcctl vpc add traced vni 4701 range 10.0.0.0/16
	vpcctl vpc add beside vni 4702 range 10.0.0.0/16
	vpcctl subnet add s vpc traced prefix 10.0.1.0/24
	for i in 1 2; do
		vpcctl host add r$i vtep 198.18.10.$i
		vpcctl port add p$i vpc traced subnet s host r$i dev tap1
	done
	publisher
	wait_for outbox_is 0
	stop_ms "$PUB" > /dev/null
	# One change of two VPCs, which nobody publishes yet.
	printf 'route add 9.0.0.0/8 vpc traced via blackhole\ntable add 7 vpc beside\n' |
		vpcctl -j -b - > "$BATS_TEST_TMPDIR/done"
	change=$(jq -r .change "$BATS_TEST_TMPDIR/done")
	run -0 vpcctl trace "$change"
	[[ $output = "change $change VPC 4701 epoch 5 by "*'  not published'*'host r1 does not have it: at epoch 0, not alive'* ]]
	[[ $output = *"change $change VPC 4702 epoch 2 by "*'batch of 2: route add'* ]]
	publisher
	wait_for outbox_is 0
	vpcctl -j trace "$change" > "$BATS_TEST_TMPDIR/trace"
	committed=$(jq '.[0].committed' "$BATS_TEST_TMPDIR/trace") published=$(jq '.[0].published' "$BATS_TEST_TMPDIR/trace")
	((committed && published >= committed))
	[[ $(jq -c '[.[0].is_published, .[0].hosts[].epoch]' "$BATS_TEST_TMPDIR/trace") = '[true,0,0]' ]]
	# r1 came by a jump over two epochs, r2 has it and does not remember.
	w1=$(host_path r1) w2=$(host_path r2)
	says_status "$w1" r1 4701 5 2 "[4701,1,3,\"x\",1,2],[4701,3,5,\"$change\",$((published + 4)),$((published + 6))]"
	says_status "$w2" r2 4701 6 2
	zkcat put "$w1/alive" ''
	run -0 vpcctl trace "$change"
	[[ $output = *"  published +$((published - committed)) ms"* ]]
	[[ $output = *"host r1 seen +4 ms applied +2 ms in all +$((published - committed + 6)) ms"$'\n'* ]]
	[[ $output = *'host r2 has it, but not when any more (not alive)'* ]]
	says_status "$w2" r2 4701 4 2
	[[ $(vpcctl trace "$change") = *'host r2 does not have it: at epoch 4, not alive'* ]]
	# The time stands in the delta when HEAD has long gone on.
	vpcctl route del 9.0.0.0/8 vpc traced
	wait_for outbox_is 0
	[[ $(vpcctl -j trace "$change" | jq '.[0].published') = "$published" ]]
	run --separate-stderr vpcctl trace c0123456789abcdef
	[[ $status = 2 && -z $output && $stderr = *"no change 'c0123456789abcdef'"* ]]
	run --separate-stderr vpcctl -n trace "$change"
	[[ $status = 1 ]]
	zkcat put "$w2/status" '{"v":1,"host":7}'
	run --separate-stderr vpcctl -j trace "$change"
	[[ $status = 2 && $stderr = *'status of host r2: '* ]]
}

bursts_known() { (($(wc -l < "$BATS_TEST_TMPDIR/bursts") > 1)); }

@test "trace asks many hosts at once, and each answer is its own host's" {
	local i change
	{
		echo 'vpc add crowd vni 4710 range 10.0.0.0/16'
		echo 'subnet add s vpc crowd prefix 10.0.0.0/16'
		for ((i = 100; i < 400; i++)); do
			echo "host add c$i vtep 198.18.$((i / 200 + 20)).$((i % 200 + 1))"
			echo "port add p$i vpc crowd subnet s host c$i dev tap1"
		done
	} > "$BATS_TEST_TMPDIR/crowd"
	vpcctl -b "$BATS_TEST_TMPDIR/crowd" > /dev/null
	change=$(sql 'SELECT change_id FROM change_log WHERE vni = 4710')
	once
	for i in 101 250 399; do says_status "$(host_path c$i)" c$i 4710 $i 2; done
	vpcctl trace "$change" > "$BATS_TEST_TMPDIR/trace"
	[[ $(grep -c '^  host c[0-9]* does not have it: at epoch 0, not alive$' "$BATS_TEST_TMPDIR/trace") = 297 ]]
	[[ $(sed -n 's/^  host \(c[0-9]*\) has it, but not when any more .not alive.$/\1/p' "$BATS_TEST_TMPDIR/trace" | xargs) = 'c101 c250 c399' ]]
	sed -n 's/^  host \(c[0-9]*\) .*/\1/p' "$BATS_TEST_TMPDIR/trace" | sort -c
	[[ $(vpcctl -j trace "$change" | jq -c '[.[0].hosts[] | select(.epoch > 0) | [.host, .epoch]]') = '[["c101",101],["c250",250],["c399",399]]' ]]
	# Two questions a host, 600 in all: one after the other they would be as many bursts.
	"$B/tools/slowpipe" 10 "${VPC_ZK_HOSTS##*:}" > "$BATS_TEST_TMPDIR/bursts" 3>&- 7>&- &
	PIDS+=($!)
	wait_for test -s "$BATS_TEST_TMPDIR/bursts"
	sed "s/^hosts = .*/hosts = 127.0.0.1:$(head -n 1 "$BATS_TEST_TMPDIR/bursts")/" "$CONF" > "$BATS_TEST_TMPDIR/slow.conf"
	chmod 600 "$BATS_TEST_TMPDIR/slow.conf"
	"$B/vpcctl" -c "$BATS_TEST_TMPDIR/slow.conf" trace "$change" | cmp - "$BATS_TEST_TMPDIR/trace"
	wait_for bursts_known
	(($(sed -n 2p "$BATS_TEST_TMPDIR/bursts") < 100))
}
