// SPDX-License-Identifier: Apache-2.0
/*
 * A file with credentials for ZooKeeper (lib/zk_auth.h), and what is made of them.
 */
#include "../../lib/zk_auth.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char credential[ZK_CREDENTIAL_MAX], host[ZK_CREDENTIAL_MAX], id[ZK_ID_MAX];
	struct vpc_err err = { "" };
	int res;

	fuzz_fill(credential, sizeof(credential));
	res = zk_credential_load(fuzz_file(data, len), credential, &err);
	fuzz_check_refusal(res, &err);
	if (res) {
		fuzz_check(fuzz_untouched(credential, sizeof(credential)));
		return 0;
	}
	fuzz_check(strchr(credential, ':') > credential && !strpbrk(credential, " \t\r\n"));
	zk_credential_id(credential, id);
	fuzz_check(!strncmp(id, credential, strchr(credential, ':') - credential + 1));
	zk_credential_host(credential, "h1", host);
	fuzz_check(!strncmp(host, "h1:", 3));
	return 0;
}
