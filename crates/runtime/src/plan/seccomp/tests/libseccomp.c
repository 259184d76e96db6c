/* Exports libseccomp's own filter for the comparison in libseccomp.rs.
 *
 * stdin, one word or number after the other:
 *   ACTION OPTIMIZE ARCHES token... RULES { NAME ACTION ARGS { index op a b } }
 * stdout per profile: a 32-bit length and the program, or a length of 0xffffffff.
 * The library is opened at run time and declared here, so no headers are needed. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct comparison { unsigned int arg; int op; uint64_t a, b; };

#define LOAD(result, name, ...) \
	result (*name)(__VA_ARGS__) = (result (*)(__VA_ARGS__))dlsym(lib, "seccomp_" #name); \
	if (!name) return 3

/* stdin: TOKEN NAME, stdout: the number the library gives that call, one per line */
static int numbers(void *lib)
{
	char name[128];
	unsigned int token;
	LOAD(int, syscall_resolve_name_arch, uint32_t, const char *);
	while (scanf("%u %127s", &token, name) == 2)
		printf("%d\n", syscall_resolve_name_arch(token, name));
	return 0;
}

int main(int argc, char **argv)
{
	(void)argv;
	void *lib = dlopen("libseccomp.so.2", RTLD_NOW);
	if (!lib) return 3;
	if (argc > 1) return numbers(lib);
	LOAD(void *, init, uint32_t);
	LOAD(void, release, void *);
	LOAD(int, arch_add, void *, uint32_t);
	LOAD(int, arch_remove, void *, uint32_t);
	LOAD(int, attr_set, void *, int, uint32_t);
	LOAD(int, syscall_resolve_name, const char *);
	LOAD(int, rule_add_array, void *, uint32_t, int, unsigned int, const struct comparison *);
	LOAD(int, export_bpf, const void *, int);

	unsigned int action, optimize, count;
	while (scanf("%u %u %u", &action, &optimize, &count) == 3) {
		int failed = 0;
		alarm(2); /* for some profiles the library takes for ever */
		void *ctx = init(action);
		if (!ctx) return 4;
		attr_set(ctx, 8 /* SCMP_FLTATR_CTL_OPTIMIZE */, optimize);
		failed |= arch_remove(ctx, 0 /* SCMP_ARCH_NATIVE */) != 0;
		for (unsigned int i = 0; i < count; i++) {
			unsigned int token;
			if (scanf("%u", &token) != 1) return 5;
			failed |= arch_add(ctx, token) != 0;
		}
		if (scanf("%u", &count) != 1) return 5;
		for (unsigned int i = 0; i < count; i++) {
			char name[128];
			unsigned int act, args;
			struct comparison c[8];
			if (scanf("%127s %u %u", name, &act, &args) != 3 || args > 8) return 5;
			for (unsigned int j = 0; j < args; j++)
				if (scanf("%u %d %lu %lu", &c[j].arg, &c[j].op, &c[j].a, &c[j].b) != 4)
					return 5;
			int number = syscall_resolve_name(name);
			if (number == -1) continue;
			failed |= rule_add_array(ctx, act, number, args, c) != 0;
		}
		FILE *file = tmpfile();
		if (!file) return 6;
		failed |= export_bpf(ctx, fileno(file)) != 0;
		off_t length = lseek(fileno(file), 0, SEEK_CUR);
		uint32_t head = failed ? 0xffffffffu : (uint32_t)length;
		fwrite(&head, 4, 1, stdout);
		if (!failed) {
			char *data = malloc(length + 1);
			if (!data || pread(fileno(file), data, length, 0) != length) return 6;
			fwrite(data, 1, length, stdout);
			free(data);
		}
		fflush(stdout);
		fclose(file);
		release(ctx);
	}
	return 0;
}
