#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# "make bench-gate": whether a benchmark has become slower beside its peer, which ran in the same run on the same machine, than
# in the figures that are kept in the tree. Figures without a peer depend on the machine and are not compared.
#
#   gate.sh [RESULTS [REFERENCE]]          build/bench/results.json with tests/bench/reference.json
#   gate.sh --keep NOTE [RESULTS [REFERENCE]]      makes RESULTS the reference; NOTE says which machine it was
#
# A ratio has fallen when it (the median of its rounds) is more than 10% below the kept one, and below all of the kept one's
# rounds: what rounds of one run differ by is no change. So that this is no way to a loose gate, --keep takes no figure whose
# lowest round is more than 20% below its median (VPC_BENCH_SPREAD): then the machine was not idle, or the benchmark is no measure.
# A reference of before, with a number for each ratio, is read as one without spread.
#
# Exit status: 0, 1 a ratio has fallen or is not there any more (each is named), 2 nothing to compare, or to keep. A ratio that
# is in the results and not kept is named, too, and is to be kept.

set -euo pipefail
# shellcheck source=../../scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"
nothing() { echo "gate.sh: $*" >&2; exit 2; }

keep=0 note='' spread=${VPC_BENCH_SPREAD:-20}
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
	wide=$(jq -r --argjson spread "$spread" 'def short: . * 1000 | round / 1000;
		[.[] | select(.ratio and (.ratio_min == null or .ratio_min < .ratio * (1 - $spread / 100))) |
			"\(.name) (\(.ratio | short), a round \((.ratio_min // 0) | short))"] | join(", ")' "$results")
	[[ -z $wide ]] || nothing "rounds are more than $spread% below their median: $wide: measure again, on an idle machine"
	jq --arg note "$note" 'def short: . * 1000 | round / 1000;
		{ license: "SPDX-License-Identifier: Apache-2.0", $note,
		  ratios: ([.[] | select(.ratio) | { (.name): { ratio: (.ratio | short), min: (.ratio_min | short),
			max: (.ratio_max | short), rounds } }] | add) }' "$results" > "$reference.new"
	mv "$reference.new" "$reference"
	exit
fi
jq -e '.ratios | length > 0' "$reference" > /dev/null 2>&1 ||
	nothing "$reference has no figures: gate.sh --keep NOTE, after a make bench that is good"
jq -r '"reference: \(.note)"' "$reference"
# A ratio is ours to the peer's, so that more is better, whatever the unit.
jq -rn --slurpfile reference "$reference" --slurpfile results "$results" '
	def short: if . == null then "-" else . * 1000 | round / 1000 end;
	([$results[0][] | select(.ratio) | { (.name): . }] | add) as $now |
	($reference[0].ratios | map_values(if type == "number" then { ratio: ., min: . } else . end)) as $kept |
	([$kept, $now] | map(keys_unsorted) | add | reduce .[] as $k ([]; if index([$k]) then . else . + [$k] end))[] |
	. as $name | $kept[$name] as $was | $now[$name] as $is | (if $was then [$was.ratio * 0.9, $was.min] | min else null end) as $limit |
	[ $name, ($was.ratio | short), ($was.min | short), ($limit | short), ($is.ratio | short), ($is.ratio_min | short),
	  ($is.ratio_max | short),
	  (if $is == null then "NOT THERE" elif $was == null then "NOT KEPT" elif $is.ratio < $limit then "FALLEN" else "ok" end) ] | @tsv' |
	column -t -s $'\t' -N "name,kept,lowest,limit,now,from,to, " -o '  ' |
	awk '{ print } /(NOT THERE|FALLEN) *$/ { bad = 1 } END { exit bad }'
