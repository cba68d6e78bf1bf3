// SPDX-License-Identifier: MIT
// Hears beeps: reports the moment at which each begins (in the context's time) and its pitch, counted from zero crossings.
// A beep begins after silence; a seek or another track may cut one short, so only those that sound long enough count.
const LOUD = 0.05;
const SILENCE_SECONDS = 0.1;
const LISTEN_SECONDS = 0.06;

class Onset extends AudioWorkletProcessor {
  constructor() {
    super();
    this.quiet = 0; // samples since the last loud one
    this.heard = null; // the beep that is being listened to
  }

  process([[samples]]) {
    for (let i = 0; samples && i < samples.length; i++) this.sample(samples[i], currentFrame + i);
    return true;
  }

  sample(value, frame) {
    const loud = Math.abs(value) > LOUD;
    if (loud && !this.heard && this.quiet > SILENCE_SECONDS * sampleRate) this.heard = {at: frame / sampleRate, samples: 0, crossings: 0, negative: value < 0};
    this.quiet = loud ? 0 : this.quiet + 1;
    if (!this.heard) return;
    this.heard.samples++;
    if (loud && value < 0 !== this.heard.negative) {
      this.heard.negative = !this.heard.negative;
      this.heard.crossings++;
    }
    if (this.quiet > SILENCE_SECONDS * sampleRate / 2) this.heard = null;
    else if (this.heard.samples >= LISTEN_SECONDS * sampleRate) {
      this.port.postMessage({at: this.heard.at, hertz: this.heard.crossings / 2 / LISTEN_SECONDS});
      this.heard = null;
    }
  }
}
registerProcessor('onset', Onset);
