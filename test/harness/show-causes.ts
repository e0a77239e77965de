/**
 * Appends the causes of a failure to its stack. Mocha's parallel workers send message and stack to the reporter and leave the
 * `cause` behind, which is where our errors hold what the other side said.
 */
export const mochaHooks = {
  afterEach(this: Mocha.Context): void {
    const { err } = this.currentTest ?? {};
    if (err === undefined) return;
    for (let cause = err.cause, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth++)
      err.stack = `${err.stack ?? err.message}\nCaused by: ${cause.stack ?? cause.message}`;
    delete err.cause; // shown once, also by a reporter that would follow it
  },
};
