// SPDX-License-Identifier: Apache-2.0
/*
 * Credentials for ZooKeeper; see zk_auth.h.
 */
#include "zk_auth.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sha1.h"
#include "util.h"

#define HOST_KEY_LEN 32
#define USER_MAX     120

static int mode_check(int fd, const char *path, struct vpc_err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return vpc_err_set(err, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return vpc_err_set(err, -EPERM, "%s: it is not a file", path);
	if (st.st_uid != geteuid() && st.st_uid)
		return vpc_err_set(err, -EPERM, "%s: it belongs to user %u, not to this program's or to root",
				   path, st.st_uid);
	if (st.st_mode & 027)
		return vpc_err_set(err, -EPERM,
				   "%s: mode %04o: others may read it, or its group may write it: chmod 640 or 600",
				   path, st.st_mode & 07777);
	return 0;
}

/* @text: a line, with its end. */
static int credential_check(char *text)
{
	size_t len = strcspn(text, "\n");
	char *colon = strchr(text, ':');

	if (text[len] && text[len + 1])
		return -EINVAL;
	text[len] = '\0';
	for (const char *p = text; *p; p++)
		if (*p <= ' ' || *p > '~')
			return -EINVAL;
	return colon && colon > text && colon - text <= USER_MAX && colon[1] ? 0 : -EINVAL;
}

int zk_credential_load(const char *path, char ret[ZK_CREDENTIAL_MAX], struct vpc_err *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char text[ZK_CREDENTIAL_MAX + 2];
	ssize_t n;
	int r;

	if (fd < 0)
		return vpc_err_set(err, -errno, "%s: %s", path, strerror(errno));
	r = mode_check(fd, path, err);
	if (r)
		return r;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return vpc_err_set(err, -errno, "%s: %s", path, strerror(errno));
	text[n] = '\0';
	if (memchr(text, '\0', n) || strlen(text) > ZK_CREDENTIAL_MAX || credential_check(text) ||
	    strlen(text) >= ZK_CREDENTIAL_MAX)
		r = vpc_err_set(err, -EINVAL,
				"%s: it does not hold one line \"user:password\", of %d characters at most", path,
				ZK_CREDENTIAL_MAX - 1);
	else
		strcpy(ret, text);
	sodium_memzero(text, sizeof(text));
	return r;
}

void zk_credential_host(const char *credential, const char *host, char ret[ZK_CREDENTIAL_MAX])
{
	static const char purpose[] = "vpc host credential ";
	uint8_t key[crypto_generichash_KEYBYTES_MAX], hash[HOST_KEY_LEN];
	char hex[2 * HOST_KEY_LEN + 1];
	crypto_generichash_state state;

	crypto_generichash(key, sizeof(key), (const uint8_t *)credential, strlen(credential), NULL, 0);
	crypto_generichash_init(&state, key, sizeof(key), sizeof(hash));
	crypto_generichash_update(&state, (const uint8_t *)purpose, strlen(purpose));
	crypto_generichash_update(&state, (const uint8_t *)host, strlen(host));
	crypto_generichash_final(&state, hash, sizeof(hash));
	sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
	snprintf(ret, ZK_CREDENTIAL_MAX, "%s:%s", host, hex);
	sodium_memzero(key, sizeof(key));
}

void zk_credential_id(const char *credential, char ret[ZK_ID_MAX])
{
	char base64[sodium_base64_ENCODED_LEN(SHA1_LEN, sodium_base64_VARIANT_ORIGINAL)];
	uint8_t hash[SHA1_LEN];

	sha1(credential, strlen(credential), hash);
	sodium_bin2base64(base64, sizeof(base64), hash, sizeof(hash), sodium_base64_VARIANT_ORIGINAL);
	snprintf(ret, ZK_ID_MAX, "%.*s:%s", (int)strcspn(credential, ":"), credential, base64);
}
