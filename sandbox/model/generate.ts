/** A JSON schema, as it comes. */
export type Schema = Record<string, unknown>;

/** A schema that the generator can't satisfy, in words. */
export class UnsatisfiableSchema extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UnsatisfiableSchema';
  }
}

/** Deeper than this only what is required is made, so that a schema that contains itself comes to an end. */
const DEPTH = 4;
/** Deeper than this a schema can't be satisfied: it requires itself. */
const HOPELESS = 40;

const FORMATS: Record<string, string> = {
  'date-time': '2026-01-01T00:00:00Z',
  date: '2026-01-01',
  time: '00:00:00Z',
  duration: 'P1D',
  email: 'sandbox@example.com',
  hostname: 'example.com',
  uri: 'https://example.com/',
  'uri-reference': '/sandbox',
  ipv4: '192.0.2.1',
  ipv6: '2001:db8::1',
  uuid: '00000000-0000-4000-8000-000000000000',
};

/** Tried in this order where a pattern is asked for: no more than a start, and honest about it. */
const SAMPLES = ['sandbox', 'Sandbox', 'SANDBOX', 'a', 'A', '0', '1', '00', '1.0.0', '#000000', 'a-b', 'a_b', 'ab12'];

/**
 * The same small JSON value every time, valid against `schema`. It knows what vendors allow in structured answers: types,
 * properties, enum, const, anyOf, allOf, $ref, bounds, formats, and patterns of common kinds.
 * Throws UnsatisfiableSchema.
 */
export function generateValue(schema: Schema): unknown {
  return generate(schema, schema, 0);
}

function generate(schema: unknown, root: Schema, depth: number): unknown {
  if (schema === true) return null;
  if (!isSchema(schema)) throw new UnsatisfiableSchema('a part of the schema allows nothing');
  if (depth > HOPELESS) throw new UnsatisfiableSchema('the schema requires itself without end');
  if (typeof schema['$ref'] === 'string') return generate(followRef(schema['$ref'], root), root, depth + 1);
  if (schema['const'] !== undefined) return schema['const'];
  if (Array.isArray(schema['enum'])) return readFirst(schema['enum'], 'an enum');
  const all = listOf(schema, 'allOf');
  if (all.length > 0) {
    const { allOf: _parts, ...rest } = schema;
    return generate(
      [rest, ...all].reduce<Schema>((merged, part) => merge(merged, part, root), {}),
      root,
      depth + 1,
    );
  }
  const options = [...listOf(schema, 'anyOf'), ...listOf(schema, 'oneOf')];
  if (options.length > 0) {
    const { anyOf: _any, oneOf: _one, ...rest } = schema;
    return generateAny(rest, options, root, depth);
  }
  return generateType(schema, root, depth);
}

/** The first alternative that can be made; `null` first once it is deep, to come to an end. */
function generateAny(rest: Schema, options: unknown[], root: Schema, depth: number): unknown {
  const isNull = (option: unknown): boolean => isSchema(option) && option['type'] === 'null';
  const ordered = depth > DEPTH ? options.toSorted((a, b) => Number(isNull(b)) - Number(isNull(a))) : options;
  let failure: unknown;
  for (const option of ordered) {
    try {
      return generate(merge(rest, option, root), root, depth + 1);
    } catch (error) {
      if (!(error instanceof UnsatisfiableSchema)) throw error;
      failure = error;
    }
  }
  throw failure;
}

/**
 * Bounds that stand in the description, as `min length: 3; maximum: 9.`: SDKs move there what a vendor's grammar can't hold,
 * and real models heed them.
 */
function readDescribed(schema: Schema): Schema {
  const text = typeof schema['description'] === 'string' ? schema['description'] : '';
  const found = text.matchAll(
    /\b((?:exclusive )?(?:min|max)imum|(?:min|max) (?:length|items)|multiple of): (-?[\d.]*\d)/g,
  );
  const described = [...found].map(([, words = '', value = '']): [string, number] => [
    words.replace(/ ([a-z])/g, (_space, letter: string) => letter.toUpperCase()),
    Number(value),
  ]);
  return { ...Object.fromEntries(described), ...schema };
}

function generateType(given: Schema, root: Schema, depth: number): unknown {
  const schema = readDescribed(given);
  const types = [schema['type']].flat();
  const type = depth > DEPTH && types.includes('null') ? 'null' : (types[0] ?? guessType(schema));
  switch (type) {
    case 'object':
      return generateObject(schema, root, depth);
    case 'array':
      return generateArray(schema, root, depth);
    case 'string':
      return generateString(schema);
    case 'integer':
    case 'number':
      return generateNumber(schema, type === 'integer');
    case 'boolean':
      return false;
    case 'null':
      return null;
    default:
      throw new UnsatisfiableSchema(`the type ${JSON.stringify(type)} is unknown`);
  }
}

function guessType(schema: Schema): string {
  if (isSchema(schema['properties'])) return 'object';
  return schema['items'] === undefined ? 'string' : 'array';
}

function generateObject(schema: Schema, root: Schema, depth: number): unknown {
  const properties = isSchema(schema['properties']) ? schema['properties'] : {};
  const required = listOf(schema, 'required').map(String);
  const names = depth > DEPTH ? required : [...new Set([...Object.keys(properties), ...required])];
  return Object.fromEntries(
    names.map((name) => [name, generate(properties[name] ?? schema['additionalProperties'] ?? true, root, depth + 1)]),
  );
}

function generateArray(schema: Schema, root: Schema, depth: number): unknown[] {
  const first = listOf(schema, 'prefixItems');
  const least = numberOf(schema, 'minItems') ?? 0;
  const most = numberOf(schema, 'maxItems') ?? Infinity;
  const wanted = Math.min(most, Math.max(least, first.length, depth > DEPTH ? 0 : 1));
  const items = schema['items'] ?? {};
  return Array.from({ length: items === false ? first.length : wanted }, (_one, index) => {
    const made = generate(first[index] ?? items, root, depth + 1);
    // Equal items would break uniqueItems; text and numbers are easily told apart.
    if (schema['uniqueItems'] !== true || index === 0) return made;
    if (typeof made === 'number') return made + index;
    if (typeof made === 'string') return readNth(items, root, index) ?? `${made}${index}`;
    throw new UnsatisfiableSchema('unique items can be made of text and numbers only');
  });
}

function readNth(items: unknown, root: Schema, index: number): unknown {
  const schema = isSchema(items) && typeof items['$ref'] === 'string' ? followRef(items['$ref'], root) : items;
  return isSchema(schema) ? listOf(schema, 'enum')[index] : undefined;
}

function generateString(schema: Schema): string {
  const least = numberOf(schema, 'minLength') ?? 0;
  const most = numberOf(schema, 'maxLength') ?? Infinity;
  const fits = (text: string): boolean => text.length >= least && text.length <= most;
  const format = FORMATS[String(schema['format'])];
  const candidates = format === undefined ? [...SAMPLES] : [format];
  const pattern = schema['pattern'];
  if (typeof pattern === 'string') {
    const found = [...candidates, ...Object.values(FORMATS)].find(
      (text) => fits(text) && new RegExp(pattern, 'u').test(text),
    );
    if (found === undefined) throw new UnsatisfiableSchema(`no text is known that matches the pattern ${pattern}`);
    return found;
  }
  if (format !== undefined) return format;
  return 'sandbox'.padEnd(least, '.').slice(0, most);
}

function generateNumber(schema: Schema, whole: boolean): number {
  const step = numberOf(schema, 'multipleOf') ?? (whole ? 1 : undefined);
  const above = numberOf(schema, 'exclusiveMinimum');
  const below = numberOf(schema, 'exclusiveMaximum');
  const least = Math.max(numberOf(schema, 'minimum') ?? -Infinity, above ?? -Infinity);
  const most = Math.min(numberOf(schema, 'maximum') ?? Infinity, below ?? Infinity);
  const allowed = (value: number): boolean => value >= least && value <= most && value !== above && value !== below;
  const near = [0, 1, ...[least, most].filter((bound) => Number.isFinite(bound))];
  const stepped = near.flatMap((value) =>
    step === undefined ? [value] : [Math.ceil(value / step) * step, (Math.floor(value / step) + 1) * step],
  );
  const between = Number.isFinite(least) && Number.isFinite(most) && step === undefined ? [(least + most) / 2] : [];
  const below1 = Number.isFinite(most) ? [step === undefined ? most - 1 : (Math.ceil(most / step) - 1) * step] : [];
  const found = [...stepped, ...between, ...below1].find(allowed);
  if (found === undefined) throw new UnsatisfiableSchema('no number lies within the bounds');
  return found;
}

/** Joins two schemas that must both hold: properties and required add up, everything else is the second's. */
function merge(one: Schema, part: unknown, root: Schema): Schema {
  if (!isSchema(part)) throw new UnsatisfiableSchema('a part of the schema allows nothing');
  const other = typeof part['$ref'] === 'string' ? followRef(part['$ref'], root) : part;
  const properties = { ...asSchema(one['properties']), ...asSchema(other['properties']) };
  const required = [...listOf(one, 'required'), ...listOf(other, 'required')];
  return {
    ...one,
    ...other,
    ...(Object.keys(properties).length > 0 ? { properties } : {}),
    ...(required.length > 0 ? { required } : {}),
  };
}

/** `#`, `#/$defs/Name` and the like: references within the schema. Throws for any other. */
function followRef(ref: string, root: Schema): Schema {
  const parts = ref.split('/');
  const found =
    parts.shift() === '#'
      ? parts
          .map((part) => decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~'))
          .reduce<unknown>((at, part) => (isSchema(at) ? at[part] : undefined), root)
      : undefined;
  if (!isSchema(found)) throw new UnsatisfiableSchema(`the reference ${ref} leads nowhere`);
  return found;
}

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function asSchema(value: unknown): Schema {
  return isSchema(value) ? value : {};
}

function listOf(schema: Schema, key: string): unknown[] {
  const value = schema[key];
  return Array.isArray(value) ? value : [];
}

function numberOf(schema: Schema, key: string): number | undefined {
  const value = schema[key];
  return typeof value === 'number' ? value : undefined;
}

function readFirst(values: unknown[], what: string): unknown {
  if (values.length === 0) throw new UnsatisfiableSchema(`${what} has no values`);
  return values[0];
}
