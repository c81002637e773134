// SPDX-License-Identifier: Apache-2.0
/*
 * A file of routes, plain or gzip, what `vpcctl route import` reads (lib/import.h).
 */
#include "../../lib/import.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *path = fuzz_file(data, len);
	struct vpc_import import;
	struct vpc_err err = { "" };
	int res;

	fuzz_fill(&import, sizeof(import));
	res = vpc_import_read(path, &import, &err);
	fuzz_check(res <= 0 && (!res || !strncmp(err.text, path, strlen(path))));
	if (res) {
		fuzz_check(fuzz_untouched(&import, sizeof(import)));
		return 0;
	}
	for (size_t i = 0; i < import.n; i++) {
		struct vpc_prefix prefix = import.lines[i].prefix;

		fuzz_check(import.lines[i].nexthop && import.lines[i].line);
		fuzz_check(prefix.plen <= vpc_family_bits(prefix.family) && !vpc_prefix_mask(&prefix));
		fuzz_check(!i || vpc_prefix_cmp(&import.lines[i - 1].prefix, &prefix) < 0);
	}
	vpc_import_clear(&import);
	return 0;
}
