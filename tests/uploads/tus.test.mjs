// SPDX-License-Identifier: MIT
// tus-js-client, as web pages use it, against the server: each extension, and connections that are cut by a proxy in between.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import readline from "node:readline";
import { Readable } from "node:stream";
import { after, before, test } from "node:test";

import * as tus from "tus-js-client";

const BLOCK = 262144;
const complete = new Map(); // upload: [id, video, length, digest, path]
const waiting = new Map();
let folder;
let server;
let endpoint;

before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), "tus-"));
    server = spawn(process.env.SERVE_UPLOADS, [folder, String(64 << 20), String(1 << 30)], { stdio: ["pipe", "pipe", "inherit"] });
    await new Promise((resolve) => {
        readline.createInterface({ input: server.stdout }).on("line", (line) => {
            if (line.startsWith("http")) {
                endpoint = `${line}/api/v1/uploads/tus`;
                resolve();
                return;
            }
            const [, id, ...rest] = line.split(" ");
            complete.set(id, rest);
            waiting.get(id)?.();
        });
    });
});

after(async () => {
    const ended = new Promise((resolve) => server.once("exit", resolve));
    server.stdin.end();
    assert.equal(await ended, 0);
    rmSync(folder, { recursive: true });
});

async function check(upload, data) {
    const id = upload.url.split("/").pop();
    if (!complete.has(id)) await new Promise((resolve) => waiting.set(id, resolve));
    const [, length, digest, file] = complete.get(id);
    assert.equal(Number(length), data.length);
    assert.ok(readFileSync(file).equals(data));
    const leaves = createHash("sha256");
    for (let at = 0; at < data.length; at += BLOCK)
        leaves.update(createHash("sha256").update(Buffer.from([0])).update(data.subarray(at, at + BLOCK)).digest());
    assert.equal(digest, leaves.digest("hex"));
}

/** Runs an upload to its end. */
function run(data, options, prepare) {
    return new Promise((resolve, reject) => {
        const upload = new tus.Upload(data, { endpoint, retryDelays: null, ...options, onSuccess: () => resolve(upload), onError: reject });
        prepare?.(upload);
        upload.start();
    });
}

test("creation", async () => {
    const data = randomBytes(BLOCK + 99);
    await check(await run(data, { metadata: { filename: "ü.mp4", filetype: "video/mp4" } }), data);
});

test("creation with upload, in chunks", async () => {
    const data = randomBytes(BLOCK * 3);
    const options = { uploadDataDuringCreation: true, chunkSize: 100_000 };
    await check(await run(data, options), data);
});

test("creation with a length that comes later", async () => {
    const data = randomBytes(BLOCK * 2 + 1);
    const options = { uploadLengthDeferred: true, chunkSize: 70_000 };
    await check(await run(Readable.from([data.subarray(0, 1000), data.subarray(1000)], { objectMode: false }), options), data);
});

test("concatenation of parts that go at a time", async () => {
    const data = randomBytes(BLOCK * 5 + 12345);
    await check(await run(data, { parallelUploads: 4, metadata: { filename: "a.mp4" } }), data);
});

test("checksum", async () => {
    const data = randomBytes(50_000);
    const header = (bytes) => ({ "Upload-Checksum": `sha256 ${createHash("sha256").update(bytes).digest("base64")}` });
    await check(await run(data, { onBeforeRequest: (request) => request.getMethod() === "PATCH" && request.setHeader(...Object.entries(header(data))[0]) }), data);
    await assert.rejects(
        run(data, { onBeforeRequest: (request) => request.getMethod() === "PATCH" && request.setHeader(...Object.entries(header(data.subarray(1)))[0]) }),
        (error) => error.originalResponse?.getStatus() === 460,
    );
});

test("method override", async () => {
    const data = randomBytes(5000);
    await check(await run(data, { overridePatchMethod: true }), data);
});

test("expiration is said", async () => {
    let expires;
    const options = { onAfterResponse: (_, response) => (expires ??= response.getHeader("Upload-Expires")) };
    await run(randomBytes(10), options);
    assert.ok(Date.parse(expires) > Date.now());
});

test("termination", async () => {
    const data = randomBytes(BLOCK * 4);
    const upload = await new Promise((resolve, reject) => {
        const one = new tus.Upload(data, {
            endpoint,
            chunkSize: BLOCK,
            onError: reject,
            onChunkComplete: () => one.abort(true).then(() => resolve(one), reject),
        });
        one.start();
    });
    const gone = await fetch(upload.url, { method: "HEAD", headers: { "Tus-Resumable": "1.0.0" } });
    assert.equal(gone.status, 404);
});

test("what is too large is refused at once", async () => {
    await assert.rejects(run(Readable.from([]), { uploadSize: (64 << 20) + 1, chunkSize: 1000 }), (error) => error.originalResponse?.getStatus() === 413);
});

test("goes on after each cut of the connection", async () => {
    const data = randomBytes(BLOCK * 8);
    const target = new URL(endpoint);
    let cuts = 5;
    const proxy = net.createServer((client) => {
        const upstream = net.connect(Number(target.port), target.hostname);
        let bytes = 0;
        client.on("data", (piece) => {
            bytes += piece.length;
            upstream.write(piece);
            if (cuts > 0 && bytes > BLOCK) {
                cuts--;
                client.destroy();
                upstream.end();
            }
        });
        upstream.on("data", (piece) => client.write(piece));
        for (const [one, other] of [[client, upstream], [upstream, client]]) one.on("error", () => {}).on("close", () => other.end());
    });
    await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    const options = { endpoint: `http://127.0.0.1:${proxy.address().port}${target.pathname}`, retryDelays: Array(60).fill(50) };
    await check(await run(data, options), data);
    assert.equal(cuts, 0);
    proxy.close();
});
