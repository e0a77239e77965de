/** The one of `names` that was most likely meant: which begins so, else which differs in the fewest letters, two at most. */
export function findNearest(word: string, names: readonly string[]): string | undefined {
  if (word === '') return undefined;
  const begins = names.find((name) => name.startsWith(word));
  if (begins !== undefined) return begins;
  const [nearest] = names
    .map((name) => ({ name, distance: measureDistance(word, name) }))
    .filter(({ name, distance }) => distance <= 2 && distance < name.length)
    .sort((a, b) => a.distance - b.distance);
  return nearest?.name;
}

/** Letters to put in, to take out or to replace, or neighbours to swap (Damerau and Levenshtein). */
function measureDistance(from: string, to: string): number {
  let [before, present]: [number[], number[]] = [[], Array.from({ length: to.length + 1 }, (_, at) => at)];
  for (let i = 1; i <= from.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const isSame = from[i - 1] === to[j - 1];
      const isSwapped = from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      next[j] = Math.min(
        (present[j] ?? 0) + 1,
        (next[j - 1] ?? 0) + 1,
        (present[j - 1] ?? 0) + (isSame ? 0 : 1),
        isSwapped ? (before[j - 2] ?? Infinity) + 1 : Infinity,
      );
    }
    [before, present] = [present, next];
  }
  return present[to.length] ?? 0;
}
