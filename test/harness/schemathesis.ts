import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { stringify } from 'smol-toml';
import { runCommand } from '../../tools/run-command.ts';

/** `npm test` installs Schemathesis and names its program here. */
export const SCHEMATHESIS_VARIABLE = 'SCHEMATHESIS_PATH';

type Document = Record<string, unknown> & { paths: Record<string, Record<string, { responses: object }>> };

export interface FuzzOptions {
  /** The program `st`. */
  program: string;
  /** What is told of the API, as it is served. */
  document: unknown;
  /** Where the API is. */
  url: string;
  seed: number;
  /** Besides those that hold for everybody. */
  checks?: string[];
  /** Sent with every request. */
  headers?: Record<string, string>;
  /** Secrets of security schemes that are not in `headers`, by name: `{ bearer: '…' }`. */
  auth?: Record<string, { bearer: string }>;
  /** Checks that don't hold, by path. */
  exceptions?: Record<string, string[]>;
  /** Only this operation. */
  only?: string;
  /** Only what follows from the document by itself, nothing at random: where the same is tried at random elsewhere. */
  brief?: boolean;
}

export interface FuzzResult {
  /** All that is told; how to repeat a request of which something was wrong, above all. */
  report: string;
  ok: boolean;
  operations: number;
  /** Requests that were made up and sent. */
  cases: number;
}

const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
];
/** For each way to make up a request, and operation; `SPOQ_FUZZ_EXAMPLES=100 npm test -- test/fuzz` takes its time. */
const EXAMPLES = Number(process.env['SPOQ_FUZZ_EXAMPLES'] ?? 8);
const RUN_MS = 180_000;
const REQUEST_SECONDS = 10;

/** Sends what the document allows, and what it doesn't, and holds the answers against it. The same seed sends the same. */
export async function fuzz(options: FuzzOptions): Promise<FuzzResult> {
  const { program, url, seed, headers = {}, auth, exceptions = {}, checks = [], only } = options;
  const dir = mkdtempSync(path.join(tmpdir(), 'spoq-fuzz-'));
  try {
    writeFileSync(path.join(dir, 'document.json'), JSON.stringify(withoutDefaults(options.document as Document)));
    // In a file: arguments can be read by everybody on this machine.
    writeFileSync(
      path.join(dir, 'schemathesis.toml'),
      stringify({
        seed,
        headers,
        ...(auth === undefined ? {} : { auth: { openapi: auth } }),
        checks: { enabled: false, ...toggle([...CHECKS, ...checks], true) },
        operations: Object.entries(exceptions).map(([address, without]) => ({
          'include-path': address,
          checks: toggle(without, false),
        })),
        'max-redirects': 0,
        'continue-on-failure': true,
      }),
      { mode: 0o600 },
    );
    const result = await runCommand(
      program,
      [
        'run',
        'document.json',
        `--url=${url}`,
        '--no-color',
        '--warnings=off',
        `--phases=${options.brief === true ? 'coverage' : 'coverage,fuzzing'}`,
        `--max-examples=${EXAMPLES}`,
        '--generation-database=none',
        `--request-timeout=${REQUEST_SECONDS}`,
        ...(only === undefined ? [] : [`--include-operation-id=${only}`]),
      ],
      { cwd: dir, env: { ...process.env, HOME: dir }, timeoutMs: RUN_MS },
    );
    const report = `${result.stdout}${result.stderr}`;
    const count = (pattern: RegExp): number => Number(pattern.exec(report)?.[1] ?? 0);
    return {
      report,
      ok: result.code === 0,
      operations: count(/Tested: (\d+)/),
      cases: count(/Test cases:\s+(\d+) generated/),
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function toggle(checks: string[], enabled: boolean): Record<string, { enabled: boolean }> {
  return Object.fromEntries(checks.map((check) => [check, { enabled }]));
}

/** `default` would excuse every status there is: what is left of the document are those that it tells of one by one. */
function withoutDefaults(document: Document): Document {
  const copy = structuredClone(document);
  for (const operation of Object.values(copy.paths).flatMap((methods) => Object.values(methods)))
    delete (operation.responses as { default?: unknown }).default;
  return copy;
}
