import { spawn } from 'node:child_process';

/**
 * Forces what was written below `root` to the disk, by one call for the whole file system: one per file would take minutes. What is agreed on
 * is written down only after it, so that a power cut leaves nothing that looks like somebody's change and isn't. Where there is no such
 * program (Windows) the system's own few seconds have to do.
 */
export function settleOnDisk(root: string, platform: string = process.platform): Promise<void> {
  return new Promise((resolve) => {
    const child = spawn('sync', platform === 'linux' ? ['-f', root] : [], { stdio: 'ignore' });
    child.once('error', () => resolve());
    child.once('close', () => resolve());
  });
}
