// The page as static files. No inline scripts, styles or data: files, so that the server's Content-Security-Policy needs no unsafe-*.
import {defineConfig} from 'vite';

export default defineConfig({
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: {polyfill: false},
    chunkSizeWarningLimit: 600, // Shaka Player is one file of 500 kB
    reportCompressedSize: false,
  },
  server: {proxy: {'/api': 'http://localhost:8080', '/media': 'http://localhost:8080'}},
});
