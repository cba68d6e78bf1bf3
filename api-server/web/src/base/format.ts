// Numbers and times as people read them.

const two = (value: number): string => String(value).padStart(2, '0');

// 65 -> "1:05", 3725 -> "1:02:05"
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(Number.isFinite(seconds) ? seconds : 0));
  const h = Math.floor(whole / 3600);
  const m = Math.floor((whole % 3600) / 60);
  return h > 0 ? `${h}:${two(m)}:${two(whole % 60)}` : `${m}:${two(whole % 60)}`;
}

// For screen readers: 65 -> "1 minute 5 seconds"
export function spoken(seconds: number): string {
  const whole = Math.max(0, Math.floor(Number.isFinite(seconds) ? seconds : 0));
  const parts: [number, string][] = [[Math.floor(whole / 3600), 'hour'], [Math.floor((whole % 3600) / 60), 'minute'], [whole % 60, 'second']];
  const said = parts.filter(([count]) => count > 0).map(([count, unit]) => `${count} ${unit}${count === 1 ? '' : 's'}`);
  return said.join(' ') || '0 seconds';
}

export function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

export const percent = (fraction: number): string => `${Math.floor(Math.min(1, Math.max(0, fraction)) * 100)}%`;

const compact = new Intl.NumberFormat('en', {notation: 'compact', maximumFractionDigits: 1});
export const count = (value: number): string => compact.format(value);

export const date = (time: string): string => new Date(time).toLocaleString('en', {dateStyle: 'medium', timeStyle: 'short'});

// "2026-11-21", a day of UTC -> "Nov 21"
export const day = (text: string): string => new Date(`${text}T00:00:00Z`).toLocaleDateString('en', {month: 'short', day: 'numeric', timeZone: 'UTC'});

const relative = new Intl.RelativeTimeFormat('en', {numeric: 'auto'});
const steps: [Intl.RelativeTimeFormatUnit, number][] = [['year', 31536000], ['month', 2592000], ['week', 604800], ['day', 86400], ['hour', 3600], ['minute', 60]];

export function ago(time: string, now = Date.now()): string {
  const seconds = (new Date(time).getTime() - now) / 1000;
  for (const [unit, length] of steps) {
    if (Math.abs(seconds) >= length) return relative.format(Math.trunc(seconds / length), unit);
  }
  return 'just now';
}

// How long something took: 0.4 -> "0.4 s", 75 -> "1 min 15 s"
export function took(seconds: number): string {
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}

export function languageName(code: string): string {
  if (!code || code === 'und') return 'Default';
  try {
    return new Intl.DisplayNames('en', {type: 'language'}).of(code) ?? code;
  } catch {
    return code;
  }
}

// A label that is no more than the code, as captions without a name have it, is no word to read out.
export const captionsName = (label: string | null | undefined, code: string): string => (label && label !== code ? label : languageName(code));
