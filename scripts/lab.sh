# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The lab: a small cloud inside one virtual machine, built of network namespaces. Sourced inside the VM that vm.sh boots
# by the end-to-end scenarios (tests/e2e/vm_*.sh) and demo.sh, with the host's private services in VPC_CDB_* and
# VPC_ZK_HOSTS (services.sh). It is for throw-away machines only: it loads the module and makes namespaces.
#
#        root namespace: agents, publisher, vpcctl ── eth0 ── 10.0.2.2, the machine outside: MariaDB and ZooKeeper
#        ┌───────────────── bridge "underlay", 192.0.2.0/24 ──────────────────┐
#     eth-u 192.0.2.11                                                 eth-u 192.0.2.12
#   namespace h1: a host, its agent runs in the root namespace       namespace h2
#     │ DEV (what a tap is elsewhere)                                   │ DEV
#     │ eth0 10.0.0.5                                                   │ eth0 10.0.0.6
#   namespace vm-a: a guest                                          namespace vm-b
#
# A function that cannot do its work returns non-zero and has said why.

lab_top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
lab_dir=${LAB_DIR:-/run/lab}		# configuration, logs and pid files of this lab
lab_zk=${VPC_ZK_HOSTS:-}		# as seen from the root namespace; lab_relay changes them
lab_cdb_host=${VPC_CDB_HOST:-} lab_cdb_port=${VPC_CDB_PORT:-}
lab_database=vpc lab_chroot=''
lab_outside=10.0.2.2			# the loopback of the machine that vm.sh runs on
PATH=$lab_top/build:$lab_top/build/tools:$PATH:$lab_top/build/ovs/usr/bin

lab_fail() { echo "lab: $*" >&2; return 1; }

# wait_until 'condition' [seconds]: tries until the condition, shell code, is true. The limit is for what never comes;
# under emulation on a busy machine what does come takes many times what it takes elsewhere.
wait_until() {
	local limit=${2:-60} end
	end=$((SECONDS + limit))
	# A pipe that nobody writes to: to wait for it costs no process, which is much under emulation.
	[[ -n ${lab_never:-} ]] || exec {lab_never}<> <(:)
	until eval "$1" > /dev/null 2>&1; do
		((SECONDS < end)) || { lab_fail "waited $limit s in vain for: $1"; return 1; }
		read -rt 0.1 -u "$lab_never" || true
	done
}

# Programs that are started often, and their libraries, come into memory: 9p is slow to open.
lab_warm() {
	local program files=(/etc/ld.so.cache)
	for program in vpcctl vpc_agent vpc_publisher vpc_reconcile zkcat udp jq ip ping socat ss bash grep sed cat wc tail \
		sort tee mkdir rm mv setsid timeout awk; do
		program=$(command -v "$program") || continue
		# The loader names what it would load.
		# shellcheck disable=SC2207
		files+=("$program" $(LD_TRACE_LOADED_OBJECTS=1 "$program"))
	done
	# To touch is to copy up into the overlay, links being followed.
	printf '%s\n' "${files[@]}" | grep ^/ | sort -u | xargs touch -c
}

# -- the module --------------------------------------------------------------------------------------------------------

lab_module_load() {
	lab_guard || return
	modprobe udp_tunnel && modprobe ip6_udp_tunnel && insmod "$lab_top/build/vpc.ko"
}

lab_module_unload() { rmmod vpc; }
lab_module_loaded() { [[ -d /sys/module/vpc ]]; }

# -- hosts and guests --------------------------------------------------------------------------------------------------

# What lab_up makes and lab_down takes away would be the machine's own elsewhere: only where vm.sh or uml.sh left a command.
lab_guard() {
	[[ -e /run/vm/cmd || -e /run/uml/cmd ]] || lab_fail "this is no throw-away machine: run it as scripts/vm.sh -- ..."
}

# The underlay. [NAME] gives this lab a database and znodes of its own, apart from all labs on the same services.
lab_up() {
	lab_guard || return
	mkdir -p "$lab_dir"
	if [[ -n ${1:-} ]]; then
		lab_database=vpc_$1_$SRANDOM
		lab_chroot=/$lab_database
	fi
	[[ $lab_zk != 127.0.0.1:* ]] || lab_zk=$lab_outside:${lab_zk#*:}
	[[ $lab_cdb_host != 127.0.0.1 ]] || lab_cdb_host=$lab_outside
	sysctl -qw net.ipv6.conf.default.disable_ipv6=1
	ip link add underlay type bridge && ip link set underlay up
}

# lab_host_add h1 192.0.2.11
lab_host_add() {
	local host=$1 address=$2 mac
	# A MAC that stays the host's own: its neighbours remember it.
	# shellcheck disable=SC2086
	printf -v mac '02:55:%02x:%02x:%02x:%02x' ${address//./ }
	ip -batch - <<-END || return
		netns add $host
		link add u-$host type veth peer name eth-u address $mac netns $host
		link set u-$host master underlay up
	END
	ip -n "$host" -batch - <<-END
		link set lo up
		addr add $address/24 dev eth-u
		link set eth-u up
	END
}

# lab_guest_add NAME HOST DEV ADDRESS/LENGTH GATEWAY MAC: DEV is the port's device in the host.
lab_guest_add() {
	local guest=vm-$1 host=$2 dev=$3 address=$4 gateway=$5 mac=$6
	ip netns add "$guest" || return
	ip -n "$guest" -batch - <<-END || return
		link set lo up
		link add eth0 address $mac mtu 1450 type veth peer name $dev mtu 1450 netns $host
		addr add $address dev eth0
		link set eth0 up
		route add default via $gateway dev eth0 onlink
	END
	ip -n "$host" link set "$dev" up
}

# lab_guest_add6 NAME ADDRESS/LENGTH GATEWAY: IPv6 for a guest that is there.
lab_guest_add6() {
	local guest=vm-$1
	ip netns exec "$guest" sysctl -qw net.ipv6.conf.eth0.disable_ipv6=0 net.ipv6.conf.eth0.accept_ra=0 || return
	ip -n "$guest" addr add "$2" dev eth0 nodad || return
	ip -n "$guest" -6 route add default via "$3" dev eth0 onlink
}

# lab_guest_move NAME HOST DEV: the guest goes on, plugged into another host.
lab_guest_move() {
	local guest=vm-$1 host=$2 dev=$3 address gateway mac
	address=$(ip -n "$guest" -4 -br addr show dev eth0 | awk '{ print $3 }')
	gateway=$(ip -n "$guest" route show default | awk '{ print $3 }')
	mac=$(ip netns exec "$guest" cat /sys/class/net/eth0/address)
	ip -n "$guest" -batch - <<-END || return
		link del eth0
		link add eth0 address $mac mtu 1450 type veth peer name $dev mtu 1450 netns $host
		addr add $address dev eth0
		link set eth0 up
		route add default via $gateway dev eth0 onlink
	END
	ip -n "$host" link set "$dev" up
}

# In a guest: lab_in a ping ...
lab_in() {
	local guest=vm-$1
	shift
	ip netns exec "$guest" "$@"
}

# lab_ping FROM ADDRESS [COUNT]: all of them come back.
lab_ping() {
	local output
	if ! output=$(lab_in "$1" ping -n -c "${3:-2}" -i 0.1 -W 5 "$2" 2>&1) || [[ $output != *" 0% packet loss"* ]]; then
		echo "$output" >&2
		lab_fail "guest $1 does not reach $2"
	fi
}

# They are sent, and not one comes back.
lab_no_ping() {
	local output status=0
	output=$(lab_in "$1" ping -n -c "${3:-2}" -i 0.1 -W 1 "$2" 2>&1) || status=$?
	if [[ $status != 1 || $output != *"${3:-2} packets transmitted, 0 received"* ]]; then
		echo "$output" >&2
		lab_fail "guest $1 reaches $2 and must not, or could not try"
	fi
}

# A ping that runs in the background: lab_traffic_start NAME FROM ADDRESS [INTERVAL].
lab_traffic_start() {
	lab_spawn "traffic-$1" ip netns exec "vm-$2" ping -n -i "${4:-0.05}" "$3"
	wait_until "grep -q icmp_seq $lab_dir/traffic-$1.log"
}

# lab_traffic_stop NAME: ends it and prints how many packets were lost before the last that came back, thus none that
# was merely under way.
lab_traffic_stop() {
	lab_stop "traffic-$1" INT || true
	awk -F'[= ]' '/icmp_seq=/ && !/DUP/ {
			for (i = 1; i < NF; i++) if ($i == "icmp_seq") seq = $(i + 1)
			n++; if (seq > last) last = seq
		}
		END { print last - n }' "$lab_dir/traffic-$1.log"
}

# Something comes back, now.
lab_traffic_flows() {
	local n
	n=$(grep -c icmp_seq "$lab_dir/traffic-$1.log")
	wait_until "(( \$(grep -c icmp_seq $lab_dir/traffic-$1.log) > $((n + 2)) ))" "${2:-10}"
}

# -- daemons -----------------------------------------------------------------------------------------------------------

# lab_conf [HOST]: prints the name of a host's configuration file, or of the publisher's and the tools', and writes it
# unless it is there.
lab_conf() {
	local name=${1:-control} file=$lab_dir/${1:-control}.conf new=$lab_dir/conf.$BASHPID
	[[ -e $file ]] || (
		umask 077
		cat > "$new" <<-END
			[zookeeper]
			hosts = $lab_zk$lab_chroot
			session_timeout_ms = ${LAB_SESSION_MS:-10000}
			[cdb]
			host = $lab_cdb_host
			port = $lab_cdb_port
			user = $VPC_CDB_USER
			password = $VPC_CDB_PASSWORD
			database = $lab_database
			[agent]
			name = $name
			status_interval_s = 2
			state_dir = $lab_dir/state
			metrics_port = ${LAB_METRICS_PORT:-0}
			[publisher]
			poll_ms = ${LAB_POLL_MS:-30}
			[log]
			level = debug
		END
		mv "$new" "$file"
	)
	echo "$file"
}

# lab_spawn NAME COMMAND...: a daemon with its log and pid file in lab_dir, in a process group of its own.
lab_spawn() {
	local name=$1
	shift
	rm -f "$lab_dir/$name.pid"
	# The pid is written by the process itself: under job control setsid forks.
	# shellcheck disable=SC2016
	setsid bash -c 'echo $$ > "$0" && exec "$@"' "$lab_dir/$name.pid" "$@" < /dev/null >> "$lab_dir/$name.log" 2>&1 &
	wait_until "[[ -s '$lab_dir/$name.pid' ]]"
}

lab_pid() { cat "$lab_dir/$1.pid"; }
lab_alive() { [[ -e $lab_dir/$1.pid ]] && kill -0 "$(lab_pid "$1")" 2> /dev/null; }

# lab_stop NAME [SIGNAL]: ends it and waits; -9 is "KILL". Its exit status is returned.
lab_stop() {
	local pid status=0
	pid=$(lab_pid "$1") || return
	kill -"${2:-TERM}" -- "-$pid" 2> /dev/null || true
	wait "$pid" 2> /dev/null || status=$?
	# Not our shell's child, perhaps.
	wait_until "! kill -0 -- -$pid" || return
	rm -f "$lab_dir/$1.pid"
	[[ ${2:-TERM} = KILL ]] || return "$status"
}

lab_agent_start() { lab_spawn "agent-$1" vpc_agent -c "$(lab_conf "$1")" --host "$1" --netns "$1"; }
lab_agent_stop() { lab_stop "agent-$1" TERM; }
lab_agent_kill() { lab_stop "agent-$1" KILL; }

lab_publisher_start() {
	local conf
	conf=$(lab_conf)
	[[ -z $lab_chroot ]] || VPC_ZK_HOSTS=$lab_zk zkcat put "$lab_chroot" lab || return
	lab_spawn publisher vpc_publisher -c "$conf"
}
lab_publisher_stop() { lab_stop publisher TERM; }
lab_publisher_kill() { lab_stop publisher KILL; }

# What a cut cable or a server's end is for its clients: a relay between them and the service outside, which
# lab_relay_cut ends together with its connections. Call lab_relay after
# lab_up and before the first configuration is written.
declare -A lab_relay_port=([zookeeper]=21810 [mariadb]=33060) lab_relay_target
lab_relay() {
	case $1 in
	zookeeper)
		lab_relay_target[$1]=$lab_zk
		lab_zk=127.0.0.1:${lab_relay_port[$1]} ;;
	mariadb)
		lab_relay_target[$1]=$lab_cdb_host:$lab_cdb_port
		lab_cdb_host=127.0.0.1 lab_cdb_port=${lab_relay_port[$1]} ;;
	esac
	lab_relay_mend "$1"
}

lab_relay_mend() {
	local port=${lab_relay_port[$1]}
	lab_spawn "relay-$1" socat "TCP-LISTEN:$port,bind=127.0.0.1,reuseaddr,fork,backlog=64" "TCP:${lab_relay_target[$1]}"
	wait_until "(: < /dev/tcp/127.0.0.1/$port)"
}

lab_relay_cut() { lab_stop "relay-$1" KILL; }

# -- asking ------------------------------------------------------------------------------------------------------------

lab_ctl() { vpcctl -c "$(lab_conf)" "$@"; }
lab_kernel() { vpcctl kernel "$@"; }
# The epoch of a VPC: lab_cdb_epoch VPC; lab_kernel_epoch HOST VNI (empty when it is not there).
lab_cdb_epoch() { lab_epoch_in "$(lab_ctl -j vpc show "$1")"; }
lab_kernel_epoch() { lab_epoch_in "$(vpcctl -j kernel vpc show "$2" netns "$1" 2> /dev/null)"; }
lab_epoch_in() { [[ $1 =~ \"epoch\":([0-9]+) ]] && echo "${BASH_REMATCH[1]}"; }

# What the agent of HOST says that it is: connecting, syncing, live, isolated. Nothing when it does not answer.
lab_agent_state() {
	[[ $(vpcctl -c "$(lab_conf "$1")" -j agent status host "$1" 2> /dev/null) =~ \"state\":\"([a-z]+)\" ]] &&
		echo "${BASH_REMATCH[1]}"
}

# zkcat below this lab's root: lab_zkcat get /vpc/v1/fence
lab_zkcat() { VPC_ZK_HOSTS=$lab_zk$lab_chroot zkcat "$@"; }
lab_head() { printf '/vpc/v1/vpcs/%02x/%d' $(($1 & 255)) "$1"; }

# lab_reconcile HOST [OPTION...]: its exit status is vpc_reconcile's.
lab_reconcile() {
	local host=$1
	shift
	vpc_reconcile -c "$(lab_conf)" -H "$host" -n "$host" "$@"
}

# lab_synced VPC VNI HOST...: waits until the hosts' kernels have the VPC as CDB has it.
lab_synced() {
	local vpc=$1 vni=$2 epoch host
	shift 2
	epoch=$(lab_cdb_epoch "$vpc") || return
	for host; do
		wait_until "[[ \$(lab_kernel_epoch $host $vni) = $epoch ]]" || return
	done
}

# Packets that HOST dropped for REASON (as vpcctl names it) so far: lab_drops HOST REASON
lab_drops() {
	local json
	json=$(vpcctl -j kernel stats show netns "$1") && lab_drops_in "$json" "$2"
}

# lab_drops_in JSON REASON: from what vpcctl has said. In the shell: jq takes the better part of a second under emulation.
lab_drops_in() {
	local rest=$1 of='' sum=0
	[[ $rest = '['*']' ]] || { lab_fail "no list of counters: $rest"; return; }
	while [[ $rest = *'"drops":{'* ]]; do
		rest=${rest#*'"drops":{'}
		of=${rest%%'}'*}
		[[ ! $of =~ (^|,)\"$2\":([0-9]+) ]] || sum=$((sum + BASH_REMATCH[2]))
	done
	echo "$sum"
}

# For a failure's log.
lab_report() {
	local file host
	for file in "$lab_dir"/*.log; do
		[[ ! -e $file ]] || { echo "--- the end of ${file##*/}"; tail -n 25 "$file"; }
	done
	if lab_module_loaded; then
		for host in $(ip netns list | awk '$1 !~ /^vm-/ { print $1 }'); do
			echo "--- kernel of $host"
			timeout 10 vpcctl kernel vpc show netns "$host"
			timeout 10 vpcctl kernel port show netns "$host"
			timeout 10 vpcctl kernel stats show netns "$host"
		done
	fi
	echo "--- the end of the kernel's log"
	dmesg | tail -n 15
}

# Takes everything down; callable at any moment, leaves no daemon, namespace or module.
lab_down() {
	local file name
	lab_guard || return
	for file in "$lab_dir"/*.pid; do
		[[ -e $file ]] || continue
		name=${file##*/}
		lab_stop "${name%.pid}" KILL
	done
	ip netns list | sed 's/ .*//; s/^/netns del /' | ip -batch -
	[[ ! -d /sys/class/net/underlay ]] || ip link del underlay
	if lab_module_loaded; then
		# A namespace's end is asynchronous; the module stays in use until then.
		wait_until 'rmmod vpc' || return
	fi
	rm -rf "$lab_dir"
}
