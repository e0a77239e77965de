import { z } from 'zod';
import { ASK_LIMITS } from '../../contract/conductor.ts';
import { SpoqError } from '../../contract/errors.ts';
import type { JsonSchema } from './call-model.ts';

/** Refuses, before anything is paid for, a schema that no answer could be checked against. Throws `invalid_request`. */
export function checkSchema(schema: JsonSchema | undefined): void {
  if (schema === undefined) return;
  const fault = findFault(schema);
  if (fault === undefined) return;
  throw new SpoqError('invalid_request', {
    detail: 'The schema of the answer cannot be used.',
    faults: [{ field: 'schema', message: fault }],
  });
}

function findFault(schema: JsonSchema): string | undefined {
  if (Buffer.byteLength(JSON.stringify(schema)) > ASK_LIMITS.schema_bytes) return 'must have at most 64 kB';
  if (schema['type'] !== 'object') return 'must be of type object: vendors take no other';
  try {
    z.fromJSONSchema(schema);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Vendors promise the shape of an answer, not its bounds, and an answer can be cut. Throws `answer_invalid`. */
export function checkAnswer(text: string, schema: JsonSchema | undefined): void {
  if (schema === undefined) return;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new SpoqError('answer_invalid', { detail: 'It is not JSON, or was cut.', cause: error });
  }
  const result = z.fromJSONSchema(schema).safeParse(value);
  if (result.success) return;
  const faults = result.error.issues.map(({ path, message }) => `${path.join('.') || 'the whole'}: ${message}`);
  throw new SpoqError('answer_invalid', { detail: faults.slice(0, 5).join('; ') });
}
