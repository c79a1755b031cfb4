// SPDX-License-Identifier: Apache-2.0
/*
 * engine [-n ROUNDS] [STREAM...]
 *
 * The reclaim engine without a VM: the tracker by itself, then the messages of each recording
 * and of a made-up one. engine.awk makes a table of it and explains the columns.
 */
#include "tests/bench/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "vmm/base/log.h"

int main(int argc, char **argv)
{
	unsigned long rounds = 1;
	struct stream s;
	int opt;

	while ((opt = getopt(argc, argv, "n:")) != -1) {
		if (opt != 'n' || !(rounds = strtoul(optarg, NULL, 10))) {
			fprintf(stderr, "usage: engine [-n ROUNDS] [STREAM...]\n");
			return 2;
		}
	}
	log_set_level(LOG_WARN);
	for (unsigned round = 1; round <= rounds; round++) {
		bench_tracker(round);
		for (int i = optind; i < argc; i++) {
			stream_load(&s, argv[i]);
			bench_replay(&s, round);
			stream_free(&s);
		}
		stream_scatter(&s);
		bench_replay(&s, round);
		stream_free(&s);
	}
	return 0;
}
