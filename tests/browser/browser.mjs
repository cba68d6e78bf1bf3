// SPDX-License-Identifier: MIT
// Debian's Chromium and the pages that tests look at. Nothing waits for a fixed time; a page that does not answer in time is reported with its state.
import {existsSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {chromium} from 'playwright-core';
import {serve} from './server.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const modules = join(here, '..', 'node_modules');
const executables = [process.env.MILLRACE_CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const flags = ['--autoplay-policy=no-user-gesture-required', '--disable-gpu', '--mute-audio', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'];

export async function launch() {
  const executablePath = executables.find((path) => path && existsSync(path));
  if (!executablePath) throw new Error('no Chromium found: install the Debian package chromium, or name one in MILLRACE_CHROMIUM');
  return chromium.launch({executablePath, chromiumSandbox: false, args: flags});
}

// A browser with the published tree at origin/out/. within(limit, what, work) gives up after limit milliseconds with the state of the page and what went wrong in it.
export async function browse(tree) {
  const server = await serve({'/out/': join(tree, 'out'), '/page/': join(here, 'page'), '/lib/': modules});
  const browser = await launch().catch(async (error) => { await server.close(); throw error; });
  const page = await browser.newPage({viewport: {width: 800, height: 480}});
  const complaints = [];
  page.on('console', (message) => { if (message.type() === 'error') complaints.push(message.text()); });
  page.on('pageerror', (error) => complaints.push(error.message));

  // What can be said of the page when something went wrong in it; a page that is stuck says nothing.
  const told = () => Promise.race([
    page.evaluate(() => ({...window.screenOf?.state(), problems: window.players?.problems})).catch(String),
    new Promise((resolve) => { setTimeout(resolve, 1000, 'no answer').unref(); }),
  ]);

  async function within(limit, what, work) {
    let timer;
    const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`${what}: not within ${limit / 1000} s`)), limit); });
    try {
      return await Promise.race([work(), late]);
    } catch (error) {
      error.message += `\npage: ${JSON.stringify(await told())}\nconsole: ${JSON.stringify(complaints)}\nnot found: ${JSON.stringify(server.missed)}`;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
  return {
    page, complaints, missed: server.missed, within,
    async open(...scripts) {
      await page.goto(`${server.origin}/page/index.html`);
      for (const script of scripts) await page.addScriptTag({url: script});
    },
    async close() {
      await browser.close();
      await server.close();
    },
  };
}
