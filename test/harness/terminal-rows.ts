import { expect } from 'chai';
import { measureWidth } from '../../cli/terminal/width.ts';
import type { Stage } from './terminal-stage.ts';
import type { Laptop } from './terminal-world.ts';
import type { Window } from './tmux.ts';

/** One line a command. Whoever adds a command adds its line to one of the tables. */
export interface Row {
  args: string[];
  /** What is on the screen in the end, wherever it is broken. */
  shows: string;
  /** What is not on the screen in the end. */
  hides?: string;
  /** The exit code, 0 unless told. */
  code?: number;
  /** Makes a laptop of its own for each time it is run. The first one when left out. */
  prepare?: (stage: Stage) => Promise<Laptop>;
  /** What a person does, from the beginning to the end. */
  drive?: (window: Window, laptop: Laptop) => Promise<void>;
  /** Without a terminal, where it isn't the same. */
  piped?: { code: number; shows: string };
  /** Its lines are as long as they are. */
  isData?: boolean;
}

/** What the environment says of the terminal, and what must not be sent to it then. */
const MODES = {
  colours: { env: { TERM: 'xterm-256color' }, never: undefined },
  // oxlint-disable-next-line no-control-regex -- colours and styles
  NO_COLOR: { env: { TERM: 'xterm-256color', NO_COLOR: '1' }, never: /\u001b\[[\d;]*m/ },
  // oxlint-disable-next-line no-control-regex -- whatever isn't text
  dumb: { env: { TERM: 'dumb' }, never: /\u001b/ },
} as const;

/** A test for each row. `before` is called before it; `asItCame`: text without styles that the terminal breaks. */
export function testRows(
  stage: Stage,
  rows: Record<string, Row>,
  { asItCame = '', before = () => undefined }: { asItCame?: string; before?: (name: string) => void } = {},
): void {
  for (const [name, row] of Object.entries(rows)) {
    it(`${name}: 80 and 40 columns, NO_COLOR, TERM=dumb, piped`, async () => {
      before(name);
      const windows = [80, 40].flatMap((columns) =>
        Object.entries(MODES).map(async ([mode, { env, never }]) => {
          const laptop = (await row.prepare?.(stage)) ?? stage.world;
          const window = await stage.open(row.args, columns, env, laptop);
          await row.drive?.(window, laptop);
          expect(await window.ended(), `${mode}, ${columns}: ${await window.sent()}`).to.equal(row.code ?? 0);
          await window.show(row.shows);
          if (never !== undefined) expect(await window.sent(), `${mode}, ${columns}`).to.not.match(never);
          const lines = await window.lines();
          if (row.hides !== undefined) expect(lines.join('\n'), mode).to.not.contain(row.hides);
          const tooWide = findTooWide(lines, columns);
          // Without styles an answer is its text as it came, and the terminal breaks it.
          const unexplained = tooWide.filter((line) => never === undefined || !asItCame.includes(line.trim()));
          if (row.isData !== true) expect(unexplained, mode).to.deep.equal([]);
        }),
      );
      await Promise.all(windows);
      await testPiped(stage, row);
    });
  }
}

async function testPiped(stage: Stage, row: Row): Promise<void> {
  const { code, shows } = { code: row.code ?? 0, shows: row.shows, ...row.piped };
  if (row.drive !== undefined && row.piped === undefined) return; // it waits for a person
  for (const stdin of [undefined, ''] as const) {
    const laptop = (await row.prepare?.(stage)) ?? stage.world;
    const piped = await stage.run(row.args, laptop, stdin);
    const text = piped.out + piped.err;
    expect([piped.code, text]).to.deep.equal([code, text]);
    expect(text).to.contain(shows);
    // oxlint-disable-next-line no-control-regex -- whatever isn't text
    expect(text).to.not.match(/\u001b|\r/);
  }
}

/** Lines wider than the window. A word that has no room at all, like an address, may be. */
function findTooWide(lines: string[], columns: number): string[] {
  return lines.filter(
    (line) =>
      measureWidth(line) > columns &&
      !line
        .trim()
        .split(' ')
        .some((word) => measureWidth(word) >= columns - 4),
  );
}
