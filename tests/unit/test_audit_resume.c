// SPDX-License-Identifier: Apache-2.0
/*
 * A comparison that is ended in the middle, and the one that goes on there: as processes, with real signals, files and
 * CDB, the kernel in memory (audit_world.h). The file's own tests are in test_progress.c.
 */
#include "audit_world.h"
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "../../reconcile/once.h"

static char dir[32], progress[64], out[64];
static char text[65536]; /* what the last run said */

/* In the run's process: at the end of the dump with this number it gets this signal. */
static int dumps, at_dump, signal_then, then_too;
static unsigned int first_takes_us;

static void on_dump(void)
{
	fake_kernel_after_dump(on_dump);
	if (dumps++ == 0)
		usleep(first_takes_us);
	if (dumps == at_dump)
		raise(signal_then);
	if (dumps == at_dump && then_too)
		raise(then_too);
}

/* VPCs 100, 101 and 102 with a port each, all in order. */
static void three_vpcs(void)
{
	const struct intent by = rig_intent();
	bool there;
	char name[16];

	make_world();
	for (uint32_t vni = 101; vni <= 102; vni++) {
		const struct vpc_prefix net = rig_prefix("10.0.1.0/24");
		struct cdb_vpc vpc;
		char dev[16];
		struct intent_port port = { .name = "web-1", .subnet = "web", .host = HOST, .dev = dev };

		snprintf(name, sizeof(name), "v%u", vni);
		snprintf(dev, sizeof(dev), "tap%u", vni);
		there = !cdb_vpc_find(rig_cdb, name, &vpc, &(struct vpc_err){ "" });
		if (there)
			continue;
		rig_vpc_new(name, vni);
		ok(intent_subnet_add(&by, name, "web", &net, 1, &done, &err));
		ok(intent_port_add(&by, name, &port, &done, &err));
	}
	arrive();
	at_dump = first_takes_us = 0;
}

/* Not in order, with the digest of before: only who looks at each entry sees it. */
static void flip(uint32_t vni)
{
	struct vpc_state *have = fake_kernel_vpc(vni);

	have->routes[0].nexthop ^= 1;
}

static int run_with(struct options o)
{
	int status, fd = open(out, O_RDWR | O_CREAT | O_TRUNC, 0600);
	pid_t pid;
	ssize_t n;

	assert_true(fd >= 0);
	o.max_findings = 100;
	o.max_lag_s = DAY_S;
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		struct round round = {
			.options = &o, .config = &config, .host = HOST, .kernel = kernel, .legs = legs
		};

		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		dumps = 0;
		fake_kernel_after_dump(on_dump);
		status = once_run(&round);
		fflush(NULL);
		_exit(status);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	n = pread(fd, text, sizeof(text) - 1, 0);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int run(bool resume)
{
	return run_with((struct options){ .full = true, .resume = resume, .progress = progress });
}

static void says(const char *part)
{
	if (!strstr(text, part))
		fail_msg("no \"%s\" in:\n%s", part, text);
}

static bool is_kept(void)
{
	return !access(progress, F_OK);
}

static void end_at(int dump, int signal)
{
	at_dump = dump;
	signal_then = signal;
}

static int resume_setup(void **state)
{
	strcpy(dir, "/tmp/vpc-test-resume.XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(progress, sizeof(progress), "%s/progress", dir);
	snprintf(out, sizeof(out), "%s/out", dir);
	return 0;
}

static int resume_teardown(void **state)
{
	unlink(progress);
	unlink(out);
	return rmdir(dir);
}

/* Twice, by either signal; what was compared is not looked at again, and the rest is. */
static void it_goes_on_where_it_was_ended(void **state)
{
	char want[256];

	three_vpcs();
	end_at(2, SIGINT);
	assert_int_equal(run(false), 2);
	snprintf(want, sizeof(want),
		 "vpc_reconcile: ended by a signal: 1 of 3 VPCs are done; the same command with --resume goes on there "
		 "(%s)\n",
		 progress);
	assert_string_equal(text, want);
	flip(100);
	end_at(2, SIGTERM);
	assert_int_equal(run(true), 2);
	says("ended by a signal: 2 of 3 VPCs are done; the same command with --resume");
	end_at(0, 0);
	assert_int_equal(run(true), 0);
	says("resumed: 2 VPCs were compared by the run before, since 20");
	says("h1: consistent: VPCs: 3 consistent, 0 lagging, 0 drifted, 0 not compared");
	assert_false(is_kept());
	/* There is nothing any more: all of it. */
	assert_int_equal(run(true), 1);
	says("resumed: nothing; no run before has left anything");
	says("VPC 100 (red): drift");
}

static void what_differs_is_found_behind_it(void **state)
{
	three_vpcs();
	end_at(2, SIGINT);
	assert_int_equal(run(false), 2);
	flip(102);
	end_at(0, 0);
	assert_int_equal(run_with((struct options){ .full = true, .resume = true, .progress = progress, .json = true }),
			 1);
	says("\"resumed\":{\"vpcs\":1,\"since_ms\":");
	says("\"compared_ms\":");
	says("\"class\":\"different\",\"object\":\"route table 0 10.0.1.");
	assert_false(is_kept());
}

/* A VPC in which something differed is no longer of the past: it is compared again, and so is one that has changed. */
static void what_is_compared_again(void **state)
{
	three_vpcs();
	flip(100);
	end_at(3, SIGINT);
	assert_int_equal(run(false), 2);
	says("1 of 3 VPCs are done");
	flip(100);
	end_at(0, 0);
	assert_int_equal(run(true), 0);
	says("resumed: 1 VPCs");
	end_at(3, SIGINT);
	assert_int_equal(run(false), 2);
	says("2 of 3 VPCs are done");
	route_put("172.30.0.0/16", 7);
	kernel_load(100);
	flip(100);
	end_at(0, 0);
	assert_int_equal(run(true), 1);
	says("resumed: 1 VPCs");
	says("VPC 100 (red): drift");
	route_del("172.30.0.0/16");
}

/* It is written once a second: who is killed has lost a second. */
static void killed(void **state)
{
	three_vpcs();
	first_takes_us = 1100000;
	end_at(2, SIGKILL);
	assert_int_equal(run(false), -SIGKILL);
	assert_true(is_kept());
	first_takes_us = 0;
	end_at(0, 0);
	assert_int_equal(run(true), 0);
	says("resumed: 1 VPCs");
	assert_false(is_kept());
}

/* The second signal, though it is another one. */
static void ended_at_once(void **state)
{
	three_vpcs();
	end_at(2, SIGINT);
	then_too = SIGTERM;
	assert_int_equal(run(false), -SIGTERM);
	then_too = 0;
}

/* Each kind of audit has its own file, so that what one has left is not in another's way. */
static void one_file_for_each_kind(void **state)
{
	struct options all = { .full = true }, verify = { .full = true, .verify = true };
	glob_t left;
	char pattern[64];

	three_vpcs();
	config.state_dir = dir;
	end_at(2, SIGINT);
	assert_int_equal(run_with(verify), 2);
	end_at(3, SIGINT);
	assert_int_equal(run_with(all), 2);
	end_at(0, 0);
	verify.resume = all.resume = true;
	assert_int_equal(run_with(verify), 0);
	says("resumed: 1 VPCs");
	assert_int_equal(run_with(all), 0);
	says("resumed: 2 VPCs");
	config.state_dir = NULL;
	snprintf(pattern, sizeof(pattern), "%s/reconcile-*", dir);
	assert_int_equal(glob(pattern, 0, NULL, &left), GLOB_NOMATCH);
}

/* CDB or the kernel in the way is an end, too. */
static void not_all_could_be_compared(void **state)
{
	three_vpcs();
	ok(cdb_command(rig_cdb, "UPDATE vpc SET digest0 = digest0 ^ 1 WHERE vni = 102", &err));
	assert_int_equal(run(false), 2);
	says("not all could be compared: 2 of 3 VPCs are done; the same command with --resume");
	ok(cdb_command(rig_cdb, "UPDATE vpc SET digest0 = digest0 ^ 1 WHERE vni = 102", &err));
	assert_int_equal(run(true), 0);
	says("resumed: 2 VPCs");
	assert_false(is_kept());
}

/* CDB has gone back, and its history not yet: what was right then is so no longer. */
static void the_kernel_is_ahead(void **state)
{
	three_vpcs();
	end_at(3, SIGINT);
	assert_int_equal(run(false), 2);
	says("2 of 3 VPCs are done");
	ok(cdb_command(rig_cdb, "UPDATE vpc SET epoch = epoch - 1 WHERE vni = 101", &err));
	end_at(0, 0);
	assert_int_not_equal(run(true), 0);
	ok(cdb_command(rig_cdb, "UPDATE vpc SET epoch = epoch + 1 WHERE vni = 101", &err));
	says("resumed: 1 VPCs");
}

static void what_is_not_taken(void **state)
{
	const struct options other = { .full = true, .verify = true, .resume = true, .progress = progress };
	const struct options nowhere = { .full = true, .progress = "/nonexistent/p" };
	FILE *to;

	three_vpcs();
	end_at(3, SIGINT);
	assert_int_equal(run(false), 2);
	end_at(0, 0);
	assert_int_equal(run_with(other), 2);
	says("of another audit (host h1 ");
	assert_true(is_kept());
	/* The module is another one, with the same tables. */
	three_vpcs();
	assert_int_equal(run(true), 0);
	says("resumed: nothing; vpc.ko was loaded anew since");
	end_at(3, SIGINT);
	assert_int_equal(run(false), 2);
	end_at(0, 0);
	to = fopen(progress, "a");
	fputs("x", to);
	fclose(to);
	assert_int_equal(run(true), 2);
	says("damaged");
	/* Without --resume it begins anew, and at its end nothing is left of it; what is no progress is left alone. */
	assert_int_equal(run(false), 0);
	assert_false(is_kept());
	to = fopen(progress, "w");
	fputs("my notes of long ago, all of them\n", to);
	fclose(to);
	assert_int_equal(run(false), 2);
	says("is there, and no progress of vpc_reconcile");
	assert_true(is_kept());
	unlink(progress);
	end_at(2, SIGINT);
	assert_int_equal(run_with(nowhere), 2);
	says("1 of 3 VPCs are done, which could not be kept: /nonexistent/p: No such file");
}

static void options_that_go_with_it(void **state)
{
	static const struct {
		const char *args[5];
		int ret;
	} cases[] = {
		{ { "--full", "--resume" }, 0 },
		{ { "--probe", "3", "--resume", "--progress", "/p" }, 0 },
		{ { "--verify", "--progress", "/p" }, 0 },
		{ { "--resume" }, -EINVAL },
		{ { "--progress", "/p" }, -EINVAL },
		{ { "--full", "--watch", "--resume" }, -EINVAL },
		{ { "--full", "--repair", "--resume" }, -EINVAL },
		{ { "--full", "--since", "1h", "--resume" }, -EINVAL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *argv[ARRAY_SIZE(cases[i].args) + 2] = { "vpc_reconcile" };
		struct options o;
		int argc = 1;

		for (size_t j = 0; j < ARRAY_SIZE(cases[i].args) && cases[i].args[j]; j++)
			argv[argc++] = (char *)cases[i].args[j];
		assert_int_equal(options_parse(argc, argv, &o), cases[i].ret);
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, resume_setup, resume_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_goes_on_where_it_was_ended),
		TEST(what_differs_is_found_behind_it),
		TEST(what_is_compared_again),
		TEST(killed),
		TEST(ended_at_once),
		TEST(one_file_for_each_kind),
		TEST(not_all_could_be_compared),
		TEST(the_kernel_is_ahead),
		TEST(what_is_not_taken),
		cmocka_unit_test(options_that_go_with_it),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
