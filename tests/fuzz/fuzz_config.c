// SPDX-License-Identifier: Apache-2.0
/*
 * A configuration file (lib/config.h).
 */
#include "../../lib/config.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *path = fuzz_file(data, len);
	struct vpc_config config;
	struct vpc_err err = { "" };
	int res;

	fuzz_fill(&config, sizeof(config));
	res = vpc_config_load(path, &config, &err);
	fuzz_check(res <= 0 && (!res || !strncmp(err.text, path, strlen(path))));
	if (res) {
		fuzz_check(fuzz_untouched(&config, sizeof(config)));
		return 0;
	}
	fuzz_check(config.zk_hosts && *config.zk_hosts && config.cdb_host && *config.cdb_host && config.host);
	fuzz_check(config.cdb_port && config.cdb_port <= 65535 && config.metrics_port <= 65535);
	fuzz_check(config.zk_session_ms && config.poll_ms && config.sweep_per_s);
	fuzz_check(config.state_dir[0] == '/' && config.run_dir[0] == '/');
	vpc_config_clear(&config);
	return 0;
}
