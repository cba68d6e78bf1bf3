// SPDX-License-Identifier: MIT
// Reads what the pictures of a clip (clip.mjs) carry. For any page: it brings nothing along and changes nothing.
window.readPicture = (() => {
  const canvas = new OffscreenCanvas(1, 1);
  const context = canvas.getContext('2d', {willReadFrequently: true});

  // The mean brightness of the inner half of a square, where no codec's ringing reaches.
  function brightness(pixels, width, x, y, size) {
    let sum = 0, count = 0;
    for (let row = Math.round(y + size / 4); row < y + 3 * size / 4; row++)
      for (let column = Math.round(x + size / 4); column < x + 3 * size / 4; column++, count++) sum += pixels[4 * (row * width + column) + 1];
    return sum / count;
  }

  // Its number and whether it flashes; null when its squares and their complements don't agree. area: the part of source to look at (all of it when absent).
  return function readPicture(source, {width, height, code, flash}, area) {
    [canvas.width, canvas.height] = [width, height];
    if (area) context.drawImage(source, area.x, area.y, area.width, area.height, 0, 0, width, height);
    else context.drawImage(source, 0, 0, width, height);
    const {data} = context.getImageData(0, 0, width, code.complementTop + code.size);
    let number = 0;
    for (let bit = 0; bit < code.bits; bit++) {
      const x = code.left + bit * code.pitch;
      const [value, complement] = [brightness(data, width, x, code.top, code.size), brightness(data, width, x, code.complementTop, code.size)];
      if (Math.abs(value - complement) < 100) return null;
      if (value > complement) number += 2 ** bit;
    }
    if (!flash) return {number};
    const lit = context.getImageData(flash.left, flash.top, flash.width, flash.height);
    return {number, flash: brightness(lit.data, flash.width, 0, 0, flash.width) > 128};
  };
})();

// The next picture that a video puts on the screen and that is meant: its place in the media, what it carries, how large it was encoded, when it is seen, and
// how many seconds after it was put there the page came to look: what is read may be newer by so much.
window.nextPicture = (video, clip, meant = () => true) => new Promise((resolve) => {
  const look = (_now, {mediaTime, presentationTime, expectedDisplayTime}) => {
    if (!meant(mediaTime)) { video.requestVideoFrameCallback(look); return; }
    const picture = window.readPicture(video, clip);
    const late = (performance.now() - presentationTime) / 1000;
    resolve({mediaTime, late, seen: performance.timeOrigin + expectedDisplayTime, height: video.videoHeight, ...picture});
  };
  video.requestVideoFrameCallback(look);
});
