// SPDX-License-Identifier: MIT
// The players behind one interface, with adaptation by bandwidth switched off: the tests say which rung is played, and the screen tells whether it is.
//   load(url, subtitles)    resolves when the stream can be played; starts with the lowest rung, subtitles of that language on
//   rungs()                 heights on offer
//   select(height)          change rung, as soon as that can be done without a pause
//   languages(), hear(l)    sound
//   texts()                 subtitles
//   ended()                 resolves when the player has come to the end, from now on
//   problems                errors, fatal or not; nothing belongs there
const problems = [];

class HlsJs {
  constructor(video) {
    this.video = video;
    this.hls = new Hls({startLevel: -1, capLevelToPlayerSize: false, testBandwidth: false});
    this.hls.on(Hls.Events.ERROR, (event, {type, details, fatal}) => problems.push(`${type} ${details}${fatal ? ' (fatal)' : ''}`));
  }
  async load(url, subtitles) {
    const parsed = new Promise((resolve) => this.hls.once(Hls.Events.MANIFEST_PARSED, resolve));
    this.hls.attachMedia(this.video);
    this.hls.loadSource(url);
    await parsed;
    this.hls.subtitleDisplay = true;
    this.hls.subtitleTrack = this.texts().indexOf(subtitles);
    this.hls.currentLevel = this.#level(Math.min(...this.rungs()));
    await screenOf.until(() => this.video.readyState >= 3);
  }
  #level(height) { return this.hls.levels.findIndex((level) => level.height === height); }
  rungs() { return this.hls.levels.map(({height}) => height); }
  select(height) { this.hls.nextLevel = this.#level(height); }
  languages() { return this.hls.audioTracks.map(({lang, name, default: first}) => ({language: lang, name, first})); }
  hear(language) { this.hls.audioTrack = this.hls.audioTracks.findIndex(({lang}) => lang === language); }
  texts() { return this.hls.subtitleTracks.map(({lang}) => lang); }
  ended() { return screenOf.once(this.video, 'ended'); }
}

class Shaka {
  constructor(video) {
    this.video = video;
    this.player = new shaka.Player();
    this.player.configure({abr: {enabled: false}, streaming: {gapDetectionThreshold: 0.01}});
    this.player.addEventListener('error', ({detail}) => problems.push(`shaka ${detail.severity === 2 ? 'critical ' : ''}${detail.code}`));
  }
  async load(url, subtitles) {
    await this.player.attach(this.video);
    await this.player.load(url);
    // Now: Shaka holds back the cues of HLS until a piece of the picture has been appended after the choice.
    this.player.selectTextTrack(this.player.getTextTracks().find(({language}) => language === subtitles));
    this.#choose(Math.min(...this.rungs()), true);
    await screenOf.until(() => this.video.readyState >= 3);
  }
  #choose(height, now) { this.player.selectVideoTrack(this.player.getVideoTracks().find((track) => track.height === height), true, now ? 0 : 2); }
  rungs() { return this.player.getVideoTracks().map(({height}) => height); }
  select(height) { this.#choose(height, false); }
  languages() { return this.player.getAudioTracks().map(({language, label, primary}) => ({language, name: label, first: primary})); }
  hear(language) { this.player.selectAudioTrack(this.player.getAudioTracks().find((track) => track.language === language)); }
  texts() { return this.player.getTextTracks().map(({language}) => language); }
  ended() { return screenOf.once(this.video, 'ended'); }
}

class DashJs {
  constructor(video) {
    this.video = video;
    this.player = dashjs.MediaPlayer().create();
    const abr = {autoSwitchBitrate: {video: false, audio: false}, initialBitrate: {video: 1}};
    // A short buffer: a segment that is buffered to the end of the stream is not replaced.
    const buffer = {fastSwitchEnabled: true, bufferTimeDefault: 4, bufferTimeAtTopQuality: 4, bufferToKeep: 20};
    this.player.updateSettings({streaming: {abr, buffer}});
    this.player.on('error', ({error}) => problems.push(`dash.js ${error?.code} ${error?.message ?? error}`));
    this.player.on('playbackError', ({error}) => problems.push(`dash.js playback ${error}`));
  }
  async load(url, subtitles) {
    this.player.initialize(this.video, new URL(url, location).href, false);
    await new Promise((resolve) => { this.player.on('streamInitialized', resolve); });
    this.player.setTextTrack(this.texts().indexOf(subtitles));
    await screenOf.until(() => this.video.readyState >= 3);
  }
  rungs() { return this.player.getRepresentationsByType('video').map(({height}) => height); }
  select(height) { this.player.setRepresentationForTypeById('video', this.player.getRepresentationsByType('video').find((one) => one.height === height).id, false); }
  languages() { return this.player.getTracksFor('audio').map(({lang, labels, roles}) => ({language: lang, name: labels[0]?.text, first: roles.some(({value}) => value === 'main')})); }
  hear(language) { this.player.setCurrentTrack(this.player.getTracksFor('audio').find(({lang}) => lang === language)); }
  texts() { return this.player.getTracksFor('text').map(({lang}) => lang); }
  // dash.js looks five times a second whether the time has come to the manifest's end. When it sees that before the browser has said 'ended' (which a busy machine puts off),
  // it seeks to the end and pauses, so that the browser never says it. Its own event comes either way.
  ended() { return new Promise((resolve) => { this.player.on('playbackEnded', resolve); }); }
}

window.players = {HlsJs, Shaka, DashJs, problems};
