#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Puts what the parts of "make bench" have measured into one file, and prints it next to what must be reached. Called by run.sh.
#
#   results.sh FOLDER PART...       FOLDER has PART.json of each; results.json comes there
#
# Exit status: 1 when a part has no result; what the others have is shown all the same.

set -euo pipefail
die() { echo "results.sh: $*" >&2; exit 1; }
folder=$1
shift

files=() missing=()
for part in "$@"; do
	if jq -e 'length > 0' "$folder/$part.json" > /dev/null 2>&1; then files+=("$folder/$part.json"); else missing+=("$part"); fi
done
[[ ${#files[@]} -gt 0 ]] || die "no part has a result"
jq -s 'add' "${files[@]}" > "$folder/results.json"
jq -r '.[] | (.ratio // .ours) as $got |
	[ .name, (.ours * 1000 | round / 1000), .unit, (if .peer then (.peer * 1000 | round / 1000) else "" end), (.peer_name // ""),
	  (if .ratio then (.ratio * 100 | round / 100) else "" end), (if .op == "ge" then ">=" else "<=" end), .goal,
	  (if (.op == "ge" and $got >= .goal) or (.op == "le" and $got <= .goal) then "reached" else "MISSED" end) ] | @tsv' \
	"$folder/results.json" | column -t -s $'\t' -N "name,ours,unit,peer,peer is,ratio,must,be, "
# gate.sh refuses figures of several commits.
for part in "$@"; do cat "$folder/$part.commit" 2> /dev/null || echo "unknown ($part)"; done | sort -u > "$folder/results.commits"
[[ $(wc -l < "$folder/results.commits") = 1 ]] || echo "results.sh: these are of several commits: $(paste -sd ' ' "$folder/results.commits")" >&2
[[ ${#missing[@]} = 0 ]] || die "results.json is not whole, there is no result of ${missing[*]}: make bench PARTS=\"${missing[*]}\""
