/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One audit and its report. One that takes its time keeps its progress in a file (progress.h), says how far it came
 * when it is ended by SIGINT or SIGTERM, and goes on there with --resume.
 */
#ifndef VPC_RECONCILE_ONCE_H
#define VPC_RECONCILE_ONCE_H

#include "round.h"

#define EXIT_COULD_NOT_COMPARE 2

/* Prints the report, or why there is none. Return: what the program is to end with. */
int once_run(struct round *round);

#endif
