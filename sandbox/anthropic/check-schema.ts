import type { Schema } from '../model/generate.ts';
import { AnthropicError } from './errors.ts';

const PLACE = 'output_config.format.schema';
const OPTIONAL_LIMIT = 24;
/** What Anthropic's constrained decoding can't do, by the type that it belongs to. */
const UNSUPPORTED: Record<string, string[]> = {
  integer: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  number: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  string: ['minLength', 'maxLength'],
  array: ['maxItems', 'uniqueItems'],
};

/** Throws AnthropicError, 400, for a schema that structured answers can't follow. */
export function checkOutputSchema(schema: Schema): void {
  const optional = checkPart(schema, schema, []);
  if (optional > OPTIONAL_LIMIT) {
    throw refuse(`Schemas contains too many optional parameters (${optional}), limit: ${OPTIONAL_LIMIT}`);
  }
}

/** Checks one part and all below it; answers how many optional properties there are. */
function checkPart(part: unknown, root: Schema, above: string[]): number {
  if (typeof part !== 'object' || part === null || Array.isArray(part)) return 0;
  const schema = part as Schema;
  const ref = schema['$ref'];
  if (typeof ref === 'string') return checkRef(ref, root, above);
  const properties = (schema['properties'] ?? {}) as Schema;
  const isObject = schema['type'] === 'object';
  if (isObject && schema['additionalProperties'] !== false) {
    throw refuse("For 'object' type, 'additionalProperties' must be explicitly set to false");
  }
  const type = String(schema['type']);
  const wrong = (UNSUPPORTED[type] ?? []).filter((key) => schema[key] !== undefined);
  if (wrong.length > 0) throw refuse(`For '${type}' type, properties ${wrong.join(', ')} are not supported`);
  if (![undefined, 0, 1].includes(schema['minItems'] as number | undefined)) {
    throw refuse("For 'array' type, 'minItems' values other than 0 or 1 are not supported");
  }
  const required = Array.isArray(schema['required']) ? (schema['required'] as unknown[]) : [];
  const optional = Object.keys(properties).filter((name) => !required.includes(name)).length;
  const below = [
    ...Object.values(properties),
    schema['items'],
    ...['anyOf', 'allOf', 'oneOf'].flatMap((key) => (Array.isArray(schema[key]) ? (schema[key] as unknown[]) : [])),
  ];
  return below.reduce<number>((count, one) => count + checkPart(one, root, above), optional);
}

function checkRef(ref: string, root: Schema, above: string[]): number {
  if (above.includes(ref)) throw refuse(`Circular reference detected in schema definitions: ${ref}`);
  const [, group = '', name = ''] = ref.split('/');
  const found = (root[group] as Schema | undefined)?.[name];
  if (found === undefined) throw refuse(`Reference '${ref}' was not found in the schema`);
  return checkPart(found, root, [...above, ref]);
}

function refuse(message: string): AnthropicError {
  return new AnthropicError('invalid_request_error', `${PLACE}: ${message}`);
}
