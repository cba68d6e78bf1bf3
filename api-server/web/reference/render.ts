// The reference of the API as HTML, made when the page is built: it needs no script to be read.
import {follow, nameOf, type Document, type Operation, type Parameter, type Response_, type Schema} from './document';
import {example} from './example';

const methods = ['get', 'post', 'put', 'patch', 'delete', 'head', 'options'];

const who: Record<string, string> = {
  anyone: 'anyone', 'signed-in': 'who is signed in', creator: 'creators and administrators', admin: 'administrators',
  'viewer-of': 'who may see the video', 'owner-of': 'the video’s owner, and administrators', url: 'who has the signed URL',
};

const safe = (text: unknown): string => String(text).replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
// Paragraphs; `code`.
const prose = (text: string): string => text.trim().split(/\n\s*\n/).map((part) => `<p>${safe(part).replace(/`([^`]+)`/g, '<code>$1</code>')}</p>`).join('');
const inline = (text: string): string => safe(text).replace(/`([^`]+)`/g, '<code>$1</code>');

interface Place {
  method: string;
  path: string;
  operation: Operation;
  parameters: Parameter[];
}

function places(document: Document): Place[] {
  return Object.entries(document.paths).flatMap(([path, item]) => methods.flatMap((method) => {
    const operation = item[method] as Operation | undefined;
    if (!operation) return [];
    return [{method, path, operation, parameters: [...(item.parameters ?? []), ...(operation.parameters ?? [])].map((one) => follow<Parameter>(document, one))}];
  }));
}

// ---- schemas ----

const link = (name: string): string => `<a href="#schema-${safe(name)}">${safe(name)}</a>`;

function typeOf(schema: Schema): string {
  if (schema.$ref) return link(nameOf(schema.$ref));
  if (schema.const !== undefined) return `<code>${safe(JSON.stringify(schema.const))}</code>`;
  if (schema.enum) return schema.enum.map((one) => `<code>${safe(one)}</code>`).join(' | ');
  if (schema.allOf) return schema.allOf.map(typeOf).join(' with ');
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(' or ');
  const types = [schema.type ?? 'any'].flat().map((type) => {
    if (type === 'array') return schema.items ? `list of ${typeOf(schema.items)}` : 'list';
    if (type === 'object' && typeof schema.additionalProperties === 'object') return `object of ${typeOf(schema.additionalProperties)}`;
    return safe(type === 'string' && schema.format ? schema.format : type);
  });
  return types.join(' or ');
}

function bounds(schema: Schema): string {
  const {minimum, maximum, minLength, maxLength, maxItems} = schema;
  const said = [
    minimum !== undefined && `from ${minimum}`, maximum !== undefined && `up to ${maximum}`, minLength !== undefined && `at least ${minLength} characters`,
    maxLength !== undefined && `at most ${maxLength} bytes`, maxItems !== undefined && `at most ${maxItems}`, schema.default !== undefined && `default ${JSON.stringify(schema.default)}`,
  ].filter(Boolean);
  return said.length > 0 ? `<span class="bounds">${safe(said.join(', '))}</span>` : '';
}

interface Row {
  name: string;
  schema: Schema;
  required: boolean;
  description: string;
  depth: number;
}

// The fields of an object, those of objects written in place below them.
function rows(schema: Schema, depth = 0): Row[] {
  if (schema.allOf) return schema.allOf.flatMap((one) => rows(one, depth));
  const inner = schema.type === 'array' && schema.items ? schema.items : schema;
  return Object.entries(inner.properties ?? {}).flatMap(([name, of]) => [
    {name, schema: of, required: inner.required?.includes(name) ?? false, description: of.description ?? '', depth},
    ...(of.$ref ? [] : rows(of, depth + 1)),
  ]);
}

const row = (one: Row): string =>
  `<tr><th scope="row" class="depth-${Math.min(one.depth, 3)}"><code>${safe(one.name)}</code>${one.required ? ' <span class="needed">needed</span>' : ''}</th><td>${typeOf(one.schema)} ${bounds(one.schema)}</td><td>${inline(one.description)}</td></tr>`;

function table(caption: string, all: Row[]): string {
  if (all.length === 0) return '';
  return `<div class="table" tabindex="0" role="group" aria-label="${safe(caption)}"><table><thead><tr><th scope="col">Name</th><th scope="col">Type</th><th scope="col">What</th></tr></thead><tbody>${all.map(row).join('')}</tbody></table></div>`;
}

function schemaPart(document: Document, name: string, schema: Schema): string {
  const fields = rows(schema);
  const parents = (schema.allOf ?? []).filter((one) => one.$ref).map((one) => `<p>All of ${typeOf(one)}, and:</p>`).join('');
  const body = fields.length > 0 ? parents + table(name, fields) : `<p>${typeOf(schema)} ${bounds(schema)} ${schema.pattern ? `<code>${safe(schema.pattern)}</code>` : ''}</p>`;
  const shown = fields.length > 0 ? `<details><summary>Example of ${safe(name)}</summary>${code(example(document, schema), `Example of ${name}`)}</details>` : '';
  return `<section class="schema" id="schema-${safe(name)}"><h3>${safe(name)}</h3>${schema.description ? prose(schema.description) : ''}${body}${shown}</section>`;
}

// ---- operations ----

const code = (value: unknown, label: string): string => `<pre tabindex="0" role="group" aria-label="${safe(label)}"><code>${safe(JSON.stringify(value, null, 2))}</code></pre>`;

function request(document: Document, {operation}: Place): string {
  if (!operation.requestBody) return '';
  const body = follow<{required?: boolean; content: Record<string, {schema: Schema}>}>(document, operation.requestBody);
  const kinds = Object.entries(body.content).map(([type, {schema}]) => `<li><code>${safe(type)}</code>: ${schema.format === 'binary' ? 'bytes' : typeOf(schema)}</li>`).join('');
  const json = body.content['application/json']?.schema;
  return `<h4>Body${body.required ? '' : ' (may be left out)'}</h4><ul class="kinds">${kinds}</ul>${json ? code(example(document, json), `Body of ${operation.operationId}`) : ''}`;
}

function answers(document: Document, {operation}: Place): string {
  const all = Object.entries(operation.responses).map(([status, given]) => {
    const answer = follow<Response_>(document, given);
    const kinds = Object.entries(answer.content ?? {}).map(([type, {schema}]) => (schema.$ref ? typeOf(schema) : safe(type))).join(', ');
    const words = answer.description === 'the answer' ? '' : inline(answer.description);
    return `<li><span class="status status-${safe(status[0])}">${safe(status)}</span> ${[kinds, words].filter(Boolean).join(': ')}</li>`;
  });
  return `<h4>Answers</h4><ul class="answers">${all.join('')}</ul>`;
}

function operationPart(document: Document, place: Place): string {
  const {method, path, operation, parameters} = place;
  const given = parameters.map((one) => ({name: one.name, schema: one.schema ?? {}, required: one.required ?? false, description: [one.in === 'header' ? 'header' : one.in === 'path' ? 'in the path' : '', one.description ?? ''].filter(Boolean).join(': '), depth: 0}));
  const scope = operation['x-scope'];
  return `<section class="operation" id="${safe(operation.operationId)}">
    <h3><span class="method ${method}">${method.toUpperCase()}</span> <span class="path">${safe(path).replace(/\{/g, '<wbr>{')}</span></h3>
    <p class="summary">${inline(operation.summary)}</p>${operation.description ? prose(operation.description) : ''}
    <p class="who">For ${safe(who[operation['x-who']] ?? operation['x-who'])}${scope ? `; an API key needs <code>${safe(scope)}</code>` : ''}.</p>
    ${given.length > 0 ? `<h4>Parameters</h4>${table(`Parameters of ${operation.operationId}`, given)}` : ''}${request(document, place)}${answers(document, place)}
  </section>`;
}

// nav and main of the page.
export function render(document: Document): string {
  const all = places(document);
  const groups = document.tags.map((tag) => ({tag, of: all.filter((place) => place.operation.tags.includes(tag.name))}));
  const schemas = Object.entries(document.components.schemas).sort(([a], [b]) => (a < b ? -1 : 1));
  const title = (name: string): string => safe(name.charAt(0).toUpperCase() + name.slice(1));
  const contents = groups.map(({tag, of}) => `<h2>${title(tag.name)}</h2><ul>${of.map(({method, path, operation}) =>
    `<li><a href="#${safe(operation.operationId)}"><span class="method ${method}">${method.toUpperCase()}</span><span>${safe(path.replace(/^\/api\/v1/, '') || path)}</span></a></li>`).join('')}</ul>`).join('');
  return `<nav class="contents" aria-label="Contents"><label for="filter">Find</label><input id="filter" type="search" autocomplete="off" placeholder="videos, captions, PATCH …" hidden>
    <p id="found" class="visually-hidden" role="status"></p>${contents}<h2>Schemas</h2><ul>${schemas.map(([name]) => `<li><a href="#schema-${safe(name)}">${safe(name)}</a></li>`).join('')}</ul></nav>
  <main id="content" tabindex="-1"><h1>${safe(document.info.title)}</h1><p class="summary">${inline(document.info.summary)}</p>${prose(document.info.description)}
    <p>Every path stands below this server’s address. <a href="/api/v1/openapi.yaml">openapi.yaml</a> and <a href="/api/v1/openapi.json">openapi.json</a> are the same for programs.</p>
    ${groups.map(({tag, of}) => `<section class="group" aria-labelledby="tag-${safe(tag.name)}"><h2 id="tag-${safe(tag.name)}">${title(tag.name)}</h2>${prose(tag.description)}${of.map((place) => operationPart(document, place)).join('')}</section>`).join('')}
    <section class="group" aria-labelledby="schemas"><h2 id="schemas">Schemas</h2>${schemas.map(([name, schema]) => schemaPart(document, name, schema)).join('')}</section></main>`;
}
