/** Tokens of context that go along with a question, unless told otherwise. */
export const DEFAULT_BUDGET = 60_000;
