/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One error text, filled where the failure is understood and printed once by whoever called last. Libraries don't log.
 */
#ifndef VPC_ERR_H
#define VPC_ERR_H

struct vpc_err {
	char text[512];
};

/**
 * vpc_err_set() - write the text and hand the code back, so that `return vpc_err_set(err, -EINVAL, ...)` reads well
 * @err: may be NULL
 * @code: negative errno
 * @fmt: one line without a full stop: names the thing, says what is wrong and, where it helps, what to do.
 *	 Control characters in what it quotes become '?'
 */
int vpc_err_set(struct vpc_err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts "fmt: " before the text that is already there; returns @code. */
int vpc_err_prefix(struct vpc_err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
