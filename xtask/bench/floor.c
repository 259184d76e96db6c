/* The least a container can be, as the floor that runtimes are compared with: the same namespaces,
 * a private mount tree, /proc and /dev, a pivot, execve, wait. No cgroup, no capabilities, no
 * filter, no state, no checks.
 *
 *   floor ROOTFS PROGRAM ARGUMENT...
 */
#define _GNU_SOURCE
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(long result, const char *what)
{
	if (result < 0) {
		perror(what);
		_exit(125);
	}
}

static void child(char **words)
{
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
	must(mount(words[1], words[1], NULL, MS_BIND | MS_REC, NULL), "bind");
	must(chdir(words[1]), "chdir");
	must(mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "proc");
	must(mount("tmpfs", "dev", "tmpfs", MS_NOSUID, "mode=755,size=65536k"), "dev");
	must(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	must(umount2(".", MNT_DETACH), "umount");
	must(chdir("/"), "chdir /");
	must(sethostname("floor", 5), "sethostname");
	execv(words[2], words + 2);
	must(-1, "execve");
}

int main(int count, char **words)
{
	if (count < 3)
		return 125;
	struct clone_args arguments = {
		.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP,
		.exit_signal = SIGCHLD,
	};
	long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
	must(pid, "clone3");
	if (pid == 0)
		child(words);
	int status;
	must(waitpid(pid, &status, 0), "wait");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
