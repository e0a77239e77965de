import { parseArgs } from 'node:util';
import { destination, pino } from 'pino';
import { changeDelays, DEFAULT_DELAYS } from './delays.ts';
import { createSandbox, type MachineOptions } from './index.ts';
import { VENDOR_NAMES, type VendorName } from './vendor.ts';

const USAGE = `Usage: node sandbox/main.ts --state DIR [options]

Plays the vendors that Spoq uses, on 127.0.0.1. Prints one line of JSON when all listen.

  --state DIR          where everything is kept
  --ports BASE         a block of ports: the page is BASE + 1, and so on
  --port 0             free ports (the default)
  --vendors a,b        only these: ${VENDOR_NAMES.join(', ')}
  --zone NAME          the DNS zone and domain of boxes (default spoq.localhost)
  --conductor WORD     a word of the command that is a conductor; give it once per word. Machines are such processes,
  --tree DIR           or, with this, systems that boot from here (Linux, root). For those also:
    --pebble FILE      Let's Encrypt's test server
    --limit N          how many may run at once (default 12)
    --control-plane URL   what they must reach on this computer
    --outside HOST     what they may reach outside, on port 443; may be given again
  --delay NAME=MS      how long things take: ${Object.keys(DEFAULT_DELAYS).join(', ')}
  --webhook-url URL    where Stripe's events go
  --log-level LEVEL    of the log on stderr (default warn)
`;

const { values } = parseArgs({
  options: {
    state: { type: 'string' },
    ports: { type: 'string' },
    port: { type: 'string' },
    vendors: { type: 'string' },
    zone: { type: 'string' },
    conductor: { type: 'string', multiple: true },
    tree: { type: 'string' },
    pebble: { type: 'string' },
    limit: { type: 'string', default: '12' },
    'control-plane': { type: 'string' },
    outside: { type: 'string', multiple: true, default: [] },
    delay: { type: 'string', multiple: true, default: [] },
    'webhook-url': { type: 'string' },
    'log-level': { type: 'string', default: 'warn' },
    help: { type: 'boolean', default: false },
  },
});

/** Ends with the usage on stderr and exit code 64 (EX_USAGE). */
function refuse(sentence: string): never {
  process.stderr.write(`${sentence}\n\n${USAGE}`);
  process.exit(64);
}

if (values.help) {
  process.stdout.write(USAGE);
  process.exit(0);
}
const stateDir = values.state ?? refuse('--state is missing');
const ports = Number(values.ports ?? values.port ?? 0);
if (!Number.isInteger(ports) || ports < 0 || ports > 65_500) refuse('--ports must be a number from 0 to 65500');
const wanted = values.vendors?.split(',').map((name) => name.trim());
const unknown = wanted?.filter((name) => !VENDOR_NAMES.some((known) => known === name)) ?? [];
if (unknown.length > 0) refuse(`There is no vendor ${unknown.join(', ')}`);
const delays = { ...DEFAULT_DELAYS };
const wrong = changeDelays(
  delays,
  Object.fromEntries(
    values.delay.map((text) => {
      const [name = '', ms = ''] = text.split('=');
      return [name, ms === '' ? Number.NaN : Number(ms)];
    }),
  ),
);
if (wrong.length > 0) refuse(`Not a delay in milliseconds: ${wrong.join(', ')}`);

function chooseMachines(): MachineOptions | undefined {
  if (values.tree === undefined) return values.conductor ? { conductor: values.conductor } : undefined;
  const limit = Number(values.limit);
  if (!Number.isInteger(limit) || limit < 1) refuse('--limit must be a number of 1 or more');
  return {
    tree: values.tree,
    pebble: values.pebble ?? refuse('--pebble is missing'),
    limit,
    controlPlane: values['control-plane'] ?? refuse('--control-plane is missing'),
    outside: values.outside,
  };
}

const sandbox = await createSandbox({
  stateDir,
  ports,
  vendors: wanted as VendorName[] | undefined,
  zone: values.zone,
  machines: chooseMachines(),
  delays,
  webhook: values['webhook-url'] === undefined ? undefined : { url: values['webhook-url'] },
  logger: pino({ level: values['log-level'] }, destination(2)),
}).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});

let closing = false;
const end = (): void => {
  if (closing) return;
  closing = true;
  sandbox.close().then(
    () => process.exit(0),
    (error: unknown) => {
      process.stderr.write(`The sandbox did not end cleanly: ${String(error)}\n`);
      process.exit(1);
    },
  );
};
process.on('SIGTERM', end);
process.on('SIGINT', end);

const { urls, credentials } = sandbox;
process.stdout.write(`${JSON.stringify({ msg: 'listening', urls, credentials })}\n`);
