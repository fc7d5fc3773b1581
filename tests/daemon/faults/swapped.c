// A file that is swapped between a look at it and its opening, under one process: preloaded, it moves PATH.pipe
// to PATH, where there is one, as soon as somebody has looked at PATH.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <sys/stat.h>

static void swap(const char *path)
{
    char beside[4096];
    if (path && snprintf(beside, sizeof beside, "%s.pipe", path) < (int)sizeof beside)
        rename(beside, path);
}

#define NEXT(call) ((__typeof__(&call))dlsym(RTLD_NEXT, #call))

#define STAT(call, meta)                        \
    int call(const char *path, struct meta *to) \
    {                                           \
        int done = NEXT(call)(path, to);        \
        swap(path);                             \
        return done;                            \
    }

STAT(stat, stat)
STAT(stat64, stat64)

int statx(int folder, const char *path, int flags, unsigned mask, struct statx *to)
{
    int done = NEXT(statx)(folder, path, flags, mask, to);
    if (path && *path)
        swap(path);
    return done;
}
