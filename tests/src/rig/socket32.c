/* Asks for a socket of each family through the 32-bit interface of an x86 kernel, from a 64-bit
 * program: by the call socket (359) and by the old door socketcall (102), whose arguments lie in
 * memory where no filter can read them. One line each: call, family, 0 or the errno.
 *
 * Static and at a low address, because the interface has only 32 bits for a pointer. */
#include <stdio.h>
#include <unistd.h>

static unsigned int arguments[3];

static int call32(int number, int first, int second, int third)
{
    int result;
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(number), "b"(first), "c"(second), "d"(third)
                     : "memory", "r8", "r9", "r10", "r11");
    return result;
}

static void report(const char *call, int family, int result)
{
    if (result >= 0)
        close(result);
    printf("%s %d %d\n", call, family, result < 0 ? -result : 0);
}

int main(void)
{
    enum { SOCKETCALL = 102, SOCKET = 359, SYS_SOCKET = 1, DGRAM = 2, FAMILIES = 46 };
    for (int family = 0; family < FAMILIES; family++) {
        report("socket", family, call32(SOCKET, family, DGRAM, 0));
        arguments[0] = (unsigned int)family;
        arguments[1] = DGRAM;
        arguments[2] = 0;
        int place = (int)(unsigned long)arguments;
        report("socketcall", family, call32(SOCKETCALL, SYS_SOCKET, place, 0));
    }
    return 0;
}
