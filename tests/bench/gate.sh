#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# "make bench-gate": whether a benchmark has become slower beside its peer, which ran in the same run on the same machine, than
# in the figures that are kept in the tree. Figures without a peer depend on the machine and are not compared.
#
#   gate.sh [RESULTS [REFERENCE]]          build/bench/results.json with tests/bench/reference.json
#   gate.sh --keep NOTE [RESULTS [REFERENCE]]      makes RESULTS the reference; NOTE says which machine it was
#
# Exit status: 0, 1 a ratio has fallen by more than 10% or is not there any more (each is named), 2 nothing to compare.

set -euo pipefail
# shellcheck source=../../scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"
nothing() { echo "gate.sh: $*" >&2; exit 2; }

keep=0 note=''
if [[ ${1:-} = --keep ]]; then
	[[ $# -ge 2 && -n $2 ]] || nothing "--keep wants a word about the machine"
	keep=1 note=$2
	shift 2
fi
[[ $# -le 2 ]] || nothing "one file of results, and one of reference"
results=${1:-$top/build/bench/results.json} reference=${2:-$top/tests/bench/reference.json}
jq -e 'any(.[]; .ratio)' "$results" > /dev/null 2>&1 || nothing "$results has no results: make bench"
commits=${results%.json}.commits
[[ ! -e $commits || $(wc -l < "$commits") = 1 ]] ||
	nothing "$results is of several commits ($(paste -sd ' ' "$commits")): make bench"
if [[ $keep = 1 ]]; then
	jq --arg note "$note" '{ license: "SPDX-License-Identifier: Apache-2.0", $note, ratios: ([.[] | select(.ratio) | { (.name): (.ratio * 1000 | round / 1000) }] | add) }' \
		"$results" > "$reference.new"
	mv "$reference.new" "$reference"
	exit
fi
jq -e '.ratios | length > 0' "$reference" > /dev/null 2>&1 ||
	nothing "$reference has no figures: gate.sh --keep NOTE, after a make bench that is good"
jq -r '"reference: \(.note)"' "$reference"
# A ratio is ours to the peer's, so that more is better, whatever the unit.
jq -rn --slurpfile reference "$reference" --slurpfile results "$results" '
	([$results[0][] | { (.name): .ratio }] | add) as $now |
	$reference[0].ratios | to_entries[] | $now[.key] as $is |
	[ .key, .value, ($is // "-"),
	  (if $is == null then "NOT THERE" elif $is < .value * 0.9 then "FALLEN" else "ok" end) ] | @tsv' |
	column -t -s $'\t' -N "name,kept,now, " -o '  ' | awk '{ print } /(NOT THERE|FALLEN) *$/ { bad = 1 } END { exit bad }'
