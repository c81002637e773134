#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Private MariaDB and ZooKeeper instances for demo and tests: own data folders, free loopback ports, no systemd; the
# machine's own servers are never touched, and several instances live side by side. Called by check.sh, demo.sh, the
# bats suites and developers:
#
#   scripts/services.sh start DIR [mariadb] [zookeeper]     both by default; data of an earlier start is kept
#   scripts/services.sh stop DIR [mariadb] [zookeeper]      waits until they are gone
#   scripts/services.sh env DIR                             prints DIR/env: where they are, as shell assignments
#
# VPC_SERVICES_DURABLE=1: both have written to disk before they answer, as they do where they are not told otherwise.
# VPC_SERVICES_BIND=0.0.0.0 lets them be reached from elsewhere too: for a machine whose network namespace is its own.

set -euo pipefail

die() { echo "services.sh: $*" >&2; exit 1; }
usage() { sed -n '/^#   /s/^#   //p' "$0" >&2; exit 2; }

[[ $# -ge 2 ]] || usage
verb=$1 dir=$2
shift 2
[[ $# -gt 0 ]] || set -- mariadb zookeeper
for service; do
	[[ $service = mariadb || $service = zookeeper ]] || die "unknown service \"$service\": mariadb or zookeeper"
done
PATH=$PATH:/usr/sbin:/sbin
deadline_s=60
bind=${VPC_SERVICES_BIND:-127.0.0.1}
durable=${VPC_SERVICES_DURABLE:-0}

# -- processes and ports -----------------------------------------------------------------------------------------------

# The pid of a running service. The command line must name our folder: pids are reused.
running() {
	local pid
	pid=$(cat "$dir/$1/pid" 2> /dev/null) && [[ -n $pid ]] &&
		tr '\0' '\n' < "/proc/$pid/cmdline" 2> /dev/null | grep -qF -- "$dir/$1" && echo "$pid"
}

# $1: service; the rest: its command. Its own session, so that Ctrl-C reaches it through "stop" only; no inherited file
# descriptors, because bats waits for whoever holds its own.
spawn() {
	local service=$1 fd
	shift
	(
		for fd in /proc/self/fd/*; do
			fd=${fd##*/}
			((fd <= 2)) || exec {fd}>&-
		done
		exec setsid "$@" < /dev/null >> "$dir/$service/log" 2>&1
	) &
	echo $! > "$dir/$service/pid"
}

port_free() { ! (: < "/dev/tcp/127.0.0.1/$1") 2> /dev/null; }

# Below the ports that the kernel gives to outgoing connections.
random_port() {
	local port
	while :; do
		port=$((20000 + SRANDOM % 12000))
		port_free $port && break
	done
	echo $port
}

wait_ready() {
	local end=$((SECONDS + deadline_s))
	until "$1_ready"; do
		# Our own child, perhaps not yet the server: the pid alone counts.
		kill -0 "$(< "$dir/$1/pid")" 2> /dev/null || return 1
		((SECONDS < end)) || die "$1 does not answer after $deadline_s s: see $dir/$1/log"
		sleep 0.1
	done
	running "$1" > /dev/null
}

# -- MariaDB -----------------------------------------------------------------------------------------------------------
#
# A starting mariadbd removes every "#sql-..." file of its TMPDIR as its own leftovers, also those of another mariadbd
# that works there: each gets its own.

# Newer ones reserve 8 GiB of addresses, which User Mode Linux does not have; older ones do not know the option.
mariadb_small=(--loose-innodb-buffer-pool-size-max=512M)

mariadb_ready() {
	MYSQL_PWD=$(< "$dir/mariadb/password") mariadb --no-defaults -h 127.0.0.1 -P "$(< "$dir/mariadb/port")" -u root \
		--connect-timeout=5 -e 'SELECT 1' > /dev/null 2>&1
}

mariadb_prepare() {
	local password
	((${#dir} < 88)) || die "$dir: too long a path for MariaDB's socket"
	mkdir -p "$dir/mariadb/tmp"
	[[ ! -e $dir/mariadb/started ]] || return 0
	password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
	(umask 077; echo "$password" > "$dir/mariadb/password"; cat > "$dir/mariadb/init.sql" <<-END
		CREATE OR REPLACE USER root@localhost IDENTIFIED BY '$password', root@'127.0.0.1' IDENTIFIED BY '$password';
		GRANT ALL ON *.* TO root@localhost WITH GRANT OPTION;
		GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;
	END
	)
	rm -rf "$dir/mariadb/data"
	mkdir -p "$dir/mariadb/data"
	TMPDIR="$dir/mariadb/tmp" mariadb-install-db --no-defaults --datadir="$dir/mariadb/data" --auth-root-authentication-method=normal \
		--skip-test-db --user="$(id -un)" "${mariadb_small[@]}" > "$dir/mariadb/install-log" 2>&1 || {
		tail -n 20 "$dir/mariadb/install-log" >&2
		die "mariadb-install-db failed: see $dir/mariadb/install-log"
	}
}

mariadb_spawn() {
	TMPDIR="$dir/mariadb/tmp" spawn mariadb mariadbd --no-defaults --datadir="$dir/mariadb/data" --user="$(id -un)" \
		--bind-address="$bind" --port="$1" --socket="$dir/mariadb/socket" --init-file="$dir/mariadb/init.sql" \
		--skip-name-resolve --skip-log-bin --character-set-server=utf8mb4 --max-allowed-packet=64M \
		--innodb-buffer-pool-size=256M --innodb-log-file-size=128M --innodb-flush-log-at-trx-commit=$((2 - durable)) \
		--innodb-use-native-aio=0 "${mariadb_small[@]}"
}

# -- ZooKeeper ---------------------------------------------------------------------------------------------------------

zookeeper_ready() {
	local answer
	exec {fd}<> "/dev/tcp/127.0.0.1/$(< "$dir/zookeeper/port")" || return 1
	echo ruok >&"$fd"
	read -r -t 5 answer <&"$fd" || true
	exec {fd}>&-
	[[ $answer = imok ]]
} 2> /dev/null

zookeeper_prepare() {
	[[ -r /usr/share/java/zookeeper.jar ]] || die "/usr/share/java/zookeeper.jar is missing: run scripts/deps.sh"
	mkdir -p "$dir/zookeeper/data"
}

zookeeper_spawn() {
	local sync=no
	[[ $durable = 0 ]] || sync=yes
	cat > "$dir/zookeeper/zoo.cfg" <<-END
		dataDir=$dir/zookeeper/data
		clientPort=$1
		clientPortAddress=$bind
		tickTime=1000
		maxClientCnxns=0
		admin.enableServer=false
		4lw.commands.whitelist=ruok,srvr,mntr,cons,wchs
		autopurge.purgeInterval=1
		preAllocSize=4096
	END
	spawn zookeeper java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dzookeeper.jmx.log4j.disable=true \
		-Dorg.slf4j.simpleLogger.defaultLogLevel=warn -Dzookeeper.forceSync="$sync" \
		-cp /usr/share/java/zookeeper.jar:/usr/share/java/slf4j-simple.jar \
		org.apache.zookeeper.server.ZooKeeperServerMain "$dir/zookeeper/zoo.cfg"
}

# -- verbs -------------------------------------------------------------------------------------------------------------

# The port is the earlier start's, so that clients find a restarted service again; a first start tries some.
start_service() {
	local service=$1 port try
	! running "$service" > /dev/null || return 0
	mkdir -p "$dir/$service"
	"${service}_prepare"
	for try in 1 2 3 4 5; do
		if [[ ! -e $dir/$service/started ]]; then
			random_port > "$dir/$service/port"
		fi
		port=$(< "$dir/$service/port")
		"${service}_spawn" "$port"
		if wait_ready "$service"; then
			: > "$dir/$service/started"
			return
		fi
	done
	tail -n 20 "$dir/$service/log" >&2
	die "$service ended $try times while starting on port $port: see $dir/$service/log"
}

stop_service() {
	local service=$1 pid end=$((SECONDS + deadline_s))
	pid=$(running "$service") || return 0
	kill "$pid"
	while running "$service" > /dev/null; do
		if ((SECONDS >= end)); then
			kill -9 "$pid"
			die "$service (pid $pid) did not stop within $deadline_s s and was killed"
		fi
		sleep 0.05
	done
	rm -f "$dir/$service/pid"
}

write_env() {
	(
		umask 077
		if [[ -e $dir/mariadb/started ]]; then
			printf 'VPC_CDB_HOST=127.0.0.1\nVPC_CDB_PORT=%s\n' "$(< "$dir/mariadb/port")"
			printf 'VPC_CDB_SOCKET=%q\nVPC_CDB_USER=root\n' "$dir/mariadb/socket"
			printf 'VPC_CDB_PASSWORD=%s\n' "$(< "$dir/mariadb/password")"
		fi
		if [[ -e $dir/zookeeper/started ]]; then
			printf 'VPC_ZK_HOSTS=127.0.0.1:%s\n' "$(< "$dir/zookeeper/port")"
		fi
	) > "$dir/env.new"
	mv "$dir/env.new" "$dir/env"
}

case $verb in
start)
	mkdir -p "$dir"
	dir=$(cd "$dir" && pwd -P)
	for service; do start_service "$service"; done
	write_env
	;;
stop)
	[[ -d $dir ]] || exit 0
	dir=$(cd "$dir" && pwd -P)
	for service; do stop_service "$service"; done
	;;
env)
	[[ -r $dir/env ]] || die "$dir/env: nothing was started there"
	cat "$dir/env"
	;;
*) usage ;;
esac
