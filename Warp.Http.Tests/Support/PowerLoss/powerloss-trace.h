/*
 * The trace of all that changed the disk, in order, so that a test can make the disk of any moment: POWERLOSS_TRACE names the file, which is
 * appended to. A record, in the machine's byte order:
 *
 *   kind u8 | pad 3 | name bytes u32 | inode u64 | offset i64 | data bytes u32 | pad u32 | name | data
 *
 *   C created (name)     W written (offset, data)   T sized (offset = the size)   S synced   F sync failed: what was dirty is lost
 *   M directory made     D directory synced (name)  R renamed (name: from, NUL, to)   U unlinked (name)   X directory removed (name)
 *
 * Names are relative to the root. The lock is held over the call and its record: the order in the file is the order on the disk.
 */
struct record { char kind, pad[3]; uint32_t name; uint64_t ino; int64_t offset; uint32_t data, unused; };

static int trace_fd = -1;
static pthread_mutex_t tracing = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

static void begin(void) { if (trace_fd >= 0) pthread_mutex_lock(&tracing); }
static void end(void) { if (trace_fd >= 0) pthread_mutex_unlock(&tracing); }

static void trace(char kind, ino_t ino, off_t offset, const void *name, size_t name_bytes, const void *data, size_t bytes) {
    if (trace_fd < 0) return;
    int error = errno;
    struct record head = { kind, { 0 }, (uint32_t)name_bytes, ino, offset, (uint32_t)bytes, 0 };
    struct iovec parts[] = { { &head, sizeof head }, { (void *)name, name_bytes }, { (void *)data, bytes } };
    if (real_writev(trace_fd, parts, 3) != (ssize_t)(sizeof head + name_bytes + bytes)) die("cannot write the trace of", root);
    errno = error;
}

static void trace_name(char kind, ino_t ino, const char *path) {
    const char *name = path + root_len + (path[root_len] == '/');
    trace(kind, ino, 0, name, strlen(name), NULL, 0);
}

/* Read back through the caller's descriptor where it can be read, for the reason that sync_file gives. */
static void trace_written(int fd, const struct file *f, off_t offset, ssize_t n) {
    if (trace_fd < 0) return;
    int error = errno, own = (fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY;
    char path[64], *bytes = malloc((size_t)n);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int from = own ? real_open(path, O_RDONLY | O_CLOEXEC) : fd;
    if (pread(from, bytes, (size_t)n, offset) != n) die("cannot read back", path);
    if (own) real_close(from);
    trace('W', f->ino, offset, NULL, 0, bytes, (size_t)n);
    free(bytes);
    errno = error;
}

static int open_traced(int dir, const char *path, int flags, mode_t mode) {
    struct stat st;
    char name[PATH_MAX];
    if (boot_id[0] && strcmp(path, "/proc/sys/kernel/random/boot_id") == 0) path = boot_id; /* another boot than the one that looks later */
    if (trace_fd < 0 || !resolve(dir, path, name)) return opened(real_openat(dir, path, flags, mode), flags); /* a pipe's open may never end */
    begin();
    int is_new = flags & O_CREAT && fstatat(dir, path, &st, 0) != 0;
    int fd = opened(real_openat(dir, path, flags, mode), flags);
    struct file *f = at(fd);
    if (f != NULL && is_new && path_of(fd, name)) trace_name('C', f->ino, name);
    else if (f != NULL && flags & O_TRUNC && (flags & O_ACCMODE) != O_RDONLY) trace('T', f->ino, 0, NULL, 0, NULL, 0);
    end();
    return fd;
}

static int rename_traced(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) {
    char was[PATH_MAX], is[PATH_MAX], names[PATH_MAX * 2];
    begin();
    int known = trace_fd >= 0 && resolve(from_dir, from, was) && resolve(to_dir, to, is);
    pin(to_dir, to);
    int result = flags ? real_renameat2(from_dir, from, to_dir, to, flags) : real_renameat(from_dir, from, to_dir, to);
    if (known && result == 0) {
        size_t n = strlen(was + root_len + 1) + 1, m = strlen(is + root_len + 1);
        memcpy(names, was + root_len + 1, n);
        memcpy(names + n, is + root_len + 1, m);
        trace('R', 0, 0, names, n + m, NULL, 0);
    }
    end();
    return result;
}

static int unlink_traced(int dir, const char *path, int flags) {
    char name[PATH_MAX];
    begin();
    int known = trace_fd >= 0 && resolve(dir, path, name), is_directory = flags & AT_REMOVEDIR;
    if (!is_directory) pin(dir, path);
    int result = is_directory ? remove_directory(dir, path) : real_unlinkat(dir, path, flags);
    if (known && result == 0) trace_name(is_directory ? 'X' : 'U', 0, name);
    end();
    return result;
}

static int mkdir_traced(int dir, const char *path, mode_t mode) {
    char name[PATH_MAX];
    struct stat st;
    begin();
    int result = real_mkdirat(dir, path, mode);
    if (trace_fd >= 0 && result == 0 && resolve(dir, path, name) && lstat(name, &st) == 0) trace_name('M', st.st_ino, name);
    end();
    return result;
}
