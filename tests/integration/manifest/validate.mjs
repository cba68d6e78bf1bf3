// SPDX-License-Identifier: MIT
// Reads a published tree with other people's parsers (hls-parser in strict mode, mpd-parser, xmllint with mpd.rng) and compares what they found:
// every file that is named is there, byte ranges lie within their files, HLS and DASH describe the same segments.
// As a program: node validate.mjs DIR … prints what is wrong, and exits with 1 when something is.
import {execFileSync} from 'node:child_process';
import {existsSync, readdirSync, readFileSync, statSync} from 'node:fs';
import {dirname, join, relative} from 'node:path';
import {fileURLToPath} from 'node:url';
import * as HLS from 'hls-parser';
import {parse as parseMpd} from 'mpd-parser';

HLS.setOptions({strictMode: true, silent: true});
const here = dirname(fileURLToPath(import.meta.url));

function files(dir) {
  return readdirSync(dir, {withFileTypes: true}).flatMap((entry) =>
    entry.isDirectory() ? files(join(dir, entry.name)) : [join(dir, entry.name)]);
}

class Tree {
  constructor(dir, {content = true} = {}) {
    Object.assign(this, {dir, content, problems: [], playlists: new Map()});
  }

  problem(where, what) {
    this.problems.push(`${relative(this.dir, where)}: ${what}`);
  }

  check(condition, where, what) {
    if (!condition) this.problem(where, what);
  }

  // A file that a manifest names, as a path; goldens have no segments, only manifests.
  named(manifest, uri) {
    const path = join(dirname(manifest), decodeURIComponent(uri));
    const text = /\.(m3u8|mpd)$/.test(path);
    if (this.content || text) this.check(existsSync(path), manifest, `names ${uri}, which is not there`);
    return path;
  }

  parse(path) {
    try {
      const playlist = HLS.parse(readFileSync(path, 'utf8'));
      this.playlists.set(path, playlist);
      return playlist;
    } catch (error) {
      this.problem(path, error.message);
      return null;
    }
  }

  media(path, {iframes = false} = {}) {
    const playlist = this.playlists.get(path) ?? this.parse(path);
    if (!playlist) return null;
    const lines = readFileSync(path, 'utf8').split('\n');
    this.check(!playlist.isMasterPlaylist, path, 'is a multivariant playlist where a media playlist should be');
    this.check(playlist.endlist && playlist.playlistType === 'VOD', path, 'is not whole (VOD, ENDLIST)');
    this.check(playlist.segments.length > 0, path, 'has no segments');
    this.check(Boolean(playlist.isIFrame) === iframes, path, iframes ? 'is no I-frame playlist' : 'is an I-frame playlist');
    let fragmented = false;
    for (const segment of playlist.segments) {
      const file = this.named(path, segment.uri);
      fragmented ||= segment.uri.endsWith('.m4s');
      this.check(Math.round(segment.duration) <= playlist.targetDuration, path, `${segment.uri} is longer than the target duration`);
      this.check(segment.duration > 0, path, `${segment.uri} has no duration`);
      if (segment.map) this.named(path, segment.map.uri);
      this.check(!segment.uri.endsWith('.m4s') || segment.map, path, `${segment.uri} has no EXT-X-MAP`);
      if (iframes) {
        this.check(segment.byterange, path, `${segment.uri} has no byte range`);
        if (this.content && segment.byterange && existsSync(file))
          this.check(segment.byterange.offset + segment.byterange.length <= statSync(file).size, path, `the range of ${segment.uri} is outside of it`);
      }
    }
    const version = Number(lines.find((line) => line.startsWith('#EXT-X-VERSION:'))?.split(':')[1]);
    this.check(version === (fragmented ? 7 : 3), path, `EXT-X-VERSION is ${version}`);
    return playlist;
  }

  group(path, list, what) {
    for (const group of new Set(list.map((item) => item.groupId))) {
      const members = list.filter((item) => item.groupId === group);
      const names = members.map((item) => item.name);
      this.check(new Set(names).size === names.length, path, `${what} group ${group} has a name twice`);
      this.check(members.filter((item) => item.isDefault).length <= 1, path, `${what} group ${group} has several defaults`);
      const chosen = members.filter((item) => item.autoselect).map((item) => `${item.language}/${item.forced ?? false}`);
      this.check(new Set(chosen).size === chosen.length, path, `${what} group ${group} has a language twice in AUTOSELECT`);
    }
  }

  // RFC 8216, 4.3.4.1.1: groups of one type have the same members.
  sameMembers(path, list) {
    const key = (group) => list.filter((item) => item.groupId === group).map((item) => `${item.name}|${item.language}|${item.isDefault}`).join('\n');
    const keys = new Set([...new Set(list.map((item) => item.groupId))].map(key));
    this.check(keys.size <= 1, path, 'its audio groups have different members');
  }

  multivariant(path) {
    const master = this.parse(path);
    if (!master) return null;
    this.check(master.isMasterPlaylist && master.independentSegments, path, 'is no multivariant playlist with independent segments');
    const audio = [...new Map(master.variants.flatMap((v) => v.audio).map((item) => [`${item.groupId}/${item.name}`, item])).values()];
    const subtitles = [...new Map(master.variants.flatMap((v) => v.subtitles).map((item) => [`${item.groupId}/${item.name}`, item])).values()];
    this.group(path, audio, 'audio');
    this.group(path, subtitles, 'subtitle');
    this.sameMembers(path, audio);
    for (const variant of master.variants) {
      const iframes = variant.isIFrameOnly;
      const playlist = this.media(this.named(path, variant.uri), {iframes});
      this.check(variant.codecs, path, `${variant.uri} has no CODECS`);
      this.check(variant.bandwidth >= variant.averageBandwidth, path, `${variant.uri}: AVERAGE-BANDWIDTH is above BANDWIDTH`);
      if (playlist && this.content && !iframes && variant.audio.length === 0 && variant.subtitles.length === 0) this.rate(path, variant, playlist);
    }
    for (const item of [...audio, ...subtitles]) this.media(this.named(path, item.uri));
    return master;
  }

  // No single segment of at least half the target may be above BANDWIDTH.
  rate(path, variant, playlist) {
    const folder = dirname(join(dirname(path), decodeURIComponent(variant.uri)));
    for (const segment of playlist.segments) {
      const rate = statSync(join(folder, segment.uri)).size * 8 / segment.duration;
      if (segment.duration >= playlist.targetDuration / 2)
        this.check(rate <= variant.bandwidth + 1, path, `${segment.uri} of ${variant.uri} needs ${Math.round(rate)} bit/s`);
    }
  }

  mpd(path) {
    const text = readFileSync(path, 'utf8');
    try {
      execFileSync('xmllint', ['--noout', '--nonet', '--relaxng', join(here, 'mpd.rng'), path], {stdio: ['ignore', 'ignore', 'pipe']});
    } catch (error) {
      this.problem(path, String(error.stderr ?? error.message).trim().split('\n')[0]);
    }
    let manifest;
    const warnings = [];
    try {
      manifest = parseMpd(text, {manifestUri: 'file:///t/manifest.mpd', eventHandler: (event) => warnings.push(event.message)});
    } catch (error) {
      this.problem(path, error.message);
      return null;
    }
    for (const warning of warnings) this.problem(path, warning);
    if (!manifest.mediaGroups) {
      this.problem(path, 'is not an MPD');
      return null;
    }
    const groups = Object.values(manifest.mediaGroups.AUDIO).flatMap((group) => Object.values(group)).concat(
      Object.values(manifest.mediaGroups.SUBTITLES).flatMap((group) => Object.values(group)));
    const all = [...manifest.playlists, ...groups.flatMap((group) => group.playlists)];
    this.check(all.length > 0, path, 'has no representations');
    for (const playlist of all) {
      for (const segment of playlist.segments) {
        const uri = segment.resolvedUri.replace('file:///t/', '');
        this.named(path, uri);
        if (segment.map) this.named(path, segment.map.resolvedUri.replace('file:///t/', ''));
      }
    }
    return {manifest, all, sheets: this.sheets(path, text)};
  }

  // mpd-parser does not know thumbnails; the sheets of the whole presentation have to be there.
  sheets(path, text) {
    const set = text.match(/<AdaptationSet[^>]*contentType="image"[\s\S]*?<\/AdaptationSet>/)?.[0];
    if (!set) return 0;
    const [, media] = set.match(/media="([^"]*)"/);
    const timescale = Number(set.match(/timescale="(\d+)"/)[1]);
    const duration = Number(set.match(/ duration="(\d+)"/)[1]) / timescale;
    const total = seconds(text.match(/mediaPresentationDuration="([^"]*)"/)[1]);
    const count = Math.max(1, Math.ceil(total / duration - 1e-6));
    for (let i = 0; i < count; i++) this.named(path, media.replace('$Number%05d$', String(i).padStart(5, '0')));
    return count;
  }

  // The same segments, of the same length, by both. In HLS the first one of a sound track is longer by its priming (at most a frame of HE-AAC at 22.05 kHz), which DASH leaves out.
  compare(hls, dash) {
    for (const playlist of dash.all) {
      const first = playlist.segments[0].resolvedUri.replace('file:///t/', '');
      if (first.endsWith('.vtt')) continue;
      const path = join(this.dir, decodeURIComponent(dirname(first)), 'index.m3u8');
      const other = this.playlists.get(path);
      this.check(other, path, 'is in the MPD, but not in HLS');
      if (!other) continue;
      this.check(other.segments.length === playlist.segments.length, path, `${other.segments.length} segments in HLS, ${playlist.segments.length} in DASH`);
      const sound = first.startsWith('audio/');
      let time = playlist.segments[0].presentationTime; // a track may begin late; HLS does not say so in playlists
      this.check(time >= 0 && time < 1, path, `begins at ${time} in DASH`);
      other.segments.forEach((segment, i) => {
        const twin = playlist.segments[i];
        if (!twin) return;
        this.check(twin.resolvedUri.endsWith(`/${segment.uri}`), path, `segment ${i} is ${segment.uri} in HLS and ${twin.resolvedUri} in DASH`);
        const priming = i === 0 && sound ? Math.max(0, Math.min(segment.duration - twin.duration, 0.093)) : 0;
        this.check(Math.abs(twin.duration + priming - segment.duration) < 2e-6, path, `${segment.uri} lasts ${segment.duration} in HLS, ${twin.duration} in DASH`);
        this.check(Math.abs(twin.presentationTime - time) < 1e-3, path, `${segment.uri} begins at ${time} in HLS, ${twin.presentationTime} in DASH`);
        time += segment.duration - priming;
      });
    }
  }
}

function seconds(duration) {
  const [, h = 0, m = 0, s = 0] = duration.match(/^PT(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?$/).map((x) => x ?? undefined);
  return Number(h) * 3600 + Number(m) * 60 + Number(s);
}

// content: false for trees that hold manifests only.
export function validate(dir, options) {
  const tree = new Tree(dir, options);
  const masters = files(dir).filter((path) => path.endsWith('master.m3u8'));
  const mpds = files(dir).filter((path) => path.endsWith('manifest.mpd'));
  if (masters.length + mpds.length === 0) tree.problem(dir, 'has neither master.m3u8 nor manifest.mpd');
  const hls = masters.map((path) => tree.multivariant(path));
  const dash = mpds.map((path) => tree.mpd(path));
  if (hls[0] && dash[0]) tree.compare(hls[0], dash[0]);
  for (const path of files(dir).filter((name) => name.endsWith('.m3u8')))
    tree.check(tree.playlists.has(path) || tree.problems.length > 0, path, 'is named by no playlist');
  return tree;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  let wrong = 0;
  for (const dir of process.argv.slice(2)) {
    const {problems, playlists} = validate(dir);
    for (const problem of problems) console.error(problem);
    console.log(`${dir}: ${playlists.size} playlists, ${problems.length} problems`);
    wrong += problems.length;
  }
  process.exit(wrong > 0 || process.argv.length < 3 ? 1 : 0);
}
