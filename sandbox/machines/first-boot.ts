import { gunzipSync } from 'node:zlib';
import { z } from 'zod';
import type { FirstBoot } from './machine.ts';

/** A file that first boot writes. `path` is absolute on the machine. */
export interface BootFile {
  path: string;
  mode: number;
  content: Buffer;
}

/** cloud-init's `write_files`, as far as Spoq's documents use it. */
const UserData = z.looseObject({
  write_files: z
    .array(
      z.looseObject({
        path: z.string().startsWith('/'),
        permissions: z
          .string()
          .regex(/^0?[0-7]{3,4}$/)
          .default('0644'),
        encoding: z.enum(['b64', 'base64', 'gz+b64', 'gz+base64', 'text/plain']).default('text/plain'),
        content: z.string().default(''),
      }),
    )
    .default([]),
});

/** `write_file <mode> <owner:group> <path> <<'SPOQ_FILE'`, lines of base64, `SPOQ_FILE`. */
const HERE_DOCUMENT = /^write_file (0?[0-7]{3,4}) \S+ (\/\S*) <<'SPOQ_FILE'\n([A-Za-z0-9+/=\n]*)^SPOQ_FILE$/gm;

/** Reads the files out of what the machine was given, running none of its commands. Throws when it can't be read. */
export function parseFirstBoot({ kind, text }: FirstBoot): BootFile[] {
  return kind === 'user-data' ? parseUserData(text) : parsePostInstall(text);
}

function parseUserData(text: string): BootFile[] {
  const [first, ...rest] = text.split('\n');
  if (first?.trimEnd() !== '#cloud-config') throw new Error('The user-data does not begin with #cloud-config');
  const document = UserData.parse(parseJson(rest.join('\n')));
  return document.write_files.map(({ path, permissions, encoding, content }) => ({
    path,
    mode: Number.parseInt(permissions, 8),
    content: decode(content, encoding),
  }));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Error('The user-data is not JSON; this kind of machine reads no other YAML', { cause });
  }
}

function decode(content: string, encoding: string): Buffer {
  if (encoding === 'text/plain') return Buffer.from(content);
  const bytes = Buffer.from(content, 'base64');
  return encoding.startsWith('gz') ? gunzipSync(bytes) : bytes;
}

function parsePostInstall(text: string): BootFile[] {
  return [...text.matchAll(HERE_DOCUMENT)].map(([, mode = '', path = '', lines = '']) => ({
    path,
    mode: Number.parseInt(mode, 8),
    content: unpack(Buffer.from(lines, 'base64')),
  }));
}

/** A file's bytes, which the script may have packed with gzip. */
function unpack(bytes: Buffer): Buffer {
  return bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes;
}
