#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Where scripts/uml/kernel.sh and scripts/kernel.sh keep kernels, what of it they take for whole, and what --prune removes.
# Nothing is compiled: what stands for kernels is empty files, made by hand or by a "make" that makes nothing else.

# shellcheck disable=SC2164,SC2154

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	mkdir -p "${VPC_BATS_DIR:=$PWD/build/bats}"
	DIR=$(mktemp -d "$VPC_BATS_DIR/kernels-XXXXXX")
	unset VPC_KERNEL_CACHE XDG_CACHE_HOME
}

teardown() {
	[[ -z ${LOCKED:-} ]] || exec {LOCKED}>&-
	rm -rf "$DIR"
}

cache() { bash -c '. scripts/lib.sh; kernel_cache'; }

needs_source() {
	dpkg-query -W linux-source-6.1 > /dev/null 2>&1 || skip "linux-source-6.1 is not installed: scripts/deps.sh uml"
	export VPC_KERNEL_CACHE=$DIR/cache
	WHERE=$(scripts/uml/kernel.sh normal --where)
	VERSION=$(dpkg-query -W -f '${Version}' linux-source-6.1)
}

# What a build leaves, but for what is in it.
fake_kernel() {
	mkdir -p "$1/obj" "$VPC_KERNEL_CACHE/source-$VERSION"
	echo "include $VPC_KERNEL_CACHE/source-$VERSION/Makefile" > "$1/obj/Makefile"
	ln -sfn "$VPC_KERNEL_CACHE/source-$VERSION" "$1/obj/source"
	: > "$VPC_KERNEL_CACHE/source-$VERSION/Makefile"
	: > "$1/linux"
	scripts/uml/kernel.sh normal --hash > "$1/key"
}

@test "the cache is outside the tree, whatever the environment names" {
	[[ $(HOME=$DIR/home cache) = "$DIR/home/.cache/vpc/kernels" ]]
	[[ $(HOME=$DIR/home XDG_CACHE_HOME=$DIR/xdg cache) = "$DIR/xdg/vpc/kernels" ]]
	[[ $(HOME=$DIR/home XDG_CACHE_HOME=relative cache) = "$DIR/home/.cache/vpc/kernels" ]]
	[[ $(VPC_KERNEL_CACHE=$DIR/own XDG_CACHE_HOME=$DIR/xdg cache) = "$DIR/own" ]]
	# No home, or none that can be written to.
	[[ $(HOME=/proc/nowhere cache) = "$PWD/build/kernels" ]]
	unset HOME
	[[ $(cache) = "$(getent passwd "$(id -u)" | cut -d: -f6)/.cache/vpc/kernels" || $(cache) = "$PWD/build/kernels" ]]
}

@test "a path that no kernel can be built in is refused" {
	VPC_KERNEL_CACHE="$DIR/two words" run -1 scripts/uml/kernel.sh normal --where
	[[ $output = *"without spaces"* ]]
	run -1 scripts/uml/kernel.sh abnormal
	run -1 scripts/uml/kernel.sh --prune soon
}

@test "kernels of other configurations are beside each other" {
	needs_source
	[[ $WHERE = "$DIR"/cache/normal-* && $(scripts/uml/kernel.sh debug --where) = "$DIR"/cache/debug-* ]]
	cp -r scripts "$DIR/scripts"
	[[ $("$DIR/scripts/uml/kernel.sh" normal --where) = "$WHERE" ]]
	echo '# other' >> "$DIR/scripts/uml/normal.config"
	OTHER=$("$DIR/scripts/uml/kernel.sh" normal --where)
	[[ $OTHER = "$DIR"/cache/normal-* && $OTHER != "$WHERE" ]]
}

@test "only a folder that is whole is used, and moves with its cache" {
	needs_source
	run -1 scripts/uml/kernel.sh normal --current
	fake_kernel "$WHERE"
	[[ $(scripts/uml/kernel.sh normal --current) = "$WHERE" && $(scripts/uml/kernel.sh normal) = "$WHERE" ]]
	mv "$WHERE/key" "$DIR/key"
	run -1 scripts/uml/kernel.sh normal --current
	echo other > "$WHERE/key"
	run -1 scripts/uml/kernel.sh normal --current
	mv "$DIR/key" "$WHERE/key"
	mv "$VPC_KERNEL_CACHE/source-$VERSION" "$DIR/source"
	run -1 scripts/uml/kernel.sh normal --current
	mv "$DIR/source" "$VPC_KERNEL_CACHE/source-$VERSION"
	mv "$DIR/cache" "$DIR/moved"
	VPC_KERNEL_CACHE=$DIR/moved scripts/uml/kernel.sh normal
	[[ $(< "$DIR/moved/${WHERE##*/}/obj/Makefile") = "include $DIR/moved/source-$VERSION/Makefile" ]]
	[[ $(readlink "$DIR/moved/${WHERE##*/}/obj/source") = "$DIR/moved/source-$VERSION" ]]
}

# In PATH before the real one: it writes what a kernel's build does, and a line for each build; fails while $DIR/fail exists.
fake_make() {
	mkdir -p "$DIR/bin" "$VPC_KERNEL_CACHE/source-$VERSION"
	: > "$VPC_KERNEL_CACHE/source-$VERSION/Makefile"
	cat > "$DIR/bin/make" <<-'END'
	#!/bin/bash
	for arg; do
		case $arg in
		O=*) obj=${arg#O=} ;;
		KCONFIG_ALLCONFIG=*) wanted=${arg#*=} ;;
		INSTALL_MOD_PATH=*) modules=${arg#*=} ;;
		esac
	done
	case ${!#} in
	allnoconfig)
		cp "$wanted" "$obj/.config"
		ln -sfn "$PWD" "$obj/source" ;;
	all)
		echo built >> "$FAKE/builds"
		[[ ! -e $obj/half ]] || exit 3
		: > "$obj/half"
		[[ ! -e $FAKE/fail ]] || exit 1
		# Long enough for another one to come.
		while [[ -e $FAKE/hold ]]; do read -rt 0.1 <> <(:) || true; done
		: > "$obj/linux" ;;
	modules_install) mkdir -p "$modules/lib/modules" ;;
	esac
	END
	chmod 755 "$DIR/bin/make"
	export FAKE=$DIR PATH=$DIR/bin:$PATH
}

@test "a build that failed is begun anew, two at once are one" {
	needs_source
	for tool in flex bison bc depmod xz; do
		command -v "$tool" > /dev/null || PATH=$PATH:/sbin:/usr/sbin command -v "$tool" > /dev/null ||
			skip "$tool is missing: scripts/deps.sh uml"
	done
	fake_make
	: > "$DIR/fail"
	run -1 scripts/uml/kernel.sh normal
	[[ $output = *"does not build"* ]]
	run -1 scripts/uml/kernel.sh normal --current
	rm "$DIR/fail"
	: > "$DIR/hold"
	scripts/uml/kernel.sh normal > "$DIR/first" 2> "$DIR/first.err" 3>&- &
	first=$!
	until [[ $(wc -l < "$DIR/builds") = 2 ]]; do kill -0 "$first"; sleep 0.05; done
	scripts/uml/kernel.sh normal > "$DIR/second" 2> "$DIR/second.err" 3>&- &
	second=$!
	until grep -q waiting "$DIR/second.err"; do kill -0 "$second"; sleep 0.05; done
	run -1 scripts/uml/kernel.sh normal --current
	rm "$DIR/hold"
	wait "$first"
	wait "$second"
	[[ $(< "$DIR/first") = "$WHERE" && $(< "$DIR/second") = "$WHERE" && $(wc -l < "$DIR/builds") = 2 ]]
	[[ $(scripts/uml/kernel.sh normal --current) = "$WHERE" && -d $WHERE/modules/lib/modules ]]
}

@test "pruning removes what was not used for long, what is broken, and source that nothing is from" {
	needs_source
	fake_kernel "$WHERE"
	fake_kernel "$VPC_KERNEL_CACHE/debug-0123456789abcdef"
	fake_kernel "$VPC_KERNEL_CACHE/cover-0123456789abcdef"
	mkdir -p "$VPC_KERNEL_CACHE"/{normal-fedcba9876543210/obj,source-6.1.1-1,debian/6.12/boot}
	touch -d '40 days ago' "$VPC_KERNEL_CACHE"/*-0123456789abcdef/key
	# As uml.sh does for as long as its machine runs.
	exec {LOCKED}< "$VPC_KERNEL_CACHE/cover-0123456789abcdef/key"
	flock -s "$LOCKED"
	scripts/uml/kernel.sh --prune
	[[ $(cd "$VPC_KERNEL_CACHE" && echo *) = "cover-0123456789abcdef debian lock ${WHERE##*/} source-$VERSION" ]]
	touch -d '2 minutes ago' "$WHERE/key"
	exec {LOCKED}>&-
	scripts/uml/kernel.sh --prune 0
	[[ $(cd "$VPC_KERNEL_CACHE" && echo *) = "debian lock" ]]
}
