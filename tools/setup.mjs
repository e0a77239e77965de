#!/usr/bin/env node
// The first step of every `npm run …`: gets this clone ready, then runs the command under the pinned Node.
// Plain JavaScript for any Node from 20 on, without dependencies: on a fresh clone there are none yet.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const COMMANDS = ['start', 'test', 'journey', 'bench', 'operator', 'release', 'check'];
const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const modules = path.join(root, 'node_modules');
const stampFile = path.join(modules, '.spoq-stamp');
const pinnedNode = path.join(modules, '.bin', 'node');

class SetupError extends Error {}

/** Ends with one sentence instead of a stack: these are expected failures. */
async function main() {
  const [command, ...args] = process.argv.slice(2);
  if (Number(process.versions.node.split('.')[0]) < 20) {
    throw new SetupError(
      `Spoq needs Node 20 or later and this is ${process.version}. Install a newer Node, then run it again.`,
    );
  }
  if (process.platform === 'win32')
    throw new SetupError('Spoq runs on Linux and macOS. On Windows, run it inside WSL.');
  if (!COMMANDS.includes(command ?? '')) {
    throw new SetupError(`There is no command '${command ?? ''}'. The commands are: ${COMMANDS.join(', ')}.`);
  }
  if (!packagesAreInstalled()) await withLock(installPackages);
  run(path.join(root, 'tools', `${command}.ts`), args);
}

// ---------------------------------------------------------------------------------------------------- packages

function wantedHash() {
  const hash = createHash('sha256').update(readFileSync(path.join(root, 'package-lock.json')));
  return hash.update(`${process.platform}-${process.arch}`).digest('hex');
}

/** True if node_modules is what the lock file asks for: by our stamp, or else by comparing npm's own record with the lock. */
function packagesAreInstalled() {
  const hash = wantedHash();
  const lock = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8')).packages;
  const stamped = existsSync(stampFile) && readFileSync(stampFile, 'utf8') === hash;
  if (!packagesArePresent(lock, stamped ? undefined : readInstalledRecord()) || !nodeRuns()) return false;
  if (!stamped) writeFileSync(stampFile, hash);
  return true;
}

function readInstalledRecord() {
  try {
    return JSON.parse(readFileSync(path.join(modules, '.package-lock.json'), 'utf8')).packages;
  } catch {
    return {}; // npm writes this record last, so without it the installation did not end well
  }
}

/** Every package that is not optional has its folder and, where npm's record is given, its version in there. */
function packagesArePresent(lock, installed) {
  return Object.entries(lock).every(([folder, entry]) => {
    if (folder === '' || entry.optional || entry.devOptional || entry.peer) return true;
    if (installed !== undefined && installed[folder]?.version !== entry.version) return false;
    return existsSync(path.join(root, folder, 'package.json'));
  });
}

function nodeRuns() {
  return existsSync(pinnedNode) && spawnSync(pinnedNode, ['--version'], { stdio: 'ignore' }).status === 0;
}

async function installPackages() {
  if (packagesAreInstalled()) return; // another run did it while this one waited
  const repaired = existsSync(modules);
  const wait = showWait(repaired ? 'Repairing the installed packages' : 'Installing packages');
  // NODE_ENV=production would leave out the tools that build and test.
  const result = await npm(['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error']);
  if (result.code === 0 && !nodeRuns()) await npm(['rebuild', 'node', 'bun']); // where install scripts are switched off
  if (result.code !== 0 || !nodeRuns()) {
    wait.end(false);
    throw new SetupError(describeFailure(result));
  }
  writeFileSync(stampFile, wantedHash());
  wait.end(true);
}

function npm(args) {
  const own = process.env.npm_execpath ?? '';
  const [file, first] = path.basename(own) === 'npm-cli.js' ? [process.execPath, [own]] : ['npm', []];
  return new Promise((resolve) => {
    const child = spawn(file, [...first, ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const keep = (chunk) => (output = (output + chunk).slice(-8000));
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', (error) => resolve({ code: 1, output: error.message, missing: error.code === 'ENOENT' }));
    child.on('close', (code, signal) => resolve({ code: code ?? 1, output, signal }));
  });
}

function describeFailure({ code, output, missing, signal }) {
  if (missing) return 'npm was not found. Install npm beside Node, then run it again.';
  if (signal) return `Installing packages was stopped (${signal}). Run it again: it starts afresh.`;
  const npmCode = /npm (?:error|ERR!) code (\S+)/.exec(output)?.[1];
  if (/ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNRE|ENETUNREACH|E5\d\d/.test(npmCode ?? '')) {
    return `The packages could not be downloaded (npm said ${npmCode}). Check the network, then run it again: nothing half done is kept.`;
  }
  if (/ENOSPC/.test(output)) return 'The disk is full. Free a gigabyte, then run it again.';
  const detail = output
    .split('\n')
    .filter((line) => /npm (error|ERR!)/.test(line) && !/complete log/.test(line))
    .slice(0, 6);
  if (code === 0)
    return 'The packages are there but the Node among them does not run on this machine. Run `npm ci` to see why.';
  return `The packages could not be installed (npm said ${npmCode ?? `exit code ${code}`}). Run \`npm ci\` to see it all.\n${detail.join('\n')}`;
}

// -------------------------------------------------------------------------------------------------------- lock

/** One installation at a time in this clone. A lock whose owner is dead is taken over. */
async function withLock(work) {
  const file = path.join(root, '.spoq', 'setup.lock');
  // tools/state-folder.ts will put secrets in there.
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  for (let told = false; !takeLock(file); told = true) {
    const pid = readOwner(file);
    if (!told) console.error(`Another run (pid ${pid}) is installing packages in this clone; waiting for it.`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  const release = () => rmSync(file, { force: true });
  process.once('exit', release);
  await work();
  process.off('exit', release);
  release();
}

function takeLock(file) {
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
  const pid = readOwner(file);
  if (pid === undefined || isAlive(pid)) return false;
  rmSync(file, { force: true });
  return takeLock(file);
}

/** The pid in a lock file; of a file whose writer died before it wrote one, a pid that is surely dead. */
function readOwner(file) {
  try {
    const pid = Number(readFileSync(file, 'utf8'));
    if (pid > 0) return pid;
    return Date.now() - statSync(file).mtimeMs > 2000 ? 2 ** 30 : undefined;
  } catch {
    return undefined; // released in this very moment
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function showWait(title) {
  const began = Date.now();
  const tty = process.stderr.isTTY;
  const seconds = () => `${Math.round((Date.now() - began) / 1000)} s`;
  if (!tty) console.error(`${title} …`);
  const timer = setInterval(
    () => process.stderr.write(tty ? `\r${title} … ${seconds()} ` : `${title} … ${seconds()}\n`),
    tty ? 250 : 10_000,
  );
  return {
    end(ok) {
      clearInterval(timer);
      process.stderr.write(
        `${tty ? '\r\u001B[2K' : ''}${ok ? `${title}: done in ${seconds()}` : `${title}: failed`}\n`,
      );
    },
  };
}

// --------------------------------------------------------------------------------------------------------- run

/**
 * Hands over to the pinned Node. It stays in this process group, so a Ctrl-C in a terminal reaches it anyway; a signal sent to
 * this process alone is passed on. The command takes signals that arrive within a second for one.
 */
function run(file, args) {
  const env = { ...process.env, PATH: `${path.join(modules, '.bin')}${path.delimiter}${process.env.PATH ?? ''}` };
  const child = spawn(pinnedNode, [file, ...args], { stdio: 'inherit', env });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, () => child.kill(signal));
  child.on('error', (error) =>
    fail(`The pinned Node could not be started: ${error.message}. Remove node_modules and run it again.`),
  );
  child.on('close', (code, signal) => {
    for (const name of signals) process.removeAllListeners(name);
    if (signal) process.kill(process.pid, signal);
    else process.exit(code ?? 1);
  });
}

function fail(message) {
  console.error(message);
  process.exit(1);
}

main().catch((error) => fail(error instanceof SetupError ? error.message : error.stack));
