import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

interface DocumentedResponse {
  content?: Record<string, { schema: { $ref?: string; type?: string } }>;
  headers?: Record<string, unknown>;
}
export interface DocumentedOperation {
  operationId: string;
  method: string;
  path: string;
  responses: Record<string, DocumentedResponse>;
}
type Paths = Record<string, Record<string, Omit<DocumentedOperation, 'method' | 'path'>>>;

/** Every operation of an OpenAPI document. */
export function listOperations(document: Record<string, unknown>): DocumentedOperation[] {
  return Object.entries(document['paths'] as Paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ ...operation, path, method: method.toUpperCase() })),
  );
}

export interface Conformance {
  /** Throws what is wrong with an answer: status, type, headers or body that the document doesn't tell. */
  check(operation: DocumentedOperation, response: Response): Promise<void>;
}

/** Compares answers of a running server with an OpenAPI 3.1 document. */
export function createConformance(document: Record<string, unknown>): Conformance {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addSchema(document, 'document');
  return {
    async check(operation, response) {
      const at = `${operation.operationId} ${response.status}`;
      const documented = operation.responses[response.status] ?? operation.responses['default'];
      if (documented === undefined) throw new Error(`${at} is not documented`);
      for (const name of Object.keys(documented.headers ?? {}))
        if (!response.headers.has(name)) throw new Error(`${at} has no ${name}`);
      // Nothing is told of a redirect's body: it is for browsers that don't follow.
      if (documented.content === undefined) return;
      const type = (response.headers.get('content-type') ?? '').split(';', 1)[0] ?? '';
      const content = documented.content[type];
      if (content === undefined)
        throw new Error(`${at} answered ${type}, documented: ${Object.keys(documented.content)}`);
      const body: unknown = type.endsWith('json') ? await response.json() : await response.text();
      const schema = content.schema.$ref === undefined ? content.schema : { $ref: `document${content.schema.$ref}` };
      const validate = ajv.compile(schema);
      if (!validate(body)) throw new Error(`${at}: ${ajv.errorsText(validate.errors)} in ${JSON.stringify(body)}`);
    },
  };
}
