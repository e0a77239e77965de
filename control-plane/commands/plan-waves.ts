import { SpoqError } from '../../contract/errors.ts';

/** After the first wave 1 box has the release, then a tenth, then half, then all. */
export const DEFAULT_WAVES: readonly string[] = ['1', '10%', '50%'];

/**
 * How many boxes each wave has. A size says how many of all have the release after its wave: a number, or a share like `10%` (rounded
 * up). All others are the last wave; waves that would be empty are left out.
 * @throws SpoqError `invalid_request` for what is neither
 */
export function planWaves(sizes: readonly string[], boxes: number): number[] {
  const waves: number[] = [];
  let reached = 0;
  for (const size of [...sizes, '100%']) {
    const until = Math.min(boxes, parseSize(size, boxes));
    if (until > reached) waves.push(until - reached);
    reached = Math.max(reached, until);
  }
  return waves;
}

function parseSize(size: string, boxes: number): number {
  const [, digits = '', percent] = /^(\d{1,6})(%?)$/.exec(size.trim()) ?? [];
  const number = Number(digits);
  if (digits === '' || number === 0 || (percent === '%' && number > 100))
    throw new SpoqError('invalid_request', {
      detail: `${JSON.stringify(size)} is no size of a wave.`,
      next: 'Give numbers of boxes or shares of them, like 1,10%,50%.',
    });
  return percent === '%' ? Math.ceil((boxes * number) / 100) : number;
}
