/*
 * Simulates the disk beneath a directory, so that a test can cut its power: preloaded into a process (LD_PRELOAD), it keeps beside
 * the real directory, which plays the page cache, a shadow, which is what a power cut would leave.
 *
 *   - A file's bytes reach the shadow by fsync or fdatasync of that file, and by nothing else.
 *   - A directory's entries (create, rename, unlink, mkdir) reach it by fsync of that directory, and by nothing else: stricter than
 *     ext4, where fsync of a new file makes its entry durable too (POWERLOSS_FSYNC_LINKS=1 allows that).
 *   - fsync of the real file is never called: kill -9 leaves the real directory and the shadow as they are, and a process started
 *     again over both goes on. What of a file is not durable is then found by comparing it with its shadow.
 *
 * Environment:
 *   POWERLOSS_ROOT    the directory; anything outside is left alone, and so are SQLite's -shm files, which are rebuilt at every start
 *   POWERLOSS_SHADOW  where the shadow is kept, on the same file system
 *   POWERLOSS_SETTLE=1           make everything below the root durable at start
 *   POWERLOSS_FSYNC_MICROSECONDS how long an fsync takes (before anything of it is durable)
 *   POWERLOSS_REWRITE_RESTORES=1 writing to a dropped page makes it durable again at the next fsync, as in Linux; otherwise it is lost
 *                                for ever, which is the bad sector that remaps to nothing
 *   POWERLOSS_FAULTS  faults, separated by ';', each KIND=PATTERN:N[+][:ERRNO]; PATTERN is matched (glob) anywhere in the path below
 *                     the root, the Nth match counts, '+' means that and all later ones. KIND:
 *                       fail-fsync         EIO; all pages dirty at that moment are lost, while reads still see them
 *                       kill-before-fsync  SIGKILL to itself, before anything of that fsync is durable
 *                       fail-write         ENOSPC (or ERRNO=EIO), nothing written
 *   POWERLOSS_TRACE   where every change of the disk is written down (see powerloss-trace.h)
 *   POWERLOSS_BOOT_ID a file that is read in place of the kernel's boot id
 *   POWERLOSS_CONTROL a file that may hold such faults, one a line; it is read and removed at the next fsync or write, which arms them
 *
 * Layout of the shadow: data/<inode> durable bytes; dirs/<inode>/ durable entries, files as hard links to data/, directories as symbolic
 * links to ../<inode>; root, a symbolic link to the root's dirs/; dropped/<inode> block numbers that are lost; pinned/ keeps unlinked
 * inodes alive, since their numbers must not be used again while the shadow may still name them.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define BLOCK 4096
#define FDS 65536
#define BUCKETS 1024
#define FAULTS 16

struct range { off_t from, to; };

struct file {
    ino_t ino;
    struct file *next;
    int known;             /* dirty holds all that differs from the shadow; else the files must be compared */
    struct range *dirty;
    size_t count, room;
    off_t *dropped;        /* block numbers, sorted only by time */
    size_t drops;
};

enum kind { NONE, FAIL_FSYNC, KILL_BEFORE_FSYNC, FAIL_WRITE };
struct fault { enum kind kind; char pattern[256]; long left; int onward; int error; };

static char root[PATH_MAX], shadow[PATH_MAX], control[PATH_MAX], boot_id[PATH_MAX];
static size_t root_len;
static int active, fsync_links, rewrite_restores;
static long fsync_microseconds;
static struct fault faults[FAULTS];
static _Atomic(struct file *) by_fd[FDS];
static struct file *by_ino[BUCKETS];
/* `table` guards the files and the faults; `disk` is held over a whole fsync, one at a time as on one device. Order: disk, table. */
static pthread_mutex_t table = PTHREAD_MUTEX_INITIALIZER, disk = PTHREAD_MUTEX_INITIALIZER;

#define REAL(ret, name, ...) static ret (*real_##name)(__VA_ARGS__)
REAL(int, open, const char *, int, ...);
REAL(int, openat, int, const char *, int, ...);
REAL(int, close, int);
REAL(int, dup, int);
REAL(int, dup2, int, int);
REAL(int, dup3, int, int, int);
REAL(ssize_t, write, int, const void *, size_t);
REAL(ssize_t, writev, int, const struct iovec *, int);
REAL(ssize_t, pwrite64, int, const void *, size_t, off_t);
REAL(ssize_t, pwritev64, int, const struct iovec *, int, off_t);
REAL(ssize_t, pwritev64v2, int, const struct iovec *, int, off_t, int);
REAL(ssize_t, copy_file_range, int, off_t *, int, off_t *, size_t, unsigned);
REAL(ssize_t, sendfile64, int, int, off_t *, size_t);
REAL(int, ftruncate64, int, off_t);
REAL(int, truncate64, const char *, off_t);
REAL(int, posix_fallocate64, int, off_t, off_t);
REAL(int, fallocate64, int, int, off_t, off_t);
REAL(int, fsync, int);
REAL(int, fdatasync, int);
REAL(int, rename, const char *, const char *);
REAL(int, renameat, int, const char *, int, const char *);
REAL(int, renameat2, int, const char *, int, const char *, unsigned);
REAL(int, unlink, const char *);
REAL(int, unlinkat, int, const char *, int);
REAL(int, mkdirat, int, const char *, mode_t);
REAL(void *, dlsym, void *, const char *);

static void die(const char *what, const char *path) {
    fprintf(stderr, "powerloss: %s %s: %s\n", what, path, strerror(errno));
    abort();
}

#include "powerloss-dirty.h"
#include "powerloss-faults.h"
static void begin(void);
static void end(void);
static void trace(char kind, ino_t ino, off_t offset, const void *name, size_t name_bytes, const void *data, size_t bytes);
static void trace_name(char kind, ino_t ino, const char *path);
#include "powerloss-fsync.h"
#include "powerloss-trace.h"
#include "powerloss-calls.h"
