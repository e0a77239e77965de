/** Runs operations one after the other; a failed one doesn't hold up the next. */
export function createTurns(): (operation: () => Promise<void>) => Promise<void> {
  let turn: Promise<void> = Promise.resolve();
  return (operation) => {
    const result = turn.then(operation);
    turn = result.catch(() => undefined);
    return result;
  };
}
