#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# What scripts/vm.sh promises to those who call it: the command's exit status and output, the machine's file system
# below an overlay, the way to this machine's loopback, and that no complaint of a kernel goes unnoticed.
#
#	bats -> vm.sh -> QEMU: bash
#
# Four machines, since each takes seconds to boot.

# bats runs tests under errexit, and sets stderr and stderr_lines; $ is often the guest's business.
# shellcheck disable=SC2164,SC2154,SC2016

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	mkdir -p "${VPC_BATS_DIR:=$PWD/build/bats}"
	OUT=$(mktemp -d "$VPC_BATS_DIR/vm-XXXXXX")
	LISTENER=''
}

teardown() {
	[[ -z $LISTENER ]] || kill "$LISTENER" 2> /dev/null || true
	rm -rf "$OUT"
}

# vm.sh OPTION... -- COMMAND..., its output apart.
vm() {
	run --separate-stderr scripts/vm.sh --smp 1 --mem 512 --out "$OUT" "$@" 3>&-
	echo "status $status"
	echo "$output"
	echo "$stderr"
}

@test "wrong calls end with 2 before anything boots" {
	run -2 scripts/vm.sh
	[[ $output = usage:* ]]
	run -2 scripts/vm.sh --smp 0 -- true
	[[ $output = *--smp*'"0"'* ]]
	run -2 scripts/vm.sh --mem lots -- true
	run -2 scripts/vm.sh --timeout -- true
	run -2 scripts/vm.sh --frobnicate -- true
	[[ $output = *--frobnicate* ]]
	run -2 scripts/vm.sh --kernel 0.0.1-none -- true
	[[ $output = *0.0.1-none* ]]
}

@test "status, output, results, variables and words pass; the root is read-only below; loopback is 10.0.2.2" {
	local port=$((20000 + SRANDOM % 12000)) theirs=$OUT/theirs
	echo theirs | tee "$theirs" > "$theirs.2"
	socat -U "TCP-LISTEN:$port,bind=127.0.0.1,fork,reuseaddr" 'SYSTEM:echo from the host' 3>&- &
	LISTENER=$!
	export VPC_TEST_WORD='two words'
	vm -- bash -c '
		echo "at $PWD, as $(id -u), args <$1> <$2>, VPC_TEST_WORD <$VPC_TEST_WORD>"
		echo "host says: $(socat -u TCP:10.0.2.2:$3 -)"
		echo result > "$VM_OUT/result"
		# Into the overlay, which ends with the machine.
		echo mine > "$4" && echo "wrote $(< "$4")"
		touch /etc/vm-bats && rm "$4.2" && echo changed
		awk "\$2 == \"/\" { print \"root on\", \$3 }" /proc/mounts
		exit 7' name "a b" 'c"d' "$port" "$theirs"
	[[ $status = 7 ]]
	[[ $output = *"at $PWD, as 0, args <a b> <c\"d>, VPC_TEST_WORD <two words>"* ]]
	[[ $output = *"host says: from the host"* ]]
	[[ $output = *"wrote mine"*"changed"*"root on overlay"* ]]
	[[ $(< "$OUT/result") = result ]]
	[[ ! -e /etc/vm-bats && $(< "$theirs") = theirs && $(< "$theirs.2") = theirs ]]
	[[ -z $stderr ]]
}

@test "a kernel's warning is 99 whatever the command says, and its text is shown" {
	vm -- bash -c 'echo "<4>WARNING: CPU: 0 PID: 1 at vm.bats" > /dev/kmsg; sync; echo done'
	[[ $status = 99 && $output = *done* ]]
	[[ $stderr = *"the kernel complained"*"WARNING: CPU: 0 PID: 1 at vm.bats"* ]]
}

@test "a kernel's panic is 99; with --allow-warnings too, for the command did not end" {
	vm --allow-warnings -- bash -c 'echo c > /proc/sysrq-trigger; echo unreachable'
	[[ $status = 99 && $output != *unreachable* ]]
	[[ $stderr = *"ended before the command did"*"Kernel panic"* ]]
}

@test "the time limit is 124, and the machine is gone" {
	local end=$((SECONDS + 40))
	vm --timeout 4 -- sleep 600
	[[ $status = 124 && $stderr = *"killed after 4 seconds"* ]]
	((SECONDS < end))
	run ! pgrep -f "path=$OUT,"
}
