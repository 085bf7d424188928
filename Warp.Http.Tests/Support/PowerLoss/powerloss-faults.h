/* The plan of faults: armed by the environment or by the control file, used up by the calls that match. */

static void arm(const char *text) { /* table held */
    char copy[4096], *save = NULL;
    snprintf(copy, sizeof copy, "%s", text);
    for (char *one = strtok_r(copy, ";\n", &save); one != NULL; one = strtok_r(NULL, ";\n", &save)) {
        struct fault *free_slot = NULL;
        for (int i = 0; i < FAULTS && free_slot == NULL; i++)
            if (faults[i].kind == NONE) free_slot = &faults[i];
        char *equals = strchr(one, '='), *colon = equals ? strchr(equals, ':') : NULL;
        if (free_slot == NULL || colon == NULL) { errno = EINVAL; die("cannot arm", one); }
        *equals = *colon = 0;
        enum kind kind = strcmp(one, "fail-fsync") == 0 ? FAIL_FSYNC : strcmp(one, "kill-before-fsync") == 0 ? KILL_BEFORE_FSYNC
            : strcmp(one, "fail-write") == 0 ? FAIL_WRITE : NONE;
        if (kind == NONE) { errno = EINVAL; die("unknown fault", one); }
        snprintf(free_slot->pattern, sizeof free_slot->pattern, "*%.250s*", equals + 1);
        char *rest;
        free_slot->left = strtol(colon + 1, &rest, 10);
        free_slot->onward = *rest == '+';
        free_slot->error = kind == FAIL_WRITE && strstr(rest, "EIO") == NULL ? ENOSPC : EIO;
        free_slot->kind = kind;
    }
}

static void read_control(void) { /* table held; removing the file tells the test that its faults are armed */
    char text[4096];
    int fd = control[0] ? real_open(control, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return;
    ssize_t n = read(fd, text, sizeof text - 1);
    real_close(fd);
    text[n > 0 ? n : 0] = 0;
    arm(text);
    real_unlink(control);
}

static int due(enum kind kind, const char *path) {
    int error = 0;
    pthread_mutex_lock(&table);
    read_control();
    for (int i = 0; i < FAULTS; i++) {
        struct fault *f = &faults[i];
        if (f->kind != kind || fnmatch(f->pattern, path + root_len, 0) != 0 || --f->left > 0) continue;
        error = f->error;
        if (!f->onward) f->kind = NONE;
    }
    pthread_mutex_unlock(&table);
    return error;
}

static int write_fails(int fd) {
    if (at(fd) == NULL) return 0;
    int error = errno;
    char path[PATH_MAX];
    int failure = path_of(fd, path) ? due(FAIL_WRITE, path) : 0;
    errno = failure ? failure : error;
    return failure;
}
