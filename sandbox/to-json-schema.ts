/** Words of OpenAPI that are no part of JSON Schema, or mean nothing to a check. */
const DROPPED = new Set([
  'example',
  'examples',
  'discriminator',
  'xml',
  'externalDocs',
  'deprecated',
  'readOnly',
  'writeOnly',
]);

/**
 * An OpenAPI document whose schemas a JSON Schema validator reads rightly. Documents of 3.1 hold JSON Schema already;
 * those of 3.0 write `nullable: true` and boolean exclusive bounds.
 */
export function toJsonSchema(value: unknown, isOpenApi30: boolean, inProperties = false): unknown {
  if (Array.isArray(value)) return value.map((one) => toJsonSchema(one, isOpenApi30));
  if (typeof value !== 'object' || value === null) return value;
  const result: Record<string, unknown> = {};
  for (const [name, one] of Object.entries(value)) {
    // In a map of properties, `example` is the name of a field and stays; so does an enum's or a default's content.
    if (!inProperties && (DROPPED.has(name) || name.startsWith('x-'))) continue;
    if (!inProperties && ['enum', 'default', 'const', 'required'].includes(name)) result[name] = one;
    else result[name] = toJsonSchema(one, isOpenApi30, !inProperties && name === 'properties');
  }
  if (inProperties) return result;
  // OpenAI's document of 3.1 still says `nullable` in places.
  return allowNull(isOpenApi30 ? readBounds(result) : result);
}

function allowNull(schema: Record<string, unknown>): Record<string, unknown> {
  const { nullable, ...rest } = schema;
  if (nullable !== true) return typeof nullable === 'boolean' ? rest : schema;
  if (rest['type'] === undefined) return { anyOf: [rest, { type: 'null' }] };
  const values = rest['enum'];
  return {
    ...rest,
    type: [rest['type'], 'null'].flat(),
    ...(Array.isArray(values) && !values.includes(null) ? { enum: [...values, null] } : {}),
    // oneOf and anyOf of a nullable must let null through as well.
    ...widen(rest, 'oneOf'),
    ...widen(rest, 'anyOf'),
  };
}

function widen(schema: Record<string, unknown>, key: 'oneOf' | 'anyOf'): Record<string, unknown> {
  const parts = schema[key];
  return Array.isArray(parts) ? { [key]: [...(parts as unknown[]), { type: 'null' }] } : {};
}

function readBounds(schema: Record<string, unknown>): Record<string, unknown> {
  const result = { ...schema };
  for (const [bound, exclusive] of [
    ['minimum', 'exclusiveMinimum'],
    ['maximum', 'exclusiveMaximum'],
  ] as const) {
    if (result[exclusive] === true) {
      result[exclusive] = result[bound];
      delete result[bound];
    } else if (result[exclusive] === false) delete result[exclusive];
  }
  return result;
}
