import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import type { FirstBoot } from '../machine.ts';

/** A machine's folder: what it has written over the base tree, and where both are put together. */
export interface Disk {
  upper: string;
  work: string;
  root: string;
}

export function diskOf(folder: string): Disk {
  return { upper: join(folder, 'upper'), work: join(folder, 'work'), root: join(folder, 'root') };
}

export interface Installation {
  /** For people and for cloud-init, which acts once for each. */
  id: string;
  address: string;
  gateway: string;
  firstBoot: FirstBoot | undefined;
}

/**
 * Empties the disk and writes what a vendor's installation leaves: the network, and the document or script of the first boot.
 * Folders made here lie over the base tree's of the same name and are as those are: root's, 0755.
 */
export function writeDisk(folder: string, { id, address, gateway, firstBoot }: Installation): void {
  rmSync(folder, { recursive: true, force: true });
  const { upper, work, root } = diskOf(folder);
  for (const path of [upper, work, root]) makeFolder(path);
  const write = (path: string, content: string, mode = 0o644): void => {
    for (let at = dirname(path), made: string[] = []; ; at = dirname(at)) {
      if (at !== '/') made.unshift(at);
      else {
        for (const one of made) makeFolder(join(upper, one));
        break;
      }
    }
    writeFileSync(join(upper, path), content, { mode });
    chmodSync(join(upper, path), mode);
  };
  write('/etc/machine-id', `${randomBytes(16).toString('hex')}\n`, 0o444);
  write('/etc/resolv.conf', `nameserver ${gateway}\n`);
  write(
    '/etc/systemd/network/10-host0.network',
    `[Match]\nName=host0\n\n[Network]\nAddress=${address}/24\nGateway=${gateway}\nIPv6AcceptRA=no\n`,
  );
  const seed = '/var/lib/cloud/seed/nocloud';
  write(
    `${seed}/meta-data`,
    `${JSON.stringify({ 'instance-id': `${id}-${randomBytes(4).toString('hex')}` })}\n`,
    0o600,
  );
  // Contabo's images have the account that was asked for (Spoq asks for `admin`), locked; Hostinger's have none.
  const account = { system_info: { default_user: { name: 'admin', lock_passwd: true } } };
  write(
    `${seed}/vendor-data`,
    `#cloud-config\n${JSON.stringify(firstBoot?.kind === 'post-install' ? { users: [] } : account)}\n`,
    0o600,
  );
  write(`${seed}/user-data`, firstBoot?.kind === 'user-data' ? firstBoot.text : '#cloud-config\n{}\n', 0o600);
  if (firstBoot?.kind === 'post-install') write('/post_install', firstBoot.text, 0o700);
}

function makeFolder(path: string): void {
  mkdirSync(path, { recursive: true });
  chmodSync(path, 0o755);
}
