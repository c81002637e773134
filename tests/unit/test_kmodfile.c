// SPDX-License-Identifier: Apache-2.0
/*
 * A module's file judged before it is inserted: a small one made here is taken, others are refused with the reason, and
 * whatever its bytes say, nothing outside of it is read.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../lib/kmodfile.h"

static const char strings[] = "\0.shstrtab\0.modinfo\0.note.gnu.build-id";
static const char note[] = "\4\0\0\0\4\0\0\0\3\0\0\0GNU\0abcd";

struct image {
	Elf64_Ehdr ehdr;
	Elf64_Shdr shdrs[4];
	char strings[sizeof(strings)];
	char note[sizeof(note) - 1];
	char modinfo[128];
};

#define SECTION(name_, field, len)                                                                \
	{                                                                                         \
		.sh_name = name_, .sh_type = SHT_PROGBITS, .sh_offset = offsetof(struct image, field), \
		.sh_size = len                                                                    \
	}

static void image_make(struct image *image, const char *modinfo, size_t len)
{
	*image = (struct image){
		.ehdr = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64 },
			  .e_type = ET_REL,
			  .e_shoff = offsetof(struct image, shdrs),
			  .e_shentsize = sizeof(Elf64_Shdr),
			  .e_shnum = 4,
			  .e_shstrndx = 1 },
		.shdrs = { { 0 },
			   SECTION(1, strings, sizeof(strings)),
			   SECTION(11, modinfo, len),
			   SECTION(20, note, sizeof(note) - 1) },
	};
	memcpy(image->strings, strings, sizeof(strings));
	memcpy(image->note, note, sizeof(note) - 1);
	memcpy(image->modinfo, modinfo, len);
}

/* A copy of exactly @len bytes: the address sanitizer sees a read beyond. */
static int parse(const struct image *image, size_t len, struct kmodfile *ret, struct vpc_err *err)
{
	char *copy = malloc(len ? len : 1);

	memcpy(copy, image, len);
	return kmodfile_parse("f.ko", "vpc", copy, len, ret, err);
}

static const char modinfo[] = "license=GPL\0name=vpc\0version=1.2\0vermagic=6.1 SMP";

static void taken(void **state)
{
	struct kmodfile file;
	struct image image;
	struct vpc_err err = { "" };

	image_make(&image, modinfo, sizeof(modinfo));
	assert_int_equal(parse(&image, sizeof(image), &file, &err), 0);
	assert_string_equal(file.version, "1.2");
	assert_string_equal(file.vermagic, "6.1 SMP");
	assert_int_equal(file.build_id_len, sizeof(note) - 1);
	assert_memory_equal(file.build_id, note, sizeof(note) - 1);
	assert_false(kmodfile_is_running(&file, "vpc-no-such-module"));
	assert_true(kmodfile_remove("vpc-no-such-module", &err) < 0);
	assert_non_null(strstr(err.text, "module vpc-no-such-module cannot be removed: "));
	kmodfile_close(&file);
	kmodfile_close(&file);
}

static void refused(void **state)
{
	static const struct {
		const char *modinfo;
		size_t len;
		const char *says;
	} cases[] = {
		{ "name=vpx\0vermagic=6.1", 22, "f.ko: this is module 'vpx', not 'vpc'" },
		{ "vermagic=6.1", 13, "f.ko: this is module '?', not 'vpc'" },
		{ "name=vpc", 9, "f.ko: it does not say which kernel it is for" },
		{ "name=vpc", 8, "f.ko: this is module '?', not 'vpc'" }, /* no NUL */
	};
	struct kmodfile file;
	struct image image;
	struct vpc_err err;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		image_make(&image, cases[i].modinfo, cases[i].len);
		assert_int_equal(parse(&image, sizeof(image), &file, &err), -EINVAL);
		assert_string_equal(err.text, cases[i].says);
	}
	image_make(&image, modinfo, sizeof(modinfo));
	image.ehdr.e_type = ET_EXEC;
	assert_int_equal(parse(&image, sizeof(image), &file, &err), -EINVAL);
	assert_string_equal(err.text, "f.ko: not a kernel module (an ELF object, not compressed)");
	assert_int_equal(kmodfile_open("/dev/null", "vpc", &file, &err), -EINVAL);
	assert_int_equal(kmodfile_open("/no/such.ko", "vpc", &file, &err), -ENOENT);
	assert_string_equal(err.text, "/no/such.ko: No such file or directory");
}

static void hostile(void **state)
{
	struct kmodfile file;
	struct image image;

	image_make(&image, modinfo, sizeof(modinfo));
	for (size_t len = 0; len < offsetof(struct image, modinfo) + sizeof(modinfo); len++)
		assert_int_equal(parse(&image, len, &file, NULL), -EINVAL);
	srand(5);
	for (int i = 0; i < 100000; i++) {
		struct image bad = image;
		char *bytes = (char *)&bad;

		for (int flips = 1 + rand() % 4; flips; flips--)
			bytes[rand() % sizeof(bad)] = rand() % 2 ? rand() : 0xff;
		if (!parse(&bad, sizeof(bad), &file, NULL))
			kmodfile_close(&file);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(taken),
		cmocka_unit_test(refused),
		cmocka_unit_test(hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
