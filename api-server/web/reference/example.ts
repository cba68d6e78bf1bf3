// A value that a schema allows, for people to look at.
import {follow, type Document, type Schema} from './document';

const deepest = 5;

const formats: Record<string, string> = {'date-time': '2026-01-31T12:00:00Z', date: '2026-01-31'};

// Names say more than types.
const known: Record<string, unknown> = {
  title: 'Night train', description: 'Rails and rain.', email: 'ada@example.org', name: 'Ada', password: 'correct horse battery', filename: 'train.mp4', size: 104857600, type: 'video/mp4', tags: ['trains'],
  duration: 63.2, width: 1920, height: 1080, language: 'en', lang: 'en', label: 'English', pipeline: 'vod', seconds: 12.5, time: 12.5, progress: 0.42, status: undefined,
};

export function example(document: Document, schema: Schema, name = '', depth = 0): unknown {
  const it = follow<Schema>(document, schema);
  const types = Array.isArray(it.type) ? it.type : [it.type];
  if (it.const !== undefined) return it.const;
  if (it.enum) return it.enum[0];
  if (it.allOf) return Object.assign({}, ...it.allOf.map((one) => example(document, one, name, depth)));
  if (it.anyOf) return it.anyOf[0] ? example(document, it.anyOf[0], name, depth) : null;
  if (types.includes('object')) {
    const properties = depth < deepest ? Object.entries(it.properties ?? {}) : [];
    return Object.fromEntries(properties.map(([key, value]) => [key, example(document, value, key, depth + 1)]));
  }
  if (types.includes('array')) return known[name] ?? (it.items && depth < deepest ? [example(document, it.items, name, depth + 1)] : []);
  if (it.pattern?.startsWith('^[a-z]_')) return `${name === 'owner' || name === 'user' ? 'u' : 'v'}_3kTmQ0yWb7RzXnJ5cHs9Ld`;
  if (it.format && formats[it.format]) return formats[it.format];
  if (types.includes('boolean')) return true;
  if (known[name] !== undefined && (typeof known[name] === 'string') === types.includes('string')) return known[name];
  if (types.includes('integer') || types.includes('number')) return it.minimum ?? 0;
  return it.default ?? (types.includes('string') ? '…' : null);
}
