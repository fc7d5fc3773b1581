// A drive that hangs, under one process: preloaded, it holds whoever asks for a file by the name of warm.toml, or
// of HUNG_NAME, from when the file that HUNG_DRIVE names is there until it is gone; and adds a line to that for
// each.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void hold(const char *call, const char *path)
{
    const char *hung = getenv("HUNG_DRIVE"), *named = getenv("HUNG_NAME");
    const char *name = named ? named : "warm.toml";
    size_t length = path ? strlen(path) : 0, tail = strlen(name);
    if (!hung || length < tail || strcmp(path + length - tail, name) != 0)
        return;
    // Not made here: until it is there, nobody is held.
    int told = open(hung, O_WRONLY | O_APPEND);
    if (told < 0)
        return;
    dprintf(told, "%s\n", call);
    close(told);
    while (access(hung, F_OK) == 0)
        usleep(50000);
}

#define NEXT(call) ((__typeof__(&call))dlsym(RTLD_NEXT, #call))

#define OPEN(call)                                                            \
    int call(const char *path, int flags, ...)                                \
    {                                                                         \
        va_list more;                                                         \
        va_start(more, flags);                                                \
        mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(more, int) : 0; \
        va_end(more);                                                         \
        hold(#call, path);                                                    \
        return NEXT(call)(path, flags, mode);                                 \
    }

#define STAT(call, meta)                        \
    int call(const char *path, struct meta *to) \
    {                                           \
        hold(#call, path);                      \
        return NEXT(call)(path, to);            \
    }

OPEN(open)
OPEN(open64)
STAT(stat, stat)
STAT(lstat, stat)
STAT(stat64, stat64)
STAT(lstat64, stat64)

int statx(int folder, const char *path, int flags, unsigned mask, struct statx *to)
{
    hold("statx", path);
    return NEXT(statx)(folder, path, flags, mask, to);
}

ssize_t readlink(const char *path, char *to, size_t size)
{
    hold("readlink", path);
    return NEXT(readlink)(path, to, size);
}
