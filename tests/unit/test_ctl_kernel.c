// SPDX-License-Identifier: Apache-2.0
/*
 * vpcctl kernel verify and kernel swap: what they make of tables that are wrong, or of what forwarding reads beside
 * them. Kernel and modules are in memory (agent_fake.h); the real ones are in the scenarios.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "agent_fake.h"

/* What the swap asks of the machine itself: how often the module is used. */
static FILE *sys_open(const char *path, const char *mode)
{
	static char none[] = "0\n";

	assert_string_equal(path, "/sys/module/vpc/refcnt");
	return fmemopen(none, strlen(none), mode);
}

#define fopen sys_open
#include "../../ctl/kernel_swap_cmd.c"
#undef fopen

/* -- a machine with two modules ------------------------------------------------------------------------------------ */

static struct {
	const char *running; /* a file's name; NULL: none */
	uint32_t new_faults, old_faults; /* of what forwarding reads, once it is in */
	unsigned int inserted;
} machine;

int kmodfile_open(const char *path, const char *name, struct kmodfile *ret, struct vpc_err *err)
{
	*ret = (struct kmodfile){ .path = path, .fd = -1, .vermagic = "6.1" };
	return 0;
}

void kmodfile_close(struct kmodfile *file)
{
}

bool kmodfile_is_running(const struct kmodfile *file, const char *name)
{
	return machine.running && !strcmp(machine.running, file->path);
}

int kmodfile_params(const char *name, char *buf, size_t size, struct vpc_err *err)
{
	snprintf(buf, size, "ingress=1");
	return 0;
}

int kmodfile_insert(const struct kmodfile *file, const char *params, struct vpc_err *err)
{
	assert_null(machine.running);
	assert_string_equal(params, "ingress=1");
	fake_kernel_reset();
	fake_kernel_faults(strcmp(file->path, "new.ko") ? machine.old_faults : machine.new_faults);
	machine.running = strcmp(file->path, "new.ko") ? "old.ko" : "new.ko";
	machine.inserted++;
	return 0;
}

int kmodfile_remove(const char *name, struct vpc_err *err)
{
	assert_non_null(machine.running);
	fake_kernel_unload();
	machine.running = NULL;
	return 0;
}

int netns_list(struct netns **ret_list, size_t *ret_n, struct vpc_err *err)
{
	*ret_list = calloc(1, sizeof(**ret_list));
	strcpy((*ret_list)->name, "h1");
	*ret_n = 1;
	return 0;
}

void netns_list_free(struct netns *list, size_t n)
{
	free(list);
}

/* Of the rest of vpcctl, which is linked and not run. */
int kernel_stats(struct kernel *k, struct kernel_stats **ret_stats, size_t *ret_n, struct vpc_err *err)
{
	return -ENODEV;
}

/* -- running it ---------------------------------------------------------------------------------------------------- */

static struct ctl ctl;
static char out[4096]; /* on standard output */

static int setup(void **state)
{
	struct vpc_nl_nexthop nh = { .id = 7, .type = VPC_NEXTHOP_BLACKHOLE };
	struct vpc_route route = { .table = 1,
				   .nexthop = 7,
				   .prefix = { .family = AF_INET, .plen = 24, .bytes = { 10 } } };
	struct vpc_state content;

	machine = (typeof(machine)){ .running = "old.ko" };
	ctl = (struct ctl){ 0 };
	fake_kernel_reset();
	vpc_state_init(&content, 100);
	content.epoch = 5;
	assert_int_equal(vpc_state_add_nexthop(&content, &nh), 0);
	assert_int_equal(vpc_state_add_route(&content, &route), 0);
	content.digest = vpc_digest_of_state(&content);
	fake_kernel_put_vpc(&content);
	vpc_state_clear(&content);
	return 0;
}

static int teardown(void **state)
{
	fake_kernel_reset();
	return 0;
}

static int run_words(const char *words)
{
	_cleanup_free_ char *copy = strdup(words);
	char *argv[16], *save = NULL;
	int argc = 0, r = -ENOSYS, before = dup(STDOUT_FILENO);
	FILE *file = tmpfile();

	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	fflush(stdout);
	dup2(fileno(file), STDOUT_FILENO);
	for (size_t i = 0; i < ctl_kernel.n_verbs; i++)
		if (!strcmp(ctl_kernel.verbs[i].name, argv[0]))
			r = ctl_kernel.verbs[i].run(&ctl, argc - 1, argv + 1);
	fflush(stdout);
	dup2(before, STDOUT_FILENO);
	close(before);
	rewind(file);
	out[fread(out, 1, sizeof(out) - 1, file)] = '\0';
	fclose(file);
	return r;
}

static void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no \"%s\" in \"%s\"", part, text);
}

static const char *digest_now(void)
{
	static char text[VPC_DIGEST_STRLEN];
	struct vpc_digest digest = vpc_digest_of_state(fake_kernel_vpc(100));

	return vpc_digest_format(&digest, text);
}

/* -- verify -------------------------------------------------------------------------------------------------------- */

static void verify_right(void **state)
{
	assert_int_equal(run_words("verify 100"), 0);
	has(out, "VPC 100 epoch 5: 1 routes and 1 nexthops in the tables, digest ");
	has(out, digest_now());
	has(out, ": right\n");
}

/* The tables are right, and what is derived from them is not: that is said, and of what. */
static void verify_names_what_is_wrong_beside_the_tables(void **state)
{
	char want[512];

	fake_kernel_faults(VPC_FAULT_GROUP | VPC_FAULT_PORT);
	assert_int_equal(run_words("verify 100"), -EBADMSG);
	assert_string_equal(out, "");
	snprintf(want, sizeof(want),
		 "VPC 100: the tables have their digest %s; wrong: buckets of a group, which forwarding reads; wrong: "
		 "map of addresses to ports, which forwarding reads",
		 digest_now());
	assert_string_equal(ctl.err.text, want);
	/* By a module that knows more than we. */
	fake_kernel_faults(1U << 31);
	assert_int_equal(run_words("verify 100"), -EBADMSG);
	has(ctl.err.text, "; wrong: something that is not known here, which forwarding reads");
	ctl.json = true;
	assert_int_equal(run_words("verify 100"), -EBADMSG);
	has(out, "\"faults\":2147483648,\"ok\":false");
}

static void verify_says_both_digests(void **state)
{
	char kept[VPC_DIGEST_STRLEN], want[512];

	fake_kernel_skew(100);
	vpc_digest_format(&fake_kernel_vpc(100)->digest, kept);
	assert_int_equal(run_words("verify 100"), -EBADMSG);
	snprintf(want, sizeof(want),
		 "VPC 100: the tables that forwarding reads have digest %s, the kernel keeps %s", digest_now(), kept);
	assert_string_equal(ctl.err.text, want);
	fake_kernel_faults(VPC_FAULT_INDEX);
	assert_int_equal(run_words("verify 100"), -EBADMSG);
	has(ctl.err.text, want);
	has(ctl.err.text, "; wrong: index of a large table, which forwarding reads");
}

/* -- swap ---------------------------------------------------------------------------------------------------------- */

#define SWAP "swap new.ko old old.ko"

static void swap_carries_over(void **state)
{
	assert_int_equal(run_words(SWAP), 0);
	has(out, "1 namespaces, 1 VPCs, 1 routes, 0 ports carried over");
	assert_string_equal(machine.running, "new.ko");
	assert_int_equal(fake_kernel_vpc(100)->epoch, 5);
}

/* Epoch and digest are right, and forwarding would read something else: the old module comes back. */
static void swap_goes_back_from_faults(void **state)
{
	for (int bit = 0; bit < 5; bit++) {
		setup(state);
		machine.new_faults = 1U << bit;
		assert_int_equal(run_words(SWAP), -EBADMSG);
		assert_int_equal(ctl.status, STATUS_BACK);
		assert_string_equal(ctl.err.text, "network namespace h1: VPC 100 did not come back as it was; "
						  "the old module is back with everything");
		assert_string_equal(machine.running, "old.ko");
		assert_int_equal(machine.inserted, 2);
		assert_int_equal(fake_kernel_vpc(100)->epoch, 5);
	}
}

/* And if that is no better, neither is believed. */
static void swap_believes_neither(void **state)
{
	machine.new_faults = VPC_FAULT_RECENT;
	machine.old_faults = VPC_FAULT_PORT;
	assert_int_equal(run_words(SWAP), -EBADMSG);
	assert_int_equal(ctl.status, STATUS_BROKEN);
	has(ctl.err.text, "did not come back as it was; and then: network namespace h1: VPC 100 did not come back");
}

static void swap_only_looks(void **state)
{
	machine.new_faults = VPC_FAULT_INDEX;
	assert_int_equal(run_words(SWAP " check"), 0);
	assert_int_equal(machine.inserted, 0);
	assert_int_equal(run_words("swap new.ko old other.ko"), -EINVAL);
	has(ctl.err.text, "there would be no way back");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(verify_right),
		TEST(verify_names_what_is_wrong_beside_the_tables),
		TEST(verify_says_both_digests),
		TEST(swap_carries_over),
		TEST(swap_goes_back_from_faults),
		TEST(swap_believes_neither),
		TEST(swap_only_looks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
