import type { Schema } from '../model/generate.ts';
import { OpenAIError } from './errors.ts';

/** Where a schema stands, as OpenAI's refusals name it. */
export interface SchemaPlace {
  /** `response_format 'answer'` or `function 'read'`. */
  what: string;
  param: string;
  code: 'invalid_json_schema' | 'invalid_function_parameters';
}

/** Words that strict schemas must not have. */
const NOT_PERMITTED = [
  'oneOf',
  'allOf',
  'not',
  'if',
  'then',
  'else',
  'patternProperties',
  'dependentRequired',
  'dependentSchemas',
  'propertyNames',
];

/** The outermost schema must be an object's, whether it is strict or not. Throws OpenAIError, 400. */
export function checkRoot(schema: Schema, place: SchemaPlace): void {
  if (schema['type'] === 'object') return;
  const got = typeof schema['type'] === 'string' ? schema['type'] : 'None';
  throw new OpenAIError(400, {
    message: `Invalid schema for ${place.what}: schema must be a JSON Schema of 'type: "object"', got 'type: "${got}"'.`,
    param: place.param,
    code: place.code,
  });
}

/** What `strict: true` asks of a schema and everything in it. Throws OpenAIError, 400, for the first fault. */
export function checkStrict(schema: Schema, place: SchemaPlace): void {
  checkRoot(schema, place);
  checkPart(schema, [], place);
}

function checkPart(part: unknown, path: string[], place: SchemaPlace): void {
  if (typeof part !== 'object' || part === null || Array.isArray(part)) return;
  const schema = part as Schema;
  const word = NOT_PERMITTED.find((one) => schema[one] !== undefined);
  if (word !== undefined) throw refuse(`'${word}' is not permitted`, path, place);
  if (schema['type'] === 'object' || schema['properties'] !== undefined) checkObject(schema, path, place);
  for (const group of ['properties', '$defs', 'definitions']) {
    for (const [name, one] of Object.entries((schema[group] ?? {}) as Schema)) {
      checkPart(one, [...path, group, name], place);
    }
  }
  checkPart(schema['items'], [...path, 'items'], place);
  const options = Array.isArray(schema['anyOf']) ? (schema['anyOf'] as unknown[]) : [];
  for (const [index, one] of options.entries()) checkPart(one, [...path, 'anyOf', String(index)], place);
}

function checkObject(schema: Schema, path: string[], place: SchemaPlace): void {
  if (schema['additionalProperties'] !== false) {
    throw refuse("'additionalProperties' is required to be supplied and to be false", path, place);
  }
  const required = Array.isArray(schema['required']) ? (schema['required'] as unknown[]) : [];
  const missing = Object.keys((schema['properties'] ?? {}) as Schema).find((name) => !required.includes(name));
  if (missing !== undefined) {
    const why =
      "'required' is required to be supplied and to be an array including every key in properties. " +
      `Missing '${missing}'`;
    throw refuse(why, path, place);
  }
}

function refuse(why: string, path: string[], { what, param, code }: SchemaPlace): OpenAIError {
  // Written as Python prints a tuple: that is what the service sends.
  const context = path.length === 1 ? `('${path[0]}',)` : `(${path.map((one) => `'${one}'`).join(', ')})`;
  return new OpenAIError(400, { message: `Invalid schema for ${what}: In context=${context}, ${why}.`, param, code });
}
