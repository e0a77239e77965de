import { ASK_LIMITS } from '../../contract/conductor.ts';
import type { AskRequest } from '../../contract/conductor.ts';
import { SpoqError } from '../../contract/errors.ts';
import type { CliDeps } from '../deps.ts';
import { BYTES_PER_TOKEN, estimateTokens } from './candidate.ts';
import type { LeftOut } from './candidate.ts';
import { collectFiles } from './collect.ts';
import type { CollectedFiles } from './collect.ts';
import { parseWords } from './named-paths.ts';
import { IMAGE_TOKENS } from './read-candidate.ts';
import type { ContextImage } from './read-candidate.ts';
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
  /** Files that the question names inside and that aren't there. */
  not_found: string[];
  stdin: { bytes: number; cut_bytes: number; withheld: Withheld[] } | null;
  files: { path: string; bytes: number; withheld: Withheld[] }[];
  images: { path: string; bytes: number; media_type: string }[];
  /** False where a git repository was looked for and none is. */
  repository: boolean;
  left_out: LeftOut[];
  /** Of the files and of stdin. */
  bytes: number;
  tokens: number;
  budget_tokens: number;
  /** Files and places in texts that were kept back because they look secret. */
  withheld: number;
}

export interface Prepared {
  /** Fits into what the box takes, with room for ids. */
  request: AskRequest;
  manifest: Manifest;
}

/** How long an open pipe without a byte is waited for where nobody watches. */
const STDIN_PATIENCE_MS = 3000;
/** Of the body: which request it is, and where it belongs. */
const BYTES_FOR_IDS = 2048;

/** Reads the question, stdin and the files, and takes out what looks secret. Sends nothing. Throws `invalid_request`. */
export async function prepareQuestion(deps: CliDeps, options: PrepareOptions): Promise<Prepared> {
  const waitForStdin = options.words.includes('-');
  const words = options.words.filter((word) => word !== '-');
  const { question: asked, named, not_found: missing } = await parseWords(words, deps.cwd, deps.homeFolder);
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
  const not_found = missing.map((path) => redactText(path).text);
  const stdin =
    asked === '' || piped === undefined
      ? undefined
      : fitStdin(piped, options.budgetTokens - estimateTokens(question.text.length));
  const collected = await collectFiles(deps, {
    question: question.text,
    named: [...named, ...allowed.named],
    allowed: allowed.named,
    budgetTokens: options.budgetTokens,
    usedTokens: estimateTokens(Buffer.byteLength(question.text) + Buffer.byteLength(stdin?.text ?? '')),
    repository: options.repository,
  });
  const request = createRequest(question.text, stdin?.text, collected);
  return { request, manifest: createManifest(options, { withheld: question.withheld, not_found }, stdin, collected) };
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

/** The request. Files are dropped from the end while it is larger than the box takes. */
function createRequest(
  question: string,
  stdin: string | undefined,
  { files, images, left_out }: CollectedFiles,
): AskRequest {
  for (;;) {
    const request: AskRequest = {
      question,
      files: files.map(({ path, content }) => ({ path, content })),
      ...(stdin === undefined ? {} : { stdin }),
    };
    if (Buffer.byteLength(JSON.stringify(request)) <= ASK_LIMITS.text_bytes - BYTES_FOR_IDS) {
      return images.length === 0 ? request : { ...request, images: images.map(writeImage) };
    }
    const dropped = files.pop();
    if (dropped === undefined) throw new SpoqError('body_too_large', { detail: 'A question may have 4 MiB.' });
    left_out.push({
      path: dropped.path,
      bytes: dropped.bytes,
      reason: 'over the 4 MiB of one question',
      named: false,
      withheld: false,
    });
  }
}

function writeImage({ path, media_type, data }: ContextImage): NonNullable<AskRequest['images']>[number] {
  return { path, media_type, data: data.toString('base64') };
}

function createManifest(
  options: PrepareOptions,
  question: { withheld: Withheld[]; not_found: string[] },
  stdin: FittedStdin | undefined,
  { files, images, left_out, repository }: CollectedFiles,
): Manifest {
  const stdinBytes = stdin === undefined ? 0 : Buffer.byteLength(stdin.text);
  const bytes = files.reduce((sum, file) => sum + file.bytes, stdinBytes);
  const places = files.reduce(
    (sum, file) => sum + file.withheld.length,
    question.withheld.length + (stdin?.withheld.length ?? 0),
  );
  return {
    question_withheld: question.withheld,
    not_found: question.not_found,
    stdin: stdin === undefined ? null : { bytes: stdinBytes, cut_bytes: stdin.cutBytes, withheld: stdin.withheld },
    files: files.map((file) => ({ path: file.path, bytes: file.bytes, withheld: file.withheld })),
    images: images.map(({ path, bytes: size, media_type }) => ({ path, bytes: size, media_type })),
    repository,
    left_out,
    bytes: bytes + images.reduce((sum, image) => sum + image.bytes, 0),
    tokens: estimateTokens(bytes) + images.length * IMAGE_TOKENS,
    budget_tokens: options.budgetTokens,
    withheld: places + left_out.filter((one) => one.withheld).length,
  };
}
