import { existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { endProcesses, findFamily, listProcesses } from './process-table.ts';
import { writePrivateFile } from './state-folder.ts';

interface Record {
  boot: string;
  processes: { name: string; pid: number; started: string }[];
}

/** Remembers which processes a run started, so that the next one can end what a killed run left behind. */
export interface ProcessRecord {
  add(name: string, pid: number): void;
  /** Ends what an earlier run left; answers the names of its parts. */
  endLeftovers(): Promise<string[]>;
  clear(): void;
}

const GRACE_MS = 5000;

/** Opens the record in `dir`. */
export function openProcessRecord(dir: string): ProcessRecord {
  const file = path.join(dir, 'processes.json');
  const processes: Record['processes'] = [];
  return {
    add(name, pid) {
      const started = listProcesses().find((row) => row.pid === pid)?.started ?? '';
      processes.push({ name, pid, started });
      writePrivateFile(file, JSON.stringify({ boot: readBootId(), processes }));
    },
    async endLeftovers() {
      if (!existsSync(file)) return [];
      const record = readRecord(file);
      rmSync(file);
      if (record === undefined || record.boot !== readBootId()) return [];
      const rows = listProcesses();
      const ours = record.processes.filter(({ pid, started }) => {
        const leader = rows.find((row) => row.pid === pid);
        // Without its leader a session's number is still taken: the kernel gives it to nobody else while a member lives.
        return leader === undefined ? rows.some((row) => row.session === pid) : leader.started === started;
      });
      const families = ours.flatMap(({ pid }) => findFamily(pid, rows));
      await endProcesses(families, GRACE_MS);
      return ours.map(({ name }) => name);
    },
    clear: () => rmSync(file, { force: true }),
  };
}

/** A damaged record names nobody: it only helps to clean up. */
function readRecord(file: string): Record | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Record;
  } catch {
    return undefined;
  }
}

/** Pids and sessions mean nothing after a reboot. */
function readBootId(): string {
  const file = '/proc/sys/kernel/random/boot_id';
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
}
