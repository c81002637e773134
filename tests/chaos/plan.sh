#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The faults of a chaos run, a function of the seed and the length and nothing else. Called by run.sh and chaos.bats.
#
#   plan.sh SEED SECONDS       prints "LANE BEGIN LASTS FAULT TARGET", times in milliseconds from the start
#
# Three lanes run side by side: ZooKeeper's servers, MariaDB and publishers, hosts. In each one fault follows the other, all
# kinds in a new order each round, each before any comes again. A long run has longer faults among the short ones, and every three
# minutes a pause in all lanes, "all BEGIN LASTS quiet -", in which everything has to come to rest.

set -euo pipefail
[[ $# = 2 && $1 =~ ^[0-9]+$ && $2 =~ ^[1-9][0-9]*$ ]] || { sed -n '/^#   plan/s/^#   //p' "$0" >&2; exit 2; }
seconds=$2
EVERY=180000 PAUSE=45000

# A generator of our own: bash's may be another one in another version. below N: $REPLY is 0 to N-1.
state=$((($1 * 2654435761 + 1013904223) & 0xffffffff))
below() {
	state=$(((state * 1103515245 + 12345) & 0x7fffffff))
	REPLY=$(((state >> 8) % $1))
}

# lane NAME FAULT=TARGETS...: a fault is for one of the targets NAME1 to NAMEn, or for all ("name" alone).
lane() {
	local name=$1 kinds=() at=0 i lasts kind target pause
	shift
	while :; do
		[[ ${#kinds[@]} -gt 0 ]] || kinds=("$@")
		below ${#kinds[@]}
		i=$REPLY
		kind=${kinds[i]}
		unset "kinds[i]"
		kinds=("${kinds[@]}")
		target=${kind#*=}
		if [[ $target =~ ^([a-z]+)([0-9]+)$ ]]; then
			below "${BASH_REMATCH[2]}"
			target=${BASH_REMATCH[1]}$((REPLY + 1))
		fi
		below 1500
		at=$((at + 500 + REPLY))
		below 4
		lasts=$((seconds > 120 && REPLY == 0 ? 12000 : 3000))
		below $lasts
		lasts=$((500 + REPLY))
		pause=$((at / EVERY * EVERY + EVERY - PAUSE))
		((seconds <= 120 || at + lasts <= pause)) || at=$((pause + PAUSE))
		((at + lasts < seconds * 1000)) || break
		echo "$name $at $lasts ${kind%%=*} $target"
		at=$((at + lasts))
		# What the module's reload and a new device take by themselves, so that a long run does not fall behind its plan.
		((seconds <= 120)) || case $kind in
		reload*) at=$((at + 15000)) ;;
		device*) at=$((at + 3000)) ;;
		esac
	done
}

lane zk kill=zk3 pause=zk3 cut=zk3 slow=zk3
lane cdb kill=cdb1 pause=cdb1 cut=cdb1 slow=cdb1 kill=pub2 pause=pub2 cut=pub2 slow=pub2
lane hosts kill=agent5 pause=agent5 control-cut=host5 control-slow=host5 underlay-cut=host5 underlay-slow=host5 device=host5 \
	reload=module
((seconds <= 120)) || for ((i = EVERY; i <= seconds * 1000; i += EVERY)); do
	echo "all $((i - PAUSE)) $PAUSE quiet -"
done
