// The page as static files. No inline scripts, styles or data: files, so that the server's Content-Security-Policy needs no unsafe-*.
import {readFileSync} from 'node:fs';
import {brotliCompressSync, gzipSync} from 'node:zlib';
import {defineConfig, type Plugin} from 'vite';
import {parse} from 'yaml';
import type {Document} from './reference/document';
import {render} from './reference/render';

const source = new URL('../openapi.yaml', import.meta.url);
const place = '<!-- made of openapi.yaml -->';

// The reference of the API, as a page and as JSON, from the document that the server serves.
function reference(): Plugin {
  const read = (): Document => parse(readFileSync(source, 'utf8')) as Document;
  return {
    name: 'reference',
    transformIndexHtml: (html) => (html.includes(place) ? html.replace(place, () => render(read())) : html),
    generateBundle() {
      this.emitFile({type: 'asset', fileName: 'api/v1/openapi.json', source: JSON.stringify(read())});
    },
  };
}

const worth = 1024; // bytes; smaller ones go in a packet anyway

// Beside each text FILE, FILE.br and FILE.gz, which the server sends to who takes them: compressed once, as well as can be.
function compressed(): Plugin {
  return {
    name: 'compressed',
    generateBundle: {
      order: 'post',
      handler(_options, bundle) {
        for (const [fileName, item] of Object.entries(bundle)) {
          const text = item.type === 'chunk' ? item.code : item.source;
          if (!/\.(js|css|html|json|svg)$/.test(fileName) || text.length < worth) continue;
          this.emitFile({type: 'asset', fileName: `${fileName}.br`, source: brotliCompressSync(text)});
          this.emitFile({type: 'asset', fileName: `${fileName}.gz`, source: gzipSync(text, {level: 9})});
        }
      },
    },
  };
}

export default defineConfig({
  plugins: [reference(), compressed()],
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: {polyfill: false},
    chunkSizeWarningLimit: 600, // Shaka Player is one file of 500 kB
    reportCompressedSize: false,
    rollupOptions: {input: ['index.html', 'api/v1/docs.html']},
  },
  server: {proxy: {'^/api/v1/(?!docs\\.html)': 'http://localhost:8080', '/media': 'http://localhost:8080'}},
});
