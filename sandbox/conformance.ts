import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { RequestEntry } from './request-log.ts';
import { toJsonSchema } from './to-json-schema.ts';

/** The vendors' documents. They are no part of the repository: tests that need them skip where they are absent. */
const FOLDER = new URL('../../shared/api-specs/', import.meta.url);

export function hasSpec(file: string): boolean {
  return existsSync(new URL(file, FOLDER));
}

/** A place where the document is wrong about the service, and what is done about it. */
export interface Defect {
  why: string;
  /** Faults that are not reported; matched against `<where>: <message>`. */
  fault?: RegExp;
  /** A value of the document that is replaced, where a wrong one spoils more than itself (in oneOf, say). */
  replace?: { pointer: string; value: unknown };
}

/** What passed over the wire: an entry of the request log has all of it. */
export type Exchange = Pick<
  RequestEntry,
  'method' | 'path' | 'query' | 'request_headers' | 'request_body' | 'status' | 'response_body'
>;

export interface Spec {
  /** All the ways in which a request and its answer differ from the document, in words. */
  check(exchange: Exchange): string[];
  /** The same for a value and a schema of the document, e.g. `#/components/schemas/Event`. */
  validate(pointer: string, value: unknown): string[];
  /** Operations as `GET /v1/things/{id}`, for asking which have been seen. */
  operationOf(exchange: Pick<Exchange, 'method' | 'path'>): string | undefined;
}

interface Parameter {
  name: string;
  in: 'query' | 'header' | 'path';
  required?: boolean;
  schema?: object;
  $ref?: string;
}
interface Content {
  content?: Record<string, { schema?: object }>;
  $ref?: string;
}
interface Operation {
  parameters?: Parameter[];
  requestBody?: Content & { required?: boolean };
  responses: Record<string, Content>;
}
interface Document {
  openapi: string;
  servers?: { url: string }[];
  paths: Record<string, Record<string, Operation> & { parameters?: Parameter[] }>;
}

/** Reads a document of the folder. `defects` are its known ones, each with a reason. */
export function loadSpec(file: string, defects: readonly Defect[] = []): Spec {
  const document = JSON.parse(readFileSync(fileURLToPath(new URL(file, FOLDER)), 'utf8')) as Document;
  for (const { replace } of defects) if (replace) replaceAt(document, replace.pointer, replace.value);
  const converted = toJsonSchema(document, document.openapi.startsWith('3.0')) as Document;
  const prefix = new URL(document.servers?.[0]?.url ?? '/', 'http://none').pathname.replace(/\/$/, '');
  const strict = createAjv(converted, false);
  const coercing = createAjv(converted, true); // what comes as text: query and form
  const compiled = new Map<string, ValidateFunction>();

  const report = (where: string, errors: ErrorObject[] | null | undefined): string[] =>
    (errors ?? []).map(
      ({ instancePath, message = '', params }) => `${where}${instancePath}: ${message} ${JSON.stringify(params)}`,
    );
  const validateAt = (ajv: Ajv2020, where: string, pointer: string, value: unknown): string[] => {
    const key = `${ajv === strict ? 'strict' : 'coercing'} ${pointer}`;
    const validate = compiled.get(key) ?? ajv.compile({ $ref: `document${pointer}` });
    compiled.set(key, validate);
    return validate(value) ? [] : report(where, validate.errors);
  };
  const forgive = (faults: string[]): string[] =>
    faults.filter((fault) => !defects.some((defect) => defect.fault?.test(fault)));

  const find = (
    method: string,
    path: string,
  ): { template: string; pointer: string; operation: Operation } | undefined => {
    const local = path.startsWith(prefix) ? path.slice(prefix.length) : path;
    const matching = Object.keys(converted.paths).filter(
      (template) => toPattern(template).test(local) && converted.paths[template]?.[method.toLowerCase()],
    );
    // A literal segment beats a parameter: /batch before /{id}.
    const [template] = matching.toSorted((a, b) => a.split('{').length - b.split('{').length);
    const operation = template === undefined ? undefined : converted.paths[template]?.[method.toLowerCase()];
    if (template === undefined || !operation) return undefined;
    return { template, operation, pointer: `#/paths/${escapePointer(template)}/${method.toLowerCase()}` };
  };
  const follow = <T extends { $ref?: string }>(value: T, pointer: string): { value: T; pointer: string } =>
    value.$ref === undefined ? { value, pointer } : { value: resolve(converted, value.$ref) as T, pointer: value.$ref };

  const checkParameters = (operation: Operation, pointer: string, exchange: Exchange): string[] => {
    const declared = (operation.parameters ?? []).map((one, index) => follow(one, `${pointer}/parameters/${index}`));
    const unknown = Object.keys(exchange.query).filter(
      (name) =>
        !declared.some(
          ({ value }) => value.in === 'query' && value.name.replace('[]', '') === name.replace(/\[.*/, ''),
        ),
    );
    return [
      ...unknown.map((name) => `query ${name}: is not declared`),
      ...declared.flatMap(({ value: { name, in: place, required, schema }, pointer: at }) => {
        if (place === 'path') return [];
        const given = place === 'query' ? exchange.query[name] : exchange.request_headers[name.toLowerCase()];
        if (given === undefined) return required ? [`${place} ${name}: is missing`] : [];
        // Deep objects and repeated values are the vendor's to parse.
        if (!schema || typeof given !== 'string') return [];
        return validateAt(coercing, `${place} ${name}`, `${at}/schema`, given);
      }),
    ];
  };

  const checkBody = (operation: Operation, pointer: string, exchange: Exchange): string[] => {
    const { request_body: text, request_headers: headers } = exchange;
    if (!operation.requestBody) return text === '' ? [] : ['request: has a body, where none is declared'];
    const { value: declared, pointer: at } = follow(operation.requestBody, `${pointer}/requestBody`);
    if (text === '') return declared.required ? ['request: has no body'] : [];
    const type = String(headers['content-type'] ?? '').split(';')[0] ?? '';
    const { schema } = declared.content?.[type] ?? {};
    if (!schema) return [`request: ${type || 'no content type'} is not declared`];
    const schemaAt = `${at}/content/${escapePointer(type)}/schema`;
    const isForm = type === 'application/x-www-form-urlencoded';
    if (isForm) return validateAt(coercing, 'request', schemaAt, parseForm(text));
    const value: unknown = JSON.parse(text);
    return [
      ...validateAt(strict, 'request', schemaAt, value),
      ...findUnknown(converted, schema, value).map((name) => `request/${name}: is not declared`),
    ];
  };

  const checkAnswer = (operation: Operation, pointer: string, { status, response_body: text }: Exchange): string[] => {
    const key = [String(status), `${String(status)[0]}XX`, 'default'].find((one) => operation.responses[one]);
    const response = key === undefined ? undefined : operation.responses[key];
    if (key === undefined || !response) return [`answer ${status}: is not declared`];
    const { value: declared, pointer: at } = follow(response, `${pointer}/responses/${key}`);
    const [type] = Object.keys(declared.content ?? {}).filter((one) => one.includes('json'));
    if (type === undefined) return text === '' ? [] : [`answer ${status}: has a body, where none is declared`];
    const value = parseJson(text);
    if (value === undefined) return [`answer ${status}: is not JSON`];
    return validateAt(strict, `answer ${status}`, `${at}/content/${escapePointer(type)}/schema`, value);
  };

  return {
    validate: (pointer, value) => forgive(validateAt(strict, 'value', pointer, value)),
    operationOf({ method, path }) {
      const found = find(method, path);
      return found && `${method} ${found.template}`;
    },
    check(exchange) {
      const found = find(exchange.method, exchange.path);
      if (!found) return [`${exchange.method} ${exchange.path}: is no operation of ${file}`];
      const { operation, pointer } = found;
      const asked =
        exchange.status >= 400
          ? []
          : [...checkParameters(operation, pointer, exchange), ...checkBody(operation, pointer, exchange)];
      return forgive([...asked, ...checkAnswer(operation, pointer, exchange)]);
    },
  };
}

function createAjv(document: object, coerceTypes: boolean): Ajv2020 {
  const ajv = new Ajv2020({
    strict: false,
    allErrors: true,
    coerceTypes: coerceTypes ? 'array' : false,
    validateSchema: false,
  });
  addFormats.default(ajv);
  for (const format of [
    'int32',
    'int64',
    'float',
    'double',
    'password',
    'binary',
    'unix-time',
    'unixtime',
    'decimal',
    'currency',
  ]) {
    ajv.addFormat(format, true);
  }
  ajv.addSchema(document, 'document');
  return ajv;
}

function toPattern(template: string): RegExp {
  const source = template.replace(/[.*+?^$()|[\]\\]/g, String.raw`\$&`).replace(/\{[^}]+\}/g, '[^/]+');
  return new RegExp(`^${source}$`);
}

function escapePointer(segment: string): string {
  return encodeURIComponent(segment.replaceAll('~', '~0').replaceAll('/', '~1'));
}

/** What a local reference points at. */
function resolve(document: object, pointer: string): unknown {
  let value: unknown = document;
  for (const segment of pointer.replace(/^#\//, '').split('/')) {
    const name = decodeURIComponent(segment).replaceAll('~1', '/').replaceAll('~0', '~');
    value = (value as Record<string, unknown> | undefined)?.[name];
  }
  return value;
}

function replaceAt(document: object, pointer: string, value: unknown): void {
  const cut = pointer.lastIndexOf('/');
  const parent = resolve(document, pointer.slice(0, cut)) as Record<string, unknown> | undefined;
  if (!parent) throw new Error(`The document has nothing at ${pointer}`);
  parent[pointer.slice(cut + 1)] = value;
}

/** Fields at the top of a body that no branch of its schema knows: a misspelt one would pass otherwise. */
function findUnknown(document: object, schema: object, value: unknown): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
  const known = new Set<string>();
  let isOpen = false;
  const visit = (given: object): void => {
    const one = given as Record<string, unknown>;
    if (typeof one['$ref'] === 'string') visit(resolve(document, one['$ref']) as object);
    if (one['additionalProperties'] && one['additionalProperties'] !== true) isOpen = true;
    for (const name of Object.keys((one['properties'] as object | undefined) ?? {})) known.add(name);
    for (const key of ['allOf', 'anyOf', 'oneOf'])
      for (const part of (one[key] as object[] | undefined) ?? []) visit(part);
  };
  visit(schema);
  return isOpen || known.size === 0 ? [] : Object.keys(value).filter((name) => !known.has(name));
}

/** A form as an object: `a[b]=1` and `c[0][d]=2` nest, as Stripe reads them. */
function parseForm(text: string): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const [key, value] of new URLSearchParams(text)) {
    const path = key.replaceAll(']', '').split('[');
    let at = root;
    for (const segment of path.slice(0, -1)) at = (at[segment] ??= {}) as Record<string, unknown>;
    at[path.at(-1) || String(Object.keys(at).length)] = value;
  }
  return toArrays(root) as Record<string, unknown>;
}

/** Objects whose names are 0, 1, 2 … are arrays. */
function toArrays(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, one]) => [name, toArrays(one)] as const);
  const isArray = entries.length > 0 && entries.every(([name], index) => name === String(index));
  return isArray ? entries.map(([, one]) => one) : Object.fromEntries(entries);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
