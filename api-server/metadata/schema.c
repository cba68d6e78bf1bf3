/* SPDX-License-Identifier: MIT */
/*
 * The tables. A step is never changed once it was released: another one is added after it. Times are microseconds since 1970; ids are random texts;
 * `number` is what rows are joined and paged by.
 */
#include "api-server/metadata/internal.h"

static const char first[] =
    "CREATE TABLE users ("
    " number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, email TEXT NOT NULL, email_key TEXT NOT NULL UNIQUE, name TEXT NOT NULL,"
    " password TEXT NOT NULL, role INTEGER NOT NULL, disabled INTEGER NOT NULL, version INTEGER NOT NULL, quota_bytes INTEGER NOT NULL,"
    " created_us INTEGER NOT NULL);"
    "CREATE TABLE families ("
    " id TEXT PRIMARY KEY, user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE, token_hash TEXT NOT NULL, generation INTEGER NOT NULL,"
    " created_us INTEGER NOT NULL, used_us INTEGER NOT NULL, expires_us INTEGER NOT NULL, revoked INTEGER NOT NULL);"
    "CREATE INDEX families_user ON families(user_id);"
    "CREATE INDEX families_expiry ON families(expires_us);"
    "CREATE TABLE api_keys ("
    " id TEXT PRIMARY KEY, user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE, name TEXT NOT NULL, hash TEXT NOT NULL,"
    " secret TEXT NOT NULL, scopes INTEGER NOT NULL, created_us INTEGER NOT NULL, used_us INTEGER NOT NULL, expires_us INTEGER NOT NULL);"
    "CREATE INDEX api_keys_user ON api_keys(user_id);"

    "CREATE TABLE videos ("
    " number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL REFERENCES users(id), title TEXT NOT NULL,"
    " title_key TEXT NOT NULL, description TEXT NOT NULL, category TEXT NOT NULL, language TEXT NOT NULL, tags TEXT NOT NULL,"
    " metadata TEXT NOT NULL, visibility INTEGER NOT NULL, status INTEGER NOT NULL, playable INTEGER NOT NULL, complete INTEGER NOT NULL,"
    " reason_code TEXT, reason_message TEXT, duration REAL, width INTEGER, height INTEGER, size INTEGER NOT NULL, run TEXT, attempt INTEGER NOT NULL,"
    " pipeline TEXT NOT NULL, params TEXT NOT NULL, filename TEXT NOT NULL, source TEXT NOT NULL, output TEXT NOT NULL, poster TEXT NOT NULL, "
    "poster_key TEXT NOT NULL,"
    " created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL, published_us INTEGER, views INTEGER NOT NULL, etag INTEGER NOT NULL);"
    "CREATE INDEX videos_owner ON videos(owner, number);"
    "CREATE INDEX videos_status ON videos(status, number);"
    "CREATE INDEX videos_title ON videos(title_key, number);"
    "CREATE INDEX videos_views ON videos(views, number);"
    "CREATE INDEX videos_duration ON videos(COALESCE(duration, 0), number);"
    "CREATE INDEX videos_run ON videos(run);"
    "CREATE TABLE video_tags (tag TEXT NOT NULL, number INTEGER NOT NULL REFERENCES videos(number) ON DELETE CASCADE, PRIMARY KEY (tag, number))"
    " WITHOUT ROWID;"
    "CREATE INDEX video_tags_number ON video_tags(number);"
    "CREATE VIRTUAL TABLE video_words USING fts5(title, description, tags, metadata, tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3');"
    "CREATE TABLE captions ("
    " video TEXT NOT NULL REFERENCES videos(id) ON DELETE CASCADE, language TEXT NOT NULL, label TEXT NOT NULL, file TEXT NOT NULL,"
    " updated_us INTEGER NOT NULL, PRIMARY KEY (video, language)) WITHOUT ROWID;"
    "CREATE TABLE positions ("
    " user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE, video TEXT NOT NULL REFERENCES videos(id) ON DELETE CASCADE,"
    " seconds REAL NOT NULL, updated_us INTEGER NOT NULL, PRIMARY KEY (user_id, video)) WITHOUT ROWID;"
    "CREATE INDEX positions_video ON positions(video);"
    "CREATE TABLE views ("
    " hour INTEGER NOT NULL, video TEXT NOT NULL REFERENCES videos(id) ON DELETE CASCADE, viewer TEXT NOT NULL,"
    " PRIMARY KEY (hour, video, viewer)) WITHOUT ROWID;"
    "CREATE INDEX views_video ON views(video);"

    "CREATE TABLE uploads ("
    " id TEXT PRIMARY KEY, video TEXT REFERENCES videos(id) ON DELETE CASCADE, owner TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,"
    " kind INTEGER NOT NULL, state INTEGER NOT NULL, role INTEGER NOT NULL, length INTEGER NOT NULL, offset_bytes INTEGER NOT NULL,"
    " part_size INTEGER NOT NULL, created_us INTEGER NOT NULL, expires_us INTEGER NOT NULL, filename TEXT NOT NULL, type TEXT NOT NULL,"
    " metadata TEXT NOT NULL, concat TEXT NOT NULL, digest TEXT NOT NULL, etag TEXT NOT NULL);"
    "CREATE INDEX uploads_owner ON uploads(owner, state);"
    "CREATE INDEX uploads_video ON uploads(video, state);"
    "CREATE INDEX uploads_expiry ON uploads(state, expires_us);"
    "CREATE TABLE upload_parts ("
    " upload TEXT NOT NULL REFERENCES uploads(id) ON DELETE CASCADE, number INTEGER NOT NULL, size INTEGER NOT NULL, place INTEGER NOT NULL,"
    " file INTEGER NOT NULL, modified_us INTEGER NOT NULL, etag TEXT NOT NULL, PRIMARY KEY (upload, number)) WITHOUT ROWID;"

    "CREATE TABLE answers ("
    " scope TEXT NOT NULL, key TEXT NOT NULL, request TEXT NOT NULL, status INTEGER NOT NULL, answer TEXT NOT NULL, created_us INTEGER NOT NULL,"
    " PRIMARY KEY (scope, key)) WITHOUT ROWID;"
    "CREATE INDEX answers_age ON answers(created_us);"

    /* Files and folders below the data folder that nothing refers to any more: written with what removes the reference, gone when they are. */
    "CREATE TABLE rubbish (path TEXT PRIMARY KEY) WITHOUT ROWID;";

/* What is counted for good: rows of `views` only keep a viewer from counting twice in an hour. */
static const char second[] =
    "CREATE TABLE view_days ("
    " video TEXT NOT NULL REFERENCES videos(id) ON DELETE CASCADE, day INTEGER NOT NULL, views INTEGER NOT NULL, PRIMARY KEY (video, day))"
    " WITHOUT ROWID;"
    "CREATE INDEX view_days_day ON view_days(day);";

/* Runs that make a poster which somebody chose: the video's own run is another. */
static const char third[] = "CREATE TABLE poster_runs ("
                            " run TEXT PRIMARY KEY, video TEXT NOT NULL REFERENCES videos(id) ON DELETE CASCADE, output TEXT NOT NULL) WITHOUT ROWID;"
                            "CREATE INDEX poster_runs_video ON poster_runs(video);";

/* Somebody wants the video's run, which has ended, to go on: set until it does. */
static const char fourth[] = "ALTER TABLE videos ADD COLUMN again INTEGER NOT NULL DEFAULT 0;";

const char *const mr_schema_steps[] = {first, second, third, fourth, NULL};
