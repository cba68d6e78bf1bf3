// The parts of an OpenAPI 3.1 document that the reference shows.

export interface Ref {
  $ref: string;
}

export interface Schema {
  $ref?: string;
  type?: string | string[];
  description?: string;
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
  format?: string;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  maxItems?: number;
  required?: string[];
  properties?: Record<string, Schema>;
  additionalProperties?: Schema | boolean;
  items?: Schema;
  allOf?: Schema[];
  anyOf?: Schema[];
}

export interface Parameter {
  name: string;
  in: string;
  required?: boolean;
  description?: string;
  schema?: Schema;
}

type Content = Record<string, {schema: Schema}>;

export interface Response_ {
  description: string;
  content?: Content;
}

export interface Operation {
  operationId: string;
  tags: string[];
  summary: string;
  description?: string;
  parameters?: (Parameter | Ref)[];
  requestBody?: {required?: boolean; content: Content} | Ref;
  responses: Record<string, Response_ | Ref>;
  'x-who': string;
  'x-scope'?: string;
}

export type PathItem = {parameters?: (Parameter | Ref)[]} & {[method: string]: Operation | (Parameter | Ref)[]};

export interface Document {
  info: {title: string; version: string; summary: string; description: string};
  tags: {name: string; description: string}[];
  paths: Record<string, PathItem>;
  components: {schemas: Record<string, Schema>} & Record<string, Record<string, unknown>>;
}

// What "#/components/schemas/Video" stands for; anything else is itself.
export function follow<T>(document: Document, node: T | Ref): T {
  if (typeof node !== 'object' || node === null || !('$ref' in node)) return node;
  const path = node.$ref.replace(/^#\//, '').split('/');
  const found = path.reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], document);
  if (found === undefined) throw new Error(`the document has no '${node.$ref}'`);
  return follow(document, found as T | Ref);
}

// "Video" of "#/components/schemas/Video"
export const nameOf = (ref: string): string => ref.slice(ref.lastIndexOf('/') + 1);
