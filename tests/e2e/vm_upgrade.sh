#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The module is replaced under traffic (scripts/upgrade-module.sh): what cannot be it is refused with nothing changed,
# what fails brings the old one back, another build comes in twice in a row with every epoch and digest, and the agents,
# which run on, find nothing to do.
#
#      h1 192.0.2.11 ── a 10.0.0.5  ═══ ping, all the time ═══▶  c 10.0.1.7 ── h2 192.0.2.12
#
. "$(dirname "$0")/lib.sh"

lab_up "$scenario"
cloud_up 2
cloud_vpc red 100 10.0.0.0/16
cloud_guest red a h1 10.0.0.5
cloud_guest red c h2 10.0.1.7
lab_synced red 100 h1 h2
lab_traffic_start ac a 10.0.1.7
lab_traffic_flows ac

old=build/vpc.ko
upgrade() { scripts/upgrade-module.sh --old "$old" --save "$LAB_DIR/saved" "$@"; }
instance() { vpcctl -j kernel host show netns "$1" | jq -r .instance; }
# What is to come through: all of it, in both hosts.
everything() { vpcctl kernel save netns h1 && vpcctl kernel save netns h2; }
before=$(everything)
# A parameter that is not as it comes: it stays, too.
parameter=/sys/module/vpc/parameters/ingress
[[ ! -e $parameter ]] || echo N > "$parameter"
module=$(instance h1)

# Another build by its build id, of the same code: build_like NUMBER FILE
build_like() {
	objcopy -O binary --only-section=.note.gnu.build-id build/vpc.ko "$LAB_DIR/note"
	printf '%08x' "$1" | dd of="$LAB_DIR/note" bs=1 seek=16 conv=notrunc status=none
	objcopy --update-section .note.gnu.build-id="$LAB_DIR/note" build/vpc.ko "$2"
}

begin "what cannot be the module is refused, and nothing is touched"
echo text > "$LAB_DIR/text.ko"
sed 's/vermagic=[0-9]/vermagic=9/' build/vpc.ko > "$LAB_DIR/kernel.ko"
sed 's/\x00name=vpc\x00/\x00name=vpx\x00/' build/vpc.ko > "$LAB_DIR/name.ko"
build_like 7 "$LAB_DIR/seven.ko"
expect 2 'text.ko: not a kernel module' upgrade --module "$LAB_DIR/text.ko"
expect 2 "kernel.ko: built for kernel '9" upgrade --module "$LAB_DIR/kernel.ko"
expect 2 "name.ko: this is module 'vpx', not 'vpc'" upgrade --module "$LAB_DIR/name.ko"
expect 2 'no such file' upgrade --module "$LAB_DIR/none.ko"
expect 2 'the running module is of another build' \
	scripts/upgrade-module.sh --module "$old" --old "$LAB_DIR/seven.ko" --save "$LAB_DIR/saved"
expect 1 usage upgrade --modul "$old"
same "$(instance h1)" "$module" "instance"
expect 0 '' upgrade --module "$LAB_DIR/seven.ko" --check
same "$(instance h1)" "$module" "instance"

begin "a namespace out of reach is found out by its ports"
# A namespace that a mount alone keeps alive, where nobody looks.
ip netns add "hidden-$scenario"
vpcctl kernel restore - netns "hidden-$scenario" <<< $'vpc 9\nport hid vpc 9 mac 02:00:00:00:00:09'
ip -n "hidden-$scenario" link add hid type veth peer name hid2
touch "$LAB_DIR/hidden"
mount --bind "/run/netns/hidden-$scenario" "$LAB_DIR/hidden"
ip netns del "hidden-$scenario"
expect 2 'a network namespace is out of reach' upgrade --module "$LAB_DIR/seven.ko"
umount "$LAB_DIR/hidden"
same "$(instance h1)" "$module" "instance"
wait_until "grep -qx 2 /sys/module/vpc/refcnt" 30

begin "a module that the kernel does not take: the old one is back with everything"
sed 's/udp_tunnel_sock_release/udp_tunnel_sock_releasf/g' build/vpc.ko > "$LAB_DIR/symbol.ko"
expect 3 'the old module is back with everything' upgrade --module "$LAB_DIR/symbol.ko"
same "$(everything)" "$before" "state"
lab_traffic_flows ac

begin "another build comes in under traffic, and again"
for i in 1 2; do
	build_like "$i" "$LAB_DIR/build$i.ko"
	module=$(instance h1)
	expect 0 'forwarding stood still for' upgrade --module "$LAB_DIR/build$i.ko"
	[[ $(instance h1) != "$module" ]]
	same "$(everything)" "$before" "state"
	cmp -s <(od -An -tx1 /sys/module/vpc/notes/.note.gnu.build-id) <(od -An -tx1 "$LAB_DIR/note")
	[[ ! -e $parameter ]] || same "$(< "$parameter")" N "parameter"
	lab_traffic_flows ac
	old=$LAB_DIR/build$i.ko
done

begin "the agents take it as it is, and go on"
lab_synced red 100 h1 h2
for host in h1 h2; do wait_until "lab_reconcile $host --max-lag 0" 30; done
lab_ctl table add 7 vpc red
lab_synced red 100 h1 h2
lab_traffic_flows ac
lab_traffic_stop ac
