// SPDX-License-Identifier: Apache-2.0
/*
 * vpcctl kernel save and restore: a namespace's whole state as text and back, as `nft list ruleset` and
 * `nft -f` have it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "../lib/kstate.h"
#include "kernel_ctl.h"

static const char save_help[] = "Usage: vpcctl kernel save [VNI...] [netns NAME]\n\n"
				"All of this namespace's kernel state, or that of some VPCs with their ports, one\n"
				"thing a line, as `vpcctl kernel restore` reads it.\n";
static const char restore_help[] =
	"Usage: vpcctl kernel restore {FILE | -} [netns NAME]\n\n"
	"Makes the kernel what FILE says, for every VPC that it names; others are left alone. Lines:\n"
	"  host [vtep4 ADDRESS] [vtep6 ADDRESS] [port N]\n"
	"  vpc VNI [epoch N] [digest HEX] [quota BYTES] [strict]\n"
	"  nexthop VNI ID {local | blackhole | prohibit | unreachable | group}\n"
	"  nexthop VNI ID {host | gateway} VTEP [vni N] [mac MAC]\n"
	"  nexthop VNI ID peer VNI [table N]\n"
	"  member VNI GROUP NEXTHOP [weight N]\n"
	"  route VNI TABLE PREFIX NEXTHOP\n"
	"  port DEV vpc VNI mac MAC [table N] [addr PREFIX]... [gateway4 ADDRESS] [gateway6 ADDRESS]\n"
	"       [subnet6 PREFIX] [no-source-check]\n"
	"  # comment\n"
	"Nothing is changed when a line is bad. The agent undoes what CDB does not say.\n";

static bool wants_help(int argc, char **argv)
{
	return argc && (!strcmp(argv[0], "help") || !strcmp(argv[argc - 1], "--help") || !strcmp(argv[0], "-h"));
}

/* The leading VNIs; what is behind them is for ctl_args(). */
static int take_vnis(struct ctl *ctl, int argc, char **argv, uint32_t *vnis, int *ret_n)
{
	struct ctl_arg arg = { "VNI", CTL_U32, NULL, .required = true };
	int n = 0, r;

	for (; n < argc && strcmp(argv[n], "netns"); n++) {
		arg.value = &vnis[n];
		arg.given = false;
		r = ctl_args(ctl, &arg, 1, 1, argv + n);
		if (r)
			return r;
	}
	*ret_n = n;
	return 0;
}

int cmd_kernel_save(struct ctl *ctl, int argc, char **argv)
{
	_cleanup_free_ uint32_t *vnis = calloc(argc + 1, sizeof(*vnis));
	_cleanup_(kernel_closep) struct kernel *k = NULL;
	const char *netns = NULL;
	struct ctl_arg args[] = { { "netns", CTL_WORD, &netns } };
	struct kstate ks;
	int n = 0, r;

	if (wants_help(argc, argv)) {
		fputs(save_help, stdout);
		return 0;
	}
	if (!vnis)
		return vpc_err_set(&ctl->err, -ENOMEM, "out of memory");
	r = take_vnis(ctl, argc, argv, vnis, &n);
	if (!r)
		r = kernel_ctl_open(ctl, args, ARRAY_SIZE(args), argc - n, argv + n, &netns, &k);
	if (!r)
		r = kstate_read(k, n ? vnis : NULL, n, &ks, &ctl->err);
	if (r)
		return r;
	r = kstate_print(&ks, stdout);
	kstate_clear(&ks);
	return r ? vpc_err_set(&ctl->err, r, "cannot write: %s", strerror(errno)) : 0;
}

/* A whole file or stream. */
static int read_all(const char *name, char **ret_text, size_t *ret_len, struct vpc_err *err)
{
	_cleanup_close_ int fd = -1;
	int in = STDIN_FILENO;
	size_t len = 0, cap = 0;
	char *text = NULL, *bigger;
	struct stat st;
	ssize_t n;

	if (strcmp(name, "-")) {
		in = fd = open(name, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return vpc_err_set(err, -errno, "%s: %s", name, strerror(errno));
	}
	if (!fstat(in, &st) && S_ISREG(st.st_mode))
		cap = st.st_size + 1;
	do {
		if (len == cap || !text) {
			cap = text ? 2 * cap : cap ?: 65536;
			bigger = realloc(text, cap);
			if (!bigger) {
				free(text);
				return vpc_err_set(err, -ENOMEM, "%s: out of memory", name);
			}
			text = bigger;
		}
		n = read(in, text + len, cap - len);
		len += n > 0 ? n : 0;
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0) {
		free(text);
		return vpc_err_set(err, -errno, "%s: %s", name, strerror(errno));
	}
	*ret_text = text;
	*ret_len = len;
	return 0;
}

int cmd_kernel_restore(struct ctl *ctl, int argc, char **argv)
{
	_cleanup_(kernel_closep) struct kernel *k = NULL;
	_cleanup_free_ char *text = NULL;
	const char *netns = NULL, *file = NULL;
	struct ctl_arg args[] = { { "FILE", CTL_WORD, &file, .required = true }, { "netns", CTL_WORD, &netns } };
	struct kstate ks;
	size_t len = 0;
	int r;

	if (wants_help(argc, argv)) {
		fputs(restore_help, stdout);
		return 0;
	}
	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r)
		r = read_all(file, &text, &len, &ctl->err);
	if (!r)
		r = kstate_parse(strcmp(file, "-") ? file : "standard input", text, len, &ks, &ctl->err);
	if (r)
		return r;
	r = kernel_open(netns, &k, &ctl->err);
	if (!r)
		r = kstate_apply(k, &ks, &ctl->err);
	kstate_clear(&ks);
	return r;
}
