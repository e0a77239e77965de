import { z } from 'zod';

/** One schema of the document. `io`: whether it is read from the wire (defaults are optional) or written to it. */
export interface NamedSchema {
  schema: z.ZodType;
  io: 'input' | 'output';
}

/** Media type to the name of a schema, or a JSON schema of its own for what isn't JSON. */
export type Content = Record<string, string | { type: 'string' }>;

export interface Response {
  description: string;
  content?: Content;
  /** Header name to what it says. */
  headers?: Record<string, string>;
}

export interface Parameter {
  in: 'query' | 'path' | 'header';
  name: string;
  description: string;
  required?: boolean;
  schema?: z.ZodType;
}

export interface Operation {
  method: 'get' | 'post' | 'put' | 'delete';
  /** With `{parameter}`s. */
  path: string;
  id: string;
  tag: string;
  summary: string;
  description?: string;
  /** Names of security schemes, any of which will do. Open to everybody when left out. */
  security?: string[];
  parameters?: Parameter[];
  body?: Content;
  /** Status to answer; `default` is every other one. */
  responses: Record<number | 'default', Response> | Record<number, Response>;
}

export interface Description {
  title: string;
  version: string;
  description: string;
  /** An OpenAPI server object. */
  server: { url: string; description: string; variables?: Record<string, { default: string; description: string }> };
  tags: Record<string, string>;
  securitySchemes: Record<string, object>;
  schemas: Record<string, NamedSchema>;
  operations: Operation[];
}

/** Any JSON object; what OpenAPI documents are made of. */
export type JsonObject = Record<string, unknown>;

/** The OpenAPI 3.1 document of `description`; its schemas come from the zod schemas that also parse the wire. */
export function buildOpenApi(description: Description): JsonObject {
  const { title, version, description: text, server, tags, securitySchemes, schemas, operations } = description;
  const paths: Record<string, JsonObject> = {};
  for (const operation of operations)
    paths[operation.path] = { ...paths[operation.path], [operation.method]: buildOperation(operation) };
  return {
    openapi: '3.1.1',
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    info: { title, version, description: text, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    servers: [server],
    tags: Object.entries(tags).map(([name, about]) => ({ name, description: about })),
    paths,
    components: {
      securitySchemes,
      schemas: Object.fromEntries(Object.entries(schemas).map(([name, one]) => [name, toJsonSchema(one)])),
    },
  };
}

function buildOperation(operation: Operation): JsonObject {
  const { id, tag, summary, description, security = [], parameters = [], body, responses } = operation;
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    security: security.map((name) => ({ [name]: [] })),
    ...(parameters.length === 0 ? {} : { parameters: parameters.map(buildParameter) }),
    ...(body === undefined ? {} : { requestBody: { required: true, content: buildContent(body) } }),
    responses: Object.fromEntries(Object.entries(responses).map(([status, one]) => [status, buildResponse(one)])),
  };
}

function buildParameter({ name, description, required = false, schema = z.string(), ...rest }: Parameter): JsonObject {
  const isRequired = required || rest.in === 'path';
  return { name, in: rest.in, description, required: isRequired, schema: toJsonSchema({ schema, io: 'input' }) };
}

function buildResponse({ description, content, headers = {} }: Response): JsonObject {
  const described = Object.entries(headers).map(([name, about]) => [
    name,
    { description: about, schema: { type: 'string' } },
  ]);
  return {
    description,
    ...(described.length === 0 ? {} : { headers: Object.fromEntries(described) }),
    ...(content === undefined ? {} : { content: buildContent(content) }),
  };
}

function buildContent(content: Content): JsonObject {
  const schemaOf = (value: Content[string]) =>
    typeof value === 'string' ? { $ref: `#/components/schemas/${value}` } : value;
  return Object.fromEntries(Object.entries(content).map(([type, value]) => [type, { schema: schemaOf(value) }]));
}

function toJsonSchema({ schema, io }: NamedSchema): JsonObject {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { target: 'draft-2020-12', io });
  return rest;
}
