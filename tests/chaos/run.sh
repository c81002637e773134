#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Chaos: an ensemble of three ZooKeepers, MariaDB, two publishers and five hosts, of which something is always killed, paused,
# cut off, slow, reloaded or taken away, while changes flow and guests talk. Afterwards every host must have exactly what CDB
# has, CDB every change that anybody was told is done, every alarm of the audits a fault that explains it, and so must
# every datagram that was lost (verdict.sh).
#
#   tests/chaos/run.sh SECONDS SEED [DIR]      of faults; DIR is build/chaos
#
# Everything on this machine is in network namespaces of its own, which can be cut off one by one:
#
#      zk1 .11  zk2 .12  zk3 .13  cdb1 .21  pub1 .31  pub2 .32        10.77.0.0/24
#       └────────┴────────┴─ bridge "mgmt" .1 ─┴────────┴── tap0 ── User Mode Linux: five hosts .101.. (hosts.sh)
#                              who makes changes
#
# The plan is printed before and is a function of the seed (plan.sh). Exit status: 0, or what went wrong was said.

set -euo pipefail
# shellcheck source=../../scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"
[[ $# -ge 2 && $1 =~ ^[1-9][0-9]*$ && $2 =~ ^[0-9]+$ ]] || { sed -n '/^#   tests/s/^#   //p' "$0" >&2; exit 2; }
# Namespaces, mounts and processes that end with this one, even by SIGKILL: unshare ends with us, and with it the first process
# of the namespace and so all of them. unshare itself does not hand signals on.
if [[ ${VPC_CHAOS_ALONE:-} != 1 ]]; then
	user=()
	[[ $(id -u) = 0 ]] || user=(--map-root-user)
	# shellcheck disable=SC2317  # called by the trap
	hand_on() { kill -"$1" "$(tr -d " " < "/proc/$inner/task/$inner/children")" 2> /dev/null || true; }
	VPC_CHAOS_ALONE=1 setpriv --pdeathsig KILL unshare "${user[@]}" --net --mount --propagation private --pid --fork --kill-child \
		--mount-proc "$0" "$@" &
	inner=$!
	trap 'hand_on INT' INT
	trap 'hand_on TERM' TERM HUP
	status=0
	while kill -0 $inner 2> /dev/null; do
		status=0
		wait $inner || status=$?
	done
	exit $status
fi

seconds=$1 seed=$2
dir=${3:-$top/build/chaos}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd -P)
run=$dir/run
# shellcheck source=lane.sh
. "$top/tests/chaos/lane.sh"

# -- servers -----------------------------------------------------------------------------------------------------------

node_add() {
	ip netns add "$1"
	ip -n "$1" link set lo up
	ip link add "n-$1" type veth peer name eth0 netns "$1"
	ip link set "n-$1" master mgmt up
	ip -n "$1" address add "$SERVER.$2/24" dev eth0
	ip -n "$1" link set eth0 up
}

zookeeper() {
	local i=$1 j conf=$run/zk$1/zoo.cfg
	mkdir -p "$run/zk$i"
	echo "$i" > "$run/zk$i/myid"
	{
		printf 'dataDir=%s\nclientPort=2181\nclientPortAddress=0.0.0.0\n' "$run/zk$i"
		printf 'tickTime=500\ninitLimit=20\nsyncLimit=6\nmaxClientCnxns=0\nadmin.enableServer=false\npreAllocSize=4096\n'
		printf '4lw.commands.whitelist=srvr\nautopurge.purgeInterval=1\n'
		for j in 1 2 3; do echo "server.$j=$SERVER.1$j:2888:3888"; done
	} > "$conf"
	daemon "zk$i" ip netns exec "zk$i" java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dzookeeper.jmx.log4j.disable=true \
		-Dzookeeper.forceSync=no -Dorg.slf4j.simpleLogger.defaultLogLevel=warn \
		-cp /usr/share/java/zookeeper.jar:/usr/share/java/slf4j-simple.jar org.apache.zookeeper.server.quorum.QuorumPeerMain "$conf"
}
mariadb_do() { VPC_SERVICES_BIND=0.0.0.0 ip netns exec cdb1 "$top/scripts/services.sh" "$1" "$run/svc" mariadb > /dev/null; }
publisher() { daemon "pub$1" ip netns exec "pub$1" vpc_publisher -c "$run/publisher.conf"; }
ensemble_there() { VPC_ZK_HOSTS=$ZK_HOSTS zkcat ls /; }
# services.sh writes the pid elsewhere.
pid_of() { if [[ $1 = cdb1 ]]; then cat "$run/svc/mariadb/pid"; else cat "$run/$1.pid"; fi; }

# link_fault NODE FAULT: nothing passes its cable, or one of seven packets is lost each way. By nft, since not every kernel
# has netem.
link_fault() {
	local what=drop
	[[ $2 = cut ]] || what='numgen random mod 7 < 1 drop'
	ip netns exec "$1" nft "table inet fault {
		chain in { type filter hook input priority 0; iifname eth0 $what; }
		chain out { type filter hook output priority 0; oifname eth0 $what; }
	}"
}
link_mend() { ip netns exec "$1" nft 'delete table inet fault'; }

# What one of several is just then: follower or leader of the ZooKeepers, standby or leader of the publishers; "-" when it does
# not say, and of what there is one of.
fault_role() {
	local role=-
	case $1 in
	zk*)
		role=$(timeout 1 bash -c "exec {s}<> /dev/tcp/$SERVER.1${1#zk}/2181 && echo srvr >&\$s && sed -n 's/^Mode: //p' <&\$s" \
			2> /dev/null) || role=- ;;
	pub*)
		# Each says so when it takes over.
		role=standby
		[[ $(grep -H ': publishing as ' "$run"/pub?.log | sed 's/^.*\(pub.\)\.log:/\1 /' | sort -k2,3 | tail -n 1) != "$1 "* ]] ||
			role=leader ;;
	esac
	echo "${role:--}"
}
fault_begin() {
	local pid
	case $1 in
	kill)
		pid=$(pid_of "$2")
		kill -KILL "$pid"
		wait_for 10 test ! -e "/proc/$pid/exe" ;;
	pause) kill -STOP "$(pid_of "$2")" ;;
	cut | slow) link_fault "$2" "$1" ;;
	*) fail "no such fault: $1" ;;
	esac
}
fault_end() {
	case $1 in
	kill)
		case $2 in
		zk*) zookeeper "${2#zk}" ;;
		pub*) publisher "${2#pub}" ;;
		cdb1) mariadb_do start ;;
		esac ;;
	pause) kill -CONT "$(pid_of "$2")" ;;
	cut | slow) link_mend "$2" ;;
	esac
}

# -- changes -----------------------------------------------------------------------------------------------------------

writer() { vpcctl -c "$run/writer.conf" "$@"; }
sql() {
	MYSQL_PWD=w mariadb --no-defaults -h "$SERVER.21" -P "$CDB_PORT" -u vpc_writer --connect-timeout 5 -N -B vpc -e "$1"
}

seed_cdb() {
	local i vni
	VPC_WRITER_PASSWORD=w VPC_PUBLISHER_PASSWORD=p VPC_AUDITOR_PASSWORD=a ip netns exec cdb1 vpcctl -c "$run/admin.conf" \
		db init --accounts > /dev/null
	{
		printf 'vpc add red vni 100 range 10.0.0.0/8 range 2001:db8:a::/48\nsubnet add a vpc red prefix 10.0.0.0/16\n'
		printf 'subnet add b vpc red prefix 2001:db8:a::/64\n'
		for ((vni = FIRST; vni < FIRST + STREAMED; vni++)); do
			printf 'vpc add v%d vni %d range 10.0.0.0/8\nsubnet add s vpc v%d prefix 10.1.0.0/16\n' $vni $vni $vni
		done
		for vni in red $(seq -f v%g $FIRST $((FIRST + STREAMED - 1))); do
			printf 'nexthop add vpc %s id 1 type blackhole\nnexthop add vpc %s id 2 type prohibit\n' "$vni" "$vni"
		done
		for ((i = 1; i <= HOSTS; i++)); do
			echo "host add h$i vtep 192.0.2.1$i"
			printf 'port add a%d vpc red subnet a host h%d dev a-%d address 10.0.0.1%d mac 02:00:00:00:%02x:0a\n' $i $i $i $i $i
			printf 'port add b%d vpc red subnet b host h%d dev b-%d address 2001:db8:a::1%d mac 02:00:00:00:%02x:0b\n' \
				$i $i $i $i $i
			for ((vni = FIRST; vni < FIRST + STREAMED; vni++)); do
				echo "port add p$i vpc v$vni subnet s host h$i dev s-$vni-$i"
			done
		done
	} > "$run/batch"
	writer -b "$run/batch" > /dev/null
}

# One after the other, as an operator's script would make them. acknowledged: "CHANGE PREFIX NEXTHOP", of those that came
# back with success; doubtful: "PREFIX NEXTHOP", of those that did not, which may have happened all the same.
changes_by_ctl() {
	local n=0 prefix nexthop output
	until [[ -e $dir/enough ]]; do
		prefix=172.16.$((n % 50)).0/24 nexthop=$((n / 50 % 2 + 1))
		if output=$(timeout 30 "$top/build/vpcctl" -c "$run/writer.conf" -j route set $prefix vpc red via nexthop $nexthop 2>> "$run/ctl.log") &&
			[[ $output =~ \"change\":\"([^\"]+)\" ]]; then
			echo "${BASH_REMATCH[1]} $prefix $nexthop" >> "$dir/acknowledged"
		else
			echo "$prefix $nexthop" >> "$dir/doubtful"
		fi
		n=$((n + 1))
		pause_s 0.2
	done
}
# What build/tools/changes does in CDB it does again from what CDB has, whenever CDB was away.
changes_by_stream() {
	until [[ -e $dir/enough ]]; do
		# The verdict wants to see them in CDB.
		timeout 60 changes "$run/writer.conf" $FIRST $STREAMED 20 20 >> "$run/stream.log" 2>&1 || true
		pause_s 0.2
	done
}
# How long the guest's processes had to wait for a processor of this machine, and how long they had one, by the scheduler's own
# account of each; of which only one is at work at a time. Lines "BEGIN END WAITED RAN", microseconds, on standard output.
waits() {
	until [[ -e $dir/quiet ]]; do
		echo "at $(now_us)"
		pgrep -x linux | sed 's|.*|/proc/&/schedstat|' | xargs -r grep -Hs . || true
		pause_s 1
	done | awk '
		$1 == "at" {
			if (before) { printf "%.0f %.0f %.0f %.0f\n", before, $2, waited / 1000, ran / 1000; fflush() }
			before = $2
			waited = ran = 0
			next
		}
		{
			split($1, part, ":")
			if (part[1] in wait && $2 >= wait[part[1]]) { waited += $2 - wait[part[1]]; ran += part[2] - run[part[1]] }
			wait[part[1]] = $2
			run[part[1]] = part[2]
		}'
}
outbox_empty() { [[ $(sql 'SELECT COUNT(*) FROM outbox') = 0 ]]; }

# -- the run -----------------------------------------------------------------------------------------------------------

pids=()
# shellcheck disable=SC2317  # called by the trap
at_end() {
	local status=$? file pid
	trap - EXIT
	trap '' INT TERM HUP
	for pid in "${pids[@]}" $(cat "$run"/*.pid "$run"/svc/mariadb/pid 2> /dev/null); do
		kill -CONT "$pid" 2> /dev/null || true
		kill -TERM "$pid" 2> /dev/null || true
	done
	[[ ! -d $run/svc ]] || mariadb_do stop || true
	for file in "$run"/*.pid; do
		[[ -e $file ]] || continue
		pid=$(< "$file")
		for ((i = 0; i < 50; i++)); do
			kill -0 "$pid" 2> /dev/null || break
			pause_s 0.1
		done
		kill -KILL -- "-$pid" 2> /dev/null || true
	done
	cp "$run"/*.log "$dir/" 2> /dev/null || true
	rm -rf "$run"
	exit "$status"
}

rm -rf "$dir"
mkdir -p "$run"
echo "# seed $seed, $seconds s: lane, begins after ms, lasts ms, fault, target"
"$top/tests/chaos/plan.sh" "$seed" "$seconds" | tee "$dir/plan"
trap at_end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
mount -t tmpfs -o mode=755 netns /var/run/netns 2> /dev/null || { mkdir -p /run/netns && mount -t tmpfs -o mode=755 netns /run/netns; }
ip link set lo up
ip link add mgmt type bridge
ip address add $SERVER.1/24 dev mgmt
ip link set mgmt up
ip tuntap add mode tap tap0
ip link set tap0 master mgmt up
for node in zk1:11 zk2:12 zk3:13 cdb1:21 pub1:31 pub2:32; do node_add "${node%:*}" "${node#*:}"; done
for i in 1 2 3; do zookeeper $i; done
mariadb_do start
# shellcheck source=/dev/null
. "$run/svc/env"
CDB_PORT=$VPC_CDB_PORT
conf "$run/admin.conf" "$VPC_CDB_USER" "$VPC_CDB_PASSWORD"
sed -i "s/^host = $SERVER.21/host = 127.0.0.1/" "$run/admin.conf"
conf "$run/writer.conf" vpc_writer w
conf "$run/publisher.conf" vpc_publisher p '[publisher]' 'session_timeout_ms = 3000'
seed_cdb
wait_for 300 ensemble_there
publisher 1
publisher 2
"$top/scripts/uml.sh" --mem 768 --timeout $((seconds * 6 + 3600)) --out "$dir" --arg vec0:transport=tap,ifname=tap0,depth=128,gro=1 -- \
	"$top/tests/chaos/hosts.sh" "$dir" "$CDB_PORT" &
guest=$!
pids+=("$guest")
# guest_did FILE: or it has ended.
guest_did() { [[ -e $dir/$1 ]] || ! kill -0 "$guest"; }
wait_for 1200 guest_did ready
[[ -e $dir/ready ]] || die "the hosts did not come up"
changes_by_ctl &
pids+=($!)
changes_by_stream &
pids+=($!)
waits > "$dir/waits" &
pids+=($!)
now_us > "$dir/start"
lane zk > "$dir/lane.zk" &
zk=$!
lane cdb > "$dir/lane.cdb" &
cdb=$!
pids+=("$zk" "$cdb")
wait $zk
wait $cdb
wait_for $((seconds * 5 + 1800)) guest_did done.hosts
touch "$dir/enough"
wait "${pids[1]}" "${pids[2]}"
wait_for 300 outbox_empty
touch "$dir/quiet"
status=0
wait $guest || status=$?
[[ $status = 0 ]] || die "the hosts ended with $status"
sql "SELECT change_id FROM change_log" | sort > "$dir/history"
sql "SELECT vni, COUNT(*) FROM change_log GROUP BY vni" > "$dir/streamed"
writer -j route show vpc red table 1 > "$dir/routes.json"
"$top/tests/chaos/verdict.sh" "$dir"
