// SPDX-License-Identifier: Apache-2.0
/*
 * What publisher/garbage.c takes for garbage, and when it is due.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include "../../lib/util.h"
#include "../../publisher/garbage.h"

static struct publisher p;
/* s40 and l61..l70 are named. */
static struct pub_head head = { .state = PUB_HEAD_GOOD,
				.head = { .vni = 7, .epoch = 70, .snapshot = 40, .oldest = 61 } };

/* Nothing here reads ZooKeeper. */
int pub_children(struct publisher *pub, const char *path, char ***ret_names, size_t *ret_n, struct vpc_err *err)
{
	return -ENOENT;
}

static int teardown(void **state)
{
	pub_garbage_free(p.garbage);
	return 0;
}

static void start(unsigned int delay_s)
{
	assert_int_equal(pub_garbage_new(delay_s, &p.garbage), 0);
}

/* Takes and deletes the next one that is due. */
static void assert_due(char kind, uint64_t from, uint64_t to)
{
	struct garbage_node *node = garbage_due(p.garbage);

	assert_non_null(node);
	assert_int_equal(node->vni, 7);
	assert_int_equal(node->kind, kind);
	assert_int_equal(node->from, from);
	assert_int_equal(node->to, to);
	garbage_take(p.garbage, node);
	garbage_gone(p.garbage, node);
}

static void test_names(void **state)
{
	char *const names[] = { "s40", "s39", "l60", "l61", "l70", "l71", "s", "lx", "l5x", "x1", "s39", "c000" };

	start(0);
	assert_false(pub_garbage_knows(&p, 7));
	assert_int_equal(pub_garbage_note(&p, &head, names, ARRAY_SIZE(names)), 0);
	assert_true(pub_garbage_knows(&p, 7));
	assert_false(pub_garbage_knows(&p, 8));
	assert_false(pub_garbage_knows(&p, 6));
	assert_due('l', 60, 60);
	assert_due('l', 71, 71);
	assert_due('s', 39, 39);
	assert_null(garbage_due(p.garbage));
	/* Deleted, so it may become garbage again. */
	assert_int_equal(pub_garbage_note(&p, &head, names, ARRAY_SIZE(names)), 0);
	assert_due('l', 60, 60);
	assert_due('l', 71, 71);
	assert_due('s', 39, 39);
	pub_garbage_forget(p.garbage);
	assert_false(pub_garbage_knows(&p, 7));
}

/* What is next to each other is one row, whatever the order. */
static void test_rows(void **state)
{
	char *const names[] = { "l9", "l12", "l11", "l10", "l14", "s9", "s10", "l58" };
	struct vpc_head was = head.head, is = head.head;
	struct vpc_err err;

	start(0);
	assert_int_equal(pub_garbage_note(&p, &head, names, ARRAY_SIZE(names)), 0);
	assert_due('l', 9, 12);
	assert_due('l', 14, 14);
	assert_due('l', 58, 58);
	assert_due('s', 9, 9);
	assert_due('s', 10, 10);
	was.oldest = 1000;
	is.oldest = 1000 + 2 * GARBAGE_ROW_MAX + 1;
	is.epoch = was.epoch = 3000;
	assert_int_equal(pub_garbage_past(&p, &was, &is, &err), 0);
	assert_due('l', 1000, 1000 + GARBAGE_ROW_MAX - 1);
	assert_due('l', 1000 + GARBAGE_ROW_MAX, 1000 + 2 * GARBAGE_ROW_MAX - 1);
	assert_due('l', 1000 + 2 * GARBAGE_ROW_MAX, 1000 + 2 * GARBAGE_ROW_MAX);
	assert_null(garbage_due(p.garbage));
}

static void test_past(void **state)
{
	struct vpc_head is = head.head;
	struct vpc_err err;

	start(0);
	assert_int_equal(pub_garbage_past(&p, &head.head, &is, &err), 0);
	is.epoch = 71;
	assert_int_equal(pub_garbage_past(&p, &head.head, &is, &err), 0);
	assert_null(garbage_due(p.garbage));
	is.snapshot = 71;
	is.oldest = 68;
	assert_int_equal(pub_garbage_past(&p, &head.head, &is, &err), 0);
	assert_due('s', 40, 40);
	assert_due('l', 61, 67);
	assert_null(garbage_due(p.garbage));
}

static void test_named_again(void **state)
{
	struct garbage_node node = { .kind = 'l', .from = 50, .to = 60 };

	assert_false(garbage_named(&head.head, &node));
	node.to = 61;
	assert_true(garbage_named(&head.head, &node));
	node.from = 70;
	node.to = 80;
	assert_true(garbage_named(&head.head, &node));
	node.from = 71;
	assert_false(garbage_named(&head.head, &node));
	node = (struct garbage_node){ .kind = 's', .from = 40, .to = 40 };
	assert_true(garbage_named(&head.head, &node));
	node.from = 61;
	assert_false(garbage_named(&head.head, &node));
}

static void test_delay(void **state)
{
	struct vpc_head was = head.head, is = head.head;
	struct garbage_node *node;
	struct vpc_err err;

	start(3600);
	is.oldest = 65;
	assert_int_equal(pub_garbage_past(&p, &was, &is, &err), 0);
	assert_null(garbage_due(p.garbage));
	/* So many that ZooKeeper's memory is worth more than readers that lag by so much: the oldest go at once. */
	was.oldest = 1000000;
	is.oldest = 1099998;
	is.epoch = was.epoch = 1100000;
	assert_int_equal(pub_garbage_past(&p, &was, &is, &err), 0);
	node = garbage_due(p.garbage);
	assert_non_null(node);
	assert_int_equal(node->from, 61);
	/* One that failed waits all the same. */
	garbage_take(p.garbage, node);
	assert_null(garbage_due(p.garbage));
	node->failed = -ENOTEMPTY;
	garbage_again(p.garbage, node, true);
	assert_non_null(garbage_due(p.garbage));
	garbage_take(p.garbage, node);
	garbage_again(p.garbage, node, false);
	assert_int_equal(garbage_due(p.garbage)->from, 1000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_names, teardown),
		cmocka_unit_test_teardown(test_rows, teardown),
		cmocka_unit_test_teardown(test_past, teardown),
		cmocka_unit_test(test_named_again),
		cmocka_unit_test_teardown(test_delay, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
