import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ASK_LIMITS } from '../../contract/conductor.ts';
import { SpoqError } from '../../contract/errors.ts';
import { parseJson } from '../http/problem.ts';

/** Reads the JSON schema that an answer shall have from a file. Throws `invalid_request`. */
export async function readSchema(path: string, cwd: string): Promise<Record<string, unknown>> {
  const refuse = (detail: string, cause?: unknown): SpoqError =>
    new SpoqError('invalid_request', { detail, next: 'Give --schema a file with a JSON schema of an object.', cause });
  const bytes = await readFile(resolve(cwd, path)).catch((error: unknown) => {
    throw refuse(`${path} cannot be read.`, error);
  });
  if (bytes.length > ASK_LIMITS.schema_bytes) throw refuse(`${path} has more than 64 kB.`);
  const schema = parseJson(bytes.toString('utf8'));
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema))
    throw refuse(`${path} holds no JSON object.`);
  return schema as Record<string, unknown>;
}
