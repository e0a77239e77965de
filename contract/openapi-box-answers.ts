import { problemOnly, RETRY_AFTER } from './openapi-answers.ts';

/** Answers that many operations of a box share. */
export const REFUSED = problemOnly('No token, a token that is not accepted, or a request that is not of this machine');
export const RESTARTING = { ...problemOnly('The box is restarting'), headers: RETRY_AFTER };
export const DISK = problemOnly('The disk of the box is full or fails');
export const OTHERWISE = problemOnly('Any other failure');
