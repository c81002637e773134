#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs a command as root in a throw-away virtual machine with a stock Debian kernel (QEMU; no hardware virtualization
# needed). The guest sees this machine's file system at the same paths, read-only below an overlay in memory, starts
# in the caller's directory, reaches this machine's loopback at 10.0.2.2, and takes results out through $VM_OUT.
# check.sh, demo.sh and developers call it; vm-init is the guest's side.

set -euo pipefail

usage() {
	cat <<-END
	usage: vm.sh [options] [--] COMMAND [ARG...]
	  --smp N          virtual CPUs (default 2)
	  --mem MB         memory (default 2048)
	  --kernel KVER    an installed kernel, or one that scripts/kernel.sh fetched (default: the newest installed one);
	                   x86-kasan, x86-kcsan: those that scripts/uml/kernel.sh builds, vpc.ko for them too
	  --timeout S      kill the machine after S seconds (default 300; with --tty none)
	  --out DIR        the folder that is \$VM_OUT in the guest (default build/vm/out-PID, removed when empty)
	  --log FILE       keep the kernel's console log there
	  --allow-warnings do not fail the run for what the console log says
	  --kvm            use /dev/kvm (the default is emulation: a /dev/kvm that exists may hang)
	  --tty            connect the terminal, for an interactive shell: vm.sh --tty -- bash
	  --systemd        the guest's first process is systemd, which runs COMMAND once basic.target is reached
	Variables that begin with VPC_ are passed on. The exit status is COMMAND's; 99 when the kernel oopsed, warned or
	died (the log is shown), 124 after the time limit, 2 for a wrong call.
	END
}

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
die() { echo "vm.sh: $*" >&2; exit 2; }

number() { [[ $2 =~ ^[1-9][0-9]*$ ]] || die "$1 wants a positive number, not \"$2\""; }

# "rep movsb" and "rep stosb", which the kernel prefers where the processor says that they are fast, are emulated byte by byte.
smp=2 mem=2048 kver='' limit='' out='' log='' accel=tcg,thread=multi,tb-size=512 cpu=max,-erms tty=0 strict=1 systemd=0
while [[ $# -gt 0 ]]; do
	case $1 in
	--smp | --mem | --kernel | --timeout | --out | --log)
		[[ $# -ge 2 ]] || die "$1 wants a value"
		case $1 in
		--smp) number "$1" "$2"; smp=$2 ;;
		--mem) number "$1" "$2"; mem=$2 ;;
		--timeout) number "$1" "$2"; limit=$2 ;;
		--kernel) kver=$2 ;;
		--out) out=$2 ;;
		--log) log=$2 ;;
		esac
		shift 2 ;;
	--kvm) accel=kvm cpu=host; shift ;;
	--tty) tty=1; shift ;;
	--systemd) systemd=1; shift ;;
	--allow-warnings) strict=0; shift ;;
	-h | --help) usage; exit 0 ;;
	--) shift; break ;;
	-*) die "unknown option $1 (see --help)" ;;
	*) break ;;
	esac
done
[[ $# -gt 0 ]] || { usage >&2; exit 2; }

if [[ -z $kver ]]; then
	for image in $(printf '%s\n' /boot/vmlinuz-* | sort -V); do
		[[ -r $image && -f /lib/modules/${image#/boot/vmlinuz-}/modules.dep ]] && kver=${image#/boot/vmlinuz-}
	done
	[[ -n $kver ]] || die "no kernel with modules in /boot: run scripts/deps.sh"
fi
kroot='' vpc_ko=$top/build/kmod/$kver/vpc.ko
fetched=$(kernel_cache)/debian/$kver
[[ ! -e $fetched/complete ]] || kroot=$fetched
image=$kroot/boot/vmlinuz-$kver
case $kver in
x86-kasan | x86-kcsan)
	unset MAKEFLAGS MFLAGS MAKELEVEL
	kroot=$("$top/scripts/uml/kernel.sh" "${kver#x86-}") || die "no kernel $kver"
	# scripts/uml/kernel.sh --prune leaves it alone while this, which the machine inherits, is open.
	exec {kernel_use}< "$kroot/key"
	flock -s "$kernel_use"
	nice make -s -C "$top" -j2 module KVER="$kver" >&2 || die "vpc.ko does not build for $kver"
	image=$kroot/bzImage kver=$(< "$kroot/obj/include/config/kernel.release")
	kroot+=/modules ;;
esac
[[ -r $image ]] || die "$image cannot be read"
[[ -f $kroot/lib/modules/$kver/modules.dep ]] || die "kernel $kver has no modules in $kroot/lib/modules"
[[ $accel != kvm || -w /dev/kvm ]] || die "--kvm: /dev/kvm is missing or not writable"
[[ $systemd = 0 || -x /lib/systemd/systemd ]] || die "--systemd: systemd is missing: run scripts/deps.sh"
for tool in qemu-system-x86_64 cpio modprobe busybox; do
	command -v "$tool" > /dev/null || die "$tool is missing: run scripts/deps.sh"
done

cache=$top/build/vm
mkdir -p "$cache"
run=$(mktemp -d "$cache/run-XXXXXX")
[[ -n $out ]] || { out=$cache/out-$$; out_default=1; }
mkdir -p "$out"
out=$(cd "$out" && pwd -P)
: > "$run/console"
vm_pid='' cat_pid=''

# shellcheck disable=SC2317  # called by the trap
cleanup() {
	local status=$?
	trap '' INT TERM HUP
	if [[ -n $vm_pid ]] && kill -TERM "$vm_pid" 2> /dev/null; then
		wait "$vm_pid" || true
	fi
	[[ -z ${hold:-} ]] || exec {hold}>&-
	[[ -z $cat_pid ]] || wait "$cat_pid" || true
	[[ $tty = 0 || -z ${stty_saved:-} ]] || stty "$stty_saved" || true
	[[ -z $log ]] || cp "$run/console" "$log" || true
	rm -rf "$run"
	[[ -z ${out_default:-} ]] || rmdir "$out" 2> /dev/null || true
	exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# -- the initramfs, cached for each kernel -----------------------------------------------------------------------------

unpack_module() {
	case $1 in
	*.xz) xz -dc "$1" ;;
	*.zst) zstd -qdc "$1" ;;
	*.gz) gzip -dc "$1" ;;
	*) cat "$1" ;;
	esac
}

build_initramfs() {
	local root=$run/root module file applet
	mkdir -p "$root/bin" "$root/modules"
	cp "$(command -v busybox)" "$root/bin/busybox"
	for applet in sh mount umount mkdir insmod switch_root grep poweroff; do
		ln -s busybox "$root/bin/$applet"
	done
	: > "$root/modules/order"
	for module in virtio_pci virtio_console virtio_net 9p 9pnet_virtio overlay; do
		modprobe --show-depends -d "${kroot:-/}" -S "$kver" "$module" || die "kernel $kver has no module $module"
	done | while read -r verb file _; do
		[[ $verb = insmod ]] || continue
		module=$(basename "$file")
		module=${module%.ko*}.ko
		[[ ! -e $root/modules/$module ]] || continue
		unpack_module "$file" > "$root/modules/$module"
		echo "$module" >> "$root/modules/order"
	done
	cp "$top/scripts/vm-init" "$root/init"
	chmod 755 "$root/init"
	(cd "$root" && find . | cpio -o -H newc --quiet) > "$run/initramfs"
	rm -rf "$root"
	mv "$run/initramfs" "$initramfs"
}

initramfs=$cache/initramfs-$kver
for source in "$top/scripts/vm-init" "$top/scripts/vm.sh" "$kroot/lib/modules/$kver/modules.dep"; do
	[[ -e $initramfs && $initramfs -nt $source ]] || { build_initramfs; break; }
done

# -- the kernel, unpacked once: under emulation its own unpacking is a third of its start ---------------------------------

# Where Linux's boot protocol says that it is. The 18th note of Xen's is where QEMU would start it (PVH).
unpack_kernel() {
	local sectors offset length
	sectors=$(od -An -tu1 -j497 -N1 "$image")
	read -r offset length < <(od -An -tu4 -j584 -N8 "$image")
	head -c "$length" < <(tail -c +$(((sectors + 1) * 512 + offset + 1)) "$image") > "$run/packed" || return
	# Behind it stands its length.
	xz -dc --single-stream "$run/packed" > "$run/vmlinux" 2> /dev/null || return
	readelf -n "$run/vmlinux" 2> /dev/null | grep -E '^ *Xen .*\(0x0*12\)' > /dev/null || return
	mv "$run/vmlinux" "$unpacked"
}

unpacked=$cache/vmlinux-$kver
# Debian's are packed by xz; any other is started as it is.
if [[ $image = */vmlinuz-* ]]; then
	if [[ $unpacked -nt $image && $unpacked -nt $top/scripts/vm.sh ]] || unpack_kernel; then
		image=$unpacked
	fi
fi

# -- the command -------------------------------------------------------------------------------------------------------

cp "$top/scripts/vm-init" "$run/init"
printf '%s\n' "$top" "$PWD" "$out" "$kroot" "$vpc_ko" > "$run/tree"
machine_command "$tty" "$@" > "$run/cmd"

kernel_args="console=ttyS0 quiet loglevel=5 panic=-1 oops=panic mitigations=off nokaslr net.ifnames=0"
kernel_args+=" rcupdate.rcu_cpu_stall_timeout=60 random.trust_cpu=on audit=0"
# A program's code at the same addresses each time is found translated by QEMU, which halves what starting one costs; and
# pages that nobody zeroes show what is used before it is set.
kernel_args+=" norandmaps init_on_alloc=0"
# At boot the kernel counts the timer's ticks for some 40 ms; on a busy machine QEMU gets to none of them, and it panics.
kernel_args+=" no_timer_check"
# ACPI routes interrupts by a program that the kernel interprets, once for each device: for a second, and with KASAN for
# half a minute. Its ciphers nobody here uses, so that it need not try them.
kernel_args+=" pci=noacpi cryptomgr.notests"
# What systemd would find to do on this machine: its file systems, its services at first boot.
[[ $systemd = 0 ]] || kernel_args+=" vm_systemd fstab=no systemd.gpt_auto=0 systemd.show_status=no systemd.log_target=journal"
# QEMU's option parser wants commas doubled.
comma() { printf '%s' "${1//,/,,}"; }
# shellcheck disable=SC2054  # QEMU's options contain commas
qemu=(qemu-system-x86_64 -nodefaults -no-user-config -no-reboot -display none -vga none -monitor none
	-machine pc -accel "$accel" -cpu "$cpu" -smp "$smp" -m "$mem"
	-kernel "$image" -initrd "$initramfs"
	-serial "file:$(comma "$run/console")"
	-fsdev local,id=root,path=/,security_model=none,readonly=on,multidevs=remap
	-device virtio-9p-pci,fsdev=root,mount_tag=root
	-fsdev "local,id=vm,path=$(comma "$run"),security_model=none"
	-device virtio-9p-pci,fsdev=vm,mount_tag=vm
	-fsdev "local,id=vmout,path=$(comma "$out"),security_model=none"
	-device virtio-9p-pci,fsdev=vmout,mount_tag=vmout
	-nic user,model=virtio-net-pci
	-object rng-random,id=rng,filename=/dev/urandom -device virtio-rng-pci,rng=rng
	-device virtio-serial-pci)

status=0
# shellcheck disable=SC2054
if [[ $tty = 1 ]]; then
	stty_saved=$(stty -g) || die "--tty wants a terminal"
	qemu+=(-chardev stdio,id=io,signal=off -device virtconsole,chardev=io -append "$kernel_args vm_tty")
	${limit:+timeout --foreground -k 5 "$limit"} "${qemu[@]}" || status=$?
else
	# Through a pipe: QEMU makes what it writes to non-blocking, which our caller's standard output must not become.
	mkfifo "$run/pipe"
	qemu+=(-chardev "file,id=io,path=$(comma "$run/pipe")" -device virtserialport,chardev=io -append "$kernel_args")
	exec {hold}<> "$run/pipe"
	cat < "$run/pipe" {hold}>&- &
	cat_pid=$!
	timeout --foreground -k 5 "${limit:-300}" "${qemu[@]}" < /dev/null > "$run/qemu-errors" 2>&1 {hold}>&- &
	vm_pid=$!
	wait "$vm_pid" || status=$?
	vm_pid=''
	exec {hold}>&-
	wait "$cat_pid" || true
	cat_pid=''
	cat "$run/qemu-errors" >&2
fi

# -- the verdict -------------------------------------------------------------------------------------------------------

show_log() { echo "vm.sh: $1; the console's last lines:" >&2; tail -n "$2" "$run/console" >&2; }

if [[ $strict = 1 ]] && machine_complaint "$run/console" > "$run/complaint"; then
	echo "vm.sh: the kernel complained; its console from there:" >&2
	head -n 120 "$run/complaint" >&2
	exit 99
fi
if [[ $status = 124 || $status = 137 ]]; then
	show_log "killed after ${limit:-300} seconds" 40
	exit 124
fi
if [[ ! -s $run/status ]]; then
	show_log "the machine ended before the command did (QEMU's status $status)" 60
	exit 99
fi
exit "$(< "$run/status")"
