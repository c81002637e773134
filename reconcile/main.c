// SPDX-License-Identifier: Apache-2.0
/*
 * vpc_reconcile: compares this host's kernel tables with CDB, past ZooKeeper and the agent, and reports what differs.
 * Exit: 0 consistent (or only a little behind), 1 drift, 2 could not compare, 3 behind for too long.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../lib/util.h"
#include "fleet.h"
#include "once.h"
#include "options.h"
#include "watch.h"

static int watch(struct round *round)
{
	int ret = watch_run(round);

	if (!ret)
		return EXIT_SUCCESS;
	fprintf(stderr, "vpc_reconcile: the watch ends: %s\n", strerror(-ret));
	return EXIT_COULD_NOT_COMPARE;
}

int main(int argc, char **argv)
{
	struct round round = { 0 };
	struct vpc_config config;
	struct vpc_err err = { "" };
	struct options o;
	int ret, status;

	if (argc > 1 && !strcmp(argv[1], "fleet"))
		return fleet_main(argc - 1, argv + 1);
	ret = options_parse(argc, argv, &o);
	if (ret)
		return ret < 0 ? EXIT_COULD_NOT_COMPARE : EXIT_SUCCESS;
	ret = vpc_config_load(o.config, &config, &err);
	if (ret) {
		fprintf(stderr, "vpc_reconcile: %s\n", err.text);
		return EXIT_COULD_NOT_COMPARE;
	}
	round.options = &o;
	round.config = &config;
	round.host = o.host ? o.host : config.host;
	round.legs = legs_new(&config, round.host);
	status = !round.legs ? EXIT_COULD_NOT_COMPARE : o.watch_s ? watch(&round) : once_run(&round);
	round_close(&round);
	pace_clear(&round.pace);
	legs_free(round.legs);
	vpc_config_clear(&config);
	return status;
}
