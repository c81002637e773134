#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A million routes dumped while another process commits all the time: each dump is one epoch's exact content. No hosts, no
# packets; it takes a machine that runs at its own speed, so User Mode Linux:
#
#     scripts/uml.sh --mem 2048 -- tests/e2e/uml_million.sh
#
. "$(dirname "$0")/lib.sh"

lab_module_load

begin "dumps of a million routes beside a writer"
ip netns add million
ip netns exec million nlcheck million
