#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# No false alarm and no fault missed: vpc_reconcile --watch audits a host while 1,000 changes a second go to 100 of its
# VPCs, and now and then something is broken behind the agent's back, at moments that are known. "make soak MINUTES=n".
# Servers and publisher on this machine; agent, audit and vpc.ko (the one that can be corrupted) in User Mode Linux
# (tests/guest.sh).
#
#   soak.sh [MINUTES [RATE [VPCS]]]      10, 1000 and 100 by default
#
# Faults, one after the other, each for as long as it takes to be found (120 s at most), and put right again:
#
#   quiet VPC	a nexthop is set elsewhere, one is deleted, a route is flipped in the trie, the digest is
#   busy VPC	a route is flipped in the trie, a nexthop is written over, a port is gone
#
# A report with drift or "could not compare" that names what is broken is the fault found; any other, and any at a time
# when nothing is broken, is a false alarm. In the end: rounds, their results, faults injected and found, time to find,
# false alarms, probes that could not be asked for. Exit status 1 with a false alarm, a fault that was not found, a kind of which
# none was, a lag of more than MAX_LAG seconds (environment; 60), or fewer changes than nine tenths of what was to be. SEED
# (environment) is printed and draws the same faults again.

# shellcheck source=../guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/../guest.sh"

FIRST=6000 QUIET=5900
dir=$top/build/soak
module=build/kmod/uml-normal-corrupt/vpc.ko

# VPC NAME VNI: two gateways, a blackhole and a prohibit, 200 routes in table 1, and a port on h1.
seed_vpc() {
	printf 'vpc add %s vni %d range 10.0.0.0/8\nsubnet add s vpc %s prefix 10.1.0.0/16\n' "$1" "$2" "$1"
	printf 'nexthop add vpc %s id 1 type blackhole\nnexthop add vpc %s id 2 type prohibit\n' "$1" "$1"
	printf 'nexthop add vpc %s id 7 type gateway vtep 192.0.2.13\nnexthop add vpc %s id 8 type gateway vtep 192.0.2.14\n' "$1" "$1"
	printf 'nexthop add vpc %s id 9 type gateway vtep 192.0.2.15\n' "$1"
	printf 'port add p vpc %s subnet s host h1 dev p%d\n' "$1" "$2"
	printf 'route import vpc %s file %s\n' "$1" "$dir/routes"
}

seed() {
	local vni i
	for ((i = 0; i < 200; i++)); do echo "172.16.$i.0/24 $((7 + i % 2))"; done > "$dir/routes"
	{
		echo "host add h1 vtep 192.0.2.1"
		for ((vni = QUIET; vni < QUIET + 5; vni++)); do seed_vpc "q$vni" "$vni"; done
		for ((vni = FIRST; vni < FIRST + $1; vni++)); do seed_vpc "v$vni" "$vni"; done
	} > "$dir/batch"
	build/vpcctl -c "$dir/admin.conf" -b "$dir/batch" > /dev/null
}

on_machine() {
	local minutes=${1:-10} rate=${2:-1000} vpcs=${3:-100} status=0 seed=${SEED:-$(date +%s)}
	echo "seed $seed"
	servers
	mkdir "$dir/bin"
	# What runs for so long is not to be what is built meanwhile.
	cp build/{vpcctl,vpc_agent,vpc_publisher,vpc_reconcile} build/tools/{changes,tamper} $module "$dir/bin/"
	guest_cdb
	seed "$vpcs"
	publisher "$dir/publisher.conf" "$dir/bin/vpc_publisher"
	load "$rate" "$vpcs" &
	pids+=($!)
	guest_run 2000 $((minutes * 60 + 600)) "$minutes" "$vpcs" "$seed" "${MAX_LAG:-60}" || status=$?
	touch "$dir/enough"
	wait "${pids[-1]}" || status=1
	echo "load: $(< "$dir/load.txt")"
	if ! awk -v rate="$rate" -v ms=$((minutes * 60000)) 'END { exit !(NR && $1 >= 0.9 * rate * ms / 1000) }' "$dir/load.txt"; then
		echo "the load was not $rate changes a second: nothing is shown"
		status=1
	fi
	return $status
}

# From when the guest asks for it until it has enough.
load() {
	local changes
	until [[ -e $dir/load ]]; do sleep 0.2; done
	"$dir/bin/changes" "$dir/admin.conf" $FIRST "$2" "$1" 100000 > "$dir/load.txt" &
	changes=$!
	until [[ -e $dir/enough ]]; do sleep 0.2; done
	kill "$changes"
	wait "$changes"
}

# -- in the guest ------------------------------------------------------------------------------------------------------

in_host() { ip netns exec h1 "$@"; }
corrupt() { in_host tee /sys/module/vpc/parameters/corrupt <<< "$*" > /dev/null; }
resync() { vpc_reconcile -c "$dir/host.conf" --netns h1 --host h1 --settle 500 --repair > /run/repair 2>&1 || true; }

# break KIND VNI and mend KIND VNI; $WANT is what the report must have: "CLASS OBJECT".
break_it() {
	case $1 in
	nexthop-set) WANT='different nexthop 7'; in_host tamper nexthop set "$2" 7 gateway 192.0.2.99 ;;
	nexthop-del) WANT='missing nexthop 9'; in_host tamper nexthop del "$2" 9 ;;
	flip) WANT='digest digest of what forwarding reads'; corrupt "route $2 1 172.16.3.0 24 7" ;;
	vtep) WANT='digest digest of what forwarding reads'; corrupt "nexthop $2 8 192.0.2.99" ;;
	digest) WANT='digest digest of'; corrupt "digest $2" ;;
	port) WANT="missing port p$2"; in_host tamper port del "p$2" ;;
	esac
}

mend_it() {
	case $1 in
	nexthop-set) in_host tamper nexthop set "$2" 7 gateway 192.0.2.13 || resync ;;
	nexthop-del) in_host tamper nexthop set "$2" 9 gateway 192.0.2.15 || resync ;;
	flip) corrupt "route $2 1 172.16.3.0 24 8" ;;
	vtep) corrupt "nexthop $2 8 192.0.2.14" ;;
	digest) corrupt "digest $2" ;;
	port) resync ;;
	esac
}

# The time of the first report after $1 (ms) that has WANT in VPC $2; nothing: there is none yet.
found_at() {
	tail -n 40 /run/watch.json | jq -r --argjson after "$1" --argjson vni "$2" --arg want "$WANT" 'select(.time_ms >= $after)
		| select(any(.vpcs[]; .vni == $vni and any(.findings[]; "\(.class) \(.object)" | startswith($want))))
		| .time_ms + (.duration_us / 1000 | floor)' 2> /dev/null | head -n 1
}

# Begun and ended before and after, so that what a round saw of the half of it is not counted as a false alarm.
one_fault() {
	local kind=$1 vni=$2 begun found='' end lines
	lines=$(wc -l < /run/agent.log)
	begun=$(ms)
	if ! break_it "$kind" "$vni"; then
		# The VPC went on in that moment.
		echo "$begun $(ms) $vni $kind -" >> /run/faults
		again=1
		return
	fi
	end=$((SECONDS + 120))
	until found=$(found_at "$begun" "$vni") && [[ -n $found ]]; do
		((SECONDS < end)) || break
		sleep 0.3
	done
	# An agent that is far behind reads a snapshot and writes the VPC anew, as its log says: then there is nothing left to be found.
	if [[ -z $found && $kind = @(flip|vtep) ]] && vpcctl kernel verify "$vni" netns h1 > /dev/null 2>&1 &&
		tail -n "+$((lines + 1))" /run/agent.log | grep "VPC $vni: .*(snapshot, " > /dev/null; then
		echo "$begun $(ms) $vni $kind -" >> /run/faults
		again=1
		echo "fault: $kind in VPC $vni: gone before it was found"
		return
	fi
	mend_it "$kind" "$vni"
	echo "$begun $(ms) $vni $kind ${found:+$((found - begun))}" >> /run/faults
	if [[ -n $found ]]; then
		echo "fault: $kind in VPC $vni: found after $((found - begun)) ms"
	else
		echo "fault: $kind in VPC $vni: not found"
	fi
}

in_guest() {
	local minutes=$1 vpcs=$2 max_lag_s=$4 vni end kinds=(nexthop-set nexthop-del flip vtep digest port flip) n=0 kind watch
	RANDOM=$3
	module=$dir/bin/vpc.ko
	guest_up
	PATH=$dir/bin:$PATH
	guest_hosts
	for vni in $(seq $QUIET $((QUIET + 4))) $(seq $FIRST $((FIRST + vpcs - 1))); do
		echo "link add p$vni type dummy"
		echo "link set p$vni up"
	done | ip -n h1 -batch -
	trap 'cp /run/agent.log /run/watch.json /run/watch.err /run/faults "$dir/" 2> /dev/null || true' EXIT
	agent /run/agent.log
	agent_says ' live: ' /run/agent.log
	: > /run/faults
	touch "$dir/load"
	vpc_reconcile -c "$dir/host.conf" --netns h1 --host h1 --watch=2 --verify --probe 2 --record -j \
		> /run/watch.json 2> /run/watch.err &
	watch=$!
	end=$((SECONDS + minutes * 60))
	while ((SECONDS < end)); do
		sleep $((RANDOM % 20 + 5))
		kill -0 "$watch" || { cat /run/watch.err; exit 1; }
		kind=${kinds[n++ % ${#kinds[@]}]}
		case $kind in
		nexthop-* | digest) vni=$((QUIET + RANDOM % 5)) ;;
		*) ((n % 2)) && vni=$((QUIET + RANDOM % 5)) || vni=$((FIRST + RANDOM % vpcs)) ;;
		esac
		again=0
		one_fault "$kind" "$vni"
		# The same kind once more, elsewhere.
		n=$((n - again))
	done
	touch "$dir/enough"
	kill "$watch"
	wait "$watch" || true
	judge "$max_lag_s"
}

# Rounds against faults. A round counts as of its VPC's fault when any of it was between the fault's begin and its end, and
# one round more. judge MAX_LAG_S
judge() {
	jq -c '{t: .time_ms, us: .duration_us, result, reason, lag: ([.vpcs[].lag_ms] | max),
		probes: ([.vpcs[].probes] | add), unprobed: ([.vpcs[] | select(.unprobed)] | length),
		bad: [.vpcs[] | select(.result == "drift" or .result == "could not compare") | {vni, reason, f: [.findings[] | "\(.class) \(.object)"]}]}' \
		/run/watch.json > /run/rounds
	jq -Rn '[inputs | split(" ") | {from: (.[0] | tonumber), to: (.[1] | tonumber), vni: (.[2] | tonumber), kind: .[3], ms: .[4]}]' \
		/run/faults > /run/faults.json
	jq -rn --argjson max_lag_ms $(($1 * 1000)) --slurpfile r /run/rounds --slurpfile f /run/faults.json '
		($f[0]) as $faults | [$r[] | . as $round | ($round.bad[] | {t: $round.t, vni, reason, f}
			| select(. as $b | any($faults[]; .vni == $b.vni and .from <= $round.t + $round.us / 1000 and $round.t <= .to + 5000) | not)),
			(select(.reason) | {t, reason})] as $false
		| ($faults | map(select(.ms != "-"))) as $done | ($done | map(select(.ms != "" and .ms != null) | .ms | tonumber) | sort) as $times
		| "rounds \($r | length): " + ([$r[].result] | group_by(.) | map("\(.[0]) \(length)") | join(", ")),
		"round_ms median \([$r[].us] | sort | .[length / 2 | floor] / 1000 | floor), greatest \([$r[].us] | max / 1000 | floor)",
		"lag_ms greatest \([$r[].lag] | max)",
		"probes \([$r[].probes] | add), VPCs not probed \([$r[].unprobed] | add)",
		"faults injected \($done | length), found \($times | length)",
		"faults that the agent wrote over, or that were not taken \([$faults[] | select(.ms == "-")] | length)",
		"time_to_find_ms least \($times[0]), median \($times[($times | length) / 2 | floor]), greatest \($times[-1])",
		($done | group_by(.kind)[] | "  \(.[0].kind): \(length), ms \(map(.ms) | join(" "))"),
		"false alarms \($false | length)", ($false[:20][] | "  \(tojson)"),
		([$done[] | select(.ms != "" and .ms != null) | .kind] | unique) as $kinds
		| (["nexthop-set", "nexthop-del", "flip", "vtep", "digest", "port"] - $kinds) as $none
		| "kinds of which none was found: \($none | join(" "))",
		(if ($false | length) == 0 and ($done | length) == ($times | length) and $none == [] and ([$r[].lag] | max) <= $max_lag_ms then "soak ok" else "soak FAILED" end)' \
		| tee /run/verdict
	cp /run/verdict /run/rounds /run/faults.json "$dir/"
	grep -q '^soak ok' /run/verdict
}

both_sides "$@"
