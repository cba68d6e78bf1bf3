// SPDX-License-Identifier: MIT
// What a person does, in Chromium: set up, upload with the plug pulled in the middle, watch while it is processed, change it, find it, delete it.
// Pictures of each step are left in MILLRACE_PICTURES, to be looked at.
import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {createServer} from 'node:http';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {chromium} from '../node_modules/playwright-core/index.mjs';
import {wire} from './plug.mjs';
import {password, serve} from './served.mjs';

const axe = readFileSync(new URL('../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
const pictures = process.env.MILLRACE_PICTURES ?? mkdtempSync(join(tmpdir(), 'millrace-pictures-'));
const folder = mkdtempSync(join(tmpdir(), 'millrace-story-'));
const PATIENCE = Number(process.env.MILLRACE_PATIENCE ?? 180_000);
const state = {};

function clip(seconds) {
    const path = join(folder, 'Night train.mp4');
    const made = spawnSync('ffmpeg', ['-v', 'error', '-nostdin', '-y', '-f', 'lavfi', '-i', `testsrc2=size=640x360:rate=25:duration=${seconds}`, '-f', 'lavfi', '-i', `sine=d=${seconds}:f=330`,
        '-c:v', 'libx264', '-preset', 'ultrafast', '-g', '50', '-pix_fmt', 'yuv420p', '-c:a', 'aac', '-movflags', '+faststart', path]);
    assert.equal(made.status, 0, String(made.stderr));
    return path;
}

const picture = (name) => state.page.screenshot({path: join(pictures, `${name}.png`)});
const video = (expression) => state.page.evaluate(`(() => { const v = document.querySelector('video'); return v ? (${expression}) : null; })()`);
const until = async (what, ask) => {
    const late = Date.now() + PATIENCE;
    for (;;) {
        const got = await ask();
        if (got) return got;
        if (Date.now() > late) throw new Error(`not in time: ${what}\n${state.complaints.join('\n')}\n${state.server.said().slice(-2000)}`);
        await state.page.waitForTimeout(100);
    }
};

// A file from elsewhere, as a person drops it there.
async function drop(file, {x, y, width, height}) {
    const browser = await state.page.context().newCDPSession(state.page);
    const data = {items: [], files: [file], dragOperationsMask: 1};
    for (const type of ['dragEnter', 'dragOver', 'drop']) await browser.send('Input.dispatchDragEvent', {type, x: x + width / 2, y: y + height / 2, data});
    await browser.detach();
}

// What goes wrong in a page is said in its console.
function watchFor(page) {
    page.on('console', (message) => { if (message.type() === 'error') state.complaints.push(message.text()); });
    page.on('pageerror', (error) => state.complaints.push(String(error)));
}

// Asked beside the page.
const ask = async (path) => {
    const {server} = state;
    server.token ??= (await server.ask('POST', '/api/v1/auth/login', {email: 'ada@example.org', password})).access_token;
    return server.ask('GET', `/api/v1/videos/${state.id}${path}`);
};
const record = () => ask('');

before(async () => {
    mkdirSync(pictures, {recursive: true});
    state.clip = clip(30);
    state.server = await serve(folder);
    state.wire = await wire(Number(new URL(state.server.origin).port));
    const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
    state.browser = await chromium.launch({executablePath, chromiumSandbox: false, args: ['--autoplay-policy=no-user-gesture-required', '--disable-gpu', '--mute-audio',
        '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run']});
    state.complaints = [];
    state.page = await state.browser.newPage({viewport: {width: 1280, height: 800}});
    state.page.setDefaultTimeout(PATIENCE);
    watchFor(state.page);
});

after(async () => {
    await state.browser?.close();
    await state.wire?.close();
    await state.server?.stop();
    rmSync(folder, {recursive: true, force: true});
});

test('the first administrator', async () => {
    const {page} = state;
    await page.goto(`${state.wire.origin}/`);
    await page.getByRole('heading', {name: 'Set up Millrace'}).waitFor();
    await picture('1-set-up');
    await page.getByLabel('Name').fill('Ada');
    await page.getByLabel('Email').fill('ada@example.org');
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', {name: 'Set up Millrace'}).click();
    await page.getByRole('heading', {name: 'Library'}).waitFor();
    await picture('2-library');
});

test('an upload outlives a pulled plug', async () => {
    const {page} = state;
    await page.goto(`${state.wire.origin}/upload`);
    await page.locator('#files').setInputFiles({name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('milk')});
    await page.getByText('notes.txt').waitFor(); // in a line that says that it is no video
    const cut = state.wire.cutAfter(200_000);
    await drop(state.clip, await page.getByRole('heading', {name: 'Upload'}).boundingBox());
    await cut;
    await page.locator('.upload-about').getByText('Connection lost').waitFor();
    await picture('3-plug-pulled');
    state.complaints.length = 0; // Chromium tells of connections that break
    state.wire.plug();
    await page.locator('.upload-about').getByText('Uploaded, now processing').waitFor();
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

test('seeking and choosing, by keyboard alone', async () => {
    const {page} = state;
    await page.locator('.player').focus();
    await page.keyboard.press('5');
    await until('half of it', async () => Math.abs((await video('v.currentTime')) - 15) < 4);
    await until('it plays there', async () => {
        if (await video('v.paused')) await page.keyboard.press('k');
        return video('!v.paused && v.readyState >= 3');
    });
    await page.keyboard.press('m');
    assert.ok(await video('v.muted'));
    await page.keyboard.press('>');
    assert.equal(await video('v.playbackRate'), 1.25);
    await page.getByRole('button', {name: 'Quality and speed'}).focus();
    await page.keyboard.press('Enter');
    await picture('7-menu');
    const smallest = page.getByRole('radiogroup', {name: 'Quality'}).getByRole('radio').last();
    const height = parseInt(await smallest.textContent(), 10);
    await smallest.focus();
    await page.keyboard.press('Enter');
    await page.keyboard.press('Escape');
    await until('the small picture', () => video(`v.videoHeight === ${height}`));
    await page.keyboard.press('?');
    await page.getByRole('dialog', {name: 'Keyboard shortcuts'}).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({state: 'detached'});
});

test('previews on the seek bar', async () => {
    const {page} = state;
    const bar = await page.locator('.seek').boundingBox();
    await page.mouse.move(bar.x + bar.width * 0.7, bar.y + bar.height / 2);
    await until('a picture of that time', () => page.evaluate(() => {
        const shown = document.querySelector('.preview-picture');
        return shown && !shown.hidden && shown.style.backgroundImage.includes('/media/') && document.querySelector('.preview-time').textContent.startsWith('0:2');
    }));
    await picture('8-preview');
});

test('its settings', async () => {
    const {page} = state;
    await page.goto(`${state.wire.origin}/videos/${state.id}`);
    await page.getByLabel('Title').fill('Night train to Lisbon');
    await page.getByLabel('Description', {exact: true}).fill('Rails, rain and a counter.');
    await page.getByLabel('Unlisted').check();
    await page.getByRole('button', {name: 'Save'}).click();
    await page.getByText('Saved').first().waitFor();
    for (const [language, count] of [['de', 1], ['en', 2]]) {
        await page.getByLabel('Language').last().fill(language);
        await page.getByLabel('File').setInputFiles({name: 'words.srt', mimeType: 'application/x-subrip', buffer: Buffer.from('1\n00:00:00,000 --> 00:01:00,000\nRain on the roof\n')});
        await page.getByRole('button', {name: 'Add captions'}).click();
        await until('they are listed', async () => (await page.getByRole('button', {name: 'Remove: '}).count()) === count);
    }
    await page.getByRole('button', {name: 'Remove: German'}).press('Enter');
    await until('the focus is in its place', () => page.evaluate(() => document.activeElement.getAttribute('aria-label') === 'Remove: English'));
    const before = (await record()).poster_url;
    await page.getByRole('button', {name: 'Use the current picture'}).click();
    await until('another poster', async () => (await record()).poster_url !== before);
    await picture('9-settings');
    await page.goto(`${state.wire.origin}/?q=lisb`);
    await page.getByText('Night train to Lisbon').first().waitFor();
    await picture('10-search');
});

// The place is kept by the server: whoever signs in elsewhere goes on there.
test('a second browser goes on where the first one was, with captions', async () => {
    const {page} = state;
    await page.goto(`${state.wire.origin}/watch/${state.id}`);
    await until('a picture', () => video('v.readyState >= 2'));
    await page.keyboard.press('4');
    await until('it is there', async () => Math.abs((await video('v.currentTime')) - 12) < 4);
    await page.keyboard.press('k');
    await until('the place is kept', async () => Math.abs((await ask('/position')).seconds - 12) < 4);
    const other = await state.browser.newContext({viewport: {width: 390, height: 800}, colorScheme: 'dark'});
    const phone = await other.newPage();
    phone.setDefaultTimeout(PATIENCE);
    watchFor(phone);
    await phone.goto(`${state.wire.origin}/sign-in?to=${encodeURIComponent(`/watch/${state.id}`)}`);
    await phone.getByLabel('Email').fill('ada@example.org');
    await phone.getByLabel('Password').fill(password);
    await phone.getByRole('button', {name: 'Sign in'}).click();
    await phone.locator('.resumed').getByText('Goes on at 0:1').waitFor();
    assert.ok(await phone.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'it fits a phone');
    await phone.keyboard.press('c');
    await phone.locator('.captions').getByText('Rain on the roof').waitFor();
    await phone.screenshot({path: join(pictures, '11-phone.png')});
    await other.close();
});

test('embedded in a page of another origin', async () => {
    const {page} = state;
    await page.goto(`${state.wire.origin}/watch/${state.id}`);
    await page.getByRole('button', {name: 'Share'}).click();
    const code = await page.getByRole('textbox', {name: 'Embed code'}).inputValue();
    const host = createServer((_request, response) => { response.setHeader('Content-Type', 'text/html'); response.end(`<!doctype html><title>A blog</title>${code}`); });
    await new Promise((resolve) => { host.listen(0, '127.0.0.1', resolve); });
    const stranger = await state.browser.newContext();
    try {
        const blog = await stranger.newPage();
        watchFor(blog);
        await blog.goto(`http://127.0.0.1:${host.address().port}/`);
        const frame = blog.frameLocator('iframe');
        await frame.getByRole('button', {name: 'Play'}).first().click();
        await until('it plays in the frame', () => frame.locator('video').evaluate((v) => v.currentTime > 0.3));
        await blog.screenshot({path: join(pictures, '12-embedded.png')});
        await blog.setContent(`<iframe src="${state.wire.origin}/"></iframe>`);
        await until('the page itself is in nobody\'s frame', async () => blog.frames().slice(1).every((one) => one.url().startsWith('chrome-error:')));
    } finally {
        await stranger.close();
        await new Promise((resolve) => { host.close(resolve); });
    }
    state.complaints.length = 0; // Chromium tells of the frame that it refused
});

// WCAG 2.2 A and AA, and what axe calls good practice.
for (const colorScheme of ['light', 'dark']) {
    test(`no page has what axe finds wrong: ${colorScheme}`, async () => {
        const {page} = state;
        await page.emulateMedia({colorScheme});
        const run = (await record()).run;
        const views = {
            '/': '.card', '/?q=nothing-is-called-so': '.empty', '/upload': '.drop-zone', [`/watch/${state.id}`]: 'video', [`/videos/${state.id}`]: '.views-total', '/runs': 'td', [`/runs/${run}`]: '.log li',
            '/account': '.row, .rows .muted', '/admin': '.bars', '/nothing': '.empty', [`/embed/${state.id}`]: 'video', '/api/v1/docs': '.operation',
        };
        for (const [path, shown] of Object.entries(views)) {
            await page.goto(state.wire.origin + path);
            await page.locator(shown).first().waitFor();
            if (shown === 'video') await until('no spinner', () => page.evaluate(() => !document.querySelector('.player.waiting')));
            await page.evaluate(axe);
            const found = await page.evaluate(async () => (await globalThis.axe.run(document, {resultTypes: ['violations']})).violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.target.join(' ')).join(', ')}`));
            assert.deepEqual(found, [], path);
            await picture(`${colorScheme}-${path.split(/[/?]/)[1] || 'library'}`);
        }
    });
}

test('deleted', async () => {
    const {page} = state;
    await page.goto(`${state.wire.origin}/videos/${state.id}`);
    await page.getByRole('button', {name: 'Delete video'}).click();
    await page.getByRole('alertdialog').getByRole('button', {name: 'Delete'}).click();
    await page.getByText('The video is deleted').waitFor();
    await picture('13-deleted');
    assert.equal((await page.request.get(`${state.wire.origin}/api/v1/videos/${state.id}`)).status(), 404);
    assert.deepEqual(state.complaints.filter((one) => !/404|503|ERR_/.test(one)), [], 'errors in the console'); // 503: a segment that a slow machine had not made in time, asked for again
});
