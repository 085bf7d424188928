/* Which bytes of which file are dirty, and which are lost: one struct file an inode, found by descriptor. */

static int ends_with(const char *path, const char *end) {
    size_t n = strlen(path), m = strlen(end);
    return n >= m && strcmp(path + n - m, end) == 0;
}

static int is_below_root(const char *path) {
    return strncmp(path, root, root_len) == 0 && (path[root_len] == '/' || path[root_len] == 0) && !ends_with(path, "-shm");
}

static int path_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, PATH_MAX - 1);
    if (n < 0) return 0;
    path[n] = 0;
    return 1;
}

/* Absolute, with the directories resolved (symbolic links in them too) and the last name as given. */
static int resolve(int dirfd, const char *path, char *out) {
    char joined[PATH_MAX * 2], parent[PATH_MAX];
    if (path[0] != '/' && dirfd != AT_FDCWD) {
        if (!path_of(dirfd, parent)) return 0;
        snprintf(joined, sizeof joined, "%s/%s", parent, path);
    } else {
        snprintf(joined, sizeof joined, "%s%s", path[0] == '/' ? "" : "./", path);
    }
    size_t n = strlen(joined);
    while (n > 1 && joined[n - 1] == '/') joined[--n] = 0;
    char *slash = strrchr(joined, '/');
    if (slash == NULL || slash == joined) return 0;
    *slash = 0;
    if (realpath(joined, parent) == NULL) return 0;
    return snprintf(out, PATH_MAX, "%s/%s", parent, slash + 1) < PATH_MAX && is_below_root(out);
}

static char *in_shadow(char *out, const char *part, ino_t ino) {
    snprintf(out, PATH_MAX, "%.4000s/%s/%llu", shadow, part, (unsigned long long)ino);
    return out;
}

static struct file *file_of(ino_t ino) { /* table held */
    struct file **slot = &by_ino[ino % BUCKETS];
    for (struct file *f = *slot; f != NULL; f = f->next)
        if (f->ino == ino) return f;
    struct file *f = calloc(1, sizeof *f);
    f->ino = ino;
    f->next = *slot;
    *slot = f;
    char path[PATH_MAX];
    int fd = real_open(in_shadow(path, "dropped", ino), O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        struct stat st;
        if (fstat(fd, &st) == 0 && st.st_size > 0) {
            f->dropped = malloc((size_t)st.st_size);
            f->drops = (size_t)(read(fd, f->dropped, (size_t)st.st_size) / (ssize_t)sizeof *f->dropped);
        }
        real_close(fd);
    }
    return f;
}

static void keep_dropped(struct file *f) { /* table held; written whole, it is small */
    char path[PATH_MAX];
    int fd = real_open(in_shadow(path, "dropped", f->ino), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || real_write(fd, f->dropped, f->drops * sizeof *f->dropped) < 0) die("cannot keep", path);
    real_close(fd);
}

static int is_dropped(const struct file *f, off_t block) {
    int found = 0;
    pthread_mutex_lock(&table);
    for (size_t i = 0; i < f->drops && !found; i++) found = f->dropped[i] == block;
    pthread_mutex_unlock(&table);
    return found;
}

static void drop(struct file *f, off_t block) {
    if (is_dropped(f, block)) return;
    pthread_mutex_lock(&table);
    f->dropped = realloc(f->dropped, (f->drops + 1) * sizeof *f->dropped);
    f->dropped[f->drops++] = block;
    pthread_mutex_unlock(&table);
}

static void restore(struct file *f, off_t from, off_t to) { /* the blocks that touch [from, to) are as good as new */
    size_t kept = 0;
    for (size_t i = 0; i < f->drops; i++)
        if ((f->dropped[i] + 1) * BLOCK <= from || f->dropped[i] * BLOCK >= to) f->dropped[kept++] = f->dropped[i];
    if (kept == f->drops) return;
    f->drops = kept;
    keep_dropped(f);
}

static void mark(struct file *f, off_t from, off_t to) {
    if (f == NULL || from >= to) return;
    pthread_mutex_lock(&table);
    if (rewrite_restores) restore(f, from, to);
    if (f->known) {
        struct range *last = f->count > 0 ? &f->dirty[f->count - 1] : NULL;
        if (last != NULL && from <= last->to && to >= last->from) {
            if (from < last->from) last->from = from;
            if (to > last->to) last->to = to;
        } else {
            if (f->count == f->room) {
                f->room = f->room ? f->room * 2 : 16;
                f->dirty = realloc(f->dirty, f->room * sizeof *f->dirty);
            }
            f->dirty[f->count++] = (struct range){ from, to };
        }
    }
    pthread_mutex_unlock(&table);
}

static void mark_unknown(struct file *f) {
    pthread_mutex_lock(&table);
    f->known = 0;
    f->count = 0;
    pthread_mutex_unlock(&table);
}

static struct file *at(int fd) { return fd >= 0 && fd < FDS ? atomic_load(&by_fd[fd]) : NULL; }

static void forget(int fd) { if (fd >= 0 && fd < FDS) atomic_store(&by_fd[fd], NULL); }

static int opened(int fd, int flags) {
    if (!active || fd < 0 || fd >= FDS) return fd;
    int error = errno;
    char path[PATH_MAX];
    struct stat st;
    forget(fd);
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && path_of(fd, path) && is_below_root(path)) {
        pthread_mutex_lock(&table);
        struct file *f = file_of(st.st_ino);
        if (flags & O_TRUNC && (flags & O_ACCMODE) != O_RDONLY) {
            f->known = 0;
            f->count = 0;
            restore(f, 0, (off_t)1 << 62);
        }
        pthread_mutex_unlock(&table);
        atomic_store(&by_fd[fd], f);
    }
    errno = error;
    return fd;
}
