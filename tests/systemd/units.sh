#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The systemd units as an operator installs them, under a real systemd as the machine's first process: users,
# capabilities and sandboxes, readiness, watchdog, reload, restarts. Run by "make units", through vm.sh --systemd; it is no
# scenario of vm-run.sh, which has no systemd.
#
#      systemd ─▶ vpc_publisher, vpc_agent (host h9: the machine's own namespace), vpc_reconcile ─▶ vpc.ko
#                 MariaDB and ZooKeeper at 10.0.2.2, with accounts and credentials as doc/operations.md has them
#
# Conditions are wait_until's to expand.
# shellcheck disable=SC2016
. "$(dirname "$0")/../e2e/lib.sh"

# prop UNIT PROPERTY
prop() { systemctl show -P "$2" "$1"; }
active() { [[ $(prop "$1" ActiveState)/$(prop "$1" SubState) = active/running ]]; }
agent_pid() { prop vpc_agent MainPID; }
routes() { vpcctl kernel route show 100; }
# proc UNIT FIELD: of /proc/PID/status
proc() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$(prop "$1" MainPID)/status"; }
# logged UNIT PATTERN [OPTION...]: since the machine is up
logged() {
	local unit=$1 pattern=$2
	shift 2
	journalctl -q -u "$unit" -o cat --no-pager "$@" | grep -E -- "$pattern"
}
ask() { vpcctl -c /etc/vpc/agent.conf agent status; }
live() { says ': live for' "$(ask)"; }

lab_report() {
	systemctl --no-pager --full status vpc_agent vpc_publisher vpc_reconcile
	journalctl --no-pager -q -n 80 -o short-monotonic
}

# depmod looks at each module that there is, which takes minutes under emulation: here there are those that are used.
modules=/lib/modules/$(uname -r)
mkdir -p "$LAB_DIR/modules"
cp "$modules"/modules.{order,builtin,builtin.modinfo} "$LAB_DIR/modules/"
for module in udp_tunnel ip6_udp_tunnel veth bridge; do
	modprobe -q "$module"
	modprobe --show-depends "$module"
done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | sort -u | sed "s|^$modules/||" |
	(cd "$modules" && xargs cp --parents -t "$LAB_DIR/modules")
mount --bind "$LAB_DIR/modules" "$modules"

begin "installed with make install: the units are well-formed, and closed"
lab_up "$scenario"
KVER=$(uname -r) scripts/install.sh
systemctl daemon-reload
# What verify has to say of other packages' units is not ours.
systemd-analyze verify --man=no /etc/systemd/system/vpc_*.service > "$lab_dir/verify" 2>&1 || true
same "$(grep vpc_ "$lab_dir/verify")" ""
for unit in vpc_agent:20 vpc_reconcile:20 vpc_publisher:20; do
	systemd-analyze security --no-pager --threshold="${unit#*:}" "${unit%:*}.service" > "$lab_dir/security" ||
		{ cat "$lab_dir/security"; exit 1; }
	tail -n 1 "$lab_dir/security"
done
systemctl enable vpc_agent vpc_publisher vpc_reconcile
same "$(systemctl is-enabled vpc_agent vpc_publisher vpc_reconcile | sort | uniq -c | xargs)" "3 enabled"

# The way that doc/operations.md has it.
export VPC_WRITER_PASSWORD=w VPC_PUBLISHER_PASSWORD=p VPC_AUDITOR_PASSWORD=a
lab_ctl db init --accounts
VPC_ZK_HOSTS=$lab_zk zkcat put "$lab_chroot" lab
# conf FILE USER PASSWORD CREDENTIAL
conf() {
	cat > "$1" <<-END
		[zookeeper]
		hosts = $lab_zk$lab_chroot
		${4:+credential_file = $4}
		[log]
		level = debug
		[agent]
		name = h9
		${2:+[cdb]}
		${2:+host = $lab_cdb_host}
		${2:+port = $lab_cdb_port}
		${2:+database = $lab_database}
		${2:+user = $2}
		${2:+password = $3}
	END
}
(umask 077; echo "publisher:$SRANDOM$SRANDOM" > /etc/vpc/publisher.zk; conf /etc/vpc/vpc.conf vpc_publisher p /etc/vpc/publisher.zk)
vpcctl -c /etc/vpc/vpc.conf host credential h9 > "$lab_dir/credential"
install -m 640 -g vpc-agent "$lab_dir/credential" /etc/vpc/agent.zk
conf "$lab_dir/agent.conf" '' '' /etc/vpc/agent.zk
install -m 640 -g vpc-agent "$lab_dir/agent.conf" /etc/vpc/agent.conf
conf "$lab_dir/reconcile.conf" vpc_auditor a
install -m 640 -g vpc-reconcile "$lab_dir/reconcile.conf" /etc/vpc/reconcile.conf

begin "the publisher starts, leads, and says so; without any capability"
systemctl start vpc_publisher
active vpc_publisher
wait_until '[[ $(prop vpc_publisher StatusText) = publishing* ]]'
same "$(proc vpc_publisher CapEff) $(proc vpc_publisher CapBnd) $(proc vpc_publisher NoNewPrivs)" \
	"0000000000000000 0000000000000000 1" "capabilities, no new privileges"
same "$(proc vpc_publisher Seccomp)" 2 "system call filter"

begin "the agent loads the module, gets ready when it is live, as its own user with CAP_NET_ADMIN alone"
ip addr add 192.0.2.19/24 dev underlay
lab_ctl host add h9 vtep 192.0.2.19
cloud_vpc red 100 10.0.0.0/16
lab_ctl port add z vpc red subnet main host h9 dev t-z address 10.0.0.5
lab_ctl nexthop add vpc red id 7 type gateway vtep 198.51.100.1
lab_ctl route add 10.9.0.0/16 vpc red via nexthop 7
[[ ! -d /sys/module/vpc ]]
systemctl start vpc_agent
active vpc_agent
live
[[ -d /sys/module/vpc ]]
[[ $(prop vpc_agent StatusText) = 'live: ports revision '* ]]
uid=$(id -u vpc-agent)
same "$(proc vpc_agent Uid | xargs)" "$uid $uid $uid $uid" "user"
for set in CapEff CapPrm CapBnd CapInh CapAmb; do
	same "$(proc vpc_agent $set)" 0000000000001000 "$set"
done
same "$(proc vpc_agent NoNewPrivs)/$(proc vpc_agent Seccomp)" 1/2 "no new privileges, filter"
wait_until '[[ -s /var/lib/vpc/h9/vpc-100 ]]'
same "$(stat -c '%U %a' /var/lib/vpc)" "vpc-agent 700"
routes | grep -q 10.9.0.0/16
wait_until 'zk_status=$(lab_zkcat get "$(lab_zkcat ls /vpc/v1/hosts | sed "s|.*|/vpc/v1/hosts/&/h9/status|")") && [[ $zk_status = *boot* ]]'
exec {http}<> /dev/tcp/127.0.0.1/9469
printf 'GET /metrics HTTP/1.0\r\n\r\n' >&"$http"
grep -q '^vpc_agent_state{state="live"} 1' <&"$http"
exec {http}>&-

begin "behind its walls it hears the kernel, and of changes; what it forbids itself it does not need"
ip link add t-z type veth peer name t-z-guest
wait_until 'logged vpc_agent "port t-z: its device is there"'
lab_ctl route add 10.8.0.0/16 vpc red via nexthop 7
wait_until 'routes | grep -q 10.8.0.0/16'
same "$(logged vpc_agent . -p warning)" "" "warnings of the agent"
same "$(logged vpc_publisher . -p warning)" "" "warnings of the publisher"

begin "reload: what can change does; a bad configuration is refused and systemctl says so"
pid=$(agent_pid)
sed -i 's/^level.*/level = info/' /etc/vpc/agent.conf
systemctl reload vpc_agent
wait_until 'logged vpc_agent "configuration read again: .log. level changed"'
sed -i 's/^level.*/level = loud/' /etc/vpc/agent.conf
expect 1 . systemctl reload vpc_agent
logged vpc_agent 'level: .loud. is not a level'
active vpc_agent
same "$(agent_pid)" "$pid" "pid of the agent"
sed -i 's/^level.*/level = debug/' /etc/vpc/agent.conf
systemctl reload vpc_agent

begin "an agent that hangs is killed by the watchdog and started again; the kernel keeps its routes"
before=$(routes)
mkdir -p /run/systemd/system/vpc_agent.service.d
printf '[Service]\nWatchdogSec=5\n' > /run/systemd/system/vpc_agent.service.d/watchdog.conf
systemctl daemon-reload
systemctl restart vpc_agent
same "$(prop vpc_agent WatchdogUSec)" 5s "watchdog"
pid=$(agent_pid)
# It sends more often than the limit, so nothing is killed that does not hang.
kill -STOP "$pid"
wait_until '[[ $(prop vpc_agent NRestarts) = 1 ]]'
same "$(routes)" "$before" "routes of the kernel"
wait_until 'active vpc_agent'
[[ $(agent_pid) != "$pid" ]]
live
logged vpc_agent 'Watchdog timeout'
logged vpc_agent 'taking over 1 VPCs and 1 ports'
same "$(routes)" "$before" "routes of the kernel"
rm /run/systemd/system/vpc_agent.service.d/watchdog.conf
systemctl daemon-reload

begin "killed it is started again; stopped and started it leaves the kernel as it is"
kill -KILL "$(agent_pid)"
wait_until '[[ $(prop vpc_agent NRestarts) = 2 ]] && active vpc_agent'
systemctl stop vpc_agent
same "$(prop vpc_agent ActiveState)/$(prop vpc_agent Result)" inactive/success "end"
same "$(routes)" "$before" "routes of the kernel"
systemctl start vpc_agent
same "$(routes)" "$before" "routes of the kernel"
live

begin "the audit runs as its own user, finds all right, records it"
systemctl start vpc_reconcile
wait_until '[[ $(prop vpc_reconcile StatusText) = *consistent* ]]'
active vpc_reconcile
uid=$(id -u vpc-reconcile)
same "$(proc vpc_reconcile Uid | xargs)" "$uid $uid $uid $uid" "user"
same "$(proc vpc_reconcile CapEff) $(proc vpc_reconcile CapBnd)" "0000000000001000 0000000000001000" "capabilities"
wait_until 'vpc_reconcile fleet -c /etc/vpc/reconcile.conf -v | grep -E "h9.*consistent|consistent.*h9"'

begin "with --repair it may ask the agent, whose group it has"
mkdir -p /run/systemd/system/vpc_reconcile.service.d
printf '[Service]\nExecStart=\nExecStart=/usr/local/sbin/vpc_reconcile -c /etc/vpc/reconcile.conf --watch=1 --repair\n' \
	> /run/systemd/system/vpc_reconcile.service.d/repair.conf
systemctl daemon-reload
systemctl restart vpc_reconcile
vpcctl kernel route del 100 10.9.0.0/16 table 1
wait_until 'routes | grep -q 10.9.0.0/16'
logged vpc_agent 'repaired'
systemctl stop vpc_reconcile
same "$(prop vpc_reconcile Result)" success "end"

begin "a configuration that is wrong ends the publisher for good, at once"
systemctl stop vpc_publisher
same "$(prop vpc_publisher ActiveState)/$(prop vpc_publisher Result)" inactive/success "end"
sed -i 's/^level.*/level = loud/' /etc/vpc/vpc.conf
expect 1 . systemctl start vpc_publisher
same "$(prop vpc_publisher ActiveState)/$(prop vpc_publisher NRestarts)" failed/0 "state, restarts"
systemctl stop vpc_agent
# The module can go once nothing is bound.
ip link del t-z
