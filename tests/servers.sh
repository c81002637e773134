# shellcheck shell=bash disable=SC2034,SC2154  # set here for, and set by, who reads this in
# SPDX-License-Identifier: Apache-2.0
#
# A private MariaDB and ZooKeeper on this machine for what is no suite of bats: benchmarks (fleet, publish), the page's
# test, and by guest.sh all that has agent and module in User Mode Linux. Who reads this in has set $dir, the folder of its
# results.

set -euo pipefail
# shellcheck source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
cd "$top"

# Processes of the script's own, which are gone before the servers are.
pids=()
# shellcheck disable=SC2317  # called by the trap
servers_end() {
	[[ ${#pids[@]} = 0 ]] || { kill "${pids[@]}" && wait "${pids[@]}"; } 2> /dev/null || true
	scripts/services.sh stop "$dir/svc"
}

# servers [SERVICE...]: those of scripts/services.sh, or all, new and empty as $dir then is, until the script's end; where they
# are is in the environment.
servers() {
	[[ ! -d $dir/svc ]] || scripts/services.sh stop "$dir/svc"
	rm -rf "$dir"
	mkdir -p "$dir"
	trap servers_end EXIT
	scripts/services.sh start "$dir/svc" "$@"
	set -a
	# shellcheck disable=SC1091
	. "$dir/svc/env"
	set +a
}

# conf FILE USER PASSWORD [ADDRESS [LINE...]]: a configuration of what there is of CDB and ZooKeeper, at 127.0.0.1 or ADDRESS
conf() {
	local address=${4:-127.0.0.1} lines=()
	[[ -z ${VPC_ZK_HOSTS:-} ]] || lines+=('[zookeeper]' "hosts = $address:${VPC_ZK_HOSTS##*:}")
	[[ -z ${VPC_CDB_PORT:-} ]] || lines+=('[cdb]' "host = $address" "port = $VPC_CDB_PORT" "user = $2" "password = $3")
	(umask 077; printf '%s\n' "${lines[@]}" "${@:5}" > "$1")
}

# publisher CONF [PROGRAM [OPTION...]]: in the background, until the script's end; its log is $dir/publisher.log.
publisher() {
	"${2:-build/vpc_publisher}" -c "$1" "${@:3}" 2>> "$dir/publisher.log" &
	pids+=($!)
}

# sql STATEMENT: in CDB, as its superuser
sql() {
	MYSQL_PWD=$VPC_CDB_PASSWORD mariadb --no-defaults -h 127.0.0.1 -P "$VPC_CDB_PORT" -u "$VPC_CDB_USER" -N -B vpc -e "$1"
}
