import { type PassThrough, Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { ZipFile } from 'yazl';

export interface ZipEntry {
  name: string;
  /** Its content; nothing is read of it before it is wanted. */
  parts: AsyncIterable<string>;
}

/**
 * A zip archive that is made while it is read, one entry after the other. When an entry fails the archive ends with its error, cut off,
 * so that nobody takes a part for the whole.
 */
export function createZip(entries: AsyncIterable<ZipEntry>, mtime: Date): Readable {
  const zip = new ZipFile();
  const out = zip.outputStream as PassThrough;
  const left = new AbortController();
  const fail = (error: unknown): void => void out.destroy(error as Error);
  zip.on('error', fail);
  out.once('close', () => left.abort());
  addAll().catch(fail);
  return out;

  async function addAll(): Promise<void> {
    for await (const { name, parts } of entries) {
      const source = Readable.from(parts, { signal: left.signal });
      zip.addReadStream(source, name, { mtime });
      await finished(source);
    }
    zip.end();
  }
}
