// SPDX-License-Identifier: MIT
// Static files over HTTP on loopback, as any plain web server gives them: media types and byte ranges. Nothing else of the machine is served.
import {createServer} from 'node:http';
import {createReadStream, statSync} from 'node:fs';
import {extname, join, normalize} from 'node:path';

const types = {
  '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.m3u8': 'application/vnd.apple.mpegurl', '.mpd': 'application/dash+xml', '.mp4': 'video/mp4',
  '.m4s': 'video/iso.segment', '.vtt': 'text/vtt; charset=utf-8', '.jpg': 'image/jpeg', '.json': 'application/json',
};

// 'bytes=a-b', 'bytes=a-' or 'bytes=-n' as [first, last]; null when it can't be satisfied.
function parseRange(header, size) {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header);
  if (!match || (match[1] === '' && match[2] === '')) return null;
  const first = match[1] === '' ? Math.max(0, size - Number(match[2])) : Number(match[1]);
  const last = match[1] === '' || match[2] === '' ? size - 1 : Math.min(Number(match[2]), size - 1);
  return first <= last ? [first, last] : null;
}

// roots: {'/prefix/': folder}; the first whose prefix fits is used. Returns {origin, missed, close}: missed lists what was asked for and not there.
export async function serve(roots) {
  const missed = [];
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, 'http://localhost').pathname));
    const prefix = Object.keys(roots).find((root) => path.startsWith(root));
    const file = prefix && join(roots[prefix], path.slice(prefix.length));
    const stat = file && statSync(file, {throwIfNoEntry: false});
    if (!stat?.isFile()) {
      missed.push(path);
      response.writeHead(404).end();
      return;
    }
    const headers = {'Content-Type': types[extname(file)] ?? 'application/octet-stream', 'Accept-Ranges': 'bytes', 'Cache-Control': 'no-store'};
    let [status, first, last] = [200, 0, stat.size - 1];
    if (request.headers.range) {
      const range = parseRange(request.headers.range, stat.size);
      if (!range) {
        response.writeHead(416, {'Content-Range': `bytes */${stat.size}`}).end();
        return;
      }
      [status, [first, last]] = [206, range];
      headers['Content-Range'] = `bytes ${first}-${last}/${stat.size}`;
    }
    response.writeHead(status, {...headers, 'Content-Length': last - first + 1});
    if (request.method === 'HEAD' || stat.size === 0) response.end();
    else createReadStream(file, {start: first, end: last}).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${server.address().port}`, missed,
    close: () => new Promise((resolve) => { server.close(resolve); server.closeAllConnections(); }),
  };
}
