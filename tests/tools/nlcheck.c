// SPDX-License-Identifier: Apache-2.0
/*
 * Checks the family "vpc" of the running kernel from outside: that it refuses what doc/netlink.md says it refuses and
 * stays as it was, and that transactions, dumps and events are what that file promises. Run as root, in a network
 * namespace made for it, by tests/e2e/vm_refusals.sh, which also makes the devices that cases speak of; "million" by
 * uml_million.sh.
 *
 *   nlcheck refusals | txn | semantics | sockets | memory | snapshot | million | oracle [SEED]
 *
 * Prints one line for each case that failed and a count. Exit status: 0 all hold, 1 some do not, 2 wrong call.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nlcheck/nlcheck.h"

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} parts[] = {
		{ "refusals", nlcheck_refusals }, { "txn", nlcheck_txn },	{ "semantics", nlcheck_semantics },
		{ "sockets", nlcheck_sockets },	  { "memory", nlcheck_memory }, { "snapshot", nlcheck_snapshot },
		{ "million", nlcheck_million },	  { "oracle", nlcheck_oracle },
	};

	if (argc > 2)
		nlcheck_seed = strtoul(argv[2], NULL, 0);
	for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(parts); i++) {
		if (strcmp(argv[1], parts[i].name))
			continue;
		nlcheck_begin();
		parts[i].run();
		return nlcheck_end();
	}
	fprintf(stderr, "usage: nlcheck refusals|txn|semantics|sockets|memory|snapshot|million|oracle [SEED]\n");
	return 2;
}
