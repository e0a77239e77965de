import { z } from 'zod';
import type { Files } from '../files/client.ts';

const Snapshot = z.object({ commit: z.string().regex(/^[\da-f]{40,64}$/) });

/** Writes down the present state of a workspace; answers the commit that a run begins from. */
export async function takeSnapshot(files: Files, workspace: string): Promise<string> {
  const { value, close } = await files.call({ operation: 'snapshot', workspace });
  close();
  return Snapshot.parse(value).commit;
}
