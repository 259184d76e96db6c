/* Answers some system calls with an errno, by a seccomp filter that everything below inherits, as a
 * container engine's or a service manager's filter does: block ERRNO NUMBER[,NUMBER...] COMMAND... */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOST 32

int main(int argc, char **argv)
{
    struct sock_filter program[2 * MOST + 2];
    unsigned short length = 0;
    if (argc < 4)
        return 2;
    unsigned answer = SECCOMP_RET_ERRNO | (unsigned)atoi(argv[1]);
    program[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    int count = 0;
    for (char *word = strtok(argv[2], ","); word && count < MOST; word = strtok(NULL, ","), count++) {
        program[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)atoi(word), 0, 1);
        program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, answer);
    }
    program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog filter = {length, program};
    /* Without no_new_privs: what lies below may be set-user-id, as on a real host. */
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter)) {
        perror("block: seccomp");
        return 2;
    }
    execvp(argv[3], argv + 3);
    perror("block: execvp");
    return 2;
}
