// SPDX-License-Identifier: Apache-2.0
/*
 * Reading the configuration again; see reload.h. Called by agent/agent.c at SIGHUP.
 */
#include "reload.h"

#include <stdio.h>
#include <string.h>
#include "../lib/log.h"
#include "../lib/util.h"
#include "status.h"

static void name_key(char *list, size_t size, const char *key)
{
	size_t len = strlen(list);

	snprintf(list + len, size - len, "%s%s", len ? ", " : "", key);
}

static bool differs(const char *a, const char *b)
{
	return strcmp(a ?: "", b ?: "");
}

/* What parts of the agent were built from. [agent] name is not among them: --host may have been put over it. */
static void name_fixed(const struct vpc_config *now, const struct vpc_config *next, char *list, size_t size)
{
	const struct {
		const char *key;
		bool other;
	} keys[] = {
		{ "[zookeeper] credential_file", differs(now->zk_credential_file, next->zk_credential_file) },
		{ "[zookeeper] hosts", differs(now->zk_hosts, next->zk_hosts) },
		{ "[zookeeper] session_timeout_ms", now->zk_session_ms != next->zk_session_ms },
		{ "[agent] cache", now->cache != next->cache },
		{ "[agent] state_dir", differs(now->state_dir, next->state_dir) },
		{ "[agent] metrics_port", now->metrics_port != next->metrics_port },
		{ "[agent] run_dir", differs(now->run_dir, next->run_dir) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].other)
			name_key(list, size, keys[i].key);
}

void reload(struct agent *a)
{
	struct vpc_config next = { 0 };
	struct vpc_err err = { "" };
	char fixed[256] = "", changed[128] = "";

	if (vpc_config_load(a->config_path, &next, &err)) {
		log_err("%s; the configuration stays as it was", err.text);
		return;
	}
	name_fixed(&a->config, &next, fixed, sizeof(fixed));
	if (a->config.log_level != next.log_level)
		name_key(changed, sizeof(changed), "[log] level");
	if (a->config.status_interval_s != next.status_interval_s)
		name_key(changed, sizeof(changed), "[agent] status_interval_s");
	a->config.log_level = next.log_level;
	a->config.status_interval_s = next.status_interval_s;
	log_init("vpc_agent", next.log_level);
	/* The timer that runs has the old interval. */
	status_changed(a->status);
	log_info("configuration read again: %s%s", changed[0] ? changed : "nothing to change",
		 changed[0] ? " changed" : "");
	if (fixed[0])
		log_warn("configuration: %s: needs a restart of the agent, which interrupts no traffic", fixed);
	vpc_config_clear(&next);
}
