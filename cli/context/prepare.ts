import { ASK_LIMITS } from '../../contract/conductor.ts';
import type { AskRequest } from '../../contract/conductor.ts';
import { SpoqError } from '../../contract/errors.ts';
import type { CliDeps } from '../deps.ts';
import { BYTES_PER_TOKEN, estimateTokens } from './candidate.ts';
import type { LeftOut } from './candidate.ts';
import { collectFiles } from './collect.ts';
import { parseWords } from './named-paths.ts';
import type { ContextFile } from './read-candidate.ts';
import { readStdin } from './read-stdin.ts';
import { redactText } from '../../sync/rules/secret-text.ts';
import type { Withheld } from '../../sync/rules/secret-text.ts';

export interface PrepareOptions {
  words: string[];
  budgetTokens: number;
  allow: string[];
  /** False with --no-stdin. */
  stdin: boolean;
  /** False with --no-repo. */
  repository: boolean;
}

/** What is about to be sent, and what isn't; the shape of `--dry-run --json`. */
export interface Manifest {
  question_withheld: Withheld[];
  stdin: { bytes: number; cut_bytes: number; withheld: Withheld[] } | null;
  files: { path: string; bytes: number; withheld: Withheld[] }[];
  left_out: LeftOut[];
  /** Of the files and of stdin. */
  bytes: number;
  tokens: number;
  budget_tokens: number;
  /** Files and places in texts that were kept back because they look secret. */
  withheld: number;
}

export interface Prepared {
  body: string;
  manifest: Manifest;
}

/** How long an open pipe without a byte is waited for where nobody watches. */
const STDIN_PATIENCE_MS = 3000;

/** Reads the question, stdin and the files, and takes out what looks secret. Sends nothing. Throws `invalid_request`. */
export async function prepareQuestion(deps: CliDeps, options: PrepareOptions): Promise<Prepared> {
  const waitForStdin = options.words.includes('-');
  const words = options.words.filter((word) => word !== '-');
  const { question: asked, named } = await parseWords(words, deps.cwd, deps.homeFolder);
  const allowed = await parseWords(
    options.allow.map((path) => `@${path}`),
    deps.cwd,
    deps.homeFolder,
  );
  const piped =
    options.stdin || waitForStdin
      ? await readStdin(deps, { required: waitForStdin, patienceMs: STDIN_PATIENCE_MS })
      : undefined;
  const question = redactText(asked === '' ? (piped ?? '').trim() : asked);
  checkQuestion(question.text);
  const stdin =
    asked === '' || piped === undefined
      ? undefined
      : fitStdin(piped, options.budgetTokens - estimateTokens(question.text.length));
  const { files, left_out } = await collectFiles(deps, {
    question: question.text,
    named: [...named, ...allowed.named],
    allowed: allowed.named,
    budgetTokens: options.budgetTokens,
    usedTokens: estimateTokens(Buffer.byteLength(question.text) + Buffer.byteLength(stdin?.text ?? '')),
    repository: options.repository,
  });
  const body = createBody(question.text, stdin?.text, files, left_out);
  return { body, manifest: createManifest(options, question.withheld, stdin, files, left_out) };
}

interface FittedStdin {
  text: string;
  cutBytes: number;
  withheld: Withheld[];
}

/** The end of a log tells more than its beginning: what exceeds the budget is cut off at the front. */
function fitStdin(text: string, tokens: number): FittedStdin {
  const redacted = redactText(text);
  const limit = Math.max(0, tokens) * BYTES_PER_TOKEN;
  const bytes = Buffer.from(redacted.text);
  if (bytes.length <= limit) return { text: redacted.text, cutBytes: 0, withheld: redacted.withheld };
  const cutBytes = bytes.length - limit;
  const rest = bytes
    .subarray(cutBytes)
    .toString('utf8')
    .replace(/^\ufffd+/, '');
  return { text: `[the first ${cutBytes} bytes were cut by spoq]\n${rest}`, cutBytes, withheld: redacted.withheld };
}

function checkQuestion(question: string): void {
  if (question === '') {
    throw new SpoqError('invalid_request', {
      detail: 'There is no question.',
      next: 'Try: spoq ask "what does this project do?"',
    });
  }
  if (question.length > ASK_LIMITS.question_chars) {
    throw new SpoqError('invalid_request', {
      detail: `The question has ${question.length.toLocaleString('en')} characters; 100,000 are the limit.`,
      next: 'Put the long part into a file and name it with @path, or pipe it in.',
    });
  }
}

/** The request's body. Files are dropped from the end while it is larger than the box takes. */
function createBody(question: string, stdin: string | undefined, files: ContextFile[], leftOut: LeftOut[]): string {
  for (;;) {
    const request: AskRequest = {
      question,
      files: files.map(({ path, content }) => ({ path, content })),
      ...(stdin === undefined ? {} : { stdin }),
    };
    const body = JSON.stringify(request);
    if (Buffer.byteLength(body) <= ASK_LIMITS.body_bytes) return body;
    const dropped = files.pop();
    if (dropped === undefined) throw new SpoqError('body_too_large', { detail: 'A question may have 4 MiB.' });
    leftOut.push({
      path: dropped.path,
      bytes: dropped.bytes,
      reason: 'over the 4 MiB of one question',
      named: false,
      withheld: false,
    });
  }
}

function createManifest(
  options: PrepareOptions,
  questionWithheld: Withheld[],
  stdin: FittedStdin | undefined,
  files: ContextFile[],
  leftOut: LeftOut[],
): Manifest {
  const stdinBytes = stdin === undefined ? 0 : Buffer.byteLength(stdin.text);
  const bytes = files.reduce((sum, file) => sum + file.bytes, stdinBytes);
  const places = files.reduce(
    (sum, file) => sum + file.withheld.length,
    questionWithheld.length + (stdin?.withheld.length ?? 0),
  );
  return {
    question_withheld: questionWithheld,
    stdin: stdin === undefined ? null : { bytes: stdinBytes, cut_bytes: stdin.cutBytes, withheld: stdin.withheld },
    files: files.map((file) => ({ path: file.path, bytes: file.bytes, withheld: file.withheld })),
    left_out: leftOut,
    bytes,
    tokens: estimateTokens(bytes),
    budget_tokens: options.budgetTokens,
    withheld: places + leftOut.filter((one) => one.withheld).length,
  };
}
