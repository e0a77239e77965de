import { z } from 'zod';

/** POST /account/delete: said twice over. */
export const DeleteAccountRequest = z.strictObject({
  login: z.string().max(100).describe("The person's login at GitHub, typed by hand"),
});

/** POST /account/devices: what is to be signed out. */
export const SignOutRequest = z.discriminatedUnion('what', [
  z.object({ what: z.literal('session'), id: z.uuid() }).describe('One browser'),
  z.object({ what: z.literal('device'), id: z.uuid() }).describe('One computer with the spoq command'),
  z.object({ what: z.literal('others') }).describe('Everything but this browser'),
  z.object({ what: z.literal('all') }).describe('Everything, this browser too'),
]);

/** GET /account/activity. 18 digits: what is no number of Postgres' BIGINT is told so here. */
export const ActivityQuery = z.strictObject({
  before: z
    .string()
    .regex(/^[1-9]\d{0,17}$/, 'is not the number of a line')
    .optional(),
});

/** Where nothing is to be said besides that it is wanted: POST /account/export, and downloads without a query. */
export const NothingSaid = z.strictObject({});
