/* Starts a program and measures it: wall time, processor time, peak memory.
 *
 *   launcher [--count N] [--parallel] [--limit SECONDS] [--hide FILE]... -- PROGRAM ARGUMENT...
 *
 * In the arguments, '@' stands for the number of the copy. Prints one line:
 *   WALL_NS USER_US SYSTEM_US PEAK_KIB FAILED
 *
 * Small and static, so that what it adds to the program it starts is next to nothing: a program
 * inherits the peak memory of the process it was started from. --hide makes a private mount
 * namespace in which FILE is empty.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 1024, WORDS = 128 };

static pid_t children[MOST];
static volatile sig_atomic_t running;

static void fail(const char *what)
{
	perror(what);
	exit(125);
}

static void late(int number)
{
	(void)number;
	for (int i = 0; i < running; i++)
		if (children[i] > 0)
			kill(children[i], SIGKILL);
}

static void hide(const char *file)
{
	static int apart;
	if (!apart && (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)))
		fail("private mount namespace");
	apart = 1;
	if (mount("/dev/null", file, NULL, MS_BIND, NULL))
		fail(file);
}

/* Replaces every '@' of word by the number; the result lives as long as the process. */
static char *numbered(const char *word, int number)
{
	if (!strchr(word, '@'))
		return (char *)word;
	char *out = malloc(strlen(word) * 12 + 1), *at = out;
	if (!out)
		fail("malloc");
	for (; *word; word++)
		if (*word == '@')
			at += sprintf(at, "%d", number);
		else
			*at++ = *word;
	*at = 0;
	return out;
}

extern char **environ;

static void start(int number, char **words, posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes)
{
	char *arguments[WORDS] = { 0 };
	for (int i = 0; words[i] && i < WORDS - 1; i++)
		arguments[i] = numbered(words[i], number);
	if (posix_spawn(&children[number], arguments[0], actions, attributes, arguments, environ)) {
		fprintf(stderr, "cannot start %s\n", arguments[0]);
		exit(125);
	}
	running = number + 1;
}

static int wait_for(int number)
{
	int status;
	while (waitpid(children[number], &status, 0) < 0)
		;
	children[number] = 0;
	return !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(int count_of_words, char **words)
{
	int count = 1, parallel = 0, limit = 30, failed = 0, at = 1;
	for (; at < count_of_words && strcmp(words[at], "--"); at++) {
		if (!strcmp(words[at], "--count"))
			count = atoi(words[++at]);
		else if (!strcmp(words[at], "--parallel"))
			parallel = 1;
		else if (!strcmp(words[at], "--limit"))
			limit = atoi(words[++at]);
		else if (!strcmp(words[at], "--hide"))
			hide(words[++at]);
	}
	if (at + 1 >= count_of_words || count < 1 || count > MOST) {
		fprintf(stderr, "launcher: nothing to start\n");
		return 125;
	}
	words += at + 1;

	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	posix_spawnattr_t attributes;
	posix_spawnattr_init(&attributes);
	sigset_t none;
	sigemptyset(&none);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	/* Before other work of the machine, where we may: what is left of it hits all alike. */
	(void)!setpriority(PRIO_PROCESS, 0, -20);
	signal(SIGALRM, late);
	alarm(limit);

	struct timespec begin, end;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (int i = 0; i < count; i++) {
		start(i, words, &actions, &attributes);
		if (!parallel)
			failed += wait_for(i);
	}
	for (int i = 0; parallel && i < count; i++)
		failed += wait_for(i);
	clock_gettime(CLOCK_MONOTONIC, &end);

	struct rusage usage;
	getrusage(RUSAGE_CHILDREN, &usage);
	printf("%lld %lld %lld %ld %d\n",
	       (end.tv_sec - begin.tv_sec) * 1000000000LL + end.tv_nsec - begin.tv_nsec,
	       usage.ru_utime.tv_sec * 1000000LL + usage.ru_utime.tv_usec,
	       usage.ru_stime.tv_sec * 1000000LL + usage.ru_stime.tv_usec,
	       usage.ru_maxrss, failed);
	return 0;
}
