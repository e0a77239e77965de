import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';

/** Durably: whoever finds the new file after a power cut finds all of it. */
export function replaceFile(file: string, ...parts: (string | Uint8Array)[]): void {
  const draft = `${file}.new`;
  const fd = openSync(draft, 'w', 0o600);
  try {
    for (const part of parts) {
      const bytes = typeof part === 'string' ? Buffer.from(part) : part;
      for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
    }
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(draft, file);
}
