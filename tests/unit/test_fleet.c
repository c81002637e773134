// SPDX-License-Identifier: Apache-2.0
/*
 * What audits record in CDB, against a real server (cdb_rig.h), and what `vpc_reconcile fleet` makes of it.
 */
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include "cdb_rig.h"
#include "../../lib/cdb_init.h"
#include "../../lib/util.h"
#include "../../reconcile/fleet.h"
#include "../../reconcile/metrics.h"
#include "../../reconcile/options.h"
#include "../../reconcile/record.h"
#include "../../reconcile/watch.h"

#define MAX_LAG 60000

static struct cdb_fleet fleet;
static struct vpc_err unpruned; /* of the last write_run() */

static void load(uint64_t since)
{
	cdb_fleet_clear(&fleet);
	ok(cdb_fleet_load(rig_cdb, 300000, since, 100000, &fleet, &err));
}

static const struct cdb_run *host(const char *name)
{
	for (size_t i = 0; i < fleet.n_hosts; i++)
		if (!strcmp(fleet.hosts[i].host, name))
			return &fleet.hosts[i];
	fail_msg("no host %s", name);
	return NULL;
}

static void hosts_new(void)
{
	const struct intent by = rig_intent();
	bool there;

	rig_need_server();
	ok(cdb_host_exists(rig_cdb, "ha", &there, &err));
	for (int i = 0; i < 4 && !there; i++) {
		char name[8] = { 'h', 'a' + i }, vtep[16];
		struct vpc_addr addr;

		snprintf(vtep, sizeof(vtep), "192.0.2.%d", i + 1);
		addr = rig_addr(vtep);
		ok(intent_host_add(&by, name, &addr, 4789, &err));
	}
	ok(cdb_command(rig_cdb, "DELETE FROM reconcile_run", &err));
	ok(cdb_command(rig_cdb, "DELETE FROM reconcile_diff", &err));
}

static void write_run(const char *name, enum cdb_run_result result, uint64_t signature, size_t n, const char *object)
{
	struct cdb_run run = { .result = result, .signature = signature, .drifts = n, .n_vpcs = { 1, 2, 3, 4 } };
	struct cdb_run_diff diffs[CDB_DIFFS_MAX + 5] = { 0 };

	snprintf(run.host, sizeof(run.host), "%s", name);
	for (size_t i = 0; i < n; i++) {
		diffs[i].vni = 100 + i;
		strcpy(diffs[i].class, "missing");
		strcpy(diffs[i].leg, "agent to kernel");
		snprintf(diffs[i].object, sizeof(diffs[i].object), "%s", object);
		strcpy(diffs[i].want, "nexthop 7");
		diffs[i].since_ms = 1000;
	}
	ok(cdb_run_write(rig_cdb, &run, diffs, n, &unpruned, &err));
}

static uint32_t rows_of(const char *sql)
{
	uint32_t n;

	ok(cdb_get(rig_cdb, &err, sql, ">u", &n));
	return n;
}

static void the_same_result_is_one_row(void **state)
{
	uint64_t began;

	hosts_new();
	for (int i = 0; i < 3; i++)
		write_run("ha", CDB_RUN_CONSISTENT, 5, 0, "");
	load(0);
	assert_int_equal(fleet.n_hosts, 4);
	assert_int_equal(host("ha")->rounds, 3);
	assert_int_equal(host("ha")->n_vpcs[CDB_RUN_FAILED], 4);
	assert_true(host("ha")->last >= host("ha")->began && fleet.now >= host("ha")->last);
	assert_int_equal(host("hb")->last, 0);
	began = host("ha")->began;
	usleep(5000);
	write_run("ha", CDB_RUN_DRIFTED, 6, 1, "port tap1");
	load(1);
	assert_int_equal(host("ha")->rounds, 1);
	assert_int_equal(host("ha")->result, CDB_RUN_DRIFTED);
	assert_true(host("ha")->began > began);
	assert_int_equal(fleet.n_runs, 2);
	assert_int_equal(fleet.n_diffs, 1);
	usleep(5000);
	write_run("ha", CDB_RUN_CONSISTENT, 5, 0, "");
	load(0);
	assert_int_equal(fleet.n_diffs, 0);
	assert_int_equal(fleet.n_runs, 0);
}

/* An account of the host ha alone: it cannot speak for others, and still clears away what is old. */
static void an_account_of_its_own_host(void **state)
{
	static const char *const refused_sql[] = {
		"INSERT INTO reconcile_run SELECT 'hc', began + 1, last, 1, result, 0, 0, 0, 0, 0, 0, 0, 0, '' "
		"FROM reconcile_run WHERE host = 'ha'",
		"UPDATE reconcile_run SET result = 'consistent' WHERE host = 'hb'",
		"UPDATE reconcile_run SET host = 'hb', began = 1 WHERE host = 'ha'",
		"DELETE FROM reconcile_run WHERE host = 'hb'",
		"INSERT INTO reconcile_diff VALUES ('hb', 7, 0, '', '', '', '', '', '', 0)",
		"INSERT INTO reconcile_diff VALUES ('HA', 7, 0, '', '', '', '', '', '', 0)",
		"INSERT INTO reconcile_diff VALUES ('h_', 7, 0, '', '', '', '', '', '', 0)",
		"INSERT INTO reconcile_diff VALUES ('', 7, 0, '', '', '', '', '', '', 0)",
		"UPDATE reconcile_diff SET object = 'x' WHERE host = 'hb'",
		"UPDATE reconcile_diff SET host = 'hb', seq = 7 WHERE host = 'ha'",
		"DELETE FROM reconcile_diff WHERE host = 'hb'",
	};
	struct vpc_config as_host = rig_config;
	struct cdb *mine = NULL, *rig = rig_cdb;
	struct cdb_run run = { .host = "hb", .result = CDB_RUN_CONSISTENT };
	char password[CDB_PASSWORD_LEN + 1];
	struct vpc_err err = { "" };

	hosts_new();
	refused(cdb_auditor_init(rig_cdb, "nobody", NULL, password, &err), -ENOENT, "there is no host nobody");
	refused(cdb_auditor_init(rig_cdb, "h'", NULL, password, &err), -EINVAL, "no host's name");
	write_run("ha", CDB_RUN_DRIFTED, 6, 1, "port tap1");
	write_run("hb", CDB_RUN_DRIFTED, 6, 1, "port tap1");
	write_run("hd", CDB_RUN_DRIFTED, 6, 1, "port tap1");
	ok(cdb_auditor_init(rig_cdb, "ha", "secret", password, &err));
	as_host.cdb_user = "vpc_auditor:ha";
	as_host.cdb_password = "secret";
	ok(cdb_open(&as_host, &mine, &err));
	for (size_t i = 0; i < ARRAY_SIZE(refused_sql); i++) {
		int r = cdb_command(mine, refused_sql[i], &err);

		if (!r || !strstr(err.text, "this account records for its own host alone"))
			fail_msg("%s: %d, %s", refused_sql[i], r, r ? err.text : "");
	}
	assert_int_not_equal(cdb_run_write(mine, &run, NULL, 0, &unpruned, &err), 0);
	assert_non_null(strstr(err.text, "its own host alone"));
	/* Its own, and old rows of others, as the 100th report of a result does. */
	ok(cdb_command(rig_cdb, "UPDATE reconcile_run SET began = 1, last = 1 WHERE host = 'hd'", &err));
	rig_cdb = mine;
	for (int i = 0; i < 100; i++)
		write_run("ha", CDB_RUN_DRIFTED, 7 + i, 2, "port tap1");
	write_run("ha", CDB_RUN_CONSISTENT, 5, 0, "");
	rig_cdb = rig;
	assert_int_equal(rows_of("SELECT COUNT(*) FROM reconcile_run WHERE host = 'hd'"), 0);
	assert_int_equal(rows_of("SELECT COUNT(*) FROM reconcile_diff WHERE host = 'hd'"), 0);
	assert_int_equal(rows_of("SELECT COUNT(*) FROM reconcile_run WHERE host = 'hb'"), 1);
	assert_int_equal(rows_of("SELECT COUNT(*) FROM reconcile_run WHERE host = 'ha'"), 2);
	assert_int_equal(rows_of("SELECT COUNT(*) FROM reconcile_diff WHERE host IN ('ha', 'hb')"), 1);
	cdb_close(mine);
	/* What all hosts share is no other than before. */
	ok(cdb_command(rig_cdb, "DROP USER 'vpc_auditor:ha'@'%', 'vpc_auditor:ha'@'localhost'", &err));
}

/* To the millisecond, for who deletes as for the trigger; and that it cannot be done is no failure to record. */
static void the_age_of_others_rows(void **state)
{
	struct vpc_config as_host = rig_config;
	struct cdb *mine = NULL, *rig = rig_cdb;
	char password[CDB_PASSWORD_LEN + 1];

	hosts_new();
	write_run("hd", CDB_RUN_DRIFTED, 6, 1, "port tap1");
	ok(cdb_auditor_init(rig_cdb, "ha", "secret", password, &err));
	as_host.cdb_user = "vpc_auditor:ha";
	as_host.cdb_password = "secret";
	ok(cdb_open(&as_host, &mine, &err));
	/* 30 days and 300 ms before a time at .9 s, at which the connection's clock stands. */
	ok(cdb_command(rig_cdb, "UPDATE reconcile_run SET began = 1, last = 1700000000600 - 30 * 86400000", &err));
	ok(cdb_command(mine, "SET timestamp = 1700000000.9", &err));
	rig_cdb = mine;
	for (int i = 0; i < 100; i++)
		write_run("ha", CDB_RUN_CONSISTENT, 5, 0, "");
	rig_cdb = rig;
	assert_string_equal(unpruned.text, "");
	assert_int_equal(rows_of("SELECT COUNT(*) FROM reconcile_run WHERE host = 'hd'"), 0);
	/* A trigger that refuses: the result is recorded all the same. */
	write_run("hd", CDB_RUN_DRIFTED, 6, 1, "port tap1");
	ok(cdb_command(rig_cdb, "UPDATE reconcile_run SET last = 1 WHERE host = 'hd'", &err));
	ok(cdb_command(rig_cdb,
		       "CREATE TRIGGER refuse_all BEFORE DELETE ON reconcile_run FOR EACH ROW "
		       "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not today'",
		       &err));
	for (int i = 0; i < 100; i++)
		write_run("ha", CDB_RUN_CONSISTENT, 5, 0, "");
	ok(cdb_command(rig_cdb, "DROP TRIGGER refuse_all", &err));
	assert_non_null(strstr(unpruned.text, "not today"));
	assert_int_equal(rows_of("SELECT MAX(rounds) FROM reconcile_run WHERE host = 'ha'"), 200);
	cdb_close(mine);
	ok(cdb_command(rig_cdb, "DROP USER 'vpc_auditor:ha'@'%', 'vpc_auditor:ha'@'localhost'", &err));
}

static void the_same_difference_on_many_hosts_is_one(void **state)
{
	hosts_new();
	for (int i = 0; i < 3; i++)
		write_run((char[]){ 'h', 'a' + i, 0 }, CDB_RUN_DRIFTED, 6, 1, "port tap1");
	write_run("hd", CDB_RUN_DRIFTED, 7, 1, "port tap2");
	write_run("nobody", CDB_RUN_DRIFTED, 7, 1, "port tap2");
	/* Of a silent host nobody knows whether they still are. */
	ok(cdb_command(rig_cdb, "UPDATE reconcile_run SET last = last - 400000, began = began - 400000", &err));
	load(0);
	assert_int_equal(fleet.n_diffs, 0);
	ok(cdb_command(rig_cdb, "UPDATE reconcile_run SET last = last + 400000", &err));
	load(0);
	assert_int_equal(fleet.n_hosts, 4);
	assert_int_equal(fleet.n_diffs, 2);
	assert_int_equal(fleet.diffs[0].n_hosts, 3);
	assert_string_equal(fleet.diffs[0].host, "ha");
	assert_string_equal(fleet.diffs[0].diff.object, "port tap1");
	assert_int_equal(fleet.diffs[1].n_hosts, 1);
}

static void all_of_it_is_bounded(void **state)
{
	hosts_new();
	for (int i = 0; i < CDB_RUNS_MAX + 20; i++) {
		write_run("ha", i % 2 ? CDB_RUN_CONSISTENT : CDB_RUN_DRIFTED, i, i % 2 ? 0 : CDB_DIFFS_MAX + 5, "x");
		usleep(1500);
	}
	assert_int_equal(rows_of("SELECT COUNT(*) FROM reconcile_run"), CDB_RUNS_MAX);
	write_run("ha", CDB_RUN_DRIFTED, 1000, CDB_DIFFS_MAX + 5, "x");
	assert_int_equal(rows_of("SELECT COUNT(*) FROM reconcile_diff"), CDB_DIFFS_MAX);
	/* Old rows of others, and what belongs to them, go with a hundredth report. */
	ok(cdb_command(rig_cdb, "UPDATE reconcile_run SET last = 1000, began = began - 10000000", &err));
	ok(cdb_command(rig_cdb,
		       "INSERT INTO reconcile_diff SELECT 'zz', seq, vni, class, leg, object, want, have, change_id, "
		       "since FROM reconcile_diff",
		       &err));
	for (int i = 0; i < 100; i++)
		write_run("hb", CDB_RUN_CONSISTENT, 1, 0, "");
	assert_int_equal(rows_of("SELECT COUNT(*) FROM reconcile_run"), 1);
	assert_int_equal(rows_of("SELECT COUNT(*) FROM reconcile_diff"), 0);
}

static void reads_take_turns(void **state)
{
	unsigned int slot;
	struct cdb *others[CDB_READ_SLOTS] = { NULL };
	struct vpc_err err;

	rig_need_server();
	ok(cdb_read_slot_take(rig_cdb, 1, &slot, &err));
	assert_true(slot < CDB_READ_SLOTS);
	cdb_read_slot_give(rig_cdb, slot);
	/* All of them are held by one other connection. */
	ok(cdb_open(&rig_config, &others[0], &err));
	for (uint32_t i = 0; i < CDB_READ_SLOTS; i++) {
		uint32_t taken;

		ok(cdb_get(others[0], &err, "SELECT GET_LOCK(CONCAT(DATABASE(), '.audit.', ?), 0)", "u>u", i, &taken));
		assert_int_equal(taken, 1);
	}
	assert_int_equal(cdb_read_slot_take(rig_cdb, 0, &slot, &err), -EAGAIN);
	assert_non_null(strstr(err.text, "many audits"));
	cdb_close(others[0]);
	ok(cdb_read_slot_take(rig_cdb, 5, &slot, &err));
	cdb_read_slot_give(rig_cdb, slot);
}

static void a_report_is_summed_up(void **state)
{
	struct cdb_run_diff diffs[CDB_DIFFS_MAX];
	struct finding *finding;
	struct report_vpc *vpc;
	struct report report;
	struct cdb_run run;

	report_init(&report, "h1", 100);
	vpc = report_vpc(&report, 100, "red");
	assert_int_equal(report_add(&report, vpc, FINDING_MISSING, WHAT_PORT, "port \xc3\xa9\n<b>", "x", NULL,
				    &finding),
			 0);
	finding->cause = (struct cdb_cause){ .known = true, .created_ms = 7, .change = "c1" };
	finding->leg = LEG_PORTS;
	vpc = report_vpc(&report, 101, "young");
	assert_int_equal(report_add(&report, vpc, FINDING_LAG, WHAT_CONTENT, "content", "a", "b", NULL), 0);
	vpc->lag_ms = 1000;
	vpc = report_vpc(&report, 102, "late");
	assert_int_equal(report_add(&report, vpc, FINDING_LAG, WHAT_CONTENT, "content", "a", "b", NULL), 0);
	vpc->lag_ms = MAX_LAG + 1;
	report_fail(report_vpc(&report, 103, "failed"), -EIO, "CDB is away");
	assert_int_equal(record_sum(&report, MAX_LAG, &run, diffs), 2);
	assert_int_equal(run.result, CDB_RUN_DRIFTED);
	assert_int_equal(run.n_vpcs[CDB_RUN_CONSISTENT], 1);
	assert_int_equal(run.n_vpcs[CDB_RUN_LAGGING], 1);
	assert_int_equal(run.n_vpcs[CDB_RUN_DRIFTED], 1);
	assert_int_equal(run.n_vpcs[CDB_RUN_FAILED], 1);
	assert_int_equal(run.drifts, 1);
	assert_non_null(strstr(run.reason, "CDB is away"));
	assert_string_equal(diffs[0].object, "port ??"
					     "?<b>");
	assert_string_equal(diffs[0].leg, "ports against CDB");
	assert_string_equal(diffs[0].change, "c1");
	assert_string_equal(diffs[1].class, "lag");
	assert_int_equal(diffs[1].vni, 102);
	report_clear(&report);
}

/* As many as find room, the worst first; and another cause or place is something else to show. */
static void the_worst_is_recorded(void **state)
{
	struct cdb_run_diff diffs[CDB_DIFFS_MAX];
	struct report_vpc *vpc;
	struct report report;
	struct cdb_run run, after;
	uint64_t signature;

	report_init(&report, "h1", 100);
	for (uint32_t i = 0; i < CDB_DIFFS_MAX; i++) {
		vpc = report_vpc(&report, 100 + i, NULL);
		assert_int_equal(report_add(&report, vpc, FINDING_LAG, WHAT_CONTENT, "content", "a", "b", NULL), 0);
		vpc->lag_ms = MAX_LAG + 1;
	}
	vpc = report_vpc(&report, 1000, NULL);
	assert_int_equal(report_add(&report, vpc, FINDING_MISSING, WHAT_PORT, "port x", "x", NULL, NULL), 0);
	assert_int_equal(record_sum(&report, MAX_LAG, &run, diffs), CDB_DIFFS_MAX);
	assert_string_equal(diffs[0].class, "missing");
	signature = watch_signature(&report, MAX_LAG);
	vpc->findings[0].leg = LEG_PORTS;
	record_sum(&report, MAX_LAG, &after, diffs);
	assert_int_not_equal(after.signature, run.signature);
	assert_int_equal(watch_signature(&report, MAX_LAG), signature);
	report_clear(&report);
}

static void records_are_rare_and_news_are_soon(void **state)
{
	struct record record = { 0 };
	struct report report;

	report_init(&report, "h1", 100);
	assert_true(record_is_due(&record, &report, MAX_LAG, 1000, 0));
	record = (struct record){ .any = true, .when_us = 1000, .signature = watch_signature(&report, MAX_LAG) };
	assert_false(record_is_due(&record, &report, MAX_LAG, 1000 + 47000000, 0));
	assert_true(record_is_due(&record, &report, MAX_LAG, 1000 + 48000000, 0));
	assert_false(record_is_due(&record, &report, MAX_LAG, 1000 + 71000000, 1023));
	assert_true(record_is_due(&record, &report, MAX_LAG, 1000 + 72000000, 1023));
	snprintf(report.reason, sizeof(report.reason), "no module");
	assert_false(record_is_due(&record, &report, MAX_LAG, 1000 + RECORD_LEAST_US - 1, 0));
	assert_true(record_is_due(&record, &report, MAX_LAG, 1000 + RECORD_LEAST_US, 0));
	report_clear(&report);
}

static void silence_is_a_state(void **state)
{
	struct cdb_run run = { .last = 10000, .result = CDB_RUN_LAGGING };

	assert_int_equal(fleet_state_of(&run, 10000, 300), FLEET_LAGGING);
	assert_int_equal(fleet_state_of(&run, 10300, 300), FLEET_LAGGING);
	assert_int_equal(fleet_state_of(&run, 10301, 300), FLEET_SILENT);
	run.last = 0;
	assert_int_equal(fleet_state_of(&run, 100, 300), FLEET_SILENT);
}

static char *page(struct cdb_fleet *of)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	assert_int_equal(fleet_print_html(of, 300000, to), 0);
	assert_int_equal(fclose(to), 0);
	return text;
}

/* Whoever may write into CDB must not be able to write into the page. */
static void the_page_escapes_and_needs_nothing_else(void **state)
{
	static const char *const never[] = { "<b><",  "x<b>",  "bad<b>", "<script", "src=",
					     "href=", "http:", "https:", "url(",    "@import" };
	struct cdb_run hosts[] = {
		{ .host = "ok", .began = 1, .last = 90000000, .result = CDB_RUN_CONSISTENT },
		{ .host = "bad<b>",
		  .began = 1,
		  .last = 90000000,
		  .result = CDB_RUN_FAILED,
		  .reason = "\"a\" & 'b' <b>" },
		{ .host = "never" },
	};
	struct cdb_fleet_diff diff = { .n_hosts = 1, .host = "x<b>" };
	struct cdb_fleet of = {
		.now = 90000000, .hosts = hosts, .n_hosts = 3, .diffs = &diff, .n_diffs = 1, .runs = hosts, .n_runs = 2
	};
	char *text;

	strcpy(diff.diff.class, "<b>");
	strcpy(diff.diff.leg, "agent to kernel");
	strcpy(diff.diff.object, "<b>");
	strcpy(diff.diff.want, "<script>alert(1)</script>");
	strcpy(diff.diff.have, "<b>");
	strcpy(diff.diff.change, "<b>");
	text = page(&of);
	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		if (strstr(text, never[i]))
			fail_msg("the page has %s", never[i]);
	assert_non_null(strstr(text, "&lt;script&gt;alert(1)&lt;/script&gt;"));
	assert_non_null(strstr(text, "&quot;a&quot; &amp; &#39;b&#39; &lt;b&gt;"));
	free(text);
}

/* A quarter of an hour ago it drifted, now it does not; another host has never said anything. */
static void the_page_has_the_past(void **state)
{
	struct cdb_run runs[] = {
		{ .host = "ha", .began = 89000000, .last = 89600000, .result = CDB_RUN_DRIFTED },
		{ .host = "ha", .began = 89700000, .last = 90000000, .result = CDB_RUN_CONSISTENT },
	};
	struct cdb_run hosts[] = { runs[1], { .host = "hb" } };
	struct cdb_fleet of = { .now = 90000000, .hosts = hosts, .n_hosts = 2, .runs = runs, .n_runs = 2 };
	char *text = page(&of);

	assert_non_null(strstr(text, "<title>1970-01-02 01:00:00 UTC, 1 consistent, 1 silent</title>"));
	assert_non_null(strstr(text, "<title>1970-01-02 00:45:00 UTC, 1 drifted, 1 silent</title>"));
	assert_non_null(strstr(text, "<title>1970-01-02 00:30:00 UTC, 2 silent</title>"));
	free(text);
}

/* And those of one state by name. */
static void the_page_has_the_worst_first(void **state)
{
	static const char *const order[] = { ">hf<", ">hg<", ">he<", ">hd<", ">hb<", ">hc<" };
	struct cdb_run hosts[] = {
		{ .host = "ha", .began = 1, .last = 90000000, .result = CDB_RUN_CONSISTENT },
		{ .host = "hb" },
		{ .host = "hc", .began = 1, .last = 80000000, .result = CDB_RUN_DRIFTED },
		{ .host = "hd", .began = 1, .last = 90000000, .result = CDB_RUN_LAGGING },
		{ .host = "he", .began = 1, .last = 90000000, .result = CDB_RUN_FAILED },
		{ .host = "hf", .began = 1, .last = 90000000, .result = CDB_RUN_DRIFTED },
		{ .host = "hg", .began = 1, .last = 90000000, .result = CDB_RUN_DRIFTED },
	};
	struct cdb_fleet of = { .now = 90000000, .hosts = hosts, .n_hosts = ARRAY_SIZE(hosts) };
	char *text = page(&of), *at = strstr(text, "Hosts that are not consistent");

	assert_null(strstr(text, ">ha<"));
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		at = at ? strstr(at, order[i]) : NULL;
		if (!at)
			fail_msg("%s is not where it belongs", order[i]);
	}
	free(text);
}

static char said[65536];
static char conf[] = "/tmp/vpc-test-fleet.XXXXXX";

/* vpc_reconcile fleet -c CONF ARGUMENTS; what it printed is in @said. */
static int run(const char *first, const char *second)
{
	char *argv[] = { "fleet", "-c", conf, (char *)first, (char *)second, NULL };
	int argc = 3 + !!first + !!second, status, out = dup(STDOUT_FILENO);
	FILE *to = tmpfile();
	ssize_t n;

	fflush(stdout);
	assert_int_equal(dup2(fileno(to), STDOUT_FILENO), STDOUT_FILENO);
	status = fleet_main(argc, argv);
	fflush(stdout);
	assert_int_equal(dup2(out, STDOUT_FILENO), STDOUT_FILENO);
	n = pread(fileno(to), said, sizeof(said) - 1, 0);
	said[n] = '\0';
	fclose(to);
	close(out);
	return status;
}

static void says(int status, const char *first, const char *second, const char *part)
{
	int r = run(first, second);

	if (r != status || !strstr(said, part))
		fail_msg("%s %s: %d, not %d with \"%s\": %s", first ? first : "", second ? second : "", r, status, part,
			 said);
}

static void make_conf(void)
{
	int fd = mkstemp(conf);

	assert_true(fd >= 0);
	dprintf(fd, "[cdb]\nsocket = %s\nuser = %s\npassword = %s\ndatabase = %s\n", rig_config.cdb_socket,
		rig_config.cdb_user, rig_config.cdb_password, rig_config.cdb_database);
	close(fd);
}

static void the_command_shows_all_of_it(void **state)
{
	char html[] = "/tmp/vpc-test-page.XXXXXX", *of_page;

	hosts_new();
	make_conf();
	for (int i = 0; i < 4; i++)
		write_run((char[]){ 'h', 'a' + i, 0 }, CDB_RUN_CONSISTENT, 1, 0, "");
	says(0, NULL, NULL, "fleet: 4 hosts: 4 consistent, 0 lagging, 0 drifted, 0 could not compare, 0 silent");
	assert_null(strstr(said, "ha "));
	says(0, "-v", NULL, "\nhd ");
	ok(cdb_command(rig_cdb, "UPDATE reconcile_run SET result = 'lagging', lag_ms = 70000 WHERE host = 'ha'", &err));
	says(3, NULL, NULL, "behind for 70 s");
	ok(cdb_command(rig_cdb, "UPDATE reconcile_run SET last = last - 400000 WHERE host = 'hb'", &err));
	says(2, NULL, NULL, ", 1 silent;");
	says(3, "--silent", "500", ", 0 silent;");
	ok(cdb_command(rig_cdb, "UPDATE reconcile_run SET began = began - 1000", &err));
	write_run("hc", CDB_RUN_DRIFTED, 6, 1, "route <b>");
	write_run("hd", CDB_RUN_DRIFTED, 6, 1, "route <b>");
	says(1, NULL, NULL,
	     "2 hosts  missing    VPC 100, route <b>: CDB has nexthop 7 (agent to kernel; on hc and others)");
	says(1, "-j", NULL,
	     "\"counts\":{\"consistent\":0,\"lagging\":1,\"drifted\":2,\"could not compare\":0,\"silent\":1}");
	assert_non_null(
		strstr(said, "\"differences\":[{\"hosts\":2,\"host\":\"hc\",\"vni\":100,\"class\":\"missing\""));
	/* A host is not to write to the terminal of who looks at it. */
	ok(cdb_command(rig_cdb, "UPDATE reconcile_diff SET object = CONCAT('a', CHAR(27), '[2J'), have = CHAR(7)",
		       &err));
	ok(cdb_command(rig_cdb, "UPDATE reconcile_run SET reason = CONCAT('b', CHAR(27), ']0;') WHERE host = 'hd'",
		       &err));
	says(1, NULL, NULL, "a?[2J");
	assert_non_null(strstr(said, "b?]0;"));
	assert_null(strpbrk(said, "\033\a"));
	cdb_fleet_clear(&fleet);
	ok(cdb_fleet_load(rig_cdb, 300000, 1, 2, &fleet, &err));
	assert_true(fleet.runs_cut);
	assert_int_equal(fleet.n_runs, 2);
	assert_non_null(strstr(of_page = page(&fleet), "Only the newest 2 results were read"));
	free(of_page);
	close(mkstemp(html));
	says(1, "--html", html, "fleet:");
	assert_int_equal(unlink(html), 0);
	assert_int_equal(run("--html", "/nonexistent/page"), 2);
	assert_int_equal(run("--silent", "0"), 2);
	ok(cdb_command(rig_cdb, "RENAME TABLE reconcile_diff TO reconcile_diff_away", &err));
	assert_int_equal(run(NULL, NULL), 2);
	ok(cdb_command(rig_cdb, "RENAME TABLE reconcile_diff_away TO reconcile_diff", &err));
	assert_int_equal(unlink(conf), 0);
}

static void metrics_take_the_place_of_those_before(void **state)
{
	static const char *const lines[] = {
		"vpc_reconcile_result{result=\"drift\"} 1\n",
		"vpc_reconcile_result{result=\"consistent\"} 0\n",
		"vpc_reconcile_vpcs{result=\"drift\"} 1\n",
		"vpc_reconcile_rounds_total{result=\"consistent\"} 7\n",
		"vpc_reconcile_rounds_total{result=\"drift\"} 2\n",
		"vpc_reconcile_differences{class=\"foreign\"} 1\n",
		"vpc_reconcile_differences_by_leg{leg=\"ports against CDB\"} 1\n",
		"vpc_reconcile_lag_seconds 1.5\n",
		"vpc_reconcile_last_round_timestamp_seconds 1234.5\n",
	};
	char dir[] = "/tmp/vpc-test-metrics.XXXXXX", path[64], text[8192];
	struct totals totals = { .rounds = { 7 } };
	struct report_vpc *vpc;
	struct report report;
	struct stat st;
	_cleanup_free_ char *metrics = NULL;
	struct vpc_err err;
	FILE *from;

	report_init(&report, "h1", 100);
	vpc = report_vpc(&report, 100, "red");
	assert_int_equal(report_add(&report, vpc, FINDING_FOREIGN, WHAT_PORT, "port x", NULL, "y", NULL), 0);
	vpc->findings[0].leg = LEG_PORTS;
	vpc->lag_ms = 1500;
	report.time_ms = 1234500;
	totals_add(&totals, &report);
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/vpc.prom", dir);
	assert_int_equal(reconcile_metrics_write(path, "of the round before\n", &err), 0);
	totals_add(&totals, &report);
	metrics = reconcile_metrics_text(&report, &totals);
	assert_int_equal(reconcile_metrics_write(path, metrics, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	from = fopen(path, "r");
	text[fread(text, 1, sizeof(text) - 1, from)] = '\0';
	fclose(from);
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		if (!strstr(text, lines[i]))
			fail_msg("no %s in %s", lines[i], text);
	/* In vain, and what is there stays. */
	assert_int_equal(reconcile_metrics_write("/nonexistent/vpc.prom", metrics, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/vpc.prom"));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
	report_clear(&report);
}

static void await(int fd, const char *what)
{
	char text[512];
	ssize_t n;

	do {
		n = recv(fd, text, sizeof(text) - 1, 0);
		if (n < 0)
			fail_msg("systemd never heard %s", what);
		text[n > 0 ? n : 0] = '\0';
	} while (!strstr(text, what));
}

/* The module is not here, and no server at this port: rounds fail, and the watch goes on until it is told to end. */
static void a_watch_notifies_and_ends_in_order(void **state)
{
	static const struct options o = { .watch_s = 1, .max_findings = 10 };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = 20 };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), status;
	struct vpc_config config = { .cdb_host = "127.0.0.1", .cdb_port = 1, .cdb_database = "x", .cdb_timeout_s = 1 };
	struct round round = { .options = &o, .config = &config, .host = "h1" };
	pid_t pid;

	snprintf(un.sun_path, sizeof(un.sun_path), "/tmp/vpc-test-notify.%d", (int)getpid());
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	fflush(NULL);
	pid = fork();
	if (!pid) {
		setenv("NOTIFY_SOCKET", un.sun_path, 1);
		_exit(!freopen("/dev/null", "w", stdout) || watch_run(&round) ? 1 : 0);
	}
	await(fd, "READY=1");
	await(fd, "STATUS=h1: could not compare");
	assert_int_equal(kill(pid, SIGTERM), 0);
	await(fd, "STOPPING=1");
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	close(fd);
	unlink(un.sun_path);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_result_is_one_row), cmocka_unit_test(an_account_of_its_own_host),
		cmocka_unit_test(the_age_of_others_rows),
		cmocka_unit_test(the_same_difference_on_many_hosts_is_one),
		cmocka_unit_test(all_of_it_is_bounded),
		cmocka_unit_test(reads_take_turns),
		cmocka_unit_test(a_report_is_summed_up),
		cmocka_unit_test(the_worst_is_recorded),
		cmocka_unit_test(records_are_rare_and_news_are_soon),
		cmocka_unit_test(silence_is_a_state),
		cmocka_unit_test(the_page_escapes_and_needs_nothing_else),
		cmocka_unit_test(the_page_has_the_past),
		cmocka_unit_test(the_page_has_the_worst_first),
		cmocka_unit_test(the_command_shows_all_of_it),
		cmocka_unit_test(a_watch_notifies_and_ends_in_order),
		cmocka_unit_test(metrics_take_the_place_of_those_before),
	};
	int failed = cmocka_run_group_tests(tests, rig_setup, rig_teardown);

	cdb_fleet_clear(&fleet);
	return failed;
}
