import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { formatConfig, runConductor } from '../../conductor/testing/compiled.ts';
import { startControlPlane } from '../../conductor/testing/control-plane.ts';
import { signToken } from '../../conductor/testing/tokens.ts';
import { startCaddy } from './caddy.ts';
import { makeCertificate } from './sync-box.ts';

const PORT = 24_444;

/** A conductor as a process of its own, and Caddy with TLS before it. */
export interface AnswerBox {
  /** Without a token, as on the box itself. */
  local: string;
  caddy: { url: string; token: string; ca: Buffer };
  close(): Promise<void>;
}

/** `folder` holds its state. Its budgets are no bound. */
export async function openAnswerBox(
  folder: string,
  conductor: readonly string[],
  modelUrl: string,
): Promise<AnswerBox> {
  const plane = await startControlPlane();
  const extra = '\n[budget]\nday_usd = 10000\nmonth_usd = 10000\nconversation_usd = 100\n';
  const config = formatConfig({ jwksUrl: plane.jwksUrl, modelUrl, extra });
  const box = await runConductor([...conductor], config, { ANTHROPIC_API_KEY: 'bench' }, folder);
  makeCertificate(folder);
  const caddy = startCaddy(folder, box.remote.socketPath, PORT);
  return {
    local: `http://127.0.0.1:${box.local.port}`,
    caddy: {
      url: `https://alice.localhost:${PORT}`,
      token: await signToken(plane.key),
      ca: readFileSync(path.join(folder, 'cert.pem')),
    },
    async close() {
      await box.close();
      const ended = once(caddy, 'exit');
      caddy.kill('SIGKILL');
      await ended;
      await plane.close();
    },
  };
}
