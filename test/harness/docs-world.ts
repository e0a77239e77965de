import { execFile } from 'node:child_process';
import { linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:tls';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { toCredentials } from '../../cli/auth/credentials.ts';
import { VERSION } from '../../cli/version.ts';
import { writeCredentials } from '../../cli/testing/sign-in.ts';
import { serveFiles } from '../../conductor/files/server.ts';
import { createDirectWorkplaces } from '../../conductor/testing/direct-workplaces.ts';
import { startModelServer } from '../../conductor/testing/model-server.ts';
import type { TestModelServer } from '../../conductor/testing/model-server.ts';
import { startConductor } from '../../conductor/testing/start-conductor.ts';
import type { TestConductor } from '../../conductor/testing/start-conductor.ts';
import type { Browser } from '../../control-plane/testing/browser.ts';
import { createTestControlPlane } from '../../control-plane/testing/control-plane.ts';
import { Device } from '../../control-plane/testing/device.ts';
import { createGithubServer } from '../../control-plane/testing/github-server.ts';
import { makeRelease, makeReleaseKey } from '../../control-plane/testing/releases.ts';
import { COMPILE_FLAGS, hostTarget, releaseName } from '../../tools/build-release.ts';
import { createTestDatabase } from './database.ts';
import { closeServer, listenOnFreePort } from './listen.ts';
import { createShell } from './shell.ts';
import type { Shell } from './shell.ts';
import { makeCertificate } from './sync-box.ts';
import { startTmux } from './tmux.ts';

/** All that the pages of `docs/` talk about: laptops, a box, its model, and the control plane that both belong to. */
export interface DocsWorld extends AsyncDisposable {
  model: TestModelServer;
  box: Shell;
  /** A laptop with `spoq` installed; `name` tells it from the others. */
  openLaptop(name: string, options?: { signedIn: boolean }): Promise<Shell>;
  /** Puts `spoq` back where it was removed or replaced. */
  install(laptop: Shell): void;
  /** What the person does with the page that `url` leads to. Answers the text of the page. */
  approve(url: string): Promise<string>;
  /** As a page would name it: addresses of this world are those of Spoq's own. */
  nameHosts(line: string): string;
}

const ROOT = path.dirname(path.dirname(import.meta.dirname));
const WORK_MAIN = path.join(import.meta.dirname, 'work-process.ts');
const HOSTNAME = 'alice.spoq.localhost';
/** Signing in takes longer than a poll of the device grant. */
const PATIENCE_MS = 20_000;
/** As a box comes; in micro-dollars. */
const BUDGET = { day: 10e6, month: 100e6, conversation: 5e6 };

export async function openDocsWorld(): Promise<DocsWorld> {
  const folder = mkdtempSync(path.join(tmpdir(), 'spoq-docs-'));
  const open = new AsyncDisposableStack();
  open.defer(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  try {
    return await open_(folder, open);
  } catch (error) {
    await open.disposeAsync();
    throw error;
  }
}

async function open_(folder: string, open: AsyncDisposableStack): Promise<DocsWorld> {
  const releaseKey = makeReleaseKey(folder);
  const program = path.join(folder, 'spoq');
  const compiled = compileSpoq(program, releaseKey.publicKey.text);
  compiled.catch(() => undefined); // it is awaited below
  const door = createServer();
  open.defer(() => closeServer(door));
  const { port } = await listenOnFreePort(door);
  const [database, github, model, tmux] = await Promise.all([
    createTestDatabase(),
    createGithubServer(),
    startModelServer(),
    startTmux(PATIENCE_MS),
  ]);
  open.use(tmux);
  for (const one of [database, github, model]) open.defer(() => one.close());
  github.script.person.login = 'alice';
  const releases = path.join(folder, 'releases');
  const plane = await createTestControlPlane(database, github, {
    BOX_URL_TEMPLATE: `http://{hostname}:${port}`,
    RELEASES_DIR: releases,
    RELEASES_PUBLIC_KEY: releaseKey.publicKey.text,
  });
  open.defer(() => plane.close());
  const browser = await plane.signIn();
  const owner = (await database.db('users').first('id')) as { id: string };
  const { id } = await plane.createBox(owner.id);
  await database.db('user_vps').where({ id }).update({ hostname: HOSTNAME });

  const home = path.join(folder, 'box');
  mkdirSync(home);
  const socket = path.join(folder, 'files.sock');
  const files = await serveFiles({ home, listen: { path: socket }, log: pino({ level: 'silent' }) });
  open.defer(() => files.close());
  const workplaces = createDirectWorkplaces({
    folder: path.join(folder, 'places'),
    command: [process.execPath, WORK_MAIN],
    repository: (workspace) => path.join(home, '.local', 'state', 'spoq', 'workspaces', workspace, 'repo.git'),
  });
  open.defer(() => workplaces.closeAll());
  const frontDoor = await openTlsDoor(folder, open);
  await compiled;
  const conductor = await startConductor({
    plane: { jwksUrl: `${plane.url}/.well-known/jwks.json` },
    identity: { issuer: plane.url, hostname: HOSTNAME, ownerId: owner.id },
    model: { baseUrl: model.url },
    budget: BUDGET,
    spoq: program,
    files: socket,
    workplaces,
    frontDoor,
  });
  open.defer(() => conductor.close());
  door.on('request', createDoor(conductor));
  await makeRelease(releases, {
    files: { [releaseName('spoq', hostTarget())]: readFileSync(program) },
    key: releaseKey,
    version: VERSION,
  });

  const marker = path.join(folder, 'vps.marker');
  writeFileSync(
    marker,
    JSON.stringify({ vps: true, conductor: `http://localhost:${conductor.local.port}`, version: '1.0' }),
  );
  const install = ({ home: where }: Shell): void => {
    const target = path.join(where, '.local', 'bin', 'spoq');
    rmSync(target, { force: true });
    linkSync(program, target);
  };
  const box = createShell(tmux, home, { SPOQ_VPS_MARKER: marker });
  install(box);
  const cleanup = open.move();
  return {
    model,
    box,
    install,
    async openLaptop(name, { signedIn } = { signedIn: true }) {
      const laptop = createShell(tmux, path.join(folder, 'laptops', name), {
        SPOQ_URL: plane.url,
        SPOQ_VPS_MARKER: '/nonexistent/vps.marker',
      });
      install(laptop);
      if (signedIn) {
        const tokens = await new Device(plane.url).signIn(browser, name);
        await writeCredentials(path.join(laptop.home, '.spoq', 'credentials'), toCredentials(tokens, Date.now()));
      }
      return laptop;
    },
    approve: (url) => approve(browser, url),
    nameHosts: (line) =>
      line
        .replaceAll(`http://${HOSTNAME}:${port}`, 'https://alice.spoq.dev')
        .replaceAll(HOSTNAME, 'alice.spoq.dev')
        .replaceAll(plane.url, 'https://spoq.dev'),
    [Symbol.asyncDispose]: () => cleanup.disposeAsync(),
  };
}

async function compileSpoq(program: string, publicKey: string): Promise<void> {
  const define = ['--define', `SPOQ_RELEASE_PUBLIC_KEY=${JSON.stringify(publicKey)}`];
  const flags = [...COMPILE_FLAGS, ...define, '--outfile', program, path.join(ROOT, 'cli', 'main.ts')];
  await promisify(execFile)(path.join(ROOT, 'node_modules', '.bin', 'bun'), flags, { cwd: path.dirname(program) });
}

/** In Caddy's place, for whoever asks for its certificate. */
async function openTlsDoor(folder: string, open: AsyncDisposableStack): Promise<number> {
  makeCertificate(folder, { name: 'alice.spoq.dev', days: 90 });
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => readFileSync(path.join(folder, name)));
  const server = createTlsServer({ key, cert });
  const { port } = await listenOnFreePort(server);
  open.defer(() => void server.close());
  return port;
}

/** In Caddy's place, for whoever asks the conductor. */
function createDoor({ remote: { socketPath } }: TestConductor): RequestListener {
  return (from, to) => {
    const passed = request({ socketPath, method: from.method, path: from.url, headers: from.headers }, (back) => {
      to.writeHead(back.statusCode ?? 502, back.headers);
      back.on('error', () => to.destroy()).pipe(to);
    });
    passed.on('error', () => to.destroy());
    to.once('close', () => passed.destroy());
    from.pipe(passed);
  };
}

async function approve(browser: Browser, url: string): Promise<string> {
  const { pathname, search, searchParams } = new URL(url);
  const page = await browser.get(`${pathname}${search}`);
  if (pathname === '/auth/cli') {
    const done = await browser.post('/auth/cli', { ...Object.fromEntries(searchParams), decision: 'approve' });
    await fetch(done.location ?? '');
  } else await browser.post('/auth/authorize', { code: searchParams.get('code') ?? '', decision: 'approve' });
  return page.text;
}
