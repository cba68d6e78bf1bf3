// SPDX-License-Identifier: MIT
// validate.mjs OPENAPI EXCHANGES: every answer, a line of JSON each, against the schema that the document gives for its route and status.
import { readFileSync } from 'node:fs';
import Ajv from '../node_modules/ajv/dist/2020.js';
import { parse } from '../node_modules/yaml/dist/index.js';

const [, , documentPath, exchangesPath] = process.argv;
const document = parse(readFileSync(documentPath, 'utf8'));
const ajv = new Ajv.default({ strict: false, allErrors: true, validateFormats: false });
ajv.addSchema({ ...document, $id: 'openapi' }, 'openapi');

const follow = (node) => (node?.$ref ? follow(node.$ref.slice(2).split('/').reduce((at, key) => at[key.replaceAll('~1', '/').replaceAll('~0', '~')], document)) : node);
const routes = Object.entries(document.paths).map(([path, item]) => ({
    path, item, names: (path.match(/\{/g) ?? []).length, pattern: new RegExp('^' + path.replaceAll(/[.+]/g, '\\$&').replaceAll(/\{[^}]+\}/g, '[^/]+') + '$'),
})).sort((a, b) => a.names - b.names); // what is written out comes before {…}

/** What is wrong with an answer; null: nothing. Paths that the document doesn't have must be problems. */
function wrong({ method, path, status, type, body }) {
    const bare = path.split('?')[0];
    const route = routes.find(({ pattern, item }) => pattern.test(bare) && item[method.toLowerCase()]);
    const operation = route?.item[method.toLowerCase()];
    const answer = operation ? follow(operation.responses[status] ?? operation.responses[`${Math.floor(status / 100)}XX`]) : follow(document.components.responses.Problem);
    if (!answer || (!operation && status < 400))
        return `no answer ${status} of it is in the document`;
    const media = answer.content?.[type.split(';')[0]];
    if (!media)
        return `${type} is not what the document says for ${status}`;
    const at = media.schema.$ref ?? null;
    const check = at ? ajv.getSchema(`openapi${at}`) : ajv.compile(media.schema);
    return check(body) ? null : ajv.errorsText(check.errors, { separator: '; ' });
}

let bad = 0;
for (const line of readFileSync(exchangesPath, 'utf8').split('\n').filter(Boolean)) {
    const exchange = JSON.parse(line);
    const why = wrong(exchange);
    if (why && bad++ < 20)
        console.error(`${exchange.method} ${exchange.path}: ${why}\n  ${JSON.stringify(exchange.body).slice(0, 500)}`);
}
process.exitCode = bad > 0 ? 1 : 0;
