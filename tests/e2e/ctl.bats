#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# vpcctl's intent side against a private MariaDB on loopback: what is accepted, what is refused and with which exit
# status, the history, imports, and rights.
#
#	vpcctl -> MariaDB
#
# Each test has a VPC and hosts of its own. VPC_BUILD: where the programs are, build/ by default.

# bats runs tests under errexit, and sets stderr and stderr_lines; some right-hand sides are meant literally, $ is jq's.
# shellcheck disable=SC2164,SC2154,SC2076,SC2016

bats_require_minimum_version 1.5.0

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.."
	mkdir -p "${VPC_BATS_DIR:=build/bats}"
	SVC=$(mktemp -d "$VPC_BATS_DIR/ctl-XXXXXX")
	export SVC CONF=$BATS_FILE_TMPDIR/vpc.conf B=${VPC_BUILD:-build}
	scripts/services.sh start "$SVC" mariadb
	set -a
	# shellcheck source=/dev/null
	. "$SVC/env"
	set +a
	conf root "$VPC_CDB_PASSWORD" > "$CONF"
	vpcctl db init
}

teardown_file() {
	cd "$BATS_TEST_DIRNAME/../.."
	scripts/services.sh stop "$SVC" mariadb
	rm -rf "$SVC"
}

# A VNI of the test's own, and a VPC by that name.
setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	BEFORE=''
	VNI=$((1000 + BATS_TEST_NUMBER)) V=v$BATS_TEST_NUMBER
	NET=192.0.$BATS_TEST_NUMBER
}

conf() {
	printf '[cdb]\nhost = %s\nport = %s\nuser = %s\npassword = %s\ntimeout_s = %s\n' "$VPC_CDB_HOST" "$VPC_CDB_PORT" "$1" "$2" "${3:-10}"
}

vpcctl() { settle && "$B/vpcctl" -c "$CONF" "$@"; }
sql() { MYSQL_PWD=$VPC_CDB_PASSWORD mariadb --no-defaults -h "$VPC_CDB_HOST" -P "$VPC_CDB_PORT" -u root -N -B vpc -e "$1"; }
json() { vpcctl -j "${@:2}" | jq -cr "$1"; }
epoch() { json '.[0].epoch' vpc show "$V"; }

# refused STATUS PATTERN ARGUMENTS...: ends so and says so in one line. Whether it changed anything is seen by settle(),
# before the next command that may.
refused() {
	local want=$1 pattern=$2
	shift 2
	[[ -n $BEFORE ]] || BEFORE=$("$B/vpcctl" -c "$CONF" vpc show)
	run --separate-stderr "$B/vpcctl" -c "$CONF" "$@"
	[[ $status = "$want" && $stderr =~ $pattern && ${#stderr_lines[@]} = 1 && -z $output ]] || {
		echo "vpcctl $*: status $status, output '$output', error '$stderr'; wanted $want /$pattern/" >&2
		return 1
	}
}

settle() {
	local before=$BEFORE
	[[ -n $before ]] || return 0
	BEFORE=''
	[[ $before = "$("$B/vpcctl" -c "$CONF" vpc show)" ]] || {
		echo "a refused command changed something: was $before" >&2
		return 1
	}
}

# A VPC with a subnet and two hosts.
cloud() {
	vpcctl vpc add "$V" vni "$VNI" range 10.0.0.0/16
	vpcctl subnet add web vpc "$V" prefix 10.0.1.0/24
	vpcctl host add "${V}a" vtep "$NET.1"
	vpcctl host add "${V}b" vtep "$NET.2"
}

sound() { vpcctl db check "$V"; }

@test "the library against the server, under the sanitizers" {
	local test tests
	# All that have a server, and those that stand on one that does.
	mapfile -t tests < <(grep -lE '"(cdb_rig|audit_world)\.h"' tests/unit/test_*.c | sed 's|.*/||; s|\.c$||')
	[[ -S $VPC_CDB_SOCKET && " ${tests[*]} " = *" test_cdb_reader "* && " ${tests[*]} " = *" test_audit_lag "* ]]
	make -s "${tests[@]/#/build/san/unit/}" 3>&-
	for test in "${tests[@]}"; do
		CMOCKA_MESSAGE_OUTPUT=TAP run -0 "build/san/unit/$test"
		echo "$output"
		[[ $output = *"ok 1 "* && $output != *SKIP* ]]
	done
}

@test "objects, verbs and abbreviations" {
	cloud
	[[ $(vpcctl vp sh "$V") = "$(vpcctl vpc show "$V")" ]]
	[[ $(vpcctl vpc) = "$(vpcctl vpc show)" ]]
	for object in vpc subnet host port table route nexthop history db; do
		vpcctl $object help | grep -q "^Usage: vpcctl $object"
		vpcctl $object --help | grep -q "^Usage: vpcctl $object"
	done
	vpcctl vpc add --help | grep -q '^Usage: vpcctl vpc'
	vpcctl --help | grep -q '^Usage: vpcctl'
	vpcctl --version | grep -q '^vpcctl '
}

# What the completion offers behind these words, the last of which is begun: completes WORD...
completes() {
	COMP_WORDS=(vpcctl "$@") COMP_CWORD=$#
	_vpcctl
	echo "${COMPREPLY[*]}"
}

@test "manual and completion name every command, as help does" {
	local object line words page
	vpcctl help objects > "$BATS_TEST_TMPDIR/objects"
	[[ $(wc -l < "$BATS_TEST_TMPDIR/objects") = $(vpcctl help | sed -n '/^Objects:/,/^$/p' | grep -c '^  ') ]]
	# shellcheck source=/dev/null
	. "$B/vpcctl.bash"
	[[ $(completes '' | tr ' ' '\n' | grep -vx help) = "$(cat "$BATS_TEST_TMPDIR/objects")" ]]
	while read -r object; do
		grep -qF "vpcctl\\-$object (8)" "$B/man/vpcctl.8"
		page=$(sed 's/\\-/-/g; s/\\&//g; s/\\e/\\/g' "$B/man/vpcctl-$object.8")
		# Each form is in the page, and each of its words in lower case is completed.
		vpcctl "$object" help | sed -n '/^$/q; s/^Usage: \|^       //p' > "$BATS_TEST_TMPDIR/forms"
		[[ -s $BATS_TEST_TMPDIR/forms ]]
		while read -r line; do
			[[ $page = *"$line"* ]] || { echo "not in the page: $line"; return 1; }
			words=${line#vpcctl "$object"}
			read -ra words <<< "${words//[^a-z0-9A-Z_-]/ }"
			case $object in
			diff | history | trace | rollback | export | import) set -- "$object" ;;
			*)
				[[ " $(completes "$object" '') " = *" ${words[0]} "* ]]
				set -- "$object" "${words[0]}"
				words=("${words[@]:1}") ;;
			esac
			for word in "${words[@]}"; do
				[[ ! $word =~ ^(--)?[a-z] || " $(completes "$@" x '') " = *" $word "* ]] ||
					{ echo "not completed: $* $word"; return 1; }
			done
		done < "$BATS_TEST_TMPDIR/forms"
	done < "$BATS_TEST_TMPDIR/objects"
	# Options, values and files.
	for line in $(vpcctl help | sed -n '/^Options:/,/^$/s/^  \(-[^ ]*\),.*/\1/p'); do [[ " $(completes -) " = *" $line "* ]]; done
	[[ $(completes -c x --author y -j ro) = 'route rollback' ]]
	[[ $(completes route add 10.0.0.0/8 vpc '') = '' && $(completes route add 10.0.0.0/8 vpc red v) = 'vpc via' ]]
	[[ $(completes route add 10.0.0.0/8 via black) = blackhole && -z $(completes nobody '') ]]
	[[ $(completes import "$BATS_TEST_TMPDIR/for") = */forms && $(completes -b "$BATS_TEST_TMPDIR/obj") = */objects ]]
	[[ $(completes route import file "$BATS_TEST_TMPDIR/fo") = */forms && -z $(completes route import table "$BATS_TEST_TMPDIR/fo") ]]
	refused 1 "unknown object 'nobody'" help manual nobody
	refused 1 "help 'route'" help route
}

@test "wrong usage ends with 1" {
	refused 1 "unknown object 'foo'" foo
	refused 1 "'host' or 'history'" h show
	refused 1 "unknown verb 'frob'" vpc frob
	refused 1 "'vni' is missing" vpc add "$V"
	refused 1 "'NAME' is missing" vpc add
	refused 1 "unknown argument 'color'" vpc add "$V" vni "$VNI" color blue
	refused 1 "'vni' is given twice" vpc add "$V" vni "$VNI" vni 7
	refused 1 "'vni' needs a value" vpc add "$V" vni
	refused 1 "'via' is missing" route add 0.0.0.0/0 vpc "$V"
	refused 1 "via gateway" route add 0.0.0.0/0 vpc "$V" via gateway
	run "$B/vpcctl" --bogus
	[[ $status = 1 ]]
	run "$B/vpcctl"
	[[ $status = 1 && $output =~ Usage: ]]
}

@test "VPCs: refusals" {
	refused 2 'VNI 0 is out of range' vpc add "$V" vni 0
	refused 2 'VNI 16777216 is out of range' vpc add "$V" vni 16777216
	refused 2 'out of range' vpc add "$V" vni 99999999999
	refused 2 "'x' is not a number" vpc add "$V" vni x
	refused 2 "VPC name '1x'" vpc add 1x vni "$VNI"
	refused 2 'did you mean 10.0.0.0/8' vpc add "$V" vni "$VNI" range 10.1.0.0/8
	refused 2 'overlaps range' vpc add "$V" vni "$VNI" range 10.0.0.0/8 range 10.1.0.0/16
	refused 2 'own all addresses' vpc add "$V" vni "$VNI" range 0.0.0.0/0
	refused 2 'quota 9223372036854775808 is out of range' vpc add "$V" vni "$VNI" quota 9223372036854775808
	refused 2 "no VPC '$V'" vpc show "$V"
	refused 2 "no VPC '$V'" vpc del "$V"
	vpcctl vpc add "$V" vni "$VNI" range 10.0.0.0/16
	refused 2 'already' vpc add "$V" vni 999
	refused 2 'already' vpc add other vni "$VNI"
	refused 2 'overlaps range 10.0.0.0/16' vpc set "$V" add-range 10.0.0.0/8
	refused 2 'has no range' vpc set "$V" del-range 10.5.0.0/16
	refused 2 'quota 18446744073709551615 is out of range' vpc set "$V" quota 18446744073709551615
	vpcctl vpc set "$V" quota 9223372036854775807
	sound
}

@test "subnets: refusals" {
	cloud
	refused 2 'overlaps subnet web' subnet add s2 vpc "$V" prefix 10.0.1.0/24
	refused 2 'overlaps subnet web' subnet add s2 vpc "$V" prefix 10.0.1.128/25
	refused 2 'overlaps subnet web' subnet add s2 vpc "$V" prefix 10.0.0.0/16
	refused 2 "in no range of VPC $V" subnet add s2 vpc "$V" prefix 10.1.0.0/24
	refused 2 "in no range of VPC $V" subnet add s2 vpc "$V" prefix 10.0.0.0/15
	refused 2 'did you mean 10.0.2.0/24' subnet add s2 vpc "$V" prefix 10.0.2.1/24
	refused 2 'no room' subnet add s2 vpc "$V" prefix 10.0.2.0/31
	refused 2 'already' subnet add web vpc "$V" prefix 10.0.2.0/24
	refused 2 'no table 7' subnet add s2 vpc "$V" prefix 10.0.2.0/24 table 7
	refused 2 'mapping' subnet add s2 vpc "$V" prefix 10.0.2.0/24 table 0
	refused 2 "no subnet 's2'" subnet del s2 vpc "$V"
	refused 2 "no VPC 'nobody'" subnet add s2 vpc nobody prefix 10.0.2.0/24
	refused 2 'has subnet web' vpc set "$V" del-range 10.0.0.0/16
	vpcctl port add p1 vpc "$V" subnet web host "${V}a" dev tap1
	refused 2 'still has 1 port' subnet del web vpc "$V"
	sound
}

@test "hosts: refusals" {
	cloud
	refused 2 'already' host add "${V}a" vtep "$NET.9"
	refused 2 'VTEP' host add "${V}c" vtep "$NET.1"
	refused 2 'not an IP address' host add "${V}c" vtep 10.0.0.300
	refused 2 'not the address of one host' host add "${V}c" vtep 0.0.0.0
	refused 2 'not the address of one host' host add "${V}c" vtep 224.0.0.1
	refused 2 'UDP port 0' host add "${V}c" vtep "$NET.3" udp-port 0
	refused 2 "host name '-a'" host add -a vtep "$NET.3"
	refused 2 "host name 'a/b'" host add a/b vtep "$NET.3"
	vpcctl host add 10-0-0-5 vtep "$NET.3"
	vpcctl host del 10-0-0-5
	refused 2 'no host' host del "${V}c"
	vpcctl port add p1 vpc "$V" subnet web host "${V}a" dev tap1
	refused 2 'still has 1 port' host del "${V}a"
	refused 2 'still has 1 port' host set "${V}a" vtep "$NET.7"
	vpcctl host set "${V}a" udp-port 4790
	[[ $(vpcctl host set "${V}a" udp-port 4790) =~ 'nothing to change' ]]
}

@test "ports: refusals" {
	cloud
	vpcctl port add p1 vpc "$V" subnet web host "${V}a" dev tap1 address 10.0.1.5
	refused 2 'already' port add p1 vpc "$V" subnet web host "${V}b" dev tap2
	refused 2 'belongs to port p1' port add p2 vpc "$V" subnet web host "${V}b" dev tap2 address 10.0.1.5
	refused 2 'belongs to port p1' port add p2 vpc "$V" subnet web host "${V}b" dev tap2 address 10.0.1.4/30
	refused 2 'outside subnet web' port add p2 vpc "$V" subnet web host "${V}b" dev tap2 address 10.0.2.5
	refused 2 'gateway' port add p2 vpc "$V" subnet web host "${V}b" dev tap2 address 10.0.1.1
	refused 2 'network address' port add p2 vpc "$V" subnet web host "${V}b" dev tap2 address 10.0.1.0
	refused 2 'broadcast' port add p2 vpc "$V" subnet web host "${V}b" dev tap2 address 10.0.1.255
	refused 2 'gateway' port add p2 vpc "$V" subnet web host "${V}b" dev tap2 address 10.0.1.0/24
	refused 2 'twice' port add p2 vpc "$V" subnet web host "${V}b" dev tap2 address 10.0.1.9 address 10.0.1.9
	refused 2 'belongs to port p1' port add p2 vpc "$V" subnet web host "${V}a" dev tap1
	refused 2 'net device' port add p2 vpc "$V" subnet web host "${V}b" dev a/b
	refused 2 'net device' port add p2 vpc "$V" subnet web host "${V}b" dev sixteen-bytes-xx
	refused 2 'has MAC' port add p2 vpc "$V" subnet web host "${V}b" dev tap2 mac 02:00:0a:00:01:05
	refused 2 "can't be a port's" port add p2 vpc "$V" subnet web host "${V}b" dev tap2 mac 01:00:5e:00:00:01
	refused 2 "can't be a port's" port add p2 vpc "$V" subnet web host "${V}b" dev tap2 mac fe:ee:00:00:00:01
	refused 2 "no subnet 'none'" port add p2 vpc "$V" subnet none host "${V}b" dev tap2
	refused 2 "no host 'none'" port add p2 vpc "$V" subnet web host none dev tap2
	refused 2 "no port 'p2'" port del p2 vpc "$V"
	refused 2 'still has 1 port' vpc del "$V"
	sound
}

@test "addresses are given out in order, and again" {
	cloud
	vpcctl subnet add tiny vpc "$V" prefix 10.0.9.0/29
	for i in 1 2 3 4 5; do vpcctl port add p$i vpc "$V" subnet tiny host "${V}a" dev t$i; done
	[[ $(json '[.[].addresses[0]]' port show vpc "$V") = '["10.0.9.2/32","10.0.9.3/32","10.0.9.4/32","10.0.9.5/32","10.0.9.6/32"]' ]]
	refused 2 'no free address' port add p6 vpc "$V" subnet tiny host "${V}a" dev t6
	vpcctl port del p3 vpc "$V"
	vpcctl port add p6 vpc "$V" subnet tiny host "${V}a" dev t6
	[[ $(json '.[0] | [.addresses, .mac]' port show p6 vpc "$V") = '[["10.0.9.4/32"],"02:00:0a:00:09:04"]' ]]
	sound
}

@test "both families live side by side" {
	cloud
	vpcctl vpc set "$V" add-range 2001:db8:1::/48
	vpcctl subnet add six vpc "$V" prefix 2001:db8:1:1::/64
	vpcctl port add p6 vpc "$V" subnet six host "${V}a" dev tap6
	vpcctl host add "${V}six" vtep "2001:db8:$VNI::1"
	vpcctl route add ::/0 vpc "$V" via gateway 2001:db8::1
	vpcctl route show vpc "$V" | grep -qx "2001:db8:1:1::2/128 table 0 via host $NET.1"
	vpcctl route show vpc "$V" | grep -qx '::/0 table 1 via nexthop 1 gateway 2001:db8::1'
	refused 2 'did you mean' subnet add x vpc "$V" prefix 2001:db8:1:1::1/64
	refused 2 'overlaps subnet six' subnet add x vpc "$V" prefix 2001:db8:1:1:8000::/65
	# The same last bytes, of which MACs are made.
	for i in 1 2 3; do vpcctl port add q$i vpc "$V" subnet six host "${V}a" dev q$i address 2001:db8:1:1:$i::7; done
	[[ $(json '.[0].mac' port show q1 vpc "$V") = 02:00:00:00:00:07 ]]
	[[ $(json '[.[].mac] | unique | length' port show vpc "$V") = 4 ]]
	sound
}

@test "the mapping follows the ports" {
	cloud
	vpcctl port add p1 vpc "$V" subnet web host "${V}a" dev tap1
	vpcctl port add p2 vpc "$V" subnet web host "${V}a" dev tap2
	[[ $(vpcctl route show vpc "$V" table 0) = "10.0.1.2/32 table 0 via host $NET.1
10.0.1.3/32 table 0 via host $NET.1" ]]
	vpcctl port set p1 vpc "$V" host "${V}b"
	[[ $(vpcctl route show 10.0.1.2 vpc "$V" table 0) = "10.0.1.2/32 table 0 via host $NET.2" ]]
	[[ $(vpcctl nexthop show vpc "$V" | grep -c host) = 2 ]]
	vpcctl port set p2 vpc "$V" host "${V}b"
	[[ $(vpcctl nexthop show vpc "$V" | grep -c host) = 1 ]]
	vpcctl port del p1 vpc "$V"
	vpcctl port del p2 vpc "$V"
	[[ $(vpcctl nexthop show vpc "$V") = '2147483648 local' ]]
	[[ -z $(vpcctl route show vpc "$V" table 0) ]]
	sound
}

@test "routes and nexthops: refusals and results" {
	cloud
	vpcctl table add 2 vpc "$V" name second
	[[ $(vpcctl route show vpc "$V" table 2) = '10.0.0.0/16 table 2 via local' ]]
	vpcctl vpc set "$V" add-range 172.16.0.0/12
	[[ $(vpcctl route show vpc "$V" | grep -c 'via local') = 4 ]]
	vpcctl route add 0.0.0.0/0 vpc "$V" table 2 via gateway 198.51.100.1
	vpcctl route add 203.0.113.0/24 vpc "$V" via gateway 198.51.100.1
	[[ $(vpcctl nexthop show vpc "$V") = '1 gateway 198.51.100.1
2147483648 local' ]]
	refused 2 'already' route add 0.0.0.0/0 vpc "$V" table 2 via blackhole
	refused 2 'no nexthop 9' route add 1.0.0.0/8 vpc "$V" via nexthop 9
	refused 2 'no table 9' route add 1.0.0.0/8 vpc "$V" table 9 via blackhole
	refused 2 'mapping' route add 1.0.0.0/8 vpc "$V" table 0 via blackhole
	refused 2 'always leads to local' route add 10.0.0.0/16 vpc "$V" via blackhole
	refused 2 'always leads to local' route del 10.0.0.0/16 vpc "$V"
	refused 2 "can't lead via 'host'" route add 1.0.0.0/8 vpc "$V" via host
	refused 2 'is a host' route add 1.0.0.0/8 vpc "$V" via nexthop 2147483649
	refused 2 'no route 1.0.0.0/8 in table 1' route del 1.0.0.0/8 vpc "$V"
	refused 2 'still used by 2 routes' nexthop del vpc "$V" id 1
	refused 2 "system's own" nexthop del vpc "$V" id 2147483648
	refused 2 "system's own" nexthop set vpc "$V" id 2147483648 type blackhole
	refused 2 'not local' nexthop add vpc "$V" type local
	refused 2 'needs a VTEP' nexthop add vpc "$V" type gateway
	refused 2 'only a gateway' nexthop add vpc "$V" type blackhole vtep 192.0.2.1
	refused 2 'already' nexthop add vpc "$V" id 1 type blackhole
	refused 2 'no nexthop 5' nexthop set vpc "$V" id 5 type blackhole
	refused 2 'route of its own' vpc set "$V" add-range 203.0.113.0/24
	vpcctl nexthop set vpc "$V" id 1 type gateway vtep 198.51.100.2 vni 77 mac 02:00:00:00:00:07
	[[ $(json '.[0]' nexthop show vpc "$V" id 1) = '{"id":1,"type":"gateway","vtep":"198.51.100.2","vni":77,"mac":"02:00:00:00:00:07"}' ]]
	vpcctl subnet set web vpc "$V" table 2
	refused 2 'used by subnet web' table del 2 vpc "$V"
	vpcctl subnet set web vpc "$V" table 1
	vpcctl table del 2 vpc "$V"
	refused 2 'no table 2' table del 2 vpc "$V"
	refused 2 'ids are 1..1023' table add 1024 vpc "$V"
	sound
}

@test "groups and their members" {
	cloud
	vpcctl nexthop add vpc "$V" type gateway vtep 198.51.100.1
	vpcctl nexthop add vpc "$V" type gateway vtep 198.51.100.2
	refused 2 'no such nexthop' nexthop add vpc "$V" type group member 9
	refused 2 'given twice' nexthop add vpc "$V" type group member 1 member 1:2
	refused 2 'weights are 1..256' nexthop add vpc "$V" type group member 1:257
	refused 2 "give a nexthop's id" nexthop add vpc "$V" type group member 1:x
	refused 2 'only a group' nexthop add vpc "$V" type blackhole member 1
	vpcctl nexthop add vpc "$V" id 7 type group member 1 member 2:3
	[[ $(vpcctl nexthop show vpc "$V" id 7) = '7 group member 1:1 member 2:3' ]]
	[[ $(json . nexthop show vpc "$V" type group) = '[{"id":7,"type":"group","members":[{"nexthop":1,"weight":1},{"nexthop":2,"weight":3}]}]' ]]
	vpcctl route add 0.0.0.0/0 vpc "$V" via nexthop 7
	refused 2 'member of group 7' nexthop del vpc "$V" id 1
	refused 2 'a group itself' nexthop add vpc "$V" type group member 7
	refused 1 "'member' belongs to a 'type'" nexthop set vpc "$V" id 7 member 1
	refused 1 'nothing to set' nexthop set vpc "$V" id 7
	refused 2 'no member of group 7' nexthop set vpc "$V" id 7 del-member 5
	refused 2 'is no group' nexthop set vpc "$V" id 1 add-member 2
	settle
	[[ $(json .operations nexthop set vpc "$V" id 7 add-member 2:9 del-member 1) = 2 ]]
	[[ $(vpcctl history "$V" last 1 epoch "$(epoch)") = *'- member 1 of group 7 weight 1'*'+ member 2 of group 7 weight 9'* ]]
	[[ $(vpcctl nexthop show vpc "$V" id 7 epoch $(($(epoch) - 1))) = '7 group member 1:1 member 2:3' ]]
	sound
	vpcctl nexthop set vpc "$V" id 7 type group
	[[ $(vpcctl nexthop show vpc "$V" id 7) = '7 group' ]]
	sound
}

@test "peers, and strict mode" {
	cloud
	vpcctl vpc add "${V}x" vni $((VNI + 500)) range 10.1.0.0/16
	vpcctl port add p1 vpc "$V" subnet web host "${V}a" dev tap1
	refused 2 "no VPC 'nobody'" nexthop add vpc "$V" type peer to nobody
	refused 2 'no table 9' nexthop add vpc "$V" type peer to "${V}x" table 9
	refused 2 'its own peer' nexthop add vpc "$V" type peer to "$V"
	refused 2 'needs the VPC' nexthop add vpc "$V" type peer
	refused 1 "leads 'to' a VPC" nexthop add vpc "$V" type peer to "${V}x" vni 7
	vpcctl nexthop add vpc "$V" id 3 type peer to "${V}x"
	[[ $(vpcctl nexthop show vpc "$V" type peer) = "3 peer vni $((VNI + 500)) table 1" ]]
	[[ $(json '.[0].revision' host show "${V}a") = 3 ]] # the port, and the peer that it may need
	refused 2 "the peer of VPC $V" vpc del "${V}x"
	vpcctl nexthop del vpc "$V" id 3
	vpcctl vpc del "${V}x"
	[[ $(vpcctl vpc show "$V") != *strict* ]]
	vpcctl vpc set "$V" strict on
	[[ $(vpcctl vpc show "$V") = *' strict on '* && $(json '.[0].strict' vpc show "$V") = true ]]
	[[ $(vpcctl vpc set "$V" strict on) = 'nothing to change'* ]]
	refused 2 'strict is on or off' vpc set "$V" strict maybe
	sound
}

@test "subnets, tables and CDB itself in JSON" {
	cloud
	[[ $(json 'keys_unsorted' subnet add db vpc "$V" prefix 10.0.2.0/24) = '["vni","epoch","change","operations"]' ]]
	[[ $(json '[.vni, .operations]' table add 2 vpc "$V" name second) = "[$VNI,1]" ]]
	[[ $(json '.change | length' subnet set db vpc "$V" table 2) = 17 ]]
	[[ $(json .change subnet set db vpc "$V" table 2) = null ]]
	[[ $(json . subnet show db vpc "$V") = '[{"name":"db","vpc":"'"$V"'","vni":'"$VNI"',"prefix":"10.0.2.0/24","gateway":"10.0.2.1","table":2,"ports":0}]' ]]
	[[ $(json '[.[].name]' subnet show vpc "$V") = '["web","db"]' ]]
	[[ $(json . subnet show none vpc "$V") = '[]' ]]
	vpcctl port add p1 vpc "$V" subnet db host "${V}a" dev tap1
	[[ $(json '.[0].ports' subnet show db vpc "$V") = 1 ]]
	[[ $(json . table show 2 vpc "$V") = '[{"id":2,"name":"second","routes":1,"subnets":1}]' ]]
	[[ $(json '[.[] | [.id, .name, .routes]]' table show vpc "$V") = '[[0,"mapping",1],[1,"main",1],[2,"second",1]]' ]]
	[[ $(json .operations table set 2 vpc "$V" name other) = 0 && $(json '.[0].name' table show 2 vpc "$V") = other ]]
	refused 2 'used by subnet db' -j table del 2 vpc "$V"
	refused 2 'still has 1 port' -j subnet del db vpc "$V"
	vpcctl port del p1 vpc "$V"
	[[ $(json .vni subnet del db vpc "$V") = "$VNI" && $(json .vni table del 2 vpc "$V") = "$VNI" ]]
	[[ $(json '.[0] | [.name, .vni, .ok, .digest == .found]' db check "$V") = '["'"$V"'",'"$VNI"',true,true]' ]]
	[[ $(json '.version > 0 and .from == .version' db init) = true ]]
	[[ $(json type db show) = object ]]
	sql "UPDATE vpc SET digest0 = digest0 ^ 1 WHERE vni = $VNI"
	run --separate-stderr vpcctl -j db check "$V"
	[[ $status = 2 && $(jq -c '.[0] | [.ok, .digest == .found]' <<< "$output") = '[false,false]' && ${#stderr_lines[@]} = 1 ]]
	sql "UPDATE vpc SET digest0 = digest0 ^ 1 WHERE vni = $VNI"
	sound
}

@test "each change is one epoch; nothing to change is none" {
	cloud
	local before
	before=$(epoch)
	[[ $(json '[.vni, .epoch, (.change | length)]' route set 0.0.0.0/0 vpc "$V" via blackhole) = "[$VNI,$((before + 1)),17]" ]]
	[[ $(json '[.epoch, .change]' route set 0.0.0.0/0 vpc "$V" via blackhole) = "[$((before + 1)),null]" ]]
	[[ $(epoch) = $((before + 1)) ]]
	vpcctl subnet set web vpc "$V" table 1 | grep -q 'nothing to change'
	vpcctl vpc set "$V" quota 0 | grep -q 'nothing to change'
	vpcctl vpc set "$V" quota 1000000
	[[ $(json '.[0] | [.epoch, .quota]' vpc show "$V") = "[$((before + 2)),1000000]" ]]
	sound
}

@test "the history says who, what, what was and what is" {
	cloud
	"$B/vpcctl" -c "$CONF" --author alice route add 0.0.0.0/0 vpc "$V" via blackhole
	"$B/vpcctl" -c "$CONF" --author bob route set 0.0.0.0/0 vpc "$V" via gateway 198.51.100.1
	[[ $(json '[.[] | [.author, .operations]][:2]' history "$V") = '[["bob",2],["alice",2]]' ]]
	vpcctl history "$V" last 1 | grep -q "bob: route set 0.0.0.0/0 vpc $V via gateway 198.51.100.1 (2 operations)"
	run vpcctl history "$V" epoch "$(epoch)"
	[[ $output =~ '- route 0.0.0.0/0 table 1 nexthop 1' && $output =~ '+ route 0.0.0.0/0 table 1 nexthop 2' ]]
	[[ $(json '.[0].changes[0]' history "$V" epoch "$(epoch)") = '{"kind":"nexthop","was":null,"is":{"id":2,"type":"gateway","vtep":"198.51.100.1"}}' ]]
	refused 2 'no such history' history "$V" epoch 999
	vpcctl vpc del "$V"
	vpcctl history "$VNI" last 1 | grep -q "vpc del $V"
	[[ $(json '.epoch' vpc add "$V" vni "$VNI") = $(($(json '.[1].epoch' history "$VNI") + 1)) ]]
}

@test "a summary too long for the history ends with a whole character" {
	cloud
	local long
	long=$(printf 'ä%.0s' {1..120})
	mkdir "$BATS_TEST_TMPDIR/$long" "$BATS_TEST_TMPDIR/x$long"
	for long in "$long" "x$long"; do
		echo "10.${#long}.0.0/16 2147483648" > "$BATS_TEST_TMPDIR/$long/routes"
		vpcctl route import vpc "$V" file "$BATS_TEST_TMPDIR/$long/routes"
		[[ $(json '.[0].summary | utf8bytelength as $n | ($n == 254 or $n == 255) and (contains("\ufffd") | not)' history "$V" last 1) = true ]]
	done
}

@test "a list that is refused is not begun" {
	local object
	refused 2 'no such history' -j history 99
	refused 2 "no VPC '$V'" -j vpc show "$V"
	refused 2 "no VPC '$V'" -j history "$V"
	for object in subnet port table route nexthop; do refused 2 "no VPC '$V'" -j $object show vpc "$V"; done
	[[ $(vpcctl -j host show nobody) = '[]' && $(vpcctl -jp host show nobody) = '[]' ]]
	cloud
	[[ $(vpcctl -jp host show "${V}a") =~ ^\[$'\n'\{.*\}$'\n'\]$ ]]
	[[ $(json length host show "${V}a") = 1 ]]
}

@test "routes as they were at an epoch" {
	cloud
	vpcctl route add 0.0.0.0/0 vpc "$V" via blackhole
	local past shown
	past=$(epoch)
	shown=$(vpcctl route show vpc "$V")
	vpcctl port add p1 vpc "$V" subnet web host "${V}a" dev tap1
	vpcctl route del 0.0.0.0/0 vpc "$V"
	vpcctl nexthop del vpc "$V" id 1
	[[ $(vpcctl route show vpc "$V") != "$shown" ]]
	[[ $(vpcctl route show vpc "$V" epoch "$past") = "$shown" ]]
	[[ $(vpcctl -j route show vpc "$V" epoch "$(epoch)") = "$(vpcctl -j route show vpc "$V")" ]]
	refused 2 'epoch' route show vpc "$V" epoch 999
}

@test "import: 100,000 routes, differences, and lines that are refused" {
	cloud
	local f=$BATS_TEST_TMPDIR/routes before
	vpcctl nexthop add vpc "$V" id 7 type gateway vtep 198.51.100.7
	vpcctl nexthop add vpc "$V" id 8 type gateway vtep 198.51.100.8
	awk 'BEGIN { for (i = 0; i < 100000; i++) printf "%d.%d.%d.0/24 7\n", 16 + i / 65536, i / 256 % 256, i % 256 }' | gzip > "$f.gz"
	[[ $(json '[.added, .operations]' route import vpc "$V" file "$f.gz") = '[100000,100000]' ]]
	[[ $(json '[.unchanged, .change]' route import vpc "$V" file "$f.gz" replace) = '[100000,null]' ]]
	printf '# two\n16.0.0.0/24 8\n99.0.0.0/8 8 # new\n' > "$f"
	[[ $(json '[.added, .changed, .deleted]' route import vpc "$V" file "$f") = '[1,1,0]' ]]
	[[ $(json '[.deleted, .unchanged]' route import vpc "$V" file "$f" replace) = '[99999,2]' ]]
	[[ $(vpcctl route show vpc "$V" table 1) = '10.0.0.0/16 table 1 via local
16.0.0.0/24 table 1 via nexthop 8 gateway 198.51.100.8
99.0.0.0/8 table 1 via nexthop 8 gateway 198.51.100.8' ]]
	before=$(epoch)
	printf '1.0.0.0/8 7\n2.0.0.0/8 7\n1.0.0.0/8 8\n' > "$f"
	refused 2 "$f:3: 1.0.0.0/8 is in line 1 already" route import vpc "$V" file "$f"
	printf '1.0.0.0/8 7\n2.0.0.0/8 9\n' > "$f"
	refused 2 "$f:2: VPC $V has no nexthop 9" route import vpc "$V" file "$f"
	printf '1.0.0.0/8 7\n2.0.0.1/8 7\n' > "$f"
	refused 2 "$f:2: .*did you mean 2.0.0.0/8" route import vpc "$V" file "$f"
	printf '1.0.0.0/8\n' > "$f"
	refused 2 "$f:1: .*without a nexthop" route import vpc "$V" file "$f"
	printf '10.0.0.0/16 7\n' > "$f"
	refused 2 "$f:1: .*always leads to local" route import vpc "$V" file "$f"
	refused 2 'No such file' route import vpc "$V" file "$f.none"
	head -c 1000 "$f.gz" > "$f"
	refused 2 "$f:" route import vpc "$V" file "$f"
	[[ $(epoch) = "$before" ]]
	sound
}

@test "a batch is one change, all of it or nothing" {
	cloud
	local f=$BATS_TEST_TMPDIR/batch before
	vpcctl vpc add "${V}x" vni $((VNI + 500)) range 10.1.0.0/16
	before=$(epoch)
	cat > "$f" <<-END
		# what one command makes, the next one uses
		nexthop add vpc $V id 1 type gateway vtep 198.51.100.1

		nexthop add vpc $V id 2 type gateway vtep 198.51.100.2   # the other
		nexthop add vpc $V id 7 type group member 1 member 2:3
		route add 0.0.0.0/0 vpc $V via nexthop 7
		nexthop set vpc $V id 7 del-member 1
		route add 1.0.0.0/8 vpc $V via blackhole
		route del 1.0.0.0/8 vpc $V
		vpc set $V quota 5
		vpc set $V quota 0
		host add ${V}c vtep $NET.3
		port add p1 vpc $V subnet web host ${V}c dev tap1
		nexthop add vpc $V id 9 type peer to ${V}x
		route add 2.0.0.0/8 vpc ${V}x via prohibit
	END
	vpcctl -b "$f" > "$BATS_TEST_TMPDIR/out"
	[[ $(epoch) = $((before + 1)) && $(json '.[0].epoch' vpc show "${V}x") = 2 ]]
	[[ $(wc -l < "$BATS_TEST_TMPDIR/out") = 2 ]]
	[[ $(json '.[0].change' vpc show "$V") = "$(json '.[0].change' vpc show "${V}x")" ]]
	[[ $(vpcctl nexthop show vpc "$V" id 7) = '7 group member 2:3' ]]
	[[ $(vpcctl history "$V" last 1) =~ 'batch of 13: nexthop add' ]]
	[[ $(vpcctl history "$V" epoch "$(epoch)") != *'1.0.0.0/8'* ]]
	sound
	vpcctl db check "${V}x"
	# The last line fails: its number is said, and nothing of the others is there.
	printf 'route add 3.0.0.0/8 vpc %s via blackhole\n\nvpc set %s quota 9\nroute add 2.0.0.0/8 vpc %sx via blackhole\n' "$V" "$V" "$V" > "$f"
	refused 2 "$f:4: table 1 of VPC ${V}x has a route 2.0.0.0/8" -b "$f"
	printf 'route add 3.0.0.0/8 vpc %s via blackhole\nroute ad\n' "$V" > "$f"
	refused 1 "$f:2: 'PREFIX' is missing" -b "$f"
	printf 'route add 3.0.0.0/8 vpc %s via blackhole\nroute show vpc %s\n' "$V" "$V" > "$f"
	refused 1 "$f:2: .route show. changes nothing" -b "$f"
	printf 'port del p1 vpc %s\nvpc del %s\nroute add 3.0.0.0/8 vpc %s via blackhole\n' "$V" "$V" "$V" > "$f"
	refused 2 "$f:3: VPC $V is deleted by this very change" -b "$f"
	refused 2 'No such file' -b "$f.none"
	refused 1 'one too many' -b "$f" vpc show
	[[ $(vpcctl -b - <<< "port del p1 vpc $V
vpc del $V") =~ 'VPC '$VNI' is at epoch '$((before + 2)) ]]
	[[ -z $(sql "SELECT name FROM vpc WHERE vni = $VNI") ]]
}

@test "a rehearsal says what would be, and does nothing" {
	cloud
	local before
	vpcctl port add p1 vpc "$V" subnet web host "${V}a" dev tap1
	before=$(vpcctl vpc show; sql 'SELECT COUNT(*) FROM outbox')
	vpcctl --dry-run route add 0.0.0.0/0 vpc "$V" via gateway 198.51.100.1 > "$BATS_TEST_TMPDIR/out"
	grep -qx "VPC $V (VNI $VNI) would go to epoch 4 on 1 host: 2 operations" "$BATS_TEST_TMPDIR/out"
	grep -qx '  + nexthop 1 gateway 198.51.100.1' "$BATS_TEST_TMPDIR/out"
	grep -qx '  + route 0.0.0.0/0 table 1 nexthop 1' "$BATS_TEST_TMPDIR/out"
	[[ $(json '[.dry_run, .change, .vpcs[0].hosts, .hosts, (.vpcs[0].changes | length)]' -n port set p1 vpc "$V" host "${V}b") = '[true,null,["'"${V}b"'"],["'"${V}a"'","'"${V}b"'"],4]' ]]
	[[ $(vpcctl -n vpc set "$V" quota 0) =~ 'nothing to change' ]]
	refused 2 'no table 9' -n route add 0.0.0.0/0 vpc "$V" table 9 via blackhole
	refused 1 'changes nothing' -n vpc show
	[[ $before = "$(vpcctl vpc show; sql 'SELECT COUNT(*) FROM outbox')" ]]
	sound
}

@test "back to an epoch, differences, and a VPC as a document" {
	cloud
	local past doc=$BATS_TEST_TMPDIR/doc digest
	vpcctl port add p1 vpc "$V" subnet web host "${V}a" dev tap1
	vpcctl nexthop add vpc "$V" id 7 type group
	vpcctl route add 0.0.0.0/0 vpc "$V" via nexthop 7
	past=$(epoch) digest=$(json '.[0].digest' vpc show "$V")
	vpcctl export "$V" > "$doc"
	[[ $(vpcctl -p export "$V" | jq -S .) = "$(jq -S . "$doc")" ]]
	vpcctl port set p1 vpc "$V" host "${V}b" dev tap9
	vpcctl subnet add db vpc "$V" prefix 10.0.2.0/24
	vpcctl route del 0.0.0.0/0 vpc "$V"
	vpcctl vpc set "$V" quota 9
	vpcctl diff "$V" "$past" > "$BATS_TEST_TMPDIR/diff"
	grep -qx -- "  + port p1 subnet web host ${V}b dev tap9 mac 02:00:0a:00:01:02 flags 0 addresses 10.0.1.2/32" "$BATS_TEST_TMPDIR/diff"
	grep -qx -- '  - route 0.0.0.0/0 table 1 nexthop 7' "$BATS_TEST_TMPDIR/diff"
	[[ $(vpcctl diff "$V" "$past" "$past") = 'no difference' ]]
	[[ $(vpcctl port show p1 vpc "$V" epoch "$past") = *"host ${V}a dev tap1"* ]]
	[[ $(vpcctl -j subnet show vpc "$V" epoch "$past" | jq length) = 1 && $(json '.[0].quota' vpc show "$V" epoch "$past") = 0 ]]
	[[ $(vpcctl table show vpc "$V" epoch 1) = 'table 1 name main' ]]
	[[ $(vpcctl --dry-run rollback "$V" "$past") = *'nothing was changed' ]]
	vpcctl rollback "$V" "$past"
	[[ $(epoch) = $((past + 5)) && $(json '.[0].digest' vpc show "$V") = "$digest" ]]
	[[ $(vpcctl history "$V" last 1) = *"rollback $V $past"* ]]
	sound
	refused 2 'before 999' rollback "$V" 999
	refused 2 'was not there at epoch 0' port show vpc "$V" epoch 0
	printf 'table add 9 vpc %s\nrollback %s %s\n' "$V" "$V" "$past" > "$BATS_TEST_TMPDIR/bad"
	refused 2 'changed by this very change already' -b "$BATS_TEST_TMPDIR/bad"
	refused 2 'was not there' rollback "$V" 0
	refused 2 "no VPC 'nobody'" rollback nobody 1
	refused 2 'already: .replace' import "$doc"
	# A host that is gone is named.
	vpcctl port set p1 vpc "$V" host "${V}b"
	vpcctl host del "${V}a"
	refused 2 "port p1: there is no host '${V}a'" rollback "$V" "$past"
	refused 2 "port p1: there is no host '${V}a'" import "$doc" replace
	settle
	# Elsewhere, under another name and number; and what a document must not say.
	jq ".vni = $((VNI + 500)) | .name = \"${V}x\" | .ports[0].host = \"${V}b\" | .ports[0].dev = \"x\"" "$doc" | vpcctl import -
	vpcctl db check "${V}x"
	[[ $(vpcctl route show vpc "${V}x" table 1) = "$(vpcctl route show vpc "$V" table 1)" ]]
	jq '.subnets[0].prefix = "10.9.0.0/8"' "$doc" > "$BATS_TEST_TMPDIR/bad"
	refused 2 'subnet web: .*did you mean' import "$BATS_TEST_TMPDIR/bad" replace
	jq '.ports[0].addresses = ["10.0.1.1/32"] | .ports[0].host = "'"${V}b"'"' "$doc" > "$BATS_TEST_TMPDIR/bad"
	refused 2 'port p1: address .* is the gateway' import "$BATS_TEST_TMPDIR/bad" replace
	jq '.tables[0].routes["9.0.0.0/8"] = 99' "$doc" > "$BATS_TEST_TMPDIR/bad"
	refused 2 'there is no nexthop 99' import "$BATS_TEST_TMPDIR/bad" replace
	jq '.tables[0].routes["10.0.0.0/16"] = 7' "$doc" > "$BATS_TEST_TMPDIR/bad"
	refused 2 'always lead to local' import "$BATS_TEST_TMPDIR/bad" replace
	refused 2 "$doc.none: No such file" import "$doc.none"
	head -c 100 "$doc" > "$BATS_TEST_TMPDIR/bad"
	refused 2 'it ends too early' import "$BATS_TEST_TMPDIR/bad"
	# Deleted, and back.
	vpcctl port del p1 vpc "$V"
	vpcctl vpc del "$V"
	refused 2 'was deleted' export "$VNI"
	[[ $(vpcctl export "$VNI" epoch "$past" | jq -r .digest) = "$digest" ]]
	vpcctl rollback "$VNI" $((past + 6))
	[[ $(vpcctl port show p1 vpc "$V") = *"host ${V}b"* ]]
	sound
}

@test "a port moves in three steps" {
	cloud
	vpcctl port add p1 vpc "$V" subnet web host "${V}a" dev tap1
	refused 2 'begin with .port prepare' port move p1 vpc "$V"
	refused 2 'begin with .port prepare' port release p1 vpc "$V"
	refused 2 'on host .* already' port prepare p1 vpc "$V" host "${V}a"
	vpcctl port prepare p1 vpc "$V" host "${V}b"
	refused 2 'port release' port prepare p1 vpc "$V" host "${V}b"
	refused 2 'port release. first' port set p1 vpc "$V" host "${V}b"
	refused 2 'still has 1 port' host del "${V}b"
	[[ $(json 'map([.name, .ports])' host show vpc "$V") = '[["'"${V}a"'",1],["'"${V}b"'",1]]' ]]
	[[ $(json length host show "${V}a" vpc "$V") = 1 && $(json length host show nobody vpc "$V") = 0 ]]
	refused 2 "no VPC 'nobody'" host show vpc nobody
	[[ $(vpcctl port show p1 vpc "$V") = *"host ${V}a dev tap1"*" standby host ${V}b dev tap1" ]]
	[[ $(vpcctl port show host "${V}b" vpc "$V") = p1* ]]
	[[ $(vpcctl route show vpc "$V" table 0) = "10.0.1.2/32 table 0 via host $NET.1" && $(vpcctl nexthop show vpc "$V" type host | wc -l) = 2 ]]
	vpcctl port move p1 vpc "$V"
	[[ $(vpcctl port show p1 vpc "$V") = *"host ${V}b dev tap1"*" standby host ${V}a dev tap1" ]]
	[[ $(vpcctl route show vpc "$V" table 0) = "10.0.1.2/32 table 0 via host $NET.2" ]]
	vpcctl port release p1 vpc "$V"
	[[ $(vpcctl port show p1 vpc "$V") != *standby* && $(vpcctl nexthop show vpc "$V" type host | wc -l) = 1 ]]
	vpcctl port prepare p1 vpc "$V" host "${V}a" dev tap7
	vpcctl port del p1 vpc "$V"
	vpcctl host del "${V}a"
	sound
}

@test "batches that lock against each other all land" {
	cloud
	local i pids=()
	vpcctl vpc add "${V}x" vni $((VNI + 500)) range 10.0.0.0/16
	for i in 1 2 3 4; do
		(for j in 1 2 3; do
			if ((i % 2)); then set -- "$V" "${V}x"; else set -- "${V}x" "$V"; fi
			printf "route add $i.$j.0.0/16 vpc %s via blackhole\\n" "$@" | vpcctl -b - > /dev/null || exit 1
		done) 3>&- &
		pids+=($!)
	done
	for i in "${pids[@]}"; do wait "$i"; done
	[[ $(vpcctl route show vpc "$V" | grep -c blackhole) = 12 && $(vpcctl route show vpc "${V}x" | grep -c blackhole) = 12 ]]
	[[ $(epoch) = 14 ]]
	sound
	vpcctl db check "${V}x"
}

@test "changes of one VPC at once: all land, one epoch each" {
	cloud
	local before i pids=()
	before=$(epoch)
	for i in 1 2 3 4; do
		(for j in 1 2 3 4 5; do vpcctl route add "$i.$j.0.0/16" vpc "$V" via blackhole > /dev/null || exit 1; done) 3>&- &
		pids+=($!)
	done
	for i in "${pids[@]}"; do wait "$i"; done
	[[ $(epoch) = $((before + 20)) ]]
	[[ $(json '[.[].epoch] | sort == [range(1; length + 1)]' history "$V") = true ]]
	[[ $(vpcctl route show vpc "$V" | grep -c blackhole) = 20 ]]
	sound
}

@test "ports of two VPCs on one host at once" {
	cloud
	local i pids=()
	vpcctl vpc add "${V}x" vni $((VNI + 500)) range 10.0.0.0/16
	vpcctl subnet add web vpc "${V}x" prefix 10.0.1.0/24
	for i in "$V" "${V}x"; do
		(for j in 1 2 3 4 5; do vpcctl port add p$j vpc "$i" subnet web host "${V}a" dev "$i-$j" > /dev/null || exit 1; done) 3>&- &
		pids+=($!)
	done
	for i in "${pids[@]}"; do wait "$i"; done
	[[ $(json '.[0] | [.ports, .revision]' host show "${V}a") = '[10,11]' ]]
	vpcctl db check
}

@test "rows changed behind the digest are found" {
	cloud
	sql "INSERT INTO route VALUES ($VNI, 1, 4, x'01000000', 8, 2147483648)"
	run --separate-stderr vpcctl db check "$V"
	[[ $status = 2 && $output =~ 'differs from its rows' && $stderr =~ "VPC $V" ]]
	sql "DELETE FROM route WHERE vni = $VNI AND addr = x'01000000'"
	sound
}

@test "accounts: the writer writes, the auditor only reads" {
	cloud
	VPC_WRITER_PASSWORD=w VPC_PUBLISHER_PASSWORD=p VPC_AUDITOR_PASSWORD=a vpcctl db init --accounts
	conf vpc_writer w > "$BATS_TEST_TMPDIR/writer"
	conf vpc_auditor a > "$BATS_TEST_TMPDIR/auditor"
	conf vpc_auditor wrong > "$BATS_TEST_TMPDIR/wrong"
	"$B/vpcctl" -c "$BATS_TEST_TMPDIR/writer" route add 1.0.0.0/8 vpc "$V" via blackhole
	CONF=$BATS_TEST_TMPDIR/auditor refused 2 'denied' route add 2.0.0.0/8 vpc "$V" via blackhole
	CONF=$BATS_TEST_TMPDIR/auditor vpcctl db check "$V"
	run "$B/vpcctl" -c "$BATS_TEST_TMPDIR/wrong" vpc show
	[[ $status = 2 && $output =~ 'Access denied' ]]
	run vpcctl db init --accounts
	[[ $status = 0 && $output =~ 'vpc_writer keeps its password' ]]
	VPC_AUDITOR_PASSWORD=a VPC_HOST_AUDITOR_PASSWORD=h vpcctl db auditor "${V}a"
	conf "vpc_auditor:${V}a" h > "$BATS_TEST_TMPDIR/own"
	CONF=$BATS_TEST_TMPDIR/own vpcctl db check "$V"
	refused 2 'there is no host nobody' db auditor nobody
	sql "DROP USER 'vpc_auditor:${V}a'@'%', 'vpc_auditor:${V}a'@'localhost'"
}

@test "no CDB, a silent CDB, a wrong configuration: one line" {
	run "$B/vpcctl" -c /nonexistent vpc show
	[[ $status = 2 && $output =~ /nonexistent ]]
	printf '[cdb]\nprot = 1\n' > "$BATS_TEST_TMPDIR/c"
	run "$B/vpcctl" -c "$BATS_TEST_TMPDIR/c" vpc show
	[[ $status = 2 && $output =~ prot && ${#lines[@]} = 1 ]]
	printf '[cdb]\nsocket = /nonexistent/s\n' > "$BATS_TEST_TMPDIR/c"
	run "$B/vpcctl" -c "$BATS_TEST_TMPDIR/c" vpc show
	[[ $status = 2 && $output =~ /nonexistent/s && ${#lines[@]} = 1 ]]
	printf '%sdatabase = empty\n' "$(conf root "$VPC_CDB_PASSWORD")
" > "$BATS_TEST_TMPDIR/c"
	run "$B/vpcctl" -c "$BATS_TEST_TMPDIR/c" vpc show
	[[ $status = 2 && $output =~ 'vpcctl db init' && ${#lines[@]} = 1 ]]
	conf root "$VPC_CDB_PASSWORD" 1 > "$BATS_TEST_TMPDIR/c"
	kill -STOP "$(< "$SVC/mariadb/pid")"
	run timeout 30 "$B/vpcctl" -c "$BATS_TEST_TMPDIR/c" vpc show
	kill -CONT "$(< "$SVC/mariadb/pid")"
	[[ $status = 2 && ${#lines[@]} = 1 ]]
	vpcctl vpc show
}

@test "agent status: nobody at the socket, and somebody who talks nonsense" {
	local dir=$BATS_TEST_TMPDIR/run
	mkdir "$dir"
	printf '[agent]\nrun_dir = %s\nname = h1\n' "$dir" > "$dir/conf"
	CONF=$dir/conf run vpcctl agent status
	[[ $status = 2 && $output = *"no agent answers at $dir/h1.sock: No such file"* ]]
	socat "UNIX-LISTEN:$dir/h2.sock" EXEC:'echo nonsense' &
	for ((i = 0; i < 100; i++)); do [[ ! -S $dir/h2.sock ]] || break; sleep 0.1; done
	CONF=$dir/conf run vpcctl agent status host h2
	[[ $status = 2 && $output = *"the agent's answer: "* ]]
	CONF=$dir/conf run vpcctl agent status dev h1
	[[ $status = 1 ]]
}
