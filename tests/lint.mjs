// SPDX-License-Identifier: MIT
// The rules for TypeScript, with types: node tests/node_modules/eslint/bin/eslint.js -c tests/lint.mjs api-server/web
import {fileURLToPath} from 'node:url';
import tseslint from 'typescript-eslint';

const page = fileURLToPath(new URL('../api-server/web', import.meta.url));

export default tseslint.config(
    {ignores: ['**/node_modules/**', '**/*.mjs', '**/*.js', '**/*.d.ts']},
    ...tseslint.configs.strictTypeChecked,
    {
        files: ['**/*.ts'],
        languageOptions: {parserOptions: {project: `${page}/tsconfig.json`, tsconfigRootDir: page}},
        linterOptions: {reportUnusedDisableDirectives: 'error'},
        rules: {
            eqeqeq: 'error',
            'no-restricted-properties': ['error', ...['innerHTML', 'outerHTML', 'insertAdjacentHTML'].map((property) => ({property, message: 'texts of people never become HTML: h() makes text nodes'}))],
            '@typescript-eslint/restrict-template-expressions': ['error', {allowNumber: true}],
            '@typescript-eslint/no-confusing-void-expression': ['error', {ignoreArrowShorthand: true}],
            '@typescript-eslint/no-invalid-void-type': 'off', // call<void>(): an answer without a body
            // Types say what the server and the browser should give; the page bears with those that don't.
            '@typescript-eslint/no-unnecessary-condition': 'off',
        },
    },
);
