#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Checks form: clang-format, columns, SPDX lines, lengths of files and functions, trailing blanks, shellcheck, and sparse over the
# module. Prints what is wrong and ends with "N passed, N failed", one a check. "make style" and check.sh call it.
#
#   scripts/style.sh [KVER=kernel] [FILE...]      all files of the tree by default; FILEs leave sparse out

set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
cd "$top"

max_file=800 max_function=100 max_columns=120
kver=''
if [[ ${1:-} = KVER=* ]]; then
	kver=${1#KVER=}
	shift
fi

if [[ $# -gt 0 ]]; then
	files=("$@")
elif [[ -e .git ]]; then
	mapfile -t files < <(git -c safe.directory="$top" ls-files -co --exclude-standard | sort)
else
	mapfile -t files < <(find . -path ./build -prune -o -type f -printf '%P\n' | sort)
fi
existing=() c_files=() shell_files=() text_files=()
for file in "${files[@]}"; do
	[[ -f $file ]] || continue
	existing+=("$file")
	case $file in
	*.c | *.h) c_files+=("$file") ;;
	*.sh | *.bash | *.bats | .ci/run | scripts/vm-init | scripts/uml/init) shell_files+=("$file") ;;
	esac
	case $file in
	LICENSES/* | VERSION | tests/data/* | tests/fuzz/corpus/* | *.gz) ;;
	*) text_files+=("$file") ;;
	esac
done

# Where to break a line and how to align what follows a blank is the author's choice, which clang-format cannot leave
# alone: both sides are compared with every run of blanks and line ends as one blank. One process a program, not one a file.
check_format() {
	local copies
	[[ ${#c_files[@]} != 0 ]] || return 0
	copies=$(mktemp -d)
	cp --parents "${c_files[@]}" "$copies" && (cd "$copies" && clang-format --style=file:"$top/.clang-format" -i "${c_files[@]/#\///}") 2>&1
	# shellcheck disable=SC2016  # perl's variables
	perl -0777 -e 'sub normal {
			open(my $in, "<", $_[0]) or die "$_[0]: $!";
			local $_ = <$in> // "";
			s/[ \t]*\\\n/\n/g; s/([({])\s*\n\s*/$1/g; s/([({]) /$1/g; s/\s*\n\s*([)}])/$1/g; s/ ([)}])/$1/g;
			s/\s+/ /g; s/\} (\*+) /} $1/g; s/ (?=[;,{}])/ /g; s/ /\n/g;
			return $_;
		}
		sub put { open(my $out, ">", $_[0]) or die "$_[0]: $!"; print $out $_[1]; close $out or die "$_[0]: $!"; }
		my $dir = shift;
		foreach my $file (@ARGV) {
			my ($ours, $theirs) = (normal($file), normal("$dir/$file"));
			next if $ours eq $theirs;
			put("$dir/ours", $ours);
			put("$dir/theirs", $theirs);
			my $differ = grep { /^[<>]/ } split /\n/, `diff $dir/ours $dir/theirs`;
			print "$file: differs from clang-format in $differ places\n";
		}' "$copies" "${c_files[@]}" 2>&1
	rm -rf "$copies"
}

check_columns() {
	[[ ${#c_files[@]} != 0 ]] || return 0
	awk -v max=$max_columns '{
			columns = 0
			n = split($0, piece, "\t")
			for (i = 1; i < n; i++) { columns += length(piece[i]); columns += 8 - columns % 8 }
			columns += length(piece[n])
			if (columns > max) print FILENAME ":" FNR ": " columns " columns, " max " are the limit"
		}' "${c_files[@]}"
	grep -nE '^( {8}|	* +	)' "${c_files[@]}" /dev/null |
		sed -E 's/^([^:]*:[0-9]*):.*/\1: indented by blanks, not by tabs/'
}

check_spdx() {
	[[ ${#text_files[@]} = 0 ]] || grep -L 'SPDX-License-Identifier: ' "${text_files[@]}" | sed 's/$/: no SPDX line/'
}

check_file_length() {
	[[ ${#c_files[@]}${#shell_files[@]} = 00 ]] || awk -v max=$max_file 'FNR > max { lines[FILENAME] = FNR }
		END { for (file in lines) print file ": " lines[file] " lines, " max " are the limit" }' "${c_files[@]}" "${shell_files[@]}"
}

# Kernel style: a function's braces stand alone in column 0.
check_function_length() {
	[[ ${#c_files[@]} = 0 ]] || awk -v max=$max_function '
		/^\{/ { start = FNR; name = last; next }
		/^\}/ && start { if (FNR - start - 1 > max) print FILENAME ":" start ": " FNR - start - 1 " lines, " max " are the limit: " name; start = 0 }
		/^[^ \t#\/*]/ { last = $0 }' "${c_files[@]}"
}

check_blanks() {
	[[ ${#existing[@]} = 0 ]] || grep -nIE '[[:blank:]]+$' "${text_files[@]}" /dev/null |
		sed -E 's/^([^:]*:[0-9]*):.*/\1: trailing blanks/'
}

check_shell() {
	local file
	for file in "${shell_files[@]}"; do
		# bats files are bash after a preprocessor.
		[[ $file = *.bats ]] || bash -n "$file" 2>&1
	done
	[[ ${#shell_files[@]} = 0 ]] || shellcheck --format=gcc "${shell_files[@]}"
}

check_sparse() {
	local log=$top/build/sparse.log
	mkdir -p build
	make --no-print-directory sparse ${kver:+KVER="$kver"} > "$log" 2>&1 || { tail -n 20 "$log"; return; }
	grep -E '(kmod|proto)/.*(warning|error):' "$log" | sed "s|.*/\(kmod/[0-9][^/]*/\)||"
}

passed=0 failed=0
run() {
	local output
	output=$("check_$1" || true)
	if [[ -z $output ]]; then
		passed=$((passed + 1))
		printf '  %-16s ok\n' "$1"
	else
		failed=$((failed + 1))
		printf '  %-16s FAILED\n' "$1"
		head -n 60 <<< "$output" | sed 's/^/    /'
	fi
}

for check in format columns spdx file_length function_length blanks shell; do run $check; done
[[ $# -gt 0 ]] || run sparse
echo "$passed passed, $failed failed"
((failed == 0))
