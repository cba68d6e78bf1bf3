// A storyboard: WebVTT whose cues name a part of a sheet of pictures, "sheet-1.jpg#xywh=160,0,160,90".

export interface Picture {
  start: number;
  end: number;
  url: string;
  x: number;
  y: number;
  width: number;
  height: number;
}

// "01:02.500", "1:00:01.000"
function seconds(text: string): number {
  return text.trim().split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
}

export function parse(text: string, base: string): Picture[] {
  const pictures: Picture[] = [];
  for (const block of text.replace(/\r\n?/g, '\n').split(/\n\n+/)) {
    const lines = block.split('\n');
    const at = lines.findIndex((line) => line.includes('-->'));
    const place = lines[at + 1];
    if (at < 0 || !place) continue;
    const [from = '', to = ''] = (lines[at] ?? '').split('-->');
    const [file = '', part = ''] = place.trim().split('#xywh=');
    const [x, y, width, height] = part.replace(/^pixel:/, '').split(',').map(Number);
    const picture = {start: seconds(from), end: seconds(to.trim().split(/\s/)[0] ?? ''), url: new URL(file, base).href, x: x ?? NaN, y: y ?? NaN, width: width ?? NaN, height: height ?? NaN};
    if ([picture.start, picture.end, picture.x, picture.y, picture.width, picture.height].every(Number.isFinite)) pictures.push(picture);
  }
  return pictures;
}

const late = 1; // seconds: sound may go on after the last picture

// The picture of a time: the last that begins before it. pictures are in order; null: there is none of it yet.
export function at(pictures: readonly Picture[], time: number): Picture | null {
  let low = 0;
  let high = pictures.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((pictures[middle]?.start ?? Infinity) <= time) low = middle + 1;
    else high = middle;
  }
  const found = pictures[Math.max(0, low - 1)];
  return found && time < found.end + late ? found : null;
}
