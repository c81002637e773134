// SPDX-License-Identifier: Apache-2.0
/*
 * A file that `vpcctl kernel swap` is to insert as vpc.ko (lib/kmodfile.h).
 */
#include "../../lib/kmodfile.h"
#include "fuzz.h"

static void check_inside(const struct kmodfile *file, const void *at, size_t len)
{
	const char *p = at;

	fuzz_check(p >= file->data && len <= file->len && p <= file->data + file->len - len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *copy = fuzz_copy(data, len);
	struct kmodfile file;
	struct vpc_err err = { "" };
	int res;

	fuzz_fill(&file, sizeof(file));
	res = kmodfile_parse("vpc.ko", "vpc", copy, len, &file, &err);
	fuzz_check(res <= 0 && (!res || *err.text));
	if (res) {
		fuzz_check(fuzz_untouched(&file, sizeof(file)));
		return 0;
	}
	check_inside(&file, file.vermagic, strlen(file.vermagic) + 1);
	if (file.version)
		check_inside(&file, file.version, strlen(file.version) + 1);
	if (file.build_id)
		check_inside(&file, file.build_id, file.build_id_len);
	kmodfile_close(&file);
	return 0;
}
