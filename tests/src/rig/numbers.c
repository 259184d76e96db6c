/* Asks a seccomp filter that is in force about every system call number from 0 to 600, through the
 * three interfaces of an x86 kernel, without making one of the calls: a filter of our own on top
 * hands over to us whatever the one below lets through, and we answer in the kernel's place.
 * One line each: interface, number, and 0 for open, the errno, or "killed". */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NUMBERS = 601, OURS = 777, X32 = 0x40000000 };

struct shared {
    volatile int listener;
    int native[NUMBERS], old[NUMBERS];
};

/* Not asked about: calls that end the child, and uretprobe and uprobe, which the kernel lets past
 * every filter and which end whoever is not at a probe. */
static int is_left_out(int is_old, int number)
{
    if (is_old)
        return number == 1 || number == 252;
    return number == SYS_exit || number == SYS_exit_group || number == 335 || number == 336;
}

static long call64(long number)
{
    long result;
    register long r10 __asm__("r10") = 0;
    register long r8 __asm__("r8") = 0;
    register long r9 __asm__("r9") = 0;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(0L), "S"(0L), "d"(0L), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

static int call32(int number)
{
    int result;
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(number), "b"(0), "c"(0), "d"(0), "S"(0), "D"(0)
                     : "memory", "r8", "r9", "r10", "r11");
    return result;
}

static int install(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    /* The 32-bit interface: all of it is handed over. */
    code[1].jf = 2;
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                        &program);
}

static void child(struct shared *shared)
{
    int listener = install();
    shared->listener = listener < 0 ? -errno : listener;
    if (listener < 0)
        _exit(1);
    for (int number = 0; number < NUMBERS; number++) {
        if (!is_left_out(0, number))
            shared->native[number] = (int)-call64(number);
        if (!is_left_out(1, number))
            shared->old[number] = -call32(number);
    }
    call64(SYS_exit_group);
}

/* Answers until the child is gone. */
static int serve(int listener)
{
    struct pollfd set = {listener, POLLIN, 0};
    while (poll(&set, 1, 10000) > 0 && (set.revents & POLLIN)) {
        struct seccomp_notif asked;
        struct seccomp_notif_resp answer;
        memset(&asked, 0, sizeof asked);
        memset(&answer, 0, sizeof answer);
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) < 0)
            continue;
        answer.id = asked.id;
        answer.error = -OURS;
        ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
    }
    return set.revents & POLLHUP ? 0 : 1;
}

static void print(const char *interface, int number, int result)
{
    printf("%s %d %d\n", interface, number, result == OURS ? 0 : result);
}

/* Through x32 a call of the native table has a second number. */
static void ask_x32(int number)
{
    pid_t pid = fork();
    if (pid == 0) {
        long result = call64(X32 + number);
        _exit(result < 0 && result > -200 ? (int)-result : 0);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
        printf("x32 %d killed\n", number);
    else
        printf("x32 %d %d\n", number, WEXITSTATUS(status));
}

int main(void)
{
    struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 2;
    /* With the same descriptors, so that we hold the listener that it opens. */
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        child(shared);
    while (shared->listener == 0)
        sched_yield();
    if (shared->listener < 0 || serve(shared->listener))
        return 3;
    int status = 0;
    waitpid(pid, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return 4;
    for (int number = 0; number < NUMBERS; number++) {
        if (!is_left_out(0, number))
            print("x86_64", number, shared->native[number]);
        if (!is_left_out(1, number))
            print("i386", number, shared->old[number]);
        if (!is_left_out(0, number))
            ask_x32(number);
    }
    return 0;
}
