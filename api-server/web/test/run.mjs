// SPDX-License-Identifier: MIT
// Bundles each *.test.ts of this folder (esbuild comes with Vite) and gives them to Node's own test runner.
import {spawnSync} from 'node:child_process';
import {mkdtempSync, readdirSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {build} from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const out = mkdtempSync(join(tmpdir(), 'millrace-web-'));
let status = 1;
try {
  const tests = readdirSync(here).filter((name) => name.endsWith('.test.ts'));
  await build({entryPoints: tests.map((name) => join(here, name)), outdir: out, outExtension: {'.js': '.mjs'}, bundle: true, platform: 'node', format: 'esm', logLevel: 'warning'});
  status = spawnSync(process.execPath, ['--test', ...tests.map((name) => join(out, name.replace(/ts$/, 'mjs')))], {stdio: 'inherit'}).status ?? 1;
} finally {
  rmSync(out, {recursive: true, force: true});
}
process.exit(status);
