// SPDX-License-Identifier: MIT
// What a person does, in Chromium: set up, upload with the plug pulled in the middle, watch while it is processed, change it, find it, delete it.
// Pictures of each step are left in MILLRACE_PICTURES, to be looked at.
import assert from 'node:assert/strict';
import {spawn, spawnSync} from 'node:child_process';
import {existsSync, mkdirSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {chromium} from '../node_modules/playwright-core/index.mjs';
import {wire} from './plug.mjs';

const millrace = process.env.MILLRACE;
const pictures = process.env.MILLRACE_PICTURES ?? mkdtempSync(join(tmpdir(), 'millrace-pictures-'));
const folder = mkdtempSync(join(tmpdir(), 'millrace-story-'));
const PATIENCE = Number(process.env.MILLRACE_PATIENCE ?? 60_000);
const state = {};

function clip(seconds) {
    const path = join(folder, 'Night train.mp4');
    const made = spawnSync('ffmpeg', ['-v', 'error', '-nostdin', '-y', '-f', 'lavfi', '-i', `testsrc2=size=640x360:rate=25:duration=${seconds}`, '-f', 'lavfi', '-i', `sine=d=${seconds}:f=330`,
        '-c:v', 'libx264', '-preset', 'ultrafast', '-g', '50', '-pix_fmt', 'yuv420p', '-c:a', 'aac', '-movflags', '+faststart', path]);
    assert.equal(made.status, 0, String(made.stderr));
    return path;
}

async function serve() {
    const server = spawn(millrace, ['serve', '--listen', 'localhost:0', '--data', join(folder, 'data'), '--set', 'server.access_log=false'], {stdio: ['ignore', 'ignore', 'pipe']});
    let said = '';
    const port = await new Promise((resolve, reject) => {
        server.stderr.on('data', (data) => {
            said += data;
            const found = /listening on http:\/\/[^:]+:(\d+)/.exec(said);
            if (found) resolve(Number(found[1]));
        });
        server.on('exit', () => reject(new Error(`the server ended: ${said}`)));
    });
    return {server, port, said: () => said};
}

const picture = (name) => state.page.screenshot({path: join(pictures, `${name}.png`)});
const video = (expression) => state.page.evaluate(`(() => { const v = document.querySelector('video'); return v ? (${expression}) : null; })()`);
const until = async (what, ask) => {
    const late = Date.now() + PATIENCE;
    for (;;) {
        const got = await ask();
        if (got) return got;
        if (Date.now() > late) throw new Error(`not in time: ${what}\n${state.complaints.join('\n')}\n${state.said().slice(-2000)}`);
        await state.page.waitForTimeout(100);
    }
};

before(async () => {
    mkdirSync(pictures, {recursive: true});
    state.clip = clip(60);
    Object.assign(state, await serve());
    state.wire = await wire(state.port);
    const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
    state.browser = await chromium.launch({executablePath, chromiumSandbox: false, args: ['--autoplay-policy=no-user-gesture-required', '--disable-gpu', '--mute-audio',
        '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run']});
    state.complaints = [];
    state.page = await state.browser.newPage({viewport: {width: 1280, height: 800}});
    state.page.setDefaultTimeout(PATIENCE);
    state.page.on('console', (message) => { if (message.type() === 'error') state.complaints.push(message.text()); });
    state.page.on('pageerror', (error) => state.complaints.push(String(error)));
});

after(async () => {
    await state.browser?.close();
    await state.wire?.close();
    state.server?.kill('SIGTERM');
    if (state.server) await new Promise((resolve) => { state.server.on('exit', resolve); });
    rmSync(folder, {recursive: true, force: true});
});

test('the first administrator', async () => {
    const {page} = state;
    await page.goto(`${state.wire.origin}/`);
    await page.getByRole('heading', {name: 'Set up Millrace'}).waitFor();
    await picture('1-set-up');
    await page.getByLabel('Name').fill('Ada');
    await page.getByLabel('Email').fill('ada@example.org');
    await page.getByLabel('Password').fill('correct horse battery');
    await page.getByRole('button', {name: 'Set up Millrace'}).click();
    await page.getByRole('heading', {name: 'Library'}).waitFor();
    await picture('2-library');
});

test('an upload outlives a pulled plug', async () => {
    const {page} = state;
    await page.goto(`${state.wire.origin}/upload`);
    const cut = state.wire.cutAfter(200_000);
    await page.locator('#files').setInputFiles(state.clip);
    await cut;
    await page.getByText('Connection lost').waitFor();
    await picture('3-plug-pulled');
    state.complaints.length = 0; // Chromium tells of connections that break
    state.wire.plug();
    await page.getByText('Uploaded, now processing').waitFor();
    await picture('4-uploaded');
    await page.getByRole('link', {name: 'Watch'}).click();
});

test('it plays while it is processed', async () => {
    const {page} = state;
    await until('a moving picture', async () => (await video('v.currentTime')) > 0.5);
    await picture('5-plays');
    assert.match(page.url(), /\/watch\/v_/);
    state.id = page.url().split('/').pop();
    const from = await video('v.currentTime');
    await until('it goes on', async () => (await video('v.currentTime')) > from + 1);
    assert.ok(await video('v.videoWidth'));
    await page.getByText('It plays already').waitFor({state: 'hidden'});
    await picture('6-complete');
});

test('seeking by keyboard', async () => {
    const {page} = state;
    await page.locator('video').click();
    await page.keyboard.press('5');
    await until('half of it', async () => Math.abs((await video('v.currentTime')) - 30) < 4);
    await until('it plays there', async () => (await video('!v.paused && v.readyState >= 3')) || (await page.keyboard.press('k'), false));
});

test('its settings', async () => {
    const {page} = state;
    await page.goto(`${state.wire.origin}/videos/${state.id}`);
    await page.getByLabel('Title').fill('Night train to Lisbon');
    await page.getByLabel('Description', {exact: true}).fill('Rails, rain and a counter.');
    await page.getByRole('button', {name: 'Save'}).click();
    await page.getByText('Saved').first().waitFor();
    await picture('7-settings');
    await page.goto(`${state.wire.origin}/?q=lisb`);
    await page.getByText('Night train to Lisbon').first().waitFor();
    await picture('8-search');
    await page.setViewportSize({width: 390, height: 800});
    await page.goto(`${state.wire.origin}/watch/${state.id}`);
    await until('a picture', () => video('v.videoWidth'));
    await picture('9-phone');
    await page.setViewportSize({width: 1280, height: 800});
});

test('deleted', async () => {
    const {page} = state;
    await page.goto(`${state.wire.origin}/videos/${state.id}`);
    await page.getByRole('button', {name: 'Delete video'}).click();
    await page.getByRole('dialog').getByRole('button', {name: 'Delete'}).click();
    await page.getByText('The video is deleted').waitFor();
    await picture('10-deleted');
    assert.equal((await page.request.get(`${state.wire.origin}/api/v1/videos/${state.id}`)).status(), 404);
    assert.deepEqual(state.complaints.filter((one) => !/404|ERR_/.test(one)), [], 'errors in the console');
});
