// SPDX-License-Identifier: Apache-2.0
/*
 * A batch of vpcctl (`vpcctl -b FILE`): its lines, and the arguments of every command up to where CDB would be asked,
 * which is not there.
 */
#include <fcntl.h>
#include "../../ctl/batch.c"
#include "fuzz.h"

int ctl_cdb_connect(struct ctl *ctl)
{
	return vpc_err_set(&ctl->err, -ENOTCONN, "no CDB");
}

int ctl_cdb(struct ctl *ctl)
{
	return ctl_cdb_connect(ctl);
}

struct intent ctl_intent(const struct ctl *ctl)
{
	return (struct intent){ .author = ctl->author, .summary = ctl->summary };
}

/* Whatever a command would do outside of CDB is left out: of a batch they have changes alone. */
static void run_line(const struct line *line, bool json)
{
	struct ctl ctl = { .author = "fuzz", .json = json, .in_batch = true };
	int res;

	/* It reads the file that is named. */
	if (!line->n || line->words[0][0] == 'i')
		return;
	res = ctl_run(&ctl, line->n, line->words);
	fuzz_check(res <= 0 && (!res || *ctl.err.text));
	vpc_config_clear(&ctl.config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_(lines_clear) struct lines lines = { .file = "input" };
	FILE *file = fmemopen((void *)data, len, "r");
	struct ctl ctl = {};
	static bool quiet;

	if (!quiet) {
		/* Help is printed. */
		quiet = freopen("/dev/null", "w", stdout);
		fuzz_check(quiet);
	}
	if (!file)
		return 0;
	fuzz_check(!read_lines(&ctl, file, &lines));
	fclose(file);
	set_summary(&ctl, &lines);
	fuzz_check(memchr(ctl.summary, 0, sizeof(ctl.summary)));
	for (size_t i = 0; i < lines.n; i++)
		run_line(&lines.list[i], i & 1);
	return 0;
}
