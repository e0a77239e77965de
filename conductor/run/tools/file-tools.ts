import { z } from 'zod';
import { boundText, defineTool, ok } from './tool.ts';
import type { RunTool } from './tool.ts';

const Path = z.string().min(1).max(4096).describe('Relative to the root of the workspace');
const LINES = 2000;
const MAX_LINE = 2000;
const count = (many: number, one: string): string => `${many} ${one}${many === 1 ? '' : 's'}`;

const readFile = defineTool({
  name: 'read_file',
  description: `Reads a text file, with line numbers. At most ${LINES} lines at once: use offset_lines for the rest.`,
  input: z.object({
    path: Path,
    offset_lines: z.int().min(0).default(0).describe('How many lines to pass over'),
    limit_lines: z.int().min(1).max(LINES).default(LINES),
  }),
  action: ({ path }) => ({ tool: 'read', path }),
  title: ({ path }) => `Read ${path}`,
  async run({ path, offset_lines, limit_lines }, { place }) {
    const { text, total_lines } = await place.readFile(path, { offset_lines, limit_lines });
    const lines = text.split('\n');
    if (lines.at(-1) === '') lines.pop();
    const numbered = lines.map((line, index) => {
      const shown = line.length > MAX_LINE ? `${line.slice(0, MAX_LINE)}… (${line.length} characters)` : line;
      return `${String(offset_lines + index + 1).padStart(5)}\t${shown}`;
    });
    const end = offset_lines + lines.length;
    const more = end < total_lines ? `\n[Lines ${end + 1} to ${total_lines} follow: use offset_lines ${end}.]` : '';
    const shown = boundText(numbered.join('\n'), 'Read fewer lines at once.');
    return ok(total_lines === 0 ? '[The file is empty.]' : `${shown}${more}`, count(lines.length, 'line'));
  },
});

const listFiles = defineTool({
  name: 'list_files',
  description: 'Lists files that .gitignore does not exclude, sorted. A pattern is a glob, as src/**/*.ts.',
  input: z.object({
    pattern: z.string().max(4096).optional(),
    folder: Path.optional(),
    limit: z.int().min(1).max(2000).default(500),
  }),
  action: ({ folder }) => ({ tool: 'read', path: folder ?? '.' }),
  title: ({ pattern, folder }) => `List ${pattern ?? 'files'}${folder === undefined ? '' : ` in ${folder}`}`,
  async run({ pattern, folder, limit }, { place }) {
    const { paths, more } = await place.listFiles({
      limit,
      ...(pattern === undefined ? {} : { pattern }),
      ...(folder === undefined ? {} : { folder }),
    });
    const rest = more ? '\n[There are more: narrow the pattern, or raise the limit.]' : '';
    const text = paths.length === 0 ? '[No files.]' : `${paths.join('\n')}${rest}`;
    return ok(boundText(text, 'Narrow the pattern.'), count(paths.length, 'file'));
  },
});

const search = defineTool({
  name: 'search',
  description: 'Finds lines that match a regular expression (Perl) in the files that .gitignore does not exclude.',
  input: z.object({
    pattern: z.string().min(1).max(2000),
    folder: Path.optional(),
    glob: z.string().max(1000).optional().describe('Only files that match, as *.ts'),
    limit: z.int().min(1).max(500).default(100),
  }),
  action: ({ folder }) => ({ tool: 'read', path: folder ?? '.' }),
  title: ({ pattern, glob }) => `Search ${pattern}${glob === undefined ? '' : ` in ${glob}`}`,
  async run({ pattern, folder, glob, limit }, { place }) {
    const { hits, more } = await place.search({
      pattern,
      limit,
      ...(folder === undefined ? {} : { folder }),
      ...(glob === undefined ? {} : { glob }),
    });
    const lines = hits.map(({ path, line, text }) => `${path}:${line}: ${text}`);
    if (more) lines.push('[There are more: narrow the search, or raise the limit.]');
    const text = lines.length === 0 ? '[Nothing matches.]' : lines.join('\n');
    return ok(boundText(text, 'Narrow the search.'), count(hits.length, 'match').replace(/matchs$/, 'matches'));
  },
});

const editFile = defineTool({
  name: 'edit_file',
  description:
    'Replaces exact texts in a file: all of the edits or none. `old` must be there exactly once, with its white space, unless `all` is true.',
  input: z.object({
    path: Path,
    edits: z
      .array(z.object({ old: z.string().min(1), new: z.string(), all: z.boolean().optional() }))
      .min(1)
      .max(100),
  }),
  action: ({ path }) => ({ tool: 'edit', path }),
  title: ({ path }) => `Edit ${path}`,
  async run({ path, edits }, { place }) {
    const { replaced } = await place.editFile(
      path,
      edits.map(({ all, ...edit }) => ({ ...edit, ...(all === undefined ? {} : { all }) })),
    );
    return ok(`${count(replaced, 'place')} replaced in ${path}.`, count(replaced, 'place'));
  },
});

const writeFile = defineTool({
  name: 'write_file',
  description: 'Writes a whole file; one that is there is replaced. Prefer edit_file for changes.',
  input: z.object({ path: Path, text: z.string() }),
  action: ({ path }) => ({ tool: 'edit', path }),
  title: ({ path }) => `Write ${path}`,
  async run({ path, text }, { place }) {
    const { created } = await place.writeFile(path, text);
    return ok(`${path} was ${created ? 'made' : 'replaced'}.`, created ? 'made' : 'replaced');
  },
});

/** What reads and writes the files of a run's tree. */
export const FILE_TOOLS: RunTool[] = [readFile, listFiles, search, editFile, writeFile];
