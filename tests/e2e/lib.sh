# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The harness of the scenarios tests/e2e/vm_*.sh, which source this first. A scenario is one cloud and a row of tests on
# it, each begun by begin "what must be true"; the commands up to the next one are the test, and the first that
# fails fails it and ends the scenario. vm-run.sh runs scenarios inside the virtual machine and counts.
#
# Everything a scenario makes is gone at its end, however it ends.

set -eEuo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
scenario=$(basename "$0" .sh)
scenario=${scenario#vm_}
LAB_DIR=/run/lab-$scenario
# The usual 33 questions a second are much of what an emulated machine can do.
LAB_POLL_MS=200
# shellcheck source=../../scripts/lab.sh
. scripts/lab.sh

harness_test='' harness_where=''
harness_end() {
	local status=$?
	trap - EXIT ERR
	set +eE
	if [[ $status = 0 ]]; then
		begin ''
	else
		echo "failed at ${harness_where:-the call of exit}, status $status"
		lab_report
		echo "not ok - $scenario: ${harness_test:-set up}"
	fi
	if ! lab_down; then
		echo "not ok - $scenario: takes its cloud down"
		status=1
	fi
	exit "$status"
}
trap 'harness_where="line ${BASH_LINENO[0]}/$LINENO: $BASH_COMMAND"' ERR
trap harness_end EXIT
trap 'exit 143' TERM INT

begin() {
	[[ -z $harness_test ]] || echo "ok - $scenario: $harness_test"
	harness_test=$1
	[[ -z $1 ]] || echo "--- $1 (after $SECONDS s)"
}

# wants COMMAND...: or the scenario is skipped, which vm-run.sh counts.
wants() {
	local command
	for command; do
		command -v "$command" > /dev/null && continue
		echo "skipped - $scenario: $command is not here: scripts/deps.sh"
		exit
	done
}

# expect STATUS PATTERN COMMAND...: how it ends, and a regular expression for what it says (both outputs; '' for any).
expect() {
	local want=$1 pattern=$2 output status=0
	shift 2
	output=$("$@" 2>&1) || status=$?
	echo "$output"
	if [[ $status != "$want" ]]; then
		lab_fail "\"$*\" ended with $status instead of $want"
	elif ! says "$pattern" "$output"; then
		lab_fail "\"$*\" did not say /$pattern/"
	fi
}

# says PATTERN TEXT: a line of it does. What grep does, without a process.
says() {
	local line
	while IFS= read -r line; do
		if [[ $line =~ $1 ]]; then return 0; fi
	done <<< "$2"
	return 1
}

# same A B [WHAT]
same() { [[ $1 = "$2" ]] || lab_fail "${3:-value}: \"$1\" instead of \"$2\""; }

# grown REASON HOST BEFORE N: HOST has dropped at least N more packets for REASON since lab_drops said BEFORE.
grown() {
	local now
	now=$(lab_drops "$2" "$1") || return
	((now >= $3 + $4)) || lab_fail "drops on $2 for $1: $now, $3 before, at least $4 more were due"
}

# The same of one port: port_drops HOST DEV REASON
port_drops() {
	local json
	json=$(vpcctl -j kernel stats show port "$2" netns "$1") && lab_drops_in "$json" "$3"
}

# whole NAME: the traffic still flows, and of what was sent nothing was lost. Ends it.
whole() {
	lab_traffic_flows "$1" || return
	same "$(lab_traffic_stop "$1")" 0 "lost packets"
}

# A line of a daemon's log that is there now, or has come since: a restarted daemon goes on in the same file.
log_count() { grep -cE -- "$2" "$lab_dir/$1.log" || [[ $? = 1 ]]; }
# log_since NAME PATTERN COUNT [SECONDS]: waits for one more than log_count said.
log_since() { wait_until "(( \$(log_count $1 '$2') > $3 ))" ${4:+"$4"}; }

# Whether HOST's kernel has a port on DEV. A question that fails is neither yes nor no: has_port HOST DEV, has_no_port HOST DEV
has_port() { [[ -n $(port_json "$1" "$2") ]]; }
has_no_port() {
	local port
	port=$(port_json "$1" "$2") && [[ -z $port ]]
}
# What HOST's kernel says of a port, nothing when there is none: port_json HOST DEV
port_json() {
	local json
	json=$(vpcctl -j kernel port show netns "$1") || return
	[[ $json = '['*']' ]] || { lab_fail "no list of ports: $json"; return; }
	[[ ! $json =~ \{\"dev\":\"$2\"[,}][^{}]* ]] || echo "${BASH_REMATCH[0]}"
}

# A cloud of N hosts h1.. at 192.0.2.11.., with database, publisher and an agent each. Before it: lab_up, and relays.
cloud_up() {
	local n=$1 i
	lab_module_loaded || lab_module_load
	lab_ctl db init > /dev/null
	lab_publisher_start
	for ((i = 1; i <= n; i++)); do
		lab_host_add "h$i" "192.0.2.1$i"
		lab_ctl host add "h$i" vtep "192.0.2.1$i"
		lab_agent_start "h$i"
	done
}

# Three bytes that stand for a name, as of a MAC: name_bytes NAME
name_bytes() {
	local i code hash=0
	for ((i = 0; i < ${#1}; i++)); do
		printf -v code %d "'${1:i:1}"
		hash=$(((hash * 33 + code) % 16777213))
	done
	printf '%02x:%02x:%02x' $((hash >> 16)) $((hash >> 8 & 255)) $((hash & 255))
}

# A VPC with one subnet: cloud_vpc NAME VNI PREFIX
cloud_vpc() {
	lab_ctl vpc add "$1" vni "$2" range "$3"
	lab_ctl subnet add main vpc "$1" prefix "$3"
}

# cloud_guest VPC NAME HOST ADDRESS: guest and port; its subnet is a /16 with the first address as gateway.
cloud_guest() {
	local vpc=$1 name=$2 host=$3 address=$4 a b c d mac
	IFS=. read -r a b c d <<< "$address"
	# VPCs have the same addresses, so the name goes into the MAC.
	printf -v mac '02:%s:%02x:%02x' "$(name_bytes "$name")" "$c" "$d"
	lab_guest_add "$name" "$host" "t-$name" "$address/16" "$a.$b.0.1" "$mac"
	lab_ctl port add "$name" vpc "$vpc" subnet main host "$host" dev "t-$name" address "$address" mac "$mac"
}
