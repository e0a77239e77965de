import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { expect } from 'chai';
import { z } from 'zod';
import { generateValue, UnsatisfiableSchema } from './generate.ts';

const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats.default(ajv);

const node = {
  type: 'object',
  properties: { name: { type: 'string' }, next: { anyOf: [{ $ref: '#/$defs/node' }, { type: 'null' }] } },
  required: ['name', 'next'],
};
const tree = {
  type: 'object',
  properties: { kids: { type: 'array', items: { $ref: '#' } } },
  required: ['kids'],
  additionalProperties: false,
};

describe('the generator of JSON', () => {
  for (const [what, schema] of [
    ['an empty schema', {}],
    ['constants and enums', { type: 'object', properties: { a: { const: 7 }, b: { enum: ['x', 'y'] } } }],
    ['lengths of text', { type: 'array', items: { type: 'string', minLength: 9, maxLength: 10 }, minItems: 2 }],
    ['short text', { type: 'string', maxLength: 2 }],
    ['bounds of whole numbers', { type: 'integer', exclusiveMinimum: 3, maximum: 10, multipleOf: 4 }],
    ['negative numbers', { type: 'number', maximum: -2.5 }],
    ['narrow numbers', { type: 'number', exclusiveMinimum: 2, exclusiveMaximum: 2.5 }],
    ['negative multiples', { type: 'integer', exclusiveMaximum: -3, multipleOf: 5 }],
    ['unique items', { type: 'array', items: { type: 'string' }, minItems: 3, uniqueItems: true }],
    ['unique items of an enum', { type: 'array', items: { enum: ['a', 'b'] }, minItems: 2, uniqueItems: true }],
    ['tuples', { type: 'array', prefixItems: [{ type: 'null' }, { type: 'boolean' }], items: false, minItems: 2 }],
    ['several types', { type: ['null', 'string'] }],
    [
      'parts that must all hold',
      { allOf: [{ type: 'object', required: ['a'] }, { properties: { a: { type: 'integer' } } }] },
    ],
    ['alternatives beside properties', { type: 'object', properties: { a: {} }, oneOf: [{ required: ['a'] }] }],
    [
      'a first alternative that nothing satisfies',
      { anyOf: [false, { type: 'string', pattern: '^q{99}$' }, { type: 'null' }] },
    ],
    ['names of references with signs', { $defs: { 'a/b~c': { type: 'boolean' } }, $ref: '#/$defs/a~1b~0c' }],
    ['a list that contains itself', { $defs: { node }, $ref: '#/$defs/node' }],
    ['a tree', tree],
    ['a required name without a schema', { type: 'object', required: ['anything'] }],
    ['maps', { type: 'object', required: ['x'], additionalProperties: { type: 'integer' } }],
    [
      "zod's formats",
      z.toJSONSchema(z.object({ a: z.email(), b: z.uuid(), c: z.url(), d: z.iso.datetime(), e: z.ipv4() })),
    ],
    ['a pattern', { type: 'string', pattern: '^#[0-9a-f]{6}$' }],
  ] as [string, Record<string, unknown>][]) {
    it(`satisfies ${what}, the same each time`, () => {
      const value = generateValue(schema);
      const isValid = ajv.validate(schema, value);
      expect(isValid ? [] : [value, ajv.errors]).to.deep.equal([]);
      expect(generateValue(schema)).to.deep.equal(value);
    });
  }

  it('heeds bounds that an SDK has moved into the description', () => {
    expect(generateValue({ type: 'integer', description: 'How bad.\nminimum: 4; maximum: 5.' })).to.equal(4);
    expect(generateValue({ type: 'string', description: 'max length: 3.' })).to.equal('san');
    expect(generateValue({ type: 'array', items: { type: 'null' }, description: 'min items: 2.' })).to.deep.equal([
      null,
      null,
    ]);
  });

  for (const [schema, message] of [
    [{ type: 'integer', minimum: 3, maximum: 2 }, 'no number lies within the bounds'],
    [{ type: 'string', pattern: '^q{99}$' }, 'no text is known that matches the pattern ^q{99}$'],
    [{ $ref: '#/$defs/none' }, 'the reference #/$defs/none leads nowhere'],
    [{ enum: [] }, 'an enum has no values'],
    [{ type: 'thing' }, 'the type "thing" is unknown'],
    [{ type: 'object', properties: { a: false } }, 'a part of the schema allows nothing'],
    [{ type: 'object', properties: { a: { $ref: '#' } }, required: ['a'] }, 'the schema requires itself without end'],
    [
      { type: 'array', items: { type: 'boolean' }, minItems: 2, uniqueItems: true },
      'unique items can be made of text and numbers only',
    ],
  ] as [Record<string, unknown>, string][]) {
    it(`says when ${message}`, () => {
      expect(() => generateValue(schema)).to.throw(UnsatisfiableSchema, message);
    });
  }
});
