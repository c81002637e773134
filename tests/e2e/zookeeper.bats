#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# ZooKeeper as it is operated: who may write what, TLS, an ensemble that loses its leader; with real servers. The agent is
# build/tools/simhost, whose kernel is in memory:
#
#	vpcctl -> MariaDB -> vpc_publisher -> ZooKeeper [<- stunnel <- stunnel] <- agent, vpcctl --wait
#
# Each test has a tree of its own (a chroot), and VPCs and hosts of its own.

# bats runs tests under errexit, and sets stderr; env is written at run time; each test has its own PIDS.
# shellcheck disable=SC2030,SC2031,SC2164,SC2154,SC1091,SC2206

bats_require_minimum_version 1.5.0

load publisher

# conf NAME TREE [CREDENTIAL]: a configuration for the tree.
conf() {
	local to=$BATS_TEST_TMPDIR/$1.conf
	sed "/^\(old_\)*credential_file/d; /^session_timeout_ms = 2000$/{1,4d}
		s|^hosts = .*|hosts = $2\nsession_timeout_ms = 2000${3:+\ncredential_file = $3}|" "$CONF" > "$to"
	chmod 600 "$to"
	echo "$to"
}
# tree NAME: an empty one, with everything of this test in it from now on; $PLAIN is its address.
tree() {
	zkcat put "/$1" ''
	PLAIN=$VPC_ZK_HOSTS/$1
	export VPC_ZK_HOSTS=$PLAIN
}
# credential NAME TEXT
credential() {
	(umask 077; echo "$2" > "$BATS_TEST_TMPDIR/$1.zk")
	echo "$BATS_TEST_TMPDIR/$1.zk"
}
# as CREDENTIAL COMMAND...: zkcat as who has it.
as() { VPC_ZK_CREDENTIAL=$1 "${@:2}"; }
denied() {
	run -1 --separate-stderr "$@"
	[[ $stderr = *'not permitted'* ]]
}
# agent CONF NAME: in the background; its pid is $AGENT.
agent() {
	"$B/tools/simhost" -c "$1" "$2" 2>> "$LOG" 3>&- &
	AGENT=$!
	PIDS+=($AGENT)
}
# The agent itself, simhost's child, as kill -9 of it would.
agent_kill() {
	kill -9 "$(pgrep -P "$AGENT")"
	wait "$AGENT" || true
}
cdb_epoch() { local state; state=$(cdb_state "$1") && echo "${state% *}"; }
there() { zkcat get "$1" > /dev/null 2>&1; }
says() { [[ $(zkcat get "$1" 2> /dev/null) = *"$2"* ]]; }
# Everything but its own two nodes is refused to whoever has the credential $1 (none: ""), of host $2 in folder $3.
denied_tree() {
	local head node
	head=$(head_path "$4")
	for node in "$head" "$head/$(zkcat ls "$head" | head -n 1)" /vpc/v1/fence "$3/ports" /vpc/v1 /vpc/v1/vpcs; do
		denied as "$1" zkcat put "$node" x
	done
	denied as "$1" zkcat rm "$head/l9"
	denied as "$1" zkcat rm "$3/ports"
	denied as "$1" zkcat rm "$head/$(zkcat ls "$head" | head -n 1)"
	for node in /vpc/v1/election/x "$head/x" /vpc/v1/vpcs/00/1 /vpc/v1/hosts/00 /vpc/v1/x; do
		denied as "$1" zkcat put "$node" x
	done
}

@test "a host's credential writes its own status and nothing else, and nobody's writes nothing" {
	local admin folder other own waiting
	tree access
	admin=$(credential publisher "publisher:$BATS_TEST_NAME")
	CONF=$(conf publisher "$PLAIN" "$admin")
	make_vpc 900
	make_vpc 901
	once
	folder=$(host_path h900)
	other=$(host_path h901)
	own=$(credential h900 "$(vpcctl host credential h900)")
	agent "$(conf h900 "$PLAIN" "$own")" h900
	wait_for says "$folder/status" '"vpcs":[[900,'
	wait_for there "$folder/alive"

	denied_tree "$own" h900 "$folder" 900
	denied_tree "" h900 "$folder" 900
	denied_tree "$(credential h901 "$(vpcctl host credential h901)")" h901 "$folder" 901
	denied as "$own" zkcat put "$other/status" x
	denied as "$own" zkcat put "$other/alive" x
	denied as "$own" zkcat rm "$folder/alive"
	for who in "" "$BATS_TEST_TMPDIR/h901.zk"; do
		denied as "$who" zkcat put "$folder/status" x
		denied as "$who" zkcat put "$folder/x" x
	done
	as "$own" zkcat put "$folder/status" '{}'

	# The publisher goes on, and who reads needs no credential. What an agent leaves behind goes with its session.
	agent_kill
	vpcctl route add 172.16.0.0/12 vpc v900 via blackhole
	once
	in_step 900
	agent "$BATS_TEST_TMPDIR/h900.conf" h900
	wait_for says "$folder/status" "\"vpcs\":[[900,$(head_field 900 epoch),"
	wait_for says "$folder/alive" "\"pid\":$(pgrep -P "$AGENT")"
	vpcctl --wait=20 route add 172.16.0.0/16 vpc v900 via blackhole &
	waiting=$!
	wait_for outbox_is 1
	once
	wait "$waiting"
	vpcctl port del p1 vpc v900
	vpcctl host del h900
	kill "$AGENT"
	wait "$AGENT"
	once
	run -2 zkcat get "$folder/ports"
}

@test "a host's credential makes nodes in its folder, but never its ports" {
	local admin folder own
	tree own
	admin=$(credential publisher publisher:own)
	CONF=$(conf publisher "$PLAIN" "$admin")
	make_vpc 902
	once
	folder=$(host_path h902)
	own=$(credential h902 "$(vpcctl host credential h902)")
	as "$own" zkcat put "$folder/status" x
	as "$own" zkcat put "$folder/x" x
	denied as "$own" zkcat rm "$folder/x"
	denied as "$own" zkcat put "$folder/ports" x
	as "$admin" zkcat rm "$folder/x"

	# Its folder outlives it, for what is in it, and is nobody's to create in until it is back.
	vpcctl port del p1 vpc v902
	vpcctl host del h902
	once
	denied as "$own" zkcat put "$folder/ports" x
	denied as "$own" zkcat put "$folder/x" x
	vpcctl host add h902 vtep 192.0.3.1
	once
	there "$folder/ports"
	denied as "$own" zkcat put "$folder/ports" x
	as "$own" zkcat put "$folder/x" x

	# One that it has made all the same (the right was given first, once) is replaced; what is below that is not ours.
	as "$admin" zkcat rm "$folder/ports"
	as "$own" zkcat put "$folder/ports" x
	vpcctl port add p2 vpc v902 subnet s host h902 dev tap2
	once
	logged "$folder/ports: somebody else has made it, .* it is made anew"
	says "$folder/ports" tap2
	denied as "$own" zkcat put "$folder/ports" x
	as "$own" zkcat put "$folder/y" x
	as "$admin" zkcat rm "$folder/ports"
	as "$own" zkcat put "$folder/ports/x" x
	vpcctl port del p2 vpc v902
	run -2 --separate-stderr "$B/vpc_publisher" -c "$CONF" --once
	[[ $stderr = *"$folder/ports: somebody else has made it, and what is below it"*"as ZooKeeper's administrator"* ]]
	vpcctl host del h902
	run -2 --separate-stderr "$B/vpc_publisher" -c "$CONF" --once
	[[ $stderr = *"$folder/ports: the node has children"* ]]
	sql "DELETE FROM outbox"
}

# As a publisher leaves it that ends between the two: ports, which nobody has written a second time, and no right yet.
@test "a host whose publisher ended too early has its right from the next one" {
	local admin folder own data
	tree early
	admin=$(credential publisher publisher:early)
	CONF=$(conf publisher "$PLAIN" "$admin")
	make_vpc 903
	once
	folder=$(host_path h903)
	own=$(credential h903 "$(vpcctl host credential h903)")
	data=$(zkcat get "$folder/ports")
	as "$admin" zkcat rm "$folder/ports"
	as "$admin" zkcat rm "$folder"
	as "$admin" zkcat create "$folder/ports" "$data"
	denied as "$own" zkcat put "$folder/status" x
	once --all
	as "$own" zkcat put "$folder/status" x
	[[ $(zkcat get "$folder/ports") = "$data" ]]
}

@test "an open tree is protected as it stands, and who has no credential is told" {
	local admin folder own open
	tree upgrade
	open=$(conf open "$PLAIN")
	CONF=$open
	make_vpc 910
	once
	folder=$(host_path h910)
	agent "$open" h910
	wait_for there "$folder/status"
	zkcat put "$folder/status" x
	admin=$(credential publisher publisher:upgrade)
	CONF=$(conf publisher "$PLAIN" "$admin")
	run -1 --separate-stderr "$B/vpc_publisher" -c "$open" --protect
	[[ $stderr = *'credential_file is not set'* ]]
	"$B/vpc_publisher" -c "$CONF" --protect 2>> "$LOG"
	own=$(credential h910 "$(vpcctl host credential h910)")
	denied_tree "$own" h910 "$folder" 910
	denied_tree "" h910 "$folder" 910
	denied as "" zkcat put "$folder/status" x
	as "$own" zkcat put "$folder/status" x
	vpcctl route add 172.16.0.0/12 vpc v910 via blackhole
	run -2 --separate-stderr "$B/vpc_publisher" -c "$open" --once
	[[ $stderr = *'not permitted'* ]]
	once
	in_step 910
	# The open agent has the change, and cannot say so.
	wait_for logged "$folder/status: not permitted"
	kill "$AGENT"
	wait "$AGENT"
	agent "$(conf h910 "$PLAIN" "$own")" h910
	wait_for says "$folder/status" "[[910,$(head_field 910 epoch),"
}

# Hosts with credentials in an open tree: the documented order.
@test "an open tree whose agents have their credentials already is closed, again and again" {
	local admin folder own open
	tree order
	open=$(conf open "$PLAIN")
	CONF=$open
	make_vpc 911
	once
	folder=$(host_path h911)
	admin=$(credential publisher publisher:order)
	CONF=$(conf publisher "$PLAIN" "$admin")
	own=$(credential h911 "$(vpcctl host credential h911)")
	agent "$(conf h911 "$PLAIN" "$own")" h911
	wait_for says "$folder/status" '"vpcs":[[911,'
	# Behind it in every order, and open yet.
	zkcat put /vpc/v1/vpcs/zz ''
	zkcat put /vpc/v1/zz ''
	once
	run -0 --separate-stderr "$B/vpc_publisher" -c "$CONF" --protect
	[[ $stderr = *" nodes protected, and 2 hosts' own closed already"* ]]
	denied_tree "$own" h911 "$folder" 911
	denied_tree "" h911 "$folder" 911
	denied as "" zkcat put /vpc/v1/vpcs/zz x
	denied as "" zkcat put /vpc/v1/zz x
	denied as "" zkcat put "$folder/status" x
	vpcctl route add 172.16.0.0/12 vpc v911 via blackhole
	once
	in_step 911
	wait_for says "$folder/status" "[[911,$(head_field 911 epoch),"
	run -0 --separate-stderr "$B/vpc_publisher" -c "$CONF" --protect
	[[ $stderr = *" nodes protected, and 2 hosts' own closed already"* ]]
	# What is neither ours nor the host's status is named, and does not keep the rest open.
	as "$own" zkcat put "$folder/x" ''
	run -1 --separate-stderr "$B/vpc_publisher" -c "$CONF" --protect
	[[ $stderr = *"$folder/x is not ours to protect: it is open to digest:h911:x cdrwa, world:anyone r"* ]]
	[[ $stderr = *"1 nodes are not this publisher's to protect"* ]]
	as "$admin" zkcat rm "$folder/x"
}

# {publisher, administrator, everybody may read}: above our tree it is the administrator's list, in it the publisher's node.
@test "whom the administrator has named above the tree keeps his right, and in the tree he has none" {
	local admin ops mine three
	tree above
	admin=$(credential publisher publisher:above)
	ops=$(credential ops ops:above)
	CONF=$(conf publisher "$PLAIN" "$admin")
	make_vpc 912
	once
	mine=$(as "$admin" zkcat access /vpc)
	[[ $mine = "digest:publisher:"*" cdrwa"*"world:anyone r"* && $(wc -l <<< "$mine") = 2 ]]
	as "$admin" zkcat grant /vpc ops:above
	as "$admin" zkcat grant /vpc/v1 ops:above
	three=$(as "$admin" zkcat access /vpc)
	[[ $three = *"digest:ops:"*" cdrwa"* && $(wc -l <<< "$three") = 3 ]]
	[[ $(as "$admin" zkcat access /vpc/v1) = "$three" ]]
	as "$ops" zkcat put /vpc/v1 ''
	run -0 --separate-stderr "$B/vpc_publisher" -c "$CONF" --protect
	[[ $(as "$admin" zkcat access /vpc) = "$three" ]]
	as "$ops" zkcat put /vpc ''
	[[ $(as "$admin" zkcat access /vpc/v1) = "$mine" ]]
	denied as "$ops" zkcat put /vpc/v1 x
	# A publisher whose credential is being replaced leaves it alone, too: it is not its own.
	CONF=$(conf both "$PLAIN" "$(credential new publisher:new)")
	sed -i "s|^credential_file.*|&\nold_credential_file = $admin|" "$CONF"
	run -0 --separate-stderr "$B/vpc_publisher" -c "$CONF" --protect
	[[ $(as "$admin" zkcat access /vpc) = "$three" ]]
	[[ $(as "$admin" zkcat access /vpc/v1 | grep -c '^digest:publisher:.* cdrwa$') = 2 ]]
}

# changed VNI HOST'S-FOLDER: a change goes all the way, to the host's status.
changed() {
	ROUTE=$((${ROUTE:-0} + 1))
	vpcctl route add "172.16.$ROUTE.0/24" vpc "v$1" via blackhole
	wait_for in_step "$1"
	wait_for says "$2/status" "[[$1,$(cdb_epoch "$1")," || { zkcat get "$2/status"; return 1; }
}
# instead PUBLISHER CONF: another one, with this configuration, takes over from it.
instead() {
	local before=$1
	CONF=$2 publisher
	kill "$before"
	wait "$before" || true
}

@test "the publisher's credential is replaced while changes come, and the one before is worth nothing then" {
	local old new both folder own_old own_new
	tree rotate
	old=$(credential old publisher:old)
	new=$(credential new publisher:new)
	CONF=$(conf old "$PLAIN" "$old")
	both=$(conf both "$PLAIN" "$new")
	sed -i "s|^credential_file.*|&\nold_credential_file = $old|" "$both"
	make_vpc 940
	publisher
	wait_for outbox_is 0
	folder=$(host_path h940)
	own_old=$(credential h940-old "$(vpcctl host credential h940)")
	agent "$(conf h940-old "$PLAIN" "$own_old")" h940
	changed 940 "$folder"

	# One after the other; who has only the old one goes on beside who has both.
	instead "$PUB" "$both"
	changed 940 "$folder"
	make_vpc 941
	wait_for in_step 941
	instead "$PUB" "$CONF"
	changed 940 "$folder"
	vpcctl route add 172.31.0.0/16 vpc v941 via blackhole
	wait_for in_step 941
	instead "$PUB" "$both"
	run -0 --separate-stderr "$B/vpc_publisher" -c "$both" --protect
	[[ $stderr = *' nodes protected, and 1 hosts'"'"' own closed already'* ]] # alive
	CONF=$both
	own_new=$(credential h940-new "$(vpcctl host credential h940)")
	run ! cmp -s "$own_old" "$own_new"
	# Both of the host's are good meanwhile, for what is there and what is not, and the tree is closed to both.
	changed 940 "$folder"
	as "$own_new" zkcat put "$folder/x" x
	as "$new" zkcat rm "$folder/x"
	as "$own_old" zkcat put "$folder/x" x
	as "$old" zkcat rm "$folder/x"
	denied_tree "$own_old" h940 "$folder" 940
	denied_tree "$own_new" h940 "$folder" 940
	kill "$AGENT"
	wait "$AGENT"
	agent "$(conf h940-new "$PLAIN" "$own_new")" h940
	changed 940 "$folder"
	make_vpc 942
	wait_for in_step 942

	# Nothing but the new one.
	CONF=$(conf new "$PLAIN" "$new")
	instead "$PUB" "$CONF"
	changed 940 "$folder"
	run -0 --separate-stderr "$B/vpc_publisher" -c "$CONF" --protect
	for vni in 940 941 942; do denied_tree "$old" "h$vni" "$(host_path "h$vni")" $vni; done
	denied_tree "$own_old" h940 "$folder" 940
	denied as "$own_old" zkcat put "$folder/status" x
	denied as "$own_old" zkcat put "$folder/x" x
	denied as "$old" zkcat rm "$folder/status"
	changed 940 "$folder"
	vpcctl route add 172.30.0.0/16 vpc v941 via blackhole
	wait_for in_step 941
}

@test "a credential that others can read, or that is none, is refused with a line" {
	local file=$BATS_TEST_TMPDIR/bad.zk config
	config=$(conf bad "$VPC_ZK_HOSTS" "$file")
	run -1 --separate-stderr "$B/vpc_publisher" -c "$config" --check-config
	[[ $stderr = *"bad.zk: No such file"* ]]
	echo publisher:x > "$file"
	chmod 644 "$file"
	for program in vpc_publisher vpc_agent; do
		run -1 --separate-stderr "$B/$program" -c "$config" --check-config
		[[ $stderr = *"bad.zk: mode 0644: others may read it"* ]]
	done
	run -2 --separate-stderr "$B/vpcctl" -c "$config" host credential h1
	[[ $stderr = *"mode 0644"* ]]
	chmod 600 "$file"
	run -0 "$B/vpc_publisher" -c "$config" --check-config
	run -0 "$B/vpc_agent" -c "$config" --check-config
	echo publisher > "$file"
	run -1 --separate-stderr "$B/vpc_agent" -c "$config" --check-config
	[[ $stderr = *'one line "user:password"'* ]]
	run -2 --separate-stderr vpcctl host credential h1
	[[ $stderr = *'credential_file is not set'* ]]
	echo publisher:x > "$file"
	sed -i "s|^credential_file.*|&\nold_credential_file = $file|" "$config"
	run -1 --separate-stderr "$B/vpc_publisher" -c "$config" --check-config
	[[ $stderr = *'old_credential_file holds the same as credential_file'* ]]
	sed -i '/^credential_file/d' "$config"
	run -1 --separate-stderr "$B/vpc_publisher" -c "$config" --check-config
	[[ $stderr = *'old_credential_file wants credential_file, too'* ]]
}

# certificate NAME [-x509 ...]: NAME.pem and NAME.key, signed by ca unless it is its own.
certificate() {
	local at=$BATS_TEST_TMPDIR
	if [[ $1 = *ca ]]; then
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" -keyout "$at/$1.key" -out "$at/$1.pem"
	else
		openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$at/$1.key" -out "$at/$1.csr"
		openssl x509 -req -in "$at/$1.csr" -CA "$at/$2.pem" -CAkey "$at/$2.key" -CAcreateserial -days 2 -out "$at/$1.pem"
	fi 2>> "$LOG"
}
# tunnel NAME ACCEPT CONNECT LINES: a stunnel that accepts there and connects there.
tunnel() {
	printf 'foreground = yes\npid =\n[zookeeper]\naccept = %s\nconnect = %s\n%b' "$2" "$3" "$4" > "$BATS_TEST_TMPDIR/$1.stunnel"
	stunnel "$BATS_TEST_TMPDIR/$1.stunnel" 2>> "$LOG" 3>&- &
	PIDS+=($!)
}
free_port() {
	local port
	while port=$((20000 + SRANDOM % 12000)); (: < "/dev/tcp/127.0.0.1/$port") 2> /dev/null; do :; done
	echo "$port"
}
# Whether ZooKeeper answers there.
reaches() { VPC_ZK_HOSTS=127.0.0.1:$1 timeout 1 "$B/tools/zkcat" ls / > /dev/null 2>&1; }

@test "agent and vpcctl reach ZooKeeper through TLS, whose ends know each other; a stranger does not" {
	local at=$BATS_TEST_TMPDIR server client stranger folder server_lines zk=$VPC_ZK_HOSTS
	server=127.0.0.1:$(free_port)
	client=$(free_port)
	stranger=$(free_port)
	certificate ca
	certificate other-ca
	certificate server ca
	certificate host ca
	certificate stranger other-ca
	# As doc/operations.md has it.
	server_lines="cert = $at/server.pem\nkey = $at/server.key\nCAfile = $at/ca.pem\nverifyChain = yes\nsslVersionMin = TLSv1.2\n"
	tunnel server "$server" "$zk" "$server_lines"
	tunnel client "127.0.0.1:$client" "$server" \
		"client = yes\ncert = $at/host.pem\nkey = $at/host.key\nCAfile = $at/ca.pem\nverifyChain = yes\ncheckHost = server\nsslVersionMin = TLSv1.2\n"
	tunnel stranger "127.0.0.1:$stranger" "$server" "client = yes\ncert = $at/stranger.pem\nkey = $at/stranger.key\n"
	wait_for reaches "$client"
	run ! reaches "$stranger"
	run ! reaches "${server#*:}"

	tree tls
	CONF=$(conf publisher "$PLAIN")
	make_vpc 920
	once
	folder=$(host_path h920)
	agent "$(conf h920 "127.0.0.1:$client/tls")" h920
	wait_for says "$folder/status" '"vpcs":[[920,'
	publisher
	"$B/vpcctl" -c "$(conf ctl "127.0.0.1:$client/tls")" --wait=20 route add 172.16.0.0/12 vpc v920 via blackhole
	# The tunnel breaks: isolated, and live again when it is back, with what came meanwhile.
	kill "${PIDS[0]}"
	wait_for logged 'isolated: ZooKeeper:'
	vpcctl route add 172.17.0.0/16 vpc v920 via blackhole
	wait_for in_step 920
	tunnel server "$server" "$zk" "$server_lines"
	wait_for says "$folder/status" "[[920,$(head_field 920 epoch),"
}

# server N: one of an ensemble; its pid is in SERVERS[N]. Ports: CLIENT[N], and QUORUM[N] among themselves.
server() {
	local dir=$BATS_TEST_TMPDIR/zk$1 i
	mkdir -p "$dir"
	echo "$1" > "$dir/myid"
	{
		printf 'dataDir=%s\nclientPort=%s\nclientPortAddress=127.0.0.1\n' "$dir" "${CLIENT[$1]}"
		printf 'tickTime=500\ninitLimit=20\nsyncLimit=4\nmaxClientCnxns=0\nadmin.enableServer=false\n4lw.commands.whitelist=srvr\n'
		for i in 1 2 3; do echo "server.$i=127.0.0.1:${QUORUM[i]}"; done
	} > "$dir/zoo.cfg"
	java -Xmx64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dzookeeper.jmx.log4j.disable=true -Dzookeeper.forceSync=no \
		-Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp /usr/share/java/zookeeper.jar:/usr/share/java/slf4j-simple.jar \
		org.apache.zookeeper.server.quorum.QuorumPeerMain "$dir/zoo.cfg" > "$dir/log" 2>&1 3>&- &
	SERVERS[$1]=$!
	PIDS+=($!)
}
mode() {
	local fd
	exec {fd}<> "/dev/tcp/127.0.0.1/${CLIENT[$1]}" || return 1
	echo srvr >&"$fd"
	timeout 2 sed -n 's/^Mode: //p' <&"$fd"
	exec {fd}>&-
} 2> /dev/null
leader() {
	local i
	LEADER=''
	for i in 1 2 3; do [[ $(mode $i) != leader ]] || LEADER=$i; done
	[[ -n $LEADER ]]
}
routes() {
	local i
	for i in $(seq "$1" "$2"); do vpcctl route add "172.16.$i.0/24" vpc v930 via blackhole; done
}

# epochs VNI HOST: one after the other, from nothing to the last.
epochs() {
	sed -n "s/.*$2: VPC $1: epoch \\([0-9]*\\) -> \\([0-9]*\\) .*/\\1 \\2/p" "$LOG" |
		awk -v to="$(cdb_epoch "$1")" '$1 != at + 0 { bad = 1 } { at = $2 } END { exit bad || at != to }'
}

@test "an ensemble loses its leader: publisher and agent go on, no epoch is missed or comes twice" {
	local i live
	CLIENT=() QUORUM=() SERVERS=()
	for i in 1 2 3; do
		CLIENT[i]=$(free_port)
		QUORUM[i]=$(free_port):$(free_port)
	done
	for i in 1 2 3; do server $i; done
	wait_for leader
	export VPC_ZK_HOSTS=127.0.0.1:${CLIENT[1]},127.0.0.1:${CLIENT[2]},127.0.0.1:${CLIENT[3]}
	CONF=$(conf ensemble "$VPC_ZK_HOSTS")
	make_vpc 930
	publisher
	agent "$CONF" h930
	wait_for logged 'h930: live: '
	routes 1 5
	wait_for logged "VPC 930: epoch .* -> $(cdb_epoch 930) "
	live=$(grep -c 'h930: live: ' "$LOG")
	leader
	kill -9 "${SERVERS[LEADER]}"
	routes 6 10
	wait_for logged 'h930: warning: isolated: ZooKeeper:'
	wait_for logged "h930: VPC 930: epoch .* -> $(cdb_epoch 930) "
	wait_for in_step 930
	((live < $(grep -c 'h930: live: ' "$LOG")))
	epochs 930 h930
	# The third comes back, as an operator would have it.
	server "$LEADER"
	routes 11 11
	wait_for logged "h930: VPC 930: epoch .* -> $(cdb_epoch 930) "
}

# jump SECONDS: so much beside ours is the wall clock of all that has clock.so, from now on. In place, as it is mapped.
jump() { printf '%20d' "$1" | dd of="$CLOCK_JUMP" conv=notrunc status=none; }

@test "wall clocks jump by hours: no session ends, no epoch is missed or comes twice, nothing waits" {
	local folder at seconds n=0 so
	so=$(realpath "$B/tools/clock.so")
	export CLOCK_JUMP=$BATS_TEST_TMPDIR/jump
	printf '%20d' 0 > "$CLOCK_JUMP"
	tree clocks
	CONF=$(conf clocks "$PLAIN")
	# One that a busy machine does not end.
	sed -i 's/^session_timeout_ms = 2000$/session_timeout_ms = 15000/' "$CONF"
	make_vpc 950
	env LD_PRELOAD="$so" "$B/vpc_publisher" -c "$CONF" 2>> "$LOG" 3>&- &
	PIDS+=($!)
	wait_for outbox_is 0
	folder=$(host_path h950)
	env LD_PRELOAD="$so" "$B/tools/simhost" -c "$CONF" h950 2>> "$LOG" 3>&- &
	PIDS+=($!)
	wait_for says "$folder/status" '"vpcs":[[950,'
	for seconds in 18000 -32400 0 -18000 18000; do
		jump $seconds
		at=$(date -d "$seconds seconds" '+%F %H:')
		# Each jump is longer than any session, and than the time limit of a request.
		for _ in 1 2 3; do
			n=$((n + 1))
			LD_PRELOAD=$so "$B/vpcctl" -c "$CONF" --wait=10 route add "172.16.$n.0/24" vpc v950 via blackhole
			sleep 0.3
		done
		((seconds == 0)) || [[ $(date -d "$seconds seconds" '+%F %H:') != "$at" ]] || logged "^$at.*h950: VPC 950: epoch"
	done
	in_step 950
	[[ $(grep -c 'h950: live: ' "$LOG") = 1 && $(grep -c 'publishing as' "$LOG") = 1 ]]
	run ! logged 'isolated:\|expired'
	epochs 950 h950
	# What is from the future has no age.
	kill "${PIDS[0]}"
	wait "${PIDS[0]}"
	sql "INSERT INTO outbox (kind, vni, created) VALUES ('vpc', 950, (UNIX_TIMESTAMP() + 7200) * 1000)"
	[[ $(vpcctl db show) = *' oldest 0s'* ]]
	sql "DELETE FROM outbox"
}

zkcli() {
	java -Dorg.slf4j.simpleLogger.defaultLogLevel=error -cp /usr/share/java/zookeeper.jar:/usr/share/java/slf4j-simple.jar:/usr/share/java/commons-cli.jar \
		org.apache.zookeeper.ZooKeeperMain -server "$VPC_ZK_HOSTS" "$@" >> "$LOG" 2>&1
}

@test "a quota, where servers enforce it, bounds what a host makes in its folder; its status goes on" {
	local admin folder own dir=$SVC/quota
	JDK_JAVA_OPTIONS=-Dzookeeper.enforceQuota=true scripts/services.sh start "$dir" zookeeper
	PIDS+=("$(< "$dir/zookeeper/pid")")
	VPC_ZK_HOSTS=127.0.0.1:$(< "$dir/zookeeper/port")
	PLAIN=$VPC_ZK_HOSTS
	admin=$(credential publisher publisher:quota)
	CONF=$(conf publisher "$PLAIN" "$admin")
	make_vpc 960
	once --all
	folder=$(host_path h960)
	own=$(credential h960 "$(vpcctl host credential h960)")
	as "$own" zkcat put "$folder/status" x
	# The folder, ports, status, and one more.
	zkcli setquota -N 4 "$folder"
	zkcli setquota -B 4096 "$folder"
	as "$own" zkcat put "$folder/a" x
	run -1 --separate-stderr as "$own" zkcat put "$folder/b" x
	[[ $stderr = *"$folder/b: the quota is used up"* ]]
	run -1 --separate-stderr as "$own" zkcat put "$folder/a" "$(printf '%5000s' x)"
	[[ $stderr = *"$folder/a: the quota is used up"* ]]
	as "$own" zkcat put "$folder/status" y
	vpcctl port add p2 vpc v960 subnet s host h960 dev tap2
	once
	says "$folder/ports" tap2
	denied as "$own" zkcat rm "$folder/a"
}

# documented PATH OPTION: runs the manual's line with this option as it stands there, for PATH.
documented() {
	local line
	read -ra line < <(grep -o "setquota $2 [0-9]* PATH" doc/operations.md)
	[[ ${line[*]} = "setquota $2 "*" PATH" ]]
	zkcli "${line[@]/PATH/$1}"
}

@test "the quota in the words of the manual: sixteen nodes are the limit, its bytes are taken, the publisher goes on" {
	local admin folder own i dir=$SVC/manual
	JDK_JAVA_OPTIONS=-Dzookeeper.enforceQuota=true scripts/services.sh start "$dir" zookeeper
	PIDS+=("$(< "$dir/zookeeper/pid")")
	VPC_ZK_HOSTS=127.0.0.1:$(< "$dir/zookeeper/port")
	PLAIN=$VPC_ZK_HOSTS
	admin=$(credential publisher publisher:manual)
	CONF=$(conf publisher "$PLAIN" "$admin")
	make_vpc 961
	once --all
	folder=$(host_path h961)
	own=$(credential h961 "$(vpcctl host credential h961)")
	documented "$folder" -N
	documented "$folder" -B
	as "$own" zkcat put "$folder/status" x
	# The folder and ports, status, and thirteen more.
	for ((i = 0; i < 13; i++)); do as "$own" zkcat put "$folder/n$i" x; done
	run -1 --separate-stderr as "$own" zkcat put "$folder/n13" x
	[[ $stderr = *"$folder/n13: the quota is used up"* ]]
	zkcat get "/zookeeper/quota$folder/zookeeper_limits" | grep -q 'byteHardLimit=4194304'
	as "$own" zkcat put "$folder/status" y
	vpcctl port add p2 vpc v961 subnet s host h961 dev tap2
	once
	says "$folder/ports" tap2
}
