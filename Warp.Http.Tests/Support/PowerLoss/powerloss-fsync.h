/* What fsync makes durable, and what keeps an inode alive as long as the shadow names it. */

static void copy_range(const struct file *f, int from, int to, off_t start, off_t end) {
    char block[BLOCK];
    for (off_t b = start / BLOCK; b * BLOCK < end; b++) {
        if (is_dropped(f, b)) continue;
        ssize_t n = pread(from, block, BLOCK, b * BLOCK);
        if (n > 0 && real_pwrite64(to, block, (size_t)n, b * BLOCK) != n) die("cannot write to", shadow);
    }
}

/* Every block in which the file differs from its shadow: copied, or dropped where the fsync fails. */
static void compare(struct file *f, int from, int to, off_t size, int failing) {
    char real[BLOCK], durable[BLOCK];
    for (off_t b = 0; b * BLOCK < size; b++) {
        ssize_t n = pread(from, real, BLOCK, b * BLOCK), m = pread(to, durable, BLOCK, b * BLOCK);
        if (n <= 0 || (n == m && memcmp(real, durable, (size_t)n) == 0)) continue;
        if (failing) drop(f, b);
        else copy_range(f, from, to, b * BLOCK, b * BLOCK + n);
    }
}

static void sync_file(int fd, const struct stat *st, int failing) { /* disk held */
    char path[PATH_MAX];
    struct range *dirty = NULL;
    size_t count = 0;
    pthread_mutex_lock(&table);
    struct file *f = file_of(st->st_ino);
    int known = f->known, tracked = at(fd) != NULL;
    if (known) {
        dirty = f->dirty;
        count = f->count;
        f->dirty = NULL;
        f->count = f->room = 0;
    }
    f->known = tracked; /* from here on every write is noted; opened in a way not seen here, the file is compared each time */
    pthread_mutex_unlock(&table);

    /* Read through the caller's descriptor where it can be read: closing another one would drop the process's fcntl locks on the file. */
    int own = (fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int from = own ? real_open(path, O_RDONLY | O_CLOEXEC) : fd;
    int to = real_open(in_shadow(path, "data", st->st_ino), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (from < 0 || to < 0) die("cannot open the shadow of", path);
    if (failing) {
        if (!known) compare(f, from, to, st->st_size, 1);
        for (size_t i = 0; i < count; i++)
            for (off_t b = dirty[i].from / BLOCK; b * BLOCK < dirty[i].to; b++) drop(f, b);
        pthread_mutex_lock(&table);
        keep_dropped(f);
        pthread_mutex_unlock(&table);
    } else {
        if (!known) compare(f, from, to, st->st_size, 0);
        for (size_t i = 0; i < count; i++) copy_range(f, from, to, dirty[i].from, dirty[i].to);
        if (real_ftruncate64(to, st->st_size) != 0) die("cannot size the shadow of", path);
    }
    if (own) real_close(from);
    real_close(to);
    free(dirty);
}

static void link_entry(const char *durable_dir, const char *name, const struct stat *st) {
    char entry[PATH_MAX + 300], fresh[PATH_MAX + 300], target[PATH_MAX], now[PATH_MAX];
    struct stat have;
    snprintf(entry, sizeof entry, "%s/%s", durable_dir, name);
    snprintf(fresh, sizeof fresh, "%s/.powerloss-fresh", durable_dir);
    int exists = lstat(entry, &have) == 0;
    real_unlink(fresh); /* a kill may have left it */
    if (S_ISDIR(st->st_mode)) {
        snprintf(target, sizeof target, "../%llu", (unsigned long long)st->st_ino);
        ssize_t n = exists && S_ISLNK(have.st_mode) ? readlink(entry, now, sizeof now - 1) : -1;
        if (n > 0 && (size_t)n == strlen(target) && memcmp(now, target, (size_t)n) == 0) return;
        if (symlink(target, fresh) != 0) die("cannot link", fresh);
    } else {
        int fd = real_open(in_shadow(target, "data", st->st_ino), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        struct stat data;
        if (fd < 0 || fstat(fd, &data) != 0) die("cannot open", target);
        real_close(fd);
        if (exists && have.st_ino == data.st_ino) return;
        if (link(target, fresh) != 0) die("cannot link", fresh);
    }
    if (real_rename(fresh, entry) != 0) die("cannot link", entry);
}

static void sync_directory(const char *path, ino_t ino) { /* disk held */
    char durable[PATH_MAX], entry[PATH_MAX + 300];
    mkdir(in_shadow(durable, "dirs", ino), 0700);
    DIR *real = opendir(path), *was = opendir(durable);
    if (real == NULL || was == NULL) die("cannot list", path);
    for (struct dirent *e; (e = readdir(real)) != NULL;) {
        struct stat st;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || ends_with(e->d_name, "-shm")) continue;
        if (fstatat(dirfd(real), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
            link_entry(durable, e->d_name, &st);
    }
    for (struct dirent *e; (e = readdir(was)) != NULL;) {
        struct stat st;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        snprintf(entry, sizeof entry, "%s/%s", durable, e->d_name);
        if (fstatat(dirfd(real), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) real_unlink(entry);
    }
    closedir(real);
    closedir(was);
}

static void link_in_parent(const char *path, const struct stat *st) {
    char parent[PATH_MAX], durable[PATH_MAX];
    struct stat dir;
    snprintf(parent, sizeof parent, "%s", path);
    char *slash = strrchr(parent, '/');
    *slash = 0;
    if (stat(parent, &dir) != 0) return;
    mkdir(in_shadow(durable, "dirs", dir.st_ino), 0700);
    link_entry(durable, slash + 1, st);
}

static int sync_fd(int fd, int (*real)(int)) {
    char path[PATH_MAX];
    struct stat st;
    int error = errno, failure;
    if (!active || fstat(fd, &st) != 0 || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) || !path_of(fd, path) || !is_below_root(path)) {
        errno = error;
        return real(fd);
    }
    if (fsync_microseconds > 0) usleep((useconds_t)fsync_microseconds);
    if (due(KILL_BEFORE_FSYNC, path)) kill(getpid(), SIGKILL);
    failure = due(FAIL_FSYNC, path);
    begin();
    pthread_mutex_lock(&disk);
    fstat(fd, &st);
    if (S_ISDIR(st.st_mode)) {
        if (!failure) sync_directory(path, st.st_ino);
        if (!failure) trace_name('D', st.st_ino, path);
    } else {
        sync_file(fd, &st, failure);
        trace(failure ? 'F' : 'S', st.st_ino, 0, NULL, 0, NULL, 0);
        if (!failure && fsync_links && st.st_nlink > 0) link_in_parent(path, &st);
    }
    pthread_mutex_unlock(&disk);
    end();
    errno = failure ? failure : error;
    return failure ? -1 : 0;
}

/* An inode that loses its name here may still have one in the shadow; kept alive, its number is not given to another file. */
static void pin(int dirfd, const char *name) {
    char path[PATH_MAX], pinned[PATH_MAX];
    struct stat st;
    int error = errno;
    if (active && resolve(dirfd, name, path) && lstat(path, &st) == 0 && S_ISREG(st.st_mode))
        link(path, in_shadow(pinned, "pinned", st.st_ino));
    errno = error;
}

static int remove_directory(int dirfd, const char *name) { /* moved away when it is empty, for the same reason */
    char path[PATH_MAX], pinned[PATH_MAX];
    struct stat st;
    if (!active || !resolve(dirfd, name, path) || lstat(path, &st) != 0 || !S_ISDIR(st.st_mode))
        return real_unlinkat(dirfd, name, AT_REMOVEDIR);
    snprintf(pinned, sizeof pinned, "%.4000s/pinned/d%llu", shadow, (unsigned long long)st.st_ino);
    DIR *dir = opendir(path);
    int entries = 0;
    if (dir == NULL) return -1;
    while (readdir(dir) != NULL) entries++;
    closedir(dir);
    if (entries > 2) { errno = ENOTEMPTY; return -1; }
    return real_rename(path, pinned);
}
