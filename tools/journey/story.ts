/** One step of a story: a name for machines, a title for people, and what it does. It answers a line about what was seen. */
export interface Step<World> {
  name: string;
  title: string;
  run(world: World): Promise<string>;
}

/** What is told of each step as it ends. */
export interface StepReport {
  step: string;
  title: string;
  ok: boolean;
  ms: number;
  detail: string;
}

/**
 * Runs steps in order and stops at the first that does not do what it should. Answers whether all of them did.
 */
export async function runStory<World>(
  steps: readonly Step<World>[],
  world: World,
  onStep: (report: StepReport) => void,
  signal: AbortSignal,
): Promise<boolean> {
  for (const { name, title, run } of steps) {
    signal.throwIfAborted();
    const began = performance.now();
    const told = (ok: boolean, detail: string): void =>
      onStep({ step: name, title, ok, ms: Math.round(performance.now() - began), detail });
    try {
      told(true, await run(world));
    } catch (error) {
      signal.throwIfAborted();
      told(false, error instanceof Error ? error.message : String(error));
      return false;
    }
  }
  return true;
}

/** Throws `what` unless `condition` holds. */
export function check(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what);
}
