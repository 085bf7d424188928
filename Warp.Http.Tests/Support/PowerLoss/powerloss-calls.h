/* The functions of libc that powerloss.c stands in front of. */

#define LOAD(name, symbol) do { *(void **)&real_##name = real_dlsym(RTLD_NEXT, symbol); \
    if (real_##name == NULL) { fprintf(stderr, "powerloss: libc has no %s\n", symbol); abort(); } } while (0)

static void settle(const char *path) {
    DIR *dir = opendir(path);
    if (dir == NULL) die("cannot list", path);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        char child[PATH_MAX + 300];
        struct stat st;
        snprintf(child, sizeof child, "%s/%s", path, e->d_name);
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || lstat(child, &st) != 0) continue;
        if (S_ISDIR(st.st_mode)) {
            settle(child);
        } else if (S_ISREG(st.st_mode)) {
            int fd = real_open(child, O_RDONLY | O_CLOEXEC);
            if (fd < 0) die("cannot open", child);
            sync_fd(fd, real_fsync);
            real_close(fd);
        }
    }
    int fd = dirfd(dir);
    sync_fd(fd, real_fsync);
    closedir(dir);
}

static void load(void) {
    /* dlsym is one of the functions below, so the real one is asked for by version: 2.34 moved it into libc. */
    static const char *const versions[] = { "GLIBC_2.34", "GLIBC_2.2.5", "GLIBC_2.17", "GLIBC_2.27" };
    if (real_dlsym != NULL) return;
    void *found = NULL;
    for (size_t i = 0; i < sizeof versions / sizeof *versions && found == NULL; i++) found = dlvsym(RTLD_NEXT, "dlsym", versions[i]);
    if (found == NULL) { fprintf(stderr, "powerloss: no dlsym of a known version\n"); abort(); }
    *(void **)&real_dlsym = found;
    LOAD(open, "open64"); LOAD(openat, "openat64"); LOAD(close, "close");
    LOAD(dup, "dup"); LOAD(dup2, "dup2"); LOAD(dup3, "dup3");
    LOAD(write, "write"); LOAD(writev, "writev"); LOAD(pwrite64, "pwrite64");
    LOAD(pwritev64, "pwritev64"); LOAD(pwritev64v2, "pwritev64v2");
    LOAD(copy_file_range, "copy_file_range"); LOAD(sendfile64, "sendfile64");
    LOAD(ftruncate64, "ftruncate64"); LOAD(truncate64, "truncate64");
    LOAD(posix_fallocate64, "posix_fallocate64"); LOAD(fallocate64, "fallocate64");
    LOAD(fsync, "fsync"); LOAD(fdatasync, "fdatasync");
    LOAD(rename, "rename"); LOAD(renameat, "renameat"); LOAD(renameat2, "renameat2");
    LOAD(unlink, "unlink"); LOAD(unlinkat, "unlinkat"); LOAD(mkdirat, "mkdirat");
}

__attribute__((constructor)) static void start(void) {
    static const char *const parts[] = { "data", "dirs", "dropped", "pinned" };
    char path[PATH_MAX], target[64];
    struct stat st;
    const char *given_root = getenv("POWERLOSS_ROOT"), *given_shadow = getenv("POWERLOSS_SHADOW");
    load();
    if (given_root == NULL || given_shadow == NULL) return;
    if (realpath(given_root, root) == NULL || stat(root, &st) != 0) die("no such directory", given_root);
    if (realpath(given_shadow, shadow) == NULL) die("no such directory", given_shadow);
    root_len = strlen(root);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        snprintf(path, sizeof path, "%.4000s/%s", shadow, parts[i]);
        mkdir(path, 0700);
    }
    mkdir(in_shadow(path, "dirs", st.st_ino), 0700);
    snprintf(path, sizeof path, "%.4000s/root", shadow);
    snprintf(target, sizeof target, "dirs/%llu", (unsigned long long)st.st_ino);
    if (symlink(target, path) != 0 && errno != EEXIST) die("cannot make", path);
    if (getenv("POWERLOSS_CONTROL") != NULL) snprintf(control, sizeof control, "%s", getenv("POWERLOSS_CONTROL"));
    if (getenv("POWERLOSS_FSYNC_MICROSECONDS") != NULL) fsync_microseconds = atol(getenv("POWERLOSS_FSYNC_MICROSECONDS"));
    fsync_links = getenv("POWERLOSS_FSYNC_LINKS") != NULL;
    rewrite_restores = getenv("POWERLOSS_REWRITE_RESTORES") != NULL;
    if (getenv("POWERLOSS_BOOT_ID") != NULL) snprintf(boot_id, sizeof boot_id, "%s", getenv("POWERLOSS_BOOT_ID"));
    if (getenv("POWERLOSS_TRACE") != NULL) {
        trace_fd = real_open(getenv("POWERLOSS_TRACE"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (trace_fd < 0) die("cannot open", getenv("POWERLOSS_TRACE"));
    }
    active = 1;
    if (getenv("POWERLOSS_SETTLE") != NULL) settle(root);
    pthread_mutex_lock(&table);
    if (getenv("POWERLOSS_FAULTS") != NULL) arm(getenv("POWERLOSS_FAULTS"));
    pthread_mutex_unlock(&table);
}

#define MODE(flags) mode_t mode = 0; \
    if ((flags) & O_CREAT || ((flags) & O_TMPFILE) == O_TMPFILE) { \
        va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }

int open(const char *path, int flags, ...) { load(); MODE(flags) return open_traced(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { load(); MODE(flags) return open_traced(AT_FDCWD, path, flags, mode); }
int openat(int dir, const char *path, int flags, ...) { load(); MODE(flags) return open_traced(dir, path, flags, mode); }
int openat64(int dir, const char *path, int flags, ...) { load(); MODE(flags) return open_traced(dir, path, flags, mode); }
int __open_2(const char *path, int flags) { load(); return open_traced(AT_FDCWD, path, flags, 0); }
int __open64_2(const char *path, int flags) { load(); return open_traced(AT_FDCWD, path, flags, 0); }
int __openat_2(int dir, const char *path, int flags) { load(); return open_traced(dir, path, flags, 0); }
int __openat64_2(int dir, const char *path, int flags) { load(); return open_traced(dir, path, flags, 0); }
int creat(const char *path, mode_t mode) { load(); return open_traced(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

int close(int fd) { load(); forget(fd); return real_close(fd); }

static int copied(int from, int to) {
    if (to >= 0 && to < FDS) atomic_store(&by_fd[to], at(from));
    return to;
}

int dup(int fd) { load(); return copied(fd, real_dup(fd)); }
int dup2(int fd, int to) { load(); return copied(fd, real_dup2(fd, to)); }
int dup3(int fd, int to, int flags) { load(); return copied(fd, real_dup3(fd, to, flags)); }

static ssize_t written_at(int fd, ssize_t n, off_t offset) {
    struct file *f = at(fd);
    if (f == NULL || n <= 0) return n;
    mark(f, offset, offset + n);
    trace_written(fd, f, offset, n);
    return fcntl(fd, F_GETFL) & O_DSYNC && sync_fd(fd, real_fdatasync) != 0 ? -1 : n; /* O_SYNC includes that bit */
}

static ssize_t written(int fd, ssize_t n) { /* at the file's own offset, which also holds after O_APPEND */
    return at(fd) != NULL && n > 0 ? written_at(fd, n, lseek(fd, 0, SEEK_CUR) - n) : n;
}

/* The lock of the trace over one call of the real function and what is noted of it. */
#define TRACED(call) ({ begin(); __typeof__(call) made_ = (call); end(); made_; })

ssize_t write(int fd, const void *bytes, size_t count) {
    load();
    return write_fails(fd) ? -1 : TRACED(written(fd, real_write(fd, bytes, count)));
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
    load();
    return write_fails(fd) ? -1 : TRACED(written(fd, real_writev(fd, parts, count)));
}
ssize_t pwrite64(int fd, const void *bytes, size_t count, off_t offset) {
    load();
    return write_fails(fd) ? -1 : TRACED(written_at(fd, real_pwrite64(fd, bytes, count, offset), offset));
}
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) { return pwrite64(fd, bytes, count, offset); }
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset) {
    load();
    return write_fails(fd) ? -1 : TRACED(written_at(fd, real_pwritev64(fd, parts, count, offset), offset));
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) { return pwritev64(fd, parts, count, offset); }
ssize_t pwritev64v2(int fd, const struct iovec *parts, int count, off_t offset, int flags) {
    load();
    if (write_fails(fd)) return -1;
    begin();
    ssize_t n = real_pwritev64v2(fd, parts, count, offset, flags);
    n = offset == -1 ? written(fd, n) : written_at(fd, n, offset);
    end();
    return n;
}
ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t offset, int flags) {
    return pwritev64v2(fd, parts, count, offset, flags);
}

static void copied_unseen(int fd) { /* what changed is not known: enough for a shadow, which compares, but not for a trace */
    mark_unknown(at(fd));
    if (trace_fd >= 0) { errno = ENOTSUP; die("cannot trace a copy in", root); }
}

ssize_t copy_file_range(int from, off_t *from_offset, int to, off_t *to_offset, size_t count, unsigned flags) {
    load();
    if (write_fails(to)) return -1;
    ssize_t n = real_copy_file_range(from, from_offset, to, to_offset, count, flags);
    if (at(to) != NULL) copied_unseen(to);
    return n;
}
ssize_t sendfile64(int to, int from, off_t *offset, size_t count) {
    load();
    if (write_fails(to)) return -1;
    ssize_t n = real_sendfile64(to, from, offset, count);
    if (at(to) != NULL) copied_unseen(to);
    return n;
}
ssize_t sendfile(int to, int from, off_t *offset, size_t count) { return sendfile64(to, from, offset, count); }

static void resized(struct file *f, off_t was, off_t size) {
    pthread_mutex_lock(&table);
    if (size < was) restore(f, (size + BLOCK - 1) / BLOCK * BLOCK, (off_t)1 << 62);
    pthread_mutex_unlock(&table);
    mark(f, size < was ? size : was, size < was ? was : size);
}

int ftruncate64(int fd, off_t size) {
    struct stat st;
    load();
    struct file *f = at(fd);
    if (f != NULL && (write_fails(fd) || fstat(fd, &st) != 0)) return -1;
    begin();
    int result = real_ftruncate64(fd, size);
    if (f != NULL && result == 0) {
        resized(f, st.st_size, size);
        trace('T', f->ino, size, NULL, 0, NULL, 0);
    }
    end();
    return result;
}
int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int truncate64(const char *path, off_t size) {
    load();
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    int result = ftruncate64(fd, size), error = errno;
    close(fd);
    errno = error;
    return result;
}
int truncate(const char *path, off_t size) { return truncate64(path, size); }

int posix_fallocate64(int fd, off_t offset, off_t length) {
    load();
    if (write_fails(fd)) return errno;
    struct stat st;
    begin();
    int error = real_posix_fallocate64(fd, offset, length);
    if (error == 0) mark(at(fd), offset, offset + length);
    if (error == 0 && at(fd) != NULL && fstat(fd, &st) == 0) trace('T', st.st_ino, st.st_size, NULL, 0, NULL, 0);
    end();
    return error;
}
int posix_fallocate(int fd, off_t offset, off_t length) { return posix_fallocate64(fd, offset, length); }
int fallocate64(int fd, int mode, off_t offset, off_t length) {
    load();
    if (write_fails(fd)) return -1;
    int result = real_fallocate64(fd, mode, offset, length);
    if (result == 0 && at(fd) != NULL) copied_unseen(fd); /* it may punch holes or shift what follows */
    return result;
}
int fallocate(int fd, int mode, off_t offset, off_t length) { return fallocate64(fd, mode, offset, length); }

int fsync(int fd) { load(); return sync_fd(fd, real_fsync); }
int fdatasync(int fd) { load(); return sync_fd(fd, real_fdatasync); }

int rename(const char *from, const char *to) { load(); return rename_traced(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int from_dir, const char *from, int to_dir, const char *to) { load(); return rename_traced(from_dir, from, to_dir, to, 0); }
int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) {
    load();
    return rename_traced(from_dir, from, to_dir, to, flags);
}
int unlink(const char *path) { load(); return unlink_traced(AT_FDCWD, path, 0); }
int unlinkat(int dir, const char *path, int flags) { load(); return unlink_traced(dir, path, flags); }
int rmdir(const char *path) { load(); return unlink_traced(AT_FDCWD, path, AT_REMOVEDIR); }
int mkdir(const char *path, mode_t mode) { load(); return mkdir_traced(AT_FDCWD, path, mode); }
int mkdirat(int dir, const char *path, mode_t mode) { load(); return mkdir_traced(dir, path, mode); }

/*
 * P/Invoke looks libc's functions up by dlsym in the handle of libc itself, which passes every preloaded library by. Who asks so
 * for a function that stands above gets the one above.
 */
void *dlsym(void *library, const char *name) {
    static const struct { const char *name; void *ours; } fronted[] = {
#define FRONT(function) { #function, (void *)function }
        FRONT(open), FRONT(open64), FRONT(openat), FRONT(openat64), FRONT(creat), FRONT(creat64),
        FRONT(close), FRONT(dup), FRONT(dup2), FRONT(dup3),
        FRONT(write), FRONT(writev), FRONT(pwrite), FRONT(pwrite64), FRONT(pwritev), FRONT(pwritev64), FRONT(pwritev2), FRONT(pwritev64v2),
        FRONT(copy_file_range), FRONT(sendfile), FRONT(sendfile64), FRONT(ftruncate), FRONT(ftruncate64),
        FRONT(truncate), FRONT(truncate64),
        FRONT(posix_fallocate), FRONT(posix_fallocate64), FRONT(fallocate), FRONT(fallocate64), FRONT(fsync), FRONT(fdatasync),
        FRONT(rename), FRONT(renameat), FRONT(renameat2), FRONT(unlink), FRONT(unlinkat), FRONT(rmdir), FRONT(mkdir), FRONT(mkdirat),
    };
    load();
    void *found = real_dlsym(library, name);
    if (!active || found == NULL) return found;
    for (size_t i = 0; i < sizeof fronted / sizeof *fronted; i++)
        if (strcmp(fronted[i].name, name) == 0 && found == real_dlsym(RTLD_NEXT, name)) return fronted[i].ours;
    return found;
}
