import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';

/** Starts Caddy as a box has it, before a conductor's socket: `https://alice.localhost:<port>`, with the certificate in `folder`. */
export function startCaddy(folder: string, socket: string, port: number): ChildProcess {
  const file = path.join(folder, 'Caddyfile');
  writeFileSync(
    file,
    `{
	auto_https off
	admin off
	log {
		level ERROR
	}
}
https://alice.localhost:${port} {
	bind 127.0.0.1
	tls ${path.join(folder, 'cert.pem')} ${path.join(folder, 'key.pem')}
	reverse_proxy unix/${socket} {
		flush_interval -1
	}
}
`,
  );
  return spawn('caddy', ['run', '--adapter', 'caddyfile', '--config', file], {
    env: { PATH: process.env['PATH'], HOME: folder, XDG_DATA_HOME: folder },
    stdio: ['ignore', 'ignore', 'ignore'],
  });
}
