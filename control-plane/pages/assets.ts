import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { extname, join } from 'node:path';

/** One static file as it is served: bytes, type and the name that holds its hash. */
export interface Asset {
  url: string;
  type: string;
  body: Buffer;
}

/** Style sheets, scripts and pictures, read once. A new content has a new name, so browsers may keep them for ever. */
export interface Assets {
  /** The address of `name`, say `/assets/spoq.1f2e3d4c5b.css`. @throws Error when there is no such file */
  url(name: string): string;
  /** What is served at a path, if anything. */
  find(path: string): Asset | undefined;
}

const TYPES: Record<string, string> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Reads the files of `pages/assets` and Pico's style sheet. */
export function loadAssets(): Assets {
  const folder = join(import.meta.dirname, 'assets');
  const pico = createRequire(import.meta.url).resolve('@picocss/pico/css/pico.min.css');
  const sources = new Map(readdirSync(folder).map((name) => [name, join(folder, name)]));
  sources.set('pico.css', pico);
  const byName = new Map<string, Asset>();
  for (const [name, file] of sources) {
    const type = TYPES[extname(name)];
    if (type === undefined) throw new Error(`${file} is of no type that is served`);
    const body = readFileSync(file);
    const hash = createHash('sha256').update(body).digest('hex').slice(0, 10);
    const url = `/assets/${name.slice(0, -extname(name).length)}.${hash}${extname(name)}`;
    byName.set(name, { url, type, body });
  }
  const byUrl = new Map([...byName.values()].map((asset) => [asset.url, asset]));
  return {
    url(name) {
      const asset = byName.get(name);
      if (asset === undefined) throw new Error(`There is no asset ${name}`);
      return asset.url;
    },
    find: (path) => byUrl.get(path),
  };
}
