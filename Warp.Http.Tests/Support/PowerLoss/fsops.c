/*
 * Does what its arguments say, one operation each, beneath the working directory, and writes a line for each: "ok" or the error's name.
 * It proves powerloss.c, which cannot be seen from a program that goes through a runtime's buffers.
 *
 *   "write FILE BLOCK LETTERS"   each letter fills one block of 4096 bytes, from that block on
 *   "fsync FILE|DIRECTORY"       "fdatasync …", and "dl-fsync …" through dlsym in libc's own handle, as P/Invoke does
 *   "truncate FILE BLOCKS"  "rename FROM TO"  "unlink FILE"  "mkdir DIRECTORY"  "rmdir DIRECTORY"
 *   "dsync FILE"                 opens the file with O_DSYNC for the writes that follow
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 4096

static char names[64][256];
static int fds[64], open_files;

static int file(const char *name, int flags) {
    struct stat st;
    for (int i = 0; i < open_files; i++)
        if (strcmp(names[i], name) == 0) return fds[i];
    int is_directory = stat(name, &st) == 0 && S_ISDIR(st.st_mode);
    int fd = open(name, (is_directory ? O_RDONLY : O_RDWR | O_CREAT) | flags, 0600);
    if (fd >= 0 && !is_directory) {
        snprintf(names[open_files], sizeof names[0], "%s", name);
        fds[open_files++] = fd;
    }
    return fd;
}

static int fill(const char *name, long block, const char *letters) {
    int fd = file(name, 0);
    if (fd < 0) return -1;
    for (; *letters; letters++, block++) {
        char bytes[BLOCK];
        memset(bytes, *letters, sizeof bytes);
        if (pwrite(fd, bytes, sizeof bytes, block * BLOCK) < 0) return -1;
    }
    return 0;
}

static int run(const char *what, const char *a, const char *b, const char *c) {
    if (strcmp(what, "write") == 0) return fill(a, atol(b), c);
    if (strcmp(what, "fsync") == 0) return fsync(file(a, 0));
    if (strcmp(what, "fdatasync") == 0) return fdatasync(file(a, 0));
    if (strcmp(what, "dl-fsync") == 0) {
        int (*found)(int);
        *(void **)&found = dlsym(dlopen("libc.so.6", RTLD_LAZY), "fsync");
        return found(file(a, 0));
    }
    if (strcmp(what, "dsync") == 0) return file(a, O_DSYNC) < 0 ? -1 : 0;
    if (strcmp(what, "truncate") == 0) return ftruncate(file(a, 0), atol(b) * BLOCK);
    if (strcmp(what, "rename") == 0) return rename(a, b);
    if (strcmp(what, "unlink") == 0) return unlink(a);
    if (strcmp(what, "mkdir") == 0) return mkdir(a, 0700);
    if (strcmp(what, "rmdir") == 0) return rmdir(a);
    errno = EINVAL;
    return -1;
}

int main(int count, char **arguments) {
    for (int i = 1; i < count; i++) {
        char what[32] = "", a[256] = "", b[256] = "", c[256] = "";
        sscanf(arguments[i], "%31s %255s %255s %255s", what, a, b, c);
        puts(run(what, a, b, c) == 0 ? "ok" : strerrorname_np(errno));
        fflush(stdout); /* what was done before a kill must be seen */
    }
    return 0;
}
