// What the tests and the build use of Node: its whole declarations would also change what the page's own code may say.
declare module 'node:test' {
  export default function test(name: string, body: () => void | Promise<void>): void;
}
declare module 'node:assert/strict' {
  const assert: {
    equal(actual: unknown, expected: unknown, message?: string): void;
    deepEqual(actual: unknown, expected: unknown, message?: string): void;
    ok(value: unknown, message?: string): void;
  };
  export default assert;
}
declare module 'node:fs' {
  export function readFileSync(path: URL, encoding: 'utf8'): string;
}
declare module 'node:zlib' {
  export function brotliCompressSync(data: string | Uint8Array): Uint8Array;
  export function gzipSync(data: string | Uint8Array, options: {level: number}): Uint8Array;
}
