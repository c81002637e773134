#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Puts what the parts of "make bench" have measured into one file, and prints it next to what must be reached. Called by run.sh.
#
#   results.sh FOLDER PART...       FOLDER has PART.json of each (fragment.sh); results.json comes there
#
# "from" and "to" are the least and the most of the rounds, of the ratio where there is a peer; "+-" is the way between them as
# a part of the figure.
#
# Environment: VPC_BENCH_GOALS, which figures a part has to have (default: goals.txt beside this script).
#
# Exit status: 1 when a part has no result or not all of its figures, each by name; what there is is shown all the same.

set -euo pipefail
die() { echo "results.sh: $*" >&2; exit 1; }
folder=$1 goals=${VPC_BENCH_GOALS:-$(dirname "$0")/goals.txt}
shift

# Figures of a part without a number in its file.
wanting() {
	local name
	while read -r name; do
		jq -e --arg name "$name" 'any(.[]; .name == $name and (.ours | type) == "number")' "$folder/$1.json" > /dev/null 2>&1 ||
			printf ' %s' "$name"
	done < <(awk -v part="$1" '!/^#/ && $2 == part { print $1 }' "$goals")
}

files=() missing=() wants=''
for part in "$@"; do
	if ! jq -es 'length == 1 and (.[0] | type == "array" and length > 0)' "$folder/$part.json" > /dev/null 2>&1; then
		missing+=("$part")
		continue
	fi
	files+=("$folder/$part.json")
	lacks=$(wanting "$part")
	[[ -z $lacks ]] || { missing+=("$part"); wants+=$lacks; }
done
# What an earlier run has put together is no result of this one.
rm -f "$folder/results.json"
[[ ${#files[@]} -gt 0 ]] || die "no part has a result"
jq -s 'add' "${files[@]}" > "$folder/results.json"
jq -r 'def short: if . == null then "" elif . >= 1000 then round else . * 1000 | round / 1000 end;
	.[] | (.ratio // .ours) as $got | (if .ratio then .ratio_min else .ours_min end) as $from |
	(if .ratio then .ratio_max else .ours_max end) as $to |
	[ .name, (.ours | short), .unit, (.peer | short), (.peer_name // ""), (.ratio | short), (.rounds // ""),
	  ($from | short), ($to | short), (if .spread then "\(.spread * 100 | round)%" else "" end),
	  (if .op == "ge" then ">=" else "<=" end), .goal,
	  (if (.op == "ge" and $got >= .goal) or (.op == "le" and $got <= .goal) then "reached" else "MISSED" end) ] | @tsv' \
	"$folder/results.json" | column -t -s $'\t' -N "name,ours,unit,peer,peer is,ratio,rounds,from,to,+-,must,be, "
# gate.sh refuses figures of several commits.
for part in "$@"; do cat "$folder/$part.commit" 2> /dev/null || echo "unknown ($part)"; done | sort -u > "$folder/results.commits"
[[ $(wc -l < "$folder/results.commits") = 1 ]] || echo "results.sh: these are of several commits: $(paste -sd ' ' "$folder/results.commits")" >&2
[[ -z $wants ]] || echo "results.sh: no figure of$wants" >&2
[[ ${#missing[@]} = 0 ]] || die "results.json is not whole, there is no result of ${missing[*]}: make bench PARTS=\"${missing[*]}\""
