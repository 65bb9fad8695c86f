// `load sqlite`: the least that SQLite as a log can cost: one thread that does nothing but insert a row a group, compressed, and
// commit it with full syncs. No broker is above it, no checksum of ours in it, nothing is decoded, numbered or reported. It says
// how much of the plain file's rate SQLite leaves on this machine.
#include "measure.h"
#include "message.h"
#include "mqtt.h"
#include "options.h"

#include <lz4.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MADE = 1 << 14 };

static void execute(sqlite3 *database, const char *sql) {
    char *error = NULL;
    if (sqlite3_exec(database, sql, NULL, NULL, &error)) die("%s: %s", sql, error);
}

static void finish(sqlite3 *database, sqlite3_stmt *statement) {
    if (sqlite3_step(statement) != SQLITE_DONE) die("%s", sqlite3_errmsg(database));
    sqlite3_reset(statement);
}

static sqlite3_stmt *prepare(sqlite3 *database, const char *sql) {
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL)) die("%s: %s", sql, sqlite3_errmsg(database));
    return statement;
}

void sqlite(const struct options *options) {
    struct bytes made = {0};
    for (uint32_t i = 0; i < MADE; i++) {
        struct message message = {.publisher = i % 64, .sequence = i / 64};
        message_write_json(mqtt_publish(&made, "plant/line-b/press/sensor-0000", 30, 1, 1, (size_t)options->size),
                           (size_t)options->size, message);
    }
    size_t each = made.size / MADE, at = 0, group = (size_t)options->group;
    int room = LZ4_compressBound((int)(group * each));
    char *packed = malloc((size_t)room);
    sqlite3 *database;
    if (!packed || sqlite3_open(options->disk, &database)) die("%s: cannot be opened", options->disk);
    execute(database, "PRAGMA page_size = 1024; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                      "PRAGMA secure_delete = OFF; PRAGMA wal_autocheckpoint = 1000; PRAGMA locking_mode = EXCLUSIVE;"
                      "CREATE TABLE segment(first INTEGER PRIMARY KEY, count INTEGER, size INTEGER, packets BLOB)");
    sqlite3_stmt *begin = prepare(database, "BEGIN IMMEDIATE"), *commit = prepare(database, "COMMIT");
    sqlite3_stmt *insert = prepare(database, "INSERT INTO segment VALUES(?, ?, ?, ?)");
    int64_t disk = disk_written_bytes(options->disk);
    uint64_t began = now_ns(), cpu = cpu_ns(0), last = began;
    uint64_t stop = began + (uint64_t)(options->seconds * 1e9), count = 0;
    while ((last = now_ns()) < stop) {
        if (at + group > MADE) at = 0;
        int size = LZ4_compress_default((const char *)made.at + at * each, packed, (int)(group * each), room);
        finish(database, begin);
        sqlite3_bind_int64(insert, 1, (sqlite3_int64)count + 1);
        sqlite3_bind_int64(insert, 2, (sqlite3_int64)group);
        sqlite3_bind_int64(insert, 3, (sqlite3_int64)(group * each));
        sqlite3_bind_blob(insert, 4, packed, size, SQLITE_STATIC);
        finish(database, insert);
        finish(database, commit);
        at += group, count += group;
    }
    if (disk >= 0) disk = disk_written_bytes(options->disk) - disk;
    uint64_t used = cpu_ns(0) - cpu;
    sqlite3_finalize(begin), sqlite3_finalize(insert), sqlite3_finalize(commit);
    sqlite3_close(database);
    unlink(options->disk);
    printf("{\"ack_rate\": %.0f, \"store_us\": %.3f, \"disk_bytes\": %.1f}\n", (double)count / ((double)(last - began) / 1e9),
           (double)used / 1e3 / (double)count, (double)disk / (double)count);
}
