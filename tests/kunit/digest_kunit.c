// SPDX-License-Identifier: GPL-2.0-only
/*
 * The digest as the kernel computes it (kmod/tables/digest.c, proto/vpc_canon.h) against the vectors of an independent
 * implementation, tests/data/digest-vectors.txt: the Makefile turns its lines into digest_vectors.h.
 */
#include "rig.h"
#include "../../kmod/tables/digest.h"
#include "../../proto/vpc_canon.h"
#include "digest_vectors.h"

#include <linux/etherdevice.h>
#include <linux/kernel.h>
#include <linux/inet.h>

/* One line's element, its canonical bytes and its digest, as read. */
struct vector {
	struct vpc_nl_nexthop nexthop;
	struct vpc_nl_member member;
	struct rig_route route;
	u8 bytes[VPC_CANON_MAX];
	unsigned int len;
	char canon[2 * VPC_CANON_MAX + 1];
	char digest[33];
};

static u8 vector_addr(struct kunit *test, const char *text, u8 *ret_addr)
{
	bool v6 = strchr(text, ':');

	if (v6)
		KUNIT_ASSERT_EQ_MSG(test, in6_pton(text, -1, ret_addr, -1, NULL), 1, "%s", text);
	else
		KUNIT_ASSERT_EQ_MSG(test, in4_pton(text, -1, ret_addr, -1, NULL), 1, "%s", text);
	return v6 ? AF_INET6 : AF_INET;
}

static void vector_nexthop(struct kunit *test, const char *line, struct vector *vector)
{
	static const char *const types[] = {
		[VPC_NEXTHOP_LOCAL] = "local", [VPC_NEXTHOP_HOST] = "host", [VPC_NEXTHOP_GATEWAY] = "gateway",
		[VPC_NEXTHOP_PEER] = "peer", [VPC_NEXTHOP_GROUP] = "group", [VPC_NEXTHOP_BLACKHOLE] = "blackhole",
		[VPC_NEXTHOP_PROHIBIT] = "prohibit", [VPC_NEXTHOP_UNREACHABLE] = "unreachable",
	};
	struct vpc_nl_nexthop *nh = &vector->nexthop;
	char type[16], vtep[64], mac[32];

	KUNIT_ASSERT_EQ_MSG(test, sscanf(line, "nexthop %u %15s %63s %u %u %31s %96s %32s", &nh->id, type, vtep,
					 &nh->vni, &nh->table, mac, vector->canon, vector->digest), 8, "%s", line);
	for (nh->type = 1; nh->type < ARRAY_SIZE(types) && strcmp(types[nh->type], type); nh->type++)
		;
	KUNIT_ASSERT_LE_MSG(test, nh->type, VPC_NEXTHOP_MAX, "%s", line);
	if (strcmp(vtep, "-"))
		nh->family = vector_addr(test, vtep, nh->addr);
	if (strcmp(mac, "-"))
		KUNIT_ASSERT_TRUE_MSG(test, mac_pton(mac, nh->mac), "%s", line);
	vector->len = vpc_canon_nexthop(nh, vector->bytes);
}

static void vector_member(struct kunit *test, const char *line, struct vector *vector)
{
	struct vpc_nl_member *member = &vector->member;

	KUNIT_ASSERT_EQ_MSG(test, sscanf(line, "member %u %u %hu %96s %32s", &member->group, &member->nexthop,
					 &member->weight, vector->canon, vector->digest), 5, "%s", line);
	vector->len = vpc_canon_member(member, vector->bytes);
}

static void vector_route(struct kunit *test, const char *line, struct vector *vector)
{
	struct rig_route *route = &vector->route;
	char prefix[64], *slash;

	KUNIT_ASSERT_EQ_MSG(test, sscanf(line, "route %u %63s %u %96s %32s", &route->table, prefix, &route->value,
					 vector->canon, vector->digest), 5, "%s", line);
	slash = strchr(prefix, '/');
	KUNIT_ASSERT_NOT_NULL(test, slash);
	*slash = '\0';
	KUNIT_ASSERT_EQ(test, kstrtou8(slash + 1, 10, &route->plen), 0);
	route->family = vector_addr(test, prefix, route->addr);
	vector->len = vpc_canon_route(route->table, route->family, route->addr, route->plen, route->value,
				      vector->bytes);
}

/* The element on @line in and out of @digest. */
static void vector_apply(const struct vector *v, bool add, struct vpc_digest *digest)
{
	const struct rig_route *r = &v->route;

	if (v->nexthop.id && add)
		vpc_digest_add_nexthop(digest, &v->nexthop);
	else if (v->nexthop.id)
		vpc_digest_sub_nexthop(digest, &v->nexthop);
	else if (v->member.group && add)
		vpc_digest_add_member(digest, &v->member);
	else if (v->member.group)
		vpc_digest_sub_member(digest, &v->member);
	else if (add)
		vpc_digest_add_route(digest, r->table, r->family, r->addr, r->plen, r->value);
	else
		vpc_digest_sub_route(digest, r->table, r->family, r->addr, r->plen, r->value);
}

static void vector_read(struct kunit *test, const char *line, struct vector *ret_vector)
{
	memset(ret_vector, 0, sizeof(*ret_vector));
	if (str_has_prefix(line, "nexthop "))
		vector_nexthop(test, line, ret_vector);
	else if (str_has_prefix(line, "member "))
		vector_member(test, line, ret_vector);
	else if (str_has_prefix(line, "route "))
		vector_route(test, line, ret_vector);
	else
		KUNIT_ASSERT_FAILURE(test, "what is \"%s\"?", line);
}

static void expect_digest(struct kunit *test, const struct vpc_digest *digest, const char *want)
{
	char text[33];

	snprintf(text, sizeof(text), "%016llx%016llx", digest->h[0], digest->h[1]);
	KUNIT_EXPECT_STREQ(test, text, want);
}

static void digest_of_each(struct kunit *test)
{
	char canon[2 * VPC_CANON_MAX + 1];
	struct vpc_digest digest;
	struct vector vector;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(digest_vectors) - 1; i++) {
		vector_read(test, digest_vectors[i], &vector);
		*bin2hex(canon, vector.bytes, vector.len) = '\0';
		KUNIT_EXPECT_STREQ(test, canon, vector.canon);
		digest = (struct vpc_digest){};
		vector_apply(&vector, true, &digest);
		expect_digest(test, &digest, vector.digest);
	}
	KUNIT_EXPECT_GT(test, i, 10);
}

/* The sum, in any order, also when elements come and go on the way; taken apart, nothing is left. */
static void digest_of_all(struct kunit *test)
{
	const unsigned int n = ARRAY_SIZE(digest_vectors) - 1;
	struct vpc_digest digest = {}, zero = {};
	char want[33];
	struct vector vector;
	unsigned int i;

	KUNIT_ASSERT_EQ_MSG(test, sscanf(digest_vectors[n], "sum %32s", want), 1, "the last line is the sum");
	for (i = 0; i < n; i++) {
		vector_read(test, digest_vectors[n - 1 - i], &vector);
		vector_apply(&vector, true, &digest);
		vector_read(test, digest_vectors[rig_below(n)], &vector);
		vector_apply(&vector, true, &digest);
		vector_apply(&vector, false, &digest);
	}
	expect_digest(test, &digest, want);
	KUNIT_EXPECT_FALSE(test, vpc_digest_equal(&digest, &zero));
	for (i = 0; i < n; i++) {
		vector_read(test, digest_vectors[i], &vector);
		vector_apply(&vector, false, &digest);
	}
	KUNIT_EXPECT_TRUE(test, vpc_digest_equal(&digest, &zero));
}

static int digest_test_init(struct kunit *test)
{
	rig_seed();
	return 0;
}

static struct kunit_case digest_cases[] = {
	KUNIT_CASE(digest_of_each),
	KUNIT_CASE(digest_of_all),
	{}
};

static struct kunit_suite digest_suite = {
	.name = "vpc_digest",
	.init = digest_test_init,
	.test_cases = digest_cases,
};

kunit_test_suite(digest_suite);
