// A disk that remembers: a FUSE file system with one file, `disk`, that appends every write and every flush to a log, in
// the order in which they came, with the time (CLOCK_MONOTONIC). A loop device on that file makes it a block device whose
// state at any instant can be built again: all up to the last flush, and any part of what was written after it.
//
//     recorder LOG MEBIBYTES MOUNTPOINT          serves in the foreground until it is unmounted
//
// LOG holds records of three little-endian 64-bit numbers: nanoseconds, offset, length; then `length` bytes. A record of
// length 0 is a flush: whatever stands before it was on the medium when it was answered. One thread serves: a request is
// answered before the next is looked at, so the log's order is the order of completion.
#define _GNU_SOURCE
#define FUSE_USE_VERSION 31
#include <errno.h>
#include <fcntl.h>
#include <fuse3/fuse.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static char *image;
static off_t image_size;
static FILE *record;

static void note(uint64_t offset, uint64_t length, const char *bytes) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t head[3] = {(uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec, offset, length};
    if (fwrite(head, sizeof head, 1, record) != 1 || (length > 0 && fwrite(bytes, length, 1, record) != 1)) {
        perror("recorder: the log");
        exit(1);
    }
}

static int get_attributes(const char *path, struct stat *attributes, struct fuse_file_info *file) {
    (void)file;
    memset(attributes, 0, sizeof *attributes);
    if (strcmp(path, "/") == 0) {
        attributes->st_mode = S_IFDIR | 0700;
        attributes->st_nlink = 2;
    } else if (strcmp(path, "/disk") == 0) {
        attributes->st_mode = S_IFREG | 0600;
        attributes->st_nlink = 1;
        attributes->st_size = image_size;
    } else {
        return -ENOENT;
    }
    return 0;
}

static int list(
    const char *path, void *buffer, fuse_fill_dir_t fill, off_t offset, struct fuse_file_info *file,
    enum fuse_readdir_flags flags) {
    (void)path, (void)offset, (void)file, (void)flags;
    return fill(buffer, "disk", NULL, 0, 0);
}

static int open_disk(const char *path, struct fuse_file_info *file) {
    (void)file;
    return strcmp(path, "/disk") == 0 ? 0 : -ENOENT;
}

static int read_disk(const char *path, char *bytes, size_t count, off_t offset, struct fuse_file_info *file) {
    (void)path, (void)file;
    if (offset >= image_size) return 0;
    if ((off_t)count > image_size - offset) count = (size_t)(image_size - offset);
    memcpy(bytes, image + offset, count);
    return (int)count;
}

static int write_disk(const char *path, const char *bytes, size_t count, off_t offset, struct fuse_file_info *file) {
    (void)path, (void)file;
    if (offset + (off_t)count > image_size) return -ENOSPC;
    memcpy(image + offset, bytes, count);
    note((uint64_t)offset, count, bytes);
    return (int)count;
}

static int flush_disk(const char *path, int data_only, struct fuse_file_info *file) {
    (void)path, (void)data_only, (void)file;
    note(0, 0, NULL);
    return fflush(record) == 0 ? 0 : -EIO;
}

static const struct fuse_operations operations = {
    .getattr = get_attributes, .readdir = list, .open = open_disk, .read = read_disk, .write = write_disk,
    .fsync = flush_disk,
};

int main(int count, char **words) {
    if (count != 4) {
        fprintf(stderr, "usage: recorder LOG MEBIBYTES MOUNTPOINT\n");
        return 2;
    }
    image_size = (off_t)atol(words[2]) << 20;
    image = mmap(NULL, (size_t)image_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    record = fopen(words[1], "wb");
    if (image == MAP_FAILED || record == NULL) {
        perror("recorder");
        return 1;
    }
    setvbuf(record, NULL, _IOFBF, 1 << 20);
    char *arguments[] = {words[0], "-f", "-s", "-o", "big_writes", words[3], NULL};
    arguments[3] = words[3];
    arguments[4] = NULL;
    int result = fuse_main(4, arguments, &operations, NULL);
    return fclose(record) == 0 ? result : 1;
}
