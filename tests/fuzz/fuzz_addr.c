// SPDX-License-Identifier: Apache-2.0
/*
 * Addresses, prefixes, MACs, digests and numbers of hosts as text (lib/addr.h, lib/digest.h).
 */
#include "../../lib/addr.h"
#include "../../lib/digest.h"
#include "../../proto/znode.h"
#include "fuzz.h"

static void check_addr(const char *text)
{
	struct vpc_addr addr, again;
	char buf[VPC_ADDR_STRLEN];

	fuzz_fill(&addr, sizeof(addr));
	if (vpc_addr_parse(text, &addr, NULL)) {
		fuzz_check(fuzz_untouched(&addr, sizeof(addr)));
		return;
	}
	fuzz_check(!vpc_addr_parse(vpc_addr_format(&addr, buf), &again, NULL));
	fuzz_check(!vpc_addr_cmp(&addr, &again) && !memcmp(&addr, &again, sizeof(addr)));
}

static void check_prefix(const char *text)
{
	struct vpc_prefix prefix, again;
	char buf[VPC_PREFIX_STRLEN];

	fuzz_fill(&prefix, sizeof(prefix));
	if (vpc_prefix_parse(text, &prefix, NULL)) {
		fuzz_check(fuzz_untouched(&prefix, sizeof(prefix)));
		return;
	}
	fuzz_check(!vpc_prefix_parse(vpc_prefix_format(&prefix, buf), &again, NULL));
	fuzz_check(!vpc_prefix_cmp(&prefix, &again) && !memcmp(&prefix, &again, sizeof(prefix)));
	fuzz_check(!vpc_prefix_mask(&again) && vpc_prefix_contains(&prefix, &again));
}

static void check_rest(const char *text)
{
	char mac_text[VPC_MAC_STRLEN], digest_text[VPC_DIGEST_STRLEN];
	struct vpc_digest digest, digest2;
	uint8_t mac[6], mac2[6];

	fuzz_fill(mac, sizeof(mac));
	if (vpc_mac_parse(text, mac, NULL))
		fuzz_check(fuzz_untouched(mac, sizeof(mac)));
	else
		fuzz_check(!vpc_mac_parse(vpc_mac_format(mac, mac_text), mac2, NULL) && !memcmp(mac, mac2, 6));
	fuzz_fill(&digest, sizeof(digest));
	if (vpc_digest_parse(text, &digest))
		fuzz_check(fuzz_untouched(&digest, sizeof(digest)));
	else
		fuzz_check(!vpc_digest_parse(vpc_digest_format(&digest, digest_text), &digest2) &&
			   vpc_digest_equal(&digest, &digest2));
	/* A valid name is a file's, in a path of one level. */
	fuzz_check(!vpc_host_name_valid(text) || (*text != '.' && !strchr(text, '/') && strlen(text) <= 63));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1);

	memcpy(text, data, len);
	text[len] = 0;
	check_addr(text);
	check_prefix(text);
	check_rest(text);
	free(text);
	return 0;
}
